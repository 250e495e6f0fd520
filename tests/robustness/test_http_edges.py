"""HTTP at its edges: old versions, pipelines, garbage, strange methods and paths."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from wire_client import PROVIDERS, Reply, Wire, answered, chat, operation_of, request, target_of, with_header

from emulator import Emulation, EmulatorServer
from emulator.mechanisms.journal import SHORT

pytestmark = pytest.mark.emulator(allow_unmatched=True)
STREAM: dict[str, Any] = {"stream": True, "anonymize": False}
STREAMING = [name for name in PROVIDERS if name != "nugen"]


@pytest.fixture(autouse=True)
def goes_on(emulator: Emulation, emulator_server: EmulatorServer, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Afterwards a healthy request on a fresh connection works, and nothing was logged as a failure."""
    yield
    assert answered(emulator_server.url, chat(emulator_server, emulator["barrack"])).status == 200
    assert [record.getMessage() for record in caplog.get_records("call") if record.name.startswith("emulator")] == []


def owner(reply: Reply) -> str:
    """Whose reply it is: every one is either a provider's or marked as the emulator's."""
    assert b"Traceback" not in reply.body
    assert b"Internal Server Error" not in reply.body
    return "provider" if "x-emulator-notice" not in reply.headers else "emulator"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_http_1_0(emulator: Emulation, emulator_server: EmulatorServer, provider: str) -> None:
    with Wire(emulator_server.url) as wire:
        reply = wire.send(chat(emulator_server, emulator[provider], version="1.0")).reply()
        assert (reply.status, reply.complete, wire.rest()) == (200, True, b"")
    assert "transfer-encoding" not in reply.headers


@pytest.mark.parametrize("provider", STREAMING)
def test_an_http_1_0_stream_has_a_length_and_no_chunks(
    emulator: Emulation, emulator_server: EmulatorServer, provider: str
) -> None:
    with Wire(emulator_server.url) as wire:
        reply = wire.send(chat(emulator_server, emulator[provider], version="1.0", **STREAM)).reply()
        assert (reply.status, reply.complete, wire.rest()) == (200, True, b"")
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert "transfer-encoding" not in reply.headers
    assert reply.body.startswith(b"data: {")
    assert reply.body.endswith(b"\n\n")


@pytest.mark.parametrize("provider", STREAMING)
def test_the_same_stream_in_chunks(emulator: Emulation, emulator_server: EmulatorServer, provider: str) -> None:
    reply = answered(emulator_server.url, chat(emulator_server, emulator[provider], **STREAM))
    assert (reply.status, reply.complete) == (200, True)
    assert "content-length" not in reply.headers
    assert reply.body.endswith(b"\n\n")


