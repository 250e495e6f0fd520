"""Listening sockets that serve: each lets its connections in, with TLS if it can, and as its faults want it."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from emulator.mechanisms.entrances import Entrance, Setting
from emulator.wire.protocol import Protocol
from emulator.wire.sockets import BACKLOG, bind, listen

Contexts = Callable[[str | None], ssl.SSLContext]
"""A server's half of TLS: as it should be for None, or as a fault has it."""
_HANDSHAKE = 20.0  # seconds a client has for it
_MOST_HELD = 1000  # hanging connections; their clients may be long gone, which nobody notices who does not read
_NO_DESCRIPTORS = 1.0  # seconds until a process that had no more of them looks again


class Listener(Entrance):
    """One port. Connections are let in by the event loop itself until a fault is set, and one by one from then on."""

    def __init__(self, host: str, port: int, provider: str | None = None, contexts: Contexts | None = None) -> None:
        """Raises OSError for an address that cannot be had."""
        self._socket = listen(host, port)
        super().__init__(int(self._socket.getsockname()[1]), provider, tls=contexts is not None)
        self._host = host
        self._contexts = contexts
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None
        self._held: list[Any] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, protocol: Callable[[], Protocol], connections: set[Any]) -> None:
        """Let connections in on the running loop, each to a new `protocol`, which adds itself to `connections`."""
        self._loop = asyncio.get_running_loop()
        self._protocol, self._connections = protocol, connections
        if self.fault is not None:
            self._follow()
            return
        context, patience = (self._contexts(None), _HANDSHAKE) if self._contexts else (None, None)
        self._server = await self._loop.create_server(
            protocol, sock=self._socket.dup(), backlog=BACKLOG, ssl=context, ssl_handshake_timeout=patience
        )

    def lift(self, setting: Setting | None = None) -> None:
        self._on_loop(self._accept_all)  # who came before meets it
        super().lift(setting)
        self._on_loop(self._release)

    def changed(self) -> None:
        self._on_loop(self._follow)

    def close(self) -> None:
        """Let nobody in any more, on the loop or when it is over."""
        self._stop_accepting()
        with self._lock:
            self._loop = None
        self.lift()
        self._release()
        self._socket.close()

    async def wait_closed(self) -> None:
        """Nothing: whoever closes waits for the connections itself."""

    def _on_loop(self, act: Callable[[], None]) -> None:
        """Act in the loop's thread, and return when it is done; nothing while there is no loop, or no longer one."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is not None and running is self._loop:
            act()
            return

        async def acting() -> None:
            if self._loop is not None:  # else the port was closed before it came to this
                act()
            await asyncio.sleep(0)  # what was closed is so when the loop has come to it

        with self._lock:  # a loop that is told before the port is closed still comes to it
            if self._loop is None:
                return
            acted = asyncio.run_coroutine_threadsafe(acting(), self._loop)
        with contextlib.suppress(CancelledError):  # with all that the loop leaves at its end
            acted.result()

    def _follow(self) -> None:
        """Let the socket be as the fault in force wants it.

        Connections that are idle end, any other with the reply it is at: clients keep theirs, and would notice nothing.
        """
        self._stop_accepting()
        if self.fault == "refuse":
            self._shut()
        else:
            self._socket.listen(BACKLOG)
            self._accept_by_hand()
        if self.fault is not None:
            for connection in list(self._connections):
                if connection.port == self.port:
                    connection.shutdown()

    def _stop_accepting(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._loop is not None and self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)

    def _shut(self) -> None:
        """Really close the socket, and keep the port: a socket that is bound and does not listen refuses."""
        self._socket.close()
        self._socket = bind(self._host, self.port)

    def _accept_by_hand(self) -> None:
        if self._loop is not None:
            self._loop.add_reader(self._socket, self._accept)

    def _accept_all(self) -> None:
        while self.fault not in (None, "refuse") and self._accept():
            pass

    def _accept(self) -> bool:
        """Let in one of those who wait, if any does."""
        assert self._loop is not None
        try:
            connection, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError:
            self._loop.remove_reader(self._socket)
            self._loop.call_later(_NO_DESCRIPTORS, self._follow)
            return False
        connection.setblocking(False)
        met = self.take()
        if met is not None and met.fault == "accept_and_hang":
            self._hold(connection, met)
            return True
        task = self._loop.create_task(self._let_in(self._loop, connection, met))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _let_in(self, loop: asyncio.AbstractEventLoop, connection: socket.socket, met: Setting | None) -> None:
        if met is not None and met.fault == "tls_stall":  # a plain `asyncio.Protocol` reads, and says nothing
            transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, connection)
            self._hold(transport, met)
            return
        context = self._contexts(None if met is None else met.fault) if self._contexts else None
        with contextlib.suppress(OSError):  # a client that does not believe it
            await loop.connect_accepted_socket(self._protocol, connection, ssl=context)

    def _hold(self, hanging: Any, met: Setting) -> None:
        if met.lifted:
            hanging.close()
            return
        self._held.append(hanging)
        if len(self._held) > _MOST_HELD:
            self._held.pop(0).close()

    def _release(self) -> None:
        while self._held:
            self._held.pop().close()
