"""The openai package against an OpenAI-compatible provider: completions, whole and streamed."""

import asyncio

import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam

from emulator import Handle

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Why is the sky blue?"}]
MODEL = "gpt-oss-120b"


def text(completion: ChatCompletion, choice: int = 0) -> str:
    found = completion.choices[choice].message.content
    assert found
    return found


def joined(chunks: list[ChatCompletionChunk], choice: int = 0) -> str:
    deltas = [c.delta for chunk in chunks for c in chunk.choices if c.index == choice]
    return "".join(delta.content or "" for delta in deltas)


def test_a_completion(client: OpenAI) -> None:
    completion = client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert (completion.object, completion.model) == ("chat.completion", MODEL)
    assert completion.choices[0].finish_reason == "stop"
    assert "sky" in text(completion)
    assert completion.usage is not None
    assert completion.usage.prompt_tokens > 0 < completion.usage.completion_tokens
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


def test_a_conversation_with_parts_of_text(client: OpenAI) -> None:
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is a volcano?"},
        {"role": "assistant", "content": "A mountain that erupts."},
        {"role": "user", "content": [{"type": "text", "text": "And a glacier?"}]},
    ]
    assert "glacier" in text(client.chat.completions.create(model=MODEL, messages=messages))


def test_a_stream(client: OpenAI) -> None:
    with client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True) as stream:
        chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "sky" in joined(chunks)
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["stop"]
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}


def test_the_last_chunk_of_a_stream_counts_the_text_of_the_others(client: OpenAI) -> None:
    with client.chat.completions.create(
        model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    usage = chunks[-1].usage
    assert chunks[-1].choices == []
    assert usage is not None
    assert usage.completion_tokens == -(-len(joined(chunks)) // 4)  # four characters a token, rounded up
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


def test_a_stream_says_what_the_whole_reply_would(client: OpenAI, generalcompute: Handle) -> None:
    """The same text and usage by either way, when a scenario settles the text."""
    generalcompute.play([{"times": 2, "reply": {"text": "It scatters.\n\n  Blue most of all. "}}])
    whole = client.chat.completions.create(model=MODEL, messages=MESSAGES)
    with client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True) as stream:
        chunks = list(stream)
    assert joined(chunks) == text(whole) == "It scatters.\n\n  Blue most of all. "
    assert chunks[-1].usage == whole.usage


def test_several_choices(client: OpenAI) -> None:
    completion = client.chat.completions.create(model=MODEL, messages=MESSAGES, n=3)
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert len({text(completion, i) for i in range(3)}) > 1
    assert completion.usage is not None
    assert completion.usage.completion_tokens == sum(-(-len(text(completion, i)) // 4) for i in range(3))


def test_several_choices_in_one_stream(client: OpenAI) -> None:
    with client.chat.completions.create(model=MODEL, messages=MESSAGES, n=2, stream=True) as stream:
        chunks = list(stream)
    assert all("sky" in joined(chunks, i) for i in range(2))
    finished = [(c.index, c.finish_reason) for chunk in chunks for c in chunk.choices if c.finish_reason]
    assert finished == [(0, "stop"), (1, "stop")]


@pytest.mark.parametrize("stop", [".", ["!", "."], ["sky"]])
def test_stop_ends_the_text_before_the_sequence(client: OpenAI, stop: str | list[str]) -> None:
    completion = client.chat.completions.create(model=MODEL, messages=MESSAGES, stop=stop)
    assert not any(sequence in text(completion) for sequence in stop)
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == -(-len(text(completion)) // 4)


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_limit_on_the_tokens_cuts_the_text(client: OpenAI, field: str) -> None:
    completion = client.chat.completions.create(model=MODEL, messages=MESSAGES, extra_body={field: 5})
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 5
    assert len(text(completion)) <= 20


def test_a_limit_on_the_tokens_cuts_a_stream(client: OpenAI) -> None:
    with client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=5, stream=True) as stream:
        chunks = list(stream)
    assert len(joined(chunks)) <= 20
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 5


def test_a_limit_that_the_text_does_not_reach(client: OpenAI) -> None:
    completion = client.chat.completions.create(model=MODEL, messages=MESSAGES, max_completion_tokens=4000)
    assert completion.choices[0].finish_reason == "stop"


def test_parameters_the_provider_does_not_know_change_nothing(client: OpenAI) -> None:
    extra = {"plugins": [{"id": "web"}], "web_search_options": {}, "seed": 7, "reasoning_effort": "low"}
    assert text(client.chat.completions.create(model=MODEL, messages=MESSAGES, extra_body=extra))


def test_the_models(client: OpenAI, generalcompute: Handle) -> None:
    models = list(client.models.list())
    assert [model.id for model in models] == generalcompute.models
    assert {(model.object, model.owned_by) for model in models} == {("model", "generalcompute")}


def test_the_raw_response_carries_the_limit_headers(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
    assert raw.headers["x-ratelimit-limit-requests"] == "100"
    assert raw.headers["x-ratelimit-remaining-requests"] == "99"


def test_the_asynchronous_client(generalcompute: Handle) -> None:
    async def talk() -> tuple[ChatCompletion, list[ChatCompletionChunk]]:
        async with AsyncOpenAI(base_url=generalcompute.base_url, api_key=generalcompute.api_key) as client:
            whole = client.chat.completions.create(model=MODEL, messages=MESSAGES)
            stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
            chunks = [chunk async for chunk in stream]
            return await whole, chunks

    whole, chunks = asyncio.run(talk())
    assert "sky" in text(whole)
    assert "sky" in joined(chunks)
    assert chunks[-1].usage is not None


def test_many_asynchronous_requests_at_once(generalcompute: Handle) -> None:
    async def talk() -> list[ChatCompletion]:
        async with AsyncOpenAI(base_url=generalcompute.base_url, api_key=generalcompute.api_key) as client:
            asked = (
                client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": f"Explain topic{i}"}])
                for i in range(20)
            )
            return await asyncio.gather(*asked)

    found = asyncio.run(talk())
    assert all(f"topic{i}" in text(completion) for i, completion in enumerate(found))
    assert len({completion.id for completion in found}) == 20
