"""Scenarios: named sequences of steps, played one matching request after another.

What is being played is plain data in a tenant's cell: a list of plays, each `{name, by, steps?, index,
done}`. The first play in the list that has a step left decides; failures asked for by a test are plays
of one step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emulator.mechanisms.completions import Script
from emulator.mechanisms.expressions import Expression, Scope
from emulator.mechanisms.faults import Fault
from emulator.refusals import RefusalName


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to `times` matching requests (None: to all that follow)."""

    times: int | None
    operation: str | None
    when: Expression | None
    refuse: RefusalName | None
    facts: dict[str, Any]
    script: Script | None
    fault: Fault | None
    probability: float | None
    where: str

    @property
    def plain(self) -> bool:
        return self.refuse is None and self.script is None and self.fault is None

    @property
    def open_end(self) -> bool:
        """Whether the step is the "and then as usual" that ends a scenario."""
        return self.plain and self.times is None


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    steps: tuple[Step, ...]
    summary: str = ""


Plays = list[dict[str, Any]]


def start(plays: Plays, name: str, by: str, steps: str | None = None) -> dict[str, Any]:
    """Add a play. `steps` is JSON text, given for plays that no fixture declares; `by` says who asked."""
    play: dict[str, Any] = {"name": name, "by": by, "index": 0, "done": 0}
    if steps is not None:
        play["steps"] = steps
    plays.append(play)
    return play


def unfinished(play: dict[str, Any], scenario: Scenario) -> bool:
    """Whether a play has steps that no request has met."""
    rest = scenario.steps[play["index"] :]
    return any(not step.open_end for step in rest)


def current(play: dict[str, Any], scenario: Scenario) -> Step | None:
    return scenario.steps[play["index"]] if play["index"] < len(scenario.steps) else None


def advance(play: dict[str, Any], step: Step) -> None:
    """Count one request met by the current step."""
    play["done"] += 1
    if step.times is not None and play["done"] >= step.times:
        play["index"] += 1
        play["done"] = 0


def meets(step: Step, operation: str, scope: Scope) -> bool:
    """Whether a request is one the step is for."""
    return step.operation in (None, operation) and (step.when is None or step.when.holds(scope))


def next_step(
    plays: Plays, lookup: Callable[[dict[str, Any]], Scenario | None], operation: str, scope: Scope
) -> tuple[dict[str, Any], Step] | None:
    """The step this request meets, already counted, or None when no play has one for it.

    A play that has come to its "and then as usual" leaves the request to the plays after it.
    """
    usual = None
    for play in plays:
        scenario = lookup(play)
        step = current(play, scenario) if scenario else None
        if step is None or not meets(step, operation, scope):
            continue
        if not step.open_end:
            advance(play, step)
            return play, step
        usual = usual or (play, step)
    return usual
