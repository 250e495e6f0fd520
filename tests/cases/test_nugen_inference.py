"""nugen's inference beside chat_text: completions, embeddings and vision of the legacy generation, and all of v3."""

import json
import math
from typing import Any

import pytest

from emulator import Emulation, Handle

from .catalogue import Caller, caller
from .raw import RawReply, key_order, send

NOON = 1_784_376_000.25
LONG_WORDS = " ".join(letter * 40 for letter in "abcd")
"""A prompt whose answer is long: it takes up these words in every sentence."""
MODEL = "llama-v3p2-3b-reasoning"
BASE = "llama-3.2-3b-reasoning"


@pytest.fixture
def nugen(emulator: Emulation) -> Handle:
    emulator.clock.freeze(NOON)
    return emulator["nugen"]


def ask(nugen: Handle, operation: str, **change: Any) -> RawReply:
    asking = caller(nugen, operation)
    return asking.ask(body={**(asking.body or {}), **change})


def served(nugen: Handle, operation: str, **change: Any) -> Any:
    reply = ask(nugen, operation, **change)
    assert reply.status == 200, reply.text
    return reply.json


def cosine(one: list[float], other: list[float]) -> float:
    return math.fsum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


class TestLegacyCompletions:
    def test_the_reply(self, nugen: Handle) -> None:
        reply = ask(nugen, "createTextCompletion", prompt="A glacier is", max_tokens=None)
        assert reply.text.startswith('{"id":"nugen-1784376000.25","object":"text_completion","created":1784376000.25,')
        assert list(reply.json) == ["id", "object", "created", "model", "choices", "usage"]
        (choice,) = reply.json["choices"]
        assert "glacier" in choice["text"]
        assert (choice["index"], choice["finish_reason"]) == (0, "stop")

    @pytest.mark.parametrize("most", [1, 16, 400])
    def test_the_reason_is_length_exactly_when_the_tokens_reach_it(self, nugen: Handle, most: int) -> None:
        reply = served(nugen, "createTextCompletion", prompt=LONG_WORDS, max_tokens=most)
        reached = reply["usage"]["completion_tokens"] == most
        assert reply["choices"][0]["finish_reason"] == ("length" if reached else "stop")

    def test_max_tokens_is_16_when_left_out(self, nugen: Handle) -> None:
        asking = caller(nugen, "createTextCompletion")
        reply = asking.ask(body={"model": "m", "prompt": LONG_WORDS}).json
        assert reply["usage"]["completion_tokens"] == 16
        assert reply["choices"][0]["finish_reason"] == "length"

    def test_max_tokens_may_be_0(self, nugen: Handle) -> None:
        reply = served(nugen, "createTextCompletion", max_tokens=0)
        assert (reply["choices"][0]["text"], reply["usage"]["completion_tokens"]) == ("", 0)

    @pytest.mark.parametrize(
        ("prompt", "choices", "tokens"),
        [
            ("wor " * 5, 1, 5),
            (["wor " * 5, "wor " * 3], 2, 8),
            ([17, 4, 99], 1, 3),
            ([[17, 4], [99]], 2, 3),
            (["one", [1, 2]], 2, 3),
        ],
    )
    def test_every_prompt_has_its_choice(self, nugen: Handle, prompt: Any, choices: int, tokens: int) -> None:
        reply = served(nugen, "createTextCompletion", prompt=prompt, max_tokens=5)
        assert [choice["index"] for choice in reply["choices"]] == list(range(choices))
        assert reply["usage"] == {
            "prompt_tokens": tokens,
            "completion_tokens": 5 * choices,
            "total_tokens": tokens + 5 * choices,
        }

    def test_each_choice_is_about_its_prompt(self, nugen: Handle) -> None:
        reply = served(nugen, "createTextCompletion", prompt=["glaciers", "volcanoes"], max_tokens=None)
        first, second = (choice["text"] for choice in reply["choices"])
        assert "glaciers" in first
        assert "volcanoes" in second

    def test_each_prompt_fits_the_context_by_itself(self, nugen: Handle) -> None:
        two = ["wor " * 5000, "wor " * 8190]
        reply = served(nugen, "createTextCompletion", prompt=two, max_tokens=100)
        assert reply["usage"]["completion_tokens"] == 2 * 2, "lowered to what the longest of them leaves"
        assert ask(nugen, "createTextCompletion", prompt=["wor", "wor " * 8193]).status == 400


