"""barrack as a cloud that anybody may use in any order: what holds after every step, whatever the steps were."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from emulator import Emulation, make_runtime
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import Scope

from .catalogue import QUESTION
from .cloud import (
    BARRACK,
    DEPLETION,
    DISKS,
    KINDS,
    OPENING,
    PLACES,
    READS,
    RULE,
    UNKNOWN,
    Cloud,
    Reply,
    World,
    a_deployment,
    a_volume,
    check_money,
    check_references,
    check_stock,
    look,
)

RUNTIME = make_runtime(["barrack"], pace=0)
Due = tuple[bool, int]
"""Whether a refusal is due, and its status."""
START = 1_764_547_200  # the seeds are as old as the account
GONE = "gone"
NOTHING = {"status": None, "region": None, "tier": None, "instance_id": None}

CHOICES = st.integers(0, 999)
PAUSES = st.sampled_from([0, 0, 20, 130])
RARE = 970
"""Choices from here on ask for what does not exist."""
NAMES = st.sampled_from(["ann", "ben", "cleo", "dan", "eve", "golden", "emu-stuck-1", "emu-boot-failure-1"])


class CloudMachine(RuleBasedStateMachine):
    """Random use of one account. `before` is how it was when the step began."""

    runtime = RUNTIME

    @initialize(key=st.sampled_from(sorted(OPENING)))
    def open(self, key: str) -> None:
        emulation = Emulation(self.runtime, "cloud", "http://emulator", {})
        emulation.reset()
        emulation.clock.freeze(START)
        self.clock, self.cloud, self.opening = emulation.clock, Cloud(emulation, key), OPENING[key]
        self._furnish()
        self.before = look(self.cloud)
        self.disks = {identity: item["volume_type"] for identity, item in self.before.items["volume"].items()}
        self._begin()

    def _furnish(self) -> None:
        """Something of each kind to begin with, where the money suffices."""
        key = self.cloud.ask("createSSHKey", {"name": "first"})[1]["ssh_key"]["id"]
        for name, count in (("first", 4), ("emu-boot-failure", 1)):
            self.cloud.ask("createInstance", {**a_deployment(name, PLACES[0], count), "ssh_key_ids": [key]})
            self.cloud.ask("createVolume", a_volume(name, DISKS[1], 200))
        self.cloud.ask("createFirewall", {"name": "first", "region": "US-1"})
        self.clock.advance(120)
        for instance in look(self.cloud).items["instance"]:
            self.cloud.ask("createSnapshot", {"instance_id": instance, "snapshot_name": instance, "is_image": True})
        self.clock.advance(300)

    def _begin(self) -> None:
        self.entered: dict[str, str | None] = {}
        """The state that the step put a resource in."""
        self.passed = False
        """Whether time passed in this step."""

    # what the rules are made of

    def _pick(self, kind: str, choice: int, *states: str) -> str:
        """A resource, more often than not in one of the states; or rarely one that never was."""
        ids = sorted(self.before.items[kind])
        fitting = [identity for identity in ids if self.before.state(kind, identity) in states]
        ids = fitting if fitting and choice % 4 else ids
        return ids[choice % len(ids)] if ids and choice < RARE else f"BRK-000000{UNKNOWN[kind]}"

    def _pause(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.passed = self.passed or seconds > 0

    def _item(self, kind: str, identity: str) -> Any:
        return self.before.items[kind].get(identity, NOTHING)

    def _missing(self, kind: str, *ids: str) -> Due:
        return any(identity not in self.before.items[kind] for identity in ids), 404

    def _illegal(self, kind: str, identity: str, *allowed: str) -> Due:
        return self.before.state(kind, identity) not in allowed, 409

    def _taken(self, kind: str, key: str, name: str) -> Due:
        return any(item[key] == name for item in self.before.items[kind].values()), 409

    def _short(self, item: Any) -> Due:
        left = self.before.stocks.get((item["region"], item.get("gpu_model")), 0)
        return left < item.get("gpu_count", 0), 409

    @property
    def _unpaid(self) -> Due:
        return self.before.amount <= 0, 402

    def _expect(self, reply: Reply, *refusals: Due) -> bool:
        """Whether the request was served, which it has to be unless one of the refusals is due: then the first."""
        refused = next((status for due, status in refusals if due), None)
        assert refused == (reply[0] if reply[0] >= 300 else None), reply
        return refused is None

    def _call(self, kind: str, call: str, *ids: str) -> None:
        machine = KINDS[kind].states
        assert machine is not None
        self.entered |= dict.fromkeys(ids, machine.calls[call].to)

    # keys

    @rule(name=NAMES)
    def create_key(self, name: str) -> None:
        reply = self.cloud.ask("createSSHKey", {"name": name})
        if self._expect(reply, self._taken("ssh_key", "name", name)):
            self.entered[reply[1]["ssh_key"]["id"]] = None

    @rule(choice=CHOICES)
    def delete_key(self, choice: int) -> None:
        key = self._pick("ssh_key", choice)
        used = any(key in instance["ssh_key_ids"] for instance in self.before.items["instance"].values())
        if self._expect(self.cloud.ask("deleteSSHKey", key_id=key), self._missing("ssh_key", key), (used, 409)):
            self.entered[key] = GONE

    # instances

    @rule(name=NAMES, place=st.sampled_from(PLACES), count=st.sampled_from([1, 2, 4, 8]), choice=CHOICES, own=CHOICES)
    def deploy(self, name: str, place: tuple[str, str, str, str], count: int, choice: int, own: int) -> None:
        key, image = self._pick("ssh_key", choice), self._pick("image", own)
        body = a_deployment(name, place, count)
        body |= {"ssh_key_ids": [key], "security_rules": [RULE] * (choice % 3)}
        if body["tier"] == "legacy" and own % 2 and image in self.before.items["image"]:
            body["os_image"] = image
        reply = self.cloud.ask("createInstance", body)
        refusals = [self._unpaid, self._missing("ssh_key", key), (place[2] == "RTX-A6000" and count > 4, 400)]
        refusals += [self._taken("instance", "vm_name", name), self._short(body)]
        if self._expect(reply, *refusals):
            self.entered[reply[1]["instance"]["instance_id"]] = "CREATING"

    def _call_instance(self, choice: int, call: str, pause: int) -> None:
        machine = KINDS["instance"].states
        assert machine is not None
        instance = self._pick("instance", choice, *machine.calls[call].sources)
        reply = self.cloud.ask(f"{call}Instance", instance_id=instance)
        illegal = self._illegal("instance", instance, *machine.calls[call].sources)
        if self._expect(reply, self._missing("instance", instance), illegal):
            self._call("instance", call, instance)
        self._pause(pause)

    start = rule(call=st.just("start"), choice=CHOICES, pause=PAUSES)(_call_instance)
    stop = rule(call=st.just("stop"), choice=CHOICES, pause=PAUSES)(_call_instance)
    reboot = rule(call=st.just("reboot"), choice=CHOICES, pause=PAUSES)(_call_instance)
    hibernate = rule(call=st.just("hibernate"), choice=CHOICES, pause=PAUSES)(_call_instance)
    delete_instance = rule(call=st.just("delete"), choice=CHOICES, pause=PAUSES)(_call_instance)

    @rule(choice=CHOICES, pause=PAUSES)
    def restore(self, choice: int, pause: int) -> None:
        instance = self._pick("instance", choice, "HIBERNATED")
        reply = self.cloud.ask("restoreInstance", instance_id=instance)
        refusals = [self._unpaid, self._missing("instance", instance)]
        refusals += [self._illegal("instance", instance, "HIBERNATED")]
        refusals += [self._short(self._item("instance", instance))]
        if self._expect(reply, *refusals):
            self._call("instance", "restore", instance)
        self._pause(pause)

    @rule(choice=CHOICES)
    def add_and_remove_rules(self, choice: int) -> None:
        instance = self._pick("instance", choice, "ACTIVE", "SHUTOFF")
        shut = self._illegal("instance", instance, "BUILD", "ACTIVE", "SHUTOFF", "STARTING", "STOPPING", "REBOOTING")
        reply = self.cloud.ask("addInstanceSecurityRule", RULE, instance_id=instance)
        if self._expect(reply, self._missing("instance", instance), shut) and choice % 2:
            where = {"instance_id": instance, "rule_id": reply[1]["rule"]["rule_id"]}
            assert self.cloud.ask("removeInstanceSecurityRule", **where)[0] == 200
            assert self.cloud.ask("removeInstanceSecurityRule", **where)[0] == 404

    # volumes

    @rule(name=NAMES, disk=st.sampled_from(DISKS), size=st.sampled_from([100, 333, 1000, 50_000]))
    def create_volume(self, name: str, disk: tuple[str, str, str], size: int) -> None:
        reply = self.cloud.ask("createVolume", a_volume(name, disk, size))
        if self._expect(reply, self._unpaid, self._taken("volume", "volume_name", name)):
            self._made_volume(reply[1]["volume"], "creating")

    @rule(name=NAMES, choice=CHOICES)
    def clone_volume(self, name: str, choice: int) -> None:
        source = self._pick("volume", choice, "available", "in-use")
        reply = self.cloud.ask("cloneVolume", {"volume_name": name}, volume_id=source)
        refusals = [self._unpaid, self._missing("volume", source)]
        refusals += [self._illegal("volume", source, "available", "in-use")]
        if self._expect(reply, *refusals, self._taken("volume", "volume_name", name)):
            self._made_volume(reply[1]["volume"], "cloning")

    def _made_volume(self, volume: Any, state: str) -> None:
        self.entered[volume["volume_id"]] = state
        self.disks[volume["volume_id"]] = volume["volume_type"]

    @rule(choice=CHOICES, size=st.sampled_from([100, 500, 1000, 2000]))
    def resize_volume(self, choice: int, size: int) -> None:
        volume = self._pick("volume", choice, "available", "in-use")
        reply = self.cloud.ask("resizeVolume", {"size_gb": size}, volume_id=volume)
        refusals = [self._missing("volume", volume), self._illegal("volume", volume, "available", "in-use")]
        self._expect(reply, *refusals, (size <= self._item("volume", volume).get("size_gb", 0), 409))

    @rule(choice=CHOICES)
    def delete_volume(self, choice: int) -> None:
        volume = self._pick("volume", choice, "available")
        reply = self.cloud.ask("deleteVolume", volume_id=volume)
        if self._expect(reply, self._missing("volume", volume), self._illegal("volume", volume, "available")):
            self._call("volume", "delete", volume)

    @rule(instance=CHOICES, choices=st.lists(CHOICES, min_size=1, max_size=3))
    def attach_volumes(self, instance: int, choices: list[int]) -> None:
        to = self._pick("instance", instance, "ACTIVE", "SHUTOFF")
        volumes = sorted({self._pick("volume", choice, "available") for choice in choices})
        reply = self.cloud.ask("attachVolumes", {"volume_ids": volumes}, instance_id=to)
        refusals = [self._missing("volume", *volumes), self._missing("instance", to)]
        refusals += [self._illegal("instance", to, "ACTIVE", "SHUTOFF")]
        far = any(self._item("volume", v)["region"] != self._item("instance", to)["region"] for v in volumes)
        refusals += [(far, 400), *(self._illegal("volume", volume, "available") for volume in volumes)]
        if self._expect(reply, *refusals):
            self._call("volume", "attach", *volumes)

    @rule(choices=st.lists(CHOICES, min_size=1, max_size=2), right=st.booleans())
    def detach_volumes(self, choices: list[int], right: bool) -> None:
        volumes = sorted({self._pick("volume", choice, "in-use") for choice in choices})
        held = [self._item("volume", volume)["instance_id"] for volume in volumes]
        instance = held[0] if right and held[0] else self._pick("instance", choices[0])
        reply = self.cloud.ask("detachVolumes", {"volume_ids": volumes}, instance_id=instance)
        refusals = [self._missing("volume", *volumes), self._missing("instance", instance)]
        refusals += [(any(h and h != instance for h in held), 409)]
        if self._expect(reply, *refusals, *(self._illegal("volume", volume, "in-use") for volume in volumes)):
            self._call("volume", "detach", *volumes)

    # firewalls

    @rule(name=NAMES, region=st.sampled_from(["CANADA-1", "US-1"]))
    def create_firewall(self, name: str, region: str) -> None:
        reply = self.cloud.ask("createFirewall", {"name": name, "region": region})
        if self._expect(reply, self._taken("firewall", "name", name)):
            self.entered[reply[1]["firewall"]["firewall_id"]] = "CREATING"

    @rule(choice=CHOICES)
    def add_firewall_rule(self, choice: int) -> None:
        firewall = self._pick("firewall", choice)
        reply = self.cloud.ask("addFirewallRule", RULE, firewall_id=firewall)
        refusals = [self._missing("firewall", firewall), self._illegal("firewall", firewall, "SUCCESS")]
        if self._expect(reply, *refusals) and choice % 3 == 0:
            where = {"firewall_id": firewall, "rule_id": reply[1]["rule"]["rule_id"]}
            assert self.cloud.ask("removeFirewallRule", **where)[0] == 200

    @rule(choice=CHOICES, choices=st.lists(CHOICES, min_size=1, max_size=2))
    def attach_firewall(self, choice: int, choices: list[int]) -> None:
        firewall = self._pick("firewall", choice)
        instances = sorted({self._pick("instance", one, "ACTIVE") for one in choices})
        reply = self.cloud.ask("attachFirewall", {"instance_ids": instances}, firewall_id=firewall)
        refusals = [self._missing("firewall", firewall), self._missing("instance", *instances)]
        refusals += [self._illegal("firewall", firewall, "SUCCESS")]
        refusals += [self._illegal("instance", instance, "ACTIVE") for instance in instances]
        region = self._item("firewall", firewall)["region"]
        self._expect(reply, *refusals, (any(self._item("instance", i)["region"] != region for i in instances), 400))

    @rule(choice=CHOICES)
    def delete_firewall(self, choice: int) -> None:
        firewall = self._pick("firewall", choice)
        reply = self.cloud.ask("deleteFirewall", firewall_id=firewall)
        used = bool(self._item("firewall", firewall).get("attachments"))
        if self._expect(reply, self._missing("firewall", firewall), (used, 409)):
            self.entered[firewall] = GONE

    # snapshots and images

    @rule(name=NAMES, choice=CHOICES, image=st.booleans())
    def create_snapshot(self, name: str, choice: int, image: bool) -> None:
        instance = self._pick("instance", choice, "ACTIVE")
        body = {"instance_id": instance, "snapshot_name": name, "is_image": image}
        reply = self.cloud.ask("createSnapshot", body)
        refusals = [self._unpaid, self._missing("instance", instance)]
        refusals += [(self._item("instance", instance)["tier"] != "legacy", 400)]
        refusals += [self._illegal("instance", instance, "ACTIVE"), self._taken("snapshot", "snapshot_name", name)]
        refusals += [self._taken("image", "name", name)] if image else []
        if self._expect(reply, *refusals):
            snapshot = reply[1]["snapshot"]["snapshot_id"]
            self.entered[snapshot] = "CREATING"
            images = self.cloud.read("getSnapshotImage", snapshot_id=snapshot)["relationship"]["images"]
            self.entered |= {made["image_id"]: "CREATING" for made in images}

    @rule(choice=CHOICES)
    def delete_snapshot(self, choice: int) -> None:
        snapshot = self._pick("snapshot", choice, "SUCCESS")
        reply = self.cloud.ask("deleteSnapshot", snapshot_id=snapshot)
        used = any(image["snapshot_id"] == snapshot for image in self.before.items["image"].values())
        illegal = self._illegal("snapshot", snapshot, "SUCCESS")
        if self._expect(reply, self._missing("snapshot", snapshot), (used, 409), illegal):
            self._call("snapshot", "delete", snapshot)

    @rule(name=NAMES, choice=CHOICES, key=CHOICES)
    def restore_snapshot(self, name: str, choice: int, key: int) -> None:
        snapshot, ssh_key = self._pick("snapshot", choice), self._pick("ssh_key", key)
        reply = self.cloud.ask("restoreSnapshot", {"vm_name": name, "ssh_key_ids": [ssh_key]}, snapshot_id=snapshot)
        refusals = [self._unpaid, self._missing("snapshot", snapshot), self._missing("ssh_key", ssh_key)]
        refusals += [self._illegal("snapshot", snapshot, "SUCCESS"), self._taken("instance", "vm_name", name)]
        if self._expect(reply, *refusals, self._short(self._item("snapshot", snapshot))):
            self.entered[reply[1]["instance"]["instance_id"]] = "CREATING"

    @rule(name=NAMES, choice=CHOICES)
    def create_image(self, name: str, choice: int) -> None:
        snapshot = self._pick("snapshot", choice)
        reply = self.cloud.ask("createImage", {"image_name": name, "snapshot_id": snapshot})
        refusals = [self._missing("snapshot", snapshot), self._illegal("snapshot", snapshot, "SUCCESS")]
        if self._expect(reply, *refusals, self._taken("image", "name", name)):
            self.entered[reply[1]["image"]["image_id"]] = "CREATING"

    @rule(choice=CHOICES)
    def delete_image(self, choice: int) -> None:
        image = self._pick("image", choice, "SUCCESS")
        reply = self.cloud.ask("deleteImage", image_id=image)
        if self._expect(reply, self._missing("image", image), self._illegal("image", image, "SUCCESS")):
            self._call("image", "delete", image)

    # money and time

    @rule()
    def chat(self) -> None:
        reply = self.cloud.ask("chatWithAI", {"model": BARRACK.models[0]["id"], "messages": QUESTION})
        self._expect(reply, self._unpaid)

    @rule(seconds=st.one_of(st.integers(1, 200), st.sampled_from([20, 60, 100, 120])))
    def wait_a_little(self, seconds: int) -> None:
        self._pause(seconds)

    @rule(minutes=st.one_of(st.integers(1, 60), st.sampled_from([24 * 60, 5 * 24 * 60])))
    def wait_long(self, minutes: int) -> None:
        self._pause(60 * minutes)

    # what holds after every step

    @invariant()
    def everything_agrees(self) -> None:
        world = look(self.cloud)
        self._check_ways(world)
        check_stock(world)
        check_references(world)
        check_money(self.cloud, world, self.opening, self.disks)
        self.before = world
        self._begin()

    def _check_ways(self, world: World) -> None:
        """Nothing came or went, or is in a state, but by a declared transition."""
        for kind, (operation, parameter) in READS.items():
            was, now = self.before.items[kind], world.items[kind]
            made = {identity for identity in self.entered.keys() - was.keys() if identity.endswith(UNKNOWN[kind])}
            assert now.keys() - was.keys() == made
            for identity in made:
                assert world.state(kind, identity) in self._ways(kind, identity, now[identity], world)
            for identity, item in was.items():
                state = world.state(kind, identity) if identity in now else GONE
                assert state in self._ways(kind, identity, item, world), (kind, item, state)
                assert identity in now or self.cloud.ask(operation, None, 1, **{parameter: identity})[0] == 404

    def _ways(self, kind: str, identity: str, item: Any, world: World) -> set[str | None]:
        """The states that a resource may be in after this step."""
        first, machine = self.entered.get(identity, item.get("status")), KINDS[kind].states
        if machine is None:
            return {first}
        scope = Scope(Entropy(), {"item": {"name": item.get("vm_name")}})
        calls = []
        if world.amount <= 0 and kind in DEPLETION:
            calls.append(machine.calls[DEPLETION[kind]])
        if kind == "volume" and item["instance_id"] and item["instance_id"] not in world.items["instance"]:
            calls.append(machine.calls["detach"])
        reached, new = {first}, True
        while new:
            timed = [machine.follows(state, scope) for state in reached if state and self.passed]
            further = {GONE if way.to is None else way.to for way in timed if way is not None}
            further |= {call.to for call in calls if reached & set(call.sources)}
            new, reached = not further <= reached, reached | further
        return reached


class KeptCloudMachine(CloudMachine):
    """The same with its state in a file, which is as the memory is whenever a request is over."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.file = Path(self.folder.name) / "state.sqlite"
        self.runtime = make_runtime(["barrack"], pace=0, state=self.file)

    @invariant()
    def kept(self) -> None:
        with closing(sqlite3.connect(self.file)) as file:
            found = file.execute("SELECT key, data FROM cells WHERE tenant = 'cloud' AND kind = 'accounts'").fetchall()
        cells = self.runtime.store.tenant("cloud").cells
        assert {key: json.loads(data) for key, data in found} == {
            key: data for (kind, key), data in cells.items() if kind == "accounts"
        }

    def teardown(self) -> None:
        self.runtime.store.close()
        self.folder.cleanup()


TestCloud = CloudMachine.TestCase
TestCloud.settings = settings(max_examples=25, stateful_step_count=40, derandomize=True)

TestKeptCloud = KeptCloudMachine.TestCase
TestKeptCloud.settings = settings(max_examples=10, stateful_step_count=40, derandomize=True)
