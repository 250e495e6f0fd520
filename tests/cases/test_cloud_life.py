"""barrack: instances, volumes, firewalls, snapshots and images from the first to the last of their states."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from emulator import Emulation
from emulator.mechanisms.states import StateMachine, Timed
from emulator.server import EmulatorServer

from .cloud_client import BEGIN, PROVIDER, ROUNDED, RULE, Cloud, identity

assert PROVIDER.accounts is not None
KINDS = PROVIDER.accounts.kinds
HOUR = Decimal("1.38")  # two RTX-A6000


@pytest.fixture
def cloud(emulator: Emulation) -> Cloud:
    emulator.clock.freeze(BEGIN)
    return Cloud(emulator, "brk-new-1")


class Life:
    """A life of an instance, a chapter a method; each begins where the one before it ends."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def whole(self) -> None:
        self.deploy()
        self.run()
        self.guard()
        self.store()
        self.keep()
        self.pause()
        self.hibernate()
        self.multiply()
        self.end()
        self.run_dry()

    def paid(self, amount: Decimal | int) -> None:
        """So much is gone since the last time this was asked, and all pages of the bill agree."""
        before = self.balance
        self.settle()
        assert abs(before - self.balance - amount) < ROUNDED

    def settle(self) -> None:
        """What is gone from the balance is on the bill."""
        self.balance = self.cloud.money()
        assert abs(25 - self.balance - self.cloud.billed(limit=2)) < ROUNDED

    def deploy(self) -> None:
        cloud, self.balance = self.cloud, Decimal(25)
        self.paid(0)
        assert cloud.get("/instances/")["total"] == 0
        assert cloud.stock() == 12
        self.instance = cloud.deploy("trainer", gpu_count=2, security_rules=[{**RULE, "port_range_min": 22}])
        assert (cloud.status(self.instance), cloud.stock(), self.ruled()) == ("CREATING", 10, ["CREATING"])
        cloud.wait("20s")
        assert (cloud.status(self.instance), self.ruled()) == ("BUILD", ["CREATING"])
        cloud.wait("100s")
        assert (cloud.status(self.instance), cloud.stock(), self.ruled()) == ("ACTIVE", 10, ["SUCCESS"])
        self.paid(0)

    def ruled(self) -> list[str]:
        """The states of the instance's own rules."""
        return [rule["status"] for rule in self.cloud.get(self.instance)["instance"]["security_rules"]]

    def run(self) -> None:
        cloud = self.cloud
        cloud.wait("59s")
        self.paid(0)
        cloud.wait("1s")
        self.paid(HOUR / 60)
        cloud.wait("59m")
        self.paid(HOUR * 59 / 60)
        (record,) = cloud.records("/instances/billing/")
        assert (record["status"], record["end_time"], record["total_duration_minutes"]) == ("active", None, 60)

    def guard(self) -> None:
        cloud = self.cloud
        rule = cloud.post(f"{self.instance}security-rules/", **RULE, port_range_min=80, port_range_max=90)["rule"]
        rules = cloud.get(self.instance)["instance"]["security_rules"]
        assert [(one["port_range_min"], one["port_range_max"]) for one in rules] == [(22, 22), (80, 90)]
        assert rules[1] == rule
        self.rule = f"{self.instance}security-rules/{rule['rule_id']}/"

        self.firewall = cloud.firewall()
        assert cloud.status(self.firewall) == "CREATING"
        cloud.wait("5s")
        assert cloud.status(self.firewall) == "SUCCESS"
        cloud.post(f"{self.firewall}rules/", **RULE, port_range_min=443)
        attached = cloud.post(f"{self.firewall}attach/", instance_ids=[identity(self.instance)])
        assert attached["instance_ids"] == [identity(self.instance)]
        (found,) = cloud.get(f"{self.instance}firewalls/")["firewalls"]
        assert (found["name"], found["rules"][0]["port_range_max"]) == ("web", 443)
        vm = {"instance_id": identity(self.instance), "vm_name": "trainer"}
        assert cloud.get(self.firewall)["firewall"]["attachments"] == [{"vm": vm}]
        self.paid(0)

    def store(self) -> None:
        cloud = self.cloud
        self.volume = cloud.volume(size_gb=500)
        assert cloud.status(self.volume) == "creating"
        cloud.wait("15s")
        assert cloud.status(self.volume) == "available"
        cloud.post(f"{self.instance}attach-volumes/", volume_ids=[identity(self.volume)])
        assert cloud.status(self.volume) == "in-use"
        (attachment,) = cloud.get(self.instance)["instance"]["volume_attachments"]
        assert (attachment["volume_id"], attachment["size_gb"]) == (identity(self.volume), 500)
        cloud.wait("1h")
        self.paid(HOUR + Decimal("0.05"))
        cloud.post(f"{self.volume}resize/", size_gb=1000)
        self.clone = f"/volumes/{cloud.post(f'{self.volume}clone/', volume_name='copy')['volume']['volume_id']}/"
        assert cloud.status(self.clone) == "cloning"
        cloud.wait("60s")
        assert cloud.status(self.clone) == "available"
        assert cloud.get(self.clone)["volume"]["size_gb"] == 1000
        cloud.wait("59m")
        self.paid(HOUR + Decimal("0.1") * 119 / 60)

    def keep(self) -> None:
        cloud = self.cloud
        self.snapshot = cloud.snapshot(self.instance)
        assert cloud.status(self.snapshot) == "CREATING"
        cloud.wait("3m")
        assert cloud.status(self.snapshot) == "SUCCESS"
        self.image = cloud.image(self.snapshot)
        assert cloud.status(self.image) == "CREATING"
        cloud.wait("2m")
        assert cloud.status(self.image) == "SUCCESS"
        relationship = cloud.get(f"/images/relationships/{identity(self.snapshot)}/")["relationship"]
        assert [image["image_id"] for image in relationship["images"]] == [identity(self.image)]
        assert cloud.refusal("DELETE", self.snapshot)[:2] == (409, "in_use")
        assert len(cloud.records("/snapshots/billing/")) == 1

    def pause(self) -> None:
        cloud = self.cloud
        cloud.post(f"{self.instance}stop/")
        self.settle()
        assert (cloud.status(self.instance), cloud.stock()) == ("STOPPING", 10)
        cloud.wait("20s")
        assert (cloud.status(self.instance), cloud.stock()) == ("SHUTOFF", 10)
        cloud.wait("1h")
        self.spent("SHUTOFF", HOUR)
        cloud.post(f"{self.instance}start/")
        assert cloud.status(self.instance) == "STARTING"
        cloud.wait("30s")
        assert cloud.status(self.instance) == "ACTIVE"
        cloud.post(f"{self.instance}reboot/")
        assert cloud.status(self.instance) == "REBOOTING"
        cloud.wait("40s")
        assert cloud.status(self.instance) == "ACTIVE"

    def hibernate(self) -> None:
        cloud = self.cloud
        cloud.post(f"{self.instance}hibernate/")
        assert (cloud.status(self.instance), cloud.stock()) == ("HIBERNATING", 10)
        cloud.wait("60s")
        assert (cloud.status(self.instance), cloud.stock()) == ("HIBERNATED", 12)
        assert cloud.records("/instances/billing/")[-1]["status"] == "hibernated"
        cloud.wait("1h")
        self.spent("HIBERNATED", Decimal("0.01"))
        cloud.post(f"{self.instance}restore/")
        assert (cloud.status(self.instance), cloud.stock()) == ("RESTORING", 10)
        cloud.wait("90s")
        assert (cloud.status(self.instance), cloud.stock()) == ("ACTIVE", 10)
        states = [record["status"] for record in cloud.records("/instances/billing/")]
        assert states == ["completed"] * (len(states) - 1) + ["active"]

    def spent(self, state: str, amount: Decimal) -> None:
        """The instance has cost so much since it came to the state it is in."""
        assert self.cloud.status(self.instance) == state
        record = self.cloud.records("/instances/billing/")[-1]
        assert (record["total_duration_minutes"], record["end_time"]) == (60, None)
        assert record["total_cost"] == amount
        self.settle()

    def multiply(self) -> None:
        cloud = self.cloud
        restored = cloud.post(f"{self.snapshot}restore/", vm_name="second", ssh_key_ids=[cloud.key()])["instance"]
        self.second = f"/instances/{restored['instance_id']}/"
        assert (restored["status"], restored["gpu_count"], cloud.stock()) == ("CREATING", 2, 8)
        self.third = cloud.deploy("third", os_image=identity(self.image))
        cloud.wait("120s")
        assert (cloud.status(self.second), cloud.status(self.third), cloud.stock()) == ("ACTIVE", "ACTIVE", 7)
        listed = cloud.get("/instances/?status=ACTIVE")["instances"]
        assert [one["vm_name"] for one in listed] == ["trainer", "second", "third"]
        assert cloud.get(self.third)["instance"]["image"] == {"id": identity(self.image), "name": "base"}

    def end(self) -> None:
        cloud = self.cloud
        assert cloud.delete(self.instance)["status"] == "DELETING"
        assert cloud.stock() == 9
        cloud.wait("20s")
        assert cloud.refusal("GET", self.instance)[0] == 404
        assert cloud.refusal("DELETE", self.rule)[0] == 404
        volume = cloud.get(self.volume)["volume"]
        assert (volume["status"], volume["instance_id"]) == ("available", None)
        assert cloud.get(self.firewall)["firewall"]["attachments"] == []
        assert cloud.get(self.snapshot)["snapshot"]["instance_id"] is None
        cloud.delete(self.image)
        cloud.delete(self.clone)
        cloud.delete(self.firewall)
        cloud.wait("10s")
        assert cloud.refusal("GET", self.image)[0] == cloud.refusal("GET", self.clone)[0] == 404
        assert cloud.refusal("GET", self.firewall)[0] == 404
        self.settle()

    def run_dry(self) -> None:
        cloud = self.cloud
        while self.cloud.money() > 0:
            assert cloud.status(self.second) == cloud.status(self.third) == "ACTIVE"
            cloud.wait("2h")
        self.settle()
        assert {cloud.status(self.second), cloud.status(self.third)} <= {"HIBERNATING", "HIBERNATED"}
        cloud.wait("2h")
        assert (cloud.status(self.second), cloud.status(self.third), cloud.stock()) == ("HIBERNATED", "HIBERNATED", 12)
        self.settle()
        for path, body in needing_credit(cloud, self.second, self.snapshot, self.volume):
            assert cloud.refused(path, **body) == (402, "insufficient_funds")
        cloud.delete(self.second)
        cloud.delete(self.snapshot)
        cloud.wait("20s")
        self.settle()


