"""The server's own protocol at its edges, on a provider whose headers say what the client said."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cli import acme
from wire_client import Wire, request

from emulator import EmulatorServer, make_runtime

LIMITS = """\
headers: {X-Model: "${request.model}", x-said: "${request.messages}"}
"""
QUIRKS = """\
- id: shouting
  target: headers
  source: convention
  do: [{op: case, name: X-MODEL}]
"""
PATH = "/acme/v1/chat/completions"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorServer]:
    files = {"fixtures/acme/limits.yaml": f"limits:\n  {LIMITS}", "fixtures/acme/quirks.yaml": f"quirks:\n{QUIRKS}"}
    data = acme.write(tmp_path_factory.mktemp("data"), files)
    with EmulatorServer(make_runtime(["acme"], data=[data], pace=0)) as running:
        yield running


def chat(server: EmulatorServer, text: str, **fields: object) -> bytes:
    body = {"model": "acme-large", "messages": [{"role": "user", "content": text}], **fields}
    headers = {**server["acme"].headers, "Content-Type": "application/json"}
    return request("POST", PATH, headers, json.dumps(body).encode())


@pytest.mark.parametrize("text", ["a\r\nx-own: 1", "a\nx-own: 1\n\n", "\x00", "\x1b[0m", "\x7f", "é\u2028\u00a0", "\t"])
def test_no_word_of_a_client_ends_a_header(server: EmulatorServer, text: str) -> None:
    with Wire(server.url) as wire:
        first, second = (wire.send(chat(server, text, model=model)).reply() for model in (text, "acme-large"))
    assert (first.status, second.status) == (404, 200)
    assert "x-own" not in first.headers.keys() | second.headers.keys()
    assert "x-said" in second.headers


def test_names_of_headers_are_written_as_meant_and_the_connection_stays(server: EmulatorServer) -> None:
    with Wire(server.url) as wire:
        for _ in range(3):
            wire.send(chat(server, "Hello"))
            assert wire.more()
            assert b"\r\nX-MODEL: acme-large\r\n" in wire.left
            assert wire.reply().status == 200


CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "value": (b"GET / HTTP/1.1\r\nx-long: ", b"abcdef"),
    "headers": (b"GET / HTTP/1.1\r\n", b"x: y\r\n"),
    "address": (b"GET /", b"abcdef"),
    "trailers": (CHUNKED + b"0\r\n", b"x: y\r\n"),
    "chunk extension": (CHUNKED + b"1;", b"abcdef"),
}


@pytest.mark.parametrize(("begin", "more"), ENDLESS.values(), ids=ENDLESS)
def test_what_has_no_end_is_refused(server: EmulatorServer, begin: bytes, more: bytes) -> None:
    with Wire(server.url) as wire, suppress(BrokenPipeError, ConnectionResetError):  # which is closed meanwhile
        wire.send(begin)
        for _ in range(2000):
            wire.send(more * 2000)
        pytest.fail("24 MB that are no body were taken")
    with Wire(server.url) as wire:
        assert wire.send(chat(server, "Hello")).reply().status == 200


@pytest.mark.parametrize(("where", "status"), [("header", 200), ("trailer", 401)])
def test_a_trailer_is_no_header(server: EmulatorServer, where: str, status: int) -> None:
    """It comes when a server has authenticated the request already, if it reads it at all."""
    key = server["acme"].headers["Authorization"]
    lines = [f"POST {PATH} HTTP/1.1", "Content-Type: application/json", "Transfer-Encoding: chunked"]
    lines += [f"Authorization: {key}"] if where == "header" else []
    body = json.dumps({"model": "acme-large", "messages": [{"role": "user", "content": "Hello"}]})
    lines += ["", f"{len(body):x}", body, "0"]
    lines += [f"Authorization: {key}"] if where == "trailer" else []
    with Wire(server.url) as wire:
        assert wire.send("\r\n".join([*lines, "", ""]).encode()).reply().status == status


def test_requests_that_nobody_reads_the_replies_of_wait(server: EmulatorServer) -> None:
    """More of them than buffers hold; then all are read, in their order."""
    long = "word " * 2000
    with Wire(server.url, buffer=4096) as wire:
        for number in range(150):
            wire.send(chat(server, f"{number} {long}", stream=number % 2 == 0))
        replies = [wire.reply() for _ in range(150)]
    assert {reply.status for reply in replies} == {200}
    assert all(f"'{number} word" in reply.headers["x-said"] for number, reply in enumerate(replies))


def test_a_reply_to_nobody_is_no_failure(server: EmulatorServer, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        with Wire(server.url) as wire:
            wire.send(chat(server, "Hello", stream=True) * 3)
            wire.reset()
    with Wire(server.url) as wire:
        assert wire.send(chat(server, "Hello")).reply().status == 200
    assert caplog.records == []


def test_a_failure_of_the_emulator_is_told_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its store is gone; whoever asks hears of it, on a connection that stays."""
    runtime = make_runtime(["acme"], data=[acme.write(tmp_path)], state=tmp_path / "state.db", pace=0)
    with EmulatorServer(runtime) as server, Wire(server.url) as wire:
        server.runtime.store.close()
        for asked in (chat(server, "Hello"), request("POST", "/_emulator/clock", {}, b'{"freeze": true}')):
            reply = wire.send(asked).reply()
            assert (reply.status, reply.headers["x-emulator-notice"]) == (500, "own reply")
    assert [record.getMessage() for record in caplog.records] == [
        f"POST {path} could not be answered" for path in (PATH, "/_emulator/clock")
    ]
