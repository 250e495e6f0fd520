"""https: who believes it, and that every fault is on it what it is without."""

import asyncio
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier
from typing import Any

import aiohttp
import httpx
import openai
import pytest
import requests
from openai import OpenAI
from test_fault_catalogue import CASES, Came, came
from wire_client import TlsWire, Wire, chat, outcome

from emulator import EmulatorServer, Handle, make_runtime

MESSAGES: Any = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    with EmulatorServer(make_runtime(["generalcompute", "peakprivacy"], pace=0), tls=True) as running:
        yield running


@pytest.fixture
def handle(server: EmulatorServer) -> Handle:
    server.tenant().reset()
    server.tenant().clock.freeze(1_800_000_000)
    return server["generalcompute"]


@pytest.fixture
def trusting(handle: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment as `handle.env` asks for it."""
    for name, value in handle.env.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("trusting")
def test_clients_that_are_told_whom_to_trust(handle: Handle) -> None:
    assert handle.base_url.startswith("https://127.0.0.1:")
    assert httpx.get(f"{handle.base_url}/models", headers=handle.headers).status_code == 200
    assert requests.get(f"{handle.base_url}/models", headers=handle.headers, timeout=20).status_code == 200
    with OpenAI(base_url=handle.base_url, api_key=handle.api_key) as client:
        stream = client.chat.completions.create(model=handle.models[0], messages=MESSAGES, stream=True)
        assert [chunk for chunk in stream if chunk.choices and chunk.choices[0].finish_reason == "stop"]


def test_addresses_in_replies_are_https(server: EmulatorServer) -> None:
    files = server.tenant("pages")["peakprivacy"]
    context = ssl.create_default_context(cafile=server.ca_file)
    with httpx.Client(headers=files.headers, verify=context) as client:
        first = client.get(f"{files.base_url}/files?limit=1").json()
        assert first["path"] == f"{files.base_url}/files"
        assert client.get(first["next_page_url"]).status_code == 200


def test_a_client_that_is_not_told_trusts_nobody(handle: Handle, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{handle.base_url}/models", trust_env=False)
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{handle.base_url}/models".replace("https", "http"))
    assert caplog.records == []


@pytest.mark.usefixtures("trusting")
def test_aiohttp_is_given_the_file(server: EmulatorServer, handle: Handle) -> None:
    """It looked at the variables when it was imported."""

    async def asked(trusted: ssl.SSLContext | bool) -> int:
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted)) as session,
            session.get(f"{handle.base_url}/models", headers=handle.headers) as reply,
        ):
            return reply.status

    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        asyncio.run(asked(True))
    assert asyncio.run(asked(ssl.create_default_context(cafile=server.tenant().ca_file))) == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "generalcompute.localhost"])
def test_names_of_the_server(server: EmulatorServer, handle: Handle, host: str) -> None:
    assert server.ca_file is not None
    with TlsWire(server.url, server.ca_file, host) as wire:
        assert wire.send(chat(server, handle)).reply().status == 200


def test_no_other_name(server: EmulatorServer) -> None:
    assert server.ca_file is not None
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        TlsWire(server.url, server.ca_file, "api.test")


LEAVING = pytest.mark.parametrize("leave", [Wire.hang_up, Wire.reset], ids=["FIN", "RST"])


@LEAVING
def test_an_unpaced_stream_stops_when_nobody_reads(server: EmulatorServer, handle: Handle, leave: Any) -> None:
    words = 40_000  # 8 MB of events: more than the sockets' buffers take
    handle.play([{"reply": {"text": "word " * words}}])
    assert server.ca_file is not None
    wire = TlsWire(server.url, server.ca_file, buffer=4096)
    wire.send(chat(server, handle, stream=True)).more()
    leave(wire)
    client = outcome(server, handle)
    assert client["hung_up"]
    assert client["frames_sent"] < words


@LEAVING
def test_a_client_that_leaves_is_noticed(server: EmulatorServer, handle: Handle, leave: Any) -> None:
    handle.fail(fault={"stall": {"at_event": 1, "duration": "1h"}})
    assert server.ca_file is not None
    wire = TlsWire(server.url, server.ca_file)
    wire.send(chat(server, handle, stream=True))
    while b"data: " not in wire.left:
        wire.more()
    leave(wire)
    assert outcome(server, handle)["hung_up"]


def replies(server: EmulatorServer) -> dict[str, Came]:
    """What a fresh server of seed 0 answers to the request of each fault of the catalogue."""
    server.tenant().clock.freeze(1_800_000_000)
    handle, found = server["generalcompute"], {}
    for name, (arguments, fields, _) in CASES.items():
        handle.reset()
        handle.fail(fault={name: arguments})
        found[name] = came(server, handle, fields)
    return found


def test_every_fault_is_the_same_within_tls() -> None:
    with ExitStack() as stack:
        plain, secure = (
            stack.enter_context(EmulatorServer(make_runtime(["generalcompute"], pace=0), tls=tls))
            for tls in (False, True)
        )
        assert replies(secure) == replies(plain)


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("name", ["reset", "close", "hang", "garbage", "bad_chunk_size", "content_length_too_long"])
def test_the_official_client_has_an_error(handle: Handle, name: str) -> None:
    handle.fail(fault={name: {"duration": "10ms"} if name == "hang" else {}})
    with (
        OpenAI(base_url=handle.base_url, api_key=handle.api_key, max_retries=0) as client,
        pytest.raises((openai.APIConnectionError, httpx.TransportError)),
    ):
        client.chat.completions.create(model=handle.models[0], messages=MESSAGES)


def test_servers_that_start_at_once_share_the_authority_they_keep(tmp_path: Path) -> None:
    file, start = tmp_path / "ca.pem", Barrier(4)

    def made(_: int) -> EmulatorServer:
        runtime = make_runtime(["generalcompute"], pace=0)
        start.wait()
        return EmulatorServer(runtime, tls=file)

    with ThreadPoolExecutor(4) as pool:
        servers = list(pool.map(made, range(4)))
    trust = ssl.create_default_context(cafile=file)
    for server in [*servers, EmulatorServer(make_runtime(["generalcompute"], pace=0), tls=file)]:
        with server:
            assert httpx.get(f"{server.url}/generalcompute/health", verify=trust).status_code == 200
    assert sorted(tmp_path.iterdir()) == [file, tmp_path / "ca.pem.key"]
