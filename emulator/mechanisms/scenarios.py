"""Scenarios: named sequences of steps, played one matching request after another.

What is being played is plain data in a tenant's cell: a list of plays, each `{name, by, steps?, index,
done, since?}`. The first play in the list that has a step left decides; failures asked for by a test are plays
of one step.
"""

from collections.abc import Callable
from typing import Any

from emulator.mechanisms.completions import Script
from emulator.mechanisms.expressions import Expression, Scope
from emulator.mechanisms.faults import Fault
from emulator.mechanisms.records import record
from emulator.refusals import RefusalName


@record
class Step:
    """What happens to `times` matching requests (None: to all that follow, or while it lasts)."""

    times: int | None
    lasts: float | None
    """Seconds of the clock after which it is over, met or not."""
    after: float | None
    """Seconds of the clock before it begins."""
    operation: str | None
    when: Expression | None
    refuse: RefusalName | None
    status: int | None
    """Which of the refusal's replies, of those that the operation has."""
    facts: dict[str, Any]
    script: Script | None
    fault: Fault | None
    latency: str | None
    """The profile that those requests are served with."""
    probability: float | None
    where: str

    @property
    def open_end(self) -> bool:
        """Whether the step is the "and then as usual" that ends a scenario: any other is met so often, or so long."""
        return self.times is None and self.lasts is None


@record
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


def unfinished(play: dict[str, Any], scenario: Scenario, now: float) -> Step | None:
    """The step a play has come to, unless it is at its end or only goes on as usual."""
    step = _come_to(play, scenario, now) if "since" in play else _at(play, scenario)
    rest = scenario.steps[play["index"] :]
    return step if any(not step.open_end for step in rest) else None


def _at(play: dict[str, Any], scenario: Scenario) -> Step | None:
    return scenario.steps[play["index"]] if play["index"] < len(scenario.steps) else None


def current(play: dict[str, Any], scenario: Scenario, now: float) -> Step | None:
    """The step a play has come to; None when it is at its end, or before the next one begins."""
    step = _come_to(play, scenario, now)
    waits = step is not None and step.after is not None and now < play.setdefault("since", now) + step.after
    return None if waits else step


def _come_to(play: dict[str, Any], scenario: Scenario, now: float) -> Step | None:
    """The step after those whose time is over, begun or not; the first one's time runs from the first look."""
    while (step := _at(play, scenario)) is not None and step.lasts is not None:
        over = play.setdefault("since", now) + (step.after or 0.0) + step.lasts
        if now < over:
            break
        _go_on(play, over)
    return step


def passed(play: dict[str, Any], scenario: Scenario, now: float) -> dict[str, Any]:
    """Why a play has nothing for a request: it is exhausted, its next step has not begun, or is for others."""
    step = _come_to(play, scenario, now)
    if step is None:
        return {"exhausted": True}
    return {"missed": step.where} if current(play, scenario, now) is not None else {"before": step.where}


def forget(plays: Plays, lookup: Callable[[dict[str, Any]], Scenario | None], met: dict[str, Any] | None) -> None:
    """Leave out what a test asked for and is over, as far as a request looked: up to the play it met.

    The latest play stays: the journal tells that it is exhausted.
    """
    for play in plays[:-1]:
        if play["by"] != "control":
            continue
        scenario = lookup(play)
        if scenario is not None and ((step := _at(play, scenario)) is None or step.open_end):
            plays.remove(play)
        if play is met:
            return


def _go_on(play: dict[str, Any], at: float) -> None:
    play.update(index=play["index"] + 1, done=0, since=at)


def advance(play: dict[str, Any], step: Step, now: float) -> None:
    """Count one request met by the current step."""
    play["done"] += 1
    if step.times is not None and play["done"] >= step.times:
        _go_on(play, now)


def meets(step: Step, operation: str, scope: Scope) -> bool:
    """Whether a request is one the step is for."""
    return step.operation in (None, operation) and (step.when is None or step.when.holds(scope))


def next_step(
    plays: Plays, lookup: Callable[[dict[str, Any]], Scenario | None], operation: str, scope: Scope, now: float
) -> tuple[dict[str, Any], Step] | None:
    """The step this request meets, already counted, or None when no play has one for it.

    A play that has come to its "and then as usual" leaves the request to the plays after it.
    """
    usual = None
    for play in plays:
        scenario = lookup(play)
        step = current(play, scenario, now) if scenario else None
        if step is None or not meets(step, operation, scope):
            continue
        if not step.open_end:
            advance(play, step, now)
            return play, step
        usual = usual or (play, step)
    return usual
