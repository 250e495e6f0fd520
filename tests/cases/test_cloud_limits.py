"""barrack: what an account may not have, what is not there, and outcomes that tests ask for."""

from typing import Any

import pytest

from emulator import Emulation
from emulator.operation import Operation

from .catalogue import caller
from .cloud_client import ADVANCED, BEGIN, DISK, PROVIDER, RULE, Cloud, identity

OUT_OF_STOCK = (409, "out_of_stock")
MAIN = "brk-emulator"  # its account begins with resources
WITH_ID = [operation for operation in PROVIDER.operations.values() if "{" in operation.path]
LISTS = [
    "/ssh-keys/", "/scripts/", "/instances/", "/instances/snapshot-eligible/", "/volumes/", "/firewalls/",
    "/firewalls/available-instances/", "/snapshots/", "/images/", "/ai/usage/history/",
    "/instances/billing/", "/volumes/billing/", "/snapshots/billing/",
]  # fmt: skip


@pytest.fixture
def cloud(emulator: Emulation) -> Cloud:
    emulator.clock.freeze(BEGIN)
    return Cloud(emulator, "brk-new-1")


class TestOnDemand:
    def test_chat_can_use_the_credit_up_too(self, cloud: Cloud) -> None:
        instance, coming = cloud.running("first"), cloud.deploy("second")
        cloud.handle.play([{"reply": {"text": "Much.", "usage": {"prompt_tokens": 200_000_000}}}])
        cloud.post("/ai/chat/", model="openai/gpt-oss-120b", messages=[{"role": "user", "content": "Hello"}])
        assert (cloud.status(instance), cloud.money() < 0) == ("HIBERNATING", True)
        assert cloud.status(coming) == "CREATING"
        cloud.wait("120s")
        assert (cloud.status(instance), cloud.status(coming)) == ("HIBERNATED", "HIBERNATING")

    def test_an_account_without_credit_rents_nothing(self, emulator: Emulation) -> None:
        cloud = Cloud(emulator, "brk-empty-1")
        assert cloud.refused("/instances/", **cloud.machine("more")) == (402, "insufficient_funds")
        assert cloud.refused("/volumes/", **DISK, volume_name="v") == (402, "insufficient_funds")
        assert cloud.get("/instances/")["total"] == cloud.get("/volumes/")["total"] == 0

    def test_an_instance_that_is_stuck(self, cloud: Cloud) -> None:
        instance = cloud.running("emu-stuck-1")
        cloud.wait("3d")
        assert (cloud.status(instance), cloud.stock()) == ("BUILD", 11)
        assert cloud.money() == 25
        cloud.delete(instance)
        cloud.wait("20s")
        assert (cloud.refusal("GET", instance)[0], cloud.stock()) == (404, 12)

    def test_an_instance_that_fails_to_boot(self, cloud: Cloud) -> None:
        instance = cloud.running("emu-boot-failure-1")
        cloud.wait("3d")
        assert (cloud.status(instance), cloud.stock()) == ("ERROR", 11)
        assert cloud.money() == 25
        assert cloud.get("/instances/billing/")["records"] == []
        cloud.delete(instance)
        cloud.wait("20s")
        assert (cloud.refusal("GET", instance)[0], cloud.stock()) == (404, 12)

    def test_a_stock_that_is_used_up(self, cloud: Cloud) -> None:
        wanted = {"region": "US-1", "gpu_model": "H100-PCIe-80GB"}
        first = cloud.deploy("first", **wanted, gpu_count=8)
        body = cloud.machine("second", **wanted, security_rules=[RULE])
        told = "US-1/H100-PCIe-80GB: 1 were asked for, 0 are available"
        assert cloud.refusal("POST", "/instances/", body) == (*OUT_OF_STOCK, told)
        assert cloud.get("/instances/")["total"] == 1
        cloud.wait("120s")
        cloud.post(f"{first}hibernate/")
        cloud.wait("60s")
        second = cloud.deploy("second", **wanted)
        assert cloud.refused(f"{first}restore/") == OUT_OF_STOCK
        assert (cloud.status(first), cloud.stock("US-1", "H100-PCIe-80GB")) == ("HIBERNATED", 7)
        cloud.wait("120s")
        cloud.delete(second)
        assert cloud.post(f"{first}restore/")["status"] == "RESTORING"

    def test_a_model_that_a_region_does_not_have(self, cloud: Cloud) -> None:
        assert cloud.refused("/instances/", **cloud.machine("a40", region="US-1", gpu_model="A40")) == OUT_OF_STOCK

    def test_a_snapshot_whose_machine_is_out_of_stock(self, cloud: Cloud) -> None:
        snapshot = cloud.snapshot(cloud.running(gpu_model="A40", gpu_count=8))
        cloud.wait("3m")
        body = {"vm_name": "again", "ssh_key_ids": [cloud.key()]}
        assert cloud.refused(f"{snapshot}restore/", **body) == OUT_OF_STOCK
        assert cloud.get("/instances/")["total"] == 1

    def test_a_stock_out_that_a_test_asks_for(self, cloud: Cloud) -> None:
        body = cloud.machine("trainer")
        cloud.handle.fail("out_of_stock", operation="createInstance")
        assert cloud.refused("/instances/", **body) == OUT_OF_STOCK
        assert cloud.stock() == 12
        assert cloud.post("/instances/", **body)["success"] is True


