"""A limit as one request meets it: the window of its own key, and the pool that several keys share."""

from collections.abc import Mapping
from typing import Any

from emulator.mechanisms.clock import TimeScale
from emulator.mechanisms.expressions import Expression
from emulator.mechanisms.records import record
from emulator.mechanisms.windows import Window

WAITS = ("retry_after", "reset_after")
"""Facts that are durations, which a client measures with its own clock; the first says when to come again."""


def in_client_time(facts: Mapping[str, Any], time: TimeScale) -> Mapping[str, Any]:
    """Facts of a limit or a refusal with their waits in a client's own seconds."""
    if time.speed == 1:
        return facts
    scaled = {name: time.client_seconds(facts[name]) for name in WAITS if isinstance(facts.get(name), (int, float))}
    pool = {"pool": in_client_time(facts["pool"], time)} if isinstance(facts.get("pool"), dict) else {}
    return {**facts, **scaled, **pool}


@record
class Pool:
    """Who shares what keys of a limit have beyond their own, and how much it is."""

    key: Expression
    capacity: Expression


class Pooled:
    """Units come out of the own share while it lasts, and what exceeds it out of the pool."""

    __slots__ = ("own", "pool", "pooled")

    def __init__(self, own: Window, pool: Window) -> None:
        self.own = own
        self.pool = pool
        self.pooled = 0.0
        """Units that this request has of the pool."""

    @property
    def capacity(self) -> float:
        return self.own.capacity

    def admits(self, now: float, cost: float) -> bool:
        return max(self.own.left(now), 0.0) + max(self.pool.left(now), 0.0) + 1e-9 >= cost

    def use(self, now: float, cost: float) -> None:
        """Use units; a negative cost gives some back, first those of the pool."""
        pooled = max(cost - max(self.own.left(now), 0.0), 0.0) if cost > 0 else max(cost, -self.pooled)
        self.pooled += pooled
        for window, units in ((self.pool, pooled), (self.own, cost - pooled)):
            if units:
                window.use(now, units)

    def counts(self, cost: float) -> list[tuple[Window, float]]:
        """Where a request that uses so many units is counted, and with how many."""
        return [(self.own, cost - self.pooled), (self.pool, self.pooled)]

    def facts(self, now: float) -> dict[str, Any]:
        """How it stands, for headers and bodies to tell; the pool under `pool`."""
        return {**self.own.facts(now), "pool": self.pool.facts(now)}

    def refusal(self, now: float, cost: float) -> dict[str, Any]:
        wait = round(self.own.opens(now, cost, self.pool) - now, 6)
        return {**self.facts(now), "ran_out": "pool", "retry_after": wait}


Limit = Window | Pooled
