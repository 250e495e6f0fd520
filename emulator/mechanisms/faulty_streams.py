"""Faults of streams: each changes a timeline of events before it is framed, in whatever format."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from emulator.mechanisms.clock import parse_duration
from emulator.mechanisms.encoding import Encoding
from emulator.mechanisms.events import Event, Timeline, due, places
from emulator.mechanisms.faults import Fault


def disturb(timeline: Timeline, fault: Fault, encoding: Encoding, error: Any) -> bool:
    """Apply one fault of the stream layer; say whether it found what it aims at.

    `error` is the event data of the refusal that `error_event` names.
    """
    if fault.name == "error_event":
        kept = _kept(timeline, fault) or 0
        delay, wait = _rest(timeline, fault, kept)
        timeline.events[kept:] = [Event("error", error, delay, wait, name=fault["event"])]
        return True
    if fault.name in _IN_BYTES:
        return _IN_BYTES[fault.name](timeline, fault, encoding)
    return _FAULTS[fault.name](timeline, fault)


def _aimed(timeline: Timeline, fault: Fault) -> list[int]:
    at = fault["at_event"]
    if isinstance(at, str) and at[:1].isdigit():  # no kind of events begins so
        later = [place for place, moment in enumerate(due(timeline.events)) if moment > parse_duration(at)]
        return later[:1]
    return places(timeline.events, at)


def _kept(timeline: Timeline, fault: Fault) -> int | None:
    """How many events come before the fault; None where neither their number nor a time says so."""
    counts = [] if fault["after_events"] is None else [int(fault["after_events"])]
    if fault["after_time"] is not None:
        counts.append(sum(moment <= fault["after_time"] for moment in due(timeline.events)))
    return min(counts, default=None)


def _rest(timeline: Timeline, fault: Fault, kept: int) -> tuple[float, float]:
    """What of the delay and the wait behind the events that are kept passes until the time the fault is aimed at."""
    moments, time = [0.0, *due(timeline.events)], fault["after_time"]
    if time is None or kept == len(timeline.events) or moments[kept + 1] <= time:  # something else comes first
        return 0.0, 0.0
    following, share = timeline.events[kept], (time - moments[kept]) / (moments[kept + 1] - moments[kept])
    return following.delay * share, following.wait * share


def _cut(timeline: Timeline, fault: Fault) -> bool:
    timeline.ending = "cut"
    if fault["after_bytes"] is not None:
        timeline.cut_after_bytes = fault["after_bytes"]
    kept = _kept(timeline, fault)
    if fault["after_bytes"] is None:  # which may come first, or else end it with the last event
        timeline.rest = _rest(timeline, fault, kept or 0)
    if kept is not None or fault["after_bytes"] is None:
        del timeline.events[kept or 0 :]
    return True


def _stall(timeline: Timeline, fault: Fault) -> bool:
    found = _aimed(timeline, fault)
    for place in found:
        timeline.events[place].wait += fault["duration"]
    return bool(found)


def _without(timeline: Timeline, kind: str) -> bool:
    kept = [event for event in timeline.events if event.kind != kind]
    found = len(kept) < len(timeline.events)
    timeline.events = kept
    return found


def _no_finish_reason(timeline: Timeline, fault: Fault) -> bool:
    return _without(timeline, "finish")


def _no_terminator(timeline: Timeline, fault: Fault) -> bool:
    _without(timeline, "trailer")  # it would come behind the end
    return _without(timeline, "done") or _without(timeline, "close")


def _no_usage(timeline: Timeline, fault: Fault) -> bool:
    return _without(timeline, "usage")


def _repeated_usage(timeline: Timeline, fault: Fault) -> bool:
    found = places(timeline.events, "usage")
    for place in reversed(found):
        timeline.events[place + 1 : place + 1] = [_again(timeline.events[place]) for _ in range(fault["times"])]
    return bool(found)


def _duplicate_event(timeline: Timeline, fault: Fault) -> bool:
    found = _aimed(timeline, fault)
    for place in reversed(found):
        timeline.events.insert(place + 1, _again(timeline.events[place]))
    return bool(found)


def _again(event: Event) -> Event:
    return replace(event, delay=0.0, wait=0.0)


def _reordered_events(timeline: Timeline, fault: Fault) -> bool:
    events, found = timeline.events, [p for p in _aimed(timeline, fault) if p + 1 < len(timeline.events)]
    for place in found[:1]:
        events[place], events[place + 1] = events[place + 1], events[place]
    return bool(found)


def _insert(timeline: Timeline, fault: Fault, event: Event, times: int = 1) -> bool:
    found = _aimed(timeline, fault)
    for place in reversed(found):
        timeline.events[place:place] = [replace(event) for _ in range(times)]
    return bool(found)


def _unknown_event(timeline: Timeline, fault: Fault) -> bool:
    return _insert(timeline, fault, Event("inserted", fault["data"], name=fault["event"]))


def _empty_event(timeline: Timeline, fault: Fault) -> bool:
    return _insert(timeline, fault, Event("inserted", ""))


def _comment_storm(timeline: Timeline, fault: Fault) -> bool:
    return _insert(timeline, fault, Event("comment", comment=fault["text"]), fault["count"])


def _malformed_json(timeline: Timeline, fault: Fault, encoding: Encoding) -> bool:
    found = [place for place in _aimed(timeline, fault) if isinstance(timeline.events[place].data, (dict, list))]
    for place in found:
        event = timeline.events[place]
        event.data = encoding.dumps(event.data)[:-1].decode()
    return bool(found)


def _crlf(timeline: Timeline, fault: Fault) -> bool:
    timeline.line_end = b"\r\n"
    return bool(timeline.events)


def _one_packet(timeline: Timeline, fault: Fault) -> bool:
    found = _aimed(timeline, fault)[:1]
    for place in found:
        count = fault["count"] if fault["count"] is not None else len(timeline.events)
        for event in timeline.events[place + 1 : place + max(count, 1)]:
            event.merged = True
    return bool(found)


def _split_event(timeline: Timeline, fault: Fault) -> bool:
    found = _aimed(timeline, fault)
    for place in found:
        timeline.events[place].split = (fault["at_byte"],)
        timeline.events[place].split_gap = fault["gap"]
    return bool(found)


def _split_character(timeline: Timeline, fault: Fault, encoding: Encoding) -> bool:
    for event in timeline.events:
        if not encoding.dumps(event.data).isascii():
            event.split_character, event.split_gap = True, fault["gap"]
            return True
    return False


_FAULTS: dict[str, Callable[[Timeline, Fault], bool]] = {
    "cut": _cut,
    "stall": _stall,
    "no_finish_reason": _no_finish_reason,
    "no_terminator": _no_terminator,
    "no_usage": _no_usage,
    "repeated_usage": _repeated_usage,
    "duplicate_event": _duplicate_event,
    "reordered_events": _reordered_events,
    "unknown_event": _unknown_event,
    "empty_event": _empty_event,
    "comment_storm": _comment_storm,
    "crlf": _crlf,
    "one_packet": _one_packet,
    "split_event": _split_event,
}
_IN_BYTES: dict[str, Callable[[Timeline, Fault, Encoding], bool]] = {
    "malformed_json": _malformed_json,
    "split_character": _split_character,
}
