"""pydantic-ai: an agent on OpenAIChatModel, which takes the whole way through a tool by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ..questions import QUESTION, TEXTS, WEATHER_QUESTION, Trip, get_weather
from .base import Library


class PydanticAI(Library):
    requires = ("pydantic-ai-slim", "openai>=3")

    @asynccontextmanager
    async def agent(self, **options: Any) -> AsyncIterator[Any]:
        import openai
        from pydantic_ai import Agent
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        async with openai.AsyncOpenAI(**self.settings) as client:
            model = OpenAIChatModel(self.place.model, provider=OpenAIProvider(openai_client=client))
            yield Agent(model, retries=0, **options)

    async def achat(self) -> str:
        async with self.agent() as agent:
            return str((await agent.run(QUESTION)).output)

    async def astream(self) -> list[str]:
        async with self.agent() as agent, agent.run_stream(QUESTION) as run:
            return [piece async for piece in run.stream_text(delta=True, debounce_by=None)]

    async def aembeddings(self) -> list[list[float]]:
        import openai
        from pydantic_ai import Embedder
        from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
        from pydantic_ai.providers.openai import OpenAIProvider

        async with openai.AsyncOpenAI(**self.settings) as client:
            model = OpenAIEmbeddingModel(self.place.embedding_model, provider=OpenAIProvider(openai_client=client))
            found = await Embedder(model).embed_documents(TEXTS)
            return [list(vector) for vector in found.embeddings]

    async def atools(self) -> str:
        async with self.agent(tools=[get_weather]) as agent:
            return str((await agent.run(WEATHER_QUESTION[0]["content"])).output)

    async def astructured(self) -> Any:
        async with self.agent(output_type=Trip) as agent:
            return (await agent.run(QUESTION)).output.model_dump()

    async def astructured_stream(self) -> Any:
        async with self.agent(output_type=Trip) as agent, agent.run_stream(QUESTION) as run:
            return (await run.get_output()).model_dump()