class TestNames:
    """One name, one resource of a kind; what is refused is not there."""

    def taken(self, cloud: Cloud, path: str, **body: Any) -> None:
        total = cloud.get(path)["total"]
        assert cloud.refusal("POST", path, body) == (409, "conflict", "This name is taken")
        assert cloud.get(path)["total"] == total

    def test_of_each_kind(self, cloud: Cloud) -> None:
        instance = cloud.running()
        snapshot, _, _ = cloud.snapshot(instance), cloud.volume(), cloud.firewall()
        cloud.wait("3m")
        image = cloud.image(snapshot)
        cloud.post("/scripts/", name="boot", script="#!/bin/sh")
        self.taken(cloud, "/ssh-keys/", name="laptop")
        self.taken(cloud, "/scripts/", name="boot", script="#!/bin/bash")
        self.taken(cloud, "/instances/", **cloud.machine("trainer"))
        self.taken(cloud, "/volumes/", **DISK, volume_name="data")
        self.taken(cloud, "/firewalls/", name="web", region="US-1")
        self.taken(cloud, "/snapshots/", instance_id=identity(instance), snapshot_name="golden")
        self.taken(cloud, "/images/", snapshot_id=identity(snapshot), image_name="base")
        # The image that comes with a snapshot has its name: both, or neither.
        self.taken(cloud, "/snapshots/", instance_id=identity(instance), snapshot_name="base", is_image=True)
        cloud.wait("2m")
        cloud.delete(image)
        cloud.wait("10s")
        cloud.snapshot(instance, "base", is_image=True)

    def test_of_what_is_made_from_another(self, cloud: Cloud) -> None:
        volume, snapshot = cloud.volume(), cloud.snapshot(cloud.running())
        cloud.wait("3m")
        assert cloud.refused(f"{volume}clone/", volume_name="data") == (409, "conflict")
        body = {"vm_name": "trainer", "ssh_key_ids": [cloud.key()]}
        assert cloud.refused(f"{snapshot}restore/", **body) == (409, "conflict")
        assert cloud.stock() == 11

    def test_are_free_again_after_the_last_second(self, cloud: Cloud) -> None:
        instance = cloud.running()
        cloud.delete(instance)
        cloud.wait("19s")
        self.taken(cloud, "/instances/", **cloud.machine("trainer"))
        cloud.wait("1s")
        cloud.deploy("trainer")

    def test_of_a_script_that_is_changed(self, cloud: Cloud) -> None:
        first, _ = (cloud.post("/scripts/", name=name, script="x")["script"]["id"] for name in ("one", "two"))
        assert cloud.refusal("PUT", f"/scripts/{first}/", {"name": "two"})[:2] == (409, "conflict")
        assert cloud.get(f"/scripts/{first}/")["script"]["name"] == "one"
        assert cloud.ask("PUT", f"/scripts/{first}/", {"name": "one", "script": "y"}).json["script"]["script"] == "y"

    @pytest.mark.parametrize("name", ["", "   ", "a/b", "é", "x" * 51])
    def test_that_are_none(self, cloud: Cloud, name: str) -> None:
        assert cloud.refused("/instances/", **cloud.machine(name)) == (400, "invalid_request")
        assert cloud.refused("/firewalls/", name=name, region="US-1") == (400, "invalid_request")
        assert cloud.refused("/ssh-keys/", name=name) == (400, "invalid_request")


