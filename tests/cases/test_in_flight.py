"""Requests in flight: from admission until the reply is sent or nobody wants it, counted once and released once.

How many there are is read where load depends on it: in the journal entry of the next request.
"""

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest
import requests
from cli import acme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator import Emulation, EmulatorServer, Handle, make_runtime
from emulator.mechanisms.fault_catalogue import FAULTS, OF_REQUESTS

LATENCY = """\
latency:
  default: loaded
  profiles:
    loaded: {gap: 10ms, load: {free: 2, slower: 0.5}, source: convention}
"""
FILES = {"fixtures/acme/latency.yaml": LATENCY}
BODY: dict[str, Any] = {"model": "acme-large", "messages": [{"role": "user", "content": "Hello"}]}
STREAM = {**BODY, "stream": True}
PATH = "/chat/completions"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorServer]:
    data = acme.write(tmp_path_factory.mktemp("acme"), FILES)
    with EmulatorServer(make_runtime(["acme"], data=[data], pace=0)) as running:
        yield running


@pytest.fixture
def emulation(server: EmulatorServer, request: pytest.FixtureRequest) -> Emulation:
    return server.tenant("".join(c if c.isalnum() else "-" for c in request.node.name))


@pytest.fixture
def handle(emulation: Emulation) -> Handle:
    return emulation["acme"]


@pytest.fixture
def client(emulation: Emulation) -> Iterator[httpx.Client]:
    with httpx.Client(transport=emulation.transport(), base_url=emulation["acme"].base_url) as opened:
        opened.headers.update(emulation["acme"].headers)
        yield opened


def delay_of(handle: Handle) -> dict[str, Any]:
    """What the last entry says of its delay."""
    return next(note for note in handle.journal[-1].raw["trace"] if note["stage"] == "delay")


def in_flight(client: httpx.Client, handle: Handle) -> int:
    """How many requests were in flight beside one that only asks."""
    assert client.get("/models").status_code == 200
    return int(delay_of(handle)["in_flight"]) - 1


def test_open_streams_are_in_flight_until_they_are_read_or_closed(client: httpx.Client, handle: Handle) -> None:
    with ExitStack() as first, ExitStack() as second:
        replies = [first.enter_context(client.stream("POST", PATH, json=STREAM)) for _ in range(3)]
        assert in_flight(client, handle) == 3
        second.enter_context(client.stream("POST", PATH, json=STREAM))
        assert in_flight(client, handle) == 4
        replies[0].read()
        replies[0].close()
        assert in_flight(client, handle) == 3
        first.close()
        assert in_flight(client, handle) == 1
    assert in_flight(client, handle) == 0


def test_everything_is_slower_under_load(client: httpx.Client, handle: Handle) -> None:
    gaps = []
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(client.stream("POST", PATH, json=STREAM))
            gaps.append(next(n for n in handle.journal[-1].raw["trace"] if n["stage"] == "encode")["gaps"][0])
    assert gaps == [0.01, 0.01, 0.015, 0.02]


def test_a_refused_request_is_in_flight_while_its_reply_is_sent(client: httpx.Client, handle: Handle) -> None:
    handle.fail("rate_limited")
    with client.stream("POST", PATH, json=BODY) as reply:
        assert reply.status_code == 429
    assert in_flight(client, handle) == 0


def test_tenants_are_apart(server: EmulatorServer, client: httpx.Client, emulation: Emulation) -> None:
    other = server.tenant("other")["acme"]
    with (
        client.stream("POST", PATH, json=STREAM),
        httpx.Client(transport=emulation.transport(), headers=other.headers) as asking,
    ):
        asking.get(f"{other.base_url}/models")
        assert delay_of(other)["in_flight"] == 1


def test_reset_forgets_who_is_in_flight_and_their_end_changes_nothing(
    client: httpx.Client, handle: Handle, emulation: Emulation
) -> None:
    with client.stream("POST", PATH, json=STREAM):
        emulation.reset()
        with client.stream("POST", PATH, json=STREAM):
            pass
    assert in_flight(client, handle) == 0


