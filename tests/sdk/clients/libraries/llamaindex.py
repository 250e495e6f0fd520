"""llama-index-llms-openai-like: LlamaIndex's model for somebody else's address, and the like for embeddings."""

from typing import Any

from ..questions import BEGINNING, QUESTION, TEXTS, WEATHER_QUESTION, Trip, get_weather
from .base import Library


class LlamaIndex(Library):
    requires = ("llama-index-llms-openai-like", "llama-index-embeddings-openai-like")
    address = "api_base"

    def model(self, chats: bool = True) -> Any:
        from llama_index.llms.openai_like import OpenAILike

        kind = {"is_chat_model": chats, "is_function_calling_model": chats}
        return OpenAILike(model=self.place.model, **kind, **self.settings)

    def embedder(self) -> Any:
        from llama_index.embeddings.openai_like import OpenAILikeEmbedding

        return OpenAILikeEmbedding(self.place.embedding_model, **self.settings)

    def chat(self) -> str:
        return str(self.model().chat(said(QUESTION)).message.content)

    def stream(self) -> list[str]:
        return [part.delta or "" for part in self.model().stream_chat(said(QUESTION))]

    def completion(self) -> str:
        return str(self.model(chats=False).complete(BEGINNING).text)

    def embeddings(self) -> Any:
        return self.embedder().get_text_embedding_batch(TEXTS)

    def tools(self) -> str:
        model, history = self.model(), said(WEATHER_QUESTION[0]["content"])
        asked = model.chat_with_tools([weather_tool()], chat_history=history)
        told = model.chat_with_tools([weather_tool()], chat_history=[*history, asked.message, *results(model, asked)])
        return str(told.message.content)

    def structured(self) -> Any:
        return self.model().as_structured_llm(Trip).chat(said(QUESTION)).raw.model_dump()

    def structured_stream(self) -> Any:
        parts = list(self.model().as_structured_llm(Trip).stream_chat(said(QUESTION)))
        return parts[-1].raw.model_dump()

    async def achat(self) -> str:
        return str((await self.model().achat(said(QUESTION))).message.content)

    async def astream(self) -> list[str]:
        return [part.delta or "" async for part in await self.model().astream_chat(said(QUESTION))]

    async def acompletion(self) -> str:
        return str((await self.model(chats=False).acomplete(BEGINNING)).text)

    async def aembeddings(self) -> Any:
        return await self.embedder().aget_text_embedding_batch(TEXTS)

    async def atools(self) -> str:
        model, history = self.model(), said(WEATHER_QUESTION[0]["content"])
        asked = await model.achat_with_tools([weather_tool()], chat_history=history)
        history += [asked.message, *results(model, asked)]
        return str((await model.achat_with_tools([weather_tool()], chat_history=history)).message.content)

    async def astructured(self) -> Any:
        return (await self.model().as_structured_llm(Trip).achat(said(QUESTION))).raw.model_dump()

    async def astructured_stream(self) -> Any:
        stream = await self.model().as_structured_llm(Trip).astream_chat(said(QUESTION))
        return [part async for part in stream][-1].raw.model_dump()


def said(text: str) -> list[Any]:
    from llama_index.core.llms import ChatMessage

    return [ChatMessage(role="user", content=text)]


def weather_tool() -> Any:
    from llama_index.core.tools import FunctionTool

    return FunctionTool.from_defaults(get_weather)


def results(model: Any, asked: Any) -> list[Any]:
    """What the tools say to the calls that the model wants."""
    from llama_index.core.llms import ChatMessage

    return [
        ChatMessage(
            role="tool",
            content=get_weather(**call.tool_kwargs),
            additional_kwargs={"tool_call_id": call.tool_id},
        )
        for call in model.get_tool_calls_from_response(asked)
    ]
