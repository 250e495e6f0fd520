"""Rate limit windows. Each is a pure function of a cell of plain data and the clock.

All three admit a request of a given cost only while the capacity holds, and answer how much is left
and when room comes back. `settle` corrects the cost of an admitted request once the real one is known.
"""

import math
from typing import Any, Literal, NamedTuple

from emulator.mechanisms.store import Tenant

KIND = "windows"
MOST_WINDOWS = 8192
Algorithm = Literal["sliding_window", "fixed_window", "token_bucket"]


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


def new() -> dict[str, Any]:
    """An unused window's data."""
    return {}


def held(tenant: Tenant, key: str) -> dict[str, Any]:
    """A tenant's window of a key. A load with ever new keys leaves those behind that were used longest ago."""
    if tenant.peek(KIND, key) is None and len(tenant.cells) % (MOST_WINDOWS // 2) == 0:
        _make_room(tenant)
    state: dict[str, Any] = tenant.cell(KIND, key, new)
    return state


def _make_room(tenant: Tenant) -> None:
    used = {key: _last_use(state) for (kind, key), state in tenant.cells.items() if kind == KIND}
    for key in sorted(used, key=lambda key: used[key])[: -MOST_WINDOWS // 2]:
        tenant.forget(KIND, key)


def _last_use(state: dict[str, Any]) -> float:
    """When something was taken last; of one that was just made, never yet."""
    log = state.get("log")
    moment: float = log[-1][0] if log else state.get("start", state.get("at", math.inf))
    return moment


def standing(state: dict[str, Any], algorithm: Algorithm, capacity: float, per: float, now: float) -> Standing:
    """How the limit stands at `now`, without taking anything. `per` is in seconds."""
    room = left(state, algorithm, capacity, per, now)
    if algorithm == "sliding_window":
        log = state.get("log")
        return Standing(capacity, room, log[0][0] + per if log else now)
    if algorithm == "fixed_window":
        return Standing(capacity, room, now - now % per + per)
    return Standing(capacity, room, now + (capacity - room) * per / capacity if capacity else now + per)


def left(state: dict[str, Any], algorithm: Algorithm, capacity: float, per: float, now: float) -> float:
    """The units left at `now`."""
    if algorithm == "fixed_window":
        return capacity - state["used"] if state.get("start") == now - now % per else capacity
    if algorithm == "sliding_window":
        _forget(state, round(now - per, 6))  # the clock's own precision, or float dust delays the reset
        return capacity - float(state.get("used", 0))
    return min(capacity, state.get("level", capacity) + (now - state.get("at", now)) * capacity / per)


def admits(state: dict[str, Any], algorithm: Algorithm, capacity: float, per: float, now: float, cost: float) -> bool:
    """Whether `cost` units fit at `now`; tolerant of the last bits of a token bucket's level."""
    return left(state, algorithm, capacity, per, now) + 1e-9 >= cost


def take(state: dict[str, Any], algorithm: Algorithm, capacity: float, per: float, now: float, cost: float) -> None:
    """Use `cost` units at `now`. A negative cost gives units back."""
    room = left(state, algorithm, capacity, per, now)
    if algorithm == "sliding_window":
        state.setdefault("log", []).append([now, cost])
        state["used"] = state.get("used", 0) + cost
    elif algorithm == "fixed_window":
        state["start"] = now - now % per
        state["used"] = capacity - room + cost
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
