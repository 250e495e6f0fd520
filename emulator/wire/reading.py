"""HTTP/1.1 requests, read as their bytes come."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from urllib.parse import unquote

import httptools

from emulator.mechanisms.journal import SHORT, LongHead

MOST_BODY = 64 * 1024 * 1024
"""Bytes of a body that are read; of a longer one, the length is."""
_MOST_TARGET = 65535  # bytes of an address
_MOST_SHARED = 100  # characters of a header's name that all who use it share
_MOST_OTHER = 8 * 1024 * 1024  # bytes of a request without one of its body among them

GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
"""What a client hears that expects a sign before it sends a body."""
NO_HTTP = b"HTTP/1.1 400 Bad Request\r\nx-emulator-notice: not HTTP\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
"""What one hears that sends what cannot be read."""


class MalformedRequest(ValueError):
    """What came is no HTTP."""


@dataclass(slots=True)
class Request:
    """One request, whole."""

    method: str
    path: str
    """Decoded."""
    query: str
    """As it came."""
    headers: dict[str, str]
    """Lower-case names; of a repeated header, the first."""
    body: bytes
    version: str = "1.1"
    keep_alive: bool = True
    """Whether the client may send another one on the same connection."""


class RequestReader:
    """Finds the requests in the bytes of one connection, and keeps them until they are taken."""

    def __init__(self) -> None:
        self.whole: deque[Request] = deque()
        self.within = False
        """Whether a request has begun and not ended."""
        self.expecting = False
        """Whether its client waits for a sign before it sends the body."""
        self._fed = 0
        """Bytes of what came last."""
        self._parser = httptools.HttpRequestParser(self)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)  # it may come, and is nobody's

    def feed(self, data: bytes) -> None:
        """Take in what came. Raises MalformedRequest; requests before that stay whole."""
        self._fed = len(data)
        try:
            self._feed(data)
        except httptools.HttpParserError as error:
            raise MalformedRequest(str(error)) from error
        if self.within:
            self._other += len(data)
            if self._other > _MOST_OTHER:
                raise MalformedRequest("a head, a chunk's extension or trailers without end")

    def _feed(self, data: bytes | memoryview) -> None:
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                if self.whole[-1].method == "CONNECT":
                    return
                self._parser.feed_data(self._without_offer(self.whole.pop()))
                data = memoryview(data)[offer.args[0] :]
            else:
                return

    def _without_offer(self, request: Request) -> bytes:
        """Its head as if it made no offer to speak another protocol (Java's client does): the parser drops the body."""
        lines = [f"{name}: {value}\r\n" for name, value in request.headers.items() if name != "upgrade"]
        first = b"%b %b HTTP/%b\r\n" % (request.method.encode(), self._url, request.version.encode())
        return first + "".join([*lines, "\r\n"]).encode("latin-1")

    def on_message_begin(self) -> None:
        self.within = True
        self._other = 0
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > _MOST_TARGET:
            raise MalformedRequest("the address is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.setdefault(_name(name), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        self._head, self._headers = self._headers, {}  # what comes behind the body are trailers, which nobody reads
        if self._other + self._fed > SHORT:
            self._measure()
        if "expect" in self._head:
            self.expecting = self._head["expect"].lower() == "100-continue" and self._parser.get_http_version() != "1.0"

    def _measure(self) -> None:
        """Tell whether it is the head that is long, or the body behind it."""
        if sum(len(name) + len(value) for name, value in self._head.items()) > SHORT:
            self._head = LongHead(self._head)
            _name.cache_clear()  # of names that are as long as that

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        self._other = 0
        if self._size <= MOST_BODY:
            self._body.append(body)

    def on_message_complete(self) -> None:
        self.within = self.expecting = False
        path, query = _target(self._url)
        version = self._parser.get_http_version()
        self.whole.append(
            Request(
                self._parser.get_method().decode("ascii"),
                path,
                query,
                self._head,
                b"".join(self._body) if self._size <= MOST_BODY else bytes(MOST_BODY + 1),
                version,
                version != "1.0" and self._parser.should_keep_alive(),
            )
        )


def by_name(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by their names in lower case; of a repeated one the first."""
    found: dict[str, str] = {}
    for name, value in headers:
        found.setdefault(intern(name.lower()), value)
    return found


def by_raw_name(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The same of headers as they come over a connection."""
    found: dict[str, str] = {}
    for name, value in headers:
        found.setdefault(_name(name), value.decode("latin-1"))
    return found


@lru_cache(1024)  # there are few, and the journal keeps them a thousand times
def _name(written: bytes) -> str:
    name = written.lower().decode("latin-1")
    return intern(name) if len(name) <= _MOST_SHARED else name  # what is interned, Python 3.12 keeps for ever


@lru_cache(1024)
def _target(url: bytes) -> tuple[str, str]:
    """The path, decoded, and the query of a request's target, which may be a whole address."""
    if url[:1] == b"/" and b"#" not in url:
        path, _, query = url.partition(b"?")
    else:
        parsed = httptools.parse_url(url)
        path, query = parsed.path or b"/", parsed.query or b""
    found = path.decode("ascii")
    return unquote(found) if "%" in found else found, query.decode("latin-1")
