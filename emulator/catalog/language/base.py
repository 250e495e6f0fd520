"""What every section shares: frozen models, durations, expressions, templates."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from emulator.mechanisms.clock import parse_duration


class Model(BaseModel):
    """A frozen mapping that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


def _duration(value: Any) -> float:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool) and (seconds := parse_duration(value)) >= 0:
        return seconds
    raise ValueError(f'"{value}" is not a duration (e.g. 350ms, 60s, 2h)')


Duration = Annotated[
    float,
    BeforeValidator(_duration, json_schema_input_type=str | float),
    Field(description="A duration: 350ms, 60s, 2h, 1h30m, or a number of seconds."),
]
Expr = Annotated[
    str | int | float | bool,
    Field(description="An expression: a path (request.model), a literal, or CEL.", union_mode="left_to_right"),
]
Tree = Annotated[Any, Field(description="A template: JSON with ${expression} holes.")]
SourceName = Annotated[str, Field(description="A name under `sources`: where the fact comes from, and its grade.")]


def as_list(value: Any) -> Any:
    """A list, which may be written as its single item."""
    return value if isinstance(value, list) else [value]


Exprs = Annotated[list[Expr], BeforeValidator(as_list, json_schema_input_type=Expr | list[Expr])]


def header_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f'"{value}" is no name of a header: letters, digits and hyphens')
    return value


def header_value(value: Any) -> Any:
    if isinstance(value, (dict, list)) or _LINE_END.search(str(value)):
        raise ValueError("the value of a header is one line of text")
    return value


_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINE_END = re.compile(r"[\r\n\0]")
HeaderName = Annotated[str, AfterValidator(header_name)]
HeaderValue = Annotated[Tree, AfterValidator(header_value)]
