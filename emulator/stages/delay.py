"""How long the reply takes: by a latency profile that is asked for, or that the provider's data mean for it."""

from emulator.exchange import Exchange
from emulator.mechanisms.latency import Timing
from emulator.mechanisms.store import IN_FLIGHT
from emulator.mechanisms.tokens import pieces


def delay(ex: Exchange) -> None:
    """Set `timing`; refuses nothing. A stream draws from it event by event, any other reply has its whole time here.

    Without a profile, the stream's own pace holds, and what is no stream comes at once.
    """
    name, by = _wish(ex) if ex.provider.latency.profiles else (None, "")
    if name is None:
        name, by = _meant(ex), "data"
    if name is None:
        return
    profile = ex.provider.latency.profiles[name]
    in_flight = ex.tenant.peek(IN_FLIGHT, ex.provider.id).used
    factor = profile.durations.load.factor(in_flight)
    ex.timing = Timing(profile.durations, ex.scope.entropy.fork("latency").random, factor)
    ex.note("delay", name, by=by, in_flight=in_flight, grade=profile.source.grade)
    if not ex.streaming:
        _whole(ex, ex.timing)
        ex.scope["timing"] = ex.timing.facts


def _whole(ex: Exchange, timing: Timing) -> None:
    """Draw the time of a reply that is no stream: a completion takes that of its tokens all the same."""
    if ex.active.reader is None or ex.request is None:
        timing.reply()
        return
    timing.first_token(ex.request["prompt_tokens"])
    for choice in ex.completion["choices"] if ex.completion is not None else ():
        texts = [choice["text"] or "", *(call["arguments"] for call in choice["tool_calls"] or [])]
        for _ in range(sum(len(pieces(text)) for text in texts)):
            timing.gap()


def _wish(ex: Exchange) -> tuple[str | None, str]:
    """The strongest profile that is asked for and that there is, and who asks."""
    step, player = ex.step_latency or (None, "")
    kept = ex.tenant.peek("latency", ex.provider.id)
    asked = ex.headers.get("x-emulator-latency")
    default = ex.runtime.latency.get(ex.provider.id)
    if not (step or kept or asked or default):
        return None, ""
    wishes = (
        (step if player == "control" else None, "step"),
        ((kept or {}).get("profile"), "control"),
        ((asked or "").strip(), "header"),
        (step, "step"),
        (default, "default"),
    )
    profiles = ex.provider.latency.profiles
    return next(((name, by) for name, by in wishes if name and name in profiles), (None, ""))


def _meant(ex: Exchange) -> str | None:
    """What the provider's data say of this request."""
    for rule in ex.provider.latency.rules:
        if ex.meant(rule.operations) and ex.holds(rule.when):
            return rule.profile
    return ex.provider.latency.default
