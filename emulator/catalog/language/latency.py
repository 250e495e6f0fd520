"""latency.yaml: how long replies take, as named profiles."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from emulator.catalog.language.base import Duration, Expr, Model, SourceName


class LogNormal(Model):
    """Half of the durations below the median, and a long tail."""

    median: Duration
    sigma: float = Field(ge=0, le=3, description="The deviation of the logarithm: 0.2 is even, 1 has a long tail.")


class Draw(Model):
    """Durations drawn from one distribution."""

    fixed: Duration | None = None
    uniform: tuple[Duration, Duration] | None = Field(None, description="The least and the most.")
    log_normal: LogNormal | None = None
    recorded: list[Duration] | None = Field(
        None, min_length=1, description="As measured: over and over, from a place that the seed chooses."
    )

    @model_validator(mode="after")
    def _one(self) -> "Draw":
        if len(self.model_fields_set) != 1 or getattr(self, *self.model_fields_set) is None:
            raise ValueError(f"name one distribution of {', '.join(type(self).model_fields)}")
        if self.uniform is not None and self.uniform[0] > self.uniform[1]:
            raise ValueError("uniform: the least comes first, then the most")
        return self


def _drawn(value: Any) -> Any:
    return value if isinstance(value, (dict, Draw)) else {"fixed": value}


Wait = Annotated[
    Draw,
    BeforeValidator(_drawn, json_schema_input_type=Draw | str | float),
    Field(description="A duration, or a distribution of them."),
]
_AT_ONCE = Draw(fixed=0)


class Load(Model):
    """How the provider slows down under load."""

    free: int = Field(0, ge=0, strict=True, description="Requests in flight that do not slow each other.")
    slower: float = Field(gt=0, description="What each request beyond those adds: 0.25 makes all a quarter slower.")


class Profile(Model):
    """What replies wait for. A completion that is no stream takes as long as its tokens would."""

    summary: str = ""
    first_token: Wait = _AT_ONCE
    gap: Wait = Field(_AT_ONCE, description="Between a token and the next.")
    prefill: Duration = Field(0.0, description="For each thousand tokens of the prompt, before the first token.")
    reply: Wait = Field(_AT_ONCE, description="Before a reply without tokens: a list, a resource.")
    load: Load | None = Field(None, description="Everything takes longer, the more requests are in flight.")
    source: SourceName


class Rule(Model):
    """Which requests have which profile."""

    operations: list[str] | None = None
    when: Expr | None = None
    profile: str


class Latency(Model):
    """Without rule and default, the pace of `streams` holds, and what is no stream comes at once."""

    profiles: dict[str, Profile] = Field(default_factory=dict)
    rules: list[Rule] = Field(default_factory=list, description="The first that is meant for a request decides.")
    default: str | None = Field(None, description="The profile of requests that no rule is meant for.")