def test_nothing_in_flight_outlives_the_server(tmp_path: Path) -> None:
    data, state = acme.write(tmp_path, FILES), tmp_path / "state.sqlite"
    for _ in range(2):
        runtime = make_runtime(["acme"], data=[data], pace=0, state=state)
        emulation = Emulation(runtime, "default", None, {})
        handle = emulation["acme"]
        with httpx.Client(transport=emulation.transport(), base_url=handle.base_url, headers=handle.headers) as client:
            assert in_flight(client, handle) == 0
            reply = client.send(client.build_request("POST", PATH, json=STREAM), stream=True)
            assert in_flight(client, handle) == 1
            runtime.store.close()
        reply.close()


def abandoned(library: Any, emulation: Emulation, handle: Handle) -> None:
    with library.Client(transport=emulation.transport(library), headers=handle.headers) as client:
        client.send(client.build_request("POST", handle.base_url + PATH, json=STREAM), stream=True)


def abandoned_in_the_middle(library: Any, emulation: Emulation, handle: Handle) -> None:
    with library.Client(transport=emulation.transport(library), headers=handle.headers) as client:
        request = client.build_request("POST", handle.base_url + PATH, json=STREAM)
        next(client.send(request, stream=True).iter_raw())


def abandoned_asynchronously(library: Any, emulation: Emulation, handle: Handle) -> None:
    async def ask() -> None:
        async with library.AsyncClient(transport=emulation.transport(library), headers=handle.headers) as client:
            await client.send(client.build_request("POST", handle.base_url + PATH, json=STREAM), stream=True)

    asyncio.run(ask())


def abandoned_within_an_interception(library: Any, emulation: Emulation, handle: Handle) -> None:
    url = f"https://api.acme.test/v1{PATH}"
    with emulation.intercept(), library.Client(headers=handle.headers) as client:
        client.send(client.build_request("POST", url, json=STREAM), stream=True)


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize(
    "abandon", [abandoned, abandoned_in_the_middle, abandoned_asynchronously, abandoned_within_an_interception]
)
def test_a_reply_that_nobody_can_read_any_more_is_in_flight_no_more(
    emulation: Emulation, handle: Handle, client: httpx.Client, abandon: Callable[..., None], library: Any
) -> None:
    abandon(library, emulation, handle)
    gc.collect()
    assert in_flight(client, handle) == 0


LEAVING: dict[str, Callable[[httpx.Client], None]] = {}
"""Ways in which an exchange ends."""


def leaving(way: Callable[[httpx.Client], None]) -> Callable[[httpx.Client], None]:
    LEAVING[way.__name__] = way
    return way


@leaving
def whole(client: httpx.Client) -> None:
    client.post(PATH, json=BODY)


@leaving
def head(client: httpx.Client) -> None:
    client.head("/models")


@leaving
def streamed(client: httpx.Client) -> None:
    client.post(PATH, json=STREAM)


@leaving
def closed_unread(client: httpx.Client) -> None:
    with client.stream("POST", PATH, json=STREAM):
        pass


@leaving
def closed_in_the_middle(client: httpx.Client) -> None:
    with client.stream("POST", PATH, json=STREAM) as reply:
        next(reply.iter_raw())


@leaving
def nowhere(client: httpx.Client) -> None:
    client.get("/nowhere")


@leaving
def without_a_key(client: httpx.Client) -> None:
    client.get("/models", headers={"Authorization": ""})


@leaving
def broken(client: httpx.Client) -> None:
    client.post(PATH, content=b"{")


@pytest.mark.parametrize("socket", [True, False], ids=["socket", "in-process"])
@pytest.mark.parametrize("way", LEAVING)
def test_every_end_releases_once(emulation: Emulation, handle: Handle, way: str, socket: bool) -> None:
    transport = None if socket else emulation.transport()
    with httpx.Client(transport=transport, base_url=handle.base_url, headers=handle.headers) as client:
        LEAVING[way](client)
        assert settled(client, handle) == 0


