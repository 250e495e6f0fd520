"""`create_app` on a server of others: ASGI as it is written, with the limits that ASGI has."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from wire_client import Wire, request

from emulator import Emulation, create_app
from emulator.mechanisms.tenants import DEFAULT_TENANT

PATH = "/generalcompute/v1/chat/completions"


@pytest.fixture(scope="module", params=["h11", "httptools"])
def emulation(request: pytest.FixtureRequest) -> Iterator[Emulation]:
    app = create_app(["generalcompute"], pace=0)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=request.param, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
    serving.start()
    yield Emulation(app.state.runtime, DEFAULT_TENANT, f"http://127.0.0.1:{listener.getsockname()[1]}", {})
    server.should_exit = True
    serving.join()
    listener.close()


@pytest.fixture(autouse=True)
def fresh(emulation: Emulation) -> None:
    emulation.reset()


def chat(emulation: Emulation, **fields: Any) -> bytes:
    handle = emulation["generalcompute"]
    body = {"model": handle.models[0], "messages": [{"role": "user", "content": "Hello"}], **fields}
    headers = {**handle.headers, "Content-Type": "application/json"}
    return request("POST", PATH, headers, json.dumps(body).encode())


def wire(emulation: Emulation) -> Wire:
    return Wire(emulation["generalcompute"].base_url)


def test_replies_and_streams_on_one_connection(emulation: Emulation) -> None:
    with wire(emulation) as client:
        for _ in range(2):
            assert client.send(chat(emulation)).reply().json["object"] == "chat.completion"
            assert client.send(chat(emulation, stream=True)).reply().body.endswith(b"data: [DONE]\n\n")
            assert client.send(chat(emulation, model=7)).reply().status == 400
    clients = [entry.raw["client"] for entry in emulation["generalcompute"].journal]
    assert all(client == {"frames_sent": client["frames_sent"], "hung_up": False} for client in clients)
    assert [client["frames_sent"] > 0 for client in clients] == [False, True, False] * 2


def test_the_control_api(emulation: Emulation) -> None:
    with wire(emulation) as client:
        reply = client.send(request("GET", "/_emulator/health", {})).reply()
    assert (reply.status, reply.json["providers"]) == (200, ["generalcompute"])


def test_what_breaks_a_connection_is_told(emulation: Emulation) -> None:
    emulation["generalcompute"].fail(fault={"reset": {}})
    with wire(emulation) as client:
        reply = client.send(chat(emulation)).reply()
    assert (reply.status, "reset" in reply.json["emulator"]["message"]) == (502, True)


def test_a_stream_that_is_cut_has_no_end(emulation: Emulation) -> None:
    emulation["generalcompute"].fail(fault={"cut": {"after_events": 2}})
    with wire(emulation) as client:
        reply = client.send(chat(emulation, stream=True)).reply()
    assert (reply.status, reply.complete, reply.body.count(b"\n\n")) == (200, False, 2)


def test_a_client_that_leaves_is_noticed(emulation: Emulation) -> None:
    handle = emulation["generalcompute"]
    handle.fail(fault={"stall": {"at_event": 3, "duration": "60s"}})
    with wire(emulation) as client:
        client.send(chat(emulation, stream=True))
        while b"\n\n" not in client.left:
            assert client.more()
    with wire(emulation) as client:
        for _ in range(2000):
            assert client.send(chat(emulation)).reply().status == 200
            if (told := handle.journal[0].raw["client"]) is not None:
                break
    assert told["hung_up"]


def test_ports_of_others_are_not_disturbed_and_that_is_told(emulation: Emulation) -> None:
    control = f"{emulation.address}/_emulator/connections"
    reply = httpx.post(control, json={"fault": "refuse", "for": "1s"})
    assert reply.status_code == 400
    assert reply.json()["error"].startswith("the ports of this server are not the emulator's: use `emulator serve`")
    assert httpx.get(control).json() == {"ports": []}
