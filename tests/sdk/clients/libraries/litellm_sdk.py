"""litellm: an OpenAI-compatible endpoint of one's own, `openai/<model>` with an address."""

import json
from typing import Any

from emulator import Handle

from ..questions import BEGINNING, GET_WEATHER, MESSAGES, PATIENCE, TEXTS, WEATHER_QUESTION, Trip, get_weather
from .base import Place


class LiteLLM:
    requires = ("litellm",)

    def __init__(self, handle: Handle, place: Place) -> None:
        self.settings: Any = {
            "api_base": handle.base_url + place.path,
            "api_key": handle.api_key,
            "max_retries": 0,
            "timeout": PATIENCE,
        }
        self.place = place

    def ask(self, **wanted: Any) -> Any:
        import litellm

        return litellm.completion(model=f"openai/{self.place.model}", **self.settings, **wanted)

    async def aask(self, **wanted: Any) -> Any:
        import litellm

        return await litellm.acompletion(model=f"openai/{self.place.model}", **self.settings, **wanted)

    def chat(self) -> str:
        return content(self.ask(messages=MESSAGES))

    def stream(self) -> list[str]:
        return [piece(chunk) for chunk in self.ask(messages=MESSAGES, stream=True)]

    def completion(self) -> str:
        import litellm

        model = f"text-completion-openai/{self.place.model}"
        return str(litellm.text_completion(model=model, prompt=BEGINNING, **self.settings).choices[0].text)

    def embeddings(self) -> list[list[float]]:
        import litellm

        return vectors(litellm.embedding(f"openai/{self.place.embedding_model}", TEXTS, **self.settings))

    def tools(self) -> str:
        asked = self.ask(messages=WEATHER_QUESTION, tools=[GET_WEATHER])
        return content(self.ask(messages=with_weather(asked), tools=[GET_WEATHER]))

    def structured(self) -> Any:
        return json.loads(content(self.ask(messages=MESSAGES, response_format=Trip)))

    def structured_stream(self) -> Any:
        stream = self.ask(messages=MESSAGES, response_format=Trip, stream=True)
        return json.loads("".join(piece(chunk) for chunk in stream))

    async def achat(self) -> str:
        return content(await self.aask(messages=MESSAGES))

    async def astream(self) -> list[str]:
        return [piece(chunk) async for chunk in await self.aask(messages=MESSAGES, stream=True)]

    async def acompletion(self) -> str:
        import litellm

        model = f"text-completion-openai/{self.place.model}"
        return str((await litellm.atext_completion(model=model, prompt=BEGINNING, **self.settings)).choices[0].text)

    async def aembeddings(self) -> list[list[float]]:
        import litellm

        return vectors(await litellm.aembedding(f"openai/{self.place.embedding_model}", TEXTS, **self.settings))

    async def atools(self) -> str:
        asked = await self.aask(messages=WEATHER_QUESTION, tools=[GET_WEATHER])
        return content(await self.aask(messages=with_weather(asked), tools=[GET_WEATHER]))

    async def astructured(self) -> Any:
        return json.loads(content(await self.aask(messages=MESSAGES, response_format=Trip)))

    async def astructured_stream(self) -> Any:
        stream = await self.aask(messages=MESSAGES, response_format=Trip, stream=True)
        return json.loads("".join([piece(chunk) async for chunk in stream]))


def content(reply: Any) -> str:
    return str(reply.choices[0].message.content)


def piece(chunk: Any) -> str:
    return "".join(choice.delta.content or "" for choice in chunk.choices)


def vectors(reply: Any) -> list[list[float]]:
    return [item["embedding"] for item in reply.data]


def with_weather(asked: Any) -> list[Any]:
    """The conversation so far, with the result of the call that the model wants."""
    message = asked.choices[0].message
    (call,) = message.tool_calls
    told = {"role": "tool", "tool_call_id": call.id, "content": get_weather(**json.loads(call.function.arguments))}
    return [*WEATHER_QUESTION, message, told]
