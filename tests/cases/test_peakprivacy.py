"""peakprivacy: the details of its page, its client and its framework, each by itself."""

import json
from typing import Any

import pytest

from emulator import Emulation, Handle

from .catalogue import QUESTION, Caller, caller
from .raw import RawReply, key_order, send

OPTIONAL = ("temperature", "top_p", "max_tokens", "random_seed", "safe_prompt", "anonymize", "stream")


@pytest.fixture
def handle(emulator: Emulation) -> Handle:
    return emulator["peakprivacy"]


@pytest.fixture
def asking(handle: Handle) -> Caller:
    return caller(handle)


def ask(asking: Caller, **change: Any) -> RawReply:
    return asking.ask(body={**(asking.body or {}), **change})


class TestValidation:
    @pytest.mark.parametrize(
        ("change", "errors"),
        [
            ({"model": None}, {"model": ["The model field is required."]}),
            ({"model": ""}, {"model": ["The model field is required."]}),
            ({"model": "gpt-9"}, {"model": ["The selected model is invalid."]}),
            ({"model": 3}, {"model": ["The model field must be a string.", "The selected model is invalid."]}),
            ({"messages": None}, {"messages": ["The messages field is required."]}),
            ({"messages": []}, {"messages": ["The messages field is required."]}),
            ({"messages": "hi"}, {"messages": ["The messages field must be an array."]}),
            ({"messages": ["hi"]}, {"messages.0": ["The messages.0 field must be an array."]}),
            (
                {"messages": [*QUESTION, {"role": None, "content": ""}]},
                {
                    "messages.1.role": ["The messages.1.role field is required."],
                    "messages.1.content": ["The messages.1.content field is required."],
                },
            ),
            (
                {"messages": [{"role": 1, "content": []}]},
                {
                    "messages.0.role": ["The messages.0.role field must be a string."],
                    "messages.0.content": ["The messages.0.content field must be a string."],
                },
            ),
            ({"temperature": 1.1}, {"temperature": ["The temperature field must not be greater than 1."]}),
            ({"temperature": -1}, {"temperature": ["The temperature field must be at least 0."]}),
            ({"temperature": "warm"}, {"temperature": ["The temperature field must be a number."]}),
            ({"top_p": 2}, {"top_p": ["The top p field must not be greater than 1."]}),
            ({"max_tokens": -1}, {"max_tokens": ["The max tokens field must be at least 0."]}),
            ({"max_tokens": 1.5}, {"max_tokens": ["The max tokens field must be an integer."]}),
            ({"random_seed": "x"}, {"random_seed": ["The random seed field must be an integer."]}),
            ({"safe_prompt": "x"}, {"safe_prompt": ["The safe prompt field must be true or false."]}),
            ({"anonymize": "x"}, {"anonymize": ["The anonymize field must be true or false."]}),
            ({"stream": "x"}, {"stream": ["The stream field must be true or false."]}),
        ],
    )
    def test_a_wrong_field_is_named(self, asking: Caller, change: dict[str, Any], errors: dict[str, list[str]]) -> None:
        reply = ask(asking, **change)
        assert (reply.status, reply.json) == (400, {"message": "Validation error", "errors": errors})
        assert list(reply.json["errors"]) == list(errors)

    def test_all_wrong_fields_are_named_at_once(self, asking: Caller) -> None:
        body = {"stream": 1, "max_tokens": -1, "temperature": 2, "messages": [{"role": "user"}, {"content": "x"}]}
        assert list(asking.ask(body=body).json["errors"]) == [
            "model",
            "messages.0.content",
            "messages.1.role",
            "temperature",
            "max_tokens",
            "stream",
        ]

    @pytest.mark.parametrize("field", OPTIONAL)
    def test_null_is_accepted_where_it_is_documented(self, asking: Caller, field: str) -> None:
        assert ask(asking, **{field: None}).status == 200

    def test_all_of_them_null_at_once(self, asking: Caller) -> None:
        assert ask(asking, **dict.fromkeys(OPTIONAL)).status == 200

    @pytest.mark.parametrize(
        "change",
        [{"temperature": 0, "top_p": 0}, {"temperature": 1, "top_p": 1}, {"max_tokens": 0}, {"random_seed": -1}],
    )
    def test_the_ends_of_the_ranges_are_in_them(self, asking: Caller, change: dict[str, Any]) -> None:
        assert ask(asking, **change).status == 200

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null"])
    def test_a_body_that_is_no_object_is_no_input_at_all(self, asking: Caller, body: bytes) -> None:
        reply = asking.ask(body=body)
        assert (reply.status, list(reply.json["errors"])) == (400, ["model", "messages"])

    @pytest.mark.parametrize("media_type", ["text/plain", "application/xml", ""])
    def test_a_body_that_is_not_called_json_is_no_input_either(self, asking: Caller, media_type: str) -> None:
        reply = asking.ask(Content_Type=media_type)
        assert (reply.status, list(reply.json["errors"])) == (400, ["model", "messages"])

    def test_prompt_and_max_tokens_must_fit_the_context(self, asking: Caller) -> None:
        assert ask(asking, max_tokens=8192 - 5).status == 200
        reply = ask(asking, max_tokens=8192)
        assert (reply.status, reply.json["message"]) == (400, "Validation error")
        assert "8192" in reply.json["errors"]["max_tokens"][0]


