"""Rate limit windows, and requests in flight. Each is a pure function of a cell of plain data and the clock.

All four admit a request of a given cost only while the capacity holds, and answer how much is left and when room
comes back. `concurrency` knows no time: its units come back when they are given back, and `per` is how long a refused
request is told to wait. `limits` makes of them what a request meets.
"""

import math
from typing import Any, Literal, NamedTuple

from emulator.mechanisms.store import Tenant

KINDS = ("windows", "in_flight")
MOST_KEPT = 4096
Algorithm = Literal["sliding_window", "fixed_window", "token_bucket", "concurrency"]


class Standing(NamedTuple):
    """What a limit says of itself: units left, and Unix seconds at which (more) room comes back."""

    limit: float
    remaining: float
    reset: float

    def facts(self, now: float) -> dict[str, Any]:
        return {
            "limit": _whole(self.limit),
            "remaining": _whole(max(self.remaining, 0)),
            "reset": self.reset,
            "reset_after": max(self.reset - now, 0.0),
        }


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


def standing(state: dict[str, Any], algorithm: Algorithm, capacity: float, per: float, now: float) -> Standing:
    """How the limit stands at `now`, without taking anything. `per` is in seconds."""
    room = left(state, algorithm, capacity, per, now)
    if algorithm == "sliding_window":
        log = state.get("log")
        return Standing(capacity, room, log[0][0] + per if log else now)
    if algorithm == "fixed_window":
        return Standing(capacity, room, now - now % per + per)
    if algorithm == "concurrency":
        return Standing(capacity, room, now if room > 0 else now + per)
    return Standing(capacity, room, now + (capacity - room) * per / capacity if capacity else now + per)


def left(state: dict[str, Any], algorithm: Algorithm, capacity: float, per: float, now: float) -> float:
    """The units left at `now`."""
    if algorithm == "fixed_window":
        return capacity - float(state["used"]) if state.get("start") == now - now % per else capacity
    if algorithm == "sliding_window":
        _forget(state, round(now - per, 6))  # the clock's own precision, or float dust delays the reset
        return capacity - float(state.get("used", 0))
    if algorithm == "concurrency":
        return capacity - float(state.get("used", 0))
    return min(capacity, float(state.get("level", capacity)) + (now - float(state.get("at", now))) * capacity / per)


def opens(state: dict[str, Any], algorithm: Algorithm, capacity: float, per: float, now: float, cost: float) -> float:
    """The moment from which `cost` units fit, if nobody takes any meanwhile; a whole window on for what never fits."""
    if cost > capacity:
        return now + per
    short = cost - left(state, algorithm, capacity, per, now)
    if short <= 1e-9:
        return now
    if algorithm == "token_bucket":  # to the clock's next microsecond, and one for the last bits of the level
        return now + math.ceil(short * per / capacity * 1e6) / 1e6 + 1e-6
    if algorithm == "sliding_window":
        for at, used in state.get("log", ()):
            short -= used
            if short <= 1e-9:
                return float(at) + per
    return now + per if algorithm == "concurrency" else standing(state, algorithm, capacity, per, now).reset


def take(state: dict[str, Any], algorithm: Algorithm, capacity: float, per: float, now: float, cost: float) -> None:
    """Use `cost` units at `now`. A negative cost gives units back."""
    room = left(state, algorithm, capacity, per, now)
    if algorithm == "sliding_window":
        state.setdefault("log", []).append([now, cost])
        state["used"] = state.get("used", 0) + cost
    elif algorithm == "fixed_window":
        state["start"] = now - now % per
        state["used"] = capacity - room + cost
    elif algorithm == "concurrency":
        state["used"] = state.get("used", 0) + cost
    else:
        state["level"] = min(capacity, room - cost)
        state["at"] = now


def _forget(state: dict[str, Any], horizon: float) -> None:
    """Drop what left a sliding window: the window at `now` is (now - per, now]."""
    log = state.get("log")
    if not log or log[0][0] > horizon:
        return
    gone = 0
    while gone < len(log) and log[gone][0] <= horizon:
        state["used"] -= log[gone][1]
        gone += 1
    del log[:gone]
