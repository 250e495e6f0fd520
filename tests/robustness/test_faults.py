"""Faults below the status line, as a client meets them on its socket."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from wire_client import PROVIDERS, Reply, Wire, answered, chat, operation_of, outcome, outcomes, with_header

from emulator import Emulation, EmulatorServer, Handle

STREAM: dict[str, Any] = {"stream": True}
STALLED = 'X-Emulator-Fault: {"stalled_headers": {"duration": "10ms"}}'
VERSIONS = pytest.mark.parametrize("version", ["1.1", "1.0"])
STREAMED = pytest.mark.parametrize("fields", [{}, STREAM], ids=["plain", "stream"])


@pytest.fixture
def handle(emulator: Emulation) -> Handle:
    return emulator["generalcompute"]


@pytest.fixture(autouse=True)
def goes_on(handle: Handle, emulator_server: EmulatorServer, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Afterwards a healthy request on a fresh connection works, and nothing was logged as a failure."""
    yield
    assert answered(emulator_server.url, chat(emulator_server, handle)).complete
    assert [record.getMessage() for record in caplog.get_records("call") if record.name.startswith("emulator")] == []


def faulty(server: EmulatorServer, handle: Handle, fault: str | dict[str, Any], asked: bytes) -> bytes:
    """Everything that comes back to a request that meets the fault, up to the end of the connection."""
    handle.fail(fault=fault)
    with Wire(server.url) as wire:
        return wire.send(asked).rest()


def events(body: bytes) -> list[Any]:
    """The data of a stream's events: JSON, or text where it is none."""
    found = [event.split(b"data: ", 1)[1].decode() for event in body.split(b"\n\n") if event]
    return [json.loads(text) if text.startswith("{") else text for text in found]


def undisturbed(server: EmulatorServer, handle: Handle, **fields: Any) -> Reply:
    return answered(server.url, chat(server, handle, **fields))


@VERSIONS
@STREAMED
@pytest.mark.parametrize("provider", PROVIDERS)
def test_reset(
    emulator: Emulation, emulator_server: EmulatorServer, provider: str, fields: dict[str, Any], version: str
) -> None:
    handle = emulator[provider]
    with pytest.raises(ConnectionResetError):
        faulty(emulator_server, handle, {"reset": {}}, chat(emulator_server, handle, version=version, **fields))
    assert outcome(emulator_server, handle) == {"frames_sent": 0, "hung_up": False}


@VERSIONS
@STREAMED
def test_close(handle: Handle, emulator_server: EmulatorServer, fields: dict[str, Any], version: str) -> None:
    asked = chat(emulator_server, handle, version=version, **fields)
    assert faulty(emulator_server, handle, {"close": {}}, asked) == b""
    assert faulty(emulator_server, handle, "close", asked) == b""
    assert outcome(emulator_server, handle) == {"frames_sent": 0, "hung_up": False}


@VERSIONS
@STREAMED
def test_garbage(handle: Handle, emulator_server: EmulatorServer, fields: dict[str, Any], version: str) -> None:
    asked = chat(emulator_server, handle, version=version, **fields)
    assert faulty(emulator_server, handle, {"garbage": {}}, asked) == b"\x00\x01 not HTTP"
    assert faulty(emulator_server, handle, {"garbage": {"data": "é\n"}}, asked) == "é\n".encode()
    assert outcome(emulator_server, handle) == {"frames_sent": 0, "hung_up": False}


@VERSIONS
@STREAMED
@pytest.mark.parametrize("size", [0, 1, 100])
def test_close_after_bytes(
    handle: Handle, emulator_server: EmulatorServer, fields: dict[str, Any], version: str, size: int
) -> None:
    handle.fail(fault={"close": {"after_bytes": size}})
    with Wire(emulator_server.url) as wire:
        reply = wire.send(chat(emulator_server, handle, version=version, **fields)).reply()
    assert (reply.status, len(reply.body), reply.complete) == (200, size, False)
    assert reply.headers.get("transfer-encoding") == "chunked" or int(reply.headers["content-length"]) > 100


@VERSIONS
@STREAMED
def test_hang_after_the_headers(
    handle: Handle, emulator_server: EmulatorServer, fields: dict[str, Any], version: str
) -> None:
    asked = chat(emulator_server, handle, version=version, **fields)
    came = faulty(emulator_server, handle, {"hang": {"after_bytes": 0, "duration": "10ms"}}, asked)
    head, body = came.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body == b""


@STREAMED
def test_a_connection_outlives_a_stalled_head(
    handle: Handle, emulator_server: EmulatorServer, fields: dict[str, Any]
) -> None:
    asked = chat(emulator_server, handle, **fields)
    with Wire(emulator_server.url) as wire:
        reply = wire.send(with_header(asked, STALLED)).reply()
        assert reply.complete
        assert "connection" not in reply.headers
        assert wire.send(asked).reply().status == 200


