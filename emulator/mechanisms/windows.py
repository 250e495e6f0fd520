"""Rate limit windows, and requests in flight. Each is a pure function of a cell of plain data and the clock.

All four admit a request of a given cost only while the capacity holds, and answer how much is left and when room
comes back. `concurrency` knows no time: its units come back when they are given back, and `per` is how long a refused
request is told to wait. `limits` makes of them what a request meets.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

Algorithm = Literal["sliding_window", "fixed_window", "token_bucket", "concurrency"]


@dataclass(frozen=True, slots=True)
class Standing:
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


def standing(state: dict[str, Any], algorithm: Algorithm, capacity: float, per: float, now: float) -> Standing:
    """How the limit stands at `now`, without taking anything. `per` is in seconds."""
    if algorithm == "sliding_window":
        _forget(state, round(now - per, 6))  # the clock's own precision, or float dust delays the reset
        log = state.get("log", ())
        return Standing(capacity, capacity - state.get("used", 0), log[0][0] + per if log else now)
    if algorithm == "fixed_window":
        start = now - now % per
        used = state.get("used", 0) if state.get("start") == start else 0
        return Standing(capacity, capacity - used, start + per)
    if algorithm == "concurrency":
        left = capacity - state.get("used", 0)
        return Standing(capacity, left, now if left > 0 else now + per)
    level = min(capacity, state.get("level", capacity) + (now - state.get("at", now)) * capacity / per)
    return Standing(capacity, level, now + (capacity - level) * per / capacity if capacity else now + per)


def opens(state: dict[str, Any], algorithm: Algorithm, capacity: float, per: float, now: float, cost: float) -> float:
    """The moment from which `cost` units fit, if nobody takes any meanwhile; a whole window on for what never fits."""
    if cost > capacity:
        return now + per
    found = standing(state, algorithm, capacity, per, now)
    short = cost - found.remaining
    if short <= 1e-9:
        return now
    if algorithm == "token_bucket":  # to the clock's next microsecond, and one for the last bits of the level
        return now + math.ceil(short * per / capacity * 1e6) / 1e6 + 1e-6
    if algorithm == "sliding_window":
        for at, used in state.get("log", ()):
            short -= used
            if short <= 1e-9:
                return float(at) + per
    return now + per if algorithm == "concurrency" else found.reset


def take(state: dict[str, Any], algorithm: Algorithm, capacity: float, per: float, now: float, cost: float) -> None:
    """Use `cost` units at `now`. A negative cost gives units back."""
    left = standing(state, algorithm, capacity, per, now).remaining
    if algorithm == "sliding_window":
        state.setdefault("log", []).append([now, cost])
        state["used"] = state.get("used", 0) + cost
    elif algorithm == "fixed_window":
        state["start"] = now - now % per
        state["used"] = capacity - left + cost
    elif algorithm == "concurrency":
        state["used"] = state.get("used", 0) + cost
    else:
        state["level"] = min(capacity, left - cost)
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
