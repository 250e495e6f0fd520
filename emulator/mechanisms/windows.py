"""Rate limit windows, and requests in flight. What each says follows from what it holds and the clock alone.

All four admit a request of a given cost only while the capacity holds, and answer how much is left and when room
comes back. `concurrency` knows no time: its units come back when they are given back, and `per` is how long a refused
request is told to wait. `limits` makes of them what a request meets.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from heapq import merge
from operator import itemgetter
from typing import Any, ClassVar, Literal

from emulator.mechanisms.clock import microseconds, to_microseconds
from emulator.mechanisms.store import IN_FLIGHT, Tenant

MOST_KEPT = 4096
KINDS = ("windows", IN_FLIGHT)
_NEVER = -1.0  # before any clock
_HALF = 5e-7  # of the clock's microsecond: periods that no binary fraction is long begin at one all the same
_DUST = 1e-9  # what fractions may be short of
Algorithm = Literal["sliding_window", "fixed_window", "token_bucket", "concurrency"]


def _whole(number: float) -> int | float:
    return int(number) if number == int(number) else number


def _free(left: Iterable[float]) -> float:
    """What several windows have left together: of those that are overdrawn, none."""
    return sum([units for units in left if units > 0])


def make_room(tenant: Tenant) -> None:
    """Keep the windows that were used last: a load with ever new keys leaves those behind that were longest ago."""
    if len(tenant.cells) < tenant.crowded_at:
        return
    used = {cell: _last_use(data) for cell, data in tenant.cells.items() if cell[0] in KINDS}
    for cell in sorted(used, key=lambda cell: used[cell])[:-MOST_KEPT]:
        tenant.forget(*cell)
    tenant.crowded_at = len(tenant.cells) + MOST_KEPT


def _last_use(data: Any) -> float:
    """Of what a file kept and nobody asked for since, never."""
    return data.last_use() if isinstance(data, Window) else _NEVER


class Window:
    """What is used of a limit: of `capacity` units in `per` seconds, which each request is told anew."""

    __slots__ = ("capacity", "per", "used")
    cells = "windows"
    """The kind of its cells."""
    KEPT: ClassVar[tuple[str, ...]] = ("used",)
    """What a store keeps of it."""

    def __init__(self, kept: Any = None) -> None:
        """`kept` is what a file has of it, if it is of such a window."""
        self.capacity = self.per = math.inf
        self.used: float = 0
        if isinstance(kept, dict) and kept.keys() == set(self.KEPT):
            for name, value in kept.items():
                setattr(self, name, value)

    def shown(self) -> dict[str, Any]:
        """The window as plain data."""
        return {name: getattr(self, name) for name in self.KEPT}

    def last_use(self) -> float:
        """When something was taken last."""
        return math.inf if self.used else _NEVER

    def admits(self, now: float, cost: float) -> bool:
        left = self.left(now)
        return (left if left > 0 else 0.0) + _DUST >= cost

    def refusal(self, now: float, cost: float) -> dict[str, Any]:
        """What is told to a request that it does not admit: how it stands, what ran out, how long to wait."""
        return {**self.facts(now), "ran_out": "share", "retry_after": round(self.opens(now, cost) - now, 6)}

    def left(self, now: float) -> float:
        """Units that are free at `now`; less than none where more was used than there are."""
        return self.capacity - self.used

    def resets(self, now: float) -> float:
        """The moment at which (more) room comes back."""
        raise NotImplementedError

    def opens(self, now: float, cost: float, *beside: "Window") -> float:
        """When `cost` units first fit into it and those of its kind `beside` it, if nobody takes any meanwhile.

        A whole window on for what never fits.
        """
        windows = (self, *beside)
        if cost > sum([one.capacity for one in windows]) + _DUST:
            return now + self.per
        return self._opens(now, cost, windows)

    def _opens(self, now: float, cost: float, windows: tuple["Window", ...]) -> float:
        """The same for what they have room for."""
        left, opens = {one: one.left(now) for one in windows}, now
        for moment, one, units in merge(*(one.growth(now) for one in windows), key=itemgetter(0)):
            left[one], opens = units, moment
            if _free(left.values()) + _DUST >= cost:
                break
        return opens

    def growth(self, now: float) -> Iterator[tuple[float, "Window", float]]:
        """The moments after `now` at which more is free, in their order, and the units that are left then."""
        yield self.resets(now), self, self.capacity

    def use(self, now: float, cost: float) -> None:
        """Use units. A negative cost gives some back."""
        self.used += cost

    def counts(self, cost: float) -> list[tuple["Window", float]]:
        """Where a request that uses so many units is counted, and with how many."""
        return [(self, cost)]

    def facts(self, now: float) -> dict[str, Any]:
        """How the limit stands, without taking anything."""
        left, reset = self.left(now), self.resets(now)
        return {
            "limit": _whole(self.capacity),
            "remaining": _whole(left) if left > 0 else 0,
            "reset": reset,
            "reset_after": max(reset - now, 0.0),
        }


class FixedWindow(Window):
    """Periods one after the other, by the clock; `start` is when the one began in which units were used last."""

    __slots__ = ("start",)
    KEPT = ("used", "start")

    def __init__(self, kept: Any = None) -> None:
        self.start = _NEVER
        super().__init__(kept)

    def last_use(self) -> float:
        return self.start

    def left(self, now: float) -> float:
        within = now + _HALF  # here and below in place of a call: most requests meet several of these
        return self.capacity - self.used if self.start == within - within % self.per else self.capacity

    def resets(self, now: float) -> float:
        within = now + _HALF
        return within - within % self.per + self.per

    def use(self, now: float, cost: float) -> None:
        within = now + _HALF
        start = within - within % self.per
        if self.start == start:
            self.used += cost
        else:
            self.start, self.used = start, cost


class SlidingWindow(Window):
    """What was used in the last `per` seconds: in (now - per, now]."""

    __slots__ = ("log",)
    KEPT = ("used", "log")

    def __init__(self, kept: Any = None) -> None:
        self.log: list[list[float]] = []
        """Moments, one after the other, and the units that were used then, less what was given back."""
        super().__init__(kept)

    def last_use(self) -> float:
        return self.log[-1][0] if self.log else _NEVER

    def left(self, now: float) -> float:
        self._forget(now)
        return self.capacity - self.used

    def resets(self, now: float) -> float:
        return self.log[0][0] + self.per if self.log else now

    def growth(self, now: float) -> Iterator[tuple[float, Window, float]]:
        used = self.used
        for at, units in self.log:
            used -= units
            yield at + self.per, self, self.capacity - used

    def use(self, now: float, cost: float) -> None:
        self._forget(now)
        log = self.log
        if log and log[-1][0] >= now:  # what is given back leaves the window with what was taken
            log[-1][1] += cost
            if not log[-1][1]:
                log.pop()
        else:
            log.append([now, cost])
        self.used += cost

    def _forget(self, now: float) -> None:
        """Drop what left the window, and what is still to come: a clock can be set back."""
        log, gone = self.log, 0
        horizon = to_microseconds(now - self.per)  # the clock's own precision, or float dust delays the reset
        while log and log[-1][0] > now:
            self.used -= log.pop()[1]
        while gone < len(log) and log[gone][0] <= horizon:
            self.used -= log[gone][1]
            gone += 1
        if gone:
            del log[:gone]
        if not log:
            self.used = 0  # no dust of fractions stays


class TokenBucket(Window):
    """Filled anew, evenly, in `per` seconds: it held `level` units at the moment `at`, and is full when new."""

    __slots__ = ("at", "level")
    KEPT = ("level", "at")

    def __init__(self, kept: Any = None) -> None:
        self.level = self.at = _NEVER
        super().__init__(kept)

    def last_use(self) -> float:
        return self.at

    def left(self, now: float) -> float:
        if self.at < 0:
            return self.capacity
        if now < self.at:  # the clock was set back: it is filled from here on
            self.at = now
        return min(self.capacity, self.level + (now - self.at) * self.capacity / self.per)

    def resets(self, now: float) -> float:
        room = self.left(now)
        return now + ((self.capacity - room) * self.per / self.capacity if self.capacity else self.per)

    def _opens(self, now: float, cost: float, windows: tuple[Window, ...]) -> float:
        def fits(tick: int) -> bool:
            return _free([one.left(tick / 1e6) for one in windows]) + _DUST >= cost

        # sooner than if all of them grow all the time, it cannot be
        short = cost - _DUST - _free([one.left(now) for one in windows])
        first, more = microseconds(now + short * self.per / sum([one.capacity for one in windows])), 1
        while not fits(first + more):
            more *= 2
        return (first + bisect_left(range(first, first + more), True, key=fits)) / 1e6

    def use(self, now: float, cost: float) -> None:
        self.level, self.at = min(self.capacity, self.left(now) - cost), now


class InFlight(Window):
    """Units come back when they are given back."""

    __slots__ = ()
    cells = IN_FLIGHT

    def resets(self, now: float) -> float:
        return now if self.left(now) > 0 else now + self.per

    def _opens(self, now: float, cost: float, windows: tuple[Window, ...]) -> float:
        return now + self.per


WINDOWS: dict[Algorithm, type[Window]] = {
    "sliding_window": SlidingWindow,
    "fixed_window": FixedWindow,
    "token_bucket": TokenBucket,
    "concurrency": InFlight,
}
