"""Faults that connections meet before any request: on the socket, and what applications make of them."""

import asyncio
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import aiohttp
import httpx
import openai
import pytest
import requests
from openai import OpenAI
from wire_client import TlsWire, Wire, answered, chat

from emulator import CommandError, Emulation, EmulatorServer, Handle, make_runtime
from emulator.mechanisms.fault_catalogue import FAULTS, OF_CONNECTIONS
from emulator.mechanisms.tenants import DEFAULT_TENANT

MESSAGES: Any = [{"role": "user", "content": "Hello"}]
CLIENT_HELLO = bytes.fromhex("160301")
SHORT = 0.3  # seconds


def patience(fault: str) -> float:
    """A client's timeout: short where it is what the test waits for."""
    return SHORT if fault in ("accept_and_hang", "tls_stall") else 20.0


def serving(*, tls: bool) -> EmulatorServer:
    """One provider on the main port, another on a port of its own as well."""
    server = EmulatorServer(make_runtime(["generalcompute", "nugen"], pace=0), tls=tls)
    server.own_port("nugen")
    return server


@pytest.fixture(scope="module")
def plain() -> Iterator[EmulatorServer]:
    with serving(tls=False) as server:
        yield server


@pytest.fixture(scope="module")
def secure() -> Iterator[EmulatorServer]:
    with serving(tls=True) as server:
        yield server


@pytest.fixture
def emulation(secure: EmulatorServer) -> Iterator[Emulation]:
    """On https, where every fault can be. Afterwards connections come in as ever."""
    emulation = secure.tenant()
    yield emulation
    emulation.reset()
    assert [entrance.fault for entrance in secure.runtime.entrances] == [None, None]
    assert httpx.get(f"{secure.url}/_emulator/health", verify=trust(emulation)).status_code == 200


def trust(emulation: Emulation) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=emulation.ca_file)


def healthy(server: EmulatorServer, url: str) -> bool:
    """Whether a connection to an address is served."""
    asked = b"GET /_emulator/health HTTP/1.1\r\nHost: x\r\n\r\n"
    with Wire(url) if server.ca_file is None else TlsWire(url, server.ca_file) as wire:
        return wire.send(asked).reply().status == 200


