"""The failure or scripted reply that a test, a scenario or the control API has in store."""

from emulator.exchange import Exchange, Refused
from emulator.mechanisms import scenarios
from emulator.refusals import RefusalName

_STRENGTH = ("control", "header", "default")


def disrupt(ex: Exchange) -> None:
    """May refuse with anything; or leaves a script for `produce` and faults for `encode`."""
    plays = _plays(ex)
    found = scenarios.next_step(plays, ex.provider.played, ex.active.id, ex.scope, ex.now) if plays else None
    if found is None:
        _tell_passed(ex, plays)
    if len(plays) > 1:
        scenarios.forget(ex.tenant.cell("plays", ex.provider.id, list), ex.provider.played, found and found[0])
    if found is None:
        return
    play, step = found
    spared = step.probability is not None and ex.scope.entropy.random.random() >= step.probability
    ex.note("disrupt", play["name"], step=step.where, by=play["by"], **({"spared": True} if spared else {}))
    if spared:
        return
    if step.fault is not None:
        ex.faults.append(step.fault.at_pace(ex.runtime.pace))
    if step.latency is not None:
        ex.step_latency = (step.latency, play["by"])
    ex.script = step.script
    if step.refuse is not None:
        _choose(ex, step.refuse, step)
        raise Refused(step.refuse, **step.facts)


def _choose(ex: Exchange, name: RefusalName, step: scenarios.Step) -> None:
    """Of a refusal's replies the one with the status that is asked for; tell where the operation has none such."""
    if step.status is None or ex.error_entry(name, step.facts, step.status) is not None:
        ex.forced_status = step.status
    else:
        ex.notices.append(f"{name} is never answered with {step.status} by {ex.active.id}: this is what it has")


def _tell_passed(ex: Exchange, plays: scenarios.Plays) -> None:
    """Note what had nothing for this request, and why; of what is exhausted, the latest."""
    for play in plays:
        scenario = ex.provider.played(play)
        why = scenarios.passed(play, scenario, ex.now) if scenario is not None else {}
        if why and ("exhausted" not in why or play is plays[-1]):
            ex.note("disrupt", play["name"], by=play["by"], **why)


def _plays(ex: Exchange) -> scenarios.Plays:
    """The tenant's plays for this provider; the scenario every tenant starts with is begun on first sight."""
    default = ex.runtime.scenarios.get(ex.provider.id)
    if default is None and not ex.tenant.peek("plays", ex.provider.id):
        return []
    plays: scenarios.Plays = ex.tenant.cell("plays", ex.provider.id, list)
    if default is not None and not any(play["by"] == "default" for play in plays):
        scenarios.start(plays, default, "default")
    asked = ex.headers.get("x-emulator-scenario", "").strip()
    mine = [play for play in plays if play["by"] != "header" or play["name"] == asked]
    return mine if len(mine) < 2 else sorted(mine, key=lambda play: _STRENGTH.index(play["by"]))
