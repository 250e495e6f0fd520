"""barrack: the details of its page, each by itself."""

import json
import re

import pytest

from emulator import Emulation, Handle

from .catalogue import PROVIDERS, QUESTION, Caller, caller
from .raw import key_order, send

LONG = {"model": "openai/gpt-oss-120b"}
CONTEXT = 131_072
OVERHEAD = 4 + 3  # of the message, of the request


@pytest.fixture
def barrack(emulator: Emulation) -> Handle:
    return emulator["barrack"]


@pytest.fixture
def asking(barrack: Handle) -> Caller:
    return caller(barrack)


@pytest.mark.parametrize("path", ["/api/ai/chat/", "/api/ai/chat"])
def test_the_slash_at_the_end_may_be_left_out(barrack: Handle, asking: Caller, path: str) -> None:
    asking.url = barrack.origin + path
    assert asking.ask().status == 200
    assert asking.ask(key=None).status == 401


@pytest.mark.parametrize("name", ["Authorization", "X-API-Key", "api_key"])
def test_the_key_may_stand_in_any_of_three_headers(asking: Caller, name: str) -> None:
    place = [where.name for where in asking.provider.places].index(name)
    assert asking.ask(place=place).status == 200
    assert asking.ask(key="brk-revoked-1", place=place).status == 401


@pytest.mark.parametrize(
    "headers", [{"Authorization": "Basic abc"}, {"Authorization": "Bearer "}, {"X-API-Key": ""}, {"Api-Token": "x"}]
)
def test_what_is_no_key_is_missing(asking: Caller, headers: dict[str, str]) -> None:
    body = json.dumps(asking.body).encode()
    reply = send("POST", asking.url, {"Content-Type": "application/json", **headers}, body)
    assert (reply.status, reply.json["message"]) == (401, "API key is missing")


def test_the_message_stands_under_error(asking: Caller) -> None:
    (choice,) = asking.ask().json["choices"]
    assert key_order(choice) == [
        ("index", None),
        ("error", [("role", None), ("content", None)]),
        ("finish_reason", None),
    ]


@pytest.mark.parametrize(
    ("variants", "keys"),
    [
        (["message"], ["index", "message", "finish_reason"]),
        (["both"], ["index", "error", "message", "finish_reason"]),
        (["message", "both"], ["index", "error", "message", "finish_reason"]),
        (["both", "message"], ["index", "error", "message", "finish_reason"]),
    ],
)
def test_variants_of_where_the_message_stands(
    barrack: Handle, asking: Caller, variants: list[str], keys: list[str]
) -> None:
    barrack.use(*variants)
    (choice,) = asking.ask().json["choices"]
    assert list(choice) == keys
    assert choice["message"]["role"] == "assistant"
    assert choice.get("error", choice["message"]) == choice["message"]


def test_the_completion_has_no_envelope(asking: Caller) -> None:
    assert not asking.ask().json.keys() & {"success", "request_id"}