# as a socket sees them


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_refuse(plain: EmulatorServer, secure: EmulatorServer, tls: bool) -> None:
    server = secure if tls else plain
    with server.tenant().connections("refuse"):
        for url in (server.url, server.root("nugen")):
            with pytest.raises(ConnectionRefusedError):
                Wire(url)
    assert healthy(server, server.url)
    assert healthy(server, server.root("nugen"))


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_accept_and_hang(plain: EmulatorServer, secure: EmulatorServer, tls: bool) -> None:
    server = secure if tls else plain
    with server.tenant().connections("accept_and_hang") as disturbance:
        silent = Wire(server.url).send(CLIENT_HELLO if tls else b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        silent.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.socket.recv(1)
        silent.socket.settimeout(20)
        disturbance.lift()
        with suppress(ConnectionResetError):  # what was sent was never read
            assert silent.rest() == b""
        silent.hang_up()
    assert healthy(server, server.url)


def test_tls_stall(secure: EmulatorServer, emulation: Emulation) -> None:
    """What comes is read, however much it is."""
    with emulation.connections("tls_stall") as disturbance, Wire(secure.url) as wire:
        wire.send(CLIENT_HELLO + bytes(4_000_000))
        wire.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            wire.socket.recv(1)
        wire.socket.settimeout(20)
        disturbance.lift()
        with suppress(ConnectionResetError):  # of what is still on its way
            assert wire.rest() == b""


@pytest.mark.parametrize(
    ("fault", "told"), [("tls_expired", "certificate has expired"), ("tls_wrong_host", "Hostname mismatch")]
)
def test_certificates(secure: EmulatorServer, emulation: Emulation, fault: str, told: str) -> None:
    assert emulation.ca_file is not None
    with emulation.connections(fault):
        with pytest.raises(ssl.SSLCertVerificationError, match=told):
            TlsWire(secure.url, emulation.ca_file)
        reply = httpx.get(f"{secure.url}/_emulator/health", verify=False)  # noqa: S501
        assert reply.status_code == 200  # to those who do not look


def test_the_certificate_for_another_host_is_right_there(secure: EmulatorServer, emulation: Emulation) -> None:
    assert emulation.ca_file is not None
    with emulation.connections("tls_wrong_host"), TlsWire(secure.url, emulation.ca_file, "elsewhere.test") as wire:
        assert wire.send(chat(secure, emulation["generalcompute"])).reply().status == 200


# which connections


def test_as_many_as_asked_for(plain: EmulatorServer) -> None:
    with plain.tenant().connections("accept_and_hang", times=2):
        hanging = [Wire(plain.url).send(b"GET / HTTP/1.1\r\n") for _ in range(2)]
        assert [healthy(plain, plain.url) for _ in range(3)] == [True] * 3
        for wire in hanging:
            wire.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                wire.socket.recv(1)
            wire.hang_up()


def test_only_a_providers_own_port(plain: EmulatorServer) -> None:
    with plain.tenant().connections("refuse", provider="nugen"):
        assert healthy(plain, plain.url)
        with pytest.raises(ConnectionRefusedError):
            Wire(plain.root("nugen"))
    assert healthy(plain, plain.root("nugen"))


def test_time_ends_it_by_itself(plain: EmulatorServer) -> None:
    plain.tenant().connections("refuse", lasts="20ms")
    transport = httpx.HTTPTransport(retries=20)  # which wait longer from one to the next
    with httpx.Client(transport=transport) as client:
        assert client.get(f"{plain.url}/_emulator/health").status_code == 200


def test_one_within_another(emulation: Emulation, secure: EmulatorServer) -> None:
    """The latest is in force, and the one before it again at its end."""
    found = []

    def note() -> None:
        found.append(secure.runtime.entrances[0].fault)

    with emulation.connections("tls_expired"):
        with emulation.connections("refuse"):
            note()
        note()
        with emulation.connections("tls_wrong_host"), emulation.connections("refuse", provider="nugen"):
            note()
    note()
    assert found == ["refuse", "tls_expired", "tls_wrong_host", None]


def test_a_client_that_keeps_its_connection_meets_it_too(plain: EmulatorServer) -> None:
    url = f"{plain.url}/_emulator/health"
    with httpx.Client() as client:
        assert client.get(url).status_code == 200
        with plain.tenant().connections("refuse"), pytest.raises(httpx.ConnectError):
            client.get(url)
        assert client.get(url).status_code == 200


@pytest.mark.parametrize("fault", OF_CONNECTIONS)
def test_streams_that_are_under_way_are_not_disturbed(secure: EmulatorServer, emulation: Emulation, fault: str) -> None:
    handle = emulation["generalcompute"]
    handle.fail(fault={"stall": {"at_event": 2, "duration": "50ms"}})
    assert emulation.ca_file is not None
    with TlsWire(secure.url, emulation.ca_file) as wire:
        wire.send(chat(secure, handle, stream=True))
        while b"data: " not in wire.left:
            wire.more()
        with emulation.connections(fault):
            reply = wire.reply()
            assert reply.complete
            assert reply.body.endswith(b"data: [DONE]\n\n")


def test_two_hundred_streams_beside_every_fault_of_connections(secure: EmulatorServer, emulation: Emulation) -> None:
    """All are open, halfway, while connections beside them come to nothing in every way there is."""
    handle, count = emulation["generalcompute"], 200
    assert emulation.ca_file is not None
    handle.play([{"times": count, "fault": {"stall": {"at_event": 3, "duration": "1s"}}}])
    asked = chat(secure, handle, stream=True)
    keys = [f"key-{i}".encode() for i in range(4)]  # each has limits of its own
    wires = [TlsWire(secure.url, emulation.ca_file) for _ in range(count)]
    try:
        for i, wire in enumerate(wires):
            wire.send(asked.replace(handle.api_key.encode(), keys[i % 4]))
        for fault in OF_CONNECTIONS:
            with emulation.connections(fault), pytest.raises(httpx.TransportError):
                httpx.get(f"{secure.url}/_emulator/health", timeout=0.05, verify=trust(emulation))
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(Wire.reply, wires))
    finally:
        for wire in wires:
            wire.hang_up()
    assert all(reply.complete and reply.body.endswith(b"data: [DONE]\n\n") for reply in replies)


