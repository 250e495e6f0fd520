"""An in-process HTTP transport for httpx and libraries of its shape: no socket, real streams."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import lru_cache
from sys import is_finalizing
from typing import Any
from urllib.parse import unquote

from emulator.commands import CommandError
from emulator.edge import answer
from emulator.exchange import Exchange, Frame, Reply, Runtime
from emulator.wire.delivery import octets
from emulator.wire.hearing import NO_REPLY, Heard, parsed, plain
from emulator.wire.reading import Request, by_raw_name
from emulator.wire.unconnected import complaint, entrance

End = Callable[[], None]
"""Called when a reply is sent or not wanted any more."""


def make_transport(runtime: Runtime, tenant: str | None, library: Any = None) -> Any:
    """A transport object for `library.Client` and `library.AsyncClient`; httpx unless another is given.

    Raises CommandError for a library whose clients take no transport.
    """
    if library is None:
        import httpx as library
    if not hasattr(library, "BaseTransport"):
        name = getattr(library, "__name__", library)
        raise CommandError(f"{name} is no library of httpx's shape: `emulator.intercept()` is for clients of others")
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
        if seconds > 0:
            time.sleep(seconds)
        if not in_time:
            raise TimeoutError("timed out")

    async def sleep(self, at: float) -> None:
        """The same while others have their turn."""
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        try:
            now = asyncio.get_running_loop().time()
        except RuntimeError:  # it is trio's
            import anyio

            now, sleep = anyio.current_time(), anyio.sleep
        seconds, in_time = self.due(at, now)
        if seconds > 0:
            await sleep(seconds)
        if not in_time:
            raise TimeoutError("timed out")

    def due(self, at: float, now: float) -> tuple[float, bool]:
        """Seconds to wait from `now` on, and whether the moment comes before the patience ends."""
        if self._began is None:
            self._began = now
        seconds = max(self._began + at - now, 0.0)
        return (seconds, True) if self._patience is None or seconds <= self._patience else (self._patience, False)


class _Stream:
    """A reply's frames at their moments; then what the library has to say, if the connection breaks."""

    def __init__(
        self, frames: Sequence[Frame], error: Exception | None, end: End, library: Any, patience: float | None
    ) -> None:
        self.frames = frames
        self.error = error
        self.end = end
        self.library = library
        self.pacing = Pacing(patience)

    def __iter__(self) -> Iterator[bytes]:
        for frame in self.frames:
            try:
                self.pacing.wait(frame.at)
            except TimeoutError:
                raise self._impatient() from None
            yield frame.data
        self._complete()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for frame in self.frames:
            try:
                await self.pacing.sleep(frame.at)
            except TimeoutError:
                raise self._impatient() from None
            yield frame.data
        self._complete()

    def close(self) -> None:
        self.end()

    async def aclose(self) -> None:
        self.end()

    def __del__(self, exiting: Callable[[], bool] = is_finalizing) -> None:
        """Nobody can read on. When Python exits, threads stand still, maybe with the lock that `end` needs."""
        if not exiting():
            self.end()

    def _impatient(self) -> Any:
        self.end()
        return self.library.ReadTimeout("timed out")

    def _complete(self) -> None:
        self.end()
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
        reply, exchange, end = self._answer(request, request.read())
        pacing = Pacing(_patience(request))
        try:
            heard = _heard(reply, exchange, request.method)
            for at in heard.moments:
                pacing.wait(at)
            return self._response(request, heard, end)
        except TimeoutError:
            end()
            raise self.library.ReadTimeout("timed out") from None
        except BaseException:
            end()  # there is no response whose end would come
            raise

    async def handle_async_request(self, request: Any) -> Any:
        reply, exchange, end = self._answer(request, await request.aread())
        pacing = Pacing(_patience(request))
        try:
            heard = _heard(reply, exchange, request.method)
            for at in heard.moments:
                await pacing.sleep(at)
            return self._response(request, heard, end)
        except TimeoutError:
            end()
            raise self.library.ReadTimeout("timed out") from None
        except BaseException:
            end()  # there is no response whose end would come
            raise

    def _answer(self, request: Any, body: bytes) -> tuple[Reply, Exchange | None, End]:
        if setting := entrance(self.runtime, request.url.host, request.url.port).take():
            raise self._unconnected(request, setting.fault)
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        asked = Request(request.method, unquote(path), query, by_raw_name(request.headers.raw), body)
        reply, exchange = answer(self.runtime, asked, tenant=self.tenant)
        return reply, exchange, exchange.release if exchange is not None else _nothing

    def _response(self, request: Any, heard: Heard, end: End) -> Any:
        """The library's response, or its error; a silence at the end is not waited for."""
        patience, error = _patience(request), None
        if heard.error is not None:
            error = self._told(heard.error)
            if patience is not None and heard.silence > patience:
                error = self.library.ReadTimeout("timed out")
        if heard.head is None:
            assert error is not None  # what nobody hears of is complained of
            raise error
        status, headers = heard.head
        stream = self.stream(heard.frames, error, end, self.library, patience)
        return self.library.Response(status, headers=headers, stream=stream)

    def _unconnected(self, request: Any, fault: str) -> Exception:
        """What the library says of a connection that comes to no request; each request counts as one."""
        told = complaint(fault, request.url.host)
        phase, timeout = ("connect", "ConnectTimeout") if request.url.scheme == "https" else ("read", "ReadTimeout")
        if told is not None:
            error = self.library.ConnectError(str(told))
        elif _patience(request, phase) is not None:  # which is not waited for, as no silence at the end is
            error = getattr(self.library, timeout)("timed out")
        else:
            error = self.library.RemoteProtocolError(NO_REPLY)
        found: Exception = error
        return found

    def _told(self, error: Exception) -> Any:
        """An error of the connection or the parser as the library raises it."""
        kind = "ReadError" if isinstance(error, OSError) else "RemoteProtocolError"
        return getattr(self.library, kind)(str(error))


def _nothing() -> None:
    pass


def _heard(reply: Reply, exchange: Exchange | None, method: str) -> Heard:
    """What a client makes of a reply; only one that may have met a fault is worth a parser."""
    if reply.complete and (exchange is None or not (exchange.faults or "fault" in exchange.quirks_at)):
        return plain(reply, method)
    return parsed(octets(reply, method), method)


def _patience(request: Any, phase: str = "read") -> float | None:
    """The timeout of a request in seconds, of reading or of another phase."""
    patience: float | None = request.extensions.get("timeout", {}).get(phase)
    return patience
