"""The ordered stages and the two exits. Read this first.

    route      address -> provider, tenant, operation
    steer      does the client ask for a particular outcome?
    checks     authenticate, validate, limit, disrupt, in the provider's own order
    produce    the completion or the example
    settle     limits and the ledger learn the real usage
    delay      the latency profile, if one is asked for or meant
    render     status, headers and body: of the reply, or of the refusal
    encode     bytes, or the timed frames of a stream
    record     the journal

A stage adds facts to the exchange or raises `Refused`, which is caught here and nowhere else. Both
exits pass render, encode and record. So does a fixture's expression that fails, or a quirk that does not fit,
wherever it stands: the provider's `server_error` goes out, as far as it can be rendered, and a notice says what it was.
"""

from collections.abc import Callable
from contextlib import suppress

from emulator.exchange import Exchange, Refused
from emulator.mechanisms.expressions import ExpressionError
from emulator.provider import CheckName
from emulator.stages.authenticate import authenticate
from emulator.stages.delay import delay
from emulator.stages.disrupt import disrupt
from emulator.stages.encode import encode
from emulator.stages.limit import limit
from emulator.stages.produce import produce
from emulator.stages.record import record
from emulator.stages.render import render, render_bare
from emulator.stages.route import route
from emulator.stages.settle import settle
from emulator.stages.steer import pass_over, steer
from emulator.stages.validate import validate

Stage = Callable[[Exchange], None]

CHECKS: dict[CheckName, Stage] = {
    "authenticate": authenticate,
    "validate": validate,
    "limit": limit,
    "disrupt": disrupt,
}


def run(exchange: Exchange) -> None:
    """Answer one exchange: afterwards `exchange.reply` is complete. Who sends it says when it is, by `release`.

    Raises Unaddressed when the address names no provider; nothing else.
    """
    with exchange.runtime.store.lock:
        try:
            route(exchange)
            steer(exchange)
            admit(exchange)
            exchange.hold(exchange.provider.id)
            produce(exchange)
            settle(exchange)
            delay(exchange)
        except Refused as refusal:
            exchange.refusal = Refused(refusal.name, **refusal.facts)  # without the traceback, which holds the exchange
            if exchange.operation is None:
                pass_over(exchange)
        except ExpressionError as error:
            fail(exchange, error)
        try:
            reply(exchange)
        except ExpressionError as error:
            fail(exchange, error)
            reply(exchange, bare=True)
        record(exchange)


def fail(exchange: Exchange, error: ExpressionError) -> None:
    """What a fixture says met data that it was not written for."""
    exchange.tell_once(str(error))
    exchange.refusal, exchange.preference_applied = Refused("server_error"), None


def reply(exchange: Exchange, *, bare: bool = False) -> None:
    """Complete the reply; a bare one has nothing but what the refusal is. Raises ExpressionError, unless it is bare."""
    exchange.streaming &= exchange.refusal is None
    (render_bare if bare else render)(exchange)
    encode(exchange)


def admit(exchange: Exchange) -> None:
    """Run the provider's checks, or go straight to the refusal the client asked for."""
    if exchange.forced is not None:
        with suppress(Refused):  # only to learn what the request says: the outcome is settled
            validate(exchange)
        raise Refused(exchange.forced)
    for check in exchange.provider.checks:
        CHECKS[check](exchange)