def test_keep_alive(emulator: Emulation, emulator_server: EmulatorServer) -> None:
    with Wire(emulator_server.url) as wire:
        for provider in [*PROVIDERS, *PROVIDERS]:
            assert wire.send(chat(emulator_server, emulator[provider])).reply().status == 200
            assert wire.send(chat(emulator_server, emulator[provider], messages=7)).reply().status in (400, 422)
        assert wire.send(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").reply().status == 200
        assert wire.rest() == b""


def test_pipelined_requests_are_answered_in_order(emulator: Emulation, emulator_server: EmulatorServer) -> None:
    requests = [
        chat(emulator_server, emulator[p], **fields) for p in PROVIDERS for fields in ({}, STREAM, {"model": 7})
    ]
    with Wire(emulator_server.url) as wire:
        wire.send(b"".join(requests) + b"GET /nowhere HTTP/1.1\r\n\r\n")
        piped = [wire.reply() for _ in range(len(requests) + 1)]
    apart = [answered(emulator_server.url, one) for one in requests]
    assert [(r.status, r.headers["content-type"]) for r in piped[:-1]] == [
        (r.status, r.headers["content-type"]) for r in apart
    ]
    assert owner(piped[-1]) == "emulator"


def test_a_request_in_single_bytes(emulator: Emulation, emulator_server: EmulatorServer) -> None:
    with Wire(emulator_server.url) as wire:
        for byte in chat(emulator_server, emulator["barrack"]):
            wire.send(bytes([byte]))
        assert wire.reply().status == 200


def test_a_chunked_request(emulator: Emulation, emulator_server: EmulatorServer) -> None:
    whole = chat(emulator_server, emulator["barrack"])
    head, body = whole.split(b"\r\n\r\n", 1)
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    with Wire(emulator_server.url) as wire:
        wire.send(b"\r\n".join([*lines, b"Transfer-Encoding: chunked"]) + b"\r\n\r\n" + chunks)
        assert wire.reply().status == 200


def test_a_client_that_asks_before_it_sends(emulator: Emulation, emulator_server: EmulatorServer) -> None:
    head, body = with_header(chat(emulator_server, emulator["barrack"]), "Expect: 100-continue").split(b"\r\n\r\n", 1)
    with Wire(emulator_server.url) as wire:
        assert wire.send(head + b"\r\n\r\n").reply(bodiless=True).status == 100
        assert wire.send(body).reply().status == 200


@pytest.mark.parametrize("before", ["plain", "stream", "control"])
@pytest.mark.parametrize("apart", [True, False], ids=["while it is answered", "in one write"])
def test_a_sign_comes_behind_the_reply_to_the_request_before(
    emulator: Emulation, emulator_server: EmulatorServer, before: str, *, apart: bool
) -> None:
    handle = emulator["generalcompute"]
    first = chat(emulator_server, handle, **(STREAM if before == "stream" else {}))
    if before == "control":
        first = request("GET", "/_emulator/health")
    if before == "stream":
        handle.fail(fault={"stall": {"at_event": 1, "duration": "300ms"}})
    head, body = with_header(chat(emulator_server, handle), "Expect: 100-continue").split(b"\r\n\r\n", 1)
    with Wire(emulator_server.url) as wire:
        wire.send(first + (b"" if apart else head + b"\r\n\r\n"))
        assert wire.more()
        if apart:
            wire.send(head + b"\r\n\r\n")
        assert (wire.reply().status, wire.reply(bodiless=True).status) == (200, 100)
        assert wire.send(body).reply().status == 200


def test_who_sends_without_the_sign_gets_none(emulator: Emulation, emulator_server: EmulatorServer) -> None:
    """Whoever tires of waiting, because the request before still has its turn, may send the body."""
    handle = emulator["generalcompute"]
    handle.fail(fault={"stall": {"at_event": 1, "duration": "100ms"}})
    expecting = with_header(chat(emulator_server, handle), "Expect: 100-continue")
    with Wire(emulator_server.url) as wire:
        wire.send(chat(emulator_server, handle, **STREAM) + expecting)
        assert [wire.reply().status for _ in range(2)] == [200, 200]


def test_an_http_1_0_client_asks_in_vain(emulator: Emulation, emulator_server: EmulatorServer) -> None:
    """It knows of no reply before the reply (RFC 9110, 10.1.1)."""
    asked = with_header(chat(emulator_server, emulator["barrack"], version="1.0"), "Expect: 100-continue")
    head, body = asked.split(b"\r\n\r\n", 1)
    with Wire(emulator_server.url) as wire:
        wire.send(head + b"\r\n\r\n")
        assert answered(emulator_server.url, chat(emulator_server, emulator["barrack"])).status == 200  # it is read
        wire.send(body)
        assert (wire.reply().status, wire.rest()) == (200, b"")


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "TLS/1.2", "x" * 1000])
def test_an_offer_of_another_protocol_is_declined(
    emulator: Emulation, emulator_server: EmulatorServer, protocol: str
) -> None:
    asked = with_header(chat(emulator_server, emulator["barrack"]), f"Connection: Upgrade\r\nUpgrade: {protocol}")
    head, body = asked.split(b"\r\n\r\n", 1)
    with Wire(emulator_server.url) as wire:
        assert wire.send(asked).reply().status == 200
        assert wire.send(head + b"\r\n\r\n").send(body).reply().status == 200


OFFER = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"


@pytest.mark.parametrize("end", [b"Upg", b"h2c", b"HTTP2-Settings:", b"\r\n\r", b"\r\n\r\n", b'"model'])
def test_an_offer_that_comes_in_two_packets(emulator: Emulation, emulator_server: EmulatorServer, end: bytes) -> None:
    handle = emulator["barrack"]
    asked = with_header(chat(emulator_server, handle), OFFER)
    cut = asked.index(end) + len(end)
    with Wire(emulator_server.url) as wire:
        wire.send(asked[:cut])
        assert answered(emulator_server.url, chat(emulator_server, handle)).status == 200  # the part has been read
        assert wire.send(asked[cut:]).reply().status == 200
        assert wire.send(asked).reply().status == 200
    assert len({entry.raw["request"]["body"] for entry in handle.journal}) == 1


