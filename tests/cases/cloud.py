"""barrack's cloud as its client sees it, and what has to hold of everything it shows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import httpx
from jsonschema_rs import Draft202012Validator

from emulator import Emulation

from .catalogue import PROVIDERS

BARRACK = PROVIDERS["barrack"]
assert BARRACK.accounts is not None
KINDS, DEPLETION = BARRACK.accounts.kinds, BARRACK.accounts.depletion
Reply = tuple[int, Any]

LISTS = {
    "ssh_key": ("listSSHKeys", "ssh_keys", "id"),
    "instance": ("listInstances", "instances", "instance_id"),
    "volume": ("listVolumes", "volumes", "volume_id"),
    "firewall": ("listFirewalls", "firewalls", "firewall_id"),
    "snapshot": ("listSnapshots", "snapshots", "snapshot_id"),
    "image": ("listImages", "images", "image_id"),
}
READS = {
    "ssh_key": ("getSSHKey", "key_id"),
    "instance": ("getInstance", "instance_id"),
    "volume": ("getVolume", "volume_id"),
    "firewall": ("getFirewall", "firewall_id"),
    "snapshot": ("getSnapshot", "snapshot_id"),
    "image": ("getImage", "image_id"),
}
BILLS = {"instance": "getInstanceBilling", "volume": "getVolumeBilling", "snapshot": "getSnapshotBilling"}
UNKNOWN = {"ssh_key": "K", "instance": "D", "volume": "V", "firewall": "F", "snapshot": "S", "image": "I"}

# What accounts open with, by key.
OPENING = {
    "brk-emulator": Decimal(25),
    "brk-new-1": Decimal(25),
    "brk-inr-1": Decimal(2000),
    "brk-low-1": Decimal("0.00005"),
}
# Few places and few GPUs in each, so that stock runs out; the last region is the seeds'.
PLACES = [
    ("legacy", "US-1", "H100-PCIe-80GB", "ubuntu-24.04"),
    ("legacy", "CANADA-1", "A40", "ubuntu-24.04"),
    ("advanced", "FIN-01", "B300-262GB", "ubuntu-24.04-cuda-12.8"),
    ("legacy", "CANADA-1", "RTX-A6000", "ubuntu-24.04"),
]
DISKS = [("SSD", "legacy", "CANADA-1"), ("SSD", "legacy", "US-1"), ("NVMe", "advanced", "FIN-01")]
RULE = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "remote_ip_prefix": "0.0.0.0/0"}


@cache
def validator(operation: str, status: int) -> Draft202012Validator:
    """What the spec wants a reply to be. Raises StopIteration or KeyError for one that it does not know."""
    methods = (method for path in BARRACK.document["paths"].values() for method in path.values())
    found = next(o for o in methods if isinstance(o, dict) and o.get("operationId") == operation)
    schema = found["responses"][str(status)]["content"]["application/json"]["schema"]
    whole = {**schema, "components": BARRACK.document["components"]}
    return Draft202012Validator(whole, validate_formats=True)


class Cloud:
    """A client that believes nothing: every reply is held against the spec."""

    def __init__(self, emulation: Emulation, key: str) -> None:
        self.origin = emulation["barrack"].origin
        headers = {"Authorization": f"Bearer {key}~{emulation.tenant}"}
        self.client = httpx.Client(transport=emulation.transport(), headers=headers)

    def ask(self, name: str, body: Any = None, page: int = 1, **params: Any) -> Reply:
        operation = BARRACK.operations[name]
        url = self.origin + operation.path.format(**params)
        query = {"limit": 100, "page": page} if operation.method == "GET" else {}
        reply = self.client.request(operation.method, url, params=query, json=body)
        assert reply.status_code != 500, (name, body, reply.headers.get("x-emulator-notice"))
        complaints = [error.message for error in validator(name, reply.status_code).iter_errors(reply.json())]
        assert not complaints, (name, body, reply.status_code, complaints)
        return reply.status_code, reply.json()

    def read(self, name: str, **params: Any) -> Any:
        status, body = self.ask(name, **params)
        assert status == 200, body
        return body

    def everything(self, name: str, key: str) -> tuple[list[Any], Any]:
        """All items of a list, and its last page."""
        found: list[Any] = []
        for page in range(1, 1000):
            last = self.read(name, page=page)
            found += last[key]
            if page >= last["total_pages"]:
                assert len(found) == last["total"]
                return found, last
        raise AssertionError(f"{name} never ends")


@dataclass
class World:
    """All that an account owns, by kind and id, and its balance."""

    items: Mapping[str, dict[str, Any]]
    stocks: Mapping[tuple[str | None, str | None], int]
    amount: float
    currency: str

    def state(self, kind: str, identity: str) -> str | None:
        found: str | None = self.items[kind].get(identity, {}).get("status")
        return found


def look(cloud: Cloud) -> World:
    items = {}
    for kind, (operation, key, id_key) in LISTS.items():
        items[kind] = {item[id_key]: item for item in cloud.everything(operation, key)[0]}
    items["instance"] = {i: cloud.read("getInstance", instance_id=i)["instance"] for i in items["instance"]}
    stocks = {(s["region"], s["model"]): s["available"] for s in cloud.read("getGPUStocks")["stocks"]}
    balance = cloud.read("getCreditBalance")["data"]["balance"]
    return World(items, stocks, balance["amount"], balance["currency"])


def a_deployment(name: str, place: tuple[str, str, str, str], count: int) -> dict[str, Any]:
    """The body of a request, but for the keys."""
    tier, region, model, system = place
    body = {"vm_name": name, "tier": tier, "region": region, "os_image": system}
    return {**body, "gpu_model": model, "gpu_count": count}


def a_volume(name: str, disk: tuple[str, str, str], size: int) -> dict[str, Any]:
    """The body of a request."""
    return {"volume_name": name, "size_gb": size, "volume_type": disk[0], "tier": disk[1], "region": disk[2]}


def check_stock(world: World) -> None:
    """What is available and what instances hold is what there was."""
    (hold,) = KINDS["instance"].holds
    there = dict(world.stocks)
    assert min(there.values()) >= 0
    for item in world.items["instance"].values():
        if item["status"] in hold.states:
            there[item["region"], item["gpu_model"]] += item["gpu_count"]
    assert there == {(seed["region"], seed["model"]): seed["available"] for seed in KINDS["gpu_stock"].seed}


def check_references(world: World) -> None:
    """Whatever is named is there, and who is told of an attachment is told so from both sides."""
    instances, volumes = world.items["instance"], world.items["volume"]
    held: dict[str, set[str]] = {instance: set() for instance in instances}
    for volume, item in volumes.items():
        assert (item["status"] == "in-use") == (item["instance_id"] is not None)
        if item["instance_id"] is not None:
            held[item["instance_id"]].add(volume)
            assert item["region"] == instances[item["instance_id"]]["region"]
    rules = [rule["rule_id"] for item in instances.values() for rule in item["security_rules"]]
    for instance, item in instances.items():
        assert set(item["ssh_key_ids"]) <= world.items["ssh_key"].keys()
        assert {attached["volume_id"] for attached in item["volume_attachments"]} == held[instance]
    for item in world.items["firewall"].values():
        assert {attached["vm"]["instance_id"] for attached in item["attachments"]} <= instances.keys()
        rules += [rule["rule_id"] for rule in item["rules"]]
    assert len(rules) == len(set(rules))
    for item in world.items["snapshot"].values():
        assert item["instance_id"] is None or item["instance_id"] in instances
    assert {item["snapshot_id"] for item in world.items["image"].values()} <= world.items["snapshot"].keys()


def check_money(cloud: Cloud, world: World, opening: Decimal, disks: Mapping[str, str]) -> None:
    """What was there at first, less every record of every page, is the balance."""
    spent = talked(cloud, world.currency)
    running = {}
    for kind, operation in BILLS.items():
        records, page = cloud.everything(operation, "records")
        costs = [cost(kind, record, world.currency, disks) for record in records]
        check_summary(page["summary"], records, costs)
        assert page["currency"] == world.currency
        spent += sum(costs, Decimal(0))
        open_ = [record for record in records if record["end_time"] is None]
        running[kind] = {record[f"{kind}_id"]: record["status"] for record in open_}
        assert len(running[kind]) == len(open_)
    assert world.amount == float(opening - spent)
    states = {i: item["status"] for i, item in world.items["instance"].items()}
    paid = {"ACTIVE": "active", "SHUTOFF": "active", "HIBERNATED": "hibernated"}
    assert running["instance"] == {i: paid[state] for i, state in states.items() if state in paid}
    volumes, snapshots = world.items["volume"].items(), world.items["snapshot"].items()
    assert running["volume"].keys() == {v for v, item in volumes if item["status"] in ("available", "in-use")}
    assert running["snapshot"].keys() == {s for s, item in snapshots if item["status"] == "SUCCESS"}


def talked(cloud: Cloud, currency: str) -> Decimal:
    """What chat came to."""
    talks, _ = cloud.everything("getAIUsageHistory", "transactions")
    asked, told = price("token_type", "prompt", currency), price("token_type", "completion", currency)
    costs = [(talk["prompt_tokens"] * asked + talk["completion_tokens"] * told) / 10**6 for talk in talks]
    assert [float(cost) for cost in costs] == [talk["cost"] for talk in talks]
    summary = cloud.read("getAIUsageSummary")
    assert (summary["total_requests"], summary["total_cost"]) == (len(talks), float(sum(costs)))
    assert summary["total_tokens"] == sum(talk["total_tokens"] for talk in talks)
    assert summary["currency"] == currency
    return sum(costs, Decimal(0))


def cost(kind: str, record: Any, currency: str, disks: Mapping[str, str]) -> Decimal:
    """What a record comes to by the price list: whole minutes at the rate it tells."""
    told = Decimal(str(record["per_minute_rate"]))
    (rate,) = {price for price in hourly(kind, record, currency, disks) if rounded(price / 60, 5) == told}
    cost = Decimal(round(Fraction(rate) / 60 * record["total_duration_minutes"] * 10**10)).scaleb(-10)
    assert Decimal(str(record["total_cost"])) == rounded(cost, 6), record
    assert record["currency"] == currency
    return cost


def hourly(kind: str, record: Any, currency: str, disks: Mapping[str, str]) -> Iterable[Decimal]:
    """What the resource of a record may cost: an instance the full price, or that of its sleep."""
    if kind == "volume":
        return [price("volume_type", disks[record["volume_id"]], currency) * record["size_gb"] / 1000]
    if kind == "snapshot":
        return [price("snapshot_type", "legacy", currency) * record["size_gb"] / 100]
    full = price("gpu", record["gpu_type"], currency) * record["gpu_count"]
    return [full, Decimal(1) if currency == "INR" else Decimal("0.01")]


def price(kind: str, identity: str, currency: str) -> Decimal:
    return next(Decimal(str(seed["prices"][currency])) for seed in KINDS[kind].seed if seed["id"] == identity)


def rounded(amount: Decimal, digits: int) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def check_summary(summary: Any, records: list[Any], costs: list[Decimal]) -> None:
    """A summary is about all records."""
    minutes = sum(record["total_duration_minutes"] for record in records)
    assert summary["totalMinutes"] == minutes
    assert Decimal(str(summary["totalCost"])) == rounded(sum(costs, Decimal(0)), 6)
    assert summary["averageUsage"] == (float(rounded(Decimal(minutes) / len(records), 2)) if records else 0)
    if "totalSizeGB" in summary:
        assert summary["activeCount"] == sum(record["end_time"] is None for record in records)
        assert summary["totalSizeGB"] == sum(record["size_gb"] for record in records)
    else:
        counts = {name: summary[f"{name}Count"] for name in ("active", "completed", "hibernated")}
        assert counts == {name: sum(record["status"] == name for record in records) for name in counts}
