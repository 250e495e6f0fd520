"""A prepaid ledger: a balance, and books of the entries that explain it. Decimals, never binary floats.

Amounts are kept as text, so that a store keeps every digit. At any moment the opening balance and what was paid in,
less the amounts of all entries, is the balance.
"""

from decimal import Decimal
from typing import Any

MOST_ENTRIES = 100_000
PLACES = 10
"""Of the smallest amount there is, so that every sum of amounts is exact."""


def opened(balance: Decimal) -> dict[str, Any]:
    """A new ledger's data."""
    return {"balance": text(balance), "paid_in": "0", "spent": "0", "books": {}}


def text(amount: Decimal) -> str:
    """An amount as people write it, never 0E-10."""
    return format(amount, "f")


def balance(ledger: dict[str, Any]) -> Decimal:
    return Decimal(ledger["balance"])


def pay_in(ledger: dict[str, Any], amount: Decimal) -> Decimal:
    """Give the new balance."""
    ledger["balance"] = text(balance(ledger) + amount)
    ledger["paid_in"] = text(Decimal(ledger["paid_in"]) + amount)
    return balance(ledger)


def charge(ledger: dict[str, Any], book: str, amount: Decimal, entry: dict[str, Any]) -> Decimal:
    """Draw an amount and keep `entry` as its reason; every count in `entry.usage` is totalled.

    Gives the new balance, below zero when the last draw overshot.
    """
    post(ledger, book, entry)
    usage = totals(ledger, book)["usage"]
    for name, count in (entry.get("usage") or {}).items():
        if isinstance(count, (int, float)):
            usage[name] = usage.get(name, 0) + count
    return draw(ledger, book, entry, amount)


def post(ledger: dict[str, Any], book: str, entry: dict[str, Any]) -> str:
    """Add an entry that has cost nothing yet, and give its key.

    Of very many entries the oldest leave, unless they still run; the totals keep them.
    """
    kept = ledger["books"].setdefault(book, {"entries": {}, "totals": _no_totals()})
    kept["totals"]["count"] += 1
    key = str(kept["totals"]["count"])
    kept["entries"][key] = entry
    entry["amount"] = "0"
    if len(kept["entries"]) > MOST_ENTRIES:
        ended = (old for old, other in kept["entries"].items() if other.get("until", 0) is not None)
        kept["entries"].pop(next(ended, None), None)
    return key


def draw(ledger: dict[str, Any], book: str, entry: dict[str, Any], amount: Decimal) -> Decimal:
    """Draw an amount more for an entry of a book; gives the new balance."""
    left = balance(ledger) - amount
    ledger["balance"] = text(left)
    for account in (ledger, totals(ledger, book), entry):
        name = "spent" if account is ledger else "amount"
        account[name] = text(Decimal(account[name]) + amount)
    return left


def totals(ledger: dict[str, Any], book: str) -> dict[str, Any]:
    """What all entries of a book come to: `{count, amount, minutes, statuses: {status: how many}, usage, …}`."""
    kept = ledger["books"].get(book)
    found: dict[str, Any] = kept["totals"] if kept else _no_totals()
    return found


def _no_totals() -> dict[str, Any]:
    return {"count": 0, "amount": "0", "minutes": 0, "statuses": {}, "usage": {}}


def entries(ledger: dict[str, Any], book: str) -> dict[str, dict[str, Any]]:
    """The entries of a book by key, oldest first."""
    kept = ledger["books"].get(book)
    found: dict[str, dict[str, Any]] = kept["entries"] if kept else {}
    return found
