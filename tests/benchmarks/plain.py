"""Rows 1 to 4: plain chat completions in a closed loop."""

from collections.abc import Sequence

from . import targets
from .loads import Requests, Streams, requests
from .machine import Failed, Server
from .measures import Goal, Measure, Pair, Plan, Sample, in_turn, ratio

UVICORN = "raw uvicorn"


def load(server: Server, connections: int, seconds: float) -> Requests:
    """A load in which every reply has to be 2xx. Raises Failed."""
    done = requests(server, [server.ready], connections, seconds)
    if done.failures:
        raise Failed(f"{done.failures} of the replies are no 2xx")
    return done


def beside_uvicorn(plan: Plan, connections: int, seconds: float) -> list[Pair[Requests]]:
    with targets.emulator() as emulator, targets.raw(emulator) as raw:
        return in_turn(plan, raw, emulator, lambda server: load(server, connections, seconds))


def rate(plan: Plan) -> list[Measure]:
    samples = [pair.rate(lambda done: done.rate, lambda done: done.count) for pair in beside_uvicorn(plan, 32, 2)]
    return [Measure(1, "chat completions/s, 32 connections", UVICORN, Goal(">=", 0.40), samples, shown="/s")]


def rate_beside_aimock(plan: Plan) -> list[Measure]:
    with targets.aimock() as peer, targets.emulator() as emulator:
        pairs = in_turn(plan, peer, emulator, lambda server: load(server, 32, 2))
    samples = [pair.rate(lambda done: done.rate, lambda done: done.count) for pair in pairs]
    return [Measure(2, "chat completions/s, 32 connections", "aimock", Goal(">=", 1.4), samples, shown="/s")]


def latency(plan: Plan) -> list[Measure]:
    samples = [pair.figure(lambda done: done.p50, ratio) for pair in beside_uvicorn(plan, 1, 1)]
    return [Measure(3, "chat completion, 1 connection, p50", UVICORN, Goal("<=", 1.45), samples, shown="ms")]


def failures(row: int, what: str, pairs: Sequence[Pair[Requests]] | Sequence[Pair[Streams]]) -> Measure:
    """All replies of all pairs that failed or came too late: no middle of them is taken."""
    sides = [(pair.tested, pair.reference) for pair in pairs]
    own, others = (sum(done.failures + done.late for done in side) for side in zip(*sides, strict=True))
    foreign = max(pair.foreign for pair in pairs)
    return Measure(row, what, UVICORN, Goal("<=", 0), [Sample(own, own, others, foreign)], unit="failures")


def crowd(plan: Plan) -> list[Measure]:
    with targets.emulator() as emulator, targets.raw(emulator) as raw:
        pairs = in_turn(plan, raw, emulator, lambda server: requests(server, [server.ready], 256, 2))
    tails = [pair.figure(lambda done: done.p99, ratio) for pair in pairs]
    return [
        Measure(4, "chat completion, 256 connections, p99", UVICORN, Goal("<=", 3), tails, shown="ms"),
        failures(4, "chat completion, 256 connections, failed or late", pairs),
    ]
