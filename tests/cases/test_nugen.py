"""nugen: the details of its page and of its printed replies, each by itself."""

import json
from typing import Any

import pytest

from emulator import Emulation, Handle

from .catalogue import QUESTION, Caller, caller
from .raw import RawReply

CONTEXT = 8192  # of the model in the requests here; four characters a token
LONG_WORDS = " ".join(letter * 40 for letter in "abcd")
"""A prompt whose answer is long: it takes up these words in every sentence."""


@pytest.fixture
def nugen(emulator: Emulation) -> Handle:
    return emulator["nugen"]


@pytest.fixture
def asking(nugen: Handle) -> Caller:
    return caller(nugen)


def ask(asking: Caller, **change: Any) -> RawReply:
    return asking.ask(body={**(asking.body or {}), **change})


def said(tokens: int, role: str = "user") -> dict[str, str]:
    """A message of so many tokens."""
    return {"role": role, "content": "wor " * tokens}


def usage(reply: RawReply) -> dict[str, int]:
    assert reply.status == 200, reply.text
    counts: dict[str, int] = reply.json["usage"]
    return counts


class TestReply:
    def test_created_is_a_float_and_the_id_is_made_of_it(self, emulator: Emulation, asking: Caller) -> None:
        emulator.clock.freeze(1_726_663_967.901725)
        reply = asking.ask()
        assert reply.text.startswith('{"id":"nugen-1726663967.901725","created":1726663967.901725,')

    def test_a_whole_second_is_a_float_too(self, emulator: Emulation, asking: Caller) -> None:
        emulator.clock.freeze(1_731_733_658)
        assert asking.ask().text.startswith('{"id":"nugen-1731733658.0","created":1731733658.0,')

    def test_there_is_no_object(self, asking: Caller) -> None:
        assert list(asking.ask().json) == ["id", "created", "model", "choices", "usage"]

    def test_there_is_no_stream(self, asking: Caller) -> None:
        reply = ask(asking, stream=True)
        assert (reply.status, reply.header("content-type")) == (200, "application/json")

    def test_any_model_answers_by_its_name(self, asking: Caller) -> None:
        assert ask(asking, model="my-aligned-model-7").json["model"] == "my-aligned-model-7"

    def test_the_variant_streams_with_usage_in_the_last_chunk(self, nugen: Handle, asking: Caller) -> None:
        nugen.use("streaming")
        *events, done = ask(asking, stream=True).events
        chunks = [json.loads(event) for event in events]
        assert done == "[DONE]"
        assert [i for i, chunk in enumerate(chunks) if "usage" in chunk] == [len(chunks) - 1]
        assert {chunk["id"] for chunk in chunks} == {f"nugen-{chunks[0]['created']}"}
        assert all("object" not in chunk for chunk in chunks)


class TestMaxTokens:
    def test_it_is_200_when_left_out(self, asking: Caller) -> None:
        reply = ask(asking, messages=[{"role": "user", "content": LONG_WORDS}])
        assert usage(reply)["completion_tokens"] == 200
        assert reply.json["choices"][0]["finish_reason"] == "length"

    @pytest.mark.parametrize("most", [None, 1000])
    def test_null_and_more_leave_a_long_answer_whole(self, asking: Caller, most: int | None) -> None:
        reply = ask(asking, messages=[{"role": "user", "content": LONG_WORDS}], max_tokens=most)
        assert usage(reply)["completion_tokens"] > 200
        assert reply.json["choices"][0]["finish_reason"] == "stop"

    def test_less_cuts_the_answer(self, asking: Caller) -> None:
        reply = ask(asking, max_tokens=7)
        assert usage(reply)["completion_tokens"] == 7
        assert reply.json["choices"][0]["finish_reason"] == "length"

    def test_the_reason_is_length_exactly_when_the_tokens_reach_it(self, asking: Caller) -> None:
        for most in range(30, 80):
            reply = ask(asking, max_tokens=most)
            reached = usage(reply)["completion_tokens"] == most
            assert reply.json["choices"][0]["finish_reason"] == ("length" if reached else "stop")

    @pytest.mark.parametrize("most", [200, CONTEXT, 10**9])
    def test_it_is_lowered_to_what_the_context_leaves(self, nugen: Handle, asking: Caller, most: int) -> None:
        counts = usage(ask(asking, messages=[said(CONTEXT - 10)], max_tokens=most))
        assert counts == {"prompt_tokens": CONTEXT - 10, "completion_tokens": 10, "total_tokens": CONTEXT}
        notes = [note for note in nugen.journal[-1].raw["trace"] if note["what"] == "max_tokens lowered"]
        assert [note["to"] for note in notes] == [10]


