"""The ASGI application: HTTP in, pipeline, HTTP out. The control API is Starlette's."""

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.edge import MOST_BODY, answer, own_reply
from emulator.exchange import Exchange, Frame, Reply, Runtime
from emulator.mechanisms.faults import Fault
from emulator.stages.route import split_tenant
from emulator.wire import breaking, sockets

_CONTROL = "/_emulator"
_TURN = 256  # frames after which others have a turn, also those who know that the client left
_LARGE = 65536  # bytes of a frame after which they have it, too
_PATIENCE = 0.25  # seconds of waiting that need not notice a client that hangs up


class EmulatorApp:
    """Answers as every provider of a runtime, and as the emulator itself under `/_emulator/`."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.mounts: dict[int, str] = {}
        """Port -> the provider that owns it."""

    @cached_property
    def _control(self) -> ASGIApp:
        """Starlette, which most servers never need, is not imported before somebody asks for the control API."""
        from emulator.control import control_app

        return control_app(self.runtime)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._control(scope, receive, send)
            return
        whole = scope["path"].removeprefix(scope.get("root_path", ""))  # another application may have it further down
        tenant, path = split_tenant(whole)
        if path == _CONTROL or path.startswith(_CONTROL + "/"):
            own = {"path": path, "raw_path": path.encode(), "root_path": "", "tenant": tenant}
            await self._control({**scope, **own}, receive, send)
            return
        await self._emulate(whole, scope, receive, send)

    async def _emulate(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            return
        server = scope.get("server") or ("", 0)
        reply, exchange = answer(
            self.runtime,
            method=scope["method"],
            path=path,
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
    """The exchange is over: add to the journal what became of the reply at the client's end."""
    exchange.release()
    if exchange.entry is None or (exchange.entry.client is not None and not sender.hung_up):
        return
    with exchange.runtime.store.lock:
        exchange.entry.client = {"frames_sent": sender.frames, "hung_up": sender.hung_up}
        exchange.tenant.touched.add(("journal", str(exchange.entry.number)))
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
        self.hung_up = False
        self.transport: Any = scope.get("extensions", {}).get(sockets.EXTENSION, {}).get("transport")
        self._watch: asyncio.Task[None] | None = None

    async def send(self, reply: Reply) -> None:
        try:
            if not reply.wait or await self._reach(asyncio.get_running_loop().time() + reply.wait):
                await self._deliver(reply)
        finally:
            if self._watch is not None:
                self._watch.cancel()

    async def _deliver(self, reply: Reply) -> None:
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
            await self._stream(reply, reply.frames, [("content-length", str(length))])
        else:
            await self._stream(reply, reply.frames)

    async def _stream(self, reply: Reply, frames: list[Frame], extra: Sequence[tuple[str, str]] = ()) -> None:
        """Frames at their moments; stops when the client hangs up."""
        await self._start(reply, extra)
        send, clock = self._send, asyncio.get_running_loop().time
        unseen = self.transport.is_closing if self.transport is not None else lambda: True
        began = clock()
        for number, frame in enumerate(frames, 1):
            if (began + frame.at > clock() or unseen()) and not await self._reach(began + frame.at):
                return
            await send({"type": "http.response.body", "body": frame.data, "more_body": True})
            self.frames = number
            if number % _TURN == 0 or len(frame.data) >= _LARGE:
                await asyncio.sleep(0)
        if reply.complete:
            await self._body(b"", more=False)

    async def _reach(self, moment: float) -> bool:
        """Wait for a moment of the loop's clock; False when the client hung up meanwhile."""
        seconds = moment - asyncio.get_running_loop().time()
        if seconds > _PATIENCE or self.transport is None:
            self._watch = self._watch or asyncio.ensure_future(self._closed())
            await asyncio.wait({self._watch}, timeout=max(seconds, 0.0))
        elif seconds > 0:
            await asyncio.sleep(seconds)
        gone = self._watch is not None and self._watch.done()
        self.hung_up = gone or (self.transport is not None and self.transport.is_closing())
        return not self.hung_up

    async def _closed(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _break(self, reply: Reply, fault: Fault) -> None:
        """The reply as a fault leaves it; a server without the extension cannot."""
        if self.transport is None:
            excuse = own_reply(502, f"this server cannot do the fault {fault.name}", "use emulator serve")
            await self._start(excuse)
            await self._body(excuse.body, more=False)
            return
        broken = breaking.broken(reply, fault, self.scope.get("http_version", "1.1"))
        began = asyncio.get_running_loop().time()
        for frame in [*broken.writes, Frame(broken.ends_at, b"")]:
            if not await self._reach(began + frame.at):
                break
            self.transport.write(frame.data)
        if broken.ending == "reset":
            sockets.reset(self.transport)
        else:
            self.transport.close()
        await (self._watch or self._closed())

    async def _start(self, reply: Reply, extra: Sequence[tuple[str, str]] = ()) -> None:
        await self._send(_head(reply, extra))

    async def _body(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


def _head(reply: Reply, extra: Sequence[tuple[str, str]]) -> Message:
    headers = [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in (*reply.headers, *extra)
    ]
    return {"type": "http.response.start", "status": reply.status, "headers": headers}