def test_usage_follows_the_text(asking: Caller) -> None:
    body = asking.ask().json
    text = body["choices"][0]["error"]["content"]
    assert body["usage"]["completion_tokens"] == -(-len(text) // 4)


def test_parameters_that_shape_the_reply(asking: Caller) -> None:
    short = asking.ask(body={**(asking.body or {}), "max_tokens": 4}).json
    assert (short["choices"][0]["finish_reason"], short["usage"]["completion_tokens"]) == ("length", 4)
    stopped = asking.ask(body={**(asking.body or {}), "stop": ["."]}).json
    assert "." not in stopped["choices"][0]["error"]["content"]


def test_a_stream(asking: Caller) -> None:
    reply = asking.ask(body={**(asking.body or {}), "stream": True})
    assert reply.header("content-type") == "text/event-stream; charset=utf-8"
    *events, done = reply.events
    assert done == "[DONE]"
    chunks = [json.loads(event) for event in events]
    assert {tuple(chunk) for chunk in chunks} == {("id", "object", "created", "model", "choices")}
    assert {chunk["id"] for chunk in chunks} == {chunks[0]["id"]}
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "sky" in "".join(delta.get("content", "") for delta in deltas)
    assert chunks[-1]["choices"][0] == {"index": 0, "delta": {}, "finish_reason": "stop"}


def test_a_stream_reports_usage_when_asked(asking: Caller) -> None:
    wanted = {**(asking.body or {}), "stream": True, "stream_options": {"include_usage": True}}
    last = json.loads(asking.ask(body=wanted).events[-2])
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == last["usage"]["prompt_tokens"] + last["usage"]["completion_tokens"]


def test_a_prompt_fills_the_context_to_the_last_token(asking: Caller) -> None:
    full = "x" * (CONTEXT - OVERHEAD) * 4
    reply = asking.ask(body={**LONG, "messages": [{"role": "user", "content": full}]})
    assert reply.json["usage"]["prompt_tokens"] == CONTEXT
    refused = asking.ask(body={**LONG, "messages": [{"role": "user", "content": full + "x"}]})
    assert (refused.status, refused.json["error"]) == (400, "context_length_exceeded")
    assert refused.json["message"] == f"The prompt has {CONTEXT + 1} tokens; the limit is {CONTEXT}"


class TestSixtyRequestsAMinute:
    def take(self, asking: Caller, requests: int, key: str = "") -> list[int]:
        return [asking.ask(key=key).status for _ in range(requests)]

    def test_the_next_is_refused_until_the_first_is_a_minute_old(self, emulator: Emulation, asking: Caller) -> None:
        emulator.clock.freeze()
        assert self.take(asking, 61) == [200] * 60 + [429]
        emulator.clock.advance("59999ms")
        assert self.take(asking, 1) == [429]
        emulator.clock.advance("1ms")
        assert self.take(asking, 61) == [200] * 60 + [429]

    def test_the_window_slides(self, emulator: Emulation, asking: Caller) -> None:
        emulator.clock.freeze()
        assert self.take(asking, 20) == [200] * 20
        emulator.clock.advance("30s")
        assert self.take(asking, 41) == [200] * 40 + [429]
        emulator.clock.advance("30s")
        assert self.take(asking, 21) == [200] * 20 + [429]

    def test_each_key_has_its_own(self, emulator: Emulation, asking: Caller) -> None:
        emulator.clock.freeze()
        assert self.take(asking, 61, "brk-one")[-1] == 429
        assert self.take(asking, 1, "brk-two") == [200]

    def test_requests_that_are_refused_take_nothing(self, emulator: Emulation, asking: Caller) -> None:
        emulator.clock.freeze()
        wrong = [asking.ask(body={}).status for _ in range(5)] + [asking.ask(key="brk-expired-1").status]
        assert wrong == [400] * 5 + [401]
        assert self.take(asking, 61) == [200] * 60 + [429]

    def test_the_reply_says_so(self, emulator: Emulation, asking: Caller) -> None:
        emulator.clock.freeze()
        self.take(asking, 60)
        assert asking.ask().json["error"] == "rate_limit_exceeded"


class TestBalance:
    def charged(self, barrack: Handle) -> list[float | None]:
        charges = [entry.raw["charged"] for entry in barrack.journal]
        return [charge and float(charge["balance"]) for charge in charges]

    def test_it_drains_with_usage_until_nothing_is_left(self, barrack: Handle, asking: Caller) -> None:
        usage = {"prompt_tokens": 100_000_000, "completion_tokens": 10_000_000}  # 15.00 and 6.00
        barrack.play([{"times": 2, "reply": {"text": "Much.", "usage": usage}}])
        assert [asking.ask().status for _ in range(3)] == [200, 200, 402]
        assert self.charged(barrack) == [4.0, -17.0, None]

    def test_a_small_balance_is_used_up_by_real_replies(self, barrack: Handle, asking: Caller) -> None:
        statuses = [asking.ask(key="brk-low-1").status for _ in range(6)]
        served = statuses.count(200)
        assert statuses == [200] * served + [402] * (6 - served)
        assert 1 <= served < 6
        used = [entry.raw["usage"] for entry in barrack.journal[:served]]
        cost = sum(u["prompt_tokens"] * 15 + u["completion_tokens"] * 60 for u in used)  # of 10 ** -8
        left = self.charged(barrack)[served - 1]
        assert left is not None
        assert round(left * 10**8) == 5000 - cost <= 0

    def test_an_empty_balance_serves_nothing(self, asking: Caller) -> None:
        reply = asking.ask(key="brk-empty-1")
        assert (reply.status, reply.json["error"]) == (402, "insufficient_funds")

    def test_what_is_refused_costs_nothing(self, barrack: Handle, asking: Caller) -> None:
        asking.ask(body={})
        barrack.fail("server_error")
        asking.ask()
        assert self.charged(barrack) == [None, None]

    def test_each_key_has_its_own(self, asking: Caller) -> None:
        while asking.ask(key="brk-low-1").status == 200:
            pass
        assert asking.ask(key="brk-low-2").status == 200

    def test_a_stream_is_paid_for_too(self, barrack: Handle, asking: Caller) -> None:
        asking.ask(body={**(asking.body or {}), "stream": True})
        assert barrack.journal[-1].raw["charged"] is not None


class TestErrors:
    @pytest.mark.parametrize("refusal", PROVIDERS["barrack"].errors)
    def test_all_have_one_envelope(self, asking: Caller, refusal: str) -> None:
        reply = asking.ask(X_Emulator_Refuse=refusal)
        assert reply.header("content-type") == "application/json"
        assert list(reply.json) == ["success", "error", "message", "request_id"]
        assert reply.json["success"] is False
        assert re.fullmatch("[a-z_]+", reply.json["error"])
        assert reply.json["message"]
        assert re.fullmatch("[0-9a-f]{8}", reply.json["request_id"])

    def test_each_request_has_its_own_id(self, asking: Caller) -> None:
        found = {asking.ask(key=None).json["request_id"] for _ in range(5)}
        assert len(found) == 5

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"model": None}, "model must be of type string"),
            ({"messages": []}, "messages must have at least 1 item"),
            ({"messages": "hi"}, "messages must be of type array"),
            (
                {"messages": [{"role": "tool", "content": ""}]},
                "messages[0].role must be one of system, user, assistant",
            ),
            ({"messages": [*QUESTION, {"role": "user"}]}, "messages[1].content is required"),
            ({"stream": "yes"}, "stream must be of type boolean"),
            ({"temperature": -0.1}, "temperature must be at least 0"),
            ({"temperature": 2.1}, "temperature must be at most 2"),
            ({"top_p": 1.1}, "top_p must be at most 1"),
            ({"max_tokens": 0}, "max_tokens must be at least 1"),
            ({"max_tokens": 1.5}, "max_tokens must be of type integer"),
        ],
    )
    def test_a_wrong_field_is_named(self, asking: Caller, change: dict[str, object], message: str) -> None:
        reply = asking.ask(body={**(asking.body or {}), **change})
        assert (reply.status, reply.json["error"], reply.json["message"]) == (400, "invalid_request", message)

    @pytest.mark.parametrize("field", ["model", "messages"])
    def test_a_missing_field_is_named(self, asking: Caller, field: str) -> None:
        body = {name: value for name, value in (asking.body or {}).items() if name != field}
        assert asking.ask(body=body).json["message"] == f"{field} is required"