class TestWhatDoesNotFit:
    def wrong(self, cloud: Cloud, path: str, message: str, **body: Any) -> None:
        assert cloud.refusal("POST", path, body) == (400, "invalid_request", message)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"region": "FIN-01"}, "region FIN-01 is not in tier legacy"),
            ({"gpu_model": "B300-262GB"}, "gpu_model B300-262GB is not in tier legacy"),
            ({"gpu_count": 8}, "gpu_count is at most 4 for RTX-A6000"),
            ({"gpu_count": 3}, "gpu_count must be one of 1, 2, 4, 8"),
            ({"os_image": "ubuntu-24.04-cuda-12.8"}, "os_image ubuntu-24.04-cuda-12.8 is not in tier legacy"),
            ({"ssh_key_ids": []}, "ssh_key_ids must have at least 1 item"),
        ],
    )
    def test_an_instance(self, cloud: Cloud, change: dict[str, Any], message: str) -> None:
        self.wrong(cloud, "/instances/", message, **cloud.machine("trainer", **change))
        assert (cloud.get("/instances/")["total"], cloud.stock()) == (0, 12)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"size_gb": 99}, "size_gb must be at least 100"),
            ({"region": "FIN-01"}, "region FIN-01 is not in tier legacy"),
            ({"volume_type": "NVMe"}, "volume_type NVMe is not in tier legacy"),
        ],
    )
    def test_a_volume(self, cloud: Cloud, change: dict[str, Any], message: str) -> None:
        self.wrong(cloud, "/volumes/", message, volume_name="data", **{**DISK, **change})
        assert cloud.get("/volumes/")["volumes"] == []

    WRONG_RULES = pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"protocol": "icmp", "port_range_min": 1}, "ports are for tcp and udp only"),
            ({"port_range_max": 22}, "port_range_min is missing or above port_range_max"),
            ({"port_range_min": 23, "port_range_max": 22}, "port_range_min is missing or above port_range_max"),
            ({"ethertype": "IPv6"}, "remote_ip_prefix is not of IPv6"),
            ({"remote_ip_prefix": "::/0"}, "remote_ip_prefix is not of IPv4"),
            ({"port_range_min": 0}, "port_range_min must be at least 1"),
            ({"port_range_min": 65536}, "port_range_min must be at most 65535"),
        ],
    )

    @WRONG_RULES
    def test_a_rule(self, cloud: Cloud, change: dict[str, Any], message: str) -> None:
        firewall, instance = cloud.firewall(), cloud.running()
        for path in (f"{firewall}rules/", f"{instance}security-rules/"):
            self.wrong(cloud, path, message, **{**RULE, **change})
        assert cloud.get(firewall)["firewall"]["rules"] == cloud.get(instance)["instance"]["security_rules"] == []

    @WRONG_RULES
    def test_a_rule_of_a_deployment(self, cloud: Cloud, change: dict[str, Any], message: str) -> None:
        wrong = message.replace("port_range_min must", "security_rules[1].port_range_min must")
        body = cloud.machine("trainer", security_rules=[RULE, {**RULE, **change}])
        self.wrong(cloud, "/instances/", wrong, **body)
        assert (cloud.get("/instances/")["total"], cloud.stock()) == (0, 12)

    def test_a_volume_only_grows(self, cloud: Cloud) -> None:
        volume = cloud.volume(size_gb=200)
        assert cloud.refused(f"{volume}resize/", size_gb=300) == (409, "illegal_state")
        cloud.wait("15s")
        told = (409, "conflict", "size_gb must be above 200: a volume only grows")
        assert cloud.refusal("POST", f"{volume}resize/", {"size_gb": 200}) == told
        assert cloud.post(f"{volume}resize/", size_gb=201)["volume"]["size_gb"] == 201

    def test_snapshots_are_for_the_legacy_tier(self, cloud: Cloud) -> None:
        instance = cloud.running(**ADVANCED)
        body = {"instance_id": identity(instance), "snapshot_name": "golden"}
        self.wrong(cloud, "/snapshots/", "snapshots exist on the legacy tier only", **body)
        assert cloud.get("/instances/snapshot-eligible/")["total"] == 0

    def test_a_volume_of_another_region(self, cloud: Cloud) -> None:
        instance, volume = identity(cloud.running()), identity(cloud.volume(region="US-1"))
        cloud.wait("15s")
        told = f"{volume} is not in region CANADA-1"
        self.wrong(cloud, f"/instances/{instance}/attach-volumes/", told, volume_ids=[volume])

    def test_a_firewall_of_another_region(self, cloud: Cloud) -> None:
        near, far = cloud.running("near"), cloud.running("far", region="NORWAY-1")
        firewall = cloud.firewall()
        cloud.wait("5s")
        told = "the firewall is in region CANADA-1, and an instance is not"
        self.wrong(cloud, f"{firewall}attach/", told, instance_ids=[identity(near), identity(far)])
        assert cloud.get(firewall)["firewall"]["attachments"] == []

    def test_twenty_five_firewalls(self, cloud: Cloud) -> None:
        firewalls = [cloud.firewall(f"f{number}") for number in range(25)]
        told = (409, "conflict", "The limit of this account is reached")
        assert cloud.refusal("POST", "/firewalls/", {"name": "f25", "region": "US-1"}) == told
        cloud.delete(firewalls[0])
        cloud.firewall("f25")
        assert cloud.get("/firewalls/")["total"] == 25


