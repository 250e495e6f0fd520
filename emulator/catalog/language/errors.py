"""errors.yaml: what each refusal looks like, and the wording of validation errors."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from emulator.catalog.language.base import Expr, HeaderName, HeaderValue, Model, SourceName, Tree, as_list
from emulator.refusals import RefusalName


class Entry(Model):
    """One reply. `error` fills the envelope, `body` replaces it."""

    status: int = Field(ge=300, le=599)
    when: Expr | None = None
    operations: list[str] | None = None
    error: dict[str, Tree] = Field(default_factory=dict)
    body: Tree | None = None
    media_type: str | None = None
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    facts: dict[str, Any] = Field(
        default_factory=dict, description="Stand-ins for ${fact.…} when nobody caused the refusal."
    )
    source: SourceName = Field(description="Where the status comes from.")
    body_source: SourceName | None = Field(None, description="Where keys and words come from, when not the same.")


Entries = Annotated[list[Entry], BeforeValidator(as_list, json_schema_input_type=Entry | list[Entry])]


class Errors(Model):
    """The envelope, and an entry (or alternatives, first match wins) a refusal."""

    envelope: Tree
    body_source: SourceName | None = Field(None, description="The `body_source` of entries without one.")
    catalog: dict[RefusalName, Entries]


class Validation(Model):
    """Fields of a violation by what was violated: `type.integer.string`, `required`, `default`."""

    messages: dict[str, dict[str, Tree]]
    source: SourceName
