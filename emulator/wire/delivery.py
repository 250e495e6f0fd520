"""A reply as it reaches a client without a socket: the parts of its body with their moments, and its raw bytes."""

import errno
import os
from collections.abc import Iterator
from typing import Any

from emulator.exchange import Frame, Reply
from emulator.mechanisms.patches import Headers
from emulator.wire.sockets import raw_head, raw_reply


def body_parts(reply: Reply, method: str) -> tuple[list[Frame], bool]:
    """What arrives of the body, wire faults included, and whether it ends as it should."""
    whole = b"".join(frame.data for frame in _frames(reply))
    operation = reply.wire.op if reply.wire else None
    if operation == "truncate":
        kept = whole[: _argument(reply, "bytes", 0)]
        return [Frame(0.0, kept)], len(kept) == len(whole)
    if operation == "stall":
        return [Frame(float(_argument(reply, "duration", 0.0)), b"")], not whole
    if method == "HEAD":
        return [], True
    return _frames(reply), reply.complete


def octets(reply: Reply, method: str) -> Iterator[Frame]:
    """The bytes of an HTTP/1.1 connection on which the reply is sent; it closes after the last of them.

    A reset is not among them: raises ConnectionResetError where one is to happen.
    """
    operation = reply.wire.op if reply.wire else None
    if operation == "reset":
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
    if operation == "garbage":
        yield Frame(0.0, str(_argument(reply, "data", "")).encode())
    elif operation == "empty":
        return
    elif reply.exact_head and operation is None:
        yield Frame(0.0, raw_reply(reply))
    else:
        yield from _message(reply, method)


def sent_headers(reply: Reply) -> Headers:
    """The reply's headers and the one that says where the body ends."""
    if reply.frames is None:
        return reply.headers
    if reply.wire is None:
        return [*reply.headers, ("transfer-encoding", "chunked")]
    return [*reply.headers, ("content-length", str(sum(len(frame.data) for frame in reply.frames)))]


def _message(reply: Reply, method: str) -> Iterator[Frame]:
    parts, complete = body_parts(reply, method)
    chunked = reply.frames is not None and reply.wire is None
    yield Frame(0.0, raw_head(reply.status, sent_headers(reply)))
    for part in parts:
        yield Frame(part.at, b"%x\r\n%b\r\n" % (len(part.data), part.data) if chunked else part.data)
    if chunked and complete:
        yield Frame(parts[-1].at if parts else 0.0, b"0\r\n\r\n")


def _frames(reply: Reply) -> list[Frame]:
    return reply.frames if reply.frames is not None else [Frame(0.0, reply.body)]


def _argument(reply: Reply, name: str, default: int | float | str) -> Any:
    return reply.wire.arguments.get(name, default) if reply.wire else default
