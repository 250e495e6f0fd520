"""Faults below HTTP: a reply becomes bytes with their moments, and a way the connection ends."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from typing import Literal

from emulator.exchange import Frame, Reply
from emulator.mechanisms.faults import Fault
from emulator.mechanisms.patches import Headers
from emulator.mechanisms.records import record

_CONTROLS = bytes([*range(9), *range(10, 32), 127])
"""Characters that would end a header."""
_INSTEAD = dict.fromkeys(_CONTROLS, "?")
CLOSES = ("connection", "close")
Ending = Literal["close", "reset"]


@record
class Broken:
    """What goes over the connection instead of a reply."""

    writes: list[Frame]
    ends_at: float
    """Seconds after the first write may leave."""
    ending: Ending = "close"


def whole_in_the_end(reply: Reply) -> bool:
    """Whether a reply ends as HTTP asks for, whatever is wrong with it before, so that its connection can serve on."""
    return reply.complete and (reply.breakage is None or reply.breakage.name not in BREAKING)


def broken(reply: Reply, fault: Fault, version: str) -> Broken:
    """The reply as a fault of the connection or the framing leaves it, for a client of HTTP `version`."""
    return BREAKING[fault.name](reply, fault, reply.unsized and version != "1.0")


def raw_head(reply: Reply, *more: tuple[str, str]) -> bytes:
    """Status line and headers; `more` replace those of the same name. Names go out in lower case, or as meant."""
    headers = reply.headers
    if more:
        replaced = {name for name, _ in more}
        headers = [*((n, v) for n, v in headers if n.lower() not in replaced), *more]
    lines = _lines(headers, reply.exact_head)
    if len(lines) - len(lines.translate(None, _CONTROLS)) > 2 * len(headers):  # more than the ends of the lines
        lines = _lines(harmless(headers), reply.exact_head)
    return b"%b%b\r\n" % (_status_line(reply.status), lines)


def _lines(headers: Headers, exact: bool) -> bytes:
    lines = [f"{name if exact else name.lower()}: {value}\r\n" for name, value in headers]
    return "".join(lines).encode("latin-1", "replace")


def harmless(headers: Headers) -> Headers:
    """Headers whose values end no line: what a client said may stand in them."""
    return [(name, value.translate(_INSTEAD)) for name, value in headers]


def raw_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The same as bytes, for whoever writes the lines themselves."""
    return [(n.encode("latin-1", "replace"), v.encode("latin-1", "replace")) for n, v in harmless(headers)]


@lru_cache
def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


def _head(reply: Reply, chunked: bool) -> bytes:
    framing = ("transfer-encoding", "chunked") if chunked else ("content-length", str(len(reply.whole_body)))
    return raw_head(reply, framing)


def _framed(frame: Frame, size: int, chunked: bool) -> Frame:
    """A frame as it is written, when its chunk is announced to hold `size` bytes."""
    if not chunked:
        return frame
    end = b"\r\n" if len(frame.data) == size else b""
    return replace(frame, data=b"%x\r\n%b%b" % (size, frame.data, end))


def _stopped(reply: Reply, fault: Fault, chunked: bool) -> Broken:
    """A reply that stops where the fault says, and a connection that ends after a silence."""
    silence = fault["duration"] if fault.name == "hang" else fault["after"]
    ending: Ending = "reset" if fault.name == "reset" else "close"
    if fault["after_bytes"] is None and fault["after_events"] is None and fault["after_time"] is None:
        return Broken([], silence, ending)
    writes, left, stops_at = [Frame(0.0, _head(reply, chunked))], fault["after_bytes"], 0.0
    for frame in reply.parts:
        data = frame.data if left is None else frame.data[:left]
        if not data or (reply.frames is not None and _surplus(frame, fault)):
            break
        if fault["after_time"] is not None and frame.due > fault["after_time"]:
            stops_at = _between(writes[-1], frame, fault["after_time"])
            break
        writes.append(_framed(replace(frame, data=data), len(frame.data), chunked))
        left = None if left is None else left - len(data)
    return Broken(writes, max(writes[-1].at, stops_at) + silence, ending)


def _surplus(frame: Frame, fault: Fault) -> bool:
    """Whether a frame belongs to an event behind those that still arrive."""
    return fault["after_events"] is not None and frame.event >= fault["after_events"]


def _between(last: Frame, following: Frame, due: float) -> float:
    """When a stream comes to a time that is due between two of its frames."""
    return last.at + (following.at - last.at) * (due - last.due) / (following.due - last.due)


def _garbage(reply: Reply, fault: Fault, chunked: bool) -> Broken:
    line = raw_head(reply).split(b"\r\n", 1)[0] + b"\r\n" if fault["status_line"] else b""
    return Broken([Frame(0.0, line + fault["data"].encode())], 0.0)


def _wrong_length(reply: Reply, fault: Fault, chunked: bool) -> Broken:
    right = len(reply.whole_body)
    told = max(right + fault["by"] * (1 if fault.name == "content_length_too_long" else -1), 0)
    closes = [CLOSES] if told <= right else []  # or a client would take it for whole, and ask again
    writes = [Frame(0.0, raw_head(reply, ("content-length", str(told)), *closes)), *reply.parts]
    return Broken(writes, writes[-1].at)


def _conflicting_lengths(reply: Reply, fault: Fault, chunked: bool) -> Broken:
    right = len(reply.whole_body)
    second = f"content-length: {right + max(fault['by'], 1)}\r\n\r\n".encode()
    head = raw_head(reply, CLOSES, ("content-length", str(right)))[: -len(b"\r\n")] + second
    writes = [Frame(0.0, head), *reply.parts]
    return Broken(writes, writes[-1].at)


def _bad_chunk_size(reply: Reply, fault: Fault, chunked: bool) -> Broken:
    without = copy(reply)
    without.drop("content-length")
    right = reply.parts[: fault["after_events"]] if reply.frames is not None else []
    writes = [Frame(0.0, _head(without, chunked=True))]
    writes += [_framed(frame, len(frame.data), chunked=True) for frame in right if frame.data]
    writes.append(Frame(writes[-1].at, f"{fault['size']}\r\n".encode()))
    return Broken(writes, writes[-1].at)


BREAKING: dict[str, Callable[[Reply, Fault, bool], Broken]] = {
    "reset": _stopped,
    "close": _stopped,
    "hang": _stopped,
    "garbage": _garbage,
    "content_length_too_long": _wrong_length,
    "content_length_too_short": _wrong_length,
    "conflicting_lengths": _conflicting_lengths,
    "bad_chunk_size": _bad_chunk_size,
}
