"""Listening sockets, and the little HTTP server protocol that lets faults act below ASGI."""

import re
import socket
import struct
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "emulator.wire"
BACKLOG = 2048
"""Connections that may wait until they are let in."""
_UPGRADE = re.compile(rb"\r\nUpgrade:[^\r]*(?=\r\n)", re.IGNORECASE)


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises OSError when the port is taken."""
    listener = bind(host, port)
    listener.listen(BACKLOG)
    return listener


def bind(host: str, port: int) -> socket.socket:
    """A TCP socket that has the port, and refuses connections until it listens. Raises OSError when it is taken.

    It is made with IPPROTO_TCP: only then does the event loop turn Nagle's algorithm off, and without
    that every reply takes 40 ms longer.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError):
        bound.close()
        raise
    bound.setblocking(False)
    return bound


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 that hands its transport to the application, and has no page of its own for broken requests."""

    _in_message = False
    _pipelined: tuple[Any, ...] = ()
    """Cycles whose replies were not complete when the next request came."""

    def data_received(self, data: bytes) -> None:
        """Take no offer to speak another protocol (Java's client makes one): the parser would drop the body."""
        if not self._in_message:
            head, end, rest = data.partition(b"\r\n\r\n")
            if b"upgrade" in head.lower():
                data = _UPGRADE.sub(b"", head + end, count=1) + rest if end else data
        super().data_received(data)

    def on_message_complete(self) -> None:
        self._in_message = False
        super().on_message_complete()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_message = True
        self.scope["extensions"] = {EXTENSION: {"transport": self.transport}}

    def on_headers_complete(self) -> None:
        before = self.cycle
        super().on_headers_complete()
        if before is not None and not before.response_complete:
            self._pipelined = (*(cycle for cycle in self._pipelined if not cycle.response_complete), before)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell every request of it, and not the last one alone: they would wait for ever."""
        for cycle in self._pipelined:
            cycle.disconnected = not cycle.response_complete
            cycle.message_event.set()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\nx-emulator-notice: not HTTP\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
        self.transport.close()


def reset(transport: Any) -> None:
    """End a connection with RST, as a crashed peer does."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
