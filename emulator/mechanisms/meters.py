"""Meters: what a resource costs for every interval it spends in a state.

Each period at one rate is one entry of the meter's book: `{id, resource, since, until, minutes, rate, per_minute,
amount, currency, status, …}`, with `until` null while it runs. Whole intervals count; what is left of the last one is
free.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from heapq import heappop, heappush
from typing import Any

from emulator.mechanisms import ledger
from emulator.mechanisms.clock import microseconds
from emulator.mechanisms.expressions import Expression, ExpressionError, Scope
from emulator.mechanisms.records import record
from emulator.mechanisms.resources import Item
from emulator.mechanisms.templates import Template

_LARGEST = Decimal(10) ** 15
_DEAREST = Decimal(10) ** 9  # a period: in all the years of the calendar, 28 digits have room for its cost


@record
class Rate:
    """The price of `unit` units of a quantity, in some states."""

    states: frozenset[str]
    price: Expression
    quantity: Expression
    unit: Decimal
    status: str

    def amount(self, scope: Scope) -> Decimal:
        """What is to be paid. Raises ExpressionError for what is none, below zero, or too much to be counted."""
        price, quantity = self.price.decimal(scope), self.quantity.decimal(scope)
        for expression, factor in ((self.price, price), (self.quantity, quantity)):
            if not 0 <= factor <= _LARGEST:
                raise ExpressionError(f"`{expression.source}` is {factor}, no amount from 0 to {_LARGEST:.0e}")
        amount = price * quantity / self.unit
        if amount > _DEAREST:
            raise ExpressionError(f"`{self.price.source}` for `{self.quantity.source}` is more than {_DEAREST:.0e}")
        return amount


@record
class Meter:
    """One kind of resource and its rates per `per` seconds, charged every `every` seconds."""

    book: str
    every: float
    per: float
    rates: tuple[Rate, ...]
    id: Template
    record: Mapping[str, Template]
    sums: tuple[str, ...]
    completed: str

    def rate(self, item: Item, scope: Scope) -> tuple[Decimal, str] | None:
        """What the item costs per `per` seconds in its state, and the status of the entry; None: nothing."""
        for rate in self.rates:
            if item.get("status") in rate.states:
                return rate.amount(scope), rate.status
        return None

    def entry(
        self, found: tuple[Decimal, str], item: Item, scope: Scope, moment: float, currency: str
    ) -> dict[str, Any]:
        """What the book says of the item from now on. Raises ExpressionError."""
        rate, status = found
        entry = {
            "id": self.id(scope),
            "resource": item["id"],
            "since": moment,
            "until": None,
            "minutes": 0,
            "intervals": 0,
            "rate": ledger.text(rate),
            "per_minute": ledger.text(rate * 60 / Decimal(str(self.per))),
            "currency": currency,
            "status": status,
            **{name: template(scope) for name, template in self.record.items()},
        }
        for name in self.sums:
            if entry[name].__class__ not in (int, float):
                raise ExpressionError(f"{self.book}: `{name}` is {entry[name]!r}, of which there is no sum")
        return entry

    def start(self, account: dict[str, Any], entry: dict[str, Any]) -> str:
        """Begin an entry; gives its key."""
        key = ledger.post(account, self.book, entry)
        totals = ledger.totals(account, self.book)
        for name in self.sums:
            totals[name] = totals.get(name, 0) + entry[name]
        _count(totals, entry["status"], 1)
        return key

    def stop(self, account: dict[str, Any], entry: dict[str, Any], moment: float) -> None:
        totals = ledger.totals(account, self.book)
        _count(totals, entry["status"], -1)
        _count(totals, self.completed, 1)
        entry["until"], entry["status"] = moment, self.completed

    def next(self, entry: Mapping[str, Any]) -> float:
        """The moment an entry's next interval is complete."""
        return float(microseconds(entry["since"]) + (entry["intervals"] + 1) * self._interval) / 1e6

    @cached_property
    def _interval(self) -> int:
        return max(microseconds(self.every), 1)

    def complete(self, entry: Mapping[str, Any], at: int) -> int:
        """How many of an entry's intervals are complete at a moment, in Unix microseconds."""
        return (at - microseconds(entry["since"])) // self._interval

    def cost(self, entry: Mapping[str, Any], intervals: int) -> Decimal:
        """What an entry comes to after a number of intervals."""
        per_interval = Decimal(entry["rate"]) * Decimal(str(self.every)) / Decimal(str(self.per))
        return round(per_interval * intervals, ledger.PLACES)

    def charge(self, account: dict[str, Any], entry: dict[str, Any], at: int) -> None:
        """Draw what an entry's intervals up to a moment cost, as far as they are not drawn yet."""
        intervals = self.complete(entry, at)
        if intervals <= entry["intervals"]:
            return
        more = self.cost(entry, intervals) - Decimal(entry["amount"])
        totals = ledger.totals(account, self.book)
        totals["minutes"] -= entry["minutes"]
        entry["intervals"], entry["minutes"] = intervals, _whole(intervals * self.every / 60)
        totals["minutes"] += entry["minutes"]
        ledger.draw(account, self.book, entry, more)


