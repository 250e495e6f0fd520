"""Four emulators and as many threads: each asks its own for every operation, all at once. A line of statuses each."""

import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from examples import example

from emulator import make_runtime
from emulator.edge import answer
from emulator.exchange import Runtime

THREADS = 4
START = Barrier(THREADS)


def statuses(runtime: Runtime) -> str:
    START.wait()
    found = []
    for provider in (family.base for family in runtime.providers.values()):
        for operation in provider.operations.values():
            reply, exchange = answer(runtime, example(provider, operation, provider.api_key))
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
