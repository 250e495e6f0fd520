"""langchain-openai: ChatOpenAI with a base URL of somebody else's."""

from typing import Any

from emulator import Handle

from ..questions import PATIENCE, QUESTION, WEATHER_QUESTION, Trip, get_weather


class LangChain:
    requires = ("langchain-openai",)

    def __init__(self, handle: Handle, model: str) -> None:
        self.settings: Any = {
            "base_url": handle.base_url,
            "api_key": handle.api_key,
            "model": model,
            "max_retries": 0,
            "timeout": PATIENCE,
        }

    def model(self) -> Any:
        from langchain_openai import ChatOpenAI

        return ChatOpenAI(**self.settings)

    def chat(self) -> str:
        return str(self.model().invoke(QUESTION).content)

    def stream(self) -> list[str]:
        return [str(chunk.content) for chunk in self.model().stream(QUESTION)]

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
