"""Listening sockets, and how a connection is reset."""

import socket
import struct
import sys
from typing import Any

BACKLOG = 2048
"""Connections that may wait until they are let in."""


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
    if sys.platform != "win32":  # where it would let several servers have one port
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except (OSError, OverflowError):
        bound.close()
        raise
    bound.setblocking(False)
    return bound


def reset(transport: Any) -> None:
    """End a connection with RST, as a crashed peer does."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
