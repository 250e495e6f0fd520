"""The last line of defence: no socket of the process leaves the machine, whichever library opens it."""

import socket
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch as replaced

from emulator.interception.blocks import BlockedConnection, current, is_local


def patch(undo: ExitStack) -> None:
    """Let `socket` ask first: `create_connection`, asyncio and most libraries connect through it."""
    for name, changed in _sockets().items():
        if hasattr(socket.socket, name):  # not every system has each
            undo.enter_context(replaced.object(socket.socket, name, changed))
    for name, changed in _lookups().items():
        undo.enter_context(replaced.object(socket, name, changed))


def _sockets() -> dict[str, Any]:
    """The methods with which a socket reaches an address."""
    real = socket.socket
    real_connect, real_connect_ex, real_sendto = real.connect, real.connect_ex, real.sendto
    real_sendmsg: Any = getattr(real, "sendmsg", None)

    def connect(self: socket.socket, address: Any) -> None:
        _check_address(self, address)
        real_connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        _check_address(self, address)
        return real_connect_ex(self, address)

    def sendto(self: socket.socket, data: Any, *flags_and_address: Any) -> int:
        if flags_and_address:
            _check_address(self, flags_and_address[-1])
        return real_sendto(self, data, *flags_and_address)

    def sendmsg(self: socket.socket, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None) -> int:
        if address is not None:
            _check_address(self, address)
        sent: int = real_sendmsg(self, buffers, ancdata, flags, address)
        return sent

    return {"connect": connect, "connect_ex": connect_ex, "sendto": sendto, "sendmsg": sendmsg}


def _lookups() -> dict[str, Any]:
    """The functions that ask for names and addresses."""
    real_addresses, real_names = socket.getaddrinfo, socket.getnameinfo

    def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:  # noqa: A002
        if not flags & socket.AI_PASSIVE:  # that is for listening
            _check(host, port)
        return real_addresses(host, port, family, type, proto, flags)

    def getnameinfo(address: Any, flags: int) -> tuple[str, str]:
        if not flags & socket.NI_NUMERICHOST:  # that asks nobody
            _check(*address[:2])
        return real_names(address, flags)

    def asking(real: Any) -> Any:
        def look_up(host: Any) -> Any:
            if host != socket.gethostname():  # servers of the standard library ask for their own
                _check(host)
            return real(host)

        return look_up

    by_name = {name: asking(getattr(socket, name)) for name in ("gethostbyname", "gethostbyname_ex", "gethostbyaddr")}
    return {"getaddrinfo": getaddrinfo, "getnameinfo": getnameinfo, **by_name}


def _check_address(sock: socket.socket, address: Any) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple):
        _check(*address[:2])


def _check(host: Any, port: Any = None) -> None:
    """Raises BlockedConnection for a host that is not of this machine."""
    block = current()
    name = host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else str(host or "")
    if block is not None and block.only and not is_local(name.lower()):
        asked = f"a lookup of {name}" if port is None else f"a connection to {name}:{port}"
        raise BlockedConnection(
            f"intercept(only=True) refuses {asked}: only loopback addresses are open to sockets "
            "(the providers' addresses are answered for httpx, httpx2, requests and aiohttp)"
        )
