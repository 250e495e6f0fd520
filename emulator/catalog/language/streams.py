"""streams.yaml: how a completion becomes a stream."""

from typing import Literal

from pydantic import Field

from emulator.catalog.language.base import Duration, Model, SourceName, Tree
from emulator.mechanisms.encoding import Separators
from emulator.mechanisms.events import EventKind


class Pace(Model):
    """When events leave."""

    first_event: Duration = 0.0
    gap: Duration = 0.0


class Stream(Model):
    """A template an event; an event without one is not sent."""

    framing: Literal["sse", "ndjson"] = "sse"
    media_type: str = "text/event-stream; charset=utf-8"
    events: dict[EventKind, Tree]
    terminator: str | None = None
    usage: Literal["always", "on_request", "never"] = Field("on_request", description="When the usage event is sent.")
    spaces: Literal["before", "after"] = Field("before", description="On which side of a word its space is sent.")
    blanks: int | None = Field(
        None, ge=1, description="After each so many words, if more follow, comes a content event with no text in it."
    )
    separators: Separators | None = Field(None, description="Of the JSON in events, when not those of `encoding`.")
    pace: Pace = Pace()
    source: SourceName
