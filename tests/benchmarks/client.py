"""What a test process pays: `client.py requests bare emulator` and `client.py servers bare`, figures as JSON.

It is run by itself, in environments that have nothing but httpx, too; hence the late imports.
"""

import asyncio
import json
import logging
import sys
import threading
from collections.abc import Callable
from statistics import median
from time import perf_counter, process_time
from typing import Any

URL = "http://emulator/generalcompute/v1/chat/completions"
BODY = {
    "model": "gpt-oss-120b",
    "messages": [
        {"role": "system", "content": "You are a helpful assistant that answers in short sentences."},
        {"role": "user", "content": "Please write one hundred words about the phonetic alphabet, in order."},
    ],
    "temperature": 0.7,
    "max_tokens": 128,
    "user": "bench-user-1",
}
HEADERS = {"Authorization": "Bearer gc_enterprise_bench"}
REPLY = json.dumps({"choices": [{"message": {"role": "assistant", "content": "word " * 100}}]}).encode()
BLOCKS, CALLS = 7, 150


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """The application that answers with a constant."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(REPLY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": REPLY})


def transport(name: str) -> Any:
    import httpx

    if name == "bare":
        return httpx.ASGITransport(app=bare)
    import emulator

    return emulator.transport()


Took = tuple[float, float]
"""Microseconds that passed, and those of them on the CPU."""


def now() -> Took:
    return perf_counter() * 1e6, process_time() * 1e6


def each(began: Took, calls: int = CALLS) -> Took:
    """A call's share of what passed since."""
    passed, used = (end - at for end, at in zip(now(), began, strict=True))
    return passed / calls, used / calls


async def block(name: str) -> Took:
    """A request's time, of many by one client."""
    import httpx

    async with httpx.AsyncClient(transport=transport(name)) as http:
        for _ in range(20):
            assert (await http.post(URL, json=BODY, headers=HEADERS)).status_code == 200
        began = now()
        for _ in range(CALLS):
            await http.post(URL, json=BODY, headers=HEADERS)
        return each(began)


def respx_block() -> Took:
    """The same through respx, which is for blocking clients as well."""
    import httpx
    import respx  # type: ignore[import-not-found, unused-ignore]

    with respx.mock(assert_all_called=False) as router, httpx.Client() as http:
        router.post(URL).respond(200, content=REPLY, headers={"content-type": "application/json"})
        for _ in range(20):
            http.post(URL, json=BODY, headers=HEADERS)
        began = now()
        for _ in range(CALLS):
            http.post(URL, json=BODY, headers=HEADERS)
        return each(began)


def requests(*names: str) -> list[float]:
    """Microseconds of a request through each, in blocks that take turns; then those on the CPU."""
    blocks = [[respx_block() if name == "respx" else asyncio.run(block(name)) for name in names] for _ in range(BLOCKS)]
    return [median(turn[i][kind] for turn in blocks) for kind in (0, 1) for i in range(len(names))]


def bare_server() -> Callable[[], None]:
    """uvicorn in a thread, ready; gives what stops it."""
    import uvicorn

    config = uvicorn.Config(bare, port=0, log_level="critical", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        threading.Event().wait(0.0005)

    def stop() -> None:
        server.should_exit = True
        thread.join()

    return stop


def emulator_server() -> Callable[[], None]:
    """What the session's fixture starts: all providers, each with a port of its own."""
    from emulator.server import EmulatorServer, make_runtime

    runtime = make_runtime(pace=0)
    server = EmulatorServer(runtime)
    for provider in runtime.providers:
        server.own_port(provider)
    return server.start().stop


def servers(name: str) -> list[float]:
    """Milliseconds of the first server and those on the CPU, of another and those on the CPU, and of a reset.

    The modules are imported before: a test file that uses them does so, too.
    """
    import httpx  # noqa: F401

    if name == "emulator":
        import emulator.server  # noqa: F401
    else:
        import uvicorn  # noqa: F401
    start = emulator_server if name == "emulator" else bare_server
    times = []
    for _ in range(6):
        began = now()
        stop = start()
        times.append(each(began, 1))
        stop()
    first, *others = times
    following = [median(column) for column in zip(*others, strict=True)]
    return [took / 1000 for took in (*first, *following, resets() if name == "emulator" else 0.0)]


def resets() -> float:
    """Microseconds of the reset behind a test that made five requests."""
    import httpx

    from emulator import EmulatorServer, make_runtime

    server = EmulatorServer(make_runtime(pace=0))
    times = []
    for i in range(20):
        emulation = server.tenant(f"test-{i}")
        with httpx.Client(transport=emulation.transport()) as http:
            for _ in range(5):
                assert http.post(URL, json=BODY, headers=HEADERS).status_code == 200
        began = now()
        emulation.reset()
        times.append(each(began, 1)[0])
    server.stop()
    return median(times)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    work: dict[str, Callable[..., list[float]]] = {"requests": requests, "servers": servers}
    figures = work[sys.argv[1]](*sys.argv[2:])
    sys.stdout.write(json.dumps(figures))
