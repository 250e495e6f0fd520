"""langchain-openai: ChatOpenAI with a base URL of somebody else's."""

from typing import Any

from ..questions import BEGINNING, QUESTION, TEXTS, WEATHER_QUESTION, Trip, get_weather
from .base import Library


class LangChain(Library):
    requires = ("langchain-openai",)

    def model(self) -> Any:
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(model=self.place.model, **self.settings)

    def completions(self) -> Any:
        from langchain_openai import OpenAI

        return OpenAI(model=self.place.model, **self.settings)

    def embedder(self) -> Any:
        """Sends texts, where it would count tokens itself with a table that it fetches."""
        from langchain_openai import OpenAIEmbeddings

        return OpenAIEmbeddings(model=self.place.embedding_model, check_embedding_ctx_length=False, **self.settings)

    def chat(self) -> str:
        return str(self.model().invoke(QUESTION).content)

    def stream(self) -> list[str]:
        return [str(chunk.content) for chunk in self.model().stream(QUESTION)]

    def completion(self) -> str:
        return str(self.completions().invoke(BEGINNING))

    def embeddings(self) -> Any:
        return self.embedder().embed_documents(TEXTS)

    def tools(self) -> str:
        model = self.model().bind_tools([get_weather])
        asked = model.invoke(WEATHER_QUESTION)
        return str(model.invoke([*WEATHER_QUESTION, asked, *results(asked)]).content)

    def structured(self) -> Any:
        return self.model().with_structured_output(Trip).invoke(QUESTION).model_dump()

    def structured_stream(self) -> Any:
        return list(self.model().with_structured_output(Trip).stream(QUESTION))[-1].model_dump()

    async def achat(self) -> str:
        return str((await self.model().ainvoke(QUESTION)).content)

    async def astream(self) -> list[str]:
        return [str(chunk.content) async for chunk in self.model().astream(QUESTION)]

    async def acompletion(self) -> str:
        return str(await self.completions().ainvoke(BEGINNING))

    async def aembeddings(self) -> Any:
        return await self.embedder().aembed_documents(TEXTS)

    async def atools(self) -> str:
        model = self.model().bind_tools([get_weather])
        asked = await model.ainvoke(WEATHER_QUESTION)
        return str((await model.ainvoke([*WEATHER_QUESTION, asked, *results(asked)])).content)

    async def astructured(self) -> Any:
        return (await self.model().with_structured_output(Trip).ainvoke(QUESTION)).model_dump()

    async def astructured_stream(self) -> Any:
        return [part async for part in self.model().with_structured_output(Trip).astream(QUESTION)][-1].model_dump()


def results(asked: Any) -> list[Any]:
    """What the tools say to the calls that the model wants."""
    from langchain_core.messages import ToolMessage

    return [ToolMessage(get_weather(**call["args"]), tool_call_id=call["id"]) for call in asked.tool_calls]
