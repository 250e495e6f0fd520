"""Every fault of requests: the exact bytes on the socket and how the connection ended, and what httpx makes of it.

A reply with a fault is compared with the reply of the same seed without it.
"""

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import httpx2
import jsonschema_rs
import pytest
from wire_client import TlsWire, Wire, body_of, chat, with_header

from emulator import Emulation, EmulatorServer, Handle
from emulator.mechanisms.fault_catalogue import OF_REQUESTS

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
STREAM: dict[str, Any] = {"stream": True}
TOOLS = {"tools": [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}]}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string", "minLength": 1}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
FORMAT = {"response_format": {"type": "json_schema", "json_schema": {"name": "plan", "schema": SCHEMA}}}


@dataclass(frozen=True)
class Came:
    """All that came over a connection: before and after the head's end, and whether it ended in a reset."""

    raw: bytes
    reset: bool

    @property
    def head(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[0]

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [(n, v) for n, v in (line.split(b": ", 1) for line in self.head.split(b"\r\n")[1:])]

    def header(self, name: bytes) -> bytes | None:
        return dict(self.headers).get(name)

    @property
    def tail(self) -> bytes:
        return self.raw.partition(b"\r\n\r\n")[2]

    @property
    def singly(self) -> list[bytes]:
        """The events of a stream in chunks of their own, as they come where something needs them apart."""
        return [event + b"\n\n" for event in self.body.split(b"\n\n")[:-1]] + [b""]

    @property
    def chunks(self) -> list[bytes]:
        """The body's chunks; the last is empty when the body is complete."""
        found, left = [], self.tail
        while b"\r\n" in left:
            size, _, left = left.partition(b"\r\n")
            found.append(left[: int(size, 16)])
            left = left[int(size, 16) + 2 :]
        return found

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks) if self.header(b"transfer-encoding") else self.tail

    @property
    def events(self) -> list[Any]:
        datas = [event.partition(b"data: ")[2] for event in self.body.split(b"\n\n")[:-1]]
        return [json.loads(data) if data.startswith(b"{") else data for data in datas]

    @property
    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)["choices"][0]
        return found


Check = Callable[[Came, Came], None]
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], Check]] = {}
"""Name -> arguments, fields of the request, and what holds of the bytes, given those without the fault."""


def case(fields: dict[str, Any] | None = None, **arguments: Any) -> Callable[[Check], Check]:
    def add(check: Check) -> Check:
        CASES[check.__name__] = (arguments, fields or {}, check)
        return check

    return add


def error_of(came: Came) -> Any:
    (error,) = jsonschema_rs.Draft202012Validator(SCHEMA).iter_errors(json.loads(came.message["message"]["content"]))
    return error.kind.name


def call_of(came: Came) -> dict[str, Any]:
    (call,) = came.message["message"]["tool_calls"]
    function: dict[str, Any] = call["function"]
    return function


@case(STREAM, after_events=2)
def reset(came: Came, healthy: Came) -> None:
    assert came.reset
    assert came.chunks == healthy.singly[:2]


@case(after_bytes=7)
def close(came: Came, healthy: Came) -> None:
    assert came.header(b"content-length") == healthy.header(b"content-length")
    assert came.tail == healthy.tail[:7]


@case(duration="10ms")
def hang(came: Came, healthy: Came) -> None:
    assert came.raw == b""


@case(STREAM, at_byte=12, duration="10ms")
def stalled_headers(came: Came, healthy: Came) -> None:
    assert came.raw.startswith(b"HTTP/1.1 200 OK\r\n")
    assert came.chunks == healthy.singly


@case(status_line=True, data="HELO")
def garbage(came: Came, healthy: Came) -> None:
    assert came.raw == b"HTTP/1.1 200 OK\r\nHELO"


@case(by=3)
def content_length_too_long(came: Came, healthy: Came) -> None:
    assert (came.header(b"content-length"), came.tail) == (b"%d" % (len(healthy.tail) + 3), healthy.tail)


