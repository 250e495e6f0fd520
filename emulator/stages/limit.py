"""Every limit that applies, then the balance. A refused request uses nothing up."""

from decimal import Decimal, InvalidOperation
from typing import Any

from emulator.exchange import Exchange, Refused
from emulator.mechanisms import ledger, windows
from emulator.mechanisms.expressions import ExpressionError
from emulator.provider import LimitRule


def limit(ex: Exchange) -> None:
    """May refuse with rate_limited, quota_exhausted or what a rule names, and insufficient_credit."""
    now = ex.now
    wanted = []
    for rule in ex.provider.limits:
        if not _applies(ex, rule):
            continue
        capacity, cost = rule.capacity.number(ex.scope), float(rule.cost(ex.scope) or 0)
        state = ex.tenant.cell("windows", f"{ex.provider.id}:{rule.name}:{rule.key(ex.scope)}", windows.new)
        if not windows.admits(state, rule.algorithm, capacity, rule.per, now, cost):
            facts = windows.standing(state, rule.algorithm, capacity, rule.per, now).facts(now)
            ex.note("limit", rule.name, refused=True, cost=cost, grade=rule.source.grade, **facts)
            raise Refused(rule.refuse, rule=rule.name, **facts)
        wanted.append((rule, state, capacity, cost))
    _check_balance(ex)
    for rule, state, capacity, cost in wanted:
        windows.take(state, rule.algorithm, capacity, rule.per, now, cost)
        ex.taken.append((rule, state, capacity, cost))
        ex.note("limit", rule.name, cost=cost, limit=capacity, grade=rule.source.grade)


def _applies(ex: Exchange, rule: LimitRule) -> bool:
    return ex.active.secured and ex.meant(rule.operations) and ex.holds(rule.when)


def _amount(value: Any) -> Decimal:
    """Raises ExpressionError for what is no decimal amount."""
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise ExpressionError(f"prices.opening_balance: {value!r} is no amount") from None


def _check_balance(ex: Exchange) -> None:
    """Open the account. Prepaid: a charged operation is served while anything is left."""
    prices = ex.provider.prices
    if prices is None or not ex.active.secured:
        return
    opening = _amount(prices.opening_balance(ex.scope))
    account = ex.tenant.cell("accounts", f"{ex.provider.id}:{prices.account(ex.scope)}", lambda: ledger.opened(opening))
    ex.scope["account"] = account
    if ex.active.id in prices.charges and ledger.balance(account) <= 0:
        raise Refused(prices.refuse, balance=account["balance"])
