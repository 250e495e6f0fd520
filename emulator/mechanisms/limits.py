"""A limit as one request meets it: the window of its own key, and the pool that several keys share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.mechanisms.clock import TimeScale
from emulator.mechanisms.expressions import Expression
from emulator.mechanisms.windows import Window

WAITS = ("retry_after", "reset_after")
"""Facts that are durations, which a client measures with its own clock; the first says when to come again."""


def told(facts: Mapping[str, Any], time: TimeScale) -> Mapping[str, Any]:
    """Facts of a limit or a refusal with their waits in a client's own seconds."""
    if time.speed == 1:
        return facts
    scaled = {name: time.told(facts[name]) for name in WAITS if isinstance(facts.get(name), (int, float))}
    pool = {"pool": told(facts["pool"], time)} if isinstance(facts.get("pool"), dict) else {}
    return {**facts, **scaled, **pool}


@dataclass(frozen=True, slots=True)
class Pool:
    """Who shares what keys of a limit have beyond their own, and how much it is."""

    key: Expression
    capacity: Expression


class Limit:
    """Units come out of the own share while it lasts, and what exceeds it out of the pool."""

    __slots__ = ("drawn", "own", "pool", "taken")

    def __init__(self, own: Window, pool: Window | None = None) -> None:
        self.own = own
        self.pool = pool
        self.taken = 0.0
        """By this request, the pool's included."""
        self.drawn = 0.0
        """By this request, out of the pool."""

    def admits(self, now: float, cost: float) -> bool:
        own, pool = self.own.left(now), self.pool
        if pool is None:
            return (own if own > 0 else 0.0) + 1e-9 >= cost
        return max(own, 0.0) + max(pool.left(now), 0.0) + 1e-9 >= cost

    def take(self, now: float, cost: float) -> None:
        """Use units; a negative cost gives some back, first those of the pool."""
        own = cost
        if self.pool is not None:
            pooled = max(cost - max(self.own.left(now), 0.0), 0.0) if cost > 0 else max(cost, -self.drawn)
            if pooled:
                self.pool.take(now, pooled)
            self.drawn += pooled
            own = cost - pooled
        if own:
            self.own.take(now, own)
        self.taken += cost

    def counts(self) -> list[tuple[dict[str, Any], float]]:
        """What this request took: data, and units of it."""
        own = (self.own.state, self.taken - self.drawn)
        pool = (self.pool.state, self.drawn) if self.pool is not None else ({}, 0.0)
        return [(state, units) for state, units in (own, pool) if units]

    def facts(self, now: float) -> dict[str, Any]:
        """How it stands, for headers and bodies to tell; the pool under `pool`."""
        own = self.own.facts(now)
        return own if self.pool is None else {**own, "pool": self.pool.facts(now)}

    def refusal(self, now: float, cost: float) -> dict[str, Any]:
        """What is told to a request that it does not admit: how it stands, what ran out, how long to wait."""
        ran_out = "share" if self.pool is None else "pool"
        return {**self.facts(now), "ran_out": ran_out, "retry_after": round(self._opens(now, cost) - now, 6)}

    def _opens(self, now: float, cost: float) -> float:
        """The moment from which it admits so many units: when the share has room, or the pool, or both together."""
        own, pool = self.own, self.pool
        if pool is None:
            return own.opens(now, cost)
        most, pooled = min(cost, own.capacity), max(pool.left(now), 0.0)
        moments = [max(own.opens(now, most), pool.opens(now, cost - most))]
        if cost - pooled <= own.capacity:
            moments.append(own.opens(now, cost - pooled))
        if (rest := cost - max(own.left(now), 0.0)) <= pool.capacity:
            moments.append(pool.opens(now, rest))
        return min(moments)
