"""prices.yaml: a prepaid account and what operations draw from it."""

from decimal import Decimal

from pydantic import Field

from emulator.catalog.language.base import Expr, Model, SourceName
from emulator.refusals import RefusalName


class ChargeLine(Model):
    """A quantity and its price per `unit`, by model. Amounts are decimal text, never binary floats."""

    quantity: Expr
    unit: int = Field(1, gt=0)
    default: Decimal
    by_model: dict[str, Decimal] = Field(default_factory=dict)


class Prices(Model):
    """A charged operation is served while the balance is above zero."""

    currency: str
    account: Expr = "principal.id"
    opening_balance: Expr
    refuse: RefusalName = "insufficient_credit"
    charges: dict[str, list[ChargeLine]] = Field(description="By operation id.")
    source: SourceName