@case(by=3)
def content_length_too_short(came: Came, healthy: Came) -> None:
    assert (came.header(b"content-length"), came.tail) == (b"%d" % (len(healthy.tail) - 3), healthy.tail)


@case(by=3)
def conflicting_lengths(came: Came, healthy: Came) -> None:
    lengths = [value for name, value in came.headers if name == b"content-length"]
    assert lengths == [b"%d" % (len(healthy.tail) + more) for more in (0, 3)]
    assert came.tail == healthy.tail


@case(STREAM, after_events=1, size="g7")
def bad_chunk_size(came: Came, healthy: Came) -> None:
    first = healthy.singly[0]
    assert came.tail == b"%x\r\n%b\r\ng7\r\n" % (len(first), first)


@case(missing=9)
def truncated_gzip(came: Came, healthy: Came) -> None:
    assert (came.header(b"content-encoding"), came.header(b"content-length")) == (b"gzip", b"%d" % len(came.tail))
    with pytest.raises(EOFError):
        gzip.decompress(came.tail)
    assert healthy.tail.startswith(zlib.decompressobj(wbits=31).decompress(came.tail))


@case(bytes=70_000)
def huge_header(came: Came, healthy: Came) -> None:
    assert came.header(b"x-padding") == b"x" * 70_000
    assert came.tail == healthy.tail


@case(name="content-type")
def duplicate_headers(came: Came, healthy: Came) -> None:
    assert [name for name, _ in came.headers].count(b"content-type") == 2
    assert came.tail == healthy.tail


@case(value="text/plain")
def wrong_content_type(came: Came, healthy: Came) -> None:
    assert (came.header(b"content-type"), came.tail) == (b"text/plain", healthy.tail)


@case(STREAM, html="<h1>Sign in</h1>")
def html_gateway_page(came: Came, healthy: Came) -> None:
    assert (came.header(b"content-type"), came.header(b"content-length")) == (b"text/html", b"16")
    assert came.tail == b"<h1>Sign in</h1>"


@case(form="date", after="90s")
def retry_after(came: Came, healthy: Came) -> None:
    assert came.header(b"retry-after") == b"Fri, 15 Jan 2027 08:01:30 GMT"
    assert came.tail == healthy.tail


@case(STREAM, bytes=100, gap="1ms")
def slow_body(came: Came, healthy: Came) -> None:
    assert b"".join(came.chunks) == b"".join(healthy.singly)
    assert max(map(len, came.chunks)) == 100


@case(STREAM, after_bytes=33)
def cut(came: Came, healthy: Came) -> None:
    assert (came.body, came.chunks[-1]) == (healthy.body[:33], healthy.body[:33])


@case(STREAM, at_event=2, duration="10ms")
def stall(came: Came, healthy: Came) -> None:
    assert (came.head, came.chunks) == (healthy.head, healthy.singly)


@case(STREAM, after_events=2, event="error")
def error_event(came: Came, healthy: Came) -> None:
    assert came.events[:2] == healthy.events[:2]
    assert list(came.events[2]) == ["error"]
    assert (len(came.events), came.chunks[-1]) == (3, b"")


@case(STREAM)
def no_finish_reason(came: Came, healthy: Came) -> None:
    kept = [e for e in healthy.events if not (isinstance(e, dict) and [c for c in e["choices"] if c["finish_reason"]])]
    assert came.events == kept != healthy.events


@case(STREAM)
def no_terminator(came: Came, healthy: Came) -> None:
    assert healthy.events == [*came.events, b"[DONE]"]
    assert came.chunks[-1] == b""


@case(STREAM)
def no_usage(came: Came, healthy: Came) -> None:
    kept = [e for e in healthy.events if not (isinstance(e, dict) and e.get("usage"))]
    assert came.events == kept != healthy.events


@case(STREAM, times=2)
def repeated_usage(came: Came, healthy: Came) -> None:
    *before, usage, done = healthy.events
    assert came.events == [*before, usage, usage, usage, done]


