"""How a request finds its provider and its tenant."""

import asyncio
from urllib.parse import quote

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from emulator import create_app

from .serving import Served

MODELS = "/generalcompute/v1/models"
HOST = "api.generalcompute.com"


def _root(served: Served) -> str:
    """General Compute's own port."""
    return next(url for url in served.starting("export GENERALCOMPUTE_BASE_URL=")).removesuffix("/v1")


def test_path_prefix(served: Served) -> None:
    assert served.get(MODELS).json()["data"]


@pytest.mark.parametrize("path", ["/v1/models", MODELS, "/models"])
def test_own_port(served: Served, path: str) -> None:
    reply = httpx.get(_root(served) + path, headers={"Authorization": "Bearer any-key"})
    assert (reply.status_code, reply.json()) == (200, served.get(MODELS).json())


def test_own_port_with_a_tenant(served: Served, tenant: str) -> None:
    reply = httpx.get(f"{_root(served)}/~{tenant}/v1/models", headers={"Authorization": "Bearer any-key"})
    assert reply.status_code == 200
    assert served.journal(tenant) == [("generalcompute", "/v1/models", 200)]


@pytest.mark.parametrize(
    "host", [HOST, HOST.upper(), f"{HOST}:443", "generalcompute.localhost", "generalcompute.localhost:8000"]
)
def test_host_header(served: Served, tenant: str, host: str) -> None:
    assert served.get(f"/~{tenant}/v1/models", Host=host).status_code == 200
    assert served.journal(tenant) == [("generalcompute", "/v1/models", 200)]


def test_address_of_nobody(served: Served) -> None:
    reply = served.get("/nope/v1/models")
    assert reply.status_code == 404
    assert "generalcompute" in reply.text


def test_tenant_in_the_path(served: Served, tenant: str) -> None:
    assert served.get(f"/~{tenant}{MODELS}").status_code == 200
    assert served.journal(tenant) == [("generalcompute", "/v1/models", 200)]


def test_tenant_in_the_key(served: Served, tenant: str) -> None:
    assert served.get(MODELS, f"any-key~{tenant}").status_code == 200
    assert served.journal(tenant) == [("generalcompute", "/v1/models", 200)]


def test_test_key_with_a_tenant(served: Served, tenant: str) -> None:
    assert served.get(MODELS, f"emu-rate_limited~{tenant}").status_code == 429
    assert served.journal(tenant) == [("generalcompute", "/v1/models", 429)]


def test_path_wins_over_the_key(served: Served, tenant: str) -> None:
    served.get(f"/~{tenant}{MODELS}", f"any-key~{tenant}-key")
    assert len(served.journal(tenant)) == 1
    assert served.journal(f"{tenant}-key") == []


def test_tenants_are_isolated(served: Served, tenant: str) -> None:
    other = f"{tenant}-other"
    served.control("clock", {"freeze": 1_800_000_000}, tenant)
    served.control("fail", {"provider": "generalcompute", "refuse": "unavailable", "times": 1}, tenant)
    served.control("variant", {"provider": "barrack", "names": ["both"]}, tenant)
    assert not served.control("clock", tenant=other).json()["frozen"]
    assert served.get(f"/~{other}{MODELS}").headers["x-ratelimit-remaining-requests"] == "99"
    assert served.get(f"/~{tenant}{MODELS}").status_code == 503
    choice = served.chat(f"/~{other}/barrack/api/ai/chat/", model="openai/gpt-oss-120b").json()["choices"][0]
    assert "message" not in choice
    served.control("reset", {}, tenant)
    assert served.journal(tenant) == []
    assert len(served.journal(other)) == 2


@pytest.mark.parametrize(
    ("name", "fit"), [("a b", "a-b"), ("", "blue"), ("test_x[1]", "test_x-1"), ("ä", "blue"), ("~x", "x")]
)
@pytest.mark.parametrize("path", [MODELS, "/_emulator/journal"])
def test_a_tenant_that_cannot_be(served: Served, path: str, name: str, fit: str) -> None:
    reply = served.get(f"/~{quote(name)}{path}")
    assert reply.status_code == 404
    assert reply.json()["emulator"] == {
        "message": f"no tenant can be called {name!r}",
        "hint": f"names have letters, digits, `_`, `.` and `-`: /~{fit}/",
    }


@pytest.mark.parametrize("prefix", ["", "/emulated"])
def test_within_another_application(prefix: str) -> None:
    """`create_app` gives an application of Starlette, which can be a part of another one."""
    whole = Starlette(routes=[Mount(prefix, app=create_app(["generalcompute"]))])

    async def asked(path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(whole), base_url="http://any") as client:
            return await client.get(prefix + path, headers={"Authorization": "Bearer gc_x"})

    assert asyncio.run(asked("/~blue/generalcompute/v1/models")).json()["object"] == "list"
    assert [e["path"] for e in asyncio.run(asked("/~blue/_emulator/journal")).json()] == ["/v1/models"]
