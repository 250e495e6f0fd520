"""Time that tests control: real by default, faster for a whole emulator, frozen or moved on request."""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

_PART = r"(\d++(?:\.\d++)?)(ms|s|m|h|d)"
_PARTS, _DURATION = re.compile(_PART), re.compile(f"(?:{_PART})++")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = 253402300799.0  # 9999-12-31T23:59:59Z, the last second a calendar date can name


def parse_duration(text: str | float) -> float:
    """Seconds in a duration such as `350ms`, `60s`, `2h`, `1h30m`, or a plain number of seconds.

    Raises ValueError when the text is something else.
    """
    if isinstance(text, (int, float)):
        return float(text)
    if not _DURATION.fullmatch(text):  # looked at as a whole first: a search begins anew at each of many digits
        raise ValueError(f'"{text}" is not a duration (e.g. 350ms, 60s, 2h)')
    return sum(float(number) * _SECONDS[unit] for number, unit in _PARTS.findall(text))


def written_duration(seconds: float) -> str:
    """The shortest way to write whole days, hours, minutes or seconds; otherwise seconds: `30d`, `90s`, `0.5s`."""
    unit = next((unit for unit in ("d", "h", "m") if seconds and seconds % _SECONDS[unit] == 0), "s")
    return f"{seconds / _SECONDS[unit]:g}{unit}"


def utc(seconds: float) -> datetime:
    """Unix seconds, whole, as a moment of the calendar; what is beyond it is its last second."""
    return _EPOCH + timedelta(seconds=min(int(seconds), int(LATEST)))  # `fromtimestamp` ends in 3000 on Windows


@lru_cache(4096)  # what is listed has the same moments each time
def iso8601(seconds: float) -> str:
    """`2024-01-01T00:00:00Z` for Unix seconds, in UTC, whole seconds."""
    return _written(int(seconds), "%Y-%m-%dT%H:%M:%SZ")


def iso8601_micros(seconds: float) -> str:
    """`2024-01-01T00:00:00.250000` for Unix seconds, in UTC, with its microseconds and without a zone."""
    whole, rest = divmod(microseconds(seconds), 1_000_000)
    return f"{_written(whole, '%Y-%m-%dT%H:%M:%S')}.{rest:06}"


def http_date(seconds: float) -> str:
    """`Mon, 01 Jan 2024 00:00:00 GMT` for Unix seconds (RFC 9110, IMF-fixdate)."""
    return _http_date(int(seconds))


@lru_cache(maxsize=64)
def _http_date(seconds: int) -> str:
    return format_datetime(utc(seconds), usegmt=True)  # in English; the names of `strftime` are the locale's


@lru_cache(maxsize=64)  # most requests of a second ask for the same few
def _written(seconds: int, form: str) -> str:
    return utc(seconds).strftime(form)


@dataclass(frozen=True, slots=True)
class TimeScale:
    """How fast the emulator's time runs: so many of its seconds in one of a client's, from a moment on."""

    speed: float = 1.0
    began: float = field(default_factory=time.time)

    def now(self) -> float:
        """Unix seconds of the emulator's time."""
        real = time.time()
        return real if self.speed == 1 else self.began + (real - self.began) * self.speed

    def client_seconds(self, seconds: float) -> float:
        """A duration of the emulator's time in seconds of a client's, never too short by a rounding."""
        return seconds if self.speed == 1 else math.ceil(round(seconds / self.speed * 1e6, 3)) / 1e6


REAL = TimeScale()


def moment(state: Mapping[str, Any], scale: TimeScale = REAL) -> float:
    """Unix seconds, to the microsecond, by a clock of which this is the state."""
    frozen = state.get("frozen")
    if frozen is not None:
        return float(frozen)
    seconds = scale.now() + state.get("offset", 0.0)
    return to_microseconds(seconds) if seconds < LATEST else LATEST


def to_microseconds(seconds: float) -> float:
    """Unix seconds, as precise as a clock tells them."""
    return round(seconds * 1e6) / 1e6


def microseconds(seconds: float) -> int:
    """Whole ones, in which times can be compared and added without dust."""
    return round(seconds * 1e6)


class Clock:
    """One tenant's time. Its state is a plain dict, so that a store can keep it."""

    __slots__ = ("_scale", "_state")

    def __init__(self, state: dict[str, Any], scale: TimeScale = REAL) -> None:
        self._state = state
        self._scale = scale

    def now(self) -> float:
        """Unix seconds, to the microsecond."""
        return moment(self._state, self._scale)

    @property
    def frozen(self) -> bool:
        return self._state.get("frozen") is not None

    def freeze(self, at: float | None = None) -> float:
        """Stop time, at `at` Unix seconds or now."""
        moment = self.now() if at is None else float(at)
        if not 0 <= moment <= LATEST:
            raise ValueError(f"{moment} is outside the years 1970 to 9999")
        self._state["frozen"] = moment
        return moment

    def advance(self, duration: str | float) -> float:
        """Move time forward by a duration; a frozen clock stays frozen at the new moment."""
        seconds = parse_duration(duration)
        if not (seconds >= 0 and self.now() + seconds <= LATEST):
            raise ValueError(f"cannot advance by {duration!r}: time runs forward, up to the year 9999")
        if self.frozen:
            self._state["frozen"] = round(float(self._state["frozen"]) + seconds, 6)
        else:
            self._state["offset"] = float(self._state.get("offset", 0.0)) + seconds
        return self.now()

    def resume(self) -> float:
        """Let time run again, from the moment it shows."""
        frozen = self._state.pop("frozen", None)
        if frozen is not None:
            self._state["offset"] = float(frozen) - self._scale.now()
        return self.now()
