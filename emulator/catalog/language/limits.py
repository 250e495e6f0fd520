"""limits.yaml: rate limits, and the headers that tell of them."""

from typing import Any

from pydantic import Field

from emulator.catalog.language.base import Duration, Expr, Model, SourceName, Tree
from emulator.mechanisms.windows import Algorithm
from emulator.refusals import RefusalName


class Rule(Model):
    """One limit."""

    name: str
    operations: list[str] | None = None
    when: Expr | None = None
    key: Expr = Field("principal.id", description="Requests with the same value share the limit.")
    cost: Expr = Field(1, description="Units a request takes when it is admitted.")
    settle: Expr | None = Field(None, description="Units it really took, known when the reply is.")
    capacity: Expr
    per: Duration = Field(gt=0)
    algorithm: Algorithm
    refuse: RefusalName = "rate_limited"
    source: SourceName


class Limits(Model):
    """Rules are checked in order; a refused request uses none of them up."""

    plans: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Numbers by plan: ${plans[…]}.")
    rules: list[Rule] = Field(default_factory=list)
    headers: dict[str, Tree] = Field(default_factory=dict, description="On every reply; a null value is left out.")
