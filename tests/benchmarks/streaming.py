"""Rows 5 to 9: streams of 103 events, as fast as they go and at 20 ms a token."""

from . import targets
from .loads import Streams, streams
from .machine import Failed, Server
from .measures import Goal, Measure, Plan, in_turn, paired, ratio
from .plain import UVICORN, failures

EVENTS = 103
SINGLY = "0.00001"
"""A pace at which events follow each other without a pause that could be kept, and are still written one by one."""
GAP = 20.0
_SPAN = GAP * (EVENTS - 2)  # the first event begins it, and the last says that it is over and waits for nothing


def unpaced(server: Server, connections: int, seconds: float) -> Streams:
    """Whole streams for about some seconds. Raises Failed."""
    call = targets.streamed(server.ready)
    probe = streams(server, call, connections, 2 * connections, seconds=10)
    count = max(2 * connections, int(probe.rate * seconds))
    done = streams(server, call, connections, count, seconds=4 * seconds + 10)
    if done.failures or done.late or abs(done.events_each - EVENTS) > 1:
        raise Failed(f"{done.failures} streams failed, and one has {done.events_each:g} events")
    return done


def singly(plan: Plan) -> list[Measure]:
    with targets.emulator("--pace", SINGLY) as emulator, targets.raw(emulator) as raw:
        pairs = in_turn(plan, raw, emulator, lambda server: unpaced(server, 32, 1.5))
    samples = [pair.rate(lambda done: done.events, lambda done: done.count) for pair in pairs]
    return [Measure(5, "events/s, one write each, 32 connections", UVICORN, Goal(">=", 0.70), samples, shown="/s")]


def joined(plan: Plan) -> list[Measure]:
    with targets.aimock() as peer, targets.emulator("--pace", "0") as emulator:
        pairs = in_turn(plan, peer, emulator, lambda server: unpaced(server, 32, 1.5))
    samples = [pair.rate(lambda done: done.events, lambda done: done.count) for pair in pairs]
    return [Measure(6, "events/s, unpaced, 32 connections", "aimock", Goal(">=", 4), samples, shown="/s")]


def first_event(plan: Plan) -> list[Measure]:
    with targets.emulator("--pace", "0") as emulator, targets.raw(emulator) as raw:
        pairs = in_turn(plan, raw, emulator, lambda server: unpaced(server, 1, 1))
    samples = [pair.figure(lambda done: done.first, ratio) for pair in pairs]
    return [Measure(7, "first event, 1 connection, p50", UVICORN, Goal("<=", 1.5), samples, shown="ms")]


def paced(server: Server, connections: int) -> Streams:
    """Two streams a connection at 20 ms a token; the starts are spread over the length of one."""
    call = targets.streamed(server.ready)
    return streams(server, call, connections, 2 * connections, seconds=25, ramp=_SPAN, gap=GAP)


def _error(span: float) -> float:
    """Percent that a stream took longer than it should."""
    return abs(100 * (span / _SPAN - 1))


def _crowd(plan: Plan, row: int, connections: int, bounds: tuple[float, ...]) -> list[Measure]:
    """Span errors against those of raw uvicorn, which sleeps until absolute moments; and the failures."""
    with targets.emulator() as emulator, targets.raw(emulator, GAP) as raw:
        pairs = paired(plan, lambda: paced(raw, connections), lambda: paced(emulator, connections), (raw, emulator))
    what = f"{connections:,} streams at {GAP:g} ms a token"

    def errors(name: str, bound: float) -> Measure:
        samples = [pair.figure(lambda done: _error(getattr(done, f"span_{name}"))) for pair in pairs]
        return Measure(row, f"{what}, span error {name}", UVICORN, Goal("<=", bound), samples, unit="%", shown="%")

    found = [errors(name, bound) for name, bound in zip(("p50", "p99"), bounds, strict=False)]
    return [*found, failures(row, f"{what}, failed or late", pairs)]


def five_hundred(plan: Plan) -> list[Measure]:
    return _crowd(plan.at_most(5), 8, 500, (0.2, 1.5))


def thousands(plan: Plan) -> list[Measure]:
    return [*_crowd(plan.at_most(3), 9, 1000, (0.6,)), *_crowd(plan.at_most(3), 9, 2000, (1.0,))]
