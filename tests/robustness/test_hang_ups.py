"""Clients that leave, at every stage: the server notices, writes it down, and goes on."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from wire_client import Wire, answered, chat, outcome, outcomes, request

from emulator import Emulation, EmulatorServer, Handle, make_runtime
from emulator.exchange import Reply
from emulator.wire.protocol import Answer, Protocol

STREAM: dict[str, Any] = {"stream": True}
LEAVING = pytest.mark.parametrize("leave", [Wire.hang_up, Wire.reset], ids=["FIN", "RST"])
Leave = Callable[[Wire], None]


@pytest.fixture
def handle(emulator: Emulation) -> Handle:
    return emulator["generalcompute"]


@pytest.fixture(autouse=True)
def goes_on(handle: Handle, emulator_server: EmulatorServer, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Afterwards a healthy request on a fresh connection works, and nothing was logged as a failure."""
    yield
    assert answered(emulator_server.url, chat(emulator_server, handle)).status == 200
    assert [record.getMessage() for record in caplog.get_records("call") if record.name.startswith("emulator")] == []


@LEAVING
@pytest.mark.parametrize(
    "sent", [0, 1, 20, -300, -1], ids=["nothing", "a byte", "half a line", "a head", "all but one"]
)
def test_before_the_request_is_whole(handle: Handle, emulator_server: EmulatorServer, leave: Leave, sent: int) -> None:
    asked = chat(emulator_server, handle, user="u" * 400)
    for _ in range(5):
        wire = Wire(emulator_server.url)
        wire.send(asked[:sent])
        leave(wire)
    assert answered(emulator_server.url, chat(emulator_server, handle)).status == 200
    assert len(handle.journal) == 1


def test_a_client_that_only_stops_sending_gets_no_reply_to_half_a_request(
    handle: Handle, emulator_server: EmulatorServer
) -> None:
    asked = chat(emulator_server, handle)
    for part in (b"", asked[:30], asked[:-5]):
        with Wire(emulator_server.url) as wire:
            assert wire.send(part).stop_sending().rest() == b""
    with Wire(emulator_server.url) as wire:
        assert wire.send(asked).stop_sending().reply().status == 200


@LEAVING
def test_before_a_plain_reply_is_read(handle: Handle, emulator_server: EmulatorServer, leave: Leave) -> None:
    wire = Wire(emulator_server.url).send(chat(emulator_server, handle, n=100))
    leave(wire)
    assert answered(emulator_server.url, chat(emulator_server, handle)).status == 200


@LEAVING
def test_before_a_stream_is_read(handle: Handle, emulator_server: EmulatorServer, leave: Leave) -> None:
    words = 40_000  # 8 MB of events: more than the sockets' buffers take
    handle.play([{"reply": {"text": "word " * words}}])
    wire = Wire(emulator_server.url, buffer=4096).send(chat(emulator_server, handle, **STREAM))
    wire.socket.recv(1)
    leave(wire)
    client = outcome(emulator_server, handle)
    assert client["hung_up"]
    assert client["frames_sent"] < words


@LEAVING
def test_in_the_middle_of_a_stream(handle: Handle, emulator_server: EmulatorServer, leave: Leave) -> None:
    handle.fail(fault={"stall": {"at_event": 3, "duration": "1h"}})
    wire = Wire(emulator_server.url).send(chat(emulator_server, handle, **STREAM))
    read = b""
    while read.count(b"\n\n") < 3:
        read += wire.socket.recv(65536)
    leave(wire)
    assert outcome(emulator_server, handle) == {"frames_sent": 3, "hung_up": True}


@LEAVING
def test_during_a_stall(handle: Handle, emulator_server: EmulatorServer, leave: Leave) -> None:
    handle.fail(fault={"hang": {"after_bytes": 0, "duration": "1h"}})
    wire = Wire(emulator_server.url).send(chat(emulator_server, handle))
    assert b"200 OK" in wire.socket.recv(65536)
    leave(wire)
    assert outcome(emulator_server, handle) == {"frames_sent": 0, "hung_up": True}


def test_a_client_that_reads_to_the_end_did_not_hang_up(handle: Handle, emulator_server: EmulatorServer) -> None:
    answered(emulator_server.url, chat(emulator_server, handle, **STREAM))
    assert outcome(emulator_server, handle) == {"frames_sent": 1, "hung_up": False}  # without a pace, all in one


@pytest.fixture
def paced() -> Iterator[EmulatorServer]:
    """A server whose streams take their time: with this pace the first event comes after minutes."""
    with EmulatorServer(make_runtime(["generalcompute"], pace=1000)) as server:
        yield server


@LEAVING
def test_a_paced_stream_stops_when_nobody_listens(paced: EmulatorServer, leave: Leave) -> None:
    handle = paced["generalcompute"]
    wires = [Wire(paced.url).send(chat(paced, handle, **STREAM)) for _ in range(5)]
    for wire in wires:
        assert b"200 OK" in wire.socket.recv(65536)
    assert answered(paced.url, chat(paced, handle)).status == 200
    for wire in wires:
        leave(wire)
    assert outcomes(paced, handle) == [{"frames_sent": 0, "hung_up": True}] * 5 + [{"frames_sent": 0, "hung_up": False}]


def test_before_a_reply_that_comes_later() -> None:
    """As the control API's do: nobody is there to write it to."""
    uvloop, failures = pytest.importorskip("uvloop"), []

    async def talk() -> None:
        loop, left = asyncio.get_running_loop(), asyncio.Event()
        connections: set[Any] = set()
        tasks: set[asyncio.Task[None]] = set()
        loop.set_exception_handler(lambda _, context: failures.append(context["message"]))

        async def later() -> Answer:
            await left.wait()
            return Reply(), None

        def protocol() -> Protocol:
            return Protocol(lambda *_: later(), connections, tasks, loop)

        async with await loop.create_server(protocol, "127.0.0.1", 0) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(request("GET", "/_emulator/health"))
            while not tasks:
                await asyncio.sleep(0)
            writer.transport.abort()
            while connections:
                await asyncio.sleep(0)
            left.set()
            while tasks:
                await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(talk())
        gc.collect()  # which is when a task tells of an error that nobody looked at
    assert failures == []
