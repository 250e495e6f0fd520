"""A reply as it reaches a client without a socket: the parts of its body with their moments, and its raw bytes."""

import errno
import os
from collections.abc import Iterator
from dataclasses import replace

from emulator.exchange import Frame, Reply
from emulator.mechanisms.patches import Headers
from emulator.wire.breaking import broken, raw_head, raw_reply


def body_parts(reply: Reply, method: str) -> tuple[list[Frame], bool]:
    """What arrives of an unbroken reply's body, and whether it ends as it should."""
    if method == "HEAD":
        return [], True
    return reply.frames if reply.frames is not None else [Frame(0.0, reply.body)], reply.complete


def octets(reply: Reply, method: str) -> Iterator[Frame]:
    """The bytes of an HTTP/1.1 connection on which the reply is sent; it closes after the last of them.

    A frame without bytes is a silence. A reset is none: raises ConnectionResetError where one is to happen.
    """
    for frame in _octets(reply, method):
        yield replace(frame, at=frame.at + reply.wait) if reply.wait else frame


def _octets(reply: Reply, method: str) -> Iterator[Frame]:
    if reply.breakage is not None:
        left = broken(reply, reply.breakage, "1.1")
        yield from left.writes
        yield Frame(left.ends_at, b"")
        if left.ending == "reset":
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
    elif reply.exact_head:
        yield Frame(0.0, raw_reply(reply))
    else:
        yield from _message(reply, method)


def sent_headers(reply: Reply) -> Headers:
    """The reply's headers and the one that says where the body ends."""
    return [*reply.headers, ("transfer-encoding", "chunked")] if _chunked(reply) else reply.headers


def _chunked(reply: Reply) -> bool:
    return reply.frames is not None and not reply.has("content-length")


def _message(reply: Reply, method: str) -> Iterator[Frame]:
    parts, complete = body_parts(reply, method)
    chunked = _chunked(reply)
    yield Frame(0.0, raw_head(reply, *([("transfer-encoding", "chunked")] if chunked else [])))
    for part in parts:
        yield Frame(part.at, b"%x\r\n%b\r\n" % (len(part.data), part.data) if chunked else part.data)
    if chunked and complete:
        yield Frame(parts[-1].at if parts else 0.0, b"0\r\n\r\n")
