"""Events to bytes: server-sent events, and newline-delimited JSON."""

import re
from collections.abc import Callable
from typing import Any

from emulator.mechanisms.encoding import Encoding
from emulator.mechanisms.events import Event

_LINE_END = re.compile(rb"\r\n|\r|\n")


def _payload(data: Any, encoding: Encoding) -> bytes:
    if data.__class__ is bytes:
        return data
    return data.encode() if isinstance(data, str) else encoding.dumps(data)


def sse(event: Event, encoding: Encoding) -> bytes:
    """One SSE event: a `: comment`, or optional `event:` and one `data:` line a line of data."""
    if event.comment is not None:
        return b"".join(b": " + line + b"\n" for line in _LINE_END.split(event.comment.encode())) + b"\n"
    payload = _payload(event.data, encoding)
    if event.name is None and b"\n" not in payload and b"\r" not in payload:
        return b"data: " + payload + b"\n\n"
    lines = [b"event: " + event.name.encode() + b"\n"] if event.name else []
    lines += [b"data: " + line + b"\n" for line in _LINE_END.split(payload)]
    return b"".join(lines) + b"\n"


def ndjson(event: Event, encoding: Encoding) -> bytes:
    """One line of JSON. The format has no comments: they become empty lines."""
    return (b"" if event.comment is not None else _payload(event.data, encoding)) + b"\n"


FRAMINGS: dict[str, Callable[[Event, Encoding], bytes]] = {"sse": sse, "ndjson": ndjson}