class TestLegacyEmbeddings:
    def test_the_reply(self, nugen: Handle) -> None:
        reply = served(nugen, "createEmbeddings", input=["A contract", "A will"], dimensions=5)
        assert list(reply) == ["id", "data", "model", "created", "object", "usage"]
        assert (reply["id"], reply["created"], reply["object"]) == ("nugen-1784376000.25", NOON, "embedding")
        assert reply["usage"] == {"total_tokens": 5}
        assert [list(item) for item in reply["data"]] == [["index", "embedding", "object"]] * 2
        assert [(item["index"], len(item["embedding"])) for item in reply["data"]] == [(0, 5), (1, 5)]

    def test_vectors_have_length_one_and_know_shared_words(self, nugen: Handle) -> None:
        texts = ["Contracts bind two parties", "A contract binds its parties", "Glaciers form from snow"]
        data = served(nugen, "createEmbeddings", input=texts, dimensions=768)["data"]
        contract, near, far = (item["embedding"] for item in data)
        assert math.isclose(math.hypot(*contract), 1, rel_tol=1e-9)
        assert cosine(contract, near) > 0.3 > cosine(contract, far)

    def test_equal_texts_have_equal_vectors(self, nugen: Handle) -> None:
        one, other = (served(nugen, "createEmbeddings", input="A contract")["data"][0] for _ in range(2))
        assert one == other

    @pytest.mark.parametrize(
        ("model", "dimensions", "size"),
        [
            ("nugen-flash-embed", None, 768),
            ("qwen3-embedding-8b", None, 4096),
            ("my-own", None, 768),
            ("my-own", 123, 123),
        ],
    )
    def test_dimensions_are_the_models_or_those_asked_for(
        self, nugen: Handle, model: str, dimensions: int | None, size: int
    ) -> None:
        reply = served(nugen, "createEmbeddings", model=model, input="A contract", dimensions=dimensions)
        assert len(reply["data"][0]["embedding"]) == size

    def test_tokens_are_counted_and_not_the_numbers(self, nugen: Handle) -> None:
        reply = served(nugen, "createEmbeddings", input=[[17_000, 4], [99]])
        assert (len(reply["data"]), reply["usage"]) == (2, {"total_tokens": 3})
        assert nugen.journal[-1].raw["usage"] == {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}


