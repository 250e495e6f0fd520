"""barrack: prices, bills and what becomes of an account whose credit is gone."""

import re
from decimal import Decimal
from typing import Any

import pytest

from emulator import Emulation

from .cloud_client import ADVANCED, BEGIN, PROVIDER, ROUNDED, RULE, Cloud, identity
from .raw import key_order


@pytest.fixture
def cloud(emulator: Emulation) -> Cloud:
    emulator.clock.freeze(BEGIN)
    return Cloud(emulator, "brk-new-1")


def assert_is(found: Any, expected: Any) -> None:
    """The same values under the same keys in the same order."""
    assert found == expected
    assert key_order(found) == key_order(expected)


class TestDocumentedBodies:
    def test_instance_billing(self, cloud: Cloud) -> None:
        cloud.handle.use("keep-running")
        instance = cloud.running("my-vm", **ADVANCED)
        cloud.wait("7200m")
        found = cloud.get("/instances/billing/")
        record = {
            "billing_id": found["records"][0]["billing_id"],
            "instance_id": identity(instance),
            "vm_name": "my-vm",
            "gpu_type": "H100-SXM5-80GB",
            "gpu_count": 4,
            "tier": "advanced",
            "start_time": "2025-12-01T00:02:00Z",
            "end_time": None,
            "total_duration_minutes": 7200,
            "per_minute_rate": 0.166,
            "total_cost": 1195.2,
            "currency": "USD",
            "status": "active",
            "description": "Deployment billing - 7200 minutes for H100-SXM5-80GB x4 (my-vm)",
        }
        assert_is(found, page(record, deployments(7200, (1, 0, 0), 7200, 1195.2)))
        assert cloud.money() == 25 - Decimal("1195.2")

    def test_volume_billing(self, cloud: Cloud) -> None:
        volume = cloud.volume("my-volume", size_gb=1000, volume_type="HDD", tier="advanced", region="FIN-01")
        cloud.wait("480m15s")
        found = cloud.get("/volumes/billing/")
        record = {
            "billing_id": found["records"][0]["billing_id"],
            "volume_id": identity(volume),
            "volume_name": "my-volume",
            "size_gb": 1000,
            "tier": "Advanced",
            "start_time": "2025-12-01T00:00:15",
            "end_time": None,
            "total_duration_minutes": 480,
            "per_minute_rate": 0.00133,  # 0.08 a TB and hour, as the price list has it
            "total_cost": 0.64,
            "currency": "USD",
            "status": "available",
            "description": "Volume billing - 480 minutes at 1000GB (my-volume)",
        }
        summary = {"totalMinutes": 480, "activeCount": 1, "averageUsage": 480, "totalSizeGB": 1000, "totalCost": 0.64}
        assert_is(found, page(record, summary))
        assert re.fullmatch("VBILL_[0-9a-f]{10}", record["billing_id"])

    def test_snapshot_billing(self, cloud: Cloud) -> None:
        cloud.handle.use("keep-running")
        snapshot = cloud.snapshot(cloud.running(), "my-snapshot")
        cloud.wait("483m")
        found = cloud.get("/snapshots/billing/")
        record = {
            "billing_id": found["records"][0]["billing_id"],
            "snapshot_id": identity(snapshot),
            "snapshot_name": "my-snapshot",
            "size_gb": 100,
            "tier": "legacy",
            "start_time": "2025-12-01T00:05:00Z",
            "end_time": None,
            "total_duration_minutes": 480,
            "per_minute_rate": 0.00167,
            "total_cost": 0.8,
            "currency": "USD",
            "status": "active",
            "description": "Snapshot usage - 480 minutes for 100GB snapshot (my-snapshot)",
        }
        summary = {"totalMinutes": 480, "activeCount": 1, "averageUsage": 480, "totalSizeGB": 100, "totalCost": 0.8}
        assert_is(found, {**page(record, summary), "tier": "legacy"})

    def test_removed_rule(self, cloud: Cloud) -> None:
        instance = cloud.running()
        rule = cloud.post(f"{instance}security-rules/", **RULE)["rule"]["rule_id"]
        found = cloud.delete(f"{instance}security-rules/{rule}/")
        expected = {
            "success": True,
            "message": "Security rule removed successfully",
            "instance_id": identity(instance),
            "rule_id": rule,
            "tier": "legacy",
            "request_id": found["request_id"],
        }
        assert_is(found, expected)

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_pricing(self, cloud: Cloud, method: str) -> None:
        """The page sends the names without values in the query, and filters that the reply beside it ignores."""
        names = ("tier", "currency", "resource_type", "volume_size_gb", "volume_type", "gpu_model", "gpu_count")
        body = {"tier": "legacy", "currency": "USD", "resource_type": "volumes", "volume_type": "SSD", "gpu_count": 1}
        path = "/pricing/?" + "&".join(f"{name}=" for name in names)
        found = cloud.ask(method, path, body if method == "POST" else None).json
        data = found["pricing_data"]
        told = {kind: data[kind]["description"] for kind in ("volumes", "snapshots", "gpus")}
        expected = {
            "success": True,
            "message": "Pricing information retrieved successfully",
            "pricing_data": {
                "volumes": {
                    "pricing": {
                        "legacy": {"SSD": priced(0.1, 0.1, 10, unit="per TB per hour")},
                        "advanced": {
                            "HDD": priced(0.08, 0.1, 8, unit="per TB per hour"),
                            "NVMe": priced(0.3, 0.35, 30, unit="per TB per hour"),
                        },
                    },
                    "minimum_size_gb": 100,
                    "description": told["volumes"],
                },
                "snapshots": {
                    "pricing": {"legacy": priced(0.1, 0.1, 10, fixed_size_gb=100, unit="per hour (fixed 100GB)")},
                    "description": told["snapshots"],
                },
                "gpus": {
                    "pricing": {
                        "legacy": {
                            "H100-PCIe-NVLink-80GB": priced(2.29, 2.39, 199, max_count=8, unit="per GPU per hour"),
                            "RTX-A6000": priced(0.69, 0.75, 49, max_count=4, unit="per GPU per hour"),
                        },
                        "advanced": {
                            "B300-262GB": priced(5.79, 5.99, 499, max_count=8, unit="per GPU per hour"),
                            "H100-SXM5-80GB": priced(2.49, 2.69, 209, max_count=8, unit="per GPU per hour"),
                        },
                    },
                    "description": told["gpus"],
                },
                "metadata": {
                    "supported_currencies": ["USD", "EUR", "INR"],
                    "supported_tiers": ["legacy", "advanced"],
                    "volume_minimum_size_gb": 100,
                    "authenticated_user": "new",
                    "authentication_type": "api_key",
                    "timestamp": BEGIN,
                },
            },
            "request_id": found["request_id"],
        }
        assert_is(found, expected)