@STREAMED
def test_a_stalled_head_says_that_the_connection_ends_where_it_does(
    handle: Handle, emulator_server: EmulatorServer, fields: dict[str, Any]
) -> None:
    asked = with_header(chat(emulator_server, handle, version="1.0", **fields), STALLED)
    with Wire(emulator_server.url) as wire:
        reply = wire.send(asked).reply()
        assert (reply.complete, reply.headers["connection"], wire.rest()) == (True, "close", b"")


@VERSIONS
def test_a_stream_that_is_cut_behind_a_stalled_head_ends_its_connection(
    handle: Handle, emulator_server: EmulatorServer, version: str
) -> None:
    handle.fail(fault={"cut": {"after_events": 1}})
    asked = with_header(chat(emulator_server, handle, version=version, **STREAM), STALLED)
    assert not answered(emulator_server.url, asked).complete


@STREAMED
@pytest.mark.parametrize("name", ["content_length_too_short", "conflicting_lengths"])
def test_a_client_that_believes_a_wrong_length_is_told_that_the_connection_ends(
    handle: Handle, emulator_server: EmulatorServer, name: str, fields: dict[str, Any]
) -> None:
    """Or its next request would be lost as well, now and then."""
    came = faulty(emulator_server, handle, {name: {}}, chat(emulator_server, handle, **fields))
    assert b"\r\nconnection: close\r\n" in came.partition(b"\r\n\r\n")[0] + b"\r\n"


@VERSIONS
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_stream_cut_after_events(handle: Handle, emulator_server: EmulatorServer, version: str, after: int) -> None:
    handle.fail(fault={"cut": {"after_events": after}})
    reply = undisturbed(emulator_server, handle, version=version, **STREAM)
    assert (reply.status, len(events(reply.body)), reply.complete) == (200, after, False)
    assert reply.body == b"" or reply.body.endswith(b"\n\n")


@VERSIONS
@pytest.mark.parametrize("after", [0, 1, 50, 500])
def test_a_stream_cut_after_bytes(handle: Handle, emulator_server: EmulatorServer, version: str, after: int) -> None:
    handle.fail(fault={"cut": {"after_bytes": after}})
    reply = undisturbed(emulator_server, handle, version=version, **STREAM)
    assert (reply.status, len(reply.body), reply.complete) == (200, after, False)


def moment(server: EmulatorServer, handle: Handle, event: int) -> float:
    """A time of the provider's stream, right before an event is due at pace 1."""
    plan = operation_of(server, handle.id).stream
    assert plan is not None
    return plan.first_event + (event - 0.5) * plan.gap


@pytest.mark.parametrize("name", ["cut", "reset", "close", "hang", "error_event"])
def test_a_stream_until_a_time(handle: Handle, emulator_server: EmulatorServer, name: str) -> None:
    """A time is the stream's own: unpaced, the same events come."""
    silence = {"duration": "1ms"} if name == "hang" else {}
    handle.fail(fault={name: {"after_time": moment(emulator_server, handle, 3), **silence}})
    came = bytearray()
    with Wire(emulator_server.url) as wire, suppress(ConnectionResetError):
        wire.send(with_header(chat(emulator_server, handle, **STREAM), "Connection: close"))
        while data := wire.socket.recv(65536):
            came += data
    assert came.count(b"data: {") == (4 if name == "error_event" else 3)
    assert b"[DONE]" not in came


def test_what_comes_first_of_events_bytes_and_time_ends_a_stream(
    handle: Handle, emulator_server: EmulatorServer
) -> None:
    third = moment(emulator_server, handle, 3)
    for fault in ({"after_time": third, "after_events": 1}, {"after_time": 0, "after_events": 50}):
        handle.fail(fault={"cut": fault})
    found = [events(undisturbed(emulator_server, handle, **STREAM).body) for _ in range(2)]
    assert [len(one) for one in found] == [1, 0]


@pytest.mark.parametrize("name", ["stall", "duplicate_event", "malformed_json", "split_event", "comment_storm"])
def test_a_fault_at_a_time(emulator: Emulation, handle: Handle, emulator_server: EmulatorServer, name: str) -> None:
    emulator.clock.freeze(1_800_000_000)
    found = []
    for at in (3, f"{moment(emulator_server, handle, 3) * 1000:.0f}ms"):
        handle.reset()
        arguments = {"duration": "1ms"} if name == "stall" else {}
        handle.fail(fault={name: {"at_event": at, **arguments}})
        found.append(undisturbed(emulator_server, handle, **STREAM))
    assert found[0] == found[1]
    assert "x-emulator-notice" not in found[0].headers


