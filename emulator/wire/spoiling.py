"""Faults of framing that leave a reply HTTP: any server and the in-process transport can send them."""

import math
from collections.abc import Callable
from dataclasses import replace

from emulator.exchange import Reply
from emulator.mechanisms.clock import LATEST, http_date
from emulator.mechanisms.faults import Fault


def _unstream(reply: Reply, body: bytes) -> None:
    """Let the reply have this body, of a length told in its head."""
    reply.frames, reply.body, reply.complete = None, body, True
    reply.set("content-length", str(len(body)))


def _truncated_gzip(reply: Reply, fault: Fault, now: float) -> None:
    import gzip

    packed = gzip.compress(reply.whole_body, mtime=0)
    _unstream(reply, packed[: max(len(packed) - fault["missing"], 0)])
    reply.set("content-encoding", "gzip")


def _huge_header(reply: Reply, fault: Fault, now: float) -> None:
    reply.headers.append((fault["name"], "x" * fault["bytes"]))


def _duplicate_headers(reply: Reply, fault: Fault, now: float) -> None:
    name, value = fault["name"], fault["value"]
    if name is None:
        reply.headers += reply.headers
        return
    found = [header for header in reply.headers if header[0].lower() == name.lower()]
    differs = value is not None and name.lower() != "content-length"
    reply.headers += [(header[0], value) for header in found] if differs else found


def _wrong_content_type(reply: Reply, fault: Fault, now: float) -> None:
    reply.set("content-type", fault["value"])


def _html_gateway_page(reply: Reply, fault: Fault, now: float) -> None:
    reply.status = 200
    _unstream(reply, fault["html"].encode())
    reply.set("content-type", "text/html")


def _slow_body(reply: Reply, fault: Fault, now: float) -> None:
    size, late, slow = max(fault["bytes"], 1), 0.0, []
    for frame in reply.parts:
        for start in range(0, len(frame.data), size):
            slow.append(replace(frame, at=frame.at + late, data=frame.data[start : start + size]))
            late += fault["gap"]
    reply.frames = slow


def _retry_after(reply: Reply, fault: Fault, now: float) -> None:
    own = next((value for name, value in reply.headers if name.lower() == "retry-after"), "")
    known = reply.retry_after if reply.retry_after is not None else float(own) if own.isdecimal() else 1.0
    after = min(fault["after"] if fault["after"] is not None else known, LATEST)
    told = {
        "seconds": ("retry-after", str(math.ceil(after))),
        "date": ("retry-after", http_date(min(math.ceil(now + after), LATEST))),
        "milliseconds": ("retry-after-ms", str(math.ceil(round(after * 1000, 3)))),
        "nonsense": ("retry-after", "soon"),
    }
    reply.drop("retry-after", "retry-after-ms")
    reply.headers += [told[fault["form"]]] if fault["form"] in told else []


SPOILING: dict[str, Callable[[Reply, Fault, float], None]] = {
    "truncated_gzip": _truncated_gzip,
    "huge_header": _huge_header,
    "duplicate_headers": _duplicate_headers,
    "wrong_content_type": _wrong_content_type,
    "html_gateway_page": _html_gateway_page,
    "retry_after": _retry_after,
    "slow_body": _slow_body,
}
