"""Every limit that applies, then the balance. A refused request uses nothing up."""

from emulator.exchange import Exchange, Refused
from emulator.mechanisms import windows


def limit(ex: Exchange) -> None:
    """May refuse with rate_limited, quota_exhausted or what a rule names, and insufficient_credit."""
    if not ex.active.secured:
        return
    now, scope = ex.now, ex.scope
    wanted = []
    for rule in ex.provider.limits_of(ex.active.id):
        if rule.when is not None and not rule.when.holds(scope):
            continue
        capacity, cost = rule.capacity.number(scope), float(rule.cost.evaluate(scope) or 0)
        state = windows.held(ex.tenant, f"{ex.provider.id}:{rule.name}:{rule.key.evaluate(scope)}")
        if not windows.admits(state, rule.algorithm, capacity, rule.per, now, cost):
            facts = windows.standing(state, rule.algorithm, capacity, rule.per, now).facts(now)
            ex.note("limit", rule.name, refused=True, cost=cost, grade=rule.source.grade, **facts)
            raise Refused(rule.refuse, rule=rule.name, **facts)
        wanted.append((rule, state, capacity, cost))
    _check_balance(ex)
    for rule, state, capacity, cost in wanted:
        windows.take(state, rule.algorithm, capacity, rule.per, now, cost)
        ex.note("limit", rule.name, cost=cost, limit=capacity, grade=rule.source.grade)
    ex.taken = wanted


def _check_balance(ex: Exchange) -> None:
    """Prepaid: what needs credit is served while anything is left."""
    prices = ex.provider.prices
    if prices is None or not ex.holds(prices.when):
        return
    account = ex.account
    if account is not None and ex.active.id in prices.prepaid and account.balance <= 0:
        raise Refused(prices.refuse, balance=str(account.balance))
