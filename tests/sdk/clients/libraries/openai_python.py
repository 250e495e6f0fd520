"""openai: the official Python package."""

from typing import Any

from ..questions import BEGINNING, MESSAGES, TEXTS, Trip
from .base import ChatCompletions


class OpenAI(ChatCompletions):
    requires = ("openai>=3",)

    def client(self) -> Any:
        import openai

        return openai.OpenAI(**self.settings)

    def aclient(self) -> Any:
        import openai

        return openai.AsyncOpenAI(**self.settings)

    def structured(self) -> Any:
        with self.client() as client:
            reply = client.chat.completions.parse(**self.trip())
            return reply.choices[0].message.parsed.model_dump()

    def structured_stream(self) -> Any:
        with self.client() as client, client.chat.completions.stream(**self.trip()) as stream:
            return stream.get_final_completion().choices[0].message.parsed.model_dump()

    def completion(self) -> str:
        with self.client() as client:
            return str(client.completions.create(model=self.place.model, prompt=BEGINNING).choices[0].text)

    def embeddings(self) -> list[list[float]]:
        with self.client() as client:
            return vectors(client.embeddings.create(model=self.place.embedding_model, input=TEXTS))

    async def astructured(self) -> Any:
        async with self.aclient() as client:
            reply = await client.chat.completions.parse(**self.trip())
            return reply.choices[0].message.parsed.model_dump()

    async def astructured_stream(self) -> Any:
        async with self.aclient() as client, client.chat.completions.stream(**self.trip()) as stream:
            return (await stream.get_final_completion()).choices[0].message.parsed.model_dump()

    async def acompletion(self) -> str:
        async with self.aclient() as client:
            return str((await client.completions.create(model=self.place.model, prompt=BEGINNING)).choices[0].text)

    async def aembeddings(self) -> list[list[float]]:
        async with self.aclient() as client:
            return vectors(await client.embeddings.create(model=self.place.embedding_model, input=TEXTS))

    def trip(self) -> dict[str, Any]:
        return {"model": self.place.model, "messages": MESSAGES, "response_format": Trip}


class OpenAI2(OpenAI):
    """The major version before, on which other libraries still build."""

    requires = ("openai>=2,<3",)


def vectors(reply: Any) -> list[list[float]]:
    return [item.embedding for item in reply.data]
