"""Limits and the ledger learn what a served request really used."""

from decimal import Decimal

from emulator.exchange import Exchange
from emulator.mechanisms import ledger


def settle(ex: Exchange) -> None:
    """Correct the units of limits that count what only the reply shows; charge the account."""
    for rule, limited, cost in ex.taken:
        if rule.settle is not None and (more := rule.settle.number(ex.scope, 0) - cost):
            limited.use(ex.now, more)
    _charge(ex)


def _charge(ex: Exchange) -> None:
    prices = ex.provider.prices
    if prices is None or ex.active.id not in prices.charges or not ex.active.secured or not ex.holds(prices.when):
        return
    if ex.account is None:
        return
    model = ex.request["model"] if ex.request else None
    lines = prices.charges[ex.active.id]
    amount = sum((line.amount(ex.scope) for line in lines), Decimal(0))
    entry = {"id": ex.scope["id"], "at": ex.now, "model": model, "usage": ex.scope["usage"]}
    left = ex.account.charge(ex.active.id, amount, entry)
    ex.charged = {"amount": ledger.text(amount), "balance": ledger.text(left)}
    ex.note("settle", "charged", **ex.charged)
