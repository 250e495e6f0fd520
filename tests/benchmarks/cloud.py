"""Row 16: a cloud with state. What deploying, listing and billing cost, and how that grows with what there is."""

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import httpx

from emulator import Emulation, make_runtime
from emulator.exchange import Runtime

from . import copies, targets
from .loads import Requests, requests
from .machine import Call, Failed, Server, Watch
from .measures import Goal, Measure, Plan, Sample, in_turn

FEW, MANY = 100, 10_000
_KEY = "brk-bench"
_PROVIDER = "stocked"
_ORDER = {
    "tier": "legacy",
    "region": "CANADA-1",
    "gpu_model": "RTX-A6000",
    "gpu_count": 1,
    "os_image": "ubuntu-24.04",
    "ssh_key_ids": ["BRK-000001K"],
}
_CREDIT = 10**9


def lap() -> list[Call]:
    """Deploy, list, bill."""
    headers = (("Authorization", f"Bearer {_KEY}"), ("Content-Type", "application/json"))
    base = f"/{_PROVIDER}/api/instances/"
    deploy = Call(base, json.dumps({**_ORDER, "vm_name": "vm-{N}"}).encode(), headers)
    return [deploy, Call(base, headers=headers, method="GET"), Call(f"{base}billing/", headers=headers, method="GET")]


class Laps:
    """Loads of deploying, listing and billing, in which no name of an instance comes twice."""

    def __init__(self) -> None:
        self.first = 0

    def __call__(self, server: Server) -> Requests:
        self.first += 1_000_000
        done = requests(server, lap(), 32, 2, first=self.first)
        if done.failures:
            raise Failed(f"{done.failures} of the replies are no 2xx")
        return done


class Customer:
    """A tenant in this process that runs a number of instances, and whose clock stands still."""

    def __init__(self, runtime: Runtime, instances: int) -> None:
        self.emulation = Emulation(runtime, f"with-{instances}", "http://emulator", {})
        handle = self.emulation[_PROVIDER]
        headers = {"Authorization": f"Bearer {_KEY}~{self.emulation.tenant}"}
        self.client = httpx.Client(transport=self.emulation.transport(), base_url=handle.base_url, headers=headers)
        self.emulation.clock.freeze(1_764_547_200)
        handle.top_up(_CREDIT, _KEY)
        self.names = 0
        for _ in range(instances):
            self.deploy()
        self.emulation.clock.advance("2m")  # all of them run from now on
        self.ask("GET", "/balance/")

    def ask(self, method: str, path: str, body: Any = None) -> None:
        reply = self.client.request(method, path, json=body)
        if not reply.is_success:
            raise Failed(reply.text)

    def deploy(self) -> None:
        self.names += 1
        self.ask("POST", "/instances/", {**_ORDER, "vm_name": f"vm-{self.names}"})

    def lap(self) -> None:
        self.deploy()
        self.ask("GET", "/instances/")
        self.ask("GET", "/instances/billing/")


def _milliseconds(work: Callable[[], None], times: int = 10) -> float:
    began = perf_counter()
    for _ in range(times):
        work()
    return (perf_counter() - began) / times * 1000


def growth(plan: Plan, folder: Path) -> list[Sample]:
    """What a lap costs at 10,000 instances to what it costs at 100: a sample for several turns of both."""
    runtime = make_runtime([_PROVIDER], data=[folder], pace=0)
    few, many = Customer(runtime, FEW), Customer(runtime, MANY)
    samples = []
    for _ in range(plan.pairs):
        watch = Watch()
        turns = [(_milliseconds(few.lap), _milliseconds(many.lap)) for _ in range(8)]
        small, large = (median(side) for side in zip(*turns, strict=True))
        samples.append(Sample(large / small, large, small, foreign=watch.use().foreign))
    return samples


def cloud(plan: Plan) -> list[Measure]:
    with copies.stocked() as folder:
        with targets.emulator("--data", str(folder), scripted=False) as emulator, targets.raw(emulator) as raw:
            targets.told(emulator, "credit", {"provider": _PROVIDER, "key": _KEY, "amount": _CREDIT})
            pairs = in_turn(plan, raw, emulator, Laps())
        grown = growth(plan, folder)
    rates = [pair.rate(lambda done: done.rate, lambda done: done.count) for pair in pairs]
    what = f"deploy + list + bill at {MANY:,} instances"
    return [
        Measure(16, "deploy + list + bill, 32 connections", "raw uvicorn", Goal(">=", 0.25), rates, shown="/s"),
        Measure(16, what, f"at {FEW}", Goal("<=", 1.3), grown, shown="ms"),
    ]
