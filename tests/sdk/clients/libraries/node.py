"""Packages of the npm registry: a script a client, which asks one question and prints what came of it as JSON."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from .. import questions
from .base import Library

FOLDER = Path(__file__).resolve().parent.parent / "node"


class NodeError(Exception):
    """What the script caught: the class of the error, and the status it carries."""

    def __init__(self, name: str, status: int | None) -> None:
        super().__init__(name)
        self.name = name
        self.status_code = status


class Node(Library):
    """Asynchronous only, as everything is there."""

    script: str

    @classmethod
    def missing(cls) -> str | None:
        if not shutil.which("node"):
            return "node"
        return next((name for name in cls.requires if not (FOLDER / "node_modules" / name).is_dir()), None)

    async def ask(self, case: str) -> Any:
        asked = {
            **self.settings,
            "timeout": questions.PATIENCE * 1000,
            "case": case,
            "model": self.place.model,
            "embedding_model": self.place.embedding_model,
            "messages": questions.MESSAGES,
            "beginning": questions.BEGINNING,
            "texts": questions.TEXTS,
            "weather_question": questions.WEATHER_QUESTION,
            "weather": questions.WEATHER,
        }
        command = ["node", str(FOLDER / self.script), json.dumps(asked)]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=3 * questions.PATIENCE, check=False
        )
        assert done.returncode == 0, done.stderr
        printed = json.loads(done.stdout)
        if "error" in printed:
            raise NodeError(**printed["error"])
        return printed["value"]

    async def achat(self) -> Any:
        return await self.ask("chat")

    async def astream(self) -> Any:
        return await self.ask("stream")

    async def acompletion(self) -> Any:
        return await self.ask("completion")

    async def aembeddings(self) -> Any:
        return await self.ask("embeddings")

    async def atools(self) -> Any:
        return await self.ask("tools")

    async def astructured(self) -> Any:
        return await self.ask("structured")

    async def astructured_stream(self) -> Any:
        return await self.ask("structured_stream")


class NodeOpenAI(Node):
    requires = ("openai", "zod")
    script = "openai.mjs"


class AISDK(Node):
    requires = ("ai", "@ai-sdk/openai-compatible", "zod")
    script = "ai_sdk.mjs"
