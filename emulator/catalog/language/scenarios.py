"""scenarios.yaml: named sequences of replies, refusals and faults."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from emulator.catalog.language.base import Duration, Expr, Model
from emulator.catalog.language.faults import Fault
from emulator.refusals import RefusalName

Count = Annotated[int, Field(ge=0, strict=True)]


class ToolCall(Model):
    name: str
    arguments: Any = Field(default_factory=dict, description="JSON, or text sent as it is.")


class ScriptedReply(Model):
    """What the completion is; what is left out is generated."""

    text: str | None = None
    tool_calls: list[ToolCall] | None = None
    finish_reason: str | None = None
    usage: dict[Literal["prompt_tokens", "completion_tokens", "total_tokens"], Count] | None = None


class Step(Model):
    """What happens to `times` matching requests, or `for` some time; an empty step serves as usual."""

    times: int | None = Field(
        None, ge=1, strict=True, description="Without it: one request, or all that follow for an empty step."
    )
    lasts: Duration | None = Field(
        None,
        alias="for",
        description="How long it is so, on the clock: from the end of the step before, or the first request.",
    )
    after: Duration | None = Field(
        None,
        description="How long after the step before, or the first request, it begins; until then all is as usual.",
    )
    operation: str | None = None
    when: Expr | None = None
    refuse: RefusalName | None = None
    status: int | None = Field(
        None,
        ge=100,
        le=599,
        strict=True,
        description="Which of the refusal's replies; an operation that has it with other statuses only says so.",
    )
    facts: dict[str, Any] = Field(default_factory=dict)
    reply: ScriptedReply | None = None
    fault: Fault | None = None
    latency: str | None = Field(None, description="The latency profile its requests are served with.")
    probability: float | None = Field(
        None,
        gt=0,
        le=1,
        strict=True,
        description="How likely each of the requests meets it, by the seed; the others are served.",
    )

    @model_validator(mode="after")
    def _one_outcome(self) -> "Step":
        if self.refuse is not None and self.reply is not None:
            raise ValueError("a step that refuses has no `reply:`")
        if self.refuse is None and self.status is not None:
            raise ValueError("`status:` is one of a refusal's; say which in `refuse:`")
        if self.refuse is not None and self.latency is not None:
            raise ValueError("a step that refuses has no `latency:`: refusals come at once")
        return self


class Scenario(Model):
    """A summary for `emulator list`, and the steps. A bare list of steps is a scenario too."""

    summary: str = ""
    steps: list[Step] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, data: Any) -> Any:
        return {"steps": data} if isinstance(data, list) else data
