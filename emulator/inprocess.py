"""An in-process HTTP transport for httpx and libraries of its shape: no socket, real streams."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from emulator.edge import answer
from emulator.exchange import Frame, Reply, Runtime
from emulator.wire import breaking


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
    """A reply's frames at their moments; then what the library has to say, if the connection breaks."""

    def __init__(self, frames: Sequence[Frame], error: Exception | None) -> None:
        self.frames = frames
        self.error = error

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
        if self.error is not None:
            raise self.error


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
        if reply.breakage is not None:
            return self._broken(request, reply, breaking.broken(reply, reply.breakage, "1.1"))
        frames = reply.frames if reply.frames is not None else [Frame(0.0, reply.body)]
        return self._response(reply, frames, None if reply.complete else self._error("closed", frames))

    def _response(self, reply: Reply, frames: Sequence[Frame], error: Exception | None) -> Any:
        return self.library.Response(reply.status, headers=reply.headers, stream=self.stream(frames, error))

    def _broken(self, request: Any, reply: Reply, broken: breaking.Broken) -> Any:
        """A fault below HTTP as the library tells of it; a silence at the end is not waited for."""
        silence = broken.ends_at - (broken.heard[-1].at if broken.heard else 0.0)
        patience = request.extensions.get("timeout", {}).get("read")
        error = None if broken.complaint is None else self._error(broken.complaint, broken.heard)
        if error is not None and patience is not None and silence > patience:
            error = self.library.ReadTimeout("The read operation timed out")
        if broken.heard is not None:
            return self._response(reply, broken.heard, error)
        assert error is not None  # what nobody hears of is complained of
        raise error

    def _error(self, complaint: breaking.Complaint, heard: Sequence[Frame] | None) -> Exception:
        library = self.library
        errors: dict[breaking.Complaint, Exception] = {
            "reset": library.ReadError("connection reset by peer"),
            "no HTTP": library.RemoteProtocolError("what came back is not HTTP"),
            "closed": library.RemoteProtocolError(
                "Server disconnected without sending a response."
                if heard is None
                else "peer closed connection without sending complete message body"
            ),
        }
        return errors[complaint]
