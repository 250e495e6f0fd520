"""A client that speaks HTTP by hand, so that it can speak it badly."""

import json
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from emulator import EmulatorServer, Handle, catalog
from emulator.operation import Operation

PROVIDERS = list(catalog.load())
T = TypeVar("T")
PATIENCE = 20.0  # seconds until a silent server counts as hanging


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply as it came over the socket. `complete` is False when the connection ended inside it."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool = True

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One TCP connection, with a receive buffer of a given size if need be. A context manager."""

    def __init__(self, url: str, buffer: int | None = None) -> None:
        parts = urlsplit(url)
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE)
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        try:
            self.socket.connect((parts.hostname, parts.port))
        except OSError:
            self.socket.close()
            raise
        self.left = b""
        """What came and was not looked at yet."""

    def send(self, data: bytes) -> "Wire":
        self.socket.sendall(data)
        return self

    def reply(self, *, bodiless: bool = False) -> Reply:
        """The next reply. `bodiless` for those that never have one, such as HEAD's."""
        head = self._until(b"\r\n\r\n").decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        status = int(first.split(" ")[1])
        if bodiless:
            return Reply(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Reply(status, headers, *self._chunks())
        body = self._take(int(headers["content-length"]))
        return Reply(status, headers, body, len(body) == int(headers["content-length"]))

    def rest(self) -> bytes:
        """Everything up to the end of the connection. Raises ConnectionResetError on a reset."""
        while self.more():
            pass
        left, self.left = self.left, b""
        return left

    def stop_sending(self) -> "Wire":
        """Half-close: the server sees the end of the input."""
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def hang_up(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Hang up with RST, as a crashed client does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _chunks(self) -> tuple[bytes, bool]:
        body = b""
        while True:
            try:
                size = int(self._until(b"\r\n"), 16)
            except ConnectionError:
                return body, False
            chunk = self._take(size + 2)
            body += chunk[:size]
            if size == 0 or len(chunk) < size + 2:
                return body, size == 0

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.left:
            if not self.more():
                raise ConnectionError(f"the connection ended after {self.left!r}")
        end = self.left.index(mark) + len(mark)
        found, self.left = self.left[:end], self.left[end:]
        return found

    def _take(self, size: int) -> bytes:
        while len(self.left) < size and self.more():
            pass
        found, self.left = self.left[:size], self.left[size:]
        return found

    def more(self) -> bool:
        """Read once; False at the end of the connection."""
        data = self.socket.recv(65536)
        self.left += data
        return bool(data)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()


class TlsWire(Wire):
    """The same within TLS. What ended the connection is TCP's: a reset is one, whatever a TLS library calls it."""

    def __init__(self, url: str, trust: Path | str, host: str = "localhost", buffer: int | None = None) -> None:
        super().__init__(url, buffer)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = ssl.create_default_context(cafile=trust).wrap_bio(self._in, self._out, server_hostname=host)
        try:
            self._exchange(self._tls.do_handshake)
        except BaseException:
            self.socket.close()
            raise

    def send(self, data: bytes) -> "TlsWire":
        self._exchange(lambda: self._tls.write(data))
        return self

    def more(self) -> bool:
        try:
            data = self._exchange(lambda: self._tls.read(65536))
        except ssl.SSLEOFError:  # TCP ended, and TLS did not
            return False
        self.left += data
        return bool(data)

    def _exchange(self, step: Callable[[], T]) -> T:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self._flush()
                data = self.socket.recv(65536)
                self._in.write(data) if data else self._in.write_eof()
            finally:
                self._flush()

    def _flush(self) -> None:
        if data := self._out.read():
            self.socket.sendall(data)


def request(
    method: str, target: str, headers: dict[str, str] | None = None, body: bytes = b"", version: str = "1.1"
) -> bytes:
    """The bytes of one request; `Host` and `Content-Length` are added."""
    lines = [f"{method} {target} HTTP/{version}", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def operation_of(server: EmulatorServer, provider: str) -> Operation:
    """The provider's completion."""
    operations = server.runtime.providers[provider].base.operations
    return next(o for o in operations.values() if o.reader is not None)


def target_of(server: EmulatorServer, handle: Handle) -> str:
    """The path of the provider's completion, as a client of this tenant calls it."""
    return urlsplit(handle.origin).path + operation_of(server, handle.id).path


def body_of(server: EmulatorServer, handle: Handle, **fields: Any) -> bytes:
    """A completion's body that works, with `fields` added."""
    return json.dumps({**operation_of(server, handle.id).examples.body, **fields}).encode()


def chat(server: EmulatorServer, handle: Handle, *, version: str = "1.1", **fields: Any) -> bytes:
    """A completion request to the handle's provider, ready to send."""
    headers = {**handle.headers, "Content-Type": "application/json"}
    return request("POST", target_of(server, handle), headers, body_of(server, handle, **fields), version)


def with_header(data: bytes, line: str) -> bytes:
    """The request with one more header line."""
    return data.replace(b"\r\n\r\n", f"\r\n{line}\r\n\r\n".encode("latin-1"), 1)


def answered(url: str, data: bytes) -> Reply:
    """The reply to one request on a connection of its own."""
    with Wire(url) as wire:
        return wire.send(data).reply()


def outcomes(server: EmulatorServer, handle: Handle) -> list[dict[str, Any]]:
    """What the journal says became of each reply at the client's end, once it says so of all.

    The server is asked over HTTP each time, so that it gets its turn.
    """
    url = f"{server.url}{urlsplit(handle.origin).path.removesuffix(handle.id)}_emulator/journal"
    trust = True if server.ca_file is None else ssl.create_default_context(cafile=server.ca_file)
    with httpx.Client(verify=trust) as client:
        for _ in range(1000):
            told = [entry["client"] for entry in client.get(url).json()]
            if all(told):
                return told
    raise AssertionError("the journal never told")


def outcome(server: EmulatorServer, handle: Handle) -> dict[str, Any]:
    """What became of the last reply."""
    return outcomes(server, handle)[-1]