def needing_credit(cloud: Cloud, instance: str, snapshot: str, volume: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is refused without credit."""
    yield "/instances/", cloud.machine("fourth")
    yield f"{instance}restore/", {}
    yield (
        "/volumes/",
        {"volume_name": "more", "size_gb": 100, "volume_type": "HDD", "tier": "advanced", "region": "FIN-01"},
    )
    yield f"{volume}clone/", {"volume_name": "more"}
    yield "/snapshots/", {"instance_id": identity(instance), "snapshot_name": "more"}
    yield f"{snapshot}restore/", {"vm_name": "more", "ssh_key_ids": [cloud.key()]}
    yield "/ai/chat/", {"model": "openai/gpt-oss-120b", "messages": [{"role": "user", "content": "Hello"}]}


def lived(emulation: Emulation) -> list[bytes]:
    """Every reply of a whole life."""
    emulation.reset()
    emulation.clock.freeze(BEGIN)
    cloud = Cloud(emulation, "brk-new-1")
    Life(cloud).whole()
    return cloud.replies


@pytest.mark.parametrize("number", range(4))
def test_a_life_from_an_empty_account_to_an_empty_balance(emulator: Emulation, number: int) -> None:
    """Each in a tenant of its own; lived again, it gives the same bytes."""
    assert lived(emulator) == lived(emulator)


def test_lives_at_once_do_not_touch_each_other(emulator: Emulation, emulator_server: EmulatorServer) -> None:
    tenants = [emulator_server.tenant(f"{emulator.tenant}-{number}") for number in range(4)]
    with ThreadPoolExecutor(len(tenants)) as pool:
        at_once = list(pool.map(lived, tenants))
    assert at_once[2] == lived(tenants[2])
    assert len(set(map(tuple, at_once))) == len(tenants)
    for tenant in tenants:
        tenant.reset()


# States


def ways(machine: StateMachine) -> dict[str, list[Timed | str]]:
    """State -> the shortest way to it: what has to be waited for, and what has to be called."""
    found: dict[str, list[Timed | str]] = {machine.first: []}
    states = [machine.first]
    for state in states:
        timed: list[tuple[Timed | str, str | None]] = [(way, way.to) for way in machine.timed.get(state, ())]
        called = [(name, call.to) for name, call in machine.calls.items() if state in call.sources]
        for step, to in timed + called:
            if to is not None and to not in found:
                found[to] = [*found[state], step]
                states.append(to)
    return found


NAMES = {"ERROR": "emu-boot-failure-1"}
MACHINES = {name: kind.states for name, kind in KINDS.items() if kind.states is not None}
TIMED = [
    (name, state, way) for name, machine in MACHINES.items() for state, all_ in machine.timed.items() for way in all_
]
INSTANCE_STATES = list(ways(MACHINES["instance"]))
# What the guides allow an instance to be asked for, and in which state.
LEGAL = {
    "start/": {"SHUTOFF"},
    "stop/": {"ACTIVE"},
    "reboot/": {"ACTIVE"},
    "hibernate/": {"ACTIVE"},
    "restore/": {"HIBERNATED"},
    "toggle-public-ip/": {"ACTIVE", "SHUTOFF"},
    "attach-volumes/": {"ACTIVE", "SHUTOFF"},
    "security-rules/": {"BUILD", "ACTIVE", "STARTING", "STOPPING", "SHUTOFF", "REBOOTING"},
    "snapshot": {"ACTIVE"},
    "firewall": {"ACTIVE"},
    "delete": {"BUILD", "ACTIVE", "SHUTOFF", "HIBERNATED", "ERROR"},
}


def made(cloud: Cloud, kind: str, state: str, name: str = "emu") -> str:
    """The path of a new resource of a kind, in the first state or in another one that begins a life."""
    if state == "cloning":
        source = cloud.volume("source")
        cloud.wait("15s")
        return f"/volumes/{cloud.post(f'{source}clone/', volume_name=name)['volume']['volume_id']}/"
    if kind == "image":
        snapshot = cloud.snapshot(cloud.running())
        cloud.wait("3m")
        return cloud.image(snapshot, name)
    if kind == "snapshot":
        return cloud.snapshot(cloud.running(), name)
    if kind == "volume":
        return cloud.volume(name)
    return cloud.firewall(name) if kind == "firewall" else cloud.deploy(name)


def brought(cloud: Cloud, kind: str, state: str, name: str = "emu") -> str:
    """The path of a resource of a kind that has just come to a state."""
    path = made(cloud, kind, state, name)
    for step in ways(MACHINES[kind]).get(state, ()):
        if isinstance(step, Timed):
            cloud.wait(step.after)
        elif step == "delete":
            cloud.delete(path)
        else:
            cloud.post(f"{path}{step}/")
    assert cloud.status(path) == state
    return path


@pytest.mark.parametrize(("kind", "state", "way"), TIMED, ids=[f"{k}-{s}-{w.to}" for k, s, w in TIMED])
def test_a_timed_transition_comes_at_its_moment_and_no_second_earlier(
    cloud: Cloud, kind: str, state: str, way: Timed
) -> None:
    path = brought(cloud, kind, state, NAMES.get(way.to or "", "emu"))
    cloud.wait(way.after - 1)
    assert cloud.status(path) == state
    cloud.wait(1)
    if way.to is None:
        assert cloud.refusal("GET", path)[:2] == (404, "not_found")
    else:
        assert cloud.status(path) == way.to


@pytest.mark.parametrize("steps", [1, 7, 120])
def test_it_does_not_matter_how_often_one_looks(cloud: Cloud, steps: int) -> None:
    instance = cloud.deploy("watched")
    for _ in range(steps):
        cloud.wait(840 / steps)
        cloud.get(instance)
    (record,) = cloud.records("/instances/billing/")
    assert (record["start_time"], record["total_duration_minutes"]) == ("2025-12-01T00:02:00Z", 12)
    assert cloud.money() == Decimal("24.862")


@pytest.mark.parametrize("state", INSTANCE_STATES)
def test_every_call_in_a_wrong_state_is_one_error(cloud: Cloud, state: str) -> None:
    volume, firewall = cloud.volume(), cloud.firewall()
    cloud.wait("15s")
    path = brought(cloud, "instance", state, NAMES.get(state, "emu"))
    asked: dict[str, tuple[str, str, Any]] = {call: ("POST", f"{path}{call}", None) for call in LEGAL}
    asked["delete"] = ("DELETE", path, None)
    asked["attach-volumes/"] = ("POST", f"{path}attach-volumes/", {"volume_ids": [identity(volume)]})
    asked["security-rules/"] = ("POST", f"{path}security-rules/", RULE)
    asked["snapshot"] = ("POST", "/snapshots/", {"instance_id": identity(path), "snapshot_name": "s"})
    asked["firewall"] = ("POST", f"{firewall}attach/", {"instance_ids": [identity(path)]})
    before = cloud.get(path)["instance"]
    for call in [call for call, states in LEGAL.items() if state not in states]:
        status, code, message = cloud.refusal(*asked[call])
        assert (status, code) == (409, "illegal_state"), call
        assert message.startswith(f"{identity(path)} is in state {state}, which does not allow: ")
    assert cloud.get(path)["instance"] == before
    assert (cloud.status(volume), cloud.get("/snapshots/")["total"]) == ("available", 0)


@pytest.mark.parametrize("state", INSTANCE_STATES)
def test_what_a_state_allows_is_done(cloud: Cloud, state: str) -> None:
    for number, call in enumerate(call for call, states in LEGAL.items() if state in states):
        name = NAMES.get(state, "emu") + f"-{number}"
        volume, firewall = cloud.volume(name), cloud.firewall(name)
        cloud.wait("15s")
        path = brought(cloud, "instance", state, name)
        if call == "delete":
            assert cloud.delete(path)["status"] == "DELETING"
        elif call == "snapshot":
            cloud.snapshot(path, name)
        elif call == "firewall":
            cloud.post(f"{firewall}attach/", instance_ids=[identity(path)])
        else:
            bodies: dict[str, dict[str, Any]] = {
                "attach-volumes/": {"volume_ids": [identity(volume)]},
                "security-rules/": RULE,
            }
            assert cloud.post(f"{path}{call}", **bodies.get(call, {}))["instance_id"] == identity(path)
