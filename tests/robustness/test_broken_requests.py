"""Bodies and headers that no client should send get the provider's own error, and the server goes on."""

import json
from collections.abc import Iterator

import pytest
from wire_client import PROVIDERS, Reply, Wire, answered, body_of, chat, operation_of, request, target_of, with_header

from emulator import Emulation, EmulatorServer

MEGABYTES = 10 * 1024 * 1024
DEPTH = 10_000
BROKEN = {
    "empty": b"",
    "blank": b" \r\n ",
    "invalid UTF-8": b'{"model": "\xff\xfe"}',
    "invalid UTF-8 in a key": b'{"\xc3\x28": 1}',
    "overlong UTF-8": b'{"model": "\xc0\x80"}',
    "UTF-16": '{"model": "x"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"model": "x"}',
    "truncated": b'{"model": "x", "messages": [{"role": "us',
    "two values": b'{"model": "x"}{"model": "x"}',
    "a trailing comma": b'{"model": "x",}',
    "single quotes": b"{'model': 'x'}",
    "a comment": b'{"model": "x" /* y */}',
    "NaN": b'{"model": NaN}',
    "a control character": b'{"model": "a\x00b"}',
    "a lone surrogate": b'{"model": "\\ud800"}',
    "null": b"null",
    "a list": b"[]",
    "a string": b'"model"',
    "a number": b"17",
    "10 MB of junk": b"x" * MEGABYTES,
    "10 MB of blanks": b" " * MEGABYTES,
    "10 MB of nulls": b"\x00" * MEGABYTES,
    "deep lists": b"[" * DEPTH + b"]" * DEPTH,
    "deep objects": b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
    "deep and open": b"[" * DEPTH,
    "form data": b"model=x&messages=y",
    "XML": b"<model>x</model>",
}


@pytest.fixture(autouse=True)
def goes_on(emulator: Emulation, emulator_server: EmulatorServer, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Afterwards a healthy request on a fresh connection works, and nothing was logged as a failure."""
    yield
    for provider in PROVIDERS:
        assert answered(emulator_server.url, chat(emulator_server, emulator[provider])).status == 200
    assert [record.getMessage() for record in caplog.get_records("call") if record.name.startswith("emulator")] == []


def is_the_providers_own(server: EmulatorServer, provider: str, reply: Reply) -> None:
    """A documented error in the provider's own words: no page and no note of the emulator's."""
    assert 300 <= reply.status < 500
    assert reply.status in operation_of(server, provider).statuses
    assert "x-emulator-notice" not in reply.headers
    assert b"Traceback" not in reply.body
    if reply.headers["content-type"] == "application/json":
        assert isinstance(json.loads(reply.body), dict)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_body(emulator: Emulation, emulator_server: EmulatorServer, provider: str, name: str) -> None:
    handle, server = emulator[provider], emulator_server
    headers = {**handle.headers, "Content-Type": "application/json"}
    reply = answered(server.url, request("POST", target_of(server, handle), headers, BROKEN[name]))
    is_the_providers_own(server, provider, reply)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_ten_megabytes_of_prompt(emulator: Emulation, emulator_server: EmulatorServer, provider: str) -> None:
    messages = [{"role": "user", "content": "word " * (MEGABYTES // 5)}]
    reply = answered(emulator_server.url, chat(emulator_server, emulator[provider], messages=messages))
    is_the_providers_own(emulator_server, provider, reply)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_three_million_wrong_messages(emulator: Emulation, emulator_server: EmulatorServer, provider: str) -> None:
    handle, server = emulator[provider], emulator_server
    headers = {**handle.headers, "Content-Type": "application/json"}
    body = b'{"model":"x","messages":[' + b",".join([b"{}"] * 3_000_000) + b"]}"
    reply = answered(server.url, request("POST", target_of(server, handle), headers, body))
    is_the_providers_own(server, provider, reply)
    assert len(reply.body) < 100_000


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_hundred_thousand_messages(emulator: Emulation, emulator_server: EmulatorServer, provider: str) -> None:
    messages = [{"role": "user", "content": "Hello"}] * 100_000
    reply = answered(emulator_server.url, chat(emulator_server, emulator[provider], messages=messages))
    if reply.status != 200:
        is_the_providers_own(emulator_server, provider, reply)


def test_a_body_over_the_limit_is_told_by_the_emulator(emulator: Emulation, emulator_server: EmulatorServer) -> None:
    target = target_of(emulator_server, emulator["barrack"])
    with Wire(emulator_server.url) as wire:
        wire.send(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {65 * 1024 * 1024}\r\n\r\n".encode())
        for _ in range(65):
            wire.send(b" " * 1024 * 1024)
        reply = wire.reply()
    assert (reply.status, reply.headers["x-emulator-notice"]) == (413, "own reply")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/html; charset=iso-8859-1",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/jsonp",
        "application/json; charset=utf-16",
        "APPLICATION/JSON",
        "application/vnd.api+json",
        ";;;=\xff",
        "",
        None,
    ],
)
def test_another_content_type(
    emulator: Emulation, emulator_server: EmulatorServer, provider: str, content_type: str | None
) -> None:
    handle, server = emulator[provider], emulator_server
    headers = handle.headers if content_type is None else {**handle.headers, "Content-Type": content_type}
    reply = answered(server.url, request("POST", target_of(server, handle), headers, body_of(server, handle)))
    if reply.status != 200:
        is_the_providers_own(server, provider, reply)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_headers_at_all(emulator: Emulation, emulator_server: EmulatorServer, provider: str) -> None:
    body = body_of(emulator_server, emulator[provider])
    target = target_of(emulator_server, emulator[provider])
    head = f"POST {target} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    is_the_providers_own(emulator_server, provider, answered(emulator_server.url, head + body))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_of_a_repeated_header_the_first_counts(
    emulator: Emulation, emulator_server: EmulatorServer, provider: str
) -> None:
    handle = emulator[provider]
    name = next(iter(handle.headers))
    good = chat(emulator_server, handle)
    assert answered(emulator_server.url, with_header(good, f"{name}: emu-forbidden")).status == 200
    line = next(line for line in good.split(b"\r\n") if line.startswith(name.encode()))
    bad = good.replace(line, f"{name}: \r\n".encode() + line, 1)
    is_the_providers_own(emulator_server, provider, answered(emulator_server.url, bad))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("value", ["", " ", "Bearer", "Bearer ", "Basic eDp5", "\xff\xfe", "~", "~~", "x" * 100_000])
def test_a_credential_that_is_none(
    emulator: Emulation, emulator_server: EmulatorServer, provider: str, value: str
) -> None:
    handle, server = emulator[provider], emulator_server
    headers = {**handle.headers, "Content-Type": "application/json", next(iter(handle.headers)): value}
    reply = answered(server.url, request("POST", target_of(server, handle), headers, body_of(server, handle)))
    if reply.status != 200:
        is_the_providers_own(server, provider, reply)
