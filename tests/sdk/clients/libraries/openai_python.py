"""openai: the official Python package."""

from typing import Any

from emulator import Handle

from ..questions import (
    BEGINNING,
    GET_WEATHER,
    MESSAGES,
    PATIENCE,
    TEXTS,
    WEATHER_QUESTION,
    Trip,
    get_weather,
)
from .base import Place


class OpenAI:
    requires = ("openai>=3",)

    def __init__(self, handle: Handle, place: Place) -> None:
        self.settings: Any = {
            "base_url": handle.base_url + place.path,
            "api_key": handle.api_key,
            "max_retries": 0,
            "timeout": PATIENCE,
        }
        self.model = place.model
        self.embedding_model = place.embedding_model

    def client(self) -> Any:
        import openai

        return openai.OpenAI(**self.settings)

    def aclient(self) -> Any:
        import openai

        return openai.AsyncOpenAI(**self.settings)

    def chat(self) -> str:
        with self.client() as client:
            return content(client.chat.completions.create(model=self.model, messages=MESSAGES))

    def stream(self) -> list[str]:
        with self.client() as client:
            return [piece(c) for c in client.chat.completions.create(model=self.model, messages=MESSAGES, stream=True)]

    def completion(self) -> str:
        with self.client() as client:
            return str(client.completions.create(model=self.model, prompt=BEGINNING).choices[0].text)

    def embeddings(self) -> list[list[float]]:
        with self.client() as client:
            return vectors(client.embeddings.create(model=self.embedding_model, input=TEXTS))

    def tools(self) -> str:
        with self.client() as client:
            settings = {"model": self.model, "tools": [GET_WEATHER]}
            asked = client.chat.completions.create(messages=WEATHER_QUESTION, **settings)
            return content(client.chat.completions.create(messages=with_weather(asked), **settings))

    def structured(self) -> Any:
        with self.client() as client:
            reply = client.chat.completions.parse(model=self.model, messages=MESSAGES, response_format=Trip)
            return reply.choices[0].message.parsed.model_dump()

    def structured_stream(self) -> Any:
        with (
            self.client() as client,
            client.chat.completions.stream(model=self.model, messages=MESSAGES, response_format=Trip) as stream,
        ):
            return stream.get_final_completion().choices[0].message.parsed.model_dump()

    async def achat(self) -> str:
        async with self.aclient() as client:
            return content(await client.chat.completions.create(model=self.model, messages=MESSAGES))

    async def astream(self) -> list[str]:
        async with self.aclient() as client:
            stream = await client.chat.completions.create(model=self.model, messages=MESSAGES, stream=True)
            return [piece(chunk) async for chunk in stream]

    async def acompletion(self) -> str:
        async with self.aclient() as client:
            return str((await client.completions.create(model=self.model, prompt=BEGINNING)).choices[0].text)

    async def aembeddings(self) -> list[list[float]]:
        async with self.aclient() as client:
            return vectors(await client.embeddings.create(model=self.embedding_model, input=TEXTS))

    async def atools(self) -> str:
        async with self.aclient() as client:
            settings = {"model": self.model, "tools": [GET_WEATHER]}
            asked = await client.chat.completions.create(messages=WEATHER_QUESTION, **settings)
            return content(await client.chat.completions.create(messages=with_weather(asked), **settings))

    async def astructured(self) -> Any:
        async with self.aclient() as client:
            reply = await client.chat.completions.parse(model=self.model, messages=MESSAGES, response_format=Trip)
            return reply.choices[0].message.parsed.model_dump()

    async def astructured_stream(self) -> Any:
        async with (
            self.aclient() as client,
            client.chat.completions.stream(model=self.model, messages=MESSAGES, response_format=Trip) as stream,
        ):
            return (await stream.get_final_completion()).choices[0].message.parsed.model_dump()


class OpenAI2(OpenAI):
    """The major version before, on which other libraries still build."""

    requires = ("openai>=2,<3",)


def content(reply: Any) -> str:
    return str(reply.choices[0].message.content)


def piece(chunk: Any) -> str:
    return "".join(choice.delta.content or "" for choice in chunk.choices or [])


def vectors(reply: Any) -> list[list[float]]:
    return [item.embedding for item in reply.data]


def with_weather(asked: Any) -> list[Any]:
    """The conversation so far, with the result of the call that the model wants."""
    import json

    message = asked.choices[0].message
    (call,) = message.tool_calls
    told = {"role": "tool", "tool_call_id": call.id, "content": get_weather(**json.loads(call.function.arguments))}
    return [*WEATHER_QUESTION, message, told]
