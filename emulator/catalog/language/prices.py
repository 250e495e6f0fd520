"""prices.yaml: a prepaid account and what operations draw from it."""

from decimal import Decimal

from pydantic import Field

from emulator.catalog.language.base import Expr, Model, SourceName
from emulator.catalog.language.resources import Depletion, Meter
from emulator.refusals import RefusalName


class ChargeLine(Model):
    """A quantity that a request used, and its price. Amounts are decimals, never binary floats."""

    quantity: Expr
    price: Expr = Field(description="Of `unit` units of the quantity.")
    unit: Decimal = Field(Decimal(1), gt=0)


class Prices(Model):
    """An operation that is charged, or needs credit, is served while the balance is above zero."""

    source: SourceName
    currency: Expr
    opening_balance: Expr
    when: Expr | None = Field(None, description="Whose requests are paid for: a condition on `principal`; else all.")
    refuse: RefusalName = "insufficient_credit"
    charges: dict[str, list[ChargeLine]] = Field(default_factory=dict, description="By operation id.")
    needs_credit: list[str] = Field(default_factory=list, description="Further operations.")
    meters: dict[str, Meter] = Field(default_factory=dict, description="By resource.")
    depletion: Depletion | None = None