class TestInUse:
    def test_a_key(self, cloud: Cloud) -> None:
        instance = cloud.running()
        key = cloud.key()
        told = (409, "in_use", f"{key} is in use by {identity(instance)}")
        assert cloud.refusal("DELETE", f"/ssh-keys/{key}/") == told
        cloud.delete(instance)
        assert cloud.refusal("DELETE", f"/ssh-keys/{key}/") == told
        cloud.wait("20s")
        cloud.delete(f"/ssh-keys/{key}/")
        assert cloud.get("/ssh-keys/")["ssh_keys"] == []

    def test_a_volume(self, cloud: Cloud) -> None:
        first, second = cloud.running("first"), cloud.running("second")
        held, free = cloud.volume("held"), cloud.volume("free")
        cloud.wait("15s")
        cloud.post(f"{first}attach-volumes/", volume_ids=[identity(held)])
        ids = [identity(free), identity(held)]
        assert cloud.refused(f"{second}attach-volumes/", volume_ids=ids) == (409, "illegal_state")
        assert cloud.refused(f"{second}detach-volumes/", volume_ids=[identity(held)]) == (409, "in_use")
        assert cloud.refused(f"{first}detach-volumes/", volume_ids=ids) == (409, "illegal_state")
        assert (cloud.status(held), cloud.status(free)) == ("in-use", "available")
        assert cloud.refusal("DELETE", held)[:2] == (409, "illegal_state")
        cloud.post(f"{first}detach-volumes/", volume_ids=[identity(held)])
        assert cloud.get(first)["instance"]["volume_attachments"] == []
        cloud.post(f"{second}attach-volumes/", volume_ids=ids)
        assert len(cloud.get(second)["instance"]["volume_attachments"]) == 2

    def test_a_firewall(self, cloud: Cloud) -> None:
        instance, firewall = cloud.running(), cloud.firewall()
        cloud.wait("5s")
        for _ in range(2):
            attached = cloud.post(f"{firewall}attach/", instance_ids=[identity(instance)])
            assert attached["instance_ids"] == [identity(instance)]
        assert cloud.refusal("DELETE", firewall)[:2] == (409, "in_use")
        cloud.delete(instance)
        cloud.wait("20s")
        assert cloud.delete(firewall)["firewall_id"] == identity(firewall)

    def test_a_script_may_go(self, cloud: Cloud) -> None:
        script = cloud.post("/scripts/", name="boot", script="#!/bin/sh")["script"]["id"]
        instance = cloud.deploy("trainer", script_id=script)
        assert cloud.delete(f"/scripts/{script}/")["script_ids"] == [script]
        assert cloud.get(instance)["instance"]["script_id"] is None


