"""An in-process HTTP transport for httpx and libraries of its shape: no socket, real streams."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import unquote

from emulator.edge import answer
from emulator.exchange import Frame, Reply, Runtime


def make_transport(runtime: Runtime, tenant: str | None, library: Any = None) -> Any:
    """A transport object for `library.Client` and `library.AsyncClient`; httpx unless another is given."""
    if library is None:
        import httpx as library

    class Stream(_Stream, library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        """A body of the library's own kind."""

    class Transport(_Transport, library.BaseTransport, library.AsyncBaseTransport):  # type: ignore[misc]
        """A transport of the library's own kind."""

    return Transport(runtime, tenant, library, Stream)


class _Stream:
    """A reply's frames at their moments; a reply that is cut ends as a cut connection does."""

    def __init__(self, reply: Reply, library: Any) -> None:
        self.reply = reply
        self.library = library
        self.frames = reply.frames if reply.frames is not None else [Frame(0.0, reply.body)]

    def __iter__(self) -> Iterator[bytes]:
        began = time.monotonic()
        for frame in self.frames:
            time.sleep(max(began + frame.at - time.monotonic(), 0))
            yield frame.data
        self._end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        began = clock()
        for frame in self.frames:
            if (wait := began + frame.at - clock()) > 0:
                await asyncio.sleep(wait)
            yield frame.data
        self._end()

    def _end(self) -> None:
        if not self.reply.complete:
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
        if reply.wire is not None:
            self._break(reply)
        return self.library.Response(reply.status, headers=reply.headers, stream=self.stream(reply, self.library))

    def _break(self, reply: Reply) -> None:
        """A wire fault as a client meets it: part of a body and its end, or the error of the library."""
        assert reply.wire is not None
        if reply.wire.op in ("truncate", "stall"):
            kept = reply.wire.arguments.get("bytes", 0) if reply.wire.op == "truncate" else 0
            reply.frames, reply.complete = [Frame(0.0, reply.body[:kept])], False
        elif reply.wire.op == "reset":
            raise self.library.ReadError("connection reset by peer")
        else:
            raise self.library.RemoteProtocolError(
                "no reply" if reply.wire.op == "empty" else "what came back is not HTTP"
            )
