"""A reply as it reaches a client: the parts of its body with their moments, and its raw bytes."""

import errno
import os
from collections.abc import Iterator

from emulator.exchange import Frame, Reply
from emulator.mechanisms.faults import Fault
from emulator.mechanisms.patches import Headers
from emulator.wire.breaking import BREAKING, CLOSES, Broken, broken, raw_head

Octets = tuple[float, bytes]
"""When bytes leave, in seconds after the reply may, and the bytes; none are a silence."""
_CHUNKED = ("transfer-encoding", "chunked")


def body_parts(reply: Reply, method: str) -> tuple[list[Frame], bool]:
    """What arrives of an unbroken reply's body, and whether it ends as it should."""
    if method == "HEAD":
        return [], True
    return reply.parts, reply.complete


def whole(reply: Reply, method: str, version: str, *, closes: bool) -> bytes | None:
    """All bytes of a reply that comes at once, as most do; None for any other."""
    if reply.breakage is not None or reply.wait:
        return None
    if reply.frames is None:
        head = raw_head(reply, *((CLOSES,) if closes else ()))
        return head if method == "HEAD" else head + reply.body
    if len(reply.frames) != 1 or reply.frames[0].at or not reply.complete:
        return None
    return b"".join([data for _, data in _message(reply, method, version, closes=closes)])


def octets(reply: Reply, method: str, version: str = "1.1", *, closes: bool = False) -> Iterator[Octets]:
    """The bytes with which a reply goes over an HTTP connection, to a client of HTTP `version`.

    With `closes` it says that the connection ends with it. One that is broken ends it anyway, with a reset where the
    iterator raises ConnectionResetError.
    """
    fault = reply.breakage
    if fault is not None and fault.name in BREAKING:
        parts = _broken(broken(reply, fault, version))
    else:
        parts = _message(reply, method, version, closes=closes)
        parts = _stalled(parts, fault) if fault is not None else parts
    return ((at + reply.wait, data) for at, data in parts) if reply.wait else parts


def arriving(parts: Iterator[Octets]) -> Iterator[Octets]:
    """Octets as they come over a connection: what leaves at one moment is one packet. Raises what `parts` does."""
    now, waiting = 0.0, [b""]
    try:
        for at, data in parts:
            if at > now:
                yield now, b"".join(waiting)
                now, waiting = at, []
            waiting.append(data)
    except ConnectionResetError:
        yield now, b"".join(waiting)
        raise
    yield now, b"".join(waiting)


def _broken(left: Broken) -> Iterator[Octets]:
    for frame in left.writes:
        yield frame.at, frame.data
    yield left.ends_at, b""
    if left.ending == "reset":
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))


def _stalled(message: Iterator[Octets], fault: Fault) -> Iterator[Octets]:
    """A message whose head stands still in the middle."""
    _, head = next(message)
    yield 0.0, head[: fault["at_byte"]]
    yield fault["duration"], head[fault["at_byte"] :]
    for at, data in message:
        yield at + fault["duration"], data


def sent_headers(reply: Reply) -> Headers:
    """The reply's headers and the one that says where the body ends."""
    return [*reply.headers, _CHUNKED] if reply.unsized else reply.headers


def _message(reply: Reply, method: str, version: str, *, closes: bool) -> Iterator[Octets]:
    more, unsized, chunked = [CLOSES] if closes else [], reply.unsized, False
    if unsized and version == "1.0":  # chunks came with HTTP/1.1
        more.append(("content-length", str(_size(reply))))
    elif unsized:
        chunked = method != "HEAD"
        more.append(_CHUNKED)
    yield 0.0, raw_head(reply, *more)
    parts, complete = body_parts(reply, method)
    for part in parts:
        data = part.data
        yield part.at, b"%x\r\n%b\r\n" % (len(data), data) if chunked and data else data
    if chunked and complete:
        yield parts[-1].at if parts else 0.0, b"0\r\n\r\n"


def _size(reply: Reply) -> int:
    """Bytes of a stream; of one that is cut one more, so that a client can tell."""
    return sum(len(frame.data) for frame in reply.frames or ()) + (0 if reply.complete else 1)
