"""The reference: bare ASGI that reads the body and answers with constants, the bytes that the emulator answered.

`BENCH_REPLY` and `BENCH_EVENTS` in the environment name files with a body and with a whole stream; `BENCH_GAP` is the
milliseconds between two events, which leave at absolute moments.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

REPLY = Path(os.environ["BENCH_REPLY"]).read_bytes()
EVENTS = [event + b"\n\n" for event in Path(os.environ["BENCH_EVENTS"]).read_bytes().split(b"\n\n") if event]
GAP = float(os.environ.get("BENCH_GAP", "0")) / 1000

_JSON = [(b"content-type", b"application/json"), (b"content-length", str(len(REPLY)).encode())]
_START = {"type": "http.response.start", "status": 200, "headers": _JSON}
_BODY = {"type": "http.response.body", "body": REPLY}
_STREAM = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}

Send = Callable[[Any], Awaitable[None]]


async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if b'"stream": true' in body:
        await _events(send)
        return
    await send(_START)
    await send(_BODY)


async def _events(send: Send) -> None:
    await send(_STREAM)
    clock = asyncio.get_running_loop().time
    due = clock()
    for i, event in enumerate(EVENTS):
        if GAP and 0 < i < len(EVENTS) - 1:  # the last says that it is over, and waits for nothing
            due += GAP
            if (pause := due - clock()) > 0:
                await asyncio.sleep(pause)
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
