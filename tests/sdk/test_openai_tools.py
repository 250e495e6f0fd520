"""The openai package: tool calls that obey `tool_choice` and the tool's own schema."""

import json
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from openai import OpenAI
from openai.types.chat import (
    ChatCompletionChunk,
    ChatCompletionFunctionToolParam,
    ChatCompletionMessageFunctionToolCall,
    ChatCompletionMessageParam,
    ChatCompletionToolChoiceOptionParam,
)

from emulator import Handle

MODEL = "gpt-oss-120b"
MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Zurich?"}]

SCHEMAS: dict[str, dict[str, Any]] = {
    "enum and const": {
        "type": "object",
        "properties": {
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            "days": {"enum": [1, 3, 7]},
            "version": {"const": 2},
        },
        "required": ["unit", "days", "version"],
        "additionalProperties": False,
    },
    "nested arrays": {
        "type": "object",
        "properties": {
            "grid": {
                "type": "array",
                "minItems": 2,
                "maxItems": 2,
                "items": {"type": "array", "minItems": 3, "items": {"type": "integer", "minimum": 0, "maximum": 9}},
            },
            "tags": {"type": "array", "uniqueItems": True, "minItems": 2, "items": {"enum": ["a", "b", "c"]}},
            "notes": {"type": "array", "uniqueItems": True, "minItems": 3, "items": {"type": "string"}},
        },
        "required": ["grid", "tags"],
    },
    "references and a tree": {
        "type": "object",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "label": {"type": "string"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                },
                "required": ["label"],
                "additionalProperties": False,
            }
        },
        "properties": {"root": {"$ref": "#/$defs/node"}},
        "required": ["root"],
    },
    "a linked list": {
        "type": "object",
        "$defs": {
            "link": {
                "type": "object",
                "properties": {
                    "value": {"type": "integer"},
                    "next": {"anyOf": [{"$ref": "#/$defs/link"}, {"type": "null"}]},
                },
                "required": ["value", "next"],
                "additionalProperties": False,
            }
        },
        "properties": {"first": {"$ref": "#/$defs/link"}},
        "required": ["first"],
    },
    "any of": {
        "type": "object",
        "properties": {
            "limit": {"anyOf": [{"type": "integer", "minimum": 10}, {"type": "null"}]},
            "target": {
                "anyOf": [
                    {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
                    {"type": "string", "minLength": 3},
                ]
            },
        },
        "required": ["limit", "target"],
    },
    "one of, told apart by a constant": {
        "type": "object",
        "properties": {
            "shape": {
                "oneOf": [
                    {
                        "type": "object",
                        "properties": {"kind": {"const": "circle"}, "radius": {"type": "number", "minimum": 0}},
                        "required": ["kind", "radius"],
                    },
                    {
                        "type": "object",
                        "properties": {"kind": {"const": "square"}, "side": {"type": "number", "minimum": 0}},
                        "required": ["kind", "side"],
                    },
                ]
            }
        },
        "required": ["shape"],
    },
    "all of": {
        "type": "object",
        "allOf": [
            {"properties": {"from": {"type": "string", "format": "date"}}, "required": ["from"]},
            {"properties": {"to": {"type": "string", "format": "date"}}, "required": ["to"]},
        ],
    },
    "patterns, lengths and formats": {
        "type": "object",
        "properties": {
            "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
            "name": {"type": "string", "maxLength": 3},
            "essay": {"type": "string", "minLength": 80},
            "email": {"type": "string", "format": "email"},
            "id": {"type": "string", "format": "uuid"},
            "at": {"type": "string", "format": "date-time"},
            "alarm": {"type": "string", "format": "time"},
            "for": {"type": "string", "format": "duration"},
        },
        "required": ["code", "name", "essay", "email", "id", "at", "alarm", "for"],
    },
    "numbers in bounds": {
        "type": "object",
        "properties": {
            "below_zero": {"type": "integer", "minimum": -9, "maximum": -3},
            "open": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "step": {"type": "integer", "minimum": 50, "multipleOf": 7},
            "narrow": {"type": "number", "minimum": 0.001, "maximum": 0.002},
        },
        "required": ["below_zero", "open", "step", "narrow"],
    },
    "a mapping and a tuple": {
        "type": "object",
        "properties": {
            "scores": {"type": "object", "minProperties": 2, "additionalProperties": {"type": "integer", "minimum": 5}},
            "pair": {
                "type": "array",
                "prefixItems": [{"type": "string"}, {"type": "boolean"}],
                "items": False,
                "minItems": 2,
            },
        },
        "required": ["scores", "pair"],
    },
    "several types at once": {
        "type": "object",
        "properties": {"value": {"type": ["null", "integer"], "minimum": 4}, "flag": {"type": "boolean"}},
        "required": ["value", "flag"],
    },
}


def tool(name: str, parameters: dict[str, Any] | None = None) -> ChatCompletionFunctionToolParam:
    function: Any = {"name": name, "description": f"Use this to {name.replace('_', ' ')}"}
    if parameters is not None:
        function["parameters"] = parameters
    return {"type": "function", "function": function}


CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [tool("send_mail", CITY), tool("get_weather", CITY), tool("book_flight", CITY)]


def calls(
    client: OpenAI,
    choice: ChatCompletionToolChoiceOptionParam,
    tools: list[ChatCompletionFunctionToolParam] = TOOLS,
    messages: list[ChatCompletionMessageParam] = MESSAGES,
) -> list[ChatCompletionMessageFunctionToolCall]:
    """The tool calls of one completion, whose other parts agree with them."""
    completion = client.chat.completions.create(model=MODEL, messages=messages, tools=tools, tool_choice=choice)
    first = completion.choices[0]
    found = first.message.tool_calls or []
    assert (first.finish_reason, first.message.content == "") == (("tool_calls", True) if found else ("stop", False))
    assert all(call.type == "function" and len(call.id) == len("call_") + 18 for call in found)
    return [call for call in found if isinstance(call, ChatCompletionMessageFunctionToolCall)]


@pytest.mark.parametrize("choice", ["required", "auto"])
def test_the_tool_the_question_is_about_is_called(client: OpenAI, choice: Any) -> None:
    (call,) = calls(client, choice)
    assert call.function.name == "get_weather"
    assert set(json.loads(call.function.arguments)) == {"city"}


def test_the_named_tool_is_called(client: OpenAI) -> None:
    (call,) = calls(client, {"type": "function", "function": {"name": "book_flight"}})
    assert call.function.name == "book_flight"


def test_no_tool_is_called_when_none_may_be(client: OpenAI) -> None:
    assert calls(client, "none") == []


def test_a_tool_without_parameters(client: OpenAI) -> None:
    (call,) = calls(client, "required", [tool("roll_dice")])
    assert json.loads(call.function.arguments) == {}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
def test_arguments_are_valid_against_the_schema_of_the_tool(client: OpenAI, schema: dict[str, Any]) -> None:
    validator = Draft202012Validator(schema, validate_formats=True)
    for occurrence in range(4):
        (call,) = calls(client, "required", [tool(f"do_it_{occurrence}", schema)])
        arguments = json.loads(call.function.arguments)
        assert [error.message for error in validator.iter_errors(arguments)] == []
        assert arguments


def test_a_stream_of_a_tool_call(client: OpenAI) -> None:
    with client.chat.completions.create(
        model=MODEL, messages=MESSAGES, tools=TOOLS, tool_choice="required", stream=True
    ) as stream:
        chunks = list(stream)
    deltas = [call for chunk in chunks for c in chunk.choices for call in c.delta.tool_calls or []]
    assert {delta.index for delta in deltas} == {0}
    assert [delta.id for delta in deltas if delta.id] == [deltas[0].id]
    assert deltas[0].function is not None
    assert deltas[0].function.name == "get_weather"
    assert set(json.loads(_arguments(chunks))) == {"city"}
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["tool_calls"]


def _arguments(chunks: list[ChatCompletionChunk]) -> str:
    deltas = [call for chunk in chunks for c in chunk.choices for call in c.delta.tool_calls or []]
    return "".join(delta.function.arguments or "" for delta in deltas if delta.function)


def test_the_stream_helper_puts_the_call_together(client: OpenAI) -> None:
    with client.chat.completions.stream(
        model=MODEL, messages=MESSAGES, tools=TOOLS, tool_choice="required", stream_options={"include_usage": True}
    ) as stream:
        completion = stream.get_final_completion()
    (call,) = completion.choices[0].message.tool_calls or []
    assert call.function.name == "get_weather"
    assert completion.usage is not None
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


@pytest.mark.parametrize("choice", ["auto", None])
def test_the_turn_after_a_tool_is_text(client: OpenAI, choice: Any) -> None:
    (call,) = calls(client, "required")
    messages: list[ChatCompletionMessageParam] = [
        *MESSAGES,
        {"role": "assistant", "content": "", "tool_calls": [call.to_dict()]},  # type: ignore[list-item]
        {"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21}'},
    ]
    chosen = {} if choice is None else {"tool_choice": choice}
    completion = client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS, extra_body=chosen)
    assert completion.choices[0].message.tool_calls is None
    assert completion.choices[0].finish_reason == "stop"
    assert "21" in (completion.choices[0].message.content or "")


def test_a_scenario_scripts_the_calls(client: OpenAI, generalcompute: Handle) -> None:
    generalcompute.play("tool_then_answer")
    (call,) = calls(client, "auto")
    assert (call.function.name, json.loads(call.function.arguments)) == ("get_weather", {"city": "Zurich"})
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES, tools=TOOLS)
    assert answer.choices[0].message.content == "It is sunny in Zurich."
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (20, 6, 26)


def test_a_scenario_can_break_the_arguments(client: OpenAI, generalcompute: Handle) -> None:
    generalcompute.play([{"reply": {"tool_calls": [{"name": "get_weather", "arguments": '{"city": "Zur'}]}}])
    (call,) = calls(client, "auto")
    assert call.function.arguments == '{"city": "Zur'