@pytest.mark.parametrize("socket", [True, False], ids=["socket", "in-process"])
@pytest.mark.parametrize("fault", OF_REQUESTS)
def test_every_fault_releases_once(
    emulation: Emulation, handle: Handle, client: httpx.Client, fault: str, socket: bool
) -> None:
    shortest = {name: 0 for name, argument in FAULTS[fault].arguments.items() if argument.kind == "duration"}
    for body in (BODY, STREAM):
        transport = None if socket else emulation.transport()
        handle.fail(fault={fault: shortest})
        with (
            httpx.Client(transport=transport, base_url=handle.base_url, headers=handle.headers) as meeting,
            suppress(httpx.TransportError, httpx.DecodingError),
        ):
            meeting.post(PATH, json=body)
    assert settled(client, handle) == 0


def settled(client: httpx.Client, handle: Handle) -> int:
    """How many are in flight once the server had its turns to notice who left."""
    found = in_flight(client, handle)
    for _ in range(200):
        if found == 0:
            break
        found = in_flight(client, handle)
    return found


@pytest.mark.parametrize("fields", [{}, {"stream": True}], ids=["whole", "stream"])
def test_a_client_that_hangs_up_while_it_waits(tmp_path: Path, fields: dict[str, Any]) -> None:
    """Each waits for minutes, and gives up after a moment."""
    slow = LATENCY.replace("gap: 10ms", "first_token: 5m")
    data = acme.write(tmp_path, {"fixtures/acme/latency.yaml": slow})
    with EmulatorServer(make_runtime(["acme"], data=[data])) as server:
        emulation, handle = server.tenant(), server["acme"]
        for transport in (None, emulation.transport()):
            with httpx.Client(transport=transport, base_url=handle.base_url, headers=handle.headers) as client:
                with pytest.raises(httpx.ReadTimeout):
                    client.post(PATH, json={**BODY, **fields}, timeout=httpx.Timeout(5, read=0.02))
                assert settled(client, handle) == 0


class TestIntercepted:
    """Libraries below whose own parsers the emulator answers."""

    URL = "https://api.acme.test/v1/chat/completions"

    def test_requests(self, emulation: Emulation, handle: Handle, client: httpx.Client) -> None:
        with emulation.intercept():
            with requests.post(self.URL, json=STREAM, headers=handle.headers, stream=True, timeout=5) as reply:
                assert reply.ok
                assert in_flight(client, handle) == 1
            assert in_flight(client, handle) == 0
            assert requests.post(self.URL, json=BODY, headers=handle.headers, timeout=5).ok
            handle.fail(fault={"reset": {}})
            with pytest.raises(requests.ConnectionError):
                requests.post(self.URL, json=BODY, headers=handle.headers, timeout=5)
        assert in_flight(client, handle) == 0

    def test_aiohttp(self, emulation: Emulation, handle: Handle, client: httpx.Client) -> None:
        async def ask() -> None:
            async with aiohttp.ClientSession(headers=handle.headers) as session:
                handle.fail(fault={"stall": {"at_event": 2, "duration": "1h"}})
                async with session.post(self.URL, json=STREAM) as reply:
                    assert reply.ok
                    assert in_flight(client, handle) == 1
                assert in_flight(client, handle) == 0
                async with session.post(self.URL, json=BODY) as reply:
                    await reply.read()

        with emulation.intercept():
            asyncio.run(ask())
        assert in_flight(client, handle) == 0


@given(st.lists(st.sampled_from(["open", "read", "close", "refused"]), max_size=30))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_count_is_always_that_of_the_open_replies(
    emulation: Emulation, client: httpx.Client, handle: Handle, steps: list[str]
) -> None:
    emulation.reset()
    replies: list[httpx.Response] = []
    for step in steps:
        if step == "open":
            replies.append(client.send(client.build_request("POST", PATH, json=STREAM), stream=True))
        elif step == "refused":
            assert client.post(PATH, json={}).status_code == 400
        elif replies:
            reply = replies.pop(0)
            if step == "read":
                reply.read()
            reply.close()
            reply.close()
        assert in_flight(client, handle) == len(replies)
    for reply in replies:
        reply.close()