class TestVision:
    @pytest.mark.parametrize("operation", ["createChatVision", "createChatVisionV3"])
    def test_the_reply(self, nugen: Handle, operation: str) -> None:
        content = [
            {"type": "text", "text": "Which glacier is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        ]
        reply = served(nugen, operation, messages=[{"role": "user", "content": content}])
        assert list(reply) == ["id", "created", "model", "choices", "usage"]
        assert "glacier" in reply["choices"][0]["message"]["content"]

    def test_id_and_created_differ_a_little(self, nugen: Handle) -> None:
        reply = ask(nugen, "createChatVision")
        assert reply.text.startswith('{"id":"nugen-1784376000.25","created":1784376001.0,')


@pytest.mark.parametrize(
    ("operation", "keys"),
    [
        ("getUsageStats", ["requests", "request_limit", "remaining_requests"]),
        ("listLanguageModels", ["models"]),
        ("listEmbeddingModels", ["models"]),
        ("listVisionModels", ["models"]),
        ("checkHealth", ["status"]),
    ],
)
def test_what_is_listed_without_a_path_is_proposed(nugen: Handle, operation: str, keys: list[str]) -> None:
    asking = caller(nugen, operation)
    assert list(asking.ask().json) == keys
    assert asking.operation.source.grade == "assumed"


def test_usage_counts_requests(nugen: Handle) -> None:
    ask(nugen, "createTextCompletion")
    assert caller(nugen, "getUsageStats").ask().json["requests"] == 2


V3_CHAT: dict[str, Any] = {
    "id": "…",
    "choices": [
        {
            "finish_reason": "stop",
            "index": 0,
            "logprobs": None,
            "message": {
                "content": "…",
                "refusal": None,
                "role": "assistant",
                "annotations": None,
                "audio": None,
                "function_call": None,
                "tool_calls": None,
            },
        }
    ],
    "created": 1784376000,
    "model": MODEL,
    "object": "chat.completion",
    "service_tier": None,
    "system_fingerprint": None,
    "usage": {
        "completion_tokens": 11,
        "prompt_tokens": 86,
        "total_tokens": 97,
        "completion_tokens_details": None,
        "prompt_tokens_details": None,
    },
    "timing": {"ttft_seconds": 0.80, "throughput_tokens_per_second": 13.66, "total_seconds": 0.80},
    "confidence": None,
}


class TestV3Chat:
    def test_the_reply_is_as_printed(self, nugen: Handle) -> None:
        reply = served(nugen, "createChatCompletionV3", model=MODEL)
        assert key_order(reply) == key_order(V3_CHAT)
        assert reply["id"] == "chatcmpl-llama-3.-1784376000"
        for name in ("created", "model", "object", "confidence"):
            assert (reply[name], type(reply[name])) == (V3_CHAT[name], type(V3_CHAT[name]))
        timing, usage = reply["timing"], reply["usage"]
        assert {type(value) for value in timing.values()} == {float}
        assert timing["throughput_tokens_per_second"] == pytest.approx(
            usage["completion_tokens"] / timing["total_seconds"], rel=0.05
        )

    def test_a_model_of_ones_own_is_named_in_the_id(self, nugen: Handle) -> None:
        reply = served(nugen, "createChatCompletionV3", model="my-aligned-model-7")
        assert (reply["model"], reply["id"]) == ("my-aligned-model-7", "chatcmpl-my-align-1784376000")

    def test_max_tokens_is_2000_when_left_out(self, nugen: Handle) -> None:
        messages = [{"role": "user", "content": LONG_WORDS}]
        assert served(nugen, "createChatCompletionV3", messages=messages)["usage"]["completion_tokens"] > 200

    def test_the_reason_is_stop_even_at_the_limit(self, nugen: Handle) -> None:
        reply = served(nugen, "createChatCompletionV3", max_tokens=7)
        assert reply["usage"]["completion_tokens"] == 7
        assert reply["choices"][0]["finish_reason"] == "stop"

    def test_several_choices(self, nugen: Handle) -> None:
        reply = served(nugen, "createChatCompletionV3", n=3)
        assert [choice["index"] for choice in reply["choices"]] == [0, 1, 2]

    def test_a_tool_is_called_and_its_answer_taken_up(self, nugen: Handle) -> None:
        tools = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
        question = {"role": "user", "content": "Look glaciers up"}
        choice = served(nugen, "createChatCompletionV3", messages=[question], tools=tools)["choices"][0]
        assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
        (call,) = choice["message"]["tool_calls"]
        assert call["function"]["name"] == "look_up"
        answer = {"role": "tool", "tool_call_id": call["id"], "content": "Ice."}
        turns = [question, choice["message"], answer]
        said = served(nugen, "createChatCompletionV3", messages=turns, tools=tools)["choices"][0]
        assert "Ice." in said["message"]["content"]

    @pytest.mark.parametrize(
        "change",
        [
            {"tool_choice": "none", "top_p": 0.5, "top_k": 40},
            {"reasoning": {"effort": "xhigh", "max_tokens": 10, "exclude": True, "enabled": False}},
            {"reasoning": None, "tools": None, "tool_choice": None, "n": None, "stream": None},
            {"messages": [{"role": "user", "name": "Ann_1", "content": [{"type": "text", "text": "Hi"}]}]},
        ],
    )
    def test_what_else_may_be_asked(self, nugen: Handle, change: dict[str, Any]) -> None:
        served(nugen, "createChatCompletionV3", **change)

    def test_the_headers_of_its_own_are_accepted(self, nugen: Handle) -> None:
        asking = caller(nugen, "createChatCompletionV3")
        assert asking.ask(X_Session_ID="s-1", X_Provider="fwai").status == 200


class TestV3ChatStream:
    def events(self, nugen: Handle, **change: Any) -> list[str]:
        reply = ask(nugen, "createChatCompletionV3", model=MODEL, stream=True, **change)
        assert (reply.header("content-type") or "").startswith("text/event-stream")
        return reply.events

    def test_the_order_is_as_observed(self, nugen: Handle) -> None:
        *events, done, trailer = self.events(nugen, max_tokens=8)
        first, role, *content, finish, timing = map(json.loads, events)
        assert key_order(first) == [("_timing", [("gpu_processing_seconds", None)])]
        assert role["choices"] == [{"index": 0, "delta": {"content": ""}, "finish_reason": None}]
        assert list(role) == ["id", "object", "created", "model", "choices"]
        assert {chunk["choices"][0]["finish_reason"] for chunk in content} == {None}
        assert finish["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
        assert list(finish)[-1] == "usage"
        assert (list(timing), timing["object"]) == (["object", "timing"], "timing")
        assert done == "[DONE]"
        after = json.loads(trailer)
        assert (after["choices"], after["usage"]) == ([], finish["usage"])

    def test_the_model_is_the_one_behind(self, nugen: Handle) -> None:
        chunks = [json.loads(event) for event in self.events(nugen) if event != "[DONE]"]
        assert {chunk["model"] for chunk in chunks if "model" in chunk} == {BASE}
        assert {chunk["id"] for chunk in chunks if "id" in chunk} == {"chatcmpl-llama-3.-1784376000"}

    def test_words_carry_the_space_behind_them(self, nugen: Handle) -> None:
        chunks = [json.loads(event) for event in self.events(nugen) if '"content"' in event]
        words = [chunk["choices"][0]["delta"]["content"] for chunk in chunks][1:]
        assert all(word.endswith(" ") and not word.startswith(" ") for word in words[:-1] if word)
        assert "".join(words).endswith(".")

    def test_empty_deltas_come_between_the_words(self, nugen: Handle) -> None:
        nugen.play([{"reply": {"text": "one two three four five six"}}])
        chunks = [json.loads(event) for event in self.events(nugen) if '"content"' in event]
        words = ["one ", "two ", "three ", "", "four ", "five ", "six"]
        assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks] == ["", *words]

    def test_json_is_spaced_where_bodies_are_not(self, nugen: Handle) -> None:
        events = self.events(nugen)
        assert [event for event in events if event != "[DONE]" and json.dumps(json.loads(event)) != event] == []
        assert '", "' not in ask(nugen, "createChatCompletionV3").text.split('"timing"')[1]

    def test_a_tool_call(self, nugen: Handle) -> None:
        tools = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
        chunks = [json.loads(event) for event in self.events(nugen, tools=tools) if '"choices": [{' in event]
        assert chunks[1]["choices"][0]["delta"]["tool_calls"][0]["function"]["name"] == "look_up"
        assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


class TestV3Completions:
    KEYS = (
        "id", "choices", "created", "model", "object", "system_fingerprint", "usage", "timing", "confidence",
    )  # fmt: skip

    def test_the_reply_is_as_printed(self, nugen: Handle) -> None:
        reply = served(nugen, "createCompletionV3")
        assert tuple(reply) == self.KEYS
        assert (reply["id"], reply["object"]) == ("chatcmpl-qwen2.5--1784376000", "text_completion")
        assert [list(choice) for choice in reply["choices"]] == [["finish_reason", "index", "logprobs", "text"]]
        assert key_order(reply["usage"]) == key_order(V3_CHAT["usage"])

    def test_the_reason_is_stop_even_at_the_limit(self, nugen: Handle) -> None:
        asking = caller(nugen, "createCompletionV3")
        reply = asking.ask(body={"model": "m", "prompt": [LONG_WORDS, LONG_WORDS]}).json
        assert reply["usage"]["completion_tokens"] == 2 * 16
        assert {choice["finish_reason"] for choice in reply["choices"]} == {"stop"}

    def test_a_stream_has_text_until_done(self, nugen: Handle) -> None:
        *events, done = ask(nugen, "createCompletionV3", prompt="Glaciers", max_tokens=None, stream=True).events
        chunks = [json.loads(event) for event in events]
        assert done == "[DONE]"
        assert "Glaciers" in "".join(chunk["choices"][0]["text"] for chunk in chunks)
        assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[-2:]] == [None, "stop"]


class TestV3Embeddings:
    def test_the_reply_is_as_printed(self, nugen: Handle) -> None:
        reply = served(nugen, "createEmbeddingsV3", input="A contract is an agreement.", dimensions=123)
        assert list(reply) == ["id", "object", "created", "model", "data", "usage"]
        assert (reply["id"], reply["created"], reply["object"]) == ("nugen-1784376000.25", NOON, "list")
        (item,) = reply["data"]
        assert list(item) == ["index", "embedding", "object", "raw_output"]
        assert (item["raw_output"], len(item["embedding"])) == (None, 123)
        assert reply["usage"] == {
            "prompt_tokens": 7,
            "total_tokens": 7,
            "completion_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": 0},
        }

    def test_vectors_are_not_normalised(self, nugen: Handle) -> None:
        vectors = [item["embedding"] for item in served(nugen, "createEmbeddingsV3", input=["a b", "c d"])["data"]]
        assert [round(math.hypot(*vector), 6) for vector in vectors] == [2.5, 2.5]

    def test_another_format_is_not_made(self, nugen: Handle) -> None:
        reply = served(nugen, "createEmbeddingsV3", encoding_format="base64")
        assert isinstance(reply["data"][0]["embedding"], list)


