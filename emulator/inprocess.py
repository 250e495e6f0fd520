"""An in-process HTTP transport for httpx and libraries of its shape: no socket, real streams."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import unquote

from emulator.edge import answer
from emulator.exchange import Frame, Reply, Runtime


def make_transport(runtime: Runtime, tenant: str | None, library: Any = None) -> Any:  # noqa: C901 - two classes
    """A transport object for `library.Client` and `library.AsyncClient`; httpx unless another is given."""
    if library is None:
        import httpx as library

    class Stream(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, reply: Reply) -> None:
            self.reply = reply

        def _frames(self) -> list[Frame]:
            return self.reply.frames if self.reply.frames is not None else [Frame(0.0, self.reply.body)]

        def _end(self) -> None:
            if not self.reply.complete:
                raise library.RemoteProtocolError("peer closed connection without sending complete message body")

        def __iter__(self) -> Iterator[bytes]:
            began = time.monotonic()
            for frame in self._frames():
                time.sleep(max(began + frame.at - time.monotonic(), 0))
                yield frame.data
            self._end()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            clock = asyncio.get_running_loop().time
            began = clock()
            for frame in self._frames():
                if (wait := began + frame.at - clock()) > 0:
                    await asyncio.sleep(wait)
                yield frame.data
            self._end()

    class Transport(library.BaseTransport, library.AsyncBaseTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            return self._answer(request, request.read())

        async def handle_async_request(self, request: Any) -> Any:
            return self._answer(request, await request.aread())

        def _answer(self, request: Any, body: bytes) -> Any:
            path, _, query = request.url.raw_path.decode("ascii").partition("?")
            reply, _ = answer(
                runtime,
                method=request.method,
                path=unquote(path),
                query=query,
                headers=list(request.headers.items()),
                body=body,
                tenant=tenant,
            )
            if reply.wire is not None:
                _break(reply)
            return library.Response(reply.status, headers=reply.headers, stream=Stream(reply))

    def _break(reply: Reply) -> None:
        assert reply.wire is not None
        if reply.wire.op in ("truncate", "stall"):
            kept = reply.wire.arguments.get("bytes", 0) if reply.wire.op == "truncate" else 0
            reply.frames, reply.complete = [Frame(0.0, reply.body[:kept])], False
            return
        errors = {
            "reset": library.ReadError("connection reset by peer"),
            "empty": library.RemoteProtocolError("no reply"),
        }
        raise errors.get(reply.wire.op, library.RemoteProtocolError("not HTTP"))

    return Transport()
