"""The ASGI application: HTTP in, pipeline, HTTP out. The control API is its only Starlette route."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from emulator import control
from emulator.edge import MOST_BODY, answer, own_reply
from emulator.exchange import Exchange, Frame, Reply, Runtime
from emulator.mechanisms.faults import Fault
from emulator.stages.route import split_tenant
from emulator.wire import breaking, sockets

_TURN = 256  # frames after which others have a turn, also those who know that the client left
_PATIENCE = 0.25  # seconds of waiting that need not notice a client that hangs up


class EmulatorApp(Starlette):
    """Answers as every provider of a runtime, and as the emulator itself under `/_emulator/`."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(routes=control.routes(runtime))
        self.runtime = runtime
        self.mounts: dict[int, str] = {}
        """Port -> the provider that owns it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        tenant, path = split_tenant(scope["path"])
        if path == control.PREFIX or path.startswith(control.PREFIX + "/"):
            await super().__call__({**scope, "path": path, "raw_path": path.encode(), "tenant": tenant}, receive, send)
            return
        await self._emulate(scope, receive, send)

    async def _emulate(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            return
        server = scope.get("server") or ("", 0)
        reply, exchange = answer(
            self.runtime,
            method=scope["method"],
            path=scope["path"],
            query=scope.get("query_string", b"").decode("latin-1"),
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
            body=body,
            mount=self.mounts.get(server[1]),
        )
        sender = _Sender(scope, receive, send)
        try:
            await sender.send(reply)
        finally:
            if exchange is not None:
                _remember(exchange, sender)


def _remember(exchange: Exchange, sender: "_Sender") -> None:
    """Add to the journal what became of the reply at the client's end."""
    if exchange.entry is None:
        return
    with exchange.runtime.store.lock:
        exchange.entry["client"] = {"frames_sent": sender.frames, "hung_up": sender.hung_up}
        exchange.tenant.touched.add(("journal", str(exchange.entry["number"])))
        exchange.runtime.store.commit(exchange.tenant)


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or None when the client hung up. What is past the limit is read and thrown away."""
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MOST_BODY + 1:
            chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks) if size <= MOST_BODY else bytes(MOST_BODY + 1)


class _Sender:
    """Sends one reply and knows how far it came."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self._send = send
        self.frames = 0
        self.gone = asyncio.Event()
        self.transport: Any = scope.get("extensions", {}).get(sockets.EXTENSION, {}).get("transport")

    @property
    def hung_up(self) -> bool:
        return self.gone.is_set()

    async def send(self, reply: Reply) -> None:
        if reply.breakage is not None:
            await self._break(reply, reply.breakage)
        elif reply.exact_head and self.transport is not None:
            self.transport.write(breaking.raw_reply(reply))
            self.transport.close()
            await self._closed()
        elif reply.frames is None:
            await self._start(reply)
            await self._body(reply.body, more=False)
        elif self.scope.get("http_version") == "1.0" and not reply.has("content-length"):  # chunks came with HTTP/1.1
            missing = 0 if reply.complete else 1  # so that the client can tell that it was cut
            length = sum(len(frame.data) for frame in reply.frames) + missing
            await self._stream(reply, [("content-length", str(length))])
        else:
            await self._stream(reply)

    async def _stream(self, reply: Reply, extra: list[tuple[str, str]] | None = None) -> None:
        """Frames at their moments; stops when the client hangs up."""
        await self._start(reply, extra)
        async for frame in self._due(reply.frames or []):
            await self._body(frame.data, more=True)
            self.frames += 1
        if reply.complete and not self.hung_up:
            await self._body(b"", more=False)

    async def _due(self, frames: Sequence[Frame]) -> AsyncIterator[Frame]:
        """Each frame at its moment, counted from the first; none after the client hung up."""
        watch = asyncio.ensure_future(self._watch())
        try:
            clock = asyncio.get_running_loop().time
            began = clock()
            for number, frame in enumerate(frames, 1):
                await self._pause(began + frame.at - clock())
                if number % _TURN == 0:
                    await asyncio.sleep(0)
                if self.transport is not None and self.transport.is_closing():
                    self.gone.set()  # an unpaced stream leaves `_watch` no turn
                if self.hung_up:
                    return
                yield frame
        finally:
            watch.cancel()

    async def _closed(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _watch(self) -> None:
        await self._closed()
        self.gone.set()

    async def _pause(self, seconds: float) -> None:
        if seconds > _PATIENCE:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.gone.wait(), seconds)
        elif seconds > 0:
            await asyncio.sleep(seconds)

    async def _break(self, reply: Reply, fault: Fault) -> None:
        """The reply as a fault leaves it; a server without the extension cannot."""
        if self.transport is None:
            excuse = own_reply(502, f"this server cannot do the fault {fault.name}", "use emulator serve")
            await self._start(excuse)
            await self._body(excuse.body, more=False)
            return
        broken = breaking.broken(reply, fault, self.scope.get("http_version", "1.1"))
        async for frame in self._due([*broken.writes, Frame(broken.ends_at, b"")]):
            self.transport.write(frame.data)
        if broken.ending == "reset":
            sockets.reset(self.transport)
        else:
            self.transport.close()
        await self._closed()

    async def _start(self, reply: Reply, extra: list[tuple[str, str]] | None = None) -> None:
        await self._send(_head(reply, extra))

    async def _body(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


def _head(reply: Reply, extra: list[tuple[str, str]] | None = None) -> Message:
    headers = [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in [*reply.headers, *(extra or [])]
    ]
    return {"type": "http.response.start", "status": reply.status, "headers": headers}
