"""What a client asks of the emulator itself and hardly means: it is told, nothing hangs, and nobody else is asked."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from wire_client import Wire, answered, chat, outcome, request, with_header

from emulator import CommandError, Emulation, EmulatorServer, Handle, edge, make_runtime
from emulator.mechanisms.fault_catalogue import fault
from emulator.wire.protocol import Answer, Protocol
from emulator.wire.reading import Request

DEEP = 2000


@pytest.fixture
def handle(emulator: Emulation) -> Handle:
    return emulator["generalcompute"]


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a server that nobody should ask, and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(4096))

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/schema.json", asked
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("fault", ["schema_violation", "arguments_violate_schema"])
def test_a_clients_schema_is_looked_up_nowhere(
    handle: Handle, emulator_server: EmulatorServer, elsewhere: tuple[str, list[bytes]], fault: str
) -> None:
    url, asked = elsewhere
    schema = {"type": "object", "properties": {"a": {"$ref": url}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "q", "schema": schema}}
    fields: dict[str, Any] = {"response_format": wanted}
    if fault == "arguments_violate_schema":
        tool = {"type": "function", "function": {"name": "look", "parameters": schema}}
        fields = {"tools": [tool], "tool_choice": "required"}
    asking = chat(emulator_server, handle, model="gpt-oss-120b", **fields)
    reply = answered(emulator_server.url, with_header(asking, f"X-Emulator-Fault: {fault}"))
    assert reply.status == 200
    assert reply.headers["x-emulator-notice"] == f"the fault {fault} found nothing to act on in this reply"
    assert asked == []


ODD = {
    "deep": '{"a":' * DEEP,
    "surrogate in a page": r'{"html_gateway_page": {"html": "\ud800"}}',
    "surrogate in comments": r'{"comment_storm": {"text": "\ud800"}}',
    "surrogate in an event": r'{"unknown_event": {"data": "\ud800"}}',
    "surrogate in an event's name": r'{"unknown_event": {"event": "\ud800"}}',
    "surrogate instead of HTTP": r'{"garbage": {"data": "\ud800"}}',
    "surrogate instead of a size": r'{"bad_chunk_size": {"size": "\ud800"}}',
    "not a number": '{"hang": {"duration": NaN}}',
    "a duration without a unit": f'{{"hang": {{"duration": "{"1" * 60_000}"}}}}',
}


@pytest.mark.parametrize("asked", ODD.values(), ids=ODD)
def test_a_fault_that_is_no_json_is_told(handle: Handle, emulator_server: EmulatorServer, asked: str) -> None:
    asking = chat(emulator_server, handle, stream=True)
    reply = answered(emulator_server.url, with_header(asking, f"X-Emulator-Fault: {asked}"))
    assert (reply.status, reply.complete) == (200, True)
    assert "is not a fault of replies" in reply.headers["x-emulator-notice"]
    assert outcome(emulator_server, handle)["hung_up"] is False


@pytest.mark.parametrize("asked", [{"a": "\ud800"}, {"a": float("nan")}, {"a": {1}}, {"a": Decimal(1)}, "deep"])
def test_facts_that_are_no_json_are_told(handle: Handle, asked: Any) -> None:
    facts: Any = asked
    if asked == "deep":
        facts = {}
        for _ in range(DEEP):
            facts = {"a": facts}
    with pytest.raises(CommandError, match="JSON"):
        handle.fail("rate_limited", facts=facts)
    with pytest.raises(CommandError, match="JSON"):
        handle.play([{"facts": facts}])
    assert handle.journal == []


@pytest.mark.parametrize("after", ["9000000d", f"{'9' * 400}d", 1e300])
@pytest.mark.parametrize("form", ["seconds", "milliseconds", "date"])
def test_a_wait_beyond_the_calendar(handle: Handle, emulator_server: EmulatorServer, form: str, after: Any) -> None:
    asked = json.dumps({"retry_after": {"form": form, "after": after}})
    reply = answered(emulator_server.url, with_header(chat(emulator_server, handle), f"X-Emulator-Fault: {asked}"))
    assert reply.status == 200
    told = reply.headers["retry-after-ms" if form == "milliseconds" else "retry-after"]
    assert told == "Fri, 31 Dec 9999 23:59:59 GMT" if form == "date" else int(told) > 10**11


@pytest.mark.parametrize(
    "fault", [{"hang": {"after_bytes": 5, "duration": "d"}}, {"stall": {"at_event": 1, "duration": "d"}}]
)
@pytest.mark.parametrize("duration", ["9000000000d", f"{'9' * 400}d"])
def test_a_silence_beyond_all_patience(
    handle: Handle, emulator_server: EmulatorServer, fault: dict[str, Any], duration: str
) -> None:
    asked = json.dumps(fault).replace('"d"', f'"{duration}"')
    with Wire(emulator_server.url) as wire:
        wire.send(with_header(chat(emulator_server, handle, stream=True), f"X-Emulator-Fault: {asked}"))
        assert wire.more()
        assert wire.left.startswith(b"HTTP/1.1 200")
    assert outcome(emulator_server, handle)["hung_up"] is True


def test_a_reply_that_cannot_be_written_is_the_emulators_own(caplog: pytest.LogCaptureFixture) -> None:
    """No wish leads there any more: the reply is made so by hand."""
    runtime = make_runtime(["generalcompute"], pace=0)
    emulation = Emulation(runtime, "default", None, {})
    exchanges: list[Any] = []

    def answers(request: Request, port: int) -> Answer:
        reply, exchange = edge.answer(runtime, request)
        reply.breakage = fault("garbage", {"data": "\ud800"}) if not exchanges else None
        exchanges.append(exchange)
        return reply, exchange

    async def talk() -> list[bytes]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Protocol(answers, set(), set(), loop), "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            key = emulation["generalcompute"].headers
            writer.write(request("GET", "/generalcompute/v1/models", key) * 2)
            heads = []
            for _ in range(2):
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                length = heads[-1].split(b"content-length: ")[1].split(b"\r\n")[0]
                await reader.readexactly(int(length))
            writer.close()
            await writer.wait_closed()
        return heads

    failed, healthy = asyncio.run(talk())
    assert failed.startswith(b"HTTP/1.1 500 ")
    assert b"x-emulator-notice: own reply" in failed
    assert healthy.startswith(b"HTTP/1.1 200 ")
    assert [exchange.held for exchange in exchanges if exchange is not None] == [[], []]
    assert [entry.raw["client"] is not None for entry in emulation["generalcompute"].journal] == [True, True]
    assert [record.getMessage() for record in caplog.records] == ["GET /generalcompute/v1/models could not be answered"]
