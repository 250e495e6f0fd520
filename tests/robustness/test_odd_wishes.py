"""What a client asks of the emulator itself and hardly means: it is told, nothing hangs, and nobody else is asked."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from wire_client import answered, chat, with_header

from emulator import Emulation, EmulatorServer, Handle

DEEP = 2000


@pytest.fixture
def handle(emulator: Emulation) -> Handle:
    return emulator["generalcompute"]


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a server that nobody should ask, and what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(4096))

        thread = threading.Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/schema.json", asked
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("fault", ["schema_violation", "arguments_violate_schema"])
def test_a_clients_schema_is_looked_up_nowhere(
    handle: Handle, emulator_server: EmulatorServer, elsewhere: tuple[str, list[bytes]], fault: str
) -> None:
    url, asked = elsewhere
    schema = {"type": "object", "properties": {"a": {"$ref": url}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "q", "schema": schema}}
    fields: dict[str, Any] = {"response_format": wanted}
    if fault == "arguments_violate_schema":
        tool = {"type": "function", "function": {"name": "look", "parameters": schema}}
        fields = {"tools": [tool], "tool_choice": "required"}
    asking = chat(emulator_server, handle, model="gpt-oss-120b", **fields)
    reply = answered(emulator_server.url, with_header(asking, f"X-Emulator-Fault: {fault}"))
    assert reply.status == 200
    assert reply.headers["x-emulator-notice"] == f"the fault {fault} found nothing to act on in this reply"
    assert asked == []
