"""What a request, a stream and a start cost, counted: numbers that are the same on any machine."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

import httpx
import jsonschema_rs
import pytest

from emulator import Emulation, create_app, make_runtime
from emulator.edge import answer
from emulator.wire.reading import Request, by_name

CHAT: dict[str, Any] = {"model": "gpt-oss-120b", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}
PATH = "/generalcompute/v1/chat/completions"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    emulation = Emulation(make_runtime(["generalcompute"], pace=0), "counted", "http://emulator", {})
    with httpx.Client(transport=emulation.transport(), base_url="http://emulator") as http:
        yield http


def ask(client: httpx.Client, **fields: Any) -> httpx.Response:
    reply = client.post(PATH, json={**CHAT, **fields}, headers={"Authorization": "Bearer gc_enterprise_1"})
    assert reply.status_code == 200, reply.text
    return reply


def compiled_calls(work: Callable[[], Any]) -> Counter[str]:
    """How often each function of the compiled libraries was called meanwhile, by `type.name` or `name`."""
    calls: Counter[str] = Counter()

    def notice(frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call":
            owner = getattr(function, "__self__", None)
            kind = "" if owner is None or isinstance(owner, type(sys)) else f"{type(owner).__name__}."
            calls[kind + function.__name__] += 1

    sys.setprofile(notice)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("fields", [{}, {"stream": True}], ids=["plain", "stream"])
def test_a_chat_request_evaluates_few_expressions(client: httpx.Client, fields: Mapping[str, Any]) -> None:
    """None in CEL, and what was made of them for the request before is there."""
    ask(client, **fields)
    calls = compiled_calls(lambda: ask(client, **fields))
    assert calls["Program.execute"] == calls["Context.add_variable"] == 0
    assert calls["compile"] == calls["exec"] == 0


PROVIDERS = make_runtime(pace=0).providers
OPERATIONS = [(name, operation) for name, family in PROVIDERS.items() for operation in family.base.operations]


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_packaged_providers_hardly_need_cel(name: str, operation: str) -> None:
    """Where a key that is asked for is not there, CEL has the last word."""
    provider, runtime = PROVIDERS[name].base, make_runtime(pace=0)
    asked = provider.operations[operation]
    body = asked.examples.body
    sent = json.dumps(body).encode() if isinstance(body, dict) else b""
    headers = by_name({**provider.headers(provider.api_key), "content-type": "application/json"}.items())
    path = f"/{name}{asked.example_path}"

    def again() -> None:
        answer(runtime, Request(asked.method, path, "", headers, sent))

    again()
    assert compiled_calls(again)["Program.execute"] <= 2


def test_a_chat_request_is_validated_once_and_serialised_once(client: httpx.Client) -> None:
    calls = compiled_calls(lambda: ask(client))
    assert calls["Draft202012Validator.is_valid"] == 1
    assert calls["dumps"] <= 1


def test_a_stream_serialises_no_event_twice(client: httpx.Client) -> None:
    """Of those that differ in a piece alone, the piece; what they share is one more, and where the piece stands."""
    replies = []
    calls = compiled_calls(lambda: replies.append(ask(client, stream=True)))
    assert calls["dumps"] <= replies[0].text.count("data: ") + 2


class Counted:
    """A class of the schema library that counts how many are made."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.made = 0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.made += 1
        return self.kind(*arguments, **options)


def test_schemas_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most one an operation's body and one its query; none by a request that was seen before."""
    counted = Counted(jsonschema_rs.Draft202012Validator)
    monkeypatch.setattr(jsonschema_rs, "Draft202012Validator", counted)
    runtime = make_runtime(["generalcompute"], pace=0)
    operations = runtime.providers["generalcompute"].base.operations
    transport = Emulation(runtime, "counted", None, {}).transport()
    with httpx.Client(transport=transport, base_url="http://emulator") as http:
        ask(http)
        ask(http, stream=True)
        assert counted.made <= 2 * len(operations)
        before = counted.made
        ask(http)
        ask(http, stream=True)
    assert counted.made == before


def written(pace: float) -> list[bytes]:
    """The body messages that the application sends for a stream."""
    app = create_app(["generalcompute"], pace=pace)
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": [(b"authorization", b"Bearer gc_scale_1")]}
    requests = [{"type": "http.request", "body": json.dumps({**CHAT, "stream": True}).encode()}]
    parts: list[bytes] = []

    async def receive() -> Any:
        return requests.pop() if requests else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            parts.append(message["body"])

    async def exchange() -> None:
        await app(scope, receive, send)

    asyncio.run(exchange())
    return [part for part in parts if part]


def test_a_paced_stream_writes_every_piece_by_itself() -> None:
    """However short the pause: a client that reads slowly still gets events, not heaps of them."""
    parts = written(0.00001)
    assert max(part.count(b'"content":') for part in parts) == 1
    assert len(parts) >= sum(part.count(b'"content":') for part in parts) > 20


def test_an_unpaced_stream_needs_no_more_writes_than_events() -> None:
    parts = written(0)
    assert len(parts) <= sum(part.count(b"data: ") for part in parts)
