"""The requests that the providers' pages print, sent as printed, get the reply that is printed beside them.

Only scheme and host are the emulator's. What a page prints as a placeholder is sent as the placeholder.
"""

import json
import re
from typing import Any

from emulator import Emulation

from .catalogue import caller
from .raw import RawReply, key_order, send

JSON = {"Content-Type": "application/json"}

BARRACK_REQUEST = b"""{
    "model": "openai/gpt-oss-120b",
    "messages": [
        {
            "role": "system",
            "content": "You are a helpful assistant."
        },
        {
            "role": "user",
            "content": "What is machine learning?"
        }
    ],
    "stream": false
}"""
BARRACK_REPLY = {
    "id": "chatcmpl-abc123def456",
    "object": "chat.completion",
    "created": 1702234567,
    "model": "openai/gpt-oss-120b",
    "choices": [{"index": 0, "error": {"role": "assistant", "content": "…"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 25, "completion_tokens": 42, "total_tokens": 67},
}

BARRACK_PRICING_QUERY = "?currency&gpu_count&gpu_model&resource_type&tier&volume_size_gb&volume_type"
BARRACK_PRICING_REQUEST = b"""{
    "tier": "legacy",
    "currency": "USD",
    "resource_type": "volumes",
    "volume_size_gb": 100,
    "volume_type": "SSD",
    "gpu_model": "string",
    "gpu_count": 1
}"""

GENERALCOMPUTE_REQUEST = b"""
{
  "model": "<string>",
  "messages": [
    {
      "role": "system",
      "content": "<string>",
      "name": "<string>",
      "function_call": "<unknown>",
      "tool_calls": "<unknown>"
    }
  ],
  "temperature": 1,
  "top_p": 0.5,
  "n": 123,
  "stream": false,
  "stop": "<string>",
  "max_tokens": 123,
  "presence_penalty": 0,
  "frequency_penalty": 0,
  "logit_bias": {},
  "user": "<string>",
  "top_k": 123,
  "repetition_penalty": 123
}
"""
GENERALCOMPUTE_CHOICE = {
    "index": 123,
    "message": {"role": "<string>", "content": "<string>", "function_call": None, "tool_calls": None},
    "finish_reason": "<string>",
    "logprobs": None,
}
GENERALCOMPUTE_REPLY = {
    "id": "<string>",
    "object": "chat.completion",
    "created": 123,
    "model": "<string>",
    "choices": [GENERALCOMPUTE_CHOICE] * 123,
    "usage": {"prompt_tokens": 123, "completion_tokens": 123, "total_tokens": 123},
    "system_fingerprint": "<string>",
}

# The page prints no curl line: its table of fields, each with the value the table gives.
NUGEN_REQUEST = {
    "model": "nugen-legal",
    "messages": [{"role": "user", "content": "What is a contract?"}],
    "max_tokens": 200,
    "prompt_truncate_len": 1500,
    "temperature": 1,
}
NUGEN_REPLY = {
    "id": "nugen-1234.5",
    "created": 1234.5,
    "model": "nugen-legal",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "…"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
}

PEAKPRIVACY_HEADERS = {
    "Api-token": "api_token",
    "X-Requested-With": "XMLHttpRequest",
    "Accept": "application/json",
    "Content-Type": "application/json",
}
PEAKPRIVACY_REQUEST = b"""{
"model": "gpt-4-1106-preview",
"messages": [
{
"role": "user",
"content": "content"
}
],
"temperature": null,
"top_p": null,
"max_tokens": null,
"random_seed": null,
"safe_prompt": null,
"anonymize": true
}"""
PEAKPRIVACY_REPLY = {
    "id": "1df8f5af-c96d-42ba-938a-3f5c4f62e633",
    "object": "chat.completion",
    "created": 1705942239,
    "model": "gpt-4-1106-preview",
    "choices": [{"finish_reason": "stop", "index": 0, "message": {"content": "…", "role": "assistant"}}],
    "usage": {"completion_tokens": 9, "prompt_tokens": 8, "total_tokens": 17},
}


def types(value: Any) -> Any:
    """The same tree with the type of every leaf."""
    if isinstance(value, dict):
        return {key: types(below) for key, below in value.items()}
    if isinstance(value, list):
        return [types(below) for below in value]
    return type(value).__name__


def is_as_documented(reply: RawReply, documented: dict[str, Any], *constants: str) -> None:
    """The documented keys in the documented order, the documented types, and the named constants."""
    assert (reply.status, reply.header("content-type")) == (200, "application/json")
    assert key_order(reply.json) == key_order(documented)
    assert types(reply.json) == types(documented)
    for name in constants:
        assert reply.json[name] == documented[name]
    usage = reply.json["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


class TestBarrack:
    def test_the_curl_line_has_no_key_and_gets_the_documented_401(self, emulator: Emulation) -> None:
        reply = send("POST", emulator["barrack"].origin + "/api/ai/chat/", JSON, BARRACK_REQUEST)
        assert reply.status == 401
        assert list(reply.json) == ["success", "error", "message", "request_id"]

    def test_the_curl_line_with_a_key(self, emulator: Emulation) -> None:
        barrack = emulator["barrack"]
        reply = send("POST", barrack.origin + "/api/ai/chat/", {**JSON, **barrack.headers}, BARRACK_REQUEST)
        self.is_the_reply(reply)

    def test_the_curl_line_as_printed_where_no_key_is_needed(self, emulator: Emulation) -> None:
        emulator["barrack"].use("keyless")
        self.is_the_reply(send("POST", emulator["barrack"].origin + "/api/ai/chat/", JSON, BARRACK_REQUEST))

    def test_the_curl_line_of_pricing_names_the_model_of_a_gpu_by_a_placeholder(self, emulator: Emulation) -> None:
        barrack = emulator["barrack"]
        url = barrack.origin + "/api/pricing/" + BARRACK_PRICING_QUERY
        reply = send("POST", url, {**JSON, **barrack.headers}, BARRACK_PRICING_REQUEST)
        assert (reply.status, list(reply.json)) == (200, ["success", "message", "pricing_data", "request_id"])
        assert list(reply.json["pricing_data"]) == ["volumes", "snapshots", "gpus", "metadata"]

    def is_the_reply(self, reply: RawReply) -> None:
        is_as_documented(reply, BARRACK_REPLY, "object", "model")
        assert re.fullmatch("chatcmpl-[0-9a-f]{12}", reply.json["id"])
        assert reply.json["choices"][0]["error"]["role"] == "assistant"
        assert reply.json["choices"][0]["finish_reason"] == "stop"
        assert reply.json["usage"]["prompt_tokens"] == 25


class TestGeneralCompute:
    def test_the_curl_line(self, emulator: Emulation) -> None:
        headers = {"Authorization": "Bearer <token>", **JSON}
        url = emulator["generalcompute"].origin + "/v1/chat/completions"
        reply = send("POST", url, headers, GENERALCOMPUTE_REQUEST)
        is_as_documented(reply, GENERALCOMPUTE_REPLY, "object", "model")
        assert [choice["index"] for choice in reply.json["choices"]] == list(range(123))
        assert {choice["message"]["role"] for choice in reply.json["choices"]} == {"assistant"}


class TestNugen:
    def test_the_table_of_fields(self, emulator: Emulation) -> None:
        nugen = emulator["nugen"]
        body = json.dumps(NUGEN_REQUEST).encode()
        reply = send("POST", nugen.origin + "/inference/chat_text", {**JSON, **nugen.headers}, body)
        is_as_documented(reply, NUGEN_REPLY, "model")
        assert reply.json["id"] == f"nugen-{reply.json['created']}"
        assert reply.json["choices"][0]["message"]["role"] == "assistant"

    def test_the_required_fields_alone(self, emulator: Emulation) -> None:
        asking = caller(emulator["nugen"])
        is_as_documented(asking.ask(), NUGEN_REPLY)


class TestPeakPrivacy:
    def url(self, emulator: Emulation, path: str) -> str:
        return emulator["peakprivacy"].origin + path

    def test_the_curl_line_of_completions(self, emulator: Emulation) -> None:
        url = self.url(emulator, "/v1/ai/completions")
        reply = send("POST", url, PEAKPRIVACY_HEADERS, PEAKPRIVACY_REQUEST)
        is_as_documented(reply, PEAKPRIVACY_REPLY, "object", "model")
        assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", reply.json["id"])
        assert reply.json["choices"][0]["message"]["role"] == "assistant"

    def test_the_raw_body_of_the_page_begins_with_the_assistant(self, emulator: Emulation) -> None:
        body = PEAKPRIVACY_REQUEST.replace(b'"user"', b'"assistant"')
        reply = send("POST", self.url(emulator, "/v1/ai/completions"), PEAKPRIVACY_HEADERS, body)
        is_as_documented(reply, PEAKPRIVACY_REPLY, "object", "model")

    def test_the_curl_line_of_models_has_an_empty_token(self, emulator: Emulation) -> None:
        reply = send("GET", self.url(emulator, "/v1/ai/models"), {**PEAKPRIVACY_HEADERS, "Api-token": ""})
        assert (reply.status, reply.body) == (401, b'{"error":"Unauthenticated"}')

    def test_the_curl_line_of_models_with_a_token(self, emulator: Emulation) -> None:
        reply = send("GET", self.url(emulator, "/v1/ai/models"), PEAKPRIVACY_HEADERS)
        assert reply.status == 200
        assert list(reply.json) == ["object", "data"]
        assert reply.json["object"] == "list"
        first = reply.json["data"][0]
        assert {**first, "max_tokens": 0} == {
            "id": "gpt-4-1106-preview",
            "object": "model",
            "created": 0,
            "owned_by": "OpenAI",
            "max_tokens": 0,  # not on the page; the provider's own client cannot do without
        }
        assert {tuple(model) for model in reply.json["data"]} == {("id", "object", "created", "owned_by", "max_tokens")}

    def test_the_printed_400(self, emulator: Emulation) -> None:
        body = PEAKPRIVACY_REQUEST.replace(b'"model": "gpt-4-1106-preview",', b"")
        reply = send("POST", self.url(emulator, "/v1/ai/completions"), PEAKPRIVACY_HEADERS, body)
        assert reply.status == 400
        assert reply.body == b'{"message":"Validation error","errors":{"model":["The model field is required."]}}'

    def test_the_printed_401(self, emulator: Emulation) -> None:
        headers = {**PEAKPRIVACY_HEADERS, "Api-token": "expired-token"}
        reply = send("POST", self.url(emulator, "/v1/ai/completions"), headers, PEAKPRIVACY_REQUEST)
        assert (reply.status, reply.body) == (401, b'{"error":"Unauthenticated"}')

    def test_the_printed_403(self, emulator: Emulation) -> None:
        headers = {**PEAKPRIVACY_HEADERS, "Api-token": "used-up-token"}
        reply = send("POST", self.url(emulator, "/v1/ai/completions"), headers, PEAKPRIVACY_REQUEST)
        assert (reply.status, reply.body) == (403, b'{"error":"Subscription amount limit has been reached"}')
