"""The openai package: JSON mode, and structured output parsed into pydantic models."""

import json
from enum import Enum
from typing import Annotated, Literal

import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel, Field

MODEL = "gpt-oss-120b"
MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Plan a trip to Zurich as JSON"}]


class Pace(Enum):
    slow = "slow"
    fast = "fast"


class Stop(BaseModel):
    city: str
    nights: Annotated[int, Field(ge=1, le=14)]
    hotel: str | None


class Trip(BaseModel):
    title: str
    pace: Pace
    currency: Literal["CHF", "EUR"]
    stops: Annotated[list[Stop], Field(min_length=1, max_length=3)]
    budget: Annotated[float, Field(gt=0, le=5000)]
    code: Annotated[str, Field(pattern=r"^[A-Z]{2}[0-9]{3}$")]


class Comment(BaseModel):
    text: str
    replies: list["Comment"]


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Household(BaseModel):
    pet: Cat | Dog
    owner: str | None


@pytest.mark.parametrize("wanted", [Trip, Stop, Comment, Household])
def test_a_reply_is_parsed_into_the_model_that_was_asked_for(client: OpenAI, wanted: type[BaseModel]) -> None:
    for occurrence in range(3):
        completion = client.chat.completions.parse(
            model=MODEL, messages=MESSAGES, response_format=wanted, extra_body={"user": f"u{occurrence}"}
        )
        assert isinstance(completion.choices[0].message.parsed, wanted)
        assert completion.choices[0].finish_reason == "stop"


def test_a_stream_is_parsed_too(client: OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=MESSAGES, response_format=Trip) as stream:
        completion = stream.get_final_completion()
    assert isinstance(completion.choices[0].message.parsed, Trip)


def test_json_mode_answers_an_object(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model=MODEL, messages=MESSAGES, response_format={"type": "json_object"}, n=3
    )
    found = [json.loads(choice.message.content or "") for choice in completion.choices]
    assert all(isinstance(value, dict) and value for value in found)


def test_text_mode_answers_text(client: OpenAI) -> None:
    completion = client.chat.completions.create(model=MODEL, messages=MESSAGES, response_format={"type": "text"})
    assert "Zurich" in (completion.choices[0].message.content or "")


def test_the_helper_turns_a_tool_call_into_its_model(client: OpenAI) -> None:
    from openai import pydantic_function_tool

    completion = client.chat.completions.parse(
        model=MODEL, messages=MESSAGES, tools=[pydantic_function_tool(Trip)], tool_choice="required"
    )
    (call,) = completion.choices[0].message.tool_calls or []
    assert isinstance(call.function.parsed_arguments, Trip)