@pytest.mark.parametrize("body", ["length", "chunks", "none"])
def test_an_offer_behind_another_request(emulator: Emulation, emulator_server: EmulatorServer, body: str) -> None:
    handle = emulator["generalcompute"]
    plain = chat(emulator_server, handle)
    asked = with_header(plain, OFFER)
    if body == "chunks":
        head, content = asked.split(b"\r\n\r\n", 1)
        lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
        head = b"\r\n".join([*lines, b"Transfer-Encoding: chunked"])
        asked = head + b"\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)
    if body == "none":
        asked = with_header(request("GET", f"{urlsplit(handle.base_url).path}/models", handle.headers), OFFER)
    with Wire(emulator_server.url) as wire:
        wire.send(plain + asked + plain + asked * 20 + plain)
        assert [wire.reply().status for _ in range(24)] == [200] * 24
    assert "upgrade" not in handle.journal[1].raw["request"]["headers"]


def test_an_offer_that_expects_a_sign(emulator: Emulation, emulator_server: EmulatorServer) -> None:
    asked = with_header(chat(emulator_server, emulator["barrack"]), f"{OFFER}\r\nExpect: 100-continue")
    head, body = asked.split(b"\r\n\r\n", 1)
    with Wire(emulator_server.url) as wire:
        assert wire.send(head + b"\r\n\r\n").reply(bodiless=True).status == 100
        assert wire.send(body).reply().status == 200


def test_a_body_that_speaks_of_upgrades_stays_as_it_is(emulator: Emulation, emulator_server: EmulatorServer) -> None:
    handle = emulator["barrack"]
    text = "\r\nUpgrade: h2c\r\n\r\nUpgrade: h2c\r\n"
    body = b"\r\nUpgrade: h2c\r\n\r\n"
    asked = chat(emulator_server, handle, messages=[{"role": "user", "content": text}])
    head, _ = asked.split(b"\r\n\r\n", 1)
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    head = b"\r\n".join([*lines, b"Content-Length: %d" % len(body)]) + b"\r\n\r\n"
    with Wire(emulator_server.url) as wire:
        assert wire.send(head).send(body).reply().status == 400
        assert wire.send(asked).reply().status == 200
    assert handle.journal[0].raw["request"]["body"] == body.decode()
    assert handle.journal[1].json["messages"][0]["content"] == text


GARBAGE = {
    "nulls": b"\x00" * 64,
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x7f" * 200 + b"\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a sentence": b"hello there\r\n\r\n",
    "an unknown method": b"BREW /barrack/ HTTP/1.1\r\n\r\n",
    "a small method": b"get / HTTP/1.1\r\n\r\n",
    "no path": b"GET  HTTP/1.1\r\n\r\n",
    "HTTP/3": b"GET / HTTP/3.0\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    "a negative length": b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    "an endless length": b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a broken chunk": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a broken chunk that was to be asked for": (
        b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    ),
    "a null in the path": b"GET /barrack/\x00 HTTP/1.1\r\n\r\n",
    "a raw byte in the path": b"GET /barrack/\xff HTTP/1.1\r\n\r\n",
    "a very long path": b"GET /barrack/" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    "a path that is still being sent": b"GET /" + b"a" * 900_000,
}


@pytest.mark.parametrize("name", GARBAGE)
def test_what_is_no_http_gets_a_marked_400_and_the_door(emulator_server: EmulatorServer, name: str) -> None:
    with Wire(emulator_server.url) as wire:
        reply = wire.send(GARBAGE[name]).reply()
        assert (reply.status, reply.body, owner(reply)) == (400, b"", "emulator")
        assert wire.rest() == b""


