"""barrack: which SSH keys are taken, what is told of them, and a tier in either letter case."""

from typing import Any

import pytest

from emulator import Emulation

from .cloud_client import ADVANCED, DISK, Cloud


@pytest.fixture
def cloud(emulator: Emulation) -> Cloud:
    return Cloud(emulator, "brk-new-1")


class TestKeys:
    def test_one_that_is_made_here(self, cloud: Cloud) -> None:
        made = cloud.post("/ssh-keys/", name="laptop")
        key = made["ssh_key"]
        assert (key["type"], key["size"], key["source"]) == ("RSA", 2048, "created")
        assert "PRIVATE KEY" in made["private_key"]
        assert cloud.get("/ssh-keys/")["ssh_keys"] == [key]

    @pytest.mark.parametrize(
        ("kind", "told", "size"),
        [
            ("ssh-rsa", "RSA", 2048),
            ("ssh-ed25519", "Ed25519", 256),
            ("ssh-dss", "DSA", 1024),
            ("ecdsa-sha2-nistp256", "ECDSA", 256),
            ("ecdsa-sha2-nistp384", "ECDSA", 384),
            ("ecdsa-sha2-nistp521", "ECDSA", 521),
        ],
    )
    @pytest.mark.parametrize("comment", ["", " me@laptop", " my work laptop (2024)"])
    def test_one_that_is_imported(self, cloud: Cloud, kind: str, told: str, size: int, comment: str) -> None:
        text = f"{kind} AAAAC3Nz+/=={comment}"
        key = cloud.post("/ssh-keys/", name="laptop", public_key=text)["ssh_key"]
        assert (key["type"], key["size"], key["source"], key["public_key"]) == (told, size, "imported", text)

    @pytest.mark.parametrize(
        "text", ["", "AAAA", "ssh-rsa", "ssh-rsa  AAAA", "ecdsa-sha2-nistp512 AAAA", "ssh-rsa AAAA a\nssh-rsa AAAA b"]
    )
    def test_one_that_is_none(self, cloud: Cloud, text: str) -> None:
        assert cloud.refused("/ssh-keys/", name="laptop", public_key=text) == (400, "invalid_request")


class TestTier:
    """Lower case in most places, with a capital in a bill: both are taken, and the lower is told."""

    def test_in_bodies(self, cloud: Cloud) -> None:
        instance = cloud.deploy("trainer", **{**ADVANCED, "tier": "Advanced"})
        assert cloud.get(instance)["instance"]["tier"] == "advanced"
        volume = cloud.volume("data", **{**DISK, "tier": "Legacy"})
        assert cloud.get(volume)["volume"]["tier"] == "legacy"
        told = (400, "invalid_request", "region FIN-01 is not in tier Legacy")
        body = {"volume_name": "more", **DISK, "tier": "Legacy", "region": "FIN-01"}
        assert cloud.refusal("POST", "/volumes/", body) == told

    @pytest.mark.parametrize(
        "path", ["/regions/", "/gpu-specs/", "/gpu-stocks/", "/os-images/", "/volumes/types/", "/volumes/"]
    )
    def test_in_filters(self, cloud: Cloud, path: str) -> None:
        def shown(query: str) -> Any:
            return {**cloud.get(path + query), "request_id": None}

        cloud.volume()
        assert shown("?tier=Legacy") == shown("?tier=legacy") != shown("?tier=Advanced") == shown("?tier=advanced")

    @pytest.mark.parametrize("tier", ["Legacy", "Advanced"])
    def test_in_pricing(self, cloud: Cloud, tier: str) -> None:
        assert cloud.get(f"/pricing/?tier={tier}")["pricing_data"].keys() >= {"gpus"}
        assert cloud.post("/pricing/", tier=tier)["success"]

    def test_of_another_spelling(self, cloud: Cloud) -> None:
        told = (400, "invalid_request", "tier must be one of legacy, advanced, Legacy, Advanced")
        assert cloud.refusal("GET", "/regions/?tier=basic") == told
