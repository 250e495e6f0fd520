"""Four emulators and as many threads: each asks its own for every operation, all at once. A line of statuses each."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from emulator import make_runtime, overview
from emulator.edge import answer
from emulator.exchange import Runtime
from emulator.wire.reading import Request, by_name

THREADS = 4
START = Barrier(THREADS)


def statuses(runtime: Runtime) -> str:
    START.wait()
    found = []
    for provider in (family.base for family in runtime.providers.values()):
        headers = by_name({**provider.headers(provider.api_key), "content-type": "application/json"}.items())
        for operation in provider.operations.values():
            body = overview.request_example(provider, operation)
            sent = json.dumps(body).encode() if isinstance(body, dict) else b""
            path = f"/{provider.id}{overview.example_path(provider, operation)}"
            reply, exchange = answer(runtime, Request(operation.method, path, "", headers, sent))
            found.append(f"{operation.id} {reply.status}")
            if exchange is not None:
                exchange.sent()
    return ", ".join(found)


if __name__ == "__main__":
    runtimes = [make_runtime(pace=0) for _ in range(THREADS)]
    sys.setswitchinterval(1e-6)  # threads take turns as often as they can
    with ThreadPoolExecutor(THREADS) as pool:
        for line in pool.map(statuses, runtimes):
            sys.stdout.write(f"{line}\n")