# what an application gets

SEEN = {
    "refuse": ("ConnectError", "Connection refused"),
    "accept_and_hang": ("ConnectTimeout", ""),
    "tls_stall": ("ConnectTimeout", ""),
    "tls_expired": ("ConnectError", "certificate has expired"),
    "tls_wrong_host": ("ConnectError", "certificate is not valid for"),
}


@pytest.mark.parametrize("fault", OF_CONNECTIONS)
def test_httpx(emulation: Emulation, fault: str) -> None:
    """The same over the socket and in-process."""
    url = f"{emulation['generalcompute'].base_url}/models"
    for options in ({"verify": trust(emulation)}, {"transport": emulation.transport()}):
        client: Any = httpx.Client(timeout=patience(fault), **options)
        with client, emulation.connections(fault):
            with pytest.raises(httpx.TransportError) as error:
                client.get(url)
            assert (type(error.value).__name__, SEEN[fault][1] in str(error.value)) == (SEEN[fault][0], True)


@pytest.mark.parametrize("fault", OF_CONNECTIONS)
def test_openai(emulation: Emulation, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = emulation["generalcompute"]
    for name, value in handle.env.items():
        monkeypatch.setenv(name, value)
    expected = openai.APITimeoutError if "Timeout" in SEEN[fault][0] else openai.APIConnectionError
    with OpenAI(base_url=handle.base_url, api_key=handle.api_key, max_retries=0) as client:
        impatient = client.with_options(timeout=patience(fault))
        with emulation.connections(fault), pytest.raises(openai.APIConnectionError) as error:
            impatient.chat.completions.create(model=handle.models[0], messages=MESSAGES)
        assert type(error.value) is expected
        assert client.chat.completions.create(model=handle.models[0], messages=MESSAGES).choices


def test_openai_tries_again(plain: EmulatorServer) -> None:
    handle = plain.tenant()["generalcompute"]
    with (
        plain.tenant().connections("accept_and_hang", times=1),
        OpenAI(base_url=handle.base_url, api_key=handle.api_key, max_retries=1, timeout=1) as client,
    ):
        assert client.chat.completions.create(model=handle.models[0], messages=MESSAGES).choices


def test_hang_over_http_is_a_read_timeout(plain: EmulatorServer) -> None:
    emulation = plain.tenant()
    url = f"{emulation['generalcompute'].base_url}/models"
    for transport in (None, emulation.transport()):
        with (
            httpx.Client(transport=transport, timeout=SHORT) as client,
            emulation.connections("accept_and_hang"),
            pytest.raises(httpx.ReadTimeout),
        ):
            client.get(url)


REQUESTS = {
    "refuse": requests.ConnectionError,
    "accept_and_hang": requests.Timeout,
    "tls_stall": requests.Timeout,
    "tls_expired": requests.exceptions.SSLError,
    "tls_wrong_host": requests.exceptions.SSLError,
}
AIOHTTP = {
    "refuse": aiohttp.ClientConnectorError,
    "accept_and_hang": aiohttp.ConnectionTimeoutError,
    "tls_stall": aiohttp.ConnectionTimeoutError,
    "tls_expired": aiohttp.ClientConnectorCertificateError,
    "tls_wrong_host": aiohttp.ClientConnectorCertificateError,
}


@pytest.mark.parametrize("fault", OF_CONNECTIONS)
def test_interception_raises_what_the_library_does_on_a_socket(
    emulation: Emulation, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = emulation["generalcompute"]
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(emulation.ca_file))
    inside = Emulation(make_runtime(["generalcompute"], pace=0), DEFAULT_TENANT, None, {})

    async def asynchronous(url: str) -> None:
        timeout = aiohttp.ClientTimeout(sock_connect=patience(fault))
        async with aiohttp.ClientSession(timeout=timeout) as session:
            with pytest.raises(AIOHTTP[fault]):
                await session.get(url, ssl=trust(emulation))

    for given, base in ((emulation, handle.base_url), (inside, inside["generalcompute"].base_url)):
        with inside.intercept(), given.connections(fault):
            with pytest.raises(REQUESTS[fault]):
                requests.get(f"{base}/models", timeout=patience(fault))
            asyncio.run(asynchronous(f"{base}/models"))
    with inside.intercept():
        assert requests.get(f"{inside['generalcompute'].base_url}/models", timeout=20).status_code == 401


def heard(fault: str, address: str) -> list[str]:
    """What clients of every library within an interception, and an in-process one, make of an address."""

    async def asynchronous() -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(sock_connect=patience(fault))) as session:
            await session.get(address)

    found = []
    for ask in (
        lambda: httpx.get(address, timeout=patience(fault)),
        lambda: requests.get(address, timeout=patience(fault)),
        lambda: asyncio.run(asynchronous()),
    ):
        try:
            ask()
            found.append("a reply")
        except (httpx.TransportError, requests.ConnectionError, requests.Timeout, aiohttp.ClientError) as error:
            found.append(type(error).__name__)
    return found


