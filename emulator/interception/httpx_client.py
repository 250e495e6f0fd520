"""Clients of httpx, and of libraries of its shape."""

from contextlib import ExitStack
from typing import Any
from unittest.mock import patch as replaced

from emulator.inprocess import make_transport
from emulator.interception.blocks import Block, find


def patch(undo: ExitStack, library: Any) -> None:
    """Let the transports that open connections ask first whether the emulator answers."""
    sync, real_sync = library.HTTPTransport, library.HTTPTransport.handle_request
    asynchronous, real_async = library.AsyncHTTPTransport, library.AsyncHTTPTransport.handle_async_request

    def handle_request(self: Any, request: Any) -> Any:
        block = find(str(request.url))
        return real_sync(self, request) if block is None else transport(block).handle_request(request)

    async def handle_async_request(self: Any, request: Any) -> Any:
        block = find(str(request.url))
        if block is None:
            return await real_async(self, request)
        return await transport(block).handle_async_request(request)

    def transport(block: Block) -> Any:
        return make_transport(block.runtime, block.tenant, library)

    undo.enter_context(replaced.object(sync, "handle_request", handle_request))
    undo.enter_context(replaced.object(asynchronous, "handle_async_request", handle_async_request))