class TestNotThere:
    @pytest.mark.parametrize("operation", WITH_ID, ids=[operation.id for operation in WITH_ID])
    def test_what_another_account_has(self, cloud: Cloud, operation: Operation) -> None:
        reply = caller(cloud.handle, operation.id).ask(key="brk-new-1")
        assert (reply.status, reply.json["error"]) == (404, "not_found")
        assert reply.json["message"].endswith(" was not found")

    @pytest.mark.parametrize(
        ("path", "change"),
        [
            ("/instances/", {"ssh_key_ids": ["BRK-000000K"]}),
            ("/instances/", {"script_id": "BRK-000000SC"}),
            ("/instances/", {"os_image": "BRK-000000I"}),
            ("{instance}attach-volumes/", {"volume_ids": ["BRK-000000V"]}),
            ("{firewall}attach/", {"instance_ids": ["BRK-000000D"]}),
            ("/snapshots/", {"instance_id": "BRK-000000D", "snapshot_name": "s"}),
            ("/images/", {"snapshot_id": "BRK-000000S", "image_name": "i"}),
            ("/images/relationships/", {"snapshot_ids": ["BRK-000000S"]}),
        ],
    )
    def test_what_a_body_names(self, cloud: Cloud, path: str, change: dict[str, Any]) -> None:
        instance, firewall = cloud.running(), cloud.firewall()
        cloud.wait("5s")
        body = {**cloud.machine("more"), **change} if path == "/instances/" else change
        assert cloud.refused(path.format(instance=instance, firewall=firewall), **body) == (404, "not_found")

    def test_one_of_several(self, cloud: Cloud) -> None:
        ids = [cloud.post("/scripts/", name=name, script="x")["script"]["id"] for name in ("one", "two")]
        body = {"script_ids": [*ids, "BRK-000000SC"]}
        assert cloud.refusal("DELETE", "/scripts/", body)[:2] == (404, "not_found")
        assert cloud.get("/scripts/")["total"] == 2
        assert cloud.ask("DELETE", "/scripts/", {"script_ids": ids}).json["script_ids"] == ids
        assert cloud.get("/scripts/")["scripts"] == []

    def test_what_is_deleted_already(self, cloud: Cloud) -> None:
        instance, volume, firewall = cloud.running(), cloud.volume(), cloud.firewall()
        snapshot = cloud.snapshot(instance)
        cloud.wait("3m")
        image = cloud.image(snapshot)
        cloud.wait("2m")
        script = f"/scripts/{cloud.post('/scripts/', name='boot', script='x')['script']['id']}/"
        for path in (image, volume, instance):
            cloud.delete(path)
            assert cloud.refusal("DELETE", path)[:2] == (409, "illegal_state")
        cloud.wait("20s")
        cloud.delete(snapshot)
        cloud.wait("20s")
        for path in (script, firewall, f"/ssh-keys/{cloud.key()}/"):
            cloud.delete(path)
        for path in (image, snapshot, volume, instance, script, firewall, f"/ssh-keys/{cloud.key()}/"):
            assert cloud.refusal("DELETE", path)[:2] == (404, "not_found")

    def test_a_rule_of_another(self, cloud: Cloud) -> None:
        instances = cloud.running("first"), cloud.running("second")
        firewalls = cloud.firewall("first"), cloud.firewall("second")
        cloud.wait("5s")
        for (mine, other), name in ((instances, "security-rules"), (firewalls, "rules")):
            rule = cloud.post(f"{mine}{name}/", **RULE)["rule"]["rule_id"]
            assert cloud.refusal("DELETE", f"{other}{name}/{rule}/")[:2] == (404, "not_found")
            assert cloud.delete(f"{mine}{name}/{rule}/")["rule_id"] == rule


