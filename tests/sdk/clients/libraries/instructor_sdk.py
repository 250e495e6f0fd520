"""instructor: structures by way of a tool that the model has to call, whole and as they grow."""

from typing import Any

from emulator import Handle

from ..questions import MESSAGES, PATIENCE, Trip
from .base import Place


class Instructor:
    requires = ("instructor",)

    def __init__(self, handle: Handle, place: Place) -> None:
        self.settings: Any = {
            "base_url": handle.base_url + place.path,
            "api_key": handle.api_key,
            "max_retries": 0,
            "timeout": PATIENCE,
        }
        self.asked: Any = {"model": place.model, "messages": MESSAGES, "response_model": Trip, "max_retries": 0}

    def structured(self) -> Any:
        import instructor
        import openai

        with openai.OpenAI(**self.settings) as client:
            return instructor.from_openai(client).chat.completions.create(**self.asked).model_dump()

    def structured_stream(self) -> Any:
        import instructor
        import openai

        with openai.OpenAI(**self.settings) as client:
            parts = list(instructor.from_openai(client).chat.completions.create_partial(**self.asked))
        return parts[-1].model_dump()

    async def astructured(self) -> Any:
        import instructor
        import openai

        async with openai.AsyncOpenAI(**self.settings) as client:
            return (await instructor.from_openai(client).chat.completions.create(**self.asked)).model_dump()

    async def astructured_stream(self) -> Any:
        import instructor
        import openai

        async with openai.AsyncOpenAI(**self.settings) as client:
            stream = instructor.from_openai(client).chat.completions.create_partial(**self.asked)
            return [part async for part in stream][-1].model_dump()
