"""The OpenAI client on nugen's v3 generation, which is compatible but for what these tests name."""

import math
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from emulator import Emulation, Handle

MODEL = "llama-v3p2-3b-reasoning"
QUESTION: Any = [{"role": "user", "content": "How do glaciers form?"}]


@pytest.fixture
def nugen(emulator: Emulation) -> Handle:
    return emulator["nugen"]


@pytest.fixture
def client(nugen: Handle) -> Iterator[OpenAI]:
    base_url = f"{nugen.origin}/api/v3/inference"
    with OpenAI(base_url=base_url, api_key=nugen.api_key, max_retries=0) as made:
        yield made


def test_a_completion(client: OpenAI) -> None:
    reply = client.chat.completions.create(model=MODEL, messages=QUESTION)
    assert "glaciers" in (reply.choices[0].message.content or "")
    assert reply.usage is not None
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert (reply.model_extra or {})["timing"]["total_seconds"] > 0


def test_a_stream_has_chunks_without_choices(client: OpenAI) -> None:
    """Two events are about time alone, and the one after the end is never read."""
    chunks: list[Any] = list(client.chat.completions.create(model=MODEL, messages=QUESTION, stream=True))
    assert [index for index, chunk in enumerate(chunks) if chunk.choices is None] == [0, len(chunks) - 1]
    told = [chunk for chunk in chunks if chunk.choices]
    assert len(told) == len(chunks) - 2
    assert [chunk.choices[0].delta.role for chunk in told] == [None] * len(told)
    assert "glaciers" in "".join(chunk.choices[0].delta.content or "" for chunk in told)
    assert told[-1].choices[0].finish_reason == "stop"
    assert told[-1].usage.completion_tokens > 0
    assert {chunk.model for chunk in told} == {"llama-3.2-3b-reasoning"}


def test_a_tool_call_in_a_stream(client: OpenAI) -> None:
    tools: Any = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    chunks: list[Any] = list(client.chat.completions.create(model=MODEL, messages=QUESTION, tools=tools, stream=True))
    calls = [call for c in chunks if c.choices for call in c.choices[0].delta.tool_calls or []]
    assert calls[0].function.name == "look_up"
    assert "".join(call.function.arguments for call in calls) == "{}"


def test_text_completions(client: OpenAI) -> None:
    reply = client.completions.create(model=MODEL, prompt=["Glaciers are", "Volcanoes are"], max_tokens=200)
    assert [choice.index for choice in reply.choices] == [0, 1]
    assert "Volcanoes" in reply.choices[1].text


def test_a_stream_of_text(client: OpenAI) -> None:
    chunks = list(client.completions.create(model=MODEL, prompt="Glaciers are", max_tokens=200, stream=True))
    assert "Glaciers" in "".join(chunk.choices[0].text for chunk in chunks)


@pytest.mark.parametrize(("given", "vectors"), [("Glaciers", 1), (["Glaciers", "snow"], 2), ([1, 2, 3], 1)])
def test_embeddings_come_as_floats_whatever_the_client_asks_for(
    client: OpenAI, nugen: Handle, given: Any, vectors: int
) -> None:
    reply = client.embeddings.create(model="qwen3-embedding-8b", input=given, dimensions=123)
    assert nugen.journal[-1].json["encoding_format"] == "base64"
    assert [len(item.embedding) for item in reply.data] == [123] * vectors
    assert math.hypot(*reply.data[0].embedding) != pytest.approx(1)


def test_a_used_up_quota_is_a_rate_limit(nugen: Handle) -> None:
    base_url = f"{nugen.origin}/api/v3/inference"
    with (
        OpenAI(base_url=base_url, api_key="nugen-spent-1", max_retries=0) as client,
        pytest.raises(openai.RateLimitError) as caught,
    ):
        client.chat.completions.create(model=MODEL, messages=QUESTION)
    assert caught.value.response.json()["detail"].startswith("Quota limit reached.")
