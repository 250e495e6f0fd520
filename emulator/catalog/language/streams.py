"""streams.yaml: how a completion becomes a stream."""

from typing import Literal

from pydantic import Field

from emulator.catalog.language.base import Duration, Model, SourceName, Tree
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
    pace: Pace = Pace()
    source: SourceName
