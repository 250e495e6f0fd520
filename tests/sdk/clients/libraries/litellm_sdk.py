"""litellm: an OpenAI-compatible endpoint of one's own, `openai/<model>` with an address."""

import json
from typing import Any

from ..questions import BEGINNING, MESSAGES, TEXTS, Trip
from .base import ChatCompletions, content, piece


class LiteLLM(ChatCompletions):
    requires = ("litellm",)
    address = "api_base"

    def ask(self, **asked: Any) -> Any:
        import litellm

        reply = litellm.completion(model=f"openai/{self.place.model}", **self.settings, **asked)
        return list(reply) if asked.get("stream") else reply

    async def aask(self, **asked: Any) -> Any:
        import litellm

        reply = await litellm.acompletion(model=f"openai/{self.place.model}", **self.settings, **asked)
        return [chunk async for chunk in reply] if asked.get("stream") else reply

    def structured(self) -> Any:
        return json.loads(content(self.ask(messages=MESSAGES, response_format=Trip)))

    def structured_stream(self) -> Any:
        return json.loads("".join(map(piece, self.ask(messages=MESSAGES, response_format=Trip, stream=True))))

    def completion(self) -> str:
        import litellm

        return text(litellm.text_completion(**self.beginning(), **self.settings))

    def embeddings(self) -> list[list[float]]:
        import litellm

        return vectors(litellm.embedding(f"openai/{self.place.embedding_model}", TEXTS, **self.settings))

    async def astructured(self) -> Any:
        return json.loads(content(await self.aask(messages=MESSAGES, response_format=Trip)))

    async def astructured_stream(self) -> Any:
        return json.loads("".join(map(piece, await self.aask(messages=MESSAGES, response_format=Trip, stream=True))))

    async def acompletion(self) -> str:
        import litellm

        return text(await litellm.atext_completion(**self.beginning(), **self.settings))

    async def aembeddings(self) -> list[list[float]]:
        import litellm

        return vectors(await litellm.aembedding(f"openai/{self.place.embedding_model}", TEXTS, **self.settings))

    def beginning(self) -> dict[str, Any]:
        return {"model": f"text-completion-openai/{self.place.model}", "prompt": BEGINNING}


def text(reply: Any) -> str:
    return str(reply.choices[0].text)


def vectors(reply: Any) -> list[list[float]]:
    return [item["embedding"] for item in reply.data]
