"""An in-process HTTP transport for httpx and libraries of its shape: no socket, real streams."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from emulator.edge import answer
from emulator.exchange import Reply, Runtime
from emulator.wire.delivery import body_parts, sent_headers


def make_transport(runtime: Runtime, tenant: str | None, library: Any = None) -> Any:
    """A transport object for `library.Client` and `library.AsyncClient`; httpx unless another is given."""
    if library is None:
        import httpx as library
    transport, stream = _kinds(library)
    return transport(runtime, tenant, library, stream)


@lru_cache
def _kinds(library: Any) -> tuple[Any, Any]:
    """The classes of transports and bodies that a library takes for its own."""

    class Stream(_Stream, library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        """A body of the library's own kind."""

    class Transport(_Transport, library.BaseTransport, library.AsyncBaseTransport):  # type: ignore[misc]
        """A transport of the library's own kind."""

    return Transport, Stream


class Pacing:
    """The waiting before each part of one reply, counted from the first, as long as a client is patient."""

    def __init__(self, patience: float | None) -> None:
        """`patience` is a read timeout in seconds; None: no end of it."""
        self._patience = patience
        self._began: float | None = None

    def wait(self, at: float) -> None:
        """Sleep until a moment. Raises TimeoutError when that takes longer than the patience."""
        seconds, in_time = self.due(at, time.monotonic())
        time.sleep(seconds)
        if not in_time:
            raise TimeoutError("timed out")

    def due(self, at: float, now: float) -> tuple[float, bool]:
        """Seconds to wait from `now` on, and whether the moment comes before the patience ends."""
        if self._began is None:
            self._began = now
        seconds = max(self._began + at - now, 0.0)
        return (seconds, True) if self._patience is None or seconds <= self._patience else (self._patience, False)


class _Stream:
    """A reply's frames at their moments; a reply that is cut ends as a cut connection does."""

    def __init__(self, reply: Reply, request: Any, library: Any) -> None:
        self.library = library
        self.frames, self.complete = body_parts(reply, request.method)
        self.pacing = Pacing(request.extensions.get("timeout", {}).get("read"))

    def __iter__(self) -> Iterator[bytes]:
        for frame in self.frames:
            try:
                self.pacing.wait(frame.at)
            except TimeoutError:
                raise self._impatient() from None
            yield frame.data
        self._end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        for frame in self.frames:
            seconds, in_time = self.pacing.due(frame.at, clock())
            if seconds > 0:
                await asyncio.sleep(seconds)
            if not in_time:
                raise self._impatient()
            yield frame.data
        self._end()

    def _impatient(self) -> Any:
        return self.library.ReadTimeout("timed out")

    def _end(self) -> None:
        if not self.complete:
            raise self.library.RemoteProtocolError("peer closed connection without sending complete message body")


class _Transport:
    """Hands requests to the pipeline, in the caller's thread."""

    def __init__(self, runtime: Runtime, tenant: str | None, library: Any, stream: Any) -> None:
        self.runtime = runtime
        self.tenant = tenant
        self.library = library
        self.stream = stream

    def handle_request(self, request: Any) -> Any:
        return self._answer(request, request.read())

    async def handle_async_request(self, request: Any) -> Any:
        return self._answer(request, await request.aread())

    def _answer(self, request: Any, body: bytes) -> Any:
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        reply, _ = answer(
            self.runtime,
            method=request.method,
            path=unquote(path),
            query=query,
            headers=list(request.headers.items()),
            body=body,
            tenant=self.tenant,
        )
        self._break(reply)
        stream = self.stream(reply, request, self.library)
        return self.library.Response(reply.status, headers=sent_headers(reply), stream=stream)

    def _break(self, reply: Reply) -> None:
        """The library's error for a wire fault that leaves no reply at all."""
        operation = reply.wire.op if reply.wire else None
        if operation == "reset":
            raise self.library.ReadError("connection reset by peer")
        if operation in ("empty", "garbage"):
            raise self.library.RemoteProtocolError("no reply" if operation == "empty" else "what came back is not HTTP")
