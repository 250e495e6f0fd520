"""Who answers a request: a provider through the pipeline, or the emulator itself under `/_emulator/`; and ASGI."""

import asyncio
from collections.abc import Coroutine
from functools import cached_property
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator.edge import answer
from emulator.exchange import Reply, Runtime
from emulator.mechanisms.tenants import split_tenant
from emulator.wire.breaking import raw_headers
from emulator.wire.own import failure, own_reply
from emulator.wire.protocol import Answer
from emulator.wire.reading import MOST_BODY, Request, by_raw_name

_CONTROL = "/_emulator"
_TURN = 256  # frames after which others have a turn, also those who know that the client left
_LARGE = 65536  # bytes of a frame after which they have it, too


class EmulatorApp:
    """Answers as every provider of a runtime, and as the emulator itself under `/_emulator/`.

    Our own server asks `respond`; any other server finds an ASGI application.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.mounts: dict[int, str] = {}
        """Port -> the provider that owns it."""

    @cached_property
    def _control(self) -> ASGIApp:
        """Starlette, which most servers never need, is not imported before somebody asks for the control API."""
        from emulator.control import control_app

        return control_app(self.runtime)

    def respond(self, request: Request, port: int) -> Answer | Coroutine[Any, Any, Answer]:
        """The answer to a request that came to a port; of the control API it comes later. Raises nothing."""
        if _CONTROL in request.path and (own := _own_address(request.path)) is not None:
            return self._control_reply(request, *own)
        return answer(self.runtime, request, self.mounts.get(port))

    async def _control_reply(self, request: Request, tenant: str | None, path: str) -> Answer:
        """What the control API says, taken from its ASGI messages."""
        reply, incoming = Reply(), [{"type": "http.request", "body": request.body, "more_body": False}]

        async def receive() -> Message:
            return incoming.pop() if incoming else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in message["headers"]]
            else:
                reply.body += message.get("body", b"")

        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
        scope = {"type": "http", "method": request.method, "query_string": request.query.encode("latin-1")}
        try:
            await self._control({**scope, **_own_scope(tenant, path), "headers": headers}, receive, send)
        except Exception:
            return failure(f"{request.method} {request.path}"), None
        return reply, None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._control(scope, receive, send)
            return
        whole = scope["path"].removeprefix(scope.get("root_path", ""))  # another application may have it further down
        if (own := _own_address(whole)) is not None:
            await self._control({**scope, **_own_scope(*own)}, receive, send)
        else:
            await self._emulate(whole, scope, receive, send)

    async def _emulate(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            return
        server = scope.get("server") or ("", 0)
        query = scope.get("query_string", b"").decode("latin-1")
        request = Request(scope["method"], path, query, by_raw_name(scope["headers"]), body)
        reply, exchange = answer(self.runtime, request, self.mounts.get(server[1]))
        sender = _Sender(scope, receive, send)
        try:
            await sender.send(reply)
        finally:
            if exchange is not None:
                exchange.sent(sender.frames, hung_up=sender.hung_up)


def _own_address(path: str) -> tuple[str | None, str] | None:
    """The tenant and the path below it, if it is the control API's."""
    tenant, below = split_tenant(path)
    return (tenant, below) if below == _CONTROL or below.startswith(_CONTROL + "/") else None


def _own_scope(tenant: str | None, path: str) -> dict[str, Any]:
    return {"path": path, "raw_path": path.encode(), "root_path": "", "tenant": tenant}


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
    """Sends one reply over ASGI and knows how far it came. What is wrong below HTTP, ASGI has no message for."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._watch: asyncio.Task[None] | None = None
        self.frames = 0
        self.hung_up = False

    async def send(self, reply: Reply) -> None:
        if reply.breakage is not None:
            reply = own_reply(502, f"this server cannot do the fault {reply.breakage.name}", "use emulator serve")
        try:
            if not reply.wait or await self._reach(asyncio.get_running_loop().time() + reply.wait):
                await self._deliver(reply)
        finally:
            if self._watch is not None:
                self._watch.cancel()

    async def _deliver(self, reply: Reply) -> None:
        await self._send(_head(reply))
        if reply.frames is None:
            await self._body(reply.body, more=False)
            return
        began = asyncio.get_running_loop().time()
        for number, frame in enumerate(reply.frames, 1):
            if not await self._reach(began + frame.at):
                return
            if frame.data:
                await self._body(frame.data, more=True)
                self.frames = number
            if number % _TURN == 0 or len(frame.data) >= _LARGE:
                await asyncio.sleep(0)
        if reply.complete:
            await self._body(b"", more=False)

    async def _reach(self, moment: float) -> bool:
        """Wait for a moment of the loop's clock; False when the client hung up meanwhile."""
        self._watch = self._watch or asyncio.ensure_future(self._closed())
        seconds = moment - asyncio.get_running_loop().time()
        if seconds > 0:
            await asyncio.wait({self._watch}, timeout=seconds)
        self.hung_up = self._watch.done()
        return not self.hung_up

    async def _closed(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _body(self, data: bytes, *, more: bool) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


def _head(reply: Reply) -> Message:
    return {"type": "http.response.start", "status": reply.status, "headers": raw_headers(reply.headers)}
