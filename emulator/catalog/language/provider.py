"""provider.yaml: who the provider is and how its clients find it."""

from string import Formatter
from typing import Any, Literal

from pydantic import Field, field_validator

from emulator.catalog.language.base import Model, SourceName
from emulator.mechanisms.encoding import Separators
from emulator.operation import Grade


class Source(Model):
    """Where facts come from, and how well they are known."""

    ref: str = Field(description="A document, package or note.")
    grade: Grade


_HOLES = ("base_url", "origin", "api_key")


class EnvVariable(Model):
    """An environment variable of the provider's own clients, where its value needs a form of its own."""

    name: str
    value: str = Field(description="With {base_url}, {origin} and {api_key} as holes.")

    @field_validator("value")
    @classmethod
    def _fillable(cls, value: str) -> str:
        wrong = ValueError(f'"{value}" may have {{base_url}}, {{origin}} and {{api_key}} as holes')
        try:
            parts = list(Formatter().parse(value))
        except ValueError:
            raise wrong from None
        if any(hole is not None and (hole not in _HOLES or form or conversion) for _, hole, form, conversion in parts):
            raise wrong
        return value


class ClientEnv(Model):
    """The environment variables a client reads."""

    base_url: str | EnvVariable | None = None
    api_key: str | EnvVariable | None = None


class Thinking(Model):
    """What stands around the thoughts in a reply."""

    before: str
    after: str


class ModelEntry(Model):
    """One model the provider serves. `*` as an id accepts any model."""

    id: str
    context: int | None = Field(
        None, ge=1, strict=True, description="Tokens that prompt and completion may have together."
    )
    unlisted: bool = Field(False, description="Accepted, and left out of model lists.")
    answers_as: str | None = Field(None, description="Its name in replies, where that is not the id.")
    thinking: Thinking | None = Field(None, description="Its thoughts stand in the text of a reply, before the answer.")
    source: SourceName | None = None
    info: dict[str, Any] = Field(default_factory=dict, description="What shapes show of the model: ${model.info.…}.")


class Tokens(Model):
    """How tokens are counted: by a ratio, never by a downloaded vocabulary."""

    characters: float = Field(4.0, gt=0, description="Characters per token.")
    per_message: int = 0
    per_request: int = 0


class Body(Model):
    """How a request body is taken in before its schema is looked at."""

    other_media_type: Literal["parse", "empty", "refuse"] = Field(
        "parse", description="A body that is not declared JSON is parsed all the same, read as {}, or refused."
    )
    malformed: Literal["refuse", "empty"] = Field(
        "refuse", description="Broken JSON is refused; or it, and JSON that is no object, is read as {}."
    )
    media_types: dict[str, str] = Field(
        default_factory=dict, description="Extension -> what a file of a form is whose part does not say."
    )
    missing: Literal["malformed", "violation"] = Field(
        "malformed", description="No body where one is required is broken JSON; or it, and null, is a missing field."
    )
    coerce: bool = Field(
        False, description="Text that reads as the number or boolean its schema asks for is taken as it."
    )


class Encoding(Model):
    """How the provider writes JSON."""

    separators: Separators = "compact"
    ascii: bool = False
    escape_slashes: bool = False
    media_type: str = "application/json"
