"""generalcompute: General Compute's own package, which drops the path of its base URL."""

import json
from typing import Any

from emulator import Handle

from ..questions import GET_WEATHER, MESSAGES, PATIENCE, TRIP_SCHEMA, WEATHER_QUESTION, get_weather
from .base import Place


class GeneralCompute:
    requires = ("generalcompute",)

    def __init__(self, handle: Handle, place: Place) -> None:
        self.settings = {
            "base_url": handle.root_url,
            "api_key": handle.api_key,
            "max_retries": 0,
            "timeout": PATIENCE,
        }
        self.model = place.model

    def client(self) -> Any:
        import generalcompute  # type: ignore[import-untyped]

        return generalcompute.GeneralCompute(**self.settings)

    def aclient(self) -> Any:
        import generalcompute

        return generalcompute.AsyncGeneralCompute(**self.settings)

    def chat(self) -> str:
        with self.client() as client:
            return content(client.chat.completions.create(model=self.model, messages=MESSAGES))

    def stream(self) -> list[str]:
        with self.client() as client:
            return [piece(c) for c in client.chat.completions.create(model=self.model, messages=MESSAGES, stream=True)]

    def tools(self) -> str:
        with self.client() as client:
            settings = {"model": self.model, "tools": [GET_WEATHER]}
            asked = client.chat.completions.create(messages=WEATHER_QUESTION, **settings)
            return content(client.chat.completions.create(messages=with_weather(asked), **settings))

    def structured(self) -> Any:
        with self.client() as client:
            asked = {"model": self.model, "messages": MESSAGES, "response_format": TRIP_SCHEMA}
            return json.loads(content(client.chat.completions.create(**asked)))

    async def achat(self) -> str:
        async with self.aclient() as client:
            return content(await client.chat.completions.create(model=self.model, messages=MESSAGES))

    async def astream(self) -> list[str]:
        async with self.aclient() as client:
            stream = await client.chat.completions.create(model=self.model, messages=MESSAGES, stream=True)
            return [piece(chunk) async for chunk in stream]

    async def atools(self) -> str:
        async with self.aclient() as client:
            settings = {"model": self.model, "tools": [GET_WEATHER]}
            asked = await client.chat.completions.create(messages=WEATHER_QUESTION, **settings)
            return content(await client.chat.completions.create(messages=with_weather(asked), **settings))

    async def astructured(self) -> Any:
        async with self.aclient() as client:
            asked = {"model": self.model, "messages": MESSAGES, "response_format": TRIP_SCHEMA}
            return json.loads(content(await client.chat.completions.create(**asked)))


def content(reply: Any) -> str:
    return str(reply.choices[0].message.content)


def piece(chunk: Any) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def with_weather(asked: Any) -> list[Any]:
    """The conversation so far, with the result of the call that the model wants."""
    (call,) = asked.choices[0].message.tool_calls
    said = {"role": "assistant", "content": "", "tool_calls": [call]}
    arguments = json.loads(call["function"]["arguments"])
    return [*WEATHER_QUESTION, said, {"role": "tool", "tool_call_id": call["id"], "content": get_weather(**arguments)}]