@case(STREAM, at_event=2)
def duplicate_event(came: Came, healthy: Came) -> None:
    assert came.events == [*healthy.events[:3], *healthy.events[2:]]


@case(STREAM, at_event=2)
def reordered_events(came: Came, healthy: Came) -> None:
    first, second, third, fourth, *rest = healthy.events
    assert came.events == [first, second, fourth, third, *rest]


@case(STREAM, at_event=1, event="ping", data='{"type":"ping"}')
def unknown_event(came: Came, healthy: Came) -> None:
    assert came.chunks[1] == b'event: ping\ndata: {"type":"ping"}\n\n'
    assert [*came.chunks[:1], *came.chunks[2:]] == healthy.singly


@case(STREAM, at_event="finish")
def empty_event(came: Came, healthy: Came) -> None:
    place = came.chunks.index(b"data: \n\n")
    assert [*came.chunks[:place], *came.chunks[place + 1 :]] == healthy.singly
    assert came.events[place + 1]["choices"][0]["finish_reason"] == "stop"


@case(STREAM, at_event=-2)
def malformed_json(came: Came, healthy: Came) -> None:
    place = len(healthy.singly) - 3  # before the terminator and the end
    assert came.chunks[place] == healthy.singly[place][:-3] + b"\n\n"
    assert [*came.chunks[:place], *came.chunks[place + 1 :]] == [*healthy.singly[:place], *healthy.singly[place + 1 :]]


@case(STREAM, count=50, text="busy")
def comment_storm(came: Came, healthy: Came) -> None:
    assert came.chunks[1:51] == [b": busy\n\n"] * 50
    assert [came.chunks[0], *came.chunks[51:]] == healthy.singly


@case(STREAM)
def crlf(came: Came, healthy: Came) -> None:
    assert came.body == healthy.body.replace(b"\n", b"\r\n")


@case(STREAM, at_event=1, count=3)
def one_packet(came: Came, healthy: Came) -> None:
    first, *rest = healthy.singly
    assert came.chunks == [first, b"".join(rest[:3]), *rest[3:]]


@case(STREAM, at_event=1, at_byte=8, gap="1ms")
def split_event(came: Came, healthy: Came) -> None:
    first, second, *rest = healthy.singly
    assert came.chunks == [first, second[:8], second[8:], *rest]


@case(STREAM, gap="1ms")
def split_character(came: Came, healthy: Came) -> None:
    place = next(i for i, chunk in enumerate(came.chunks) if not chunk.isascii())
    assert came.chunks[place].endswith("✓".encode()[:1])
    assert came.chunks[place + 1].startswith("✓".encode()[1:])
    assert came.body.decode().count("✓") == 1


@case(STREAM)
def not_a_stream(came: Came, healthy: Came) -> None:
    assert came.header(b"content-type") == b"application/json"
    assert came.message["message"]["content"]


@case(FORMAT)
def truncated_json(came: Came, healthy: Came) -> None:
    whole, part = healthy.message["message"]["content"], came.message["message"]["content"]
    assert whole.startswith(part)
    with pytest.raises(json.JSONDecodeError):
        json.loads(part)
    assert came.message["finish_reason"] == "length"


@case(FORMAT, rule="required")
def schema_violation(came: Came, healthy: Came) -> None:
    assert error_of(came) == "required"


@case(TOOLS, name="launch")
def unknown_tool(came: Came, healthy: Came) -> None:
    assert call_of(came) == {**call_of(healthy), "name": "launch"}


@case(TOOLS)
def unparsable_arguments(came: Came, healthy: Came) -> None:
    assert call_of(came)["arguments"] == call_of(healthy)["arguments"][:-1]


@case(TOOLS)
def arguments_violate_schema(came: Came, healthy: Came) -> None:
    arguments = json.loads(call_of(came)["arguments"])
    assert len(list(jsonschema_rs.Draft202012Validator(PARAMETERS).iter_errors(arguments))) == 1


