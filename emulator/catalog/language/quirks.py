"""quirks.yaml: sourced deviations, each a target and operations from a closed list."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from emulator.catalog.language.base import Duration, Expr, HeaderName, HeaderValue, Model, SourceName, Tree
from emulator.catalog.language.faults import Fault
from emulator.mechanisms.patches import RequestOp
from emulator.refusals import RefusalName

Aim = int | str | None


class Add(Model):
    op: Literal["add"]
    path: str
    value: Tree
    after: str | None = Field(None, description="The sibling key it is written behind.")


class Remove(Model):
    op: Literal["remove"]
    path: str


class Replace(Model):
    op: Literal["replace"]
    path: str
    value: Tree


class Move(Model):
    op: Literal["move"]
    path: str
    to: str = Field(description="The new key, among the same siblings.")


class Retype(Model):
    op: Literal["retype"]
    path: str
    to: Literal["string", "integer", "number", "boolean"] = Field(
        description="What text reads as is taken, and text is as JSON writes it; a value that does not fit is a 500."
    )


class Scale(Model):
    op: Literal["scale"]
    path: str = Field(description="A number, or a list of numbers.")
    factor: float


class OmitNull(Model):
    op: Literal["omit_null"]
    path: str | None = None


class Set(Model):
    op: Literal["set"]
    name: HeaderName
    value: HeaderValue = Field(description="A template; where it gives null, the header is not sent.")


class Drop(Model):
    op: Literal["drop"]
    name: HeaderName


class Duplicate(Model):
    op: Literal["duplicate"]
    name: HeaderName
    value: HeaderValue | None = None


class Case(Model):
    op: Literal["case"]
    name: HeaderName = Field(description="The header's name as it is to be written.")


class Status(Model):
    op: Literal["replace"]
    status: int = Field(ge=200, le=599)


class Comment(Model):
    op: Literal["comment"]
    at: Aim = None
    text: str = ""


class Insert(Model):
    op: Literal["insert"]
    at: Aim = None
    side: Literal["before", "after"] = "before"
    value: Tree
    event: str | None = None


class DropEvent(Model):
    op: Literal["drop"]
    at: Aim = None


class Repeat(Model):
    op: Literal["repeat"]
    at: Aim = None
    times: int = 1


class Merge(Model):
    op: Literal["merge"]
    at: Aim = None


class Split(Model):
    op: Literal["split"]
    at: Aim = None
    bytes: list[int] = Field(default_factory=lambda: [1])


class Delay(Model):
    op: Literal["delay"]
    at: Aim = None
    duration: Duration


class Request(Model):
    op: RequestOp
    name: str | None = None
    path: str | None = None
    to: str | None = None
    refuse: RefusalName = "invalid_request"

    @model_validator(mode="after")
    def _complete(self) -> "Request":
        needed = {"require_header": ["name"], "alias_field": ["path", "to"]}.get(self.op, ["path"])
        missing = [key for key in needed if getattr(self, key) is None]
        if missing:
            raise ValueError(f"{self.op} needs `{'` and `'.join(missing)}`")
        return self


BodyOperation = Annotated[Add | Remove | Replace | Move | Retype | Scale | OmitNull, Field(discriminator="op")]
HeaderOperation = Annotated[Set | Drop | Duplicate | Case, Field(discriminator="op")]
StreamOperation = Annotated[Comment | Insert | DropEvent | Repeat | Merge | Split | Delay, Field(discriminator="op")]


class _Quirk(Model):
    id: str
    operations: list[str] | None = None
    when: Expr | None = Field(None, description="A condition; it does not hold where it cannot be computed.")
    source: SourceName


class BodyQuirk(_Quirk):
    """Of the body of a reply that is neither a stream nor a refusal."""

    target: Literal["body"]
    do: list[BodyOperation]


class HeaderQuirk(_Quirk):
    """Of the headers of every reply."""

    target: Literal["headers"]
    do: list[HeaderOperation]


class StatusQuirk(_Quirk):
    """Of the status of a reply that is no refusal; that of a refusal is said by its error entry."""

    target: Literal["status"]
    do: list[Status]


class StreamQuirk(_Quirk):
    target: Literal["stream"]
    do: list[StreamOperation]


class RequestQuirk(_Quirk):
    target: Literal["request"]
    do: list[Request]


class FaultQuirk(_Quirk):
    target: Literal["fault"]
    do: list[Fault]


Quirk = Annotated[
    BodyQuirk | HeaderQuirk | StatusQuirk | StreamQuirk | RequestQuirk | FaultQuirk, Field(discriminator="target")
]