class TestStream:
    @pytest.mark.parametrize("anonymize", [True, None, ...])
    def test_anonymising_makes_one_object(self, asking: Caller, anonymize: Any) -> None:
        change = {} if anonymize is ... else {"anonymize": anonymize}
        reply = ask(asking, stream=True, **change)
        assert reply.header("content-type") == "application/json"
        assert reply.json["object"] == "chat.completion"

    @pytest.mark.parametrize("stream", [False, None, ...])
    def test_no_stream_unless_asked_for(self, asking: Caller, stream: Any) -> None:
        change = {} if stream is ... else {"stream": stream}
        assert ask(asking, anonymize=False, **change).header("content-type") == "application/json"

    def test_chunks_have_messages_and_no_end(self, handle: Handle, asking: Caller) -> None:
        handle.play([{"reply": {"text": "Hello! How can I assist you today?"}}])
        reply = ask(asking, stream=True, anonymize=False)
        assert reply.header("content-type") == "text/event-stream; charset=utf-8"
        chunks = [json.loads(event) for event in reply.events]
        assert "[DONE]" not in reply.text
        order = [
            ("id", None),
            ("object", None),
            ("created", None),
            ("model", None),
            (
                "choices",
                [[("finish_reason", None), ("index", None), ("message", [("content", None), ("role", None)])]],
            ),
        ]
        assert all(key_order(chunk) == order for chunk in chunks)
        contents = [chunk["choices"][0]["message"]["content"] for chunk in chunks]
        assert "".join(contents) == "Hello! How can I assist you today?"
        assert contents[-1] == ""
        reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
        assert reasons == [None] * (len(chunks) - 1) + ["stop"]


class TestHeaders:
    """What the provider's framework makes of X-Requested-With and Accept."""

    JSON = (
        {"X-Requested-With": "XMLHttpRequest", "Accept": "application/json"},
        {"X-Requested-With": "XMLHttpRequest"},
        {"X-Requested-With": "XMLHttpRequest", "Accept": "*/*"},
        {"Accept": "application/json"},
        {"Accept": "application/json, text/plain, */*"},
        {"Accept": "application/vnd.api+json"},
    )
    NOT_JSON: tuple[dict[str, str], ...] = (
        {},
        {"Accept": "*/*"},
        {"Accept": "text/html, application/json"},
        {"X-Requested-With": "XMLHttpRequest", "Accept": "text/html"},
        {"X-Requested-With": "fetch"},
    )

    def send(self, asking: Caller, headers: dict[str, str], body: Any, key: str = "any") -> RawReply:
        sent = {"Content-Type": "application/json", "Api-token": key, **headers}
        return send("POST", asking.url, sent, json.dumps(body).encode())

    @pytest.mark.parametrize("headers", JSON)
    def test_who_expects_json_gets_it(self, asking: Caller, headers: dict[str, str]) -> None:
        assert self.send(asking, headers, {}).status == 400
        assert self.send(asking, headers, asking.body, key="invalid-1").status == 401

    @pytest.mark.parametrize("headers", NOT_JSON)
    def test_who_does_not_is_sent_elsewhere(self, asking: Caller, headers: dict[str, str]) -> None:
        invalid = self.send(asking, headers, {})
        assert (invalid.status, invalid.header("location")) == (302, asking.handle.origin)
        stranger = self.send(asking, headers, asking.body, key="invalid-1")
        assert (stranger.status, stranger.header("location")) == (302, f"{asking.handle.origin}/login")
        assert stranger.header("content-type") == "text/html; charset=utf-8"

    def test_back_to_where_the_request_came_from(self, asking: Caller) -> None:
        reply = self.send(asking, {"Referer": "https://app.example.test/chat"}, {})
        assert reply.header("location") == "https://app.example.test/chat"

    @pytest.mark.parametrize("headers", [*JSON, *NOT_JSON])
    def test_what_is_served_is_json_either_way(self, asking: Caller, headers: dict[str, str]) -> None:
        reply = self.send(asking, headers, asking.body)
        assert (reply.status, reply.header("content-type")) == (200, "application/json")

    def test_the_models_without_a_token(self, handle: Handle) -> None:
        models = caller(handle, "listModels")
        assert models.ask(key=None).json == {"error": "Unauthenticated"}
        models.plain = True
        assert models.ask(key=None).header("location") == f"{handle.origin}/login"


