"""peakprivacy: Peak Privacy's own package, which is configured by its environment and waits for ever."""

import os
from typing import Any
from unittest.mock import patch

from ..questions import MESSAGES
from .base import Library


class PeakPrivacy(Library):
    requires = ("peakprivacy", "python-dotenv")

    def client(self) -> Any:
        import peakprivacy  # type: ignore[import-untyped]

        with patch.dict(os.environ, self.handle.env):
            return peakprivacy.PeakPrivacy()

    def chat(self) -> str:
        reply = self.client().chat.completions.create(messages=MESSAGES, model=self.place.model)
        return str(reply.choices[0].message.content)

    def stream(self) -> list[str]:
        asked = {"messages": MESSAGES, "model": self.place.model, "anonymize": False, "stream": True}
        with self.client().chat.completions.create(**asked) as stream:
            return [str(chunk.choices[0].delta.content) for chunk in stream]
