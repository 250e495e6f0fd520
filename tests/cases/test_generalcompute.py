"""generalcompute: the request table, the limits and the routes of its pages, each by itself."""

import json
import re
from typing import Any

import pytest

from emulator import Emulation, Handle

from .catalogue import PROVIDERS, QUESTION, Caller, caller
from .raw import RawReply, key_order, send

EIGHT_OCLOCK = 1_800_000_000  # 2027-01-15T08:00:00Z
PLANS = {  # requests and tokens a minute, requests and tokens a day
    "gc_": (100, 200_000, 50_000, 10_000_000),
    "gc_developer_": (500, 1_000_000, 250_000, 100_000_000),
    "gc_scale_": (2_000, 5_000_000, 1_000_000, 500_000_000),
}
MODELS = [model["id"] for model in PROVIDERS["generalcompute"].listed_models]
PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.test/b.png"}}]}]
LIMIT_HEADERS = ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests")


@pytest.fixture
def handle(emulator: Emulation) -> Handle:
    return emulator["generalcompute"]


@pytest.fixture
def asking(handle: Handle) -> Caller:
    return caller(handle)


def ask(asking: Caller, **change: Any) -> RawReply:
    return asking.ask(body={**(asking.body or {}), **change})


class TestRequestTable:
    @pytest.mark.parametrize(
        ("change", "message", "param"),
        [
            ({"model": 1}, '"model" must be a string', "model"),
            ({"messages": []}, '"messages" must contain at least 1 items', "messages"),
            ({"messages": {}}, '"messages" must be an array', "messages"),
            ({"messages": ["hi"]}, '"messages[0]" must be of type object', "messages[0]"),
            ({"messages": [{"content": "hi"}]}, '"messages[0].role" is required', "messages[0].role"),
            (
                {"messages": [{"role": "developer"}]},
                '"messages[0].role" must be one of [system, user, assistant, function, tool]',
                "messages[0].role",
            ),
            ({"messages": [{"role": "user", "name": 1}]}, '"messages[0].name" must be a string', "messages[0].name"),
            (
                {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": 1}}]}]},
                '"messages[0].content[0].image_url.url" must be a string',
                "messages[0].content[0].image_url.url",
            ),
            ({"temperature": 2.01}, '"temperature" must be less than or equal to 2', "temperature"),
            ({"temperature": -0.01}, '"temperature" must be greater than or equal to 0', "temperature"),
            ({"temperature": "hot"}, '"temperature" must be a number', "temperature"),
            ({"top_p": 1.01}, '"top_p" must be less than or equal to 1', "top_p"),
            ({"top_p": -0.01}, '"top_p" must be greater than or equal to 0', "top_p"),
            ({"n": 0}, '"n" must be a positive number', "n"),
            ({"n": 1.5}, '"n" must be an integer', "n"),
            ({"stream": "true"}, '"stream" must be a boolean', "stream"),
            ({"stop": 1}, '"stop" must be a string', "stop"),
            ({"stop": [1]}, '"stop[0]" must be a string', "stop[0]"),
            ({"max_tokens": 0}, '"max_tokens" must be a positive number', "max_tokens"),
            (
                {"max_completion_tokens": 0},
                '"max_completion_tokens" must be a positive number',
                "max_completion_tokens",
            ),
            ({"presence_penalty": -2.01}, '"presence_penalty" must be greater than or equal to -2', "presence_penalty"),
            ({"frequency_penalty": 2.01}, '"frequency_penalty" must be less than or equal to 2', "frequency_penalty"),
            ({"logit_bias": []}, '"logit_bias" must be of type object', "logit_bias"),
            ({"logit_bias": {"50256": "x"}}, '"logit_bias.50256" must be a number', "logit_bias.50256"),
            ({"user": 1}, '"user" must be a string', "user"),
            ({"top_k": "many"}, '"top_k" must be a number', "top_k"),
            ({"repetition_penalty": "much"}, '"repetition_penalty" must be a number', "repetition_penalty"),
            ({"tools": {}}, '"tools" must be an array', "tools"),
            ({"tools": [{"type": "function"}]}, '"tools[0]" must have a "function" key', "tools[0].function"),
        ],
    )
    def test_a_wrong_field_is_named(self, asking: Caller, change: dict[str, Any], message: str, param: str) -> None:
        reply = ask(asking, **change)
        assert reply.status == 400
        assert reply.json == {
            "error": {
                "message": message,
                "type": "invalid_request_error",
                "param": param,
                "code": "invalid_request_error",
            }
        }

    @pytest.mark.parametrize("field", ["model", "messages"])
    def test_a_missing_field_is_named(self, asking: Caller, field: str) -> None:
        body = {name: value for name, value in (asking.body or {}).items() if name != field}
        assert asking.ask(body=body).json["error"]["message"] == f'"{field}" is required'

    @pytest.mark.parametrize(
        "change",
        [
            {"temperature": 0, "top_p": 0, "presence_penalty": -2, "frequency_penalty": -2},
            {"temperature": 2, "top_p": 1, "presence_penalty": 2, "frequency_penalty": 2},
            {"n": 1, "max_tokens": 1, "top_k": 0.5, "repetition_penalty": 1.1},
            {"messages": [{"role": "system", "content": None}, {"role": "function", "name": "f", "content": "4"}]},
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]},
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.test/b"}}]}
                ]
            },
            {"messages": [{"role": "tool", "tool_call_id": "call_1", "content": "4"}]},
            {"stop": ["a", "b"], "logit_bias": {"50256": -100}, "user": "u-1"},
            {"plugins": [{"id": "web"}], "web_search_options": {}, "seed": 1, "made_up": None},
        ],
    )
    def test_what_is_in_range_is_served(self, asking: Caller, change: dict[str, Any]) -> None:
        assert ask(asking, **change).status == 200

    def test_the_body_is_json(self, asking: Caller) -> None:
        reply = asking.ask(body=b"{")
        assert (reply.status, reply.json["error"]["message"]) == (400, "The request body is not valid JSON.")

    @pytest.mark.parametrize("suffix", [":online", ":free", "-2"])
    def test_a_suffix_makes_a_model_unknown(self, asking: Caller, suffix: str) -> None:
        reply = ask(asking, model=f"gpt-oss-120b{suffix}")
        assert reply.status == 404
        assert reply.json["error"] == {
            "message": f"The model `gpt-oss-120b{suffix}` does not exist.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }

    @pytest.mark.parametrize("model", MODELS)
    def test_every_listed_model_answers_by_its_name(self, asking: Caller, model: str) -> None:
        """One of them in other letters, in streams, too."""
        told = {"minimax-m2.7": "MiniMax-M2.7"}.get(model, model)
        assert ask(asking, model=model).json["model"] == told
        *chunks, done = ask(asking, model=model, stream=True).events
        assert done == "[DONE]"
        assert {json.loads(chunk)["model"] for chunk in chunks} == {told}


class TestReply:
    TOOLS: tuple[dict[str, Any], ...] = ({"type": "function", "function": {"name": "look_up"}},)

    def test_a_tool_call(self, asking: Caller) -> None:
        (choice,) = ask(asking, tools=list(self.TOOLS), tool_choice="required").json["choices"]
        assert key_order(choice) == [
            ("index", None),
            (
                "message",
                [
                    ("role", None),
                    ("content", None),
                    ("function_call", None),
                    (
                        "tool_calls",
                        [[("id", None), ("type", None), ("function", [("name", None), ("arguments", None)])]],
                    ),
                ],
            ),
            ("finish_reason", None),
            ("logprobs", None),
        ]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("", "tool_calls")
        assert re.fullmatch("call_[0-9a-f]{18}", choice["message"]["tool_calls"][0]["id"])
        assert choice["message"]["tool_calls"][0]["type"] == "function"

    def test_thoughts_stand_before_the_answer(self, asking: Caller) -> None:
        reply = ask(asking, model="deepseek-v3.2").json
        text = reply["choices"][0]["message"]["content"]
        assert re.fullmatch(r"<think>\n[^<]*sky[^<]*\n</think>\n\n[^<]*sky[^<]*", text)
        assert reply["usage"]["completion_tokens"] == -(-len(text) // 4)
        *events, _, _ = ask(asking, model="deepseek-v3.2", stream=True).events
        parts = [json.loads(event)["choices"][0]["delta"].get("content", "") for event in events]
        assert re.match(r"<think>\n[^<]+\n</think>\n\n", "".join(parts))

    @pytest.mark.parametrize("model", [name for name in MODELS if name != "deepseek-v3.2"])
    def test_no_other_model_writes_its_thoughts_down(self, asking: Caller, model: str) -> None:
        assert "<think>" not in ask(asking, model=model).text

    @pytest.mark.parametrize(
        "change",
        [
            {"tools": list(TOOLS), "tool_choice": "required"},
            {"response_format": {"type": "json_object"}},
        ],
    )
    def test_what_a_program_reads_is_free_of_thoughts(self, asking: Caller, change: dict[str, Any]) -> None:
        assert "<think>" not in ask(asking, model="deepseek-v3.2", **change).text

    def test_a_scripted_text_is_as_it_is_told(self, asking: Caller) -> None:
        asking.handle.play([{"reply": {"text": "Yes."}}])
        (choice,) = ask(asking, model="deepseek-v3.2").json["choices"]
        assert choice["message"]["content"] == "Yes."

    def test_a_stream(self, asking: Caller) -> None:
        reply = ask(asking, stream=True)
        assert reply.header("content-type") == "text/event-stream; charset=utf-8"
        *events, done = reply.events
        assert done == "[DONE]"
        *chunks, usage = [json.loads(event) for event in events]
        assert {tuple(chunk) for chunk in chunks} == {("id", "object", "created", "model", "choices")}
        choices = [choice for chunk in chunks for choice in chunk["choices"]]
        assert {tuple(choice) for choice in choices} == {("index", "delta", "finish_reason")}
        assert choices[0]["delta"] == {"role": "assistant", "content": ""}
        assert (choices[-1]["delta"], choices[-1]["finish_reason"]) == ({}, "stop")
        assert {tuple(choice["delta"]) for choice in choices[1:-1]} == {("content",)}
        assert {choice["finish_reason"] for choice in choices[:-1]} == {None}
        assert usage["choices"] == []
        assert all(isinstance(count, int) for count in usage["usage"].values())

    def test_a_stream_of_a_tool_call(self, asking: Caller) -> None:
        *events, _, _ = ask(asking, tools=list(self.TOOLS), tool_choice="required", stream=True).events
        choices = [json.loads(event)["choices"][0] for event in events]
        role, call, *arguments, finish = choices
        assert role["delta"]["role"] == "assistant"
        (first,) = call["delta"]["tool_calls"]
        assert list(first) == ["index", "id", "type", "function"]
        assert first["function"] == {"name": "look_up", "arguments": ""}
        parts = [part["delta"]["tool_calls"][0]["function"]["arguments"] for part in arguments]
        assert json.loads("".join(parts)) == {}
        assert finish["finish_reason"] == "tool_calls"

    def test_the_second_turn_answers_in_text(self, asking: Caller) -> None:
        first = ask(asking, tools=list(self.TOOLS), tool_choice="required").json["choices"][0]["message"]
        result = {"role": "tool", "tool_call_id": first["tool_calls"][0]["id"], "name": "look_up", "content": "42"}
        second = ask(asking, messages=[*QUESTION, first, result], tools=list(self.TOOLS)).json["choices"][0]
        assert (second["finish_reason"], second["message"]["tool_calls"]) == ("stop", None)
        assert "42" in second["message"]["content"]


class TestModels:
    def bare(self, handle: Handle) -> RawReply:
        return send("GET", f"{handle.root_url}/models", handle.headers)

    def test_all_routes_list_the_same_models(self, handle: Handle) -> None:
        by_get = caller(handle, "listModels").ask()
        by_post = caller(handle, "listModelsByPost").ask()
        public = caller(handle, "listPublicModels").ask(key=None)
        assert by_get.body == by_post.body == self.bare(handle).body
        ids = [model["id"] for model in public.json["data"]]
        assert ids == [model["id"] for model in by_get.json["data"]] == handle.models

    def test_the_keys_of_a_model(self, handle: Handle) -> None:
        reply = caller(handle, "listModels").ask().json
        assert (list(reply), reply["object"]) == (["object", "data"], "list")
        assert {tuple(model) for model in reply["data"]} == {("id", "object", "created", "owned_by")}

    def test_the_public_catalogue(self, handle: Handle) -> None:
        reply = caller(handle, "listPublicModels").ask(key=None)
        assert reply.header("access-control-allow-origin") == "*"
        keys = {("id", "name", "top_provider", "supportsReasoning", "supportsVision")}
        assert {tuple(model) for model in reply.json["data"]} == keys
        most = {model["id"]: model["top_provider"]["max_completion_tokens"] for model in reply.json["data"]}
        assert most == {
            "minimax-m2.7": 192_000,
            "deepseek-v3.2": 32_000,
            "deepseek-v3.1": 128_000,
            "gpt-oss-120b": 128_000,
            "gemma-4-31B-it": 128_000,
        }

    def test_a_page_in_a_browser_may_ask_for_the_public_catalogue(self, handle: Handle) -> None:
        wanted = {"Origin": "https://a.test", "Access-Control-Request-Method": "GET"}
        asked = send("OPTIONS", f"{handle.base_url}/public/models", wanted)
        assert (asked.status, asked.body, asked.header("content-type")) == (204, b"", None)
        assert asked.header("access-control-allow-origin") == "*"
        assert asked.header("access-control-allow-methods") == "GET"
        assert asked.header("access-control-allow-headers") == "*"
        named = {**wanted, "Access-Control-Request-Headers": "content-type,x-title"}
        asked = send("OPTIONS", f"{handle.base_url}/public/models", named)
        assert asked.header("access-control-allow-headers") == "content-type,x-title"
        handle.fail("unavailable")
        refused = send("GET", f"{handle.base_url}/public/models", wanted)
        assert (refused.status, refused.header("access-control-allow-origin")) == (503, "*")

    def test_the_public_catalogue_asks_for_no_key(self, handle: Handle) -> None:
        assert caller(handle, "listPublicModels").ask(key="gc_revoked_1").status == 200
        assert caller(handle, "listModels").ask(key=None).status == 401

    def test_the_bare_paths_belong_to_the_own_port(self, handle: Handle, asking: Caller) -> None:
        body = json.dumps(asking.body).encode()
        headers = {"Content-Type": "application/json", **handle.headers}
        for path in ("/chat/completions", "/v1/chat/completions"):
            assert send("POST", f"{handle.root_url}{path}", headers, body).status == 200
        assert send("POST", f"{handle.root_url}/chat/completions", {}, body).status == 401


class TestVariants:
    """Pages of another date, and replies that disagree with the page."""

    def test_the_older_models_are_listed_and_two_of_them_read_images(self, handle: Handle, asking: Caller) -> None:
        older = ["llama-4-maverick-17b", "gemma-3-12b-it", "deepseek-r1-0528"]
        assert ask(asking, model=older[0], messages=PICTURE).json["error"]["code"] == "model_not_found"
        handle.use("older-models")
        public = caller(handle, "listPublicModels").ask(key=None).json["data"]
        assert [model["id"] for model in public] == [*MODELS, *older]
        assert [model["id"] for model in public if model["supportsVision"]] == older[:2]
        assert public[-1]["supportsReasoning"]
        listed = caller(handle, "listModels").ask().json["data"]
        assert [model["id"] for model in listed] == [*MODELS, *older]
        assert ask(asking, model=older[0], messages=PICTURE).json["model"] == older[0]

    @pytest.mark.emulator(allow_unmatched=True)
    def test_the_list_by_post_is_an_unknown_route(self, handle: Handle) -> None:
        handle.use("without-models-list")
        reply = caller(handle, "listModelsByPost").ask()
        assert (reply.status, reply.json["error"]["code"]) == (404, "not_found")
        assert handle.journal[-1].operation is None
        handle.use()
        assert caller(handle, "listModelsByPost").ask().status == 200


class TestLimits:
    def headers(self, reply: RawReply) -> list[str | None]:
        return [reply.header(name) for name in LIMIT_HEADERS]

    @pytest.mark.parametrize("refusal", PROVIDERS["generalcompute"].errors)
    def test_every_error_tells_of_the_limit(self, emulator: Emulation, asking: Caller, refusal: str) -> None:
        emulator.clock.freeze(EIGHT_OCLOCK)
        reply = asking.ask(X_Emulator_Refuse=refusal)
        assert self.headers(reply) == ["100", "100", "2027-01-15T08:01:00Z"]
        assert reply.header("retry-after") is None

    @pytest.mark.emulator(allow_unmatched=True)
    @pytest.mark.parametrize(("method", "path"), [("GET", "/v1/embeddings"), ("PUT", "/v1/models"), ("GET", "/")])
    def test_so_does_a_route_that_is_not_there(self, handle: Handle, method: str, path: str) -> None:
        reply = send(method, handle.origin + path, handle.headers)
        assert reply.status in (404, 405)
        assert None not in self.headers(reply)

    def test_so_does_a_stream(self, asking: Caller) -> None:
        assert self.headers(ask(asking, stream=True))[:2] == ["100", "99"]

    @pytest.mark.parametrize("operation", PROVIDERS["generalcompute"].operations)
    def test_so_does_every_operation(self, handle: Handle, operation: str) -> None:
        asking = caller(handle, operation)
        reply = asking.ask()
        assert reply.status == asking.operation.success
        assert None not in self.headers(reply)

    def test_the_reset_is_the_end_of_the_minute_in_utc(self, emulator: Emulation, asking: Caller) -> None:
        emulator.clock.freeze(EIGHT_OCLOCK + 15.5)
        assert self.headers(asking.ask()) == ["100", "99", "2027-01-15T08:01:00Z"]
        emulator.clock.advance("44499ms")
        assert self.headers(asking.ask()) == ["100", "98", "2027-01-15T08:01:00Z"]
        emulator.clock.advance("1ms")
        assert self.headers(asking.ask()) == ["100", "99", "2027-01-15T08:02:00Z"]

    def test_all_operations_share_the_requests_of_a_key(self, emulator: Emulation, handle: Handle) -> None:
        emulator.clock.freeze(EIGHT_OCLOCK)
        for operation, left in [("createChatCompletion", "99"), ("listModels", "98"), ("listModelsByPost", "97")]:
            assert self.headers(caller(handle, operation).ask())[1] == left

    def test_the_request_after_the_last(self, emulator: Emulation, handle: Handle) -> None:
        emulator.clock.freeze(EIGHT_OCLOCK)
        asking = caller(handle, "listModels")
        assert [asking.ask().status for _ in range(101)] == [200] * 100 + [429]
        reply = asking.ask()
        assert self.headers(reply)[1] == "0"
        assert reply.json["error"] == {
            "message": "Rate limit exceeded.",
            "type": "rate_limit_error",
            "param": None,
            "code": "rate_limit_exceeded",
        }
        emulator.clock.advance("1m")
        assert asking.ask().status == 200

    @pytest.mark.parametrize(("key", "plan"), PLANS.items())
    def test_the_plan_goes_by_the_key(self, handle: Handle, key: str, plan: tuple[int, ...]) -> None:
        reply = caller(handle).ask(key=f"{key}1")
        assert self.headers(reply)[:2] == [str(plan[0]), str(plan[0] - 1)]
        notes = [note for note in handle.journal[-1].raw["trace"] if note["stage"] == "limit"]
        names = ("requests_per_minute", "tokens_per_minute", "requests_per_day", "tokens_per_day")
        assert {note["what"]: note["limit"] for note in notes} == dict(zip(names, plan, strict=True))

    def test_an_enterprise_has_limits_of_its_own(self, asking: Caller) -> None:
        assert int(self.headers(asking.ask(key="gc_enterprise_1"))[0] or 0) > PLANS["gc_scale_"][0]

    def test_tokens_a_minute(self, emulator: Emulation, asking: Caller) -> None:
        emulator.clock.freeze(EIGHT_OCLOCK)
        long = [{"role": "user", "content": "word " * 96_000}]  # 120,000 tokens and those of the reply
        assert [ask(asking, messages=long).status for _ in range(2)] == [200, 429]
        assert asking.ask().status == 200, "a request that fits into what is left"
        emulator.clock.advance("1m")
        assert ask(asking, messages=long).status == 200

    def test_the_tokens_of_the_reply_count(self, emulator: Emulation, handle: Handle, asking: Caller) -> None:
        emulator.clock.freeze(EIGHT_OCLOCK)
        handle.play([{"reply": {"usage": {"prompt_tokens": 10, "completion_tokens": 199_990}}}])
        assert [asking.ask().status for _ in range(2)] == [200, 429]


class TestKeys:
    @pytest.mark.parametrize(
        ("key", "status", "error"),
        [
            (None, 401, ("Missing API key.", "authentication_error", "invalid_api_key")),
            ("gc_revoked_1", 401, ("Invalid API key.", "authentication_error", "invalid_api_key")),
            ("gc_blocked_1", 403, ("This API key is blocked.", "permission_error", "forbidden")),
        ],
    )
    def test_keys_that_are_refused(
        self, asking: Caller, key: str | None, status: int, error: tuple[str, str, str]
    ) -> None:
        reply = asking.ask(key=key)
        message, kind, code = error
        assert reply.status == status
        assert reply.json == {"error": {"message": message, "type": kind, "param": None, "code": code}}
