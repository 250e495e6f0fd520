"""Sessions of requests: its own adapter and urllib3's own connection, on a socket of memory."""

from contextlib import ExitStack
from typing import Any
from unittest.mock import patch as replaced
from urllib.parse import urlsplit

from emulator.interception.blocks import Block, find
from emulator.interception.memory import MemorySocket
from emulator.wire.unconnected import complaint, entrance


def patch(undo: ExitStack, library: Any) -> None:
    """Let the adapter that opens connections ask first whether the emulator answers."""
    adapter, real_send = library.adapters.HTTPAdapter, library.adapters.HTTPAdapter.send

    def send(self: Any, request: Any, *arguments: Any, **named: Any) -> Any:
        block = find(request.url)
        return real_send(self if block is None else redirected(self, block), request, *arguments, **named)

    class Redirected(adapter):  # type: ignore[misc, valid-type]
        """An adapter with one way out, to the emulator; verification and proxies mean nothing on it."""

        def get_connection_with_tls_context(self, request: Any, *_: Any, **__: Any) -> Any:
            return _pool(self.block, request.url)

        def get_connection(self, url: str, *_: Any) -> Any:
            return _pool(self.block, url)

        def cert_verify(self, *_: Any) -> None:
            pass

    def redirected(real: Any, block: Block) -> Any:
        made = Redirected(max_retries=real.max_retries)
        made.block = block
        made.add_headers, made.build_response = real.add_headers, real.build_response
        return made

    undo.enter_context(replaced.object(adapter, "send", send))


def _pool(block: Block, url: str) -> Any:
    """A pool for one request, which urllib3 takes for one to the real host."""
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool

    parts = urlsplit(url)
    base = HTTPSConnectionPool if parts.scheme == "https" else HTTPConnectionPool

    class Connection(base.ConnectionCls):  # type: ignore[misc, name-defined]
        is_connected = False  # a connection serves one request; the next one gets a new socket

        def connect(self) -> None:
            if setting := entrance(block.runtime, self.host, self.port).take():
                raise _unconnected(self, setting.fault)
            self.sock = MemorySocket(block)
            self.is_verified = True

    pool = type(base.__name__, (base,), {"ConnectionCls": Connection})  # its name is part of error texts
    return pool(parts.hostname, parts.port or Connection.default_port)


def _unconnected(connection: Any, fault: str) -> Exception:
    """What urllib3 meets when a connection comes to no request; a silence is not waited for."""
    from urllib3.exceptions import NewConnectionError

    told = complaint(fault, connection.host) or TimeoutError("timed out")
    if isinstance(told, ConnectionRefusedError):
        return NewConnectionError(connection, f"Failed to establish a new connection: {told}")
    return told
