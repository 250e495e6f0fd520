"""What client libraries have in common: where they are pointed, and the form of chat completions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement

from emulator import Handle

from ..questions import GET_WEATHER, MESSAGES, PATIENCE, WEATHER_QUESTION, get_weather


@dataclass(frozen=True, slots=True)
class Place:
    """Where and as what a provider is asked."""

    model: str
    operations: Mapping[str, str]
    """What is asked (chat, completion, embeddings) -> the operation that answers it; what is missing is not there."""
    path: str = ""
    """What clients append to the handle's base URL."""
    embedder: str = ""
    """The model that makes vectors, where it is another."""
    dimensions: int = 0
    """How long they are."""

    @property
    def embedding_model(self) -> str:
        return self.embedder or self.model


class Library:
    """A client library at a place, its own retries off."""

    requires: tuple[str, ...] = ()
    """What has to be installed: `generalcompute`, `openai>=3`."""
    address = "base_url"
    """What it calls the base URL among its settings."""

    def __init__(self, handle: Handle, place: Place) -> None:
        self.handle = handle
        self.place = place
        self.settings: dict[str, Any] = {
            self.address: handle.base_url + place.path,
            "api_key": handle.api_key,
            "max_retries": 0,
            "timeout": PATIENCE,
        }

    @classmethod
    def missing(cls) -> str | None:
        """What is not installed here, if something is not."""
        return next((wanted for wanted in cls.requires if not _installed(Requirement(wanted))), None)


def _installed(wanted: Requirement) -> bool:
    try:
        return metadata.version(wanted.name) in wanted.specifier
    except metadata.PackageNotFoundError:
        return False


class ChatCompletions(Library):
    """A library whose calls and replies have the form of chat completions, by way of a `client` and an `aclient`."""

    def client(self) -> Any:
        raise NotImplementedError

    def aclient(self) -> Any:
        raise NotImplementedError

    def ask(self, **asked: Any) -> Any:
        """The reply, or the list of a stream's chunks."""
        with self.client() as client:
            reply = client.chat.completions.create(model=self.place.model, **asked)
            return list(reply) if asked.get("stream") else reply

    async def aask(self, **asked: Any) -> Any:
        async with self.aclient() as client:
            reply = await client.chat.completions.create(model=self.place.model, **asked)
            return [chunk async for chunk in reply] if asked.get("stream") else reply

    def chat(self) -> str:
        return content(self.ask(messages=MESSAGES))

    def stream(self) -> list[str]:
        return [piece(chunk) for chunk in self.ask(messages=MESSAGES, stream=True)]

    def tools(self) -> str:
        asked = self.ask(messages=WEATHER_QUESTION, tools=[GET_WEATHER])
        return content(self.ask(messages=with_weather(asked), tools=[GET_WEATHER]))

    async def achat(self) -> str:
        return content(await self.aask(messages=MESSAGES))

    async def astream(self) -> list[str]:
        return [piece(chunk) for chunk in await self.aask(messages=MESSAGES, stream=True)]

    async def atools(self) -> str:
        asked = await self.aask(messages=WEATHER_QUESTION, tools=[GET_WEATHER])
        return content(await self.aask(messages=with_weather(asked), tools=[GET_WEATHER]))


def content(reply: Any) -> str:
    return str(reply.choices[0].message.content)


def piece(chunk: Any) -> str:
    """The text of a chunk, an object or (of some libraries) plain data; some chunks have no choices."""
    choices = plain(chunk).get("choices") or []
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def with_weather(asked: Any) -> list[Any]:
    """The conversation so far, with the result of the call that the model wants."""
    message = plain(asked.choices[0].message)
    (call,) = message["tool_calls"]
    arguments = json.loads(call["function"]["arguments"])
    told = {"role": "tool", "tool_call_id": call["id"], "content": get_weather(**arguments)}
    return [*WEATHER_QUESTION, message, told]


def plain(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else dict(value.model_dump(exclude_none=True))