def page(record: dict[str, Any], summary: dict[str, Any]) -> dict[str, Any]:
    """A billing page of one record."""
    end = {"total": 1, "page": 1, "limit": 20, "total_pages": 1, "currency": "USD"}
    return {"success": True, "records": [record], "summary": summary, **end}


def deployments(minutes: int, counts: tuple[int, int, int], average: float, cost: float) -> dict[str, Any]:
    """The summary of instances; `counts`: how many records are active, completed and hibernated."""
    named = zip(("activeCount", "completedCount", "hibernatedCount"), counts, strict=True)
    return {"totalMinutes": minutes, **dict(named), "averageUsage": average, "totalCost": cost}


def priced(dollars: float, euros: float, rupees: int, **more: Any) -> dict[str, Any]:
    return {"prices": {"USD": dollars, "EUR": euros, "INR": rupees}, **more}


class TestPriceList:
    """It stands in the pricing page, and where bills are made from."""

    def test_gpus(self, cloud: Cloud) -> None:
        shown = cloud.get("/pricing/")["pricing_data"]["gpus"]["pricing"]
        billed = {(gpu["tier"], gpu["gpu_model"]): gpu for gpu in cloud.get("/gpu-specs/")["gpu_specs"]}
        assert len(shown["legacy"]) == len(shown["advanced"]) == 2
        for tier, models in shown.items():
            for model, entry in models.items():
                gpu = billed[tier, model]
                assert (gpu["prices"], gpu["max_count"]) == (entry["prices"], entry["max_count"])

    def test_volumes(self, cloud: Cloud) -> None:
        shown = cloud.get("/pricing/")["pricing_data"]["volumes"]["pricing"]
        billed: dict[str, dict[str, Any]] = {"legacy": {}, "advanced": {}}
        for kind in cloud.get("/volumes/types/")["volume_types"]:
            billed[kind["tier"]][kind["volume_type"]] = {"prices": kind["prices"], "unit": kind["unit"]}
        assert shown == billed

    def test_snapshots(self, cloud: Cloud) -> None:
        shown = cloud.get("/pricing/")["pricing_data"]["snapshots"]["pricing"]
        assert PROVIDER.accounts is not None
        seed = PROVIDER.accounts.kinds["snapshot_type"].seed
        assert {one["id"]: one["prices"] for one in seed} == {tier: one["prices"] for tier, one in shown.items()}

    def test_tokens(self, cloud: Cloud) -> None:
        pricing = cloud.get("/ai/models/")["models"][0]["pricing"]
        opening = cloud.money()
        talk: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
        usage = cloud.post("/ai/chat/", model="openai/gpt-oss-120b", **talk)["usage"]
        kinds = ("prompt", "completion")
        cost = sum(Decimal(str(pricing[f"{kind}_per_million"])) * usage[f"{kind}_tokens"] for kind in kinds) / 10**6
        assert (pricing["currency"], opening - cloud.money()) == ("USD", cost)


