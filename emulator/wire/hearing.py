"""What a client of httpx's shape hears of a reply where there is no socket: of a faulty one, what its parser says."""

from collections.abc import Iterator

from emulator.exchange import Frame, Reply
from emulator.mechanisms.records import record
from emulator.wire.breaking import raw_headers
from emulator.wire.delivery import Octets, arriving, body_parts, sent_headers

_AT_ONCE = 64 * 1024  # bytes that such a client reads at a time …
_MOST_HEAD = 100 * 1024  # … and how many of a head that has no end yet
NO_REPLY = "Server disconnected without sending a response."
"""What it says of a connection that ends before a head does."""

Head = tuple[int, list[tuple[bytes, bytes]]]
"""A status and headers."""


@record
class Heard:
    """A reply as a client's library tells of it."""

    head: Head | None
    """None: there is an error instead."""
    moments: list[float]
    """When parts of the head come; none: at once."""
    frames: list[Frame]
    """The body, each part in seconds after the head."""
    error: Exception | None = None
    """The parser's, or ConnectionResetError: how it ends."""
    silence: float = 0.0
    """Seconds before the error in which nothing comes."""


def plain(reply: Reply, method: str) -> Heard:
    """A reply without a fault, which no parser needs to look at."""
    frames, _ = body_parts(reply, method)
    return Heard((reply.status, raw_headers(sent_headers(reply))), [reply.wait] if reply.wait else [], frames)


def parsed(octets: Iterator[Octets], method: str) -> Heard:
    """Any reply, from the bytes in which it goes over a connection."""
    import h11  # httpx's own; most never meet a fault

    ear, at, last, error = _Ear(method), 0.0, 0.0, None
    try:
        for at, data in arriving(octets):
            for start in range(0, len(data), _AT_ONCE):
                ear.read(at, data[start : start + _AT_ONCE])
                last = at
        ear.end(at)
    except (h11.RemoteProtocolError, ConnectionResetError) as found:
        error = found.with_traceback(None)
    return Heard(ear.head, ear.moments, ear.frames, error, at - last)


class _Ear:
    """A client's parser whose request is sent, and what it has made of the bytes so far."""

    def __init__(self, method: str) -> None:
        import h11

        self.head: Head | None = None
        self.moments: list[float] = []
        self.frames: list[Frame] = []
        self._kinds = h11
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEAD)
        self._parser.send(h11.Request(method="HEAD" if method == "HEAD" else "GET", target="/", headers=[("host", "")]))
        self._parser.send(h11.EndOfMessage())

    def read(self, at: float, data: bytes) -> None:
        """Take in what comes at a moment; nothing is the connection's end. Raises h11.RemoteProtocolError."""
        if self.head is None:
            self.moments.append(at)
        self._parser.receive_data(data)
        while self._listens and (event := self._parser.next_event()) is not self._kinds.NEED_DATA:
            if isinstance(event, self._kinds.Response):
                self.head = event.status_code, event.headers.raw_items()
            elif isinstance(event, self._kinds.Data):
                self.frames.append(Frame(at - self.moments[-1], bytes(event.data)))

    def end(self, at: float) -> None:
        """The connection ends. Raises h11.RemoteProtocolError where that is too early."""
        if self.head is None:
            raise self._kinds.RemoteProtocolError(NO_REPLY)
        self.read(at, b"")

    @property
    def _listens(self) -> bool:
        """Whether the reply has not come to its end."""
        return self._parser.their_state in (self._kinds.SEND_RESPONSE, self._kinds.SEND_BODY)
