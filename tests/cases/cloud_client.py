"""barrack's cloud as the client of one account sees it."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from emulator import Emulation

from .catalogue import PROVIDERS, complaints
from .raw import RawReply, send

PROVIDER = PROVIDERS["barrack"]
BEGIN = 1764547200  # 2025-12-01T00:00:00Z
ROUNDED = Decimal("0.00001")
"""Less than this is lost where bills round: costs to six digits, rates by the minute to five."""

MACHINE = {
    "tier": "legacy",
    "region": "CANADA-1",
    "gpu_model": "RTX-A6000",
    "gpu_count": 1,
    "os_image": "ubuntu-24.04",
}
ADVANCED = {
    "tier": "advanced",
    "region": "FIN-01",
    "gpu_model": "H100-SXM5-80GB",
    "gpu_count": 4,
    "os_image": "ubuntu-24.04-cuda-12.8",
}
DISK = {"size_gb": 100, "volume_type": "SSD", "tier": "legacy", "region": "CANADA-1"}
RULE = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "remote_ip_prefix": "0.0.0.0/0"}
BILLS = ("/instances/billing/", "/volumes/billing/", "/snapshots/billing/")


def identity(path: str) -> str:
    """The id in the path of a resource: `/volumes/BRK-1V/` -> `BRK-1V`."""
    return path.split("/")[2]


class Cloud:
    """One account's client, over the real socket. Paths are below the base URL; a resource is known by its path.

    Every reply is held against the spec, and kept.
    """

    def __init__(self, emulation: Emulation, key: str) -> None:
        self.handle = emulation["barrack"]
        self.replies: list[bytes] = []
        """The bodies of all replies, oldest first."""
        self._clock = emulation.clock
        self._credential = {"Authorization": f"Bearer {key}"}
        self._ssh_key: str | None = None

    # requests

    def ask(self, method: str, path: str, body: Any = None) -> RawReply:
        """One request, whatever comes of it."""
        headers, data = self._credential, None
        if body is not None:
            headers, data = {**headers, "Content-Type": "application/json"}, json.dumps(body).encode()
        reply = send(method, self.handle.base_url + path, headers, data)
        self.replies.append(reply.body)
        match = PROVIDER.router.match(method, PROVIDER.base_path + path.partition("?")[0])
        assert match is not None and match.operation is not None, f"{method} {path} is no operation"
        broken = list(complaints(PROVIDER, PROVIDER.operations[match.operation], reply))
        assert not broken, (method, path, body, reply.status, broken)
        return reply

    def get(self, path: str) -> Any:
        return self._done("GET", path).json

    def post(self, path: str, /, **body: Any) -> Any:
        """What came of a body of these fields; of no body at all without any."""
        return self._done("POST", path, body or None).json

    def delete(self, path: str) -> Any:
        return self._done("DELETE", path).json

    def refusal(self, method: str, path: str, body: Any = None) -> tuple[int, str, str]:
        """Status, code and message of a request that must not succeed."""
        reply = self.ask(method, path, body)
        assert reply.status >= 400, (method, path, body, reply.text)
        assert reply.json["success"] is False
        return reply.status, reply.json["error"], reply.json["message"]

    def refused(self, path: str, /, **body: Any) -> tuple[int, str]:
        """Status and code of a POST that must not succeed."""
        return self.refusal("POST", path, body or None)[:2]

    def _done(self, method: str, path: str, body: Any = None) -> RawReply:
        reply = self.ask(method, path, body)
        assert 200 <= reply.status < 300, (method, path, body, reply.status, reply.text)
        return reply

    # what an account owns

    def key(self) -> str:
        """The id of the account's SSH key, made when it is first needed."""
        if self._ssh_key is None:
            self._ssh_key = self.post("/ssh-keys/", name="laptop")["ssh_key"]["id"]
        return self._ssh_key

    def machine(self, name: str, /, **change: Any) -> dict[str, Any]:
        """The body that asks for an instance."""
        return {"vm_name": name, **MACHINE, "ssh_key_ids": [self.key()], **change}

    def deploy(self, name: str = "trainer", /, **change: Any) -> str:
        """An instance that has just been asked for."""
        return f"/instances/{self.post('/instances/', **self.machine(name, **change))['instance']['instance_id']}/"

    def running(self, name: str = "trainer", /, **change: Any) -> str:
        """An instance that has had the time to come up."""
        path = self.deploy(name, **change)
        self.wait("120s")
        return path

    def volume(self, name: str = "data", /, **change: Any) -> str:
        body = {"volume_name": name, **DISK, **change}
        return f"/volumes/{self.post('/volumes/', **body)['volume']['volume_id']}/"

    def firewall(self, name: str = "web") -> str:
        made = self.post("/firewalls/", name=name, region="CANADA-1")
        return f"/firewalls/{made['firewall']['firewall_id']}/"

    def snapshot(self, instance: str, name: str = "golden", /, **change: Any) -> str:
        made = self.post("/snapshots/", instance_id=identity(instance), snapshot_name=name, **change)
        return f"/snapshots/{made['snapshot']['snapshot_id']}/"

    def image(self, snapshot: str, name: str = "base") -> str:
        made = self.post("/images/", snapshot_id=identity(snapshot), image_name=name)
        return f"/images/{made['image']['image_id']}/"

    def status(self, path: str) -> str:
        """The state that a resource is in."""
        found: str = self.get(path)[path.split("/")[1].removesuffix("s")]["status"]
        return found

    def stock(self, region: str = "CANADA-1", model: str = "RTX-A6000") -> int:
        """How many GPUs of a model are to be had in a region."""
        (found,) = [s["available"] for s in self.get(f"/gpu-stocks/?region={region}")["stocks"] if s["model"] == model]
        return int(found)

    # time and money

    def wait(self, duration: str | float) -> None:
        self._clock.advance(duration)

    def money(self) -> Decimal:
        """The balance, digit for digit."""
        return Decimal(self._exact("/balance/")["data"]["balance"]["amount"])

    def records(self, path: str, limit: int = 100) -> list[dict[str, Any]]:
        """All records of a billing page, oldest first, `limit` at a time."""
        return list(self._all(path, "records", limit))

    def billed(self, limit: int = 100) -> Decimal:
        """What all bills come to, those for chat among them."""
        costs = [record["total_cost"] for path in BILLS for record in self.records(path, limit)]
        costs += [talk["cost"] for talk in self._all("/ai/usage/history/", "transactions", limit)]
        return sum(costs, Decimal(0))

    def _all(self, path: str, key: str, limit: int) -> Iterator[dict[str, Any]]:
        """The items of all pages of a list; what the pages say of themselves has to be true."""
        total, number, pages = 0, 1, 1
        while number <= pages:
            found = self._exact(f"{path}?limit={limit}&page={number}")
            pages, expected = found["total_pages"], min(limit, found["total"] - total)
            assert (found["page"], found["limit"], len(found[key])) == (number, limit, expected)
            yield from found[key]
            total, number = total + expected, number + 1
        assert total == found["total"]

    def _exact(self, path: str) -> Any:
        """A page whose fractions are decimal, as its text has them."""
        return json.loads(self._done("GET", path).body, parse_float=Decimal)
