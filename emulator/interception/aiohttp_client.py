"""Sessions of aiohttp: its own protocol, on a transport of memory."""

import asyncio
import ssl
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch as replaced

from emulator.inprocess import Pacing
from emulator.interception.blocks import Block, find
from emulator.interception.memory import Question
from emulator.wire.unconnected import complaint, entrance


def patch(undo: ExitStack, library: Any) -> None:
    """Let the connector that opens connections ask first whether the emulator answers."""
    connector, real_connect = library.TCPConnector, library.TCPConnector.connect

    async def connect(self: Any, request: Any, *arguments: Any, **named: Any) -> Any:
        block = find(str(request.url))
        if block is None:
            return await real_connect(self, request, *arguments, **named)
        if setting := entrance(block.runtime, request.url.host, request.url.port).take():
            await unconnected(request, setting.fault, *arguments, **named)
        loop = asyncio.get_running_loop()
        protocol = library.client_proto.ResponseHandler(loop)
        protocol.connection_made(MemoryTransport(block, protocol, loop))
        protocol.force_close()  # it serves one request, and is never kept for another
        return library.connector.Connection(self, request.connection_key, protocol, loop)

    async def unconnected(request: Any, fault: str, traces: Any, timeout: Any) -> None:
        """A connection that comes to no request: an error, or silence as long as the client is patient."""
        told = complaint(fault, request.url.host)
        if isinstance(told, ssl.SSLCertVerificationError):
            raise library.ClientConnectorCertificateError(request.connection_key, told)
        if told is not None:
            raise library.ClientConnectorError(request.connection_key, told)
        limits = [limit for limit in (timeout.connect, timeout.sock_connect) if limit is not None]
        await asyncio.wait_for(asyncio.Event().wait(), min(limits, default=None))

    undo.enter_context(replaced.object(connector, "connect", connect))


class MemoryTransport(asyncio.Transport):
    """A connection to the emulator within a loop, for one request."""

    def __init__(self, block: Block, protocol: Any, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._question = Question(block)
        self._protocol = protocol
        self._loop = loop
        self._going_on = asyncio.Event()
        self._going_on.set()
        self._sending: asyncio.Task[None] | None = None
        self._closing = False

    def write(self, data: Any) -> None:
        if self._closing:
            return
        if at_once := self._question.feed(bytes(data)):
            self._loop.call_soon(self._protocol.data_received, at_once)
        if self._question.answer is not None and self._sending is None:
            self._sending = self._loop.create_task(self._send())

    async def _send(self) -> None:
        assert self._question.answer is not None
        pacing = Pacing(None)  # the client keeps its timeouts itself
        try:
            for at, data in self._question.answer:
                seconds, _ = pacing.due(at, self._loop.time())
                await asyncio.sleep(seconds)
                await self._going_on.wait()
                if data:
                    self._protocol.data_received(data)
            self._protocol.eof_received()
            self._end(None)
        except ConnectionResetError as error:
            self._end(error)

    def _end(self, error: Exception | None) -> None:
        if not self._closing:
            self._closing = True
            self._question.end()
            self._loop.call_soon(self._protocol.connection_lost, error)

    def close(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
        self._end(None)

    abort = close

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._going_on.clear()

    def resume_reading(self) -> None:
        self._going_on.set()

    def is_reading(self) -> bool:
        return self._going_on.is_set()

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_protocol(self) -> Any:
        return self._protocol

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing: what is written is taken at once."""