@pytest.mark.parametrize("fault", OF_CONNECTIONS)
def test_a_providers_own_port_is_what_its_real_address_stands_for(emulation: Emulation, fault: str) -> None:
    own, other = "https://api.nugen.in/health", "https://api.generalcompute.com/health"
    of_requests = "ReadTimeout" if REQUESTS[fault] is requests.Timeout else REQUESTS[fault].__name__
    told = [SEEN[fault][0], of_requests, AIOHTTP[fault].__name__]
    with emulation.intercept(), emulation.connections(fault, provider="nugen"):
        assert heard(fault, other) == ["a reply"] * 3
        assert heard(fault, own) == told
        with httpx.Client(transport=emulation.transport(), timeout=patience(fault)) as client:
            assert client.get(other).status_code == 200
            with pytest.raises(httpx.TransportError):
                client.get(own)


def test_as_many_connections_in_process_as_asked_for(plain: EmulatorServer) -> None:
    """Whether of all ports, or of one."""
    with httpx.Client(transport=plain.tenant().transport(), timeout=0.01) as client:
        for provider in (None, "nugen"):
            with plain.tenant().connections("accept_and_hang", provider=provider, times=2):
                for _ in range(2):
                    with pytest.raises(httpx.TimeoutException):
                        client.get("https://api.nugen.in/health")
                assert client.get("https://api.nugen.in/health").status_code == 200


# what cannot be


@pytest.mark.parametrize("fault", [name for name in OF_CONNECTIONS if FAULTS[name].layer == "handshake"])
def test_a_handshake_needs_tls(plain: EmulatorServer, fault: str) -> None:
    with pytest.raises(CommandError, match=rf"{fault} needs https: `emulator serve --tls`"):
        plain.tenant().connections(fault)


@pytest.mark.parametrize("fault", OF_CONNECTIONS)
def test_no_request_can_meet_it(plain: EmulatorServer, fault: str) -> None:
    handle: Handle = plain.tenant()["generalcompute"]
    told = rf"{fault} meets connections before any request is known"
    with pytest.raises(CommandError, match=told):
        handle.fail(fault={fault: {}})
    with pytest.raises(CommandError, match=told):
        handle.play([{"fault": {fault: {}}}])


def test_what_is_still_set_ends_with_the_server() -> None:
    with serving(tls=False) as server:
        server.tenant().connections("accept_and_hang", lasts="1h")
        silent = Wire(server.url).send(b"GET")
        assert server.runtime.entrances[0].fault == "accept_and_hang"
    with suppress(ConnectionResetError):
        assert silent.rest() == b""
    silent.hang_up()


def test_answers_are_right_afterwards(plain: EmulatorServer) -> None:
    handle = plain.tenant()["generalcompute"]
    for fault in ("refuse", "accept_and_hang"):
        with plain.tenant().connections(fault):
            pass
        assert answered(plain.url, chat(plain, handle)).complete
