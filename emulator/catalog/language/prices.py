"""prices.yaml: a prepaid account and what operations draw from it."""

from decimal import Decimal

from pydantic import Field

from emulator.catalog.language.base import Expr, Model, SourceName
from emulator.catalog.language.resources import Depletion, Meter
from emulator.refusals import RefusalName


class ChargeLine(Model):
    """A quantity and its price per `unit`, by model. Amounts are decimal text, never binary floats."""

    quantity: Expr
    unit: int = Field(1, gt=0)
    default: Decimal
    by_model: dict[str, Decimal] = Field(default_factory=dict)


class Prices(Model):
    """An operation that is charged, or needs credit, is served while the balance is above zero."""

    source: SourceName
    currency: Expr
    opening_balance: Expr
    refuse: RefusalName = "insufficient_credit"
    charges: dict[str, list[ChargeLine]] = Field(default_factory=dict, description="By operation id.")
    needs_credit: list[str] = Field(default_factory=list, description="Further operations.")
    meters: dict[str, Meter] = Field(default_factory=dict, description="By resource.")
    depletion: Depletion | None = None
