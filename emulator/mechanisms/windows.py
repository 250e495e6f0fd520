"""Rate limit windows, and requests in flight. Each follows from a cell of plain data and the clock alone.

All four admit a request of a given cost only while the capacity holds, and answer how much is left and when room
comes back. `concurrency` knows no time: its units come back when they are given back, and `per` is how long a refused
request is told to wait. `limits` makes of them what a request meets.
"""

import math
from typing import Any, Literal

from emulator.mechanisms.clock import to_microseconds
from emulator.mechanisms.store import IN_FLIGHT, Tenant

KINDS = ("windows", IN_FLIGHT)
MOST_KEPT = 4096
Algorithm = Literal["sliding_window", "fixed_window", "token_bucket", "concurrency"]


def _whole(number: float) -> int | float:
    return int(number) if number == int(number) else number


def held(tenant: Tenant, kind: str, key: str) -> dict[str, Any]:
    """The data of a window. A load with ever new keys leaves those behind that were used longest ago."""
    if len(tenant.cells) >= tenant.crowded_at:
        _make_room(tenant)
    state: dict[str, Any] = tenant.cell(kind, key, dict)
    return state


def _make_room(tenant: Tenant) -> None:
    """Keep the windows that were used last."""
    used = {cell: _last_use(state) for cell, state in tenant.cells.items() if cell[0] in KINDS}
    for cell in sorted(used, key=lambda cell: used[cell])[:-MOST_KEPT]:
        tenant.forget(*cell)
    tenant.crowded_at = len(tenant.cells) + MOST_KEPT


def _last_use(state: dict[str, Any]) -> float:
    """When something was taken last; of one that was just made, never yet."""
    log = state.get("log")
    idle = 0.0 if state.get("used") == 0 else math.inf
    moment: float = log[-1][0] if log else state.get("start", state.get("at", idle))
    return moment


class Window:
    """What a limit has in one cell of data, beside its rules: `capacity` units in `per` seconds."""

    __slots__ = ("capacity", "per", "state", "taken")
    cells = "windows"
    """The kind of its cells."""

    def __init__(self, state: dict[str, Any], capacity: float, per: float) -> None:
        self.state = state
        self.capacity = capacity
        self.per = per
        self.taken = 0.0
        """Units that this request uses."""

    def admits(self, now: float, cost: float) -> bool:
        left = self.left(now)
        return (left if left > 0 else 0.0) + 1e-9 >= cost

    def use(self, now: float, cost: float) -> None:
        """Let this request use units; a negative cost gives some of them back."""
        if cost:
            self.take(now, cost)
            self.taken += cost

    def counts(self) -> list[tuple[dict[str, Any], float]]:
        """What this request uses: data, and units of it."""
        return [(self.state, self.taken)] if self.taken else []

    def refusal(self, now: float, cost: float) -> dict[str, Any]:
        """What is told to a request that it does not admit: how it stands, what ran out, how long to wait."""
        return {**self.facts(now), "ran_out": "share", "retry_after": round(self.opens(now, cost) - now, 6)}

    def left(self, now: float) -> float:
        """Units that are free at `now`; less than none where more was used than there are."""
        return self.capacity - float(self.state.get("used", 0))

    def resets(self, now: float) -> float:
        """The moment at which (more) room comes back."""
        raise NotImplementedError

    def opens(self, now: float, cost: float) -> float:
        """When `cost` units fit, if nobody takes any meanwhile; a whole window on for what never fits."""
        if cost > self.capacity:
            return now + self.per
        short = cost - self.left(now)
        return now if short <= 1e-9 else self._opens(now, short)

    def _opens(self, now: float, short: float) -> float:
        """When the units that it is short of are free."""
        return self.resets(now)

    def take(self, now: float, cost: float) -> None:
        """Use units. A negative cost gives some back."""
        self.state["used"] = self.state.get("used", 0) + cost

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
    """Periods one after the other, by the clock."""

    __slots__ = ()

    def left(self, now: float) -> float:
        begun = self.state.get("start") == now - now % self.per
        return self.capacity - float(self.state["used"]) if begun else self.capacity

    def resets(self, now: float) -> float:
        return now - now % self.per + self.per

    def take(self, now: float, cost: float) -> None:
        state, start = self.state, now - now % self.per
        state["used"] = state["used"] + cost if state.get("start") == start else cost
        state["start"] = start


class SlidingWindow(Window):
    """What was used in the last `per` seconds: in (now - per, now]."""

    __slots__ = ()

    def left(self, now: float) -> float:
        self._forget(to_microseconds(now - self.per))  # the clock's own precision, or float dust delays the reset
        return super().left(now)

    def resets(self, now: float) -> float:
        log = self.state.get("log")
        return float(log[0][0]) + self.per if log else now

    def _opens(self, now: float, short: float) -> float:
        for at, used in self.state.get("log", ()):
            short -= used
            if short <= 1e-9:
                return float(at) + self.per
        return self.resets(now)

    def take(self, now: float, cost: float) -> None:
        self._forget(to_microseconds(now - self.per))
        self.state.setdefault("log", []).append([now, cost])
        super().take(now, cost)

    def _forget(self, horizon: float) -> None:
        """Drop what left the window."""
        log = self.state.get("log")
        if not log or log[0][0] > horizon:
            return
        gone = 0
        while gone < len(log) and log[gone][0] <= horizon:
            self.state["used"] -= log[gone][1]
            gone += 1
        del log[:gone]


class TokenBucket(Window):
    """Filled anew, evenly, in `per` seconds."""

    __slots__ = ()

    def left(self, now: float) -> float:
        level, at = float(self.state.get("level", self.capacity)), float(self.state.get("at", now))
        return min(self.capacity, level + (now - at) * self.capacity / self.per)

    def resets(self, now: float) -> float:
        room = self.left(now)
        return now + ((self.capacity - room) * self.per / self.capacity if self.capacity else self.per)

    def _opens(self, now: float, short: float) -> float:
        # to the clock's next microsecond, and one for the last bits of the level
        return now + math.ceil(short * self.per / self.capacity * 1e6) / 1e6 + 1e-6

    def take(self, now: float, cost: float) -> None:
        self.state["level"] = min(self.capacity, self.left(now) - cost)
        self.state["at"] = now


class InFlight(Window):
    """Units come back when they are given back."""

    __slots__ = ()
    cells = IN_FLIGHT

    def resets(self, now: float) -> float:
        return now if self.left(now) > 0 else now + self.per

    def _opens(self, now: float, short: float) -> float:
        return now + self.per


WINDOWS: dict[Algorithm, type[Window]] = {
    "sliding_window": SlidingWindow,
    "fixed_window": FixedWindow,
    "token_bucket": TokenBucket,
    "concurrency": InFlight,
}