@pytest.mark.parametrize(
    "lines", [[f"X-Long: {'a' * 2_000_000}"], [f"X-{i}: a" for i in range(5000)], ["Cookie: " + "a=b; " * 100_000]]
)
def test_oversized_headers(emulator: Emulation, emulator_server: EmulatorServer, lines: list[str]) -> None:
    asked = with_header(chat(emulator_server, emulator["barrack"]), "\r\n".join(lines))
    assert answered(emulator_server.url, asked).status == 200


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        ([f"X-Long: {'a' * 2_000_000}"], lambda headers: headers["x-long"].endswith("aaa…")),
        ([f"X-Long: {'a' * 60_000}"], lambda headers: headers["x-long"] == "a" * 60_000),
        ([f"X-{i}: {'a' * 100}" for i in range(5000)], lambda headers: int(headers["…"].removesuffix(" more")) > 4000),
        (["A" * 2_000_000 + ": a", "B: b"], lambda headers: headers["…"] == "2 more"),
    ],
)
def test_of_oversized_headers_the_journal_keeps_the_beginning(
    emulator: Emulation, emulator_server: EmulatorServer, provider: str, lines: list[str], kept: Callable[[Any], bool]
) -> None:
    asked = with_header(chat(emulator_server, emulator[provider]), "\r\n".join(lines))
    assert answered(emulator_server.url, asked).status == 200
    headers = emulator[provider].journal[0].raw["request"]["headers"]
    assert sum(len(name) + len(value) for name, value in headers.items()) < SHORT + 100
    assert "content-type" in headers
    assert kept(headers)


@pytest.mark.parametrize(
    "method", ["HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "PROPFIND", "QUERY", "CONNECT"]
)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_other_methods_are_not_allowed(
    emulator: Emulation, emulator_server: EmulatorServer, provider: str, method: str
) -> None:
    handle = emulator[provider]
    asked = request(method, target_of(emulator_server, handle), {**handle.headers, "Connection": "close"})
    with Wire(emulator_server.url) as wire:
        reply = wire.send(asked).reply(bodiless=method == "HEAD")
        assert wire.rest() == b""
    assert reply.status in (404, 405)
    assert owner(reply) == "provider"
    assert reply.status == 404 or reply.headers["allow"] == operation_of(emulator_server, provider).method
    assert method == "HEAD" or reply.body


@pytest.mark.parametrize(
    ("target", "status", "whose"),
    [
        ("/", 200, "emulator"),
        ("/?x=1", 200, "emulator"),
        ("*", 404, "emulator"),
        ("/nobody/v1/chat", 404, "emulator"),
        ("/..", 404, "emulator"),
        ("/../../etc/passwd", 404, "emulator"),
        ("/%2e%2e/%2e%2e/etc/passwd", 404, "emulator"),
        ("/.%00", 404, "emulator"),
        ("/~", 404, "emulator"),
        ("/~/barrack/", 404, "emulator"),
        ("/barrack", 404, "provider"),
        ("/barrack/", 404, "provider"),
        ("//barrack//api", 404, "provider"),
        ("/barrack/../nugen/inference/chat_text", 404, "provider"),
        ("/barrack/%2e%2e/_emulator/health", 404, "provider"),
        ("/barrack/..%2f..%2f..%2fetc%2fpasswd", 404, "provider"),
        ("/barrack/api/ai/chat%00", 404, "provider"),
        ("/barrack/api/ai/chat/%", 404, "provider"),
        ("/barrack/api/ai/chat/%zz", 404, "provider"),
        ("/barrack/%ff%fe%fd", 404, "provider"),
        ("/barrack/%F0%9F%98%80", 404, "provider"),
        ("/barrack/" + "a" * 60_000, 404, "provider"),
        ("/barrack/" + "a/" * 20_000, 404, "provider"),
        ("/barrack/${request.model}", 404, "provider"),
        ("/barrack/api/ai/chat;x=1", 404, "provider"),
        ("/barrack/api/ai/chat?" + "a=b&" * 10_000, 405, "provider"),
        ("/barrack%2Fapi%2Fai%2Fchat", 405, "provider"),
        ("http://elsewhere.test/barrack/api/ai/chat", 405, "provider"),
        ("http://barrack.localhost/api/ai/chat", 404, "emulator"),
    ],
)
def test_strange_paths(emulator_server: EmulatorServer, target: str, status: int, whose: str) -> None:
    with Wire(emulator_server.url) as wire:
        reply = wire.send(request("GET", target, {"Connection": "close"})).reply()
        assert wire.rest() == b""
    assert (reply.status, owner(reply)) == (status, whose)
    assert reply.json
