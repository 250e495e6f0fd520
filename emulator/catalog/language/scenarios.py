"""scenarios.yaml: named sequences of replies, refusals and faults."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from emulator.catalog.language.base import Duration, Expr, Model
from emulator.catalog.language.quirks import Aim
from emulator.refusals import RefusalName

Count = Annotated[int, Field(ge=0, strict=True)]


class CutFault(Model):
    after_events: Count | None = None
    after_bytes: Count | None = None


class DelayFault(Model):
    at: Aim = 0
    duration: Duration


class ErrorEventFault(Model):
    after_events: Count = 0
    refuse: RefusalName = "server_error"
    event: str | None = None


class StallFault(Model):
    duration: Duration = 30.0


class TruncateFault(Model):
    bytes: Count = 0


class GarbageFault(Model):
    data: str = "\x00\x01 not HTTP"


class NoArguments(Model):
    """`{}`"""


class Fault(Model):
    """One thing wrong below the status line: `{cut: {after_events: 2}}`."""

    cut: CutFault | None = None
    delay: DelayFault | None = None
    error_event: ErrorEventFault | None = None
    reset: NoArguments | None = None
    empty: NoArguments | None = None
    garbage: GarbageFault | None = None
    truncate: TruncateFault | None = None
    stall: StallFault | None = None

    @model_validator(mode="after")
    def _one(self) -> "Fault":
        if len(self.model_fields_set) != 1 or getattr(self, *self.model_fields_set) is None:
            raise ValueError(f"name one fault of {', '.join(type(self).model_fields)}")
        return self


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
    """What happens to `times` matching requests; an empty step serves as usual."""

    times: int | None = Field(
        None, ge=1, strict=True, description="Without it: one request, or all that follow for an empty step."
    )
    operation: str | None = None
    when: Expr | None = None
    refuse: RefusalName | None = None
    facts: dict[str, Any] = Field(default_factory=dict)
    reply: ScriptedReply | None = None
    fault: Fault | None = None

    @model_validator(mode="after")
    def _one_outcome(self) -> "Step":
        if self.refuse is not None and (self.reply is not None or self.fault is not None):
            raise ValueError("a step that refuses has no `reply:` or `fault:`")
        return self
