"""A second cloud, which differs from the packaged one wherever it can and is nothing but YAML: `data/`.

Servers by the hour, disks by the month, another envelope, another currency. What is tested is that the mechanisms
behind accounts carry it as they are.
"""

import re
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from click.testing import CliRunner

from emulator import Emulation, EmulatorServer, catalog, contract, make_runtime
from emulator.cli import main

DATA = Path(__file__).parent / "data"
NOON = 1_800_014_400  # 2027-01-15T12:00:00Z
NEW, POOR, NONE, DEMO = "nim-new-1", "nim-poor-1", "nim-none-1", "nim-demo-1"
BOX = {"name": "box", "site": "oslo", "plan": "small"}


class Cloud:
    """One account as a client of it: a call gives the JSON of a reply that has the status it should have."""

    def __init__(self, emulation: Emulation, client: httpx.Client, key: str) -> None:
        self.clock = emulation.clock
        self.url = emulation["nimbus"].base_url
        self._client, self._headers = client, {"X-Nimbus-Key": key}

    def __call__(self, method: str, path: str, status: int = 200, **body: Any) -> Any:
        reply = self._client.request(method, self.url + path, headers=self._headers, json=body or None)
        assert reply.status_code == status, reply.text
        return reply.json(parse_float=Decimal) if reply.content else None

    def fault(self, method: str, path: str, status: int, **body: Any) -> tuple[str, str]:
        """The kind and text of a refusal."""
        fault = self(method, path, status, **body)["fault"]
        return fault["kind"], fault["text"]

    def running(self, **body: Any) -> str:
        """The id of a new server a minute later, when it runs."""
        made: str = self("POST", "/servers", 201, **{**BOX, **body})["id"]
        self.clock.advance("1m")
        return made

    def state(self, path: str) -> Any:
        return self("GET", path)["state"]

    def free(self) -> dict[str, int]:
        return {rack["rack"]: rack["free"] for rack in self("GET", "/racks")["items"]}

    def usage(self, what: str) -> list[tuple[Any, ...]]:
        """What the records of a book say, by server or disk: kind or size, whole hours, euros."""
        items = self("GET", f"/usage/{what}?per=50")["items"]
        return [(item.get("what", item.get("gb")), item.get("hours"), item["euros"]) for item in items]

    @property
    def balance(self) -> Any:
        return self("GET", "/account")["balance"]


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    with EmulatorServer(make_runtime(["nimbus"], data=[DATA], strict_auth=True, pace=0)) as running:
        yield running


@pytest.fixture
def emulation(server: EmulatorServer, request: pytest.FixtureRequest) -> Emulation:
    found = server.tenant("".join(c if c.isalnum() else "-" for c in request.node.name))
    found.clock.freeze(NOON)
    return found


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as opened:
        yield opened


@pytest.fixture
def cloud(emulation: Emulation, client: httpx.Client) -> Cloud:
    return Cloud(emulation, client, NEW)


def test_its_data_is_clean() -> None:
    result = CliRunner().invoke(main, ["check", str(DATA)])
    assert (result.exit_code, result.stderr) == (0, "")