class TestBills:
    def agree(self, cloud: Cloud, opening: int = 25) -> None:
        """Every digit but those that a record's cost is rounded to."""
        assert abs(opening - cloud.money() - cloud.billed()) < ROUNDED
        for path in ("/instances/billing/", "/volumes/billing/", "/snapshots/billing/"):
            records, summary = cloud.records(path, limit=3), cloud.get(path)["summary"]
            assert sum(record["total_duration_minutes"] for record in records) == summary["totalMinutes"]
            assert abs(sum(record["total_cost"] for record in records) - Decimal(str(summary["totalCost"]))) < ROUNDED
            for record in records:
                exact = record["total_duration_minutes"] * record["per_minute_rate"]
                assert abs(record["total_cost"] - exact) <= record["total_duration_minutes"] * ROUNDED

    def test_they_agree_with_the_balance_at_any_moment(self, cloud: Cloud) -> None:
        question = {"model": "openai/gpt-oss-120b", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}
        instance = cloud.running()
        self.agree(cloud)
        volume = cloud.volume(size_gb=333)
        cloud.snapshot(instance)
        for wait in ("7m", "61s", "1h", "3m59s"):
            cloud.wait(wait)
            cloud.post("/ai/chat/", **question)
            self.agree(cloud)
        cloud.post(f"{volume}resize/", size_gb=777)
        cloud.post(f"{instance}stop/")
        cloud.wait("40s")
        self.agree(cloud)
        cloud.post(f"{instance}start/")
        cloud.wait("11h7s")
        self.agree(cloud)
        cloud.delete(instance)
        cloud.delete(volume)
        cloud.wait("12h")
        self.agree(cloud)

    def test_the_account_that_begins_with_resources_pays_for_them(self, emulator: Emulation) -> None:
        emulator.clock.freeze(BEGIN)
        cloud = Cloud(emulator, emulator["barrack"].api_key)
        assert cloud.money() == 25
        cloud.wait("1h")
        # Two RTX-A6000, one of them shut off; one hibernated; 600 GB of volumes; two snapshots.
        assert 25 - cloud.money() == Decimal("0.69") * 2 + Decimal("0.01") + Decimal("0.06") + Decimal("0.20")
        self.agree(cloud)

    def test_the_summary_is_about_all_records(self, cloud: Cloud) -> None:
        instance = cloud.running()
        for minutes in (10, 20, 40):
            cloud.wait(f"{minutes}m")
            cloud.post(f"{instance}reboot/")
            cloud.wait("40s")
        cloud.post(f"{instance}hibernate/")
        cloud.wait("6m")
        for number in (1, 2, 3, 4):
            found = cloud.get(f"/instances/billing/?limit=2&page={number}")
            assert found["summary"] == deployments(75, (0, 4, 1), 15, 0.805833)
            assert (found["total"], found["page"], found["limit"], found["total_pages"]) == (5, number, 2, 3)
            assert len(found["records"]) == (2, 2, 1, 0)[number - 1]

    def test_a_volume_is_deleted_on_its_bill_when_it_is_gone(self, cloud: Cloud) -> None:
        def told() -> list[tuple[Any, ...]]:
            return [(one["size_gb"], one["end_time"], one["status"]) for one in cloud.records("/volumes/billing/")]

        volume = cloud.volume()
        cloud.wait("75s")
        cloud.post(f"{volume}resize/", size_gb=200)
        cloud.wait("60s")
        assert told() == [(100, "2025-12-01T00:01:15", "available"), (200, None, "available")]
        cloud.delete(volume)
        for wait, status in (("9s", "deleting"), ("1s", "deleted")):
            cloud.wait(wait)
            assert told() == [(100, "2025-12-01T00:01:15", status), (200, "2025-12-01T00:02:15", status)]

    def test_a_volume_is_in_use_on_its_bill(self, cloud: Cloud) -> None:
        instance, volume = cloud.running(), cloud.volume()
        cloud.wait("15s")
        cloud.post(f"{instance}attach-volumes/", volume_ids=[identity(volume)])
        assert [one["status"] for one in cloud.records("/volumes/billing/")] == ["in-use"]

    def test_minutes_that_are_not_whole_are_free(self, cloud: Cloud) -> None:
        instance = cloud.running()
        for _ in range(5):
            cloud.wait("59s")
            cloud.post(f"{instance}reboot/")
            cloud.wait("40s")
        assert cloud.money() == 25
        assert [record["total_cost"] for record in cloud.records("/instances/billing/")] == [0] * 6

    @pytest.mark.parametrize(
        ("currency", "opening", "running", "asleep", "disk", "rate"),
        [("EUR", 25, "1.50", "0.01", "0.10", "0.025"), ("INR", 2000, "98", "1.00", "10", "1.63333")],
    )
    def test_currencies(
        self, emulator: Emulation, currency: str, opening: int, running: str, asleep: str, disk: str, rate: str
    ) -> None:
        emulator.clock.freeze(BEGIN)
        cloud = Cloud(emulator, f"brk-{currency.lower()}-1")
        instance = cloud.running(gpu_count=2)
        assert cloud.get("/balance/")["data"]["balance"] == {"amount": opening, "currency": currency}
        cloud.wait("2h")
        assert opening - cloud.money() == 2 * Decimal(running)
        cloud.volume(size_gb=1000)
        cloud.post(f"{instance}hibernate/")
        cloud.wait("10h1m")
        expected = 2 * Decimal(running) + 10 * Decimal(asleep) + 10 * Decimal(disk)
        assert abs(opening - cloud.money() - expected) < ROUNDED
        assert cloud.records("/instances/billing/")[0]["per_minute_rate"] == Decimal(rate)
        assert {record["currency"] for record in cloud.records("/volumes/billing/")} == {currency}
        assert cloud.get("/snapshots/billing/")["currency"] == currency
        self.agree(cloud, opening)


