"""peakprivacy: Peak Privacy's own package, which is configured by its environment and waits for ever."""

import os
from typing import Any
from unittest.mock import patch

from emulator import Handle

from ..questions import MESSAGES
from .base import Place


class PeakPrivacy:
    requires = ("peakprivacy", "python-dotenv")

    def __init__(self, handle: Handle, place: Place) -> None:
        self.environment = handle.env
        self.model = place.model

    def client(self) -> Any:
        import peakprivacy  # type: ignore[import-untyped]

        with patch.dict(os.environ, self.environment):
            return peakprivacy.PeakPrivacy()

    def chat(self) -> str:
        reply = self.client().chat.completions.create(messages=MESSAGES, model=self.model)
        return str(reply.choices[0].message.content)

    def stream(self) -> list[str]:
        asked = {"messages": MESSAGES, "model": self.model, "anonymize": False, "stream": True}
        with self.client().chat.completions.create(**asked) as stream:
            return [str(chunk.choices[0].delta.content) for chunk in stream]