def test_the_example_in_contributing_is_a_part_of_it() -> None:
    text = (DATA.parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    printed = re.findall(r"```yaml\n# (\w+\.yaml)\n(.*?)```", text, re.DOTALL)
    assert [name for name, _ in printed] == ["resources.yaml", "operations.yaml", "prices.yaml"]
    for name, part in printed:
        whole = (DATA / "fixtures/nimbus" / name).read_text(encoding="utf-8")
        assert _within(yaml.safe_load(part), yaml.safe_load(whole)), name


def _within(part: Any, whole: Any) -> bool:
    """Whether everything in a part is so in the whole, which may say more."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(k in whole and _within(v, whole[k]) for k, v in part.items())
    if isinstance(part, list):
        return all(any(_within(item, other) for other in whole) for item in part)
    return bool(part == whole)


def test_it_keeps_its_contract() -> None:
    report = contract.run(catalog.load([DATA], ["nimbus"]), max_examples=3)
    assert not report.findings, report.summary()
    assert not report.notes, report.summary()


def _changed(folder: Path, file: str, right: str, wrong: str) -> Path:
    """The data with something in it written otherwise."""
    if not (folder / file).exists():
        shutil.copytree(DATA, folder, dirs_exist_ok=True)
    text = (folder / file).read_text(encoding="utf-8")
    assert right in text
    (folder / file).write_text(text.replace(right, wrong), encoding="utf-8")
    return folder


def test_the_words_of_a_violation_may_have_any_name(tmp_path: Path, client: httpx.Client) -> None:
    data = _changed(tmp_path, "fixtures/nimbus/errors.yaml", "{message:", "{text:")
    data = _changed(data, "fixtures/nimbus/errors.yaml", "violations.0.message", "violations.0.text")
    with EmulatorServer(make_runtime(["nimbus"], data=[data], pace=0)) as server:
        cloud = Cloud(server.tenant(), client, NEW)
        assert cloud.fault("POST", "/tags", 422, title="web") == ("wrong", "name is missing")


def test_a_path_parameter_may_be_a_reference(tmp_path: Path) -> None:
    spare = "{name: tag, in: path, required: true, schema: {type: string}, example: tag-000002}"
    data = _changed(tmp_path, "specs/nimbus.yaml", f"&spare_tag {spare}", "{$ref: '#/components/parameters/spare'}")
    data = _changed(data, "specs/nimbus.yaml", "  parameters:\n    p:", f"  parameters:\n    spare: {spare}\n    p:")
    provider = catalog.load([data], ["nimbus"])["nimbus"].base
    assert provider.operations["deleteTag"].example_path == "/v2/tags/tag-000002"


def test_a_server_from_order_to_removal(cloud: Cloud) -> None:
    made = cloud("POST", "/servers", 201, **BOX)
    assert made == {
        "id": made["id"],
        "name": "box",
        "state": "provisioning",
        "site": "oslo",
        "plan": "small",
        "tags": [],
        "since": "2027-01-15T12:00:00Z",
    }
    path = f"/servers/{made['id']}"
    seen = []
    for step, wait in (("", "59s"), ("", "1s"), ("pause", "1h"), ("resume", "14s"), ("", "1s")):
        if step:
            seen.append(cloud("POST", f"{path}/{step}")["state"])
        cloud.clock.advance(wait)
        seen.append(cloud.state(path))
    assert seen == ["provisioning", "running", "paused", "paused", "resuming", "resuming", "running"]
    assert cloud("DELETE", path, 204) is None
    assert cloud.state(path) == "removing"
    cloud.clock.advance("10s")
    assert cloud.fault("GET", path, 404) == ("nothing", f"there is no {made['id']}")
    assert cloud("GET", "/servers") == {"items": [], "p": 1, "of": 0}


def test_a_server_that_never_runs(cloud: Cloud) -> None:
    path = f"/servers/{cloud.running(name='broken-1')}"
    assert cloud.state(path) == "failed"
    assert cloud.free()["oslo/small"] == 3
    assert cloud.fault("POST", f"{path}/pause", 409)[0] == "state"
    cloud("DELETE", path, 204)
    cloud.clock.advance("10s")
    cloud("GET", path, 404)
    assert cloud("GET", "/usage/servers") == {"items": [], "p": 1, "of": 0, "euros": 0, "ended": 0}


CALLS = {
    "provisioning": {"pause": 409, "resume": 409, "delete": 409},
    "running": {"pause": 200, "resume": 409, "delete": 204},
    "paused": {"pause": 409, "resume": 200, "delete": 204},
    "resuming": {"pause": 409, "resume": 409, "delete": 409},
    "removing": {"pause": 409, "resume": 409, "delete": 409},
}


@pytest.mark.parametrize(("state", "call"), [(state, call) for state in CALLS for call in CALLS[state]])
def test_a_state_allows_what_it_allows(cloud: Cloud, state: str, call: str) -> None:
    path = f"/servers/{cloud('POST', '/servers', 201, **BOX)['id']}"
    if state != "provisioning":
        cloud.clock.advance("1m")
    if state in ("paused", "resuming"):
        cloud("POST", f"{path}/pause")
    if state == "resuming":
        cloud("POST", f"{path}/resume")
    if state == "removing":
        cloud("DELETE", path, 204)
    assert cloud.state(path) == state
    method, below = ("DELETE", "") if call == "delete" else ("POST", f"/{call}")
    status = CALLS[state][call]
    if status == 409:
        assert cloud.fault(method, path + below, 409) == ("state", f"{path.rsplit('/', 1)[1]} is {state}")
        assert cloud.state(path) == state
    else:
        cloud(method, path + below, status)


def test_a_rack_that_is_full(cloud: Cloud) -> None:
    lima = {"site": "lima"}
    first = cloud.running(**lima)
    assert cloud.free() == {"oslo/small": 3, "oslo/large": 1, "lima/small": 0}
    full = ("full", "lima/small has 0 left")
    assert cloud.fault("POST", "/servers", 409, **{**BOX, **lima, "name": "second"}) == full
    cloud("POST", f"/servers/{first}/pause")
    assert cloud.free()["lima/small"] == 1
    second = cloud.running(name="second", **lima)
    assert cloud.fault("POST", f"/servers/{first}/resume", 409) == full
    assert cloud.state(f"/servers/{first}") == "paused"
    cloud("DELETE", f"/servers/{second}", 204)
    assert cloud("POST", f"/servers/{first}/resume")["state"] == "resuming"
    assert cloud.free()["lima/small"] == 0
    kind, text = cloud.fault("POST", "/servers", 409, name="third", site="lima", plan="large")
    assert (kind, text) == ("full", "lima/large has 0 left"), "a stock that does not exist"


def test_another_plan_takes_from_another_rack(cloud: Cloud) -> None:
    path = f"/servers/{cloud.running()}"
    large: dict[str, Any] = {"plan": "large"}
    assert cloud.fault("PUT", f"{path}/plan", 409, **large)[0] == "state", "it runs"
    cloud("POST", f"{path}/pause")
    assert cloud("PUT", f"{path}/plan", **large)["plan"] == "large"
    cloud("POST", f"{path}/resume")
    assert cloud.free() == {"oslo/small": 3, "oslo/large": 0, "lima/small": 1}
    cloud.clock.advance("15s")
    cloud.clock.advance("2h")
    assert cloud.usage("servers")[-1] == ("running", 2, Decimal("0.32"))


def test_whole_hours_of_servers(cloud: Cloud) -> None:
    path = f"/servers/{cloud.running()}"
    cloud.clock.advance("59m59s")
    assert cloud.usage("servers") == [("running", 0, 0)]
    cloud.clock.advance("1s")
    assert cloud.usage("servers") == [("running", 1, Decimal("0.02"))]
    assert cloud.balance == Decimal("9.98")
    cloud.clock.advance("90m")
    cloud("POST", f"{path}/pause")
    cloud.clock.advance("3h")
    ended, parked = ("ended", 2, Decimal("0.04")), ("parked", 3, Decimal("0.015"))
    assert cloud.usage("servers") == [ended, parked]
    cloud("POST", f"{path}/resume")
    cloud.clock.advance("15s")
    cloud.clock.advance("1h")
    cloud("DELETE", path, 204)
    cloud.clock.advance("1d")
    assert cloud.usage("servers") == [ended, ("ended", 3, Decimal("0.015")), ("ended", 1, Decimal("0.02"))]
    page = cloud("GET", "/usage/servers?per=1&p=3")
    assert (page["of"], page["ended"], page["euros"], len(page["items"])) == (3, 3, Decimal("0.075"), 1)
    assert page["items"][0]["until"] == "2027-01-15T18:31:15Z"


def test_hours_of_disks_priced_by_the_month(cloud: Cloud) -> None:
    """7.20 for 100 GB and 30 days are a cent an hour. What grows is a record of its own."""
    path = f"/disks/{cloud('POST', '/disks', 201, gb=100)['id']}"
    cloud.clock.advance("10s")
    cloud.clock.advance("5h")
    assert cloud("PUT", path, gb=200)["gb"] == 200
    assert cloud.fault("PUT", path, 409, gb=200) == ("small", "it has 200 GB")
    cloud.clock.advance("2h")
    assert cloud.usage("disks") == [(100, 5, Decimal("0.05")), (200, 2, Decimal("0.04"))]
    assert cloud("GET", "/usage/disks")["gb"] == 300
    cloud("DELETE", path, 204)
    assert cloud.state(path) == "wiping"
    cloud.clock.advance("1h")
    cloud("GET", path, 404)
    assert cloud.balance == Decimal("9.91")


def test_a_disk_may_begin_in_another_state(cloud: Cloud) -> None:
    path = f"/disks/{cloud('POST', '/disks', 201, gb=7)['id']}"
    copy = cloud("POST", f"{path}/copy", 201)
    assert (copy["state"], copy["gb"]) == ("copying", 7)
    cloud.clock.advance("4m59s")
    assert [disk["state"] for disk in cloud("GET", "/disks")["items"]] == ["free", "copying"]
    cloud.clock.advance("1s")
    assert cloud.state(f"/disks/{copy['id']}") == "free"


def test_what_refers_to_a_server_that_goes(cloud: Cloud) -> None:
    """Its tag could not go, its disk is free again, its address goes with it."""
    tag = cloud("POST", "/tags", 201, name="web")["id"]
    disk = cloud("POST", "/disks", 201, gb=10)["id"]
    server = cloud.running(tags=[tag])
    on: dict[str, Any] = {"server": server}
    assert cloud("POST", f"/disks/{disk}/attach", **on)["state"] == "attached"
    address = cloud("POST", "/addresses", 201, **on)
    assert (address["server"], address["state"]) == (server, "active")
    assert cloud.fault("DELETE", f"/tags/{tag}", 409) == ("needed", f"{server} needs {tag}")
    assert cloud.fault("DELETE", f"/disks/{disk}", 409) == ("state", f"{disk} is attached")
    cloud("DELETE", f"/servers/{server}", 204)
    assert cloud("GET", f"/disks?server={server}")["of"] == 1, "until it is gone"
    cloud.clock.advance("10s")
    assert cloud("GET", f"/disks/{disk}") == {"id": disk, "gb": 10, "state": "free", "server": None}
    assert cloud("GET", f"/disks?server={server}")["of"] == cloud("GET", "/addresses")["of"] == 0
    assert cloud.fault("POST", f"/disks/{disk}/attach", 404, **on) == ("nothing", f"there is no {server}")
    cloud("DELETE", f"/tags/{tag}", 204)


def test_a_disk_goes_to_a_server_that_is_ready(cloud: Cloud) -> None:
    disk = f"/disks/{cloud('POST', '/disks', 201, gb=10)['id']}"
    cloud.clock.advance("1m")
    server = cloud("POST", "/servers", 201, **BOX)["id"]
    assert cloud.fault("POST", f"{disk}/attach", 409, server=server) == ("state", f"{server} is provisioning")
    cloud.clock.advance("1m")
    cloud("POST", f"{disk}/attach", server=server)
    assert cloud("POST", f"{disk}/detach")["server"] is None
    assert cloud.fault("POST", f"{disk}/detach", 409)[0] == "state"


def test_tags_are_few_and_have_names_of_their_own(cloud: Cloud) -> None:
    first, _, third = [cloud("POST", "/tags", 201, name=name)["id"] for name in ("a", "b", "c")]
    assert cloud.fault("POST", "/tags", 409, name="d") == ("full", "no more of tag")
    cloud("DELETE", f"/tags/{third}", 204)
    assert cloud.fault("POST", "/tags", 409, name="b") == ("taken", "name is taken")
    assert cloud.fault("PUT", f"/tags/{first}", 409, name="b") == ("taken", "name is taken")
    assert cloud("PUT", f"/tags/{first}", name="a")["name"] == "a"
    server = cloud.running(tags=[first])
    assert cloud.fault("PATCH", f"/servers/{server}", 404, tags=[third]) == ("nothing", f"there is no {third}")
    assert cloud("PATCH", f"/servers/{server}", name="other")["tags"] == [first]
    assert cloud("GET", f"/servers?tag={first}&state=running")["of"] == 1
    assert cloud("GET", f"/servers?tag={first}&state=paused")["of"] == 0
    assert cloud("PATCH", f"/servers/{server}", tags=[])["tags"] == []
    cloud("DELETE", f"/tags/{first}", 204)


def test_pages(cloud: Cloud) -> None:
    made = [cloud("POST", "/disks", 201, gb=gb)["id"] for gb in range(1, 12)]
    pages = [cloud("GET", f"/disks?{query}") for query in ("", "p=2", "p=2&per=4", "p=9")]
    assert [[disk["id"] for disk in page["items"]] for page in pages] == [made[:10], made[10:], made[4:8], []]
    assert [(page["p"], page["of"]) for page in pages] == [(1, 11), (2, 11), (2, 11), (9, 11)]
    assert cloud.fault("GET", "/disks?p=0", 422)[0] == "wrong"
    servers = [cloud("POST", "/servers", 201, **{**BOX, "name": name})["id"] for name in "ab"]
    assert [server["id"] for server in cloud("GET", "/servers")["items"]] == servers[::-1], "the newest first"


def test_credit_that_is_used_up(emulation: Emulation, client: httpx.Client) -> None:
    """0.50: 0.40 for an address, then 0.02 and 0.01 an hour. Servers stop, addresses go, disks go on costing."""
    poor = Cloud(emulation, client, POOR)
    disk = f"/disks/{poor('POST', '/disks', 201, gb=100)['id']}"
    poor.clock.advance("10s")
    server = poor.running()
    poor("POST", "/addresses", 201, server=server)
    assert poor.usage("addresses") == [(None, None, Decimal("0.4"))]
    poor.clock.advance("3h59m")
    assert (poor.balance, poor.state(f"/servers/{server}")) == (0, "paused"), "by the disk's fourth hour"
    assert poor("GET", "/addresses")["items"][0]["state"] == "releasing"
    assert poor.usage("servers") == [("ended", 3, Decimal("0.06")), ("parked", 0, 0)]
    assert poor.free()["oslo/small"] == 3
    poor.clock.advance("1h")
    assert poor("GET", "/addresses")["of"] == 0
    assert poor.balance == Decimal("-0.015")
    assert poor.state(disk) == "free"
    broke = ("broke", "the balance is -0.015 EUR")
    assert poor.fault("POST", f"/servers/{server}/resume", 402) == broke
    assert poor.fault("POST", "/servers", 402, **{**BOX, "name": "more"}) == broke
    assert poor.fault("POST", "/addresses", 402, server=server) == broke
    poor("POST", "/disks", 201, gb=1)


def test_a_server_that_is_on_its_way_when_the_credit_is_used_up(emulation: Emulation, client: httpx.Client) -> None:
    """It stops as soon as it runs: 0.16 an hour leave 0.02 after three, and a second server is ordered before four."""
    poor = Cloud(emulation, client, POOR)
    first = poor.running(plan="large")
    poor.clock.advance("3h59m30s")
    second = poor("POST", "/servers", 201, **{**BOX, "name": "second"})["id"]
    poor.clock.advance("30s")
    assert (poor.state(f"/servers/{first}"), poor.state(f"/servers/{second}")) == ("paused", "provisioning")
    poor.clock.advance("30s")
    assert poor.state(f"/servers/{second}") == "paused"


def test_an_account_without_credit(emulation: Emulation, client: httpx.Client) -> None:
    none = Cloud(emulation, client, NONE)
    assert none.fault("POST", "/servers", 402, **BOX) == ("broke", "the balance is 0 EUR")
    none("POST", "/disks", 201, gb=100)
    none.clock.advance("10s")
    none.clock.advance("2h")
    assert none.balance == Decimal("-0.02"), "disks are paid for later"


def test_what_was_spent_is_what_the_books_say(cloud: Cloud) -> None:
    server = cloud.running()
    cloud("POST", "/addresses", 201, server=server)
    for gb in (10, 333):
        cloud("POST", "/disks", 201, gb=gb)
    for wait in ("7h", "30d", "17m"):
        cloud.clock.advance(wait)
        account = cloud("GET", "/account")
        books = [cloud("GET", f"/usage/{what}") for what in ("servers", "disks", "addresses")]
        assert account["spent"] == sum(book["euros"] for book in books)
        assert account["balance"] == 10 - account["spent"]


def test_a_key_is_an_account(emulation: Emulation, client: httpx.Client) -> None:
    demo, other = Cloud(emulation, client, DEMO), Cloud(emulation, client, NEW)
    assert {server["id"]: server["state"] for server in demo("GET", "/servers")["items"]} == {
        "srv-000001": "running",
        "srv-000002": "paused",
    }
    assert (demo.free()["oslo/small"], other.free()["oslo/small"]) == (2, 3), "a server of the demo is in the rack"
    assert other("GET", "/servers")["of"] == 0
    demo.clock.advance("1h")
    assert (demo.balance, other.balance) == (Decimal("9.955"), 10), "two servers, two disks"
    assert Cloud(emulation, client, "sky-1").fault("GET", "/account", 401) == ("who", "unknown key")


def test_the_same_life_twice_is_the_same_bytes(cloud: Cloud, emulation: Emulation) -> None:
    def live() -> list[Any]:
        emulation.reset()
        emulation.clock.freeze(NOON)
        server = cloud.running()
        disk = cloud("POST", "/disks", 201, gb=5)["id"]
        cloud.clock.advance("2h")
        refused = cloud("DELETE", f"/servers/{server}x", 404)
        attached = cloud("POST", f"/disks/{disk}/attach", server=server)
        return [refused, attached, cloud("GET", "/usage/servers"), cloud("GET", "/usage/disks")]

    assert live() == live()
