"""The last line of defence: no socket of the process leaves the machine, whichever library opens it."""

import socket
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch as replaced

from emulator.interception.blocks import BlockedConnection, current, is_local


def patch(undo: ExitStack) -> None:
    """Let `socket` ask first: `create_connection`, asyncio and most libraries connect through it."""
    real_connect, real_connect_ex = socket.socket.connect, socket.socket.connect_ex
    real_lookup = socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        _check_address(self, address)
        real_connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        _check_address(self, address)
        return real_connect_ex(self, address)

    def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:  # noqa: A002
        if not flags & socket.AI_PASSIVE:  # that is for listening
            _check(host, port)
        return real_lookup(host, port, family, type, proto, flags)

    undo.enter_context(replaced.object(socket.socket, "connect", connect))
    undo.enter_context(replaced.object(socket.socket, "connect_ex", connect_ex))
    undo.enter_context(replaced.object(socket, "getaddrinfo", getaddrinfo))


def _check_address(sock: socket.socket, address: Any) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        _check(*address[:2])


def _check(host: Any, port: Any) -> None:
    """Raises BlockedConnection for a host that is not of this machine."""
    block = current()
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host or ""
    if block is not None and block.only and not is_local(name.lower()):
        raise BlockedConnection(
            f"intercept(only=True) refuses a connection to {name}:{port}: only loopback addresses are open to sockets "
            "(the providers' addresses are answered for httpx, httpx2, requests and aiohttp)"
        )
