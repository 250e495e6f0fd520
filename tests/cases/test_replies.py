"""What every completion has in common, whoever the provider is: readable, related, counted, and the same again."""

import json
from typing import Any

import pytest

from emulator import Emulation, EmulatorServer, make_runtime

from .catalogue import PROVIDERS, Caller, caller
from .raw import RawReply

NINE_OCLOCK = 1_800_003_600.25
STREAMED = [
    (provider.id, operation.id)
    for provider in PROVIDERS.values()
    for operation in provider.operations.values()
    if operation.stream is not None and operation.id != "createCompletionV3"  # which has no messages
]


@pytest.fixture(params=PROVIDERS)
def asking(emulator: Emulation, request: pytest.FixtureRequest) -> Caller:
    return caller(emulator[request.param])


def about(asking: Caller, question: str, **change: Any) -> RawReply:
    reply = asking.ask(body={**(asking.body or {}), "messages": [{"role": "user", "content": question}], **change})
    assert reply.status == 200
    return reply


def said(reply: RawReply) -> str:
    (choice,) = reply.json["choices"]
    text: str = choice.get("message", choice.get("error"))["content"]
    return text


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("How do glaciers form?", "glaciers"),
        ("Wie entsteht Käsefondue?", "Käsefondue"),
        ("氷河はどうやってできますか", "氷河はどうやってできますか"),
    ],
)
def test_the_text_takes_up_the_question(asking: Caller, question: str, word: str) -> None:
    text = said(about(asking, question))
    assert word in text
    assert len(text.split()) >= 10
    assert text[0].isupper()
    assert text.endswith(".")


@pytest.mark.parametrize("question", ["", "?", "the and of", "🙂", "x" * 5000])
def test_there_is_an_answer_to_anything(asking: Caller, question: str) -> None:
    if asking.provider.id == "peakprivacy" and not question:
        question = "."  # an empty one is refused
    assert said(about(asking, question))


def test_usage_follows_the_text_and_adds_up(asking: Caller) -> None:
    reply = about(asking, "How do glaciers form?")
    usage, tokens = reply.json["usage"], asking.provider.tokens
    assert usage["completion_tokens"] == tokens.count(said(reply))
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    longer = about(asking, "How do glaciers form? " * 10).json["usage"]
    assert longer["prompt_tokens"] > usage["prompt_tokens"]


def test_the_same_request_has_the_same_bytes_in_the_same_state(emulator: Emulation, asking: Caller) -> None:
    def twice() -> list[bytes]:
        emulator.reset()
        emulator.clock.freeze(NINE_OCLOCK)
        return [about(asking, "How do glaciers form?").body for _ in range(2)]

    first = twice()
    assert first == twice()
    assert first[0] != first[1], "asked again, it is another completion with an id of its own"


def test_seeds_differ(asking: Caller) -> None:
    found = set()
    for seed in (1, 2, 1):
        with EmulatorServer(make_runtime([asking.provider.id], seed=seed, pace=0)) as server:
            emulation = server.tenant()
            emulation.clock.freeze(NINE_OCLOCK)
            found.add(about(caller(emulation[asking.provider.id]), "How do glaciers form?").body)
    assert len(found) == 2


def test_created_is_the_time_of_the_clock(emulator: Emulation, asking: Caller) -> None:
    emulator.clock.freeze(NINE_OCLOCK)
    created = about(asking, "Hello").json["created"]
    assert created == (NINE_OCLOCK if asking.provider.id == "nugen" else int(NINE_OCLOCK))


@pytest.mark.parametrize("stream", [False, True])
def test_a_scenario_scripts_text_reason_and_usage(asking: Caller, stream: bool) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    asking.handle.play([{"reply": {"text": "As told.", "finish_reason": "content_filter", "usage": usage}}])
    reply = about(asking, "Hello", **({"stream": True, "anonymize": False} if stream else {}))
    assert asking.handle.journal[-1].raw["usage"] == usage
    if (reply.header("content-type") or "").startswith("text/event-stream"):
        assert "content_filter" in reply.text
        assert _streamed(reply) == "As told."
    else:
        assert (said(reply), reply.json["usage"]) == ("As told.", usage)
        assert reply.json["choices"][0]["finish_reason"] == "content_filter"


TEXTS = [
    '","',
    '", "',
    "a\\",
    '"\\","',
    'é / <\u2028> "q" 🙂',
    " before  and\tafter\n",
    "one two  three",
    "one two three",
    " ",
]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
@pytest.mark.parametrize("name", STREAMED, ids="-".join)
def test_any_text_is_streamed_whole(emulator: Emulation, name: tuple[str, str], text: str) -> None:
    """In pieces that JSON quotes in the provider's way, and another's encoding of the stream than of bodies."""
    provider, operation = name
    emulator[provider].play([{"reply": {"text": text}}])
    reply = about(caller(emulator[provider], operation), "Hello", stream=True, anonymize=False)
    assert _streamed(reply) == text


def _streamed(reply: RawReply) -> str:
    chunks = [json.loads(event) for event in reply.events if event != "[DONE]"]
    parts = [choice.get("delta", choice.get("message")) for chunk in chunks for choice in chunk.get("choices", ())]
    return "".join(part.get("content") or "" for part in parts)