@case()
def no_choices(came: Came, healthy: Came) -> None:
    assert json.loads(came.tail)["choices"] == []


@case()
def null_content(came: Came, healthy: Came) -> None:
    assert came.message["message"]["content"] is None


@case(FORMAT, text="No.")
def refusal(came: Came, healthy: Came) -> None:
    assert (came.message["message"]["content"], came.message["finish_reason"]) == ("No.", "stop")


@case(words=2)
def content_filter(came: Came, healthy: Came) -> None:
    words = healthy.message["message"]["content"].split(" ")
    assert came.message["message"]["content"] == " ".join(words[:2])
    assert came.message["finish_reason"] == "content_filter"


@pytest.fixture
def handle(emulator: Emulation) -> Handle:
    emulator.clock.freeze(1_800_000_000)
    return emulator["generalcompute"]


def came(server: EmulatorServer, handle: Handle, fields: dict[str, Any]) -> Came:
    """All bytes that come back to one request, to the end of its connection."""
    with Wire(server.url) if server.ca_file is None else TlsWire(server.url, server.ca_file) as wire:
        wire.send(with_header(chat(server, handle, **fields), "Connection: close"))
        try:
            return Came(wire.rest(), reset=False)
        except ConnectionResetError:
            return Came(wire.left, reset=True)


@pytest.mark.parametrize("name", OF_REQUESTS)
def test_bytes(emulator_server: EmulatorServer, handle: Handle, name: str) -> None:
    arguments, fields, check = CASES[name]
    healthy = came(emulator_server, handle, fields)
    handle.reset()
    handle.fail(fault={name: arguments})
    faulty = came(emulator_server, handle, fields)
    check(faulty, healthy)
    assert faulty.reset == (name == "reset")
    assert [entry.raw["notices"] for entry in handle.journal] == [[]]
    handle.reset()
    assert came(emulator_server, handle, fields) == healthy


Heard = tuple[str, list[tuple[str, str]], bytes]
"""What an application gets: the reply's status or the error, its headers, and the body that came before the error."""


def answer(client: Any, url: str, content: bytes, handle: Handle) -> Heard:
    headers, body = [], b""
    try:
        with client.stream("POST", url, content=content, headers=sent_headers(handle)) as reply:
            headers = reply.headers.multi_items()
            for part in reply.iter_bytes():
                body += part
            return str(reply.status_code), headers, body
    except (httpx.HTTPError, httpx2.HTTPError) as error:
        return f"{type(error).__name__}: {error}", headers, body


async def awaited(client: Any, url: str, content: bytes, handle: Handle) -> Heard:
    """The same of an asynchronous client."""
    headers, body = [], b""
    try:
        async with client.stream("POST", url, content=content, headers=sent_headers(handle)) as reply:
            headers = reply.headers.multi_items()
            async for part in reply.aiter_bytes():
                body += part
            return str(reply.status_code), headers, body
    except (httpx.HTTPError, httpx2.HTTPError) as error:
        return f"{type(error).__name__}: {error}", headers, body


def sent_headers(handle: Handle) -> dict[str, str]:
    return {**handle.headers, "Content-Type": "application/json", "Accept-Encoding": "identity"}


@pytest.mark.parametrize("name", OF_REQUESTS)
def test_an_application_gets_the_same_in_process(
    emulator: Emulation, emulator_server: EmulatorServer, handle: Handle, name: str
) -> None:
    arguments, fields, _ = CASES[name]
    content = body_of(emulator_server, handle, **fields)
    url = f"{handle.base_url}/chat/completions"
    found = []
    for transport in (None, emulator.transport()):
        handle.reset()
        handle.fail(fault={name: arguments})
        with httpx.Client(transport=transport) as client:
            found.append(answer(client, url, content, handle))
    over_socket, in_process = found
    if name == "reset":  # what came shortly before a reset may be lost on the way
        assert over_socket[0] == in_process[0] == "ReadError: [Errno 104] Connection reset by peer"
        assert in_process[2].startswith(over_socket[2])
    else:
        assert over_socket == in_process


