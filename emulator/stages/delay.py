"""How long the reply takes: by a latency profile that is asked for, or that the provider's data mean for it."""

from collections.abc import Iterator

from emulator.exchange import Exchange
from emulator.mechanisms.latency import Timing
from emulator.mechanisms.tokens import pieces


def delay(ex: Exchange) -> None:
    """Set `timing`; refuses nothing. A stream draws from it event by event, any other reply has its whole time here.

    Without a profile, the stream's own pace holds, and what is no stream comes at once.
    """
    name, by = next(_wishes(ex), (None, None))
    if name is None:
        name, by = _meant(ex), "data"
    if name is None:
        return
    profile = ex.provider.latency.profiles[name]
    in_flight = ex.tenant.peek("in_flight", ex.provider.id)["used"]
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


def _wishes(ex: Exchange) -> Iterator[tuple[str, str]]:
    """The profiles that are asked for and that there are, strongest first, and who asks."""
    if not ex.provider.latency.profiles:
        return
    step, player = ex.step_latency or ("", "")
    kept = (ex.tenant.peek("latency", ex.provider.id) or {}).get("profile")
    for name, by in (
        (step if player == "control" else "", "step"),
        (kept, "control"),
        (ex.headers.get("x-emulator-latency", "").strip(), "header"),
        (step, "step"),
        (ex.runtime.latency.get(ex.provider.id), "default"),
    ):
        if name and name in ex.provider.latency.profiles:
            yield name, by


def _meant(ex: Exchange) -> str | None:
    """What the provider's data say of this request."""
    for rule in ex.provider.latency.rules:
        if ex.meant(rule.operations) and ex.holds(rule.when):
            return rule.profile
    return ex.provider.latency.default