class TestRest:
    def test_a_bearer_key_is_no_token(self, asking: Caller) -> None:
        body = json.dumps(asking.body).encode()
        headers = {"Authorization": "Bearer x", "Content-Type": "application/json", **asking.provider.client_headers}
        assert send("POST", asking.url, headers, body).status == 401

    def test_each_reply_has_its_own_bare_uuid(self, asking: Caller) -> None:
        found = {asking.ask().json["id"] for _ in range(5)}
        assert len(found) == 5
        assert {len(name) for name in found} == {36}

    def test_text_is_escaped_as_php_does(self, handle: Handle, asking: Caller) -> None:
        handle.play([{"reply": {"text": "Zürich/Genève 😀"}}])
        reply = asking.ask()
        assert b'"Z\\u00fcrich\\/Gen\\u00e8ve \\ud83d\\ude00"' in reply.body
        assert reply.json["choices"][0]["message"]["content"] == "Zürich/Genève 😀"

    def test_a_model_of_a_public_script_is_served_and_not_listed(self, handle: Handle, asking: Caller) -> None:
        assert ask(asking, model="gpt-eu").json["model"] == "gpt-eu"
        assert "gpt-eu" not in handle.models

    def test_the_limit_headers_of_the_framework(self, emulator: Emulation, handle: Handle, asking: Caller) -> None:
        emulator.clock.freeze(1_800_000_000)
        handle.fail("rate_limited")
        reply = asking.ask()
        names = ("x-ratelimit-limit", "x-ratelimit-remaining", "retry-after", "x-ratelimit-reset")
        assert [reply.header(name) for name in names] == ["60", "0", "60", "1800000060"]

    @pytest.mark.emulator(allow_unmatched=True)
    def test_where_nothing_is(self, handle: Handle) -> None:
        missing = send("GET", f"{handle.origin}/v1/x", handle.headers)
        assert (missing.status, missing.json) == (404, {"message": "The route v1/x could not be found."})
        wrong = send("GET", f"{handle.origin}/v1/ai/completions", handle.headers)
        assert (wrong.status, wrong.header("allow")) == (405, "POST")
        assert wrong.json == {
            "message": "The GET method is not supported for route v1/ai/completions. Supported methods: POST."
        }

    @pytest.mark.emulator(allow_unmatched=True)
    def test_head_is_answered_where_get_is_and_without_a_body(self, handle: Handle) -> None:
        for path in ("ai/models", "ai/ping", "ai/assistants/9b2f6c1d-3e47-4a58-b6d0-1c8e5f7a9d01", "files?limit=1"):
            asked = [send(method, f"{handle.base_url}/{path}", handle.headers) for method in ("HEAD", "GET")]
            head, get = asked
            assert (head.status, head.body, head.header("content-type")) == (200, b"", get.header("content-type"))
            assert head.header("content-length") == str(len(get.body))
        refused = send("HEAD", f"{handle.base_url}/ai/models", handle.headers | {"Api-token": "invalid-1"})
        assert (refused.status, refused.body) == (401, b"")
        assert send("HEAD", f"{handle.base_url}/ai/completions", handle.headers).status == 405
        wrong = send("DELETE", f"{handle.base_url}/ai/models", handle.headers)
        assert (wrong.header("allow"), wrong.json["message"][-29:]) == ("GET, HEAD", "Supported methods: GET, HEAD.")

    def test_the_subscription_ends(self, handle: Handle, asking: Caller) -> None:
        handle.play("subscription_ends")
        assert [asking.ask().status for _ in range(3)] == [200, 403, 200]


def test_a_status_that_an_operation_never_has_is_told(handle: Handle) -> None:
    """An invalid request is a 400 of completions and a 422 of assistants."""
    handle.fail(400)
    reply = caller(handle, "createAssistant").ask(Accept="application/json")
    told = "invalid_request is never answered with 400 by createAssistant: this is what it has"
    assert (reply.status, reply.header("x-emulator-notice")) == (422, told)