class TestNothingLeft:
    def dry(self, cloud: Cloud, *variants: str) -> str:
        """Four RTX-A6000, 0.046 a minute: 25.00 are used up after 544 minutes."""
        cloud.handle.use(*variants)
        return cloud.running(gpu_count=4)

    def test_it_happens_in_the_minute_that_uses_the_credit_up(self, cloud: Cloud) -> None:
        instance = self.dry(cloud)
        cloud.wait("543m59s")
        assert (cloud.status(instance), cloud.money()) == ("ACTIVE", Decimal("0.022"))
        cloud.wait("1s")
        assert (cloud.money(), cloud.status(instance)) == (Decimal("-0.024"), "HIBERNATING")
        cloud.wait("60s")
        assert (cloud.status(instance), cloud.stock()) == ("HIBERNATED", 12)

    def test_whoever_looks_later_sees_the_same(self, cloud: Cloud) -> None:
        instance = self.dry(cloud)
        cloud.wait("20h")
        assert cloud.status(instance) == "HIBERNATED"
        ran, sleeps = cloud.records("/instances/billing/")
        assert (ran["total_duration_minutes"], ran["end_time"]) == (544, "2025-12-01T09:06:00Z")
        assert (sleeps["start_time"], sleeps["status"]) == ("2025-12-01T09:07:00Z", "hibernated")
        assert abs(25 - cloud.money() - cloud.billed()) < ROUNDED

    def test_instances_keep_running(self, cloud: Cloud) -> None:
        instance = self.dry(cloud, "keep-running")
        cloud.wait("20h")
        assert cloud.status(instance) == "ACTIVE"
        assert cloud.money() == 25 - Decimal("0.046") * 1200
        assert cloud.refused("/instances/", **cloud.machine("more")) == (402, "insufficient_funds")

    def test_instances_are_stopped(self, cloud: Cloud) -> None:
        instance = self.dry(cloud, "stop")
        cloud.wait("544m")
        assert cloud.status(instance) == "STOPPING"
        cloud.wait("656m")
        assert (cloud.status(instance), cloud.stock()) == ("SHUTOFF", 8)
        assert [record["total_duration_minutes"] for record in cloud.records("/instances/billing/")] == [544, 655]
        assert cloud.refused("/instances/", **cloud.machine("more")) == (402, "insufficient_funds")

    def test_a_start_without_credit_ends_hibernated(self, cloud: Cloud) -> None:
        instance = self.dry(cloud)
        cloud.post(f"{instance}stop/")
        cloud.wait("20h")
        assert (cloud.status(instance), cloud.money() < 0) == ("SHUTOFF", True)
        cloud.post(f"{instance}start/")
        for wait, state, stock in (("29s", "STARTING", 8), ("1s", "HIBERNATING", 8), ("60s", "HIBERNATED", 12)):
            cloud.wait(wait)
            assert (cloud.status(instance), cloud.stock()) == (state, stock)


