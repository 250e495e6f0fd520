"""Listening sockets that serve: each lets its connections in, with TLS if it has a certificate."""

import asyncio
import socket
import ssl
from collections.abc import Callable

from emulator.wire.sockets import BACKLOG

_HANDSHAKE = 20.0  # seconds a client has for it


class Listener:
    """One port. Until `serve` it only keeps it."""

    def __init__(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        self._socket = sock
        self._tls = tls
        self._server: asyncio.Server | None = None
        self.port = int(sock.getsockname()[1])

    async def serve(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Let connections in on the running loop, each to a new `protocol`."""
        loop = asyncio.get_running_loop()
        patience = None if self._tls is None else _HANDSHAKE
        self._server = await loop.create_server(
            protocol, sock=self._socket.dup(), ssl=self._tls, ssl_handshake_timeout=patience, backlog=BACKLOG
        )

    def close(self) -> None:
        """Let nobody in any more."""
        if self._server is not None:
            self._server.close()
        self._socket.close()

    async def wait_closed(self) -> None:
        """Nothing: whoever closes waits for the connections itself."""
