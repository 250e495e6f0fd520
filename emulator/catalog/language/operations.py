"""operations.yaml: the behaviour that hangs on an operation id, how a body is read, shapes of replies."""

from typing import Annotated, Literal

from pydantic import Field

from emulator.catalog.language.base import Expr, Exprs, Model, SourceName, Tree
from emulator.catalog.language.resources import Act
from emulator.mechanisms.requests import NeutralField


class Context(Model):
    """What happens to a prompt that does not fit."""

    max_tokens: Literal["lower", "count", "ignore"] = Field(
        "ignore", description="lower: reduced to what is left; count: refused when prompt + max_tokens exceed it."
    )
    evict: list[str] = Field(
        default_factory=list, description="Roles whose oldest messages go until the prompt fits `truncate_to`."
    )


class Embed(Model):
    """Vectors of length 1 for the prompts that `read` finds; shapes see them as `embeddings`, with index and vector."""

    dimensions: Expr = Field(
        description="How many numbers a vector has; a request for more than 16384, or 8388608 in all, is invalid."
    )


class Operation(Model):
    """One operation: with `read` completions, with `embed` too vectors, with `act` resources; else its shape alone.

    With `act` and `read`, `read` sees the act's `item` and `others` (null: there is none), and what the act changes
    sees the completion.
    """

    source: SourceName
    documented: list[int] | None = Field(
        None, description="The statuses its source tells of, when those of the error entries are not about it."
    )
    act: Act | None = None
    read: str | None = Field(None, description="A name under `read`.")
    max_body: int | None = Field(None, ge=1, description="Bytes a request body may have.")
    embed: Embed | None = None
    facts: dict[Literal["id", "created"], Tree] = Field(default_factory=dict)
    shape: str | None = Field(None, description="A name under `shapes`.")
    stream: str | None = Field(None, description="A name under `streams`.")
    context: Context = Context()


Read = Annotated[
    dict[NeutralField, Exprs],
    Field(description="Expressions by neutral field; of a list, the first that is not null."),
]
