"""A limit as one request meets it: the window of its own key, and the pool that several keys share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulator.mechanisms import windows
from emulator.mechanisms.clock import TimeScale
from emulator.mechanisms.expressions import Expression
from emulator.mechanisms.windows import Algorithm, Standing

WAITS = ("retry_after", "reset_after")
"""Facts that are durations, which a client measures with its own clock; the first says when to come again."""


def told(facts: Mapping[str, Any], time: TimeScale) -> dict[str, Any]:
    """Facts of a limit or a refusal with their waits in a client's own seconds."""
    if time.speed == 1:
        return dict(facts)
    scaled = {name: time.told(facts[name]) for name in WAITS if isinstance(facts.get(name), (int, float))}
    pool = {"pool": told(facts["pool"], time)} if isinstance(facts.get("pool"), dict) else {}
    return {**facts, **scaled, **pool}


@dataclass(frozen=True, slots=True)
class Pool:
    """Who shares what keys of a limit have beyond their own, and how much it is."""

    key: Expression
    capacity: Expression


@dataclass(slots=True)
class Window:
    """A window's data beside its rules."""

    state: dict[str, Any]
    algorithm: Algorithm
    capacity: float
    per: float

    def standing(self, now: float) -> Standing:
        return windows.standing(self.state, self.algorithm, self.capacity, self.per, now)

    def left(self, now: float) -> float:
        """Units that are free; none where more was used than there are."""
        return max(windows.left(self.state, self.algorithm, self.capacity, self.per, now), 0.0)

    def opens(self, now: float, cost: float) -> float:
        return windows.opens(self.state, self.algorithm, self.capacity, self.per, now, cost)

    def take(self, now: float, cost: float) -> None:
        if cost:
            windows.take(self.state, self.algorithm, self.capacity, self.per, now, cost)


@dataclass(slots=True)
class Limit:
    """Units come out of the own share while it lasts, and what exceeds it out of the pool."""

    own: Window
    pool: Window | None = None
    taken: float = 0.0
    """By this request, the pool's included."""
    drawn: float = 0.0
    """By this request, out of the pool."""

    def admits(self, now: float, cost: float) -> bool:
        if self.pool is None:
            return self.own.left(now) + 1e-9 >= cost
        return self.own.left(now) + self.pool.left(now) + 1e-9 >= cost

    def take(self, now: float, cost: float) -> None:
        """Use units; a negative cost gives some back, first those of the pool."""
        pooled = 0.0
        if self.pool is not None:
            pooled = max(cost - self.own.left(now), 0.0) if cost > 0 else max(cost, -self.drawn)
            self.pool.take(now, pooled)
        self.own.take(now, cost - pooled)
        self.taken += cost
        self.drawn += pooled

    def counts(self) -> list[tuple[dict[str, Any], float]]:
        """What this request took: data, and units of it."""
        own = (self.own.state, self.taken - self.drawn)
        pool = (self.pool.state, self.drawn) if self.pool is not None else ({}, 0.0)
        return [(state, units) for state, units in (own, pool) if units]

    def facts(self, now: float) -> dict[str, Any]:
        """How it stands, for headers and bodies to tell; the pool under `pool`."""
        pool = {"pool": self.pool.standing(now).facts(now)} if self.pool is not None else {}
        return {**self.own.standing(now).facts(now), **pool}

    def refusal(self, now: float, cost: float) -> dict[str, Any]:
        """What is told to a request that it does not admit: how it stands, what ran out, how long to wait."""
        ran_out = "share" if self.pool is None else "pool"
        return {**self.facts(now), "ran_out": ran_out, "retry_after": round(self._opens(now, cost) - now, 6)}

    def _opens(self, now: float, cost: float) -> float:
        """The moment from which it admits so many units: when the share has room, or the pool, or both together."""
        own, pool = self.own, self.pool
        if pool is None:
            return own.opens(now, cost)
        most = min(cost, own.capacity)
        moments = [max(own.opens(now, most), pool.opens(now, cost - most))]
        if cost - pool.left(now) <= own.capacity:
            moments.append(own.opens(now, cost - pool.left(now)))
        if cost - own.left(now) <= pool.capacity:
            moments.append(pool.opens(now, cost - own.left(now)))
        return min(moments)
