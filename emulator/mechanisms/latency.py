"""How long replies take: what the first token, each further one and the prompt cost, and what load adds to it.

A profile is compiled data; a timing is what one exchange draws from it, in the order in which it asks. All is in
seconds of the provider, before the pace of the server.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from emulator.mechanisms.expressions import Expression
from emulator.mechanisms.records import record

Draws = Callable[[random.Random], Iterator[float]]
"""Chance -> endless durations."""


def fixed(chance: random.Random, *, seconds: float) -> Iterator[float]:
    """Always the same."""
    while True:
        yield seconds


def uniform(chance: random.Random, *, least: float, most: float) -> Iterator[float]:
    """Anything between two durations, all equally likely."""
    while True:
        yield chance.uniform(least, most)


def log_normal(chance: random.Random, *, median: float, sigma: float) -> Iterator[float]:
    """Half of them below the median, and a long tail: `sigma` is the deviation of their logarithm."""
    while True:
        yield median * chance.lognormvariate(0.0, sigma)


def recorded(chance: random.Random, *, durations: tuple[float, ...]) -> Iterator[float]:
    """Durations as they were measured, over and over, from a place that chance chooses."""
    place = chance.randrange(len(durations))
    while True:
        yield durations[place]
        place = (place + 1) % len(durations)


@record
class Load:
    """What requests in flight cost each other: nothing up to `free` of them, then each slows all by so much."""

    free: int = 0
    slower: float = 0.0

    def factor(self, in_flight: int) -> float:
        """How many times longer everything takes."""
        return 1.0 + self.slower * max(in_flight - self.free, 0)


@record
class Profile:
    """The durations of one named latency profile."""

    first_token: Draws
    gap: Draws
    reply: Draws
    """Before a reply that has no tokens."""
    prefill: float
    """Seconds for each thousand tokens of the prompt."""
    load: Load = Load()


@record
class Choice:
    """Which requests have which profile, by its name."""

    operations: tuple[str, ...] | None
    when: Expression | None
    profile: str


@dataclass(slots=True)
class Timing:
    """The waits of one exchange by one profile; those drawn so far are kept, for the journal."""

    profile: Profile
    chance: random.Random
    factor: float = 1.0
    """How many times longer everything takes, under load."""
    first: float = 0.0
    gaps: list[float] = field(default_factory=list)
    total: float = 0.0
    _gaps: Iterator[float] | None = None

    @property
    def facts(self) -> dict[str, float]:
        """What a reply can tell of its own time."""
        return {"first_token": self.first, "seconds": self.total}

    def first_token(self, prompt_tokens: int) -> float:
        """Seconds before the first token of a reply to so long a prompt."""
        prefill = self.profile.prefill * prompt_tokens / 1000
        self.first = self._kept(next(self.profile.first_token(self.chance)) + prefill)
        return self.first

    def gap(self) -> float:
        """Seconds between a token and the next one."""
        if self._gaps is None:
            self._gaps = self.profile.gap(self.chance)
        self.gaps.append(self._kept(next(self._gaps)))
        return self.gaps[-1]

    def reply(self) -> float:
        """Seconds before a reply that has no tokens."""
        self.first = self._kept(next(self.profile.reply(self.chance)))
        return self.first

    def _kept(self, seconds: float) -> float:
        """A duration under load, to the microsecond, added to the others."""
        kept = round(seconds * self.factor, 6)
        self.total = round(self.total + kept, 6)
        return kept
