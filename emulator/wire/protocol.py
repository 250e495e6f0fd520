"""The server's end of a connection: requests are answered in turn, and replies leave as their frames are due."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from emulator.exchange import Exchange, Reply
from emulator.wire import sockets
from emulator.wire.breaking import whole_in_the_end
from emulator.wire.delivery import octets, whole
from emulator.wire.own import failure
from emulator.wire.reading import GO_ON, NO_HTTP, MalformedRequest, Request, RequestReader

Answer = tuple[Reply, Exchange | None]
Answers = Callable[[Request, int], Answer | Coroutine[Any, Any, Answer]]
"""A request and the port it came to -> what is answered, at once or later. Raises nothing."""
_KEEP_ALIVE = 75.0  # seconds that a connection may be idle
_LINGER = 2.0  # seconds in which a client that is refused may end what it says …
_MOST_DROPPED = 4 * 1024 * 1024  # … and how many bytes of it
_SOON = 0.0005  # seconds that are not waited for: the loop's timers count in milliseconds
_TURN = 256  # writes after which others have a turn
_LARGE = 256  # bytes that count as another write


class Protocol(asyncio.Protocol):
    """One connection; `connections` and `tasks` are those that its server looks after."""

    def __init__(
        self,
        answers: Answers,
        connections: set[Any],
        tasks: set["asyncio.Task[None]"],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._answers = answers
        self._connections = connections
        self._tasks = tasks
        self.loop = loop
        self.transport: Any = None
        self.port = 0
        self.writable = True
        """Whether the client reads what is written."""
        self._reader = RequestReader()
        self._busy = False
        """Whether a request is being answered."""
        self._last = False
        """Whether the connection ends with the request it is at."""
        self._crowded = False
        """Whether requests wait for their turn."""
        self._refused = False
        """Whether nothing that comes is read any more."""
        self._dropped = 0
        self._delivery: _Delivery | None = None
        self._idle_since = 0.0
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = (transport.get_extra_info("sockname") or ("", 0))[1]  # of one that is gone already, none
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._last = True
        if self._watch is not None:
            self._watch.cancel()
        if self._delivery is not None:
            self._delivery.hang_up()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            self._drop(data)
            return
        try:
            self._reader.feed(data)
        except MalformedRequest:
            self._reader.expecting = False
            self._go_on()
            self._refuse()
            return
        self._go_on()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        if self._delivery is not None:
            self._delivery.go_on()

    def shutdown(self) -> None:
        """End it with the request it is at."""
        self._last = True
        if not self._busy:
            self.transport.close()

    def sent(self, *, closes: bool = False) -> None:
        """A reply is on its way, as far as it goes: the next request's turn, unless this was the last."""
        self._delivery = None
        self._busy = False
        if closes or self._last:
            self.shutdown()
            return
        self._idle_since = self.loop.time()
        if self._watch is None:
            self._watch = self.loop.call_later(_KEEP_ALIVE, self._end_idle)
        if self._reader.whole or self._reader.expecting:
            self.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        """Answer the requests that wait, each when the one before it is; meanwhile no more of them are read.

        So it is with a client that waits for a sign: it takes what it hears for its own request's.
        """
        waiting = self._reader.whole
        while waiting and not self._busy and not self._last:
            self._busy = True
            request = waiting.popleft()
            self._last = not request.keep_alive
            answer = self._answers(request, self.port)
            if isinstance(answer, tuple):
                self._send(request, *answer)
            else:
                task = self.loop.create_task(self._send_later(request, answer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        if self._reader.expecting and not self._busy and not self._last:
            self._reader.expecting = False
            self.transport.write(GO_ON)
        if self._crowded != bool(waiting):
            self._crowded = bool(waiting)
            (self.transport.pause_reading if waiting else self.transport.resume_reading)()

    async def _send_later(self, request: Request, answer: Coroutine[Any, Any, Answer]) -> None:
        reply, exchange = await answer
        if not self.transport.is_closing():  # nothing can be written to one that is closed
            self._send(request, reply, exchange)

    def _send(self, request: Request, reply: Reply, exchange: Exchange | None) -> None:
        try:
            data = whole(reply, request.method, request.version, closes=self._last) if self.writable else None
            late = _Delivery(self, request, reply, exchange, closes=self._last) if data is None else None
        except Exception:
            if exchange is not None:
                exchange.sent()
            self._send(request, failure(f"{request.method} {request.path}"), None)
            return
        if late is None:
            self.transport.write(data)
            if exchange is not None:
                exchange.sent(len(reply.frames or ()))
            self.sent()
        else:
            self._delivery = late
            late.go_on()

    def _refuse(self) -> None:
        """What came is not HTTP: say so, unless a reply is on its way."""
        if self._busy or self._last:
            self.shutdown()
            return
        self._refused = self._last = True
        self.transport.write(NO_HTTP)
        if not self.transport.can_write_eof():  # TLS
            self.transport.close()
            return
        self.transport.write_eof()
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self.loop.call_later(_LINGER, self.transport.close)

    def _drop(self, data: bytes) -> None:
        """Let a refused client end what it says: to close meanwhile would reset what it has not read of the refusal."""
        self._dropped += len(data)
        if self._dropped > _MOST_DROPPED:
            self.transport.close()

    def _end_idle(self) -> None:
        self._watch = None
        left = _KEEP_ALIVE
        if not self._busy and not self._reader.within:
            left += self._idle_since - self.loop.time()
        if left > 0.001:
            self._watch = self.loop.call_later(left, self._end_idle)
        else:
            self.shutdown()


class _Delivery:
    """A reply that takes its time: each frame at its moment, and no faster than the client reads."""

    def __init__(
        self, connection: Protocol, request: Request, reply: Reply, exchange: Exchange | None, *, closes: bool
    ) -> None:
        self._connection = connection
        self._reply = reply
        self._exchange = exchange
        self._octets = octets(reply, request.method, request.version, closes=closes)
        self._waiting = b""
        self._timer: asyncio.Handle | None = None
        self._written = 0
        self._began = connection.loop.time()

    def go_on(self) -> None:
        """Write what is due, and come back when more is."""
        if self._timer is None and self._connection.writable:
            self._write_due()

    def hang_up(self) -> None:
        """The client is gone."""
        if self._timer is not None:
            self._timer.cancel()
        self._connection.sent()
        if self._exchange is not None:
            self._exchange.sent(self._frames_sent(), hung_up=True)

    def _write_due(self) -> None:
        connection, loop, began = self._connection, self._connection.loop, self._began - _SOON
        write, now, turn = connection.transport.write, loop.time(), _TURN
        try:
            for at, data in self._octets:
                if began + at > now and began + at > (now := loop.time()):
                    self._waiting = data
                    self._timer = loop.call_at(self._began + at, self._due)
                    return
                if data:
                    write(data)
                    self._written += 1
                turn -= 1 + len(data) // _LARGE
                if not connection.writable:
                    return
                if turn <= 0:
                    self._timer = loop.call_soon(self._due)
                    return
        except ConnectionResetError:
            sockets.reset(connection.transport)
        self._end()

    def _due(self) -> None:
        """The moment has come that was waited for."""
        self._timer = None
        if self._waiting:
            self._connection.transport.write(self._waiting)
            self._written += 1
            self._waiting = b""
        self.go_on()

    def _end(self) -> None:
        if self._exchange is not None:
            self._exchange.sent(self._frames_sent())
        self._connection.sent(closes=not whole_in_the_end(self._reply))

    def _frames_sent(self) -> int:
        """How many frames of the reply are written: the head and the end are none."""
        if self._reply.frames is None or self._reply.breakage is not None:
            return 0
        return max(min(self._written - 1, len(self._reply.frames)), 0)