class TestLists:
    @pytest.mark.parametrize("path", LISTS)
    def test_an_account_that_owns_nothing(self, cloud: Cloud, path: str) -> None:
        found = cloud.get(path)
        assert (found["total"], found["page"], found["limit"], found["total_pages"]) == (0, 1, 20, 0)
        assert [value for value in found.values() if isinstance(value, list)] == [[]]

    @pytest.mark.parametrize("query", ["page=0", "page=x", "page=-1", "limit=0", "limit=101", "limit=1.5"])
    @pytest.mark.parametrize("path", LISTS)
    def test_pages_that_are_none(self, cloud: Cloud, path: str, query: str) -> None:
        assert cloud.refusal("GET", f"{path}?{query}")[:2] == (400, "invalid_request")

    def test_pages(self, cloud: Cloud) -> None:
        names = [f"s{number:02}" for number in range(25)]
        for name in names:
            cloud.post("/scripts/", name=name, script="x")

        def shown(query: str) -> tuple[list[str], tuple[int, ...]]:
            found = cloud.get(f"/scripts/?{query}")
            facts = tuple(found[name] for name in ("total", "page", "limit", "total_pages"))
            return [script["name"] for script in found["scripts"]], facts

        assert shown("") == (names[:20], (25, 1, 20, 2))
        assert shown("page=2") == (names[20:], (25, 2, 20, 2))
        assert shown("page=3&limit=10") == (names[20:], (25, 3, 10, 3))
        assert shown("page=4&limit=10") == ([], (25, 4, 10, 3))
        assert shown("limit=100") == (names, (25, 1, 100, 1))
        assert shown("page=999999999999&limit=1") == ([], (25, 999999999999, 1, 25))

    def test_filters(self, emulator: Emulation) -> None:
        cloud = Cloud(emulator, MAIN)

        def names(query: str) -> list[str]:
            return [one["vm_name"] for one in cloud.get(f"/instances/?{query}")["instances"]]

        assert names("") == ["research-a6000", "llm-h100", "batch-a6000"]
        assert names("tier=advanced") == names("tier=Advanced") == ["llm-h100"]
        assert names("status=SHUTOFF") == ["batch-a6000"]
        assert names("region=CANADA-1&status=ACTIVE") == ["research-a6000"]
        assert names("region=US-1") == []
        assert cloud.refusal("GET", "/instances/?status=active")[0] == 400

    def test_accounts_are_apart(self, emulator: Emulation) -> None:
        """Other keys share one account; each new key has its own."""
        one, other, main = (Cloud(emulator, key) for key in ("brk-new-1", "brk-new-2", MAIN))
        one.volume()
        assert [cloud.get("/volumes/")["total"] for cloud in (one, other, main)] == [1, 0, 2]
        main.volume()
        assert Cloud(emulator, "brk-somebody").get("/volumes/")["total"] == 3