FRAMES = [
    {"content_length_too_long": {}},
    {"content_length_too_short": {}},
    {"content_length_too_short": {"by": 1_000_000}},
    {"conflicting_lengths": {}},
    {"bad_chunk_size": {}},
    {"bad_chunk_size": {"after_events": 0, "size": "5"}},
    {"huge_header": {"bytes": 200_000}},
    {"huge_header": {"name": "not a name"}},
    {"duplicate_headers": {}},
    {"stalled_headers": {"duration": "10ms"}},
    {"garbage": {}},
    {"garbage": {"status_line": True}},
    {"garbage": {"data": "HTTP/1.1 200 OK\r\n\r\nin spite of all"}},
    {"close": {"after_bytes": 0}},
    {"close": {"after_bytes": 1_000_000}},
]


@pytest.mark.parametrize("fault", FRAMES, ids=str)
@pytest.mark.parametrize("fields", [{}, STREAM], ids=["plain", "stream"])
@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_wrong_frame_is_what_it_is_over_a_socket(
    emulator: Emulation,
    emulator_server: EmulatorServer,
    handle: Handle,
    library: Any,
    fields: dict[str, Any],
    fault: dict[str, Any],
) -> None:
    """To the header and the word: the library's own parser has its say."""
    content = body_of(emulator_server, handle, **fields)
    asked = f"{handle.base_url}/chat/completions", content, handle

    def again() -> None:
        handle.reset()
        handle.fail(fault=fault)

    async def asynchronously() -> Heard:
        async with library.AsyncClient(transport=emulator.transport(library)) as client:
            return await awaited(client, *asked)

    found = []
    for transport in (None, emulator.transport(library)):
        again()
        with library.Client(transport=transport) as client:
            found.append(answer(client, *asked))
    again()
    found.append(asyncio.run(asynchronously()))
    assert found[1:] == [found[0]] * 2


SILENCES = [
    {"hang": {"duration": "9000h"}},
    {"hang": {"after_bytes": 0, "duration": "9000h"}},
    {"hang": {"after_events": 2, "duration": "9000h"}},
    {"stall": {"at_event": 2, "duration": "9000h"}},
    {"split_event": {"at_event": 2, "gap": "9000h"}},
    {"stalled_headers": {"duration": "9000h"}},
    {"reset": {"after": "9000h"}},
    {"close": {"after_events": 2, "after": "9000h"}},
]


@pytest.mark.parametrize("fault", SILENCES)
def test_a_silence_ends_with_the_patience_of_the_client(
    emulator: Emulation, emulator_server: EmulatorServer, handle: Handle, fault: dict[str, Any]
) -> None:
    """With the client's own timeout and after the same bytes, over the socket and in-process."""
    content = body_of(emulator_server, handle, **STREAM)
    found = []
    for transport in (None, emulator.transport()):
        handle.reset()
        handle.fail(fault=fault)
        with httpx.Client(transport=transport, timeout=0.2) as client:
            found.append(answer(client, f"{handle.base_url}/chat/completions", content, handle))
    assert [told for told, *_ in found] == ["ReadTimeout: timed out"] * 2
    assert found[1][2].startswith(found[0][2])  # a slow machine may be silent sooner


@pytest.mark.parametrize("fault", SILENCES)
def test_a_silence_ends_asynchronously_too(
    emulator: Emulation, emulator_server: EmulatorServer, handle: Handle, fault: dict[str, Any]
) -> None:
    content = body_of(emulator_server, handle, **STREAM)
    handle.fail(fault=fault)

    async def ask() -> None:
        async with httpx.AsyncClient(transport=emulator.transport(), timeout=0.2) as client:
            await client.post(f"{handle.base_url}/chat/completions", content=content, headers=handle.headers)

    with pytest.raises(httpx.ReadTimeout):
        asyncio.run(ask())
