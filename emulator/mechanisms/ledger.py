"""A prepaid account: an opening balance, charges in decimals, never binary floats."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Price:
    """What `unit` units of a quantity cost, by model; `default` for models without a price of their own."""

    unit: Decimal
    by_model: dict[str, Decimal]
    default: Decimal

    def of(self, quantity: int | float, model: str | None) -> Decimal:
        return Decimal(str(quantity)) * self.by_model.get(model or "", self.default) / self.unit


def opened(balance: Decimal) -> dict[str, Any]:
    """A new account's data. Amounts are kept as text, so that a store keeps every digit."""
    return {"balance": str(balance), "spent": "0", "entries": []}


def balance(account: dict[str, Any]) -> Decimal:
    return Decimal(account["balance"])


MOST_ENTRIES = 10000


def charge(account: dict[str, Any], amount: Decimal, entry: dict[str, Any]) -> Decimal:
    """Draw `amount` from the account and keep `entry` as its reason; the oldest entries leave when there are too many.

    Gives the new balance, below zero when the last draw overshot.
    """
    left = balance(account) - amount
    account["balance"] = str(left)
    account["entries"].append({**entry, "amount": str(amount)})
    del account["entries"][:-MOST_ENTRIES]
    account["spent"] = str(Decimal(account["spent"]) + amount)
    return left