def measure(account: dict[str, Any], meter: Meter, name: str, item: Item, scope: Scope, moment: float) -> None:
    """See to it that what runs on a resource's meter is what it costs now; `name` is its kind.

    Raises ExpressionError for what cannot be billed, before anything changed.
    """
    running: dict[str, str] = account["running"].setdefault(name, {})
    key, found = running.get(item["id"]), meter.rate(item, scope)
    old = None if key is None else ledger.entries(account, meter.book)[key]
    if old is not None and found == (Decimal(old["rate"]), old["status"]):
        return
    new = None if found is None else meter.entry(found, item, scope, moment, account["currency"])
    if old is not None:
        meter.stop(account, old, moment)
        del running[item["id"]]
    if new is not None:
        key = running[item["id"]] = meter.start(account, new)
        heappush(account["intervals"], [meter.next(new), name, item["id"], key])


def charge_due(account: dict[str, Any], meters: Mapping[str, Meter], until: float) -> float:
    """Charge the intervals complete by a moment, or by the earlier one at which the balance is used up; gives that.

    `meters` are those of an account, by the kind of resource they measure.
    """
    intervals = account["intervals"]
    due, found = [], []
    while intervals and intervals[0][0] <= until:
        _, name, identity, key = heappop(intervals)
        meter = meters.get(name)  # a file may know of others
        if meter is not None and account["running"][name].get(identity) == key:
            due.append((name, identity, key))
            found.append((meter, ledger.entries(account, meter.book)[key]))
    at = microseconds(until)
    if found and not account["depleted"]:
        used_up = _used_up_at(found, ledger.balance(account), at)
        at, until = (at, until) if used_up is None else (used_up, used_up / 1e6)
    for (name, identity, key), (meter, entry) in zip(due, found, strict=True):
        meter.charge(account, entry, at)
        heappush(intervals, [meter.next(entry), name, identity, key])
    return until


def _used_up_at(running: list[tuple[Meter, dict[str, Any]]], balance: Decimal, until: int) -> int | None:
    """The first moment up to `until` at which running entries have drawn a balance, or None; Unix microseconds."""

    def drawn(at: int) -> Decimal:
        costs = (m.cost(e, m.complete(e, at)) - Decimal(e["amount"]) for m, e in running)
        return sum(costs, Decimal(0))

    if drawn(until) < balance:
        return None
    low, high = min(microseconds(entry["since"]) for _, entry in running), until
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if drawn(middle) >= balance else (middle, high)
    return high


def _count(totals: dict[str, Any], status: str, by: int) -> None:
    statuses = totals["statuses"]
    statuses[status] = statuses.get(status, 0) + by


def _whole(number: float) -> int | float:
    return int(number) if number == int(number) else number
