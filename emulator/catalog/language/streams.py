"""streams.yaml: how a completion becomes a stream."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from emulator.catalog.language.base import Duration, Model, SourceName, Tree
from emulator.mechanisms.encoding import Separators
from emulator.mechanisms.events import EventKind


class Pace(Model):
    """When events leave."""

    first_event: Duration = 0.0
    gap: Duration = 0.0


def _kind(kind: Any) -> Any:
    if kind == "done":
        raise ValueError("has no template; say as `terminator:` what ends the stream")
    return kind


def _sent(events: dict[EventKind, Any]) -> dict[EventKind, Any]:
    return {kind: template for kind, template in events.items() if template is not None}


class Stream(Model):
    """A template an event; an event without one is not sent."""

    framing: Literal["sse", "ndjson"] = "sse"
    media_type: str = "text/event-stream; charset=utf-8"
    events: Annotated[dict[Annotated[EventKind, BeforeValidator(_kind)], Tree], AfterValidator(_sent)] = Field(
        description="The template of each; null: not sent, though the dialect or an earlier file has one."
    )
    terminator: str | None = None
    usage: Literal["always", "on_request", "never"] = Field("on_request", description="When the usage event is sent.")
    spaces: Literal["before", "after"] = Field("before", description="On which side of a word its space is sent.")
    blanks: int | None = Field(
        None, ge=1, description="After each so many words, if more follow, comes a content event with no text in it."
    )
    separators: Separators | None = Field(None, description="Of the JSON in events, when not those of `encoding`.")
    pace: Pace = Pace()
    source: SourceName
