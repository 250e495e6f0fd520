"""generalcompute: General Compute's own package, which drops the path of its base URL."""

import json
from typing import Any

from ..questions import MESSAGES, TRIP_SCHEMA
from .base import ChatCompletions, content


class GeneralCompute(ChatCompletions):
    requires = ("generalcompute",)

    def client(self) -> Any:
        import generalcompute  # type: ignore[import-untyped]

        return generalcompute.GeneralCompute(**self.settings | {"base_url": self.handle.root_url})

    def aclient(self) -> Any:
        import generalcompute

        return generalcompute.AsyncGeneralCompute(**self.settings | {"base_url": self.handle.root_url})

    def structured(self) -> Any:
        return json.loads(content(self.ask(messages=MESSAGES, response_format=TRIP_SCHEMA)))

    async def astructured(self) -> Any:
        return json.loads(content(await self.aask(messages=MESSAGES, response_format=TRIP_SCHEMA)))