# As the menu of the page lists them.
SCHEMAS = """
AITransaction AddFirewallRuleRequest AddFirewallRuleResponse AddVMSecurityRuleResponse AggregatedBillingResponse
AttachFirewallRequest AttachFirewallResponse AttachVolumesRequest AttachVolumesResponse AttachedFirewall Balance
BatchSnapshotImageRelationshipResponse Billing BillingRecord BillingSummary ChatCompletionsRequest
ChatCompletionsResponse CloneVolumeRequest CloneVolumeResponse CreateFirewallRequest CreateFirewallResponse
CreateImageFromSnapshotRequest CreateSSHKeyRequest CreateSSHKeyResponse CreateScriptRequest CreateSnapshotRequest
CreateSnapshotResponse CreateVolumeRequest CreateVolumeResponse CreditBalanceResponse CurrencyEnum Data
DeleteFirewallResponse DeleteSSHKeyResponse DeleteSnapshotResponse DeleteVMResponse DeleteVolumeResponse
DeploymentRequest DeploymentResponse DetachVolumesRequest DetachVolumesResponse DirectionEnum ErrorResponse
EthertypeEnum FirewallAttachment FirewallEnvironment FirewallResponse FirewallRule FirewallVM GPUSpec GPUSpecsResponse
GPUStockConfiguration GPUStockItem GPUStocksResponse GetBatchSnapshotImageRelationshipsRequest
GetFirewallDetailsResponse GetHibernatedVMsResponse GetSSHKeysResponse GetSupportedProtocolsResponse
GetVMAttachedFirewallsResponse GetVolumeDetailsResponse GetVolumeTypesResponse GetVolumesWithNextNameResponse
GpuCountEnum GpuModelEnum HibernateVMResponse HibernationBillingMetrics Image ImageCreateResponse ImageDeleteResponse
ImageDetailResponse ImageListResponse ListFirewallsResponse ListUserVMsResponse ListVMsResponse ModelsResponse OSImage
OSImagesResponse Pagination Price PricingRequest PricingResponse Protocol ProtocolEnum RebootVMResponse
RecentHibernation Region RegionEnum RegionsResponse RemoveFirewallRuleResponse RemoveVMSecurityRuleResponse
ResizeVolumeRequest ResizeVolumeResponse ResourceTypeEnum RestoreSnapshotRequest RestoreSnapshotResponse
RestoreVMResponse SSHKeyResponse Script ScriptListResponse Snapshot SnapshotImageRelationshipResponse Specs
SpecsMetadata StartVMResponse StopVMResponse TierEnum ToggleVMPublicIPResponse UpdateScriptRequest
UsageHistoryResponse UsageSummaryResponse UserVM VMDetailsResponse VMFlavor VMImage VMInstance VMResponse
VMSecurityRule VMSecurityRuleRequest VMStatus VMVolumeAttachment VolumeBillingRecord VolumeBillingSummary
VolumeHourlyBillingResponse VolumeResponse VolumeTypeEnum
"""


def test_every_schema_of_the_menu_has_its_name() -> None:
    assert set(SCHEMAS.split()) <= set(PROVIDER.document["components"]["schemas"])


def test_a_whole_number_may_be_written_with_a_point(cloud: Cloud) -> None:
    """To JSON Schema, 2.0 is an integer."""
    path = cloud.running(gpu_count=2.0)
    assert cloud.get(path)["instance"]["gpu_count"] == 2
    assert cloud.stock() == 10