CONTENT = ["messages", 0, "content"]
CALL = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}


@pytest.mark.parametrize("content", [{}, {"content": None}, {"content": "Wait."}])
def test_who_calls_a_tool_need_say_nothing(nugen: Handle, content: dict[str, Any]) -> None:
    turns = [
        {"role": "user", "content": "Look glaciers up"},
        {"role": "assistant", "tool_calls": [CALL], **content},
        {"role": "tool", "tool_call_id": "call_1", "content": "Ice."},
    ]
    served(nugen, "createChatCompletionV3", messages=turns)


@pytest.mark.parametrize(
    ("operation", "change", "loc", "kind"),
    [
        ("createTextCompletion", {"prompt": 7}, ["prompt"], "string_type"),
        ("createTextCompletion", {"prompt": []}, ["prompt"], "too_short"),
        ("createTextCompletion", {"prompt": ["x"] * 2049}, ["prompt"], "too_long"),
        ("createTextCompletion", {"prompt": [["x"]]}, ["prompt", 0, 0], "int_parsing"),
        ("createTextCompletion", {"max_tokens": -1}, ["max_tokens"], "greater_than_equal"),
        ("createEmbeddings", {"input": ""}, ["input"], "string_too_short"),
        ("createEmbeddings", {"input": []}, ["input"], "too_short"),
        ("createEmbeddings", {"dimensions": 0}, ["dimensions"], "greater_than_equal"),
        ("createEmbeddings", {"dimensions": "None"}, ["dimensions"], "int_parsing"),
        ("createChatCompletionV3", {"messages": []}, ["messages"], "too_short"),
        ("createChatCompletionV3", {"stream": "perhaps"}, ["stream"], "bool_parsing"),
        ("createChatCompletionV3", {"stream": []}, ["stream"], "bool_type"),
        (
            "createChatCompletionV3",
            {"messages": [{"role": "narrator", "content": ""}]},
            ["messages", 0, "role"],
            "literal_error",
        ),
        ("createChatCompletionV3", {"messages": [{"role": "user"}]}, CONTENT, "missing"),
        ("createChatCompletionV3", {"messages": [{"role": "system", "content": None}]}, CONTENT, "string_type"),
        ("createChatCompletionV3", {"messages": [{"role": "user", "content": 7}]}, CONTENT, "string_type"),
        ("createChatCompletionV3", {"messages": [{"role": "assistant"}]}, CONTENT, "missing"),
        ("createChatCompletionV3", {"messages": [{"role": "user", "tool_calls": [CALL]}]}, CONTENT, "missing"),
        ("createChatCompletionV3", {"messages": [{"role": "assistant", "tool_calls": []}]}, CONTENT, "missing"),
        (
            "createChatCompletionV3",
            {"messages": [{"role": "assistant", "tool_calls": [CALL], "content": 7}]},
            CONTENT,
            "string_type",
        ),
        (
            "createChatCompletionV3",
            {"messages": [{"role": "user", "content": "Hi", "name": "a b"}]},
            ["messages", 0, "name"],
            "string_pattern_mismatch",
        ),
        (
            "createChatCompletionV3",
            {"messages": [{"role": "user", "content": "Hi", "name": "a" * 65}]},
            ["messages", 0, "name"],
            "string_too_long",
        ),
        ("createChatCompletionV3", {"reasoning": {"effort": "some"}}, ["reasoning", "effort"], "literal_error"),
    ],
)
def test_a_wrong_field_is_located(
    nugen: Handle, operation: str, change: dict[str, Any], loc: list[Any], kind: str
) -> None:
    reply = ask(nugen, operation, **change)
    assert reply.status == 422
    assert [(detail["loc"], detail["type"]) for detail in reply.json["detail"]] == [(["body", *loc], kind)]


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ({"messages": [{"role": "narrator", "content": ""}]}, "'system', 'user', 'assistant' or 'tool'"),
        ({"reasoning": {"effort": "some"}}, "'xhigh', 'high', 'medium', 'low', 'minimal' or 'none'"),
    ],
)
def test_options_are_told_as_the_framework_tells_them(nugen: Handle, change: dict[str, Any], options: str) -> None:
    (detail,) = ask(nugen, "createChatCompletionV3", **change).json["detail"]
    assert detail["msg"] == f"Input should be {options}"


