"""The client's end of a connection whose other end is the emulator: raw HTTP without a socket."""

import io
from collections.abc import Iterator
from typing import Any

from emulator.edge import answer
from emulator.exchange import Exchange
from emulator.inprocess import Pacing
from emulator.interception.blocks import Block
from emulator.wire.delivery import Octets, arriving, octets
from emulator.wire.reading import GO_ON, NO_HTTP, MalformedRequest, Request, RequestReader


class Question:
    """One request, read as its bytes come; `answer` has the bytes that come back once it is complete."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._reader = RequestReader()
        self.answer: Iterator[Octets] | None = None
        self._exchange: Exchange | None = None

    def feed(self, data: bytes) -> bytes:
        """Take in what came; gives what is to be said at once, before there is an answer."""
        try:
            self._reader.feed(data)
        except MalformedRequest:
            self.answer = iter([(0.0, NO_HTTP)])
            return b""
        if self._reader.whole:
            self._ask(self._reader.whole.popleft())
        if self._reader.expecting:
            self._reader.expecting = False
            return GO_ON
        return b""

    def _ask(self, request: Request) -> None:
        reply, self._exchange = answer(self._block.runtime, request, tenant=self._block.tenant)
        self.answer = self._whole(arriving(octets(reply, request.method)))

    def _whole(self, parts: Iterator[Octets]) -> Iterator[Octets]:
        try:
            yield from parts
        finally:
            self.end()

    def end(self) -> None:
        """All has come back, or nobody wants the rest."""
        if self._exchange is not None:
            self._exchange.release()


class MemorySocket:
    """As much of a socket as `http.client` uses, for one request."""

    def __init__(self, block: Block) -> None:
        self._question = Question(block)
        self._timeout: float | None = None
        self._read = False

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = timeout

    def sendall(self, data: bytes) -> None:
        self._question.feed(bytes(data))

    def makefile(self, mode: str, *_: Any) -> io.BufferedReader:
        self._read = True
        return io.BufferedReader(_Incoming(self._question, self._question.answer, Pacing(self._timeout)))

    def shutdown(self, how: int) -> None:
        """Nothing: there is nobody at the other end to tell."""

    def close(self) -> None:
        """What was answered can still be read, as with a socket that has a file open on it."""
        if not self._read:
            self._question.end()


class _Incoming(io.RawIOBase):
    """What comes back, in the parts and at the moments in which it is sent.

    Half a request has no answer, ever; that silence is not waited for.
    """

    def __init__(self, question: Question, parts: Iterator[Octets] | None, pacing: Pacing) -> None:
        super().__init__()
        self._question = question
        self._parts = parts
        self._pacing = pacing
        self._left = b""

    def close(self) -> None:
        self._question.end()
        super().close()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._parts is None:
            raise TimeoutError("timed out")
        while not self._left:
            part = next(self._parts, None)
            if part is None:
                return 0
            at, self._left = part
            self._pacing.wait(at)
        taken, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)
