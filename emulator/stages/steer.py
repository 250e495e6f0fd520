"""Does the client ask for a particular outcome? By header, or by a test credential.

What a test or the control API has queued is stronger and is left to `disrupt`.
"""

import re

from emulator.exchange import Exchange
from emulator.mechanisms import credentials, scenarios
from emulator.mechanisms.fault_catalogue import OF_REQUESTS, fault
from emulator.mechanisms.faults import Fault
from emulator.refusals import REFUSALS, RefusalName

_OUTCOMES = frozenset({"x-emulator-fault", "x-emulator-refuse", "prefer"})
_STEERING = _OUTCOMES | {"x-emulator-scenario", "x-emulator-latency"}
_SPELT = {name: name.title() for name in sorted(_STEERING)}
_STATUS = 3  # digits
_MOST_SHOWN = 200  # characters of what was asked for
_CODE = re.compile(r"\bcode=\"?([^\s\",;]*)")


def steer(ex: Exchange) -> None:
    """Set `forced` to the refusal asked for, start the scenario asked for, note what cannot be honoured."""
    key = ex.credential.key if ex.credential is not None else ""
    by_key = key.startswith(credentials.STEERED)
    if not by_key and _STEERING.isdisjoint(ex.headers):
        return
    if "x-emulator-scenario" in ex.headers:
        _scenario(ex, ex.headers["x-emulator-scenario"].strip())
    if "x-emulator-latency" in ex.headers:
        _latency(ex, ex.headers["x-emulator-latency"].strip())
    if (not by_key and _OUTCOMES.isdisjoint(ex.headers)) or _queued(ex):
        return
    if "x-emulator-fault" in ex.headers:
        _fault(ex, ex.headers["x-emulator-fault"].strip(), "X-Emulator-Fault")
    if "x-emulator-refuse" in ex.headers:
        _force(ex, ex.headers["x-emulator-refuse"].strip(), "X-Emulator-Refuse")
    elif code := _CODE.search(ex.headers.get("prefer", "")):
        _force_status(ex, code[1])
    elif name := credentials.steered(key):
        _force(ex, name, "the key")
    elif asked := credentials.faulty(key):
        _fault(ex, asked, "the key")
    elif credentials.misspelt(key):
        there = f"refusals {', '.join(REFUSALS)}; faults {', '.join(OF_REQUESTS)}"
        ex.notices.append(f"the key {key} names no refusal and no fault; there are {there}")


def pass_over(ex: Exchange) -> None:
    """Tell of what is asked for by a request that met no operation, or in store for it: nothing comes of that."""
    key = ex.credential.key if ex.credential is not None else ""
    asked = [spelt for name, spelt in _SPELT.items() if name in ex.headers and name != "prefer"]
    if _CODE.search(ex.headers.get("prefer", "")):
        asked.append("Prefer")
    if credentials.steered(key) or credentials.faulty(key):
        asked.append("the key")
    if asked:
        ex.notices.append(f"{', '.join(asked)}: this request meets no operation, and only those that do can be steered")
    if _queued(ex):
        ex.notices.append("what is queued waits for a request that meets an operation: this one meets none")


def _queued(ex: Exchange) -> bool:
    """Whether a test or the control API has something in store that this request may meet, or any if it met nothing."""
    for play in ex.tenant.peek("plays", ex.provider.id) or []:
        scenario = ex.provider.played(play)
        step = scenarios.current(play, scenario, ex.now) if scenario is not None else None
        if play["by"] != "control" or step is None or step.open_end:
            continue
        if ex.operation is None or step.operation in (None, ex.operation.id):
            return True
    return False


def _force(ex: Exchange, name: str, asked_by: str) -> None:
    if name in ex.provider.errors and name in REFUSALS:
        ex.forced = next(n for n in REFUSALS if n == name)
        ex.note("steer", name, by=asked_by)
    elif name in REFUSALS:
        ex.notices.append(f"{asked_by}: {name} has no reply here; there are {', '.join(ex.provider.errors)}")
    else:
        ex.notices.append(f"{asked_by}: {name} is no refusal; there are {', '.join(REFUSALS)}")


def _force_status(ex: Exchange, code: str) -> None:
    status = int(code) if len(code) == _STATUS and code.isdecimal() else 0
    if status == ex.active.success:
        ex.preference_applied = f"code={status}"
        return
    name = _answering(ex, status)
    if name is None:
        why = "has no reply in" if status in ex.active.statuses else "is not a status of"
        there = ", ".join(str(s) for s in ex.active.statuses if s == ex.active.success or _answering(ex, s))
        ex.notices.append(f"Prefer: code={code} {why} {ex.active.id}; there are {there}")
        return
    ex.forced, ex.forced_status = name, status
    ex.preference_applied = f"code={status}"
    ex.note("steer", name, by=f"Prefer: code={status}")


def _answering(ex: Exchange, status: int) -> RefusalName | None:
    """The refusal that the operation answers with a status: one that it can meet, or else any."""
    others = ex.provider.errors if status in ex.active.statuses else ()
    return next((name for name in (*ex.active.refusals, *others) if ex.error_entry(name, {}, status)), None)


def _fault(ex: Exchange, asked: str, asked_by: str) -> None:
    """Let the reply meet a fault, by its name or as JSON with its arguments: `{"cut": {"after_events": 2}}`."""
    try:
        chosen = fault(asked, {}) if asked in OF_REQUESTS else _declared_fault(ex, asked)
    except ValueError as error:
        shown = asked if len(asked) <= _MOST_SHOWN else f"{asked[:_MOST_SHOWN]}..."
        ex.notices.append(f"{asked_by}: {shown} is not a fault of replies: {error}")
        return
    ex.faults.append(chosen)
    ex.note("steer", chosen.name, by=asked_by)


def _declared_fault(ex: Exchange, asked: str) -> Fault:
    """The fault that JSON says. Raises ValueError with what would be right."""
    if not asked.startswith("{"):
        raise ValueError(f"there are {', '.join(OF_REQUESTS)}")
    (step,) = ex.provider.compile_steps("X-Emulator-Fault", f'[{{"fault": {asked}}}]').steps
    if step.fault is None:
        raise ValueError("name one")
    return step.fault


def _latency(ex: Exchange, name: str) -> None:
    """Only to tell of a profile that there is not: which one the reply has is `delay`'s to choose."""
    profiles = ex.provider.latency.profiles
    if name not in profiles:
        known = ", ".join(profiles) or "none"
        ex.notices.append(f"X-Emulator-Latency: {name} is no latency profile of {ex.provider.id}; there are: {known}")


def _scenario(ex: Exchange, name: str) -> None:
    if name not in ex.provider.scenarios:
        known = ", ".join(ex.provider.scenarios) or "none"
        ex.notices.append(f"X-Emulator-Scenario: {name} is not a scenario of {ex.provider.id}; there are: {known}")
        return
    plays = ex.tenant.cell("plays", ex.provider.id, list)
    if not any(play["name"] == name and play["by"] == "header" for play in plays):
        scenarios.start(plays, name, "header")
