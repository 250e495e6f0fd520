"""openai_compatible: what a provider that adds nothing to the dialect answers, so that every line of it is met."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulation, EmulatorServer, make_runtime
from emulator.provider import ErrorEntry, Provider
from emulator.refusals import RefusalName

from .catalogue import PROVIDERS, QUESTION, Caller, complaints
from .causes import ANY_PROVIDER, Cause, another_model, broken, key, no_json

FIXTURE = """
id: acme
extends: openai_compatible
spec: acme.yaml
origin: https://api.acme.test
models: [{id: acme-large, context: 8192}]
"""
SPEC = """
openapi: 3.1.0
info: {title: Acme, version: "1"}
servers: [{url: https://api.acme.test/v1}]
paths:
  /chat/completions: {$ref: "openai_compatible.yaml#/paths/~1chat~1completions"}
  /models: {$ref: "openai_compatible.yaml#/paths/~1models"}
"""
CAUSES: dict[RefusalName, Cause] = {
    **ANY_PROVIDER,
    "malformed_json": no_json,
    "unknown_model": another_model,
    "invalid_credentials": key("invalid-1"),
    "expired_credentials": broken("expired_credentials"),
    "insufficient_credit": broken("insufficient_credit"),
    "forbidden": broken("forbidden"),
    "rate_limited": broken("rate_limited"),
    "quota_exhausted": broken("quota_exhausted"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorServer]:
    data: Path = tmp_path_factory.mktemp("data")
    (data / "fixtures" / "acme").mkdir(parents=True)
    (data / "fixtures" / "acme" / "provider.yaml").write_text(FIXTURE)
    (data / "specs").mkdir()
    (data / "specs" / "acme.yaml").write_text(SPEC)
    with EmulatorServer(make_runtime(["acme"], data=[data], pace=0)) as started:
        yield started


@pytest.fixture
def emulation(server: EmulatorServer) -> Emulation:
    found = server.tenant("dialect")
    found.reset()
    return found


@pytest.fixture
def acme(server: EmulatorServer) -> Provider:
    return server.runtime.providers["acme"].base


@pytest.fixture
def asking(emulation: Emulation, acme: Provider) -> Caller:
    body = {"model": "acme-large", "messages": QUESTION}
    return Caller(emulation["acme"], acme.operations["createChatCompletion"], acme, body)


@pytest.mark.parametrize("refusal", CAUSES)
def test_each_error_entry_is_really_caused(
    emulation: Emulation, acme: Provider, asking: Caller, refusal: RefusalName
) -> None:
    reply = CAUSES[refusal](emulation, asking)
    (entry,) = acme.errors[refusal]
    assert (reply.status, asking.render()["entry"]) == (entry.status, entry.where)
    assert entry.where.startswith("fixtures/openai_compatible/")
    if entry.status in asking.operation.statuses:
        assert list(complaints(acme, asking.operation, reply)) == []


def test_every_refusal_has_its_cause(acme: Provider) -> None:
    assert set(acme.errors) == set(CAUSES)


def test_no_provider_has_an_entry_of_the_dialect_that_is_not_met_here(acme: Provider) -> None:
    own: set[ErrorEntry | str] = {e.where for entries in acme.errors.values() for e in entries}
    met = {e.where for p in PROVIDERS.values() for entries in p.errors.values() for e in entries}
    assert {where for where in met if where.startswith("fixtures/openai_compatible/")} <= own


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": 1}, "Invalid type for 'model': expected string, but got integer."),
        ({"messages": []}, "Invalid 'messages': needs at least 1 item."),
        ({"messages": [{}]}, "Missing required parameter: 'messages[0].role'."),
        (
            {"messages": [{"role": "narrator"}]},
            "Invalid value for 'messages[0].role': expected one of system, developer, user, assistant, tool, function.",
        ),
        ({"temperature": 3}, "Invalid 'temperature': must be at most 2."),
        ({"temperature": -1}, "Invalid 'temperature': must be at least 0."),
        ({"n": 0}, "Invalid 'n': must be at least 1."),
        ({"stream": "x"}, "Invalid type for 'stream': expected boolean, but got string."),
    ],
)
def test_a_wrong_field_is_named(asking: Caller, change: dict[str, Any], message: str) -> None:
    reply = asking.ask(body={**(asking.body or {}), **change})
    assert (reply.status, reply.json["error"]["message"]) == (400, message)


def test_usage_in_a_stream_is_for_those_who_ask(asking: Caller) -> None:
    quiet = asking.ask(body={**(asking.body or {}), "stream": True})
    assert "usage" not in quiet.text
    asked = asking.ask(body={**(asking.body or {}), "stream": True, "stream_options": {"include_usage": True}})
    assert '"usage"' in asked.events[-2]


def test_a_tool_call_has_no_content_and_text_no_tool_calls(asking: Caller) -> None:
    tools = [{"type": "function", "function": {"name": "look_up"}}]
    (called,) = asking.ask(body={**(asking.body or {}), "tools": tools}).json["choices"]
    assert list(called["message"]) == ["role", "content", "tool_calls"]
    assert (called["message"]["content"], called["finish_reason"]) == (None, "tool_calls")
    (said,) = asking.ask().json["choices"]
    assert list(said["message"]) == ["role", "content"]
    assert list(said) == ["index", "message", "logprobs", "finish_reason"]