def test_a_time_that_a_stream_never_comes_to(handle: Handle, emulator_server: EmulatorServer) -> None:
    handle.fail(fault={"duplicate_event": {"at_event": "24h"}})
    reply = undisturbed(emulator_server, handle, **STREAM)
    assert reply.headers["x-emulator-notice"] == "the fault duplicate_event found nothing to act on in this reply"
    with pytest.raises(ValueError, match='"2 fortnights" is not a duration'):
        handle.fail(fault={"duplicate_event": {"at_event": "2 fortnights"}})


def test_two_headers_that_contradict_each_other(handle: Handle, emulator_server: EmulatorServer) -> None:
    handle.fail(fault={"duplicate_headers": {"name": "Content-Type", "value": "text/html"}}, times=2)
    raw = with_header(chat(emulator_server, handle), "Connection: close")
    with Wire(emulator_server.url) as wire:
        head = wire.send(raw).rest().partition(b"\r\n\r\n")[0].split(b"\r\n")
    types = [line for line in head if line.startswith(b"content-type: ")]
    assert types == [b"content-type: application/json", b"content-type: text/html"]
    reply = httpx.get(f"{handle.base_url}/models", headers=handle.headers)
    assert reply.headers["content-type"] == "application/json, text/html"


@VERSIONS
@pytest.mark.parametrize("name", ["server_error", "rate_limited"])
def test_an_error_in_the_middle_of_a_stream(
    handle: Handle, emulator_server: EmulatorServer, version: str, name: str
) -> None:
    handle.fail(fault={"error_event": {"after_events": 2, "refuse": name, "event": "error"}})
    reply = undisturbed(emulator_server, handle, version=version, **STREAM)
    assert (reply.status, reply.complete) == (200, True)
    assert b"\n\nevent: error\ndata: {" in reply.body
    *before, last = events(reply.body)
    assert [event["object"] for event in before] == ["chat.completion.chunk"] * 2
    handle.fail(name)
    assert last == undisturbed(emulator_server, handle).json


def test_a_stall_that_is_asked_for_is_meant_even_unpaced(handle: Handle, emulator_server: EmulatorServer) -> None:
    handle.fail(fault={"stall": {"at_event": 1, "duration": "1h"}})
    with Wire(emulator_server.url) as wire:
        wire.send(chat(emulator_server, handle, **STREAM))
        came = b""
        while came.count(b"\n\n") < 1:
            came += wire.socket.recv(65536)
        assert answered(emulator_server.url, chat(emulator_server, handle)).status == 200
        wire.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            wire.socket.recv(1)


def test_a_short_stall_ends(handle: Handle, emulator_server: EmulatorServer) -> None:
    handle.fail(fault={"stall": {"at_event": "finish", "duration": "10ms"}})
    reply = undisturbed(emulator_server, handle, **STREAM)
    assert (reply.complete, events(reply.body)[-1]) == (True, "[DONE]")


@pytest.mark.parametrize("fault", [{"cut": {}}, {"stall": {"duration": "1h"}}, {"error_event": {}}])
def test_a_stream_fault_without_a_stream_says_so(
    handle: Handle, emulator_server: EmulatorServer, fault: dict[str, Any]
) -> None:
    handle.fail(fault=fault)
    reply = undisturbed(emulator_server, handle)
    assert (reply.status, reply.complete) == (200, True)
    notice = f"the fault {next(iter(fault))} needs a stream, and this reply is none"
    assert reply.headers["x-emulator-notice"] == notice
    assert handle.journal[-1].raw["notices"] == [notice]


@STREAMED
@pytest.mark.parametrize("fault", [{"reset": {}}, {"close": {}}, {"garbage": {}}, {"close": {"after_bytes": 0}}])
def test_the_requests_behind_a_fault_in_a_pipeline_are_lost_with_it(
    handle: Handle, emulator_server: EmulatorServer, fault: dict[str, Any], fields: dict[str, Any]
) -> None:
    asked = chat(emulator_server, handle)
    handle.play([{"times": 1}, {"fault": fault}])
    with Wire(emulator_server.url) as wire:
        wire.send(asked + chat(emulator_server, handle, **fields) + asked)
        assert wire.reply().status == 200
        try:
            assert wire.rest().count(b"HTTP/1.1 200 OK") <= 1
        except ConnectionResetError:
            assert "reset" in fault
    assert len(outcomes(emulator_server, handle)) == 2  # nothing waits for a connection that is gone


def test_faults_are_taken_one_a_request(handle: Handle, emulator_server: EmulatorServer) -> None:
    handle.fail(fault={"close": {"after_bytes": 5}}, times=2)
    replies = [undisturbed(emulator_server, handle) for _ in range(3)]
    assert [reply.complete for reply in replies] == [False, False, True]
    assert [entry.status for entry in handle.journal] == [200, 200, 200]