class TestPromptTruncateLen:
    HISTORY = (said(100, "system"), *(said(400, role) for role in ("user", "assistant") * 5), said(50))

    def prompt(self, asking: Caller, **change: Any) -> int:
        return usage(ask(asking, messages=list(self.HISTORY), **change))["prompt_tokens"]

    def test_it_is_1500_when_left_out(self, nugen: Handle, asking: Caller) -> None:
        """Seven of the ten messages leave; three, the system's and the last one stay."""
        assert self.prompt(asking) == 100 + 3 * 400 + 50
        notes = [note for note in nugen.journal[-1].raw["trace"] if note["what"] == "evicted"]
        assert [note["messages"] for note in notes] == [7]

    @pytest.mark.parametrize(
        ("length", "left"), [(4150, 10), (4149, 9), (950, 2), (949, 1), (150, 0), (1, 0), (10_000, 10), (None, 10)]
    )
    def test_the_oldest_leave_until_the_prompt_fits(self, asking: Caller, length: int | None, left: int) -> None:
        assert self.prompt(asking, prompt_truncate_len=length) == 100 + left * 400 + 50

    def test_the_oldest_leave_first(self, asking: Caller) -> None:
        messages = [said(900), said(700, "assistant"), said(600)]
        assert usage(ask(asking, messages=messages))["prompt_tokens"] == 700 + 600

    def test_what_the_system_says_stays(self, asking: Caller) -> None:
        messages = [said(2000, "system"), said(100), said(10)]
        assert usage(ask(asking, messages=messages))["prompt_tokens"] == 2000 + 10

    def test_a_single_message_is_not_cut(self, asking: Caller) -> None:
        assert usage(ask(asking, messages=[said(5000)]))["prompt_tokens"] == 5000

    def test_null_leaves_a_prompt_too_long(self, asking: Caller) -> None:
        messages = [said(3000), said(3000, "assistant"), said(3000)]
        assert ask(asking, messages=messages).status == 200
        reply = ask(asking, messages=messages, prompt_truncate_len=None)
        self.is_too_long(reply, 9000)

    def test_a_single_message_can_be_too_long(self, asking: Caller) -> None:
        assert usage(ask(asking, messages=[said(CONTEXT - 1)]))["total_tokens"] == CONTEXT
        self.is_too_long(ask(asking, messages=[said(CONTEXT + 1)]), CONTEXT + 1)

    def is_too_long(self, reply: RawReply, tokens: int) -> None:
        assert (reply.status, list(reply.json)) == (400, ["detail"])
        assert reply.json["detail"].startswith("Prompt too long")
        assert str(tokens) in reply.json["detail"]
        assert str(CONTEXT) in reply.json["detail"]


class TestValidation:
    @pytest.mark.parametrize(
        ("change", "loc", "kind"),
        [
            ({"model": 1}, ["body", "model"], "string_type"),
            ({"model": None}, ["body", "model"], "string_type"),
            ({"messages": "hi"}, ["body", "messages"], "list_type"),
            ({"messages": {}}, ["body", "messages"], "list_type"),
            ({"messages": ["hi"]}, ["body", "messages", 0], "model_attributes_type"),
            ({"messages": [*QUESTION, {"role": "user"}]}, ["body", "messages", 1, "content"], "missing"),
            ({"messages": [{"content": "hi"}]}, ["body", "messages", 0, "role"], "missing"),
            ({"messages": [{"role": 1, "content": "hi"}]}, ["body", "messages", 0, "role"], "string_type"),
            ({"max_tokens": "many"}, ["body", "max_tokens"], "int_parsing"),
            ({"max_tokens": 1.5}, ["body", "max_tokens"], "int_from_float"),
            ({"max_tokens": []}, ["body", "max_tokens"], "int_type"),
            ({"prompt_truncate_len": "long"}, ["body", "prompt_truncate_len"], "int_parsing"),
            ({"temperature": 2.1}, ["body", "temperature"], "less_than_equal"),
            ({"temperature": -0.1}, ["body", "temperature"], "greater_than_equal"),
            ({"temperature": "hot"}, ["body", "temperature"], "float_parsing"),
            ({"temperature": {}}, ["body", "temperature"], "float_type"),
        ],
    )
    def test_a_wrong_field_is_located(self, asking: Caller, change: dict[str, Any], loc: list[Any], kind: str) -> None:
        reply = ask(asking, **change)
        assert (reply.status, list(reply.json)) == (422, ["detail"])
        (detail,) = reply.json["detail"]
        assert list(detail) == ["loc", "msg", "type"]
        assert (detail["loc"], detail["type"]) == (loc, kind)
        assert detail["msg"]

    def test_all_wrong_fields_are_located_in_their_order(self, asking: Caller) -> None:
        reply = asking.ask(body={"temperature": 3, "messages": [{"role": "user"}, {"content": 1}]})
        assert reply.json["detail"] == [
            {"loc": ["body", "model"], "msg": "Field required", "type": "missing"},
            {"loc": ["body", "messages", 0, "content"], "msg": "Field required", "type": "missing"},
            {"loc": ["body", "messages", 1, "role"], "msg": "Field required", "type": "missing"},
            {"loc": ["body", "messages", 1, "content"], "msg": "Input should be a valid string", "type": "string_type"},
            {
                "loc": ["body", "temperature"],
                "msg": "Input should be less than or equal to 2",
                "type": "less_than_equal",
            },
        ]

    @pytest.mark.parametrize(
        "change",
        [
            {"temperature": 0},
            {"temperature": 2},
            {"temperature": None, "max_tokens": None, "prompt_truncate_len": None},
            {"messages": [{"role": "narrator", "content": "Once upon a time"}]},
            {"top_p": 3, "made_up": True},
        ],
    )
    def test_what_is_in_range_is_served(self, asking: Caller, change: dict[str, Any]) -> None:
        assert ask(asking, **change).status == 200

    @pytest.mark.parametrize("body", [b"{", b"\xff", b"{'model': 'x'}"])
    def test_the_body_is_json(self, asking: Caller, body: bytes) -> None:
        (detail,) = asking.ask(body=body).json["detail"]
        assert (detail["loc"][0], detail["msg"], detail["type"]) == ("body", "JSON decode error", "json_invalid")
        assert isinstance(detail["loc"][1], int)

    @pytest.mark.parametrize("body", [b"", b"null"])
    def test_the_body_is_there(self, asking: Caller, body: bytes) -> None:
        reply = asking.ask(body=body)
        assert (reply.status, reply.json) == (
            422,
            {"detail": [{"loc": ["body"], "msg": "Field required", "type": "missing"}]},
        )

    @pytest.mark.parametrize("body", [b"[]", b'"hi"', b"1"])
    def test_the_body_is_an_object(self, asking: Caller, body: bytes) -> None:
        reply = asking.ask(body=body)
        assert [(detail["loc"], detail["type"]) for detail in reply.json["detail"]] == [
            (["body"], "model_attributes_type")
        ]

    @pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded"])
    def test_the_body_says_that_it_is_json(self, asking: Caller, media_type: str) -> None:
        reply = asking.ask(Content_Type=media_type)
        assert (reply.status, reply.json["detail"][0]["loc"]) == (422, ["body"])


