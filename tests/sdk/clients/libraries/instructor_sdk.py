"""instructor: structures by way of a tool that the model has to call, whole and as they grow."""

from typing import Any

from ..questions import MESSAGES, Trip
from .base import Library


class Instructor(Library):
    requires = ("instructor",)

    def structured(self) -> Any:
        import instructor
        import openai

        with openai.OpenAI(**self.settings) as client:
            return instructor.from_openai(client).chat.completions.create(**self.trip()).model_dump()

    def structured_stream(self) -> Any:
        import instructor
        import openai

        with openai.OpenAI(**self.settings) as client:
            parts = list(instructor.from_openai(client).chat.completions.create_partial(**self.trip()))
        return parts[-1].model_dump()

    async def astructured(self) -> Any:
        import instructor
        import openai

        async with openai.AsyncOpenAI(**self.settings) as client:
            return (await instructor.from_openai(client).chat.completions.create(**self.trip())).model_dump()

    async def astructured_stream(self) -> Any:
        import instructor
        import openai

        async with openai.AsyncOpenAI(**self.settings) as client:
            stream = instructor.from_openai(client).chat.completions.create_partial(**self.trip())
            return [part async for part in stream][-1].model_dump()

    def trip(self) -> Any:
        return {"model": self.place.model, "messages": MESSAGES, "response_model": Trip, "max_retries": 0}
