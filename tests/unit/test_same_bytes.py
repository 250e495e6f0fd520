"""The same seed and the same requests give the same bytes, once the clock is frozen."""

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from emulator import EmulatorServer, make_runtime

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "at": {"type": "string", "format": "date-time"}}}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {**SCHEMA, "required": ["city", "at"]}}}
FIELDS: list[dict[str, Any]] = [
    {},
    {},  # the same body once more has its own chance
    {"stream": True, "anonymize": False},
    {"n": 3},
    {"tools": [TOOL]},
    {"tools": [TOOL], "stream": True},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
    {"messages": []},
    {"model": None},
]
STEERS = [{"X-Emulator-Refuse": "server_error"}, {"Prefer": "code=429"}, {"Prefer": "code=799"}]


def transcript(seed: int) -> list[bytes]:
    """Every byte that a fresh server of this seed answers to the same conversation."""
    with EmulatorServer(make_runtime(seed=seed, pace=0)) as server:
        server.tenant().clock.freeze(1_700_000_000.25)
        return [raw(server, request) for provider in server.runtime.providers for request in asked(server, provider)]


def asked(server: EmulatorServer, provider: str) -> Iterator[bytes]:
    base = server.runtime.providers[provider].base
    handle = server[provider]
    for operation in base.operations.values():
        example = operation.examples.body
        bodies = [None] if example is None else [{**example, **fields} for fields in FIELDS]
        for extra in [{}, *STEERS]:
            for body in bodies[: 1 if extra else None]:
                yield request(operation.method, f"/{provider}{operation.path}", {**handle.headers, **extra}, body)
    yield request("GET", f"/{provider}/nowhere", {}, None)


def request(method: str, path: str, headers: dict[str, str], body: Any) -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    lines = {"Host": "x", "Connection": "close", "Content-Type": "application/json", **headers}
    head = "".join(f"{k}: {v}\r\n" for k, v in {**lines, "Content-Length": str(len(data))}.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + data


def raw(server: EmulatorServer, data: bytes) -> bytes:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture(scope="module")
def first() -> list[bytes]:
    return transcript(7)


def test_the_same_seed_gives_the_same_bytes(first: list[bytes]) -> None:
    second = transcript(7)
    assert len(first) == len(second) > 40
    for one, other in zip(first, second, strict=True):
        assert one == other


def test_the_transcript_holds_every_kind_of_reply(first: list[bytes]) -> None:
    statuses = {int(reply.split(b" ")[1]) for reply in first}
    assert {200, 400, 404, 422, 429, 500} <= statuses
    assert sum(b"text/event-stream" in reply for reply in first) >= 3
    assert all(b"date: Tue, 14 Nov 2023 22:13:20 GMT" in reply for reply in first)


def test_a_repeated_request_gets_another_id(first: list[bytes]) -> None:
    one, other = (json.loads(reply.split(b"\r\n\r\n", 1)[1])["id"] for reply in first[:2])
    assert one != other


def test_another_seed_gives_other_ids(first: list[bytes]) -> None:
    def ids(replies: list[bytes]) -> set[str]:
        bodies = [reply.split(b"\r\n\r\n", 1)[1] for reply in replies if b"application/json" in reply]
        parsed = [json.loads(body) for body in bodies]
        found = {str(body.get("id")) for body in parsed if isinstance(body, dict)}
        drawn = {text for text in found if not text.endswith("-1700000000")}  # that is the clock and not chance
        return {text for text in drawn if text.startswith("chatcmpl-")}

    assert len(ids(first)) >= 10
    assert not ids(first) & ids(transcript(8))