@pytest.mark.parametrize(
    ("key", "detail"),
    [
        (None, "Not authenticated"),
        ("nugen-revoked-1", "Could not validate credentials. Reason: API key not found"),
        ("nugen-nouser-1", "Could not validate credentials. Reason: username not found"),
        ("nugen-spent-1", "Could not validate credentials. Reason: Quota Limit Reached"),
    ],
)
def test_keys_that_are_refused(asking: Caller, key: str | None, detail: str) -> None:
    reply = asking.ask(key=key)
    assert (reply.status, reply.json) == (403, {"detail": detail})


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        (402, "Insufficient balance"),
        (429, "Quota limit reached. Please add credits to your account to continue using the API."),
        (530, "Internal server error "),
    ],
)
def test_what_else_the_provider_says(nugen: Handle, asking: Caller, status: int, detail: str) -> None:
    nugen.fail(status)
    reply = asking.ask()
    assert (reply.status, reply.json) == (status, {"detail": detail})


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ("createChatText", 400),
        ("createTextCompletion", 400),
        ("createChatVision", 400),
        ("createEmbeddings", 500),
        ("createChatCompletionV3", 500),
    ],
)
def test_an_internal_error_of_the_older_language_models_is_a_400(nugen: Handle, operation: str, status: int) -> None:
    asking, detail = caller(nugen, operation), {"detail": "Internal server error "}
    nugen.fail("server_error")
    for reply in (asking.ask(), asking.ask(key="emu-server_error")):
        assert (reply.status, reply.json) == (status, detail)
    nugen.fail(500, times=2)
    for reply in (asking.ask(), asking.ask(), asking.ask(Prefer="code=500")):
        assert (reply.status, reply.json) == (500, detail)
    assert asking.ask(Prefer="code=400").json["detail"].startswith("Prompt too long")


@pytest.mark.parametrize("status", [502, 504])
def test_the_gateway_answers_in_html(nugen: Handle, asking: Caller, status: int) -> None:
    nugen.fail(status)
    reply = asking.ask()
    assert (reply.status, reply.header("content-type")) == (status, "text/html")
    assert f"<h1>{status} " in reply.text


@pytest.mark.emulator(allow_unmatched=True)
@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("POST", "/inference/chat_text/my-model", 404, {"detail": "Not Found"}),
        ("GET", "/inference/chat_text", 405, {"detail": "Method Not Allowed"}),
    ],
)
def test_where_nothing_is(
    nugen: Handle, asking: Caller, method: str, path: str, status: int, body: dict[str, str]
) -> None:
    from .raw import send

    reply = send(method, nugen.origin + path, nugen.headers)
    assert (reply.status, reply.json) == (status, body)
