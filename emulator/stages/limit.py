"""Every limit that applies, then the balance. A refused request uses nothing up."""

from emulator.exchange import Exchange, Refused
from emulator.mechanisms.windows import make_room


def limit(ex: Exchange) -> None:
    """May refuse with rate_limited, quota_exhausted or what a rule names, and insufficient_credit."""
    if not ex.active.secured:
        return
    now, admitted, limits = ex.now, [], ex.provider.limits_of[ex.active.id]
    make_room(ex.tenant)
    for met in limits.met(ex.scope):
        if met is None:
            continue
        rule, shares, cost = met
        limited = ex.limit(rule, shares)
        if not limited.admits(now, cost):
            facts = limited.refusal(now, cost)
            ex.note("limit", rule.name, refused=True, cost=cost, grade=rule.source.grade, **facts)
            raise Refused(rule.refuse, rule=rule.name, **facts)
        admitted.append((rule, limited, cost))
    _check_balance(ex)
    for rule, limited, cost in admitted:
        if cost:
            limited.use(now, cost)
        if rule.algorithm == "concurrency":  # it ends with the reply
            ex.held += limited.counts(cost)
        ex.trace.append(("limit", rule.name, {"cost": cost, "limit": limited.capacity, "grade": rule.source.grade}))
    ex.taken = admitted


def _check_balance(ex: Exchange) -> None:
    """Prepaid: what needs credit is served while anything is left."""
    prices = ex.provider.prices
    if prices is None or not ex.holds(prices.when):
        return
    account = ex.account
    if account is not None and ex.active.id in prices.prepaid and account.balance <= 0:
        raise Refused(prices.refuse, balance=account.data["balance"])
