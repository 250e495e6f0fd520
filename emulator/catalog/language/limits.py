"""limits.yaml: rate limits, and the headers that tell of them."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from emulator.catalog.language.base import Duration, Expr, HeaderName, HeaderValue, Model, SourceName
from emulator.mechanisms.windows import Algorithm
from emulator.refusals import RefusalName

Time = Annotated[Duration, Field(gt=0)]


class Pool(Model):
    """What several keys of a rule share beyond their own capacity; a request is refused when both ran out."""

    key: Expr = Field(description="Requests with the same value share the pool.")
    capacity: Expr


class Rule(Model):
    """One limit: units in a window of time, or (`concurrency`) requests in flight."""

    name: str
    operations: list[str] | None = None
    when: Expr | None = None
    key: Expr = Field("principal.id", description="Requests with the same value share the limit.")
    cost: Expr = Field(1, description="Units a request takes when it is admitted.")
    settle: Expr | None = Field(None, description="Units it really took, known when the reply is.")
    capacity: Expr
    pool: Pool | None = None
    per: Time | None = Field(None, description="The length of the window; concurrency has none.")
    retry_after: Time | None = Field(
        None, description="Concurrency: how long a refused request is told to wait; a second, without it."
    )
    algorithm: Algorithm
    refuse: RefusalName = "rate_limited"
    source: SourceName | None = Field(None, description="Where the limit comes from; without one, it is assumed.")

    @model_validator(mode="after")
    def _fits_its_algorithm(self) -> "Rule":
        if self.algorithm != "concurrency":
            if self.per is None:
                raise ValueError(f"a {self.algorithm} needs `per:`, the length of the window")
            if self.retry_after is not None:
                raise ValueError(f"a {self.algorithm} has no `retry_after:`: it follows from the window")
        for key in ("per", "cost", "settle"):
            if self.algorithm == "concurrency" and key in self.model_fields_set:
                raise ValueError(f"concurrency has no `{key}:`: each request in flight is one, as long as it is")
        return self

    @property
    def window(self) -> float:
        """Seconds of the window; of concurrency, those a refused request is told to wait."""
        return self.per or self.retry_after or 1.0


class Limits(Model):
    """Rules are checked in order; a refused request uses none of them up."""

    plans: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Numbers by plan: ${plans[…]}.")
    rules: list[Rule] = Field(default_factory=list)
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict, description="On every reply; a null value is left out."
    )
