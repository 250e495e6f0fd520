"""What a served request gets: a scripted or generated completion, or what its shape says without one."""

from emulator.exchange import Exchange
from emulator.mechanisms.completions import complete


def produce(ex: Exchange) -> None:
    """Compute the operation's facts (`id`, `created`), then the completion if the operation makes one."""
    operation = ex.active
    for name, template in operation.facts.items():
        ex.scope[name] = template(ex.scope)
    if operation.reader is None:
        ex.note("produce", "shape" if operation.shape else "example", grade=operation.source.grade)
        return
    if ex.request is None:  # a provider whose checks leave out validate
        ex.request = operation.reader.read(ex.scope, ex.provider.tokens)
        ex.scope["request"] = ex.request
    ex.completion = complete(ex.request, ex.scope.entropy, ex.provider.tokens, ex.script)
    ex.scope["completion"] = ex.completion
    ex.scope["usage"] = ex.completion["usage"]
    ex.note("produce", "scripted" if ex.script else "generated")
