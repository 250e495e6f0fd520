"""Content -> bytes, or the frames of a stream with their times; then stream quirks and faults."""

import itertools
from collections.abc import Sequence
from typing import Any

from emulator.exchange import Exchange, Frame
from emulator.mechanisms.encoding import Encoding
from emulator.mechanisms.events import Event, Timeline, patch_timeline
from emulator.mechanisms.faults import Fault, Layer
from emulator.mechanisms.faulty_streams import disturb
from emulator.mechanisms.latency import Timing
from emulator.operation import StreamPlan
from emulator.provider import Quirk
from emulator.wire.framing import FRAMINGS
from emulator.wire.spoiling import SPOILING
from emulator.wire.writers import EventWriter, FrameWriter

_BELOW: tuple[Layer, ...] = ("framing", "connection")
"""Where faults are that the transport meets, not the content."""
_MOST_GAPS = 1000
"""Gaps that a journal entry holds."""


def encode(ex: Exchange) -> None:
    """Complete the reply; refuses nothing."""
    if ex.streaming:
        assert ex.active.stream is not None
        _encode_stream(ex, ex.active.stream)
    elif ex.reply.status == 204:  # it has no body, nor headers of one (RFC 9110, 8.6)
        ex.reply.drop("content-type")
    else:
        content = ex.reply.content
        ex.reply.body = b"" if content is None and ex.refusal is not None else _bytes(content, ex.provider.encoding)
        ex.reply.headers.append(("content-length", str(len(ex.reply.body))))
    if ex.timing is not None:
        _tell_timing(ex, ex.timing)
    if ex.faults or ex.notices or ex.preference_applied:
        _tell_wishes(ex)
    for fault in ex.faults_of(_BELOW):
        if fault.name in SPOILING:
            SPOILING[fault.name](ex.reply, fault, ex.now)
        else:
            ex.reply.breakage = fault


def _tell_timing(ex: Exchange, timing: Timing) -> None:
    """Let a reply that comes as a whole wait; write down what is planned, in seconds of the provider."""
    if not ex.streaming:
        ex.reply.wait = timing.total * ex.runtime.pace
    planned = {"first_event": timing.first, "gaps": timing.gaps[:_MOST_GAPS], "seconds": timing.total}
    ex.note("encode", "timing", **planned)


def _tell_wishes(ex: Exchange) -> None:
    """Headers that say what was asked of the emulator and could not be honoured, and what could."""
    ex.notices += [notice for fault in ex.faults if (notice := _unmet(ex, fault))]
    ex.reply.headers += [("x-emulator-notice", _header_text(notice)) for notice in ex.notices]
    if ex.preference_applied:
        ex.reply.headers.append(("preference-applied", ex.preference_applied))


def _unmet(ex: Exchange, fault: Fault) -> str | None:
    """Why a fault that was asked for shows nowhere in the reply; None when it does."""
    if fault.layer == "content" and (ex.completion is None or ex.refusal is not None):
        return f"the fault {fault.name} needs a completion, and this reply is none"
    if fault.layer == "stream" and not ex.streaming and not _unstreamed(ex, fault):
        return f"the fault {fault.name} needs a stream, and this reply is none"
    return f"the fault {fault.name} found nothing to act on in this reply" if fault in ex.idle else None


def _unstreamed(ex: Exchange, fault: Fault) -> bool:
    """Whether this fault is why a stream that was asked for is none."""
    asked = ex.refusal is None and ex.completion is not None and ex.active.stream is not None
    return fault.name == "not_a_stream" and asked and bool(ex.request and ex.request["stream"])


def _header_text(text: str) -> str:
    """A notice as a header may carry it: printable ASCII."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:500]


def _bytes(content: Any, encoding: Encoding) -> bytes:
    return content.encode() if isinstance(content, str) else encoding.dumps(content)


def _encode_stream(ex: Exchange, plan: StreamPlan) -> None:
    ex.reply.headers[0] = ("content-type", plan.media_type)
    quirks, faults = ex.quirks("stream"), ex.faults_of(("stream",))
    if quirks or faults:
        _encode_bent(ex, plan, quirks, faults)
        return
    writer = FrameWriter(ex, plan, joined=ex.runtime.pace == 0 and not ex.faults_of(_BELOW))
    writer.write()
    ex.reply.frames = writer.frames


def _encode_bent(ex: Exchange, plan: StreamPlan, quirks: Sequence[Quirk], faults: list[Fault]) -> None:
    writer = EventWriter(ex, plan)
    writer.write()
    timeline = Timeline(writer.events)
    for quirk in quirks:
        for patch in quirk.patches:
            patch_timeline(timeline, patch, ex.scope)
    for fault in faults:
        error = _error_event(ex, fault) if fault.name == "error_event" else None
        if not disturb(timeline, fault, ex.provider.encoding, error):
            ex.idle.append(fault)
    ex.reply.frames = _frames(timeline, plan, ex.runtime.pace)
    ex.reply.complete = timeline.ending == "complete"


def _error_event(ex: Exchange, fault: Fault) -> Any:
    """The body that a refusal has, as an event of a stream that already began with 200."""
    if (name := fault["refuse"]) not in ex.provider.errors:
        ex.tell_once(f"the fault error_event: {name} has no reply here; there are {', '.join(ex.provider.errors)}")
    _, body = ex.error(name, {})
    return body


def _frames(timeline: Timeline, plan: StreamPlan, pace: float) -> list[Frame]:
    """Events framed, each with the moment it leaves; a scale of 0 sends all at once."""
    frame = FRAMINGS[plan.framing]
    frames: list[Frame] = []
    at, due, sent = 0.0, 0.0, 0
    for number, event in enumerate(timeline.events):
        at += event.delay * pace + event.wait
        due += event.delay + event.wait
        data = frame(event, plan.encoding).replace(b"\n", timeline.line_end)
        if timeline.cut_after_bytes is not None:
            data = data[: max(timeline.cut_after_bytes - sent, 0)]
        sent += len(data)
        if event.merged and frames:
            frames[-1] = Frame(at, frames[-1].data + data, number, due)
            continue
        for i, part in enumerate(_parts(data, _offsets(event, data))):
            at += event.split_gap if i else 0.0
            frames.append(Frame(at, part, number, due))
    delay, wait = timeline.rest
    if delay or wait:
        frames.append(Frame(at + delay * pace + wait, b"", len(timeline.events), due + delay + wait))
    return frames


def _offsets(event: Event, data: bytes) -> tuple[int, ...]:
    if not event.split_character:
        return event.split
    return (next((i + 1 for i, byte in enumerate(data) if byte > 0x7F), 0),)


def _parts(data: bytes, offsets: tuple[int, ...]) -> list[bytes]:
    edges = [0, *sorted(o for o in offsets if 0 < o < len(data)), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]
