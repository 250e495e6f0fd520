"""A stream before it is framed: events with their time, and the operations that change them."""

from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, Literal

from emulator.mechanisms.expressions import Scope
from emulator.mechanisms.patches import Patch
from emulator.mechanisms.templates import Template

EventKind = Literal["open", "role", "content", "tool_call", "arguments", "finish", "usage", "close", "trailer"]
"""What a stream has templates for; its terminator is an event of the kind `done`."""
Ending = Literal["complete", "cut"]


@dataclass(slots=True)
class Event:
    """One event. `data` is a JSON value, or text or bytes that are sent as they are; `delay` is seconds before it."""

    kind: str
    data: Any = None
    delay: float = 0.0
    wait: float = 0.0
    """Seconds before it that a test asked for: no pace shortens them."""
    name: str | None = None
    comment: str | None = None
    merged: bool = False
    """Sent in one write with the event before it."""
    split: tuple[int, ...] = ()
    """Byte offsets at which its frame is broken into several writes."""
    split_gap: float = 0.0
    """Seconds between those writes."""
    split_character: bool = False
    """Its frame is broken inside the first character of several bytes."""


@dataclass(slots=True)
class Timeline:
    """A whole stream: its events in order, and how it ends."""

    events: list[Event] = field(default_factory=list)
    ending: Ending = "complete"
    cut_after_bytes: int | None = None
    rest: tuple[float, float] = (0.0, 0.0)
    """Delay and wait, as an event has them, between the last event and the end."""
    line_end: bytes = b"\n"


def due(events: list[Event]) -> list[float]:
    """The moment of each event at pace 1, in seconds."""
    return list(accumulate(event.delay + event.wait for event in events))


def patch_timeline(timeline: Timeline, patch: Patch, scope: Scope) -> None:
    """Apply one stream operation of a quirk."""
    for place in reversed(places(timeline.events, patch.arguments.get("at"))):
        _OPS[patch.op](timeline.events, place, patch.arguments, patch.value, scope)


def places(events: list[Event], at: int | str | None) -> list[int]:
    """The indexes an operation is aimed at: a position, every event of a kind, or all."""
    if at is None:
        return list(range(len(events)))
    if isinstance(at, int):
        place = at if at >= 0 else len(events) + at
        return [place] if 0 <= place < len(events) else []
    return [i for i, event in enumerate(events) if event.kind == at]


def _comment(events: list[Event], place: int, arguments: dict[str, Any], value: Template | None, scope: Scope) -> None:
    events.insert(place, Event("comment", comment=str(arguments.get("text", ""))))


def _insert(events: list[Event], place: int, arguments: dict[str, Any], value: Template | None, scope: Scope) -> None:
    new = Event("inserted", value(scope) if value else None, name=arguments.get("event"))
    events.insert(place + 1 if arguments.get("side") == "after" else place, new)


def _drop(events: list[Event], place: int, arguments: dict[str, Any], value: Template | None, scope: Scope) -> None:
    del events[place]


def _repeat(events: list[Event], place: int, arguments: dict[str, Any], value: Template | None, scope: Scope) -> None:
    copies = [replace(events[place], delay=0.0, wait=0.0) for _ in range(arguments.get("times", 1))]
    events[place + 1 : place + 1] = copies


def _merge(events: list[Event], place: int, arguments: dict[str, Any], value: Template | None, scope: Scope) -> None:
    events[place].merged = place > 0


def _split(events: list[Event], place: int, arguments: dict[str, Any], value: Template | None, scope: Scope) -> None:
    events[place].split = tuple(arguments.get("bytes", [1]))


def _delay(events: list[Event], place: int, arguments: dict[str, Any], value: Template | None, scope: Scope) -> None:
    events[place].delay += arguments["duration"]


_OPS = {
    "comment": _comment,
    "insert": _insert,
    "drop": _drop,
    "repeat": _repeat,
    "merge": _merge,
    "split": _split,
    "delay": _delay,
}
