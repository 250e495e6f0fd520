"""Rows 12 and 13: in a test process. `client.py` measures, as a process of its own on the servers' CPU."""

import json
import subprocess
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from . import tools
from .machine import PYTHON, ROOT, Failed, Missing, Watch, environment, on_server_cpu
from .measures import Goal, Measure, Plan, Sample, paired

_CLIENT = Path(__file__).with_name("client.py")


def client(*what: str, python: str = PYTHON) -> list[float]:
    """The figures that `client.py` measures. Raises Failed."""
    with on_server_cpu():
        done = subprocess.run(  # noqa: S603
            [python, str(_CLIENT), *what], env=environment(), cwd=ROOT, capture_output=True, text=True, timeout=120
        )
    if done.returncode:
        raise Failed(f"client.py {' '.join(what)}: {done.stderr[-300:]}")
    figures: list[float] = json.loads(done.stdout)
    return figures


def _requests(plan: Plan, what: str, name: str, goal: Goal | None, python: str = PYTHON) -> Measure:
    """A request through something, beside one through httpx's own transport onto a bare application."""
    samples = []
    for _ in range(plan.pairs):
        watch = Watch()
        bare, own, bare_cpu, own_cpu = client("requests", "bare", name, python=python)
        samples.append(Sample(own / bare, own, bare, watch.use().foreign, own_cpu / bare_cpu))
    return Measure(12, what, "ASGITransport", goal, samples, shown="µs")


def transport(plan: Plan) -> list[Measure]:
    """A request through the transport; and what respx costs in the same way, if it is there."""
    measures = [_requests(plan, "in-process request", "emulator", Goal("<=", 1.35))]
    with suppress(Missing):
        measures.append(_requests(plan, "for comparison: through respx", "respx", None, tools.respx()))
    return measures


def fixtures(plan: Plan) -> list[Measure]:
    """Milliseconds of the session's first server, of another one, and of the reset between two tests."""
    bare, emulator = (partial(client, "servers", name) for name in ("bare", "emulator"))
    emulator()  # so that what Python compiles is there
    pairs = paired(plan, bare, emulator)

    def line(place: int, what: str, bound: float) -> Measure:
        samples = [replace(pair.figure(lambda took: took[place]), cpu=pair.tested[place + 1]) for pair in pairs]
        return Measure(13, what, "raw uvicorn", Goal("<=", bound), samples, unit="ms", shown="ms")

    resets = [Sample(pair.tested[4], pair.tested[4], foreign=pair.foreign) for pair in pairs]
    reset = Measure(13, "reset of a tenant", "", Goal("<=", 0.5), resets, unit="ms", shown="ms")
    return [line(0, "first server of a process", 60), line(2, "next server", 4), reset]