@pytest.mark.parametrize(
    ("operation", "change"),
    [
        ("createChatText", {"max_tokens": "7", "temperature": "0.5"}),
        ("createTextCompletion", {"max_tokens": " 7 "}),
        ("createChatCompletionV3", {"max_tokens": "7", "n": "1", "stream": "false"}),
    ],
)
def test_numbers_may_come_as_text(nugen: Handle, operation: str, change: dict[str, Any]) -> None:
    assert served(nugen, operation, **change)["usage"]["completion_tokens"] == 7


class TestErrors:
    def spent(self, nugen: Handle, operation: str) -> RawReply:
        return caller(nugen, operation).ask(key="nugen-spent-1")

    @pytest.mark.parametrize("operation", ["createTextCompletion", "createEmbeddings", "createChatVision"])
    def test_a_used_up_quota_of_the_legacy_generation_is_403(self, nugen: Handle, operation: str) -> None:
        reply = self.spent(nugen, operation)
        assert (reply.status, reply.json) == (
            403,
            {"detail": "Could not validate credentials. Reason: Quota Limit Reached"},
        )

    @pytest.mark.parametrize("operation", ["createChatCompletionV3", "createCompletionV3", "createEmbeddingsV3"])
    def test_a_used_up_quota_of_v3_is_429(self, nugen: Handle, operation: str) -> None:
        reply = self.spent(nugen, operation)
        assert reply.status == 429
        assert reply.json["detail"].startswith("Quota limit reached.")

    @pytest.mark.parametrize(
        ("operation", "status"), [("createTextCompletion", 403), ("createChatCompletionV3", 429), ("runAgent", 402)]
    )
    def test_the_quota_is_told_in_the_form_of_the_generation(self, nugen: Handle, operation: str, status: int) -> None:
        spent = self.spent(nugen, operation)
        nugen.fail("quota_exhausted")
        reply = caller(nugen, operation).ask()
        assert (reply.status, reply.json) == (status, spent.json)
        assert [entry.refusal for entry in nugen.journal] == ["quota_exhausted"] * 2

    def test_one_quota_is_for_both_generations(self, nugen: Handle) -> None:
        ask(nugen, "createChatCompletionV3")
        assert caller(nugen, "getUsageStats").ask().json["requests"] == 2

    def test_the_variant_has_429_for_runs(self, nugen: Handle) -> None:
        nugen.use("quota-429")
        for operation, status in (("runAgent", 429), ("createChatCompletionV3", 429), ("createTextCompletion", 403)):
            assert self.spent(nugen, operation).status == status

    @pytest.mark.parametrize("status", [502, 504])
    def test_the_gateway_answers_in_html(self, nugen: Handle, status: int) -> None:
        nugen.fail(status)
        reply = ask(nugen, "createChatCompletionV3")
        assert (reply.status, reply.header("content-type")) == (status, "text/html")

    @pytest.mark.emulator(allow_unmatched=True)
    def test_a_model_behind_the_path_is_nowhere(self, nugen: Handle) -> None:
        reply = send("POST", f"{nugen.origin}/api/v3/inference/completions/my-model", nugen.headers, b"{}")
        assert (reply.status, reply.json) == (404, {"detail": "Not Found"})


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/inference/chat/completions", "createChatCompletionV3"),
        ("/api/v3/inference/inference/embeddings", "createEmbeddingsV3"),
    ],
)
def test_the_paths_that_were_printed_once(nugen: Handle, path: str, operation: str) -> None:
    asking: Caller = caller(nugen, operation)
    asking.url = nugen.origin + path
    assert asking.ask().status == 200
    assert nugen.journal[-1].operation == operation
