"""What a test does to an account without a request: topping it up, giving it resources."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from emulator import CommandError, Emulation, Handle, LoadError

KEY = "brk-new-1"
MACHINE = {"tier": "legacy", "region": "CANADA-1", "gpu_model": "RTX-A6000", "gpu_count": 2, "image": "ubuntu-24.04"}


@pytest.fixture
def barrack(emulator: Emulation) -> Handle:
    emulator.clock.freeze(1_800_000_000)
    return emulator["barrack"]


def asked(barrack: Handle, path: str, key: str = KEY) -> Any:
    reply = httpx.get(barrack.base_url + path, headers={"X-API-Key": key})
    return reply.raise_for_status().json()


def balance(barrack: Handle, key: str = KEY) -> Decimal:
    return Decimal(str(asked(barrack, "/balance/", key)["data"]["balance"]["amount"]))


def test_a_top_up_reaches_the_balance(barrack: Handle) -> None:
    assert barrack.top_up("10.05", KEY) == Decimal("35.05") == balance(barrack)
    assert barrack.top_up(5) == Decimal("30.00") == balance(barrack, barrack.api_key)
    assert balance(barrack) == Decimal("35.05")


def test_a_top_up_ends_being_out_of_credit(barrack: Handle) -> None:
    order = {"volume_name": "v", "size_gb": 100, "volume_type": "SSD", "tier": "legacy", "region": "US-1"}

    def status() -> int:
        headers = {"X-API-Key": "brk-empty-1"}
        return httpx.post(barrack.base_url + "/volumes/", json=order, headers=headers).status_code

    assert status() == 402
    barrack.top_up("0.01", "brk-empty-1")
    assert status() == 201


@pytest.mark.parametrize("amount", [0, -1, "x", "NaN", "1e99", float("inf"), True, None, [1], "1e-30", "0.00000000001"])
def test_what_is_no_amount_is_told(barrack: Handle, amount: Any) -> None:
    with pytest.raises(CommandError, match="is no amount"):
        barrack.top_up(amount)
    assert balance(barrack, barrack.api_key) == 25


def test_ten_places_are_an_amount(barrack: Handle) -> None:
    assert barrack.top_up("0.0000000001", KEY) == Decimal("25.0000000001")
    assert barrack.top_up("1.00000000000000", KEY) == Decimal("26.0000000001")


def test_a_key_that_is_refused_has_no_account(barrack: Handle) -> None:
    with pytest.raises(CommandError, match="brk-revoked-1 is not accepted: invalid_credentials"):
        barrack.top_up(1, "brk-revoked-1")


def test_a_provider_without_prices_says_so(emulator: Emulation) -> None:
    with pytest.raises(CommandError, match="nugen has no prices"):
        emulator["nugen"].top_up(1)


def test_loaded_resources_are_there_and_cost(emulator: Emulation, barrack: Handle) -> None:
    loaded = barrack.load(
        {
            "ssh_key": [{"id": "BRK-777777K", "name": "mine"}],
            "instance": [
                {**MACHINE, "name": "trainer", "ssh_key_ids": ["BRK-777777K"]},
                {**MACHINE, "name": "asleep", "ssh_key_ids": [], "status": "HIBERNATED"},
            ],
        },
        KEY,
    )
    assert loaded["ssh_key"] == ["BRK-777777K"]
    found = asked(barrack, "/instances/")["instances"]
    assert [(i["instance_id"], i["vm_name"], i["status"]) for i in found] == [
        (loaded["instance"][0], "trainer", "ACTIVE"),
        (loaded["instance"][1], "asleep", "HIBERNATED"),
    ]
    stocks = asked(barrack, "/gpu-stocks/?region=CANADA-1")["stocks"]
    assert [s["available"] for s in stocks if s["model"] == "RTX-A6000"] == [10]
    emulator.clock.advance("1h")
    assert balance(barrack) == Decimal("25") - Decimal("0.69") * 2 - Decimal("0.01")


VOLUME = {"volume_name": "v", "size_gb": 100_000, "volume_type": "SSD", "tier": "legacy", "region": "CANADA-1"}


@pytest.mark.parametrize("looks", [[], ["60s"], ["1ms", "59.999998s", "60s"]])
def test_a_minute_is_over_when_it_is_over(emulator: Emulation, barrack: Handle, looks: list[str]) -> None:
    """Whoever looked before: the last millionth of a second counts."""
    barrack.load({"volume": [VOLUME]}, KEY)
    for look in looks:
        emulator.clock.freeze(1_800_000_000)
        emulator.clock.advance(look)
        asked(barrack, "/volumes/billing/")
    for moment, minutes in ((1_800_000_119.999999, 1), (1_800_000_120, 2)):
        emulator.clock.freeze(moment)
        assert asked(barrack, "/volumes/billing/")["summary"]["totalMinutes"] == minutes


def test_what_an_account_begins_with_is_as_old_as_the_account(emulator: Emulation, barrack: Handle) -> None:
    asked(barrack, "/balance/", "brk-1")
    emulator.clock.advance("1h")
    (rule,) = asked(barrack, "/instances/BRK-000001D/", "brk-1")["instance"]["security_rules"]
    assert rule["created_at"] == "2027-01-15T08:00:00Z"


def test_a_file_of_resources(barrack: Handle, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("script:\n  - {name: hello, script: echo hello}\n", encoding="utf-8")
    (script,) = barrack.load(file, KEY)["script"]
    assert asked(barrack, f"/scripts/{script}/")["script"]["name"] == "hello"


DEEP: list[Any] = []
DEEP.append(DEEP)
LOADED = {**MACHINE, "name": "x", "ssh_key_ids": [], "status": "ACTIVE"}
KEYS = {"ssh_key": [{"name": "a"}, {"name": "b"}]}
REFUSED: dict[str, tuple[Any, str]] = {
    "a list": ([], "is not a mapping of kinds"),
    "an unknown kind": ({"server": []}, '"server" does not exist; there are region, '),
    "no list": ({"instance": 3}, "instance: is not a list of resources"),
    "a field that others are made of is missing": (
        {**KEYS, "instance": [{"name": "x"}]},
        r"nothing was loaded: instance\[0\]: image_name: .*; not given: tier, region, gpu_model, gpu_count, image, ",
    ),
    "a name twice": ({**KEYS, "script": [{"name": "c"}, {"name": "c"}]}, r"conflict \(reason taken, field name"),
    "an id twice": ({"script": [{"id": "BRK-1"}, {"id": "BRK-1", "name": "d"}]}, r"reason taken, field id"),
    "something that is not there": (
        {**KEYS, "instance": [{**MACHINE, "name": "x", "ssh_key_ids": ["BRK-5"]}]},
        r"not_found \(id BRK-5, resource ssh_key\)",
    ),
    "more than the stock": (
        {**KEYS, "instance": [{**MACHINE, "name": "x", "gpu_count": 99}]},
        r"out_of_stock \(id CANADA-1/RTX-A6000, wanted 99, available 12\)",
    ),
    "a price that is none": ({"instance": [{**LOADED, "price": "x"}]}, r"instance\[0\]: `item.price` gave 'x'"),
    "no number": ({"instance": [{**LOADED, "price": float("nan")}]}, "price: nan is no JSON"),
    "a price without end": ({"instance": [{**LOADED, "price": "Infinity"}]}, "`item.price` gave 'Infinity'"),
    "a price beyond counting": ({"instance": [{**LOADED, "price": 1e30}]}, r"`item.price` is 1E\+30, no amount"),
    "a price that nobody pays": ({"instance": [{**LOADED, "price": 1e10}]}, r"`item.price` for .* is more than 1e\+9"),
    "a price below zero": ({"volume": [{**VOLUME, "price": -1}]}, "`item.price` is -1, no amount from 0"),
    "a size below zero": ({"volume": [{**VOLUME, "size_gb": -1000}]}, "`item.size_gb` is -1000, no amount from 0"),
    "fewer than none of a stock": ({"instance": [{**LOADED, "gpu_count": -5}]}, "`item.gpu_count` is below zero"),
    "a size that is no number": ({"volume": [{**VOLUME, "size_gb": [1]}]}, "`item.size_gb` gave"),
    "no moment": ({"volume": [{**VOLUME, "created_at": "x"}]}, r"volume\[0\]: created_at: 'x' is no moment"),
    "a moment beyond the calendar": ({"volume": [{**VOLUME, "created_at": 1e12}]}, "created_at: .* is no moment"),
    "no state": ({**KEYS, "volume": [{**VOLUME, "status": "nope"}]}, "status: 'nope' is no state; there are"),
    "a state that is no text": ({"volume": [{**VOLUME, "status": [1]}]}, r"status: \[1\] is no state"),
    "an id that is no text": ({**KEYS, "volume": [{**VOLUME, "id": 5}]}, r"volume\[0\]: id: 5 is no text"),
    "an id of several": ({"volume": [{**VOLUME, "id": [1]}]}, r"id: \[1\] is no text"),
    "no id at all": ({"volume": [{**VOLUME, "id": ""}]}, "id: '' is no text"),
    "a key that is none": ({"instance": [{**LOADED, "ssh_key_ids": [{}]}]}, r"not_found|unhashable"),
    "keys that are none": ({"instance": [{**LOADED, "ssh_key_ids": 5}]}, r"not_found \(id 5, resource ssh_key"),
    "a stock that is no number": (
        {"gpu_stock": [{"id": "a", "region": "a", "tier": "a", "model": "a", "available": "2"}]},
        "available: '2' is no stock",
    ),
    "a field that is none": ({**KEYS, "volume": [{**VOLUME, "sizegb": 5}]}, r"sizegb: does not exist; there are id"),
    "what is no JSON": ({"script": [{"name": "a", "script": {1, 2}}]}, r"script\[0\]: script: \{1, 2\} is no JSON"),
    "what is too deep": ({"script": [{"name": "a", "script": DEEP}]}, "script: is nested deeper than 200 levels"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_resources_that_do_not_fit_are_told_and_none_is_loaded(emulator: Emulation, barrack: Handle, case: str) -> None:
    resources, told = REFUSED[case]
    lists = ("ssh-keys", "scripts", "instances", "volumes", "instances/billing", "volumes/billing", "balance")
    paths = ["/gpu-stocks/?region=CANADA-1", *(f"/{name}/" for name in lists)]
    before = [asked(barrack, path) for path in paths]
    with pytest.raises(CommandError, match=told):
        barrack.load(resources, KEY)
    emulator.clock.advance("1h")
    for path, was in zip(paths, before, strict=True):
        assert without_request(asked(barrack, path)) == without_request(was)


def without_request(reply: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reply.items() if name not in ("request_id", "timestamp")}


def test_a_file_that_is_no_yaml_is_told_with_its_line(barrack: Handle, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("script: [\n", encoding="utf-8")
    with pytest.raises(LoadError, match=r"mine\.yaml:2"):
        barrack.load(file)
