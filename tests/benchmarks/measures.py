"""What a row says: samples of a figure, each beside its reference, and the goal they are held to."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from time import monotonic
from typing import Any, Generic, Literal, TypeVar

from .machine import Server, Use, Watch

Figure = TypeVar("Figure")

QUIET = 12.0
"""Percent of all CPUs that others may use while a pair is measured, before the figure is called noisy."""
_FEWEST = 3


@dataclass(frozen=True)
class Goal:
    """A bound on a figure."""

    sense: Literal[">=", "<="]
    bound: float

    def met(self, value: float) -> bool:
        return value >= self.bound if self.sense == ">=" else value <= self.bound


@dataclass(frozen=True)
class Sample:
    """A figure of one pair, what both sides measured, and the share of the CPUs that others had meanwhile."""

    value: float
    tested: float
    reference: float | None = None
    foreign: float = 0.0
    cpu: float | None = None
    """The same figure made of CPU time instead of time that passed: what a busy machine bends least."""


@dataclass(frozen=True)
class Measure:
    """A line of the table. `unit` is empty for ratios; `shown` is the unit of what both sides measured.

    What has no goal is there for comparison.
    """

    row: int
    what: str
    reference: str
    goal: Goal | None
    samples: Sequence[Sample]
    unit: str = ""
    shown: str = ""

    @property
    def used(self) -> list[Sample]:
        """The quiet samples; when fewer than five are quiet, the five quietest."""
        by_noise = sorted(self.samples, key=lambda sample: sample.foreign)
        quiet = [sample for sample in by_noise if sample.foreign <= QUIET]
        return quiet if len(quiet) >= 5 else by_noise[:5]

    @property
    def value(self) -> float:
        return median(sample.value for sample in self.used)

    @property
    def spread(self) -> tuple[float, float]:
        values = [sample.value for sample in self.used]
        return min(values), max(values)

    @property
    def foreign(self) -> float:
        """The largest share of the CPUs that others had in a sample that counts."""
        return max(sample.foreign for sample in self.used)

    def as_json(self) -> dict[str, Any]:
        """The samples and what they come to: figure, spread, verdict and what both sides measured, in the middle."""
        low, high = self.spread
        references = [sample.reference for sample in self.used if sample.reference is not None]
        cpus = [sample.cpu for sample in self.used if sample.cpu is not None]
        return {
            **asdict(self),
            "value": self.value,
            "low": low,
            "high": high,
            "met": None if self.goal is None else self.goal.met(self.value),
            "tested": median(sample.tested for sample in self.used),
            "beside": median(references) if references else None,
            "cpu": median(cpus) if cpus else None,
            "foreign": self.foreign,
        }


@dataclass(frozen=True)
class Skipped:
    """A row that was not measured, and why."""

    row: int
    reason: str

    def as_json(self) -> dict[str, Any]:
        return {"row": self.row, "skipped": self.reason}


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    pairs: int = 5
    more: int = 2
    """Pairs that are measured on top, when too few of them were quiet."""
    seconds: float = 60
    """What a row takes no more pairs after, once it has three."""

    def at_most(self, pairs: int) -> "Plan":
        """For what takes long: fewer pairs, and none on top."""
        return replace(self, pairs=min(self.pairs, pairs), more=0)

    def times(self, factor: int) -> "Plan":
        """For what is short, and differs less from its reference than from itself a moment later: more pairs."""
        return replace(self, pairs=self.pairs * factor, more=self.more * factor)


Change = Callable[[float, float], float]


def ratio(tested: float, reference: float) -> float:
    return tested / reference


def difference(tested: float, reference: float) -> float:
    return tested - reference


def tested_alone(tested: float, _: float) -> float:
    return tested


@dataclass(frozen=True)
class Pair(Generic[Figure]):
    """What both sides measured one after the other, and what it took."""

    reference: Figure
    tested: Figure
    reference_use: Use
    tested_use: Use

    @property
    def foreign(self) -> float:
        return max(self.reference_use.foreign, self.tested_use.foreign)

    def rate(self, of: Callable[[Figure], float], done: Callable[[Figure], float]) -> Sample:
        """How much of something was done a second, to the reference; `done` is how much in all."""
        costs = [use.cpu / done(figure) for use, figure in self._sides()]
        cpu = ratio(costs[0], costs[1]) if min(costs) > 0 else None
        return self._sample(of, ratio, cpu)

    def time(self, of: Callable[[Figure], float], change: Change = ratio) -> Sample:
        """How long something took, to the reference; its CPU time is that of the whole measurement."""
        reference, tested = (1000 * use.cpu for use, _ in self._sides())
        return self._sample(of, change, change(tested, reference) if reference and tested else None)

    def figure(self, of: Callable[[Figure], float], change: Change = tested_alone) -> Sample:
        """What CPU time says nothing about."""
        return self._sample(of, change, None)

    def _sides(self) -> tuple[tuple[Use, Figure], tuple[Use, Figure]]:
        return (self.reference_use, self.reference), (self.tested_use, self.tested)

    def _sample(self, of: Callable[[Figure], float], change: Change, cpu: float | None) -> Sample:
        reference, tested = of(self.reference), of(self.tested)
        return Sample(change(tested, reference), tested, reference, self.foreign, cpu)


def paired(
    plan: Plan, reference: Callable[[], Figure], tested: Callable[[], Figure], servers: Sequence[Server] = ()
) -> list[Pair[Figure]]:
    """Both in turn, `plan.pairs` times: a few times more while fewer were quiet, fewer when it takes long."""
    pairs: list[Pair[Figure]] = []
    until = monotonic() + plan.seconds
    while sum(pair.foreign <= QUIET for pair in pairs) < plan.pairs and len(pairs) < plan.pairs + plan.more:
        if len(pairs) >= _FEWEST and monotonic() > until:
            break
        (first, first_use), (second, second_use) = (_watched(side, servers) for side in (reference, tested))
        pairs.append(Pair(first, second, first_use, second_use))
    return pairs


def _watched(side: Callable[[], Figure], servers: Sequence[Server]) -> tuple[Figure, Use]:
    watch = Watch(*servers)
    return side(), watch.use()


def in_turn(plan: Plan, reference: Server, tested: Server, load: Callable[[Server], Figure]) -> list[Pair[Figure]]:
    """The same load on both servers, after one that only warms them."""
    load(reference)
    load(tested)
    return paired(plan, lambda: load(reference), lambda: load(tested), (reference, tested))
