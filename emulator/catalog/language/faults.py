"""A fault by its name and arguments, as scenarios, quirks and tests write it: made from the catalogue of faults."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, create_model, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from emulator.catalog.language.base import Duration, Model
from emulator.mechanisms import faults
from emulator.mechanisms.clock import parse_duration
from emulator.mechanisms.fault_catalogue import FAULTS, OF_CONNECTIONS, OF_REQUESTS, fault
from emulator.refusals import RefusalName


def _event(at: int | str) -> int | str:
    if isinstance(at, str) and at[:1].isdigit():
        parse_duration(at)
    return at


_TYPES: dict[faults.ArgumentKind, Any] = {
    "count": Annotated[int, Field(ge=0, strict=True)],
    "duration": Duration,
    "wait": Duration,
    "moment": Duration,
    "text": str,
    "flag": Annotated[bool, Field(strict=True)],
    "refusal": RefusalName,
    "event": Annotated[Annotated[int, Field(strict=True)] | str, AfterValidator(_event)],
    "form": faults.RetryForm,
}


def _argument(argument: faults.Argument) -> Any:
    kind = _TYPES[argument.kind]
    limits: dict[str, Any] = {} if argument.most is None else {"le": argument.most}
    declared = Field(argument.default, description=f"{argument.says[:1].upper()}{argument.says[1:]}.", **limits)
    return (kind, declared)


def _arguments(kind: faults.FaultKind) -> type[Model]:
    title = f"{kind.name.title().replace('_', '')}Fault"
    fields = {name: _argument(argument) for name, argument in kind.arguments.items()}
    return create_model(title, __base__=Model, **fields)


if TYPE_CHECKING:
    _Declared = Model
else:
    _Declared = create_model(
        "_Declared",
        __base__=Model,
        **{
            kind.name: (
                _arguments(kind) | None,
                Field(None, description=f"{kind.layer}: {kind.seen}. For example {kind.incident}."),
            )
            for kind in (FAULTS[name] for name in OF_REQUESTS)
        },
    )


class Fault(_Declared):
    """One thing wrong with a reply: `{cut: {after_events: 2}}`, or a bare name: `reset`."""

    @model_validator(mode="before")
    @classmethod
    def _of_requests(cls, data: Any) -> Any:
        data = {data: {}} if isinstance(data, str) else data
        for name in data if isinstance(data, dict) else ():
            if name in OF_CONNECTIONS:
                raise ValueError(
                    f"{name} meets connections before any request is known: use `emulator.connections({name!r})`, "
                    f"POST /_emulator/connections, or `emulator serve --connections {name}`"
                )
        return data

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        whole = handler.resolve_ref_schema(handler(core))
        return {"anyOf": [{"type": "string", "enum": [*OF_REQUESTS]}, whole]}

    @model_validator(mode="after")
    def _one(self) -> "Fault":
        if len(self.model_fields_set) != 1 or getattr(self, *self.model_fields_set) is None:
            raise ValueError(f"name one fault of {', '.join(type(self).model_fields)}")
        return self

    def chosen(self, *, paced: bool = False) -> faults.Fault:
        """The fault it names."""
        (name,) = self.model_fields_set
        return fault(name, getattr(self, name).model_dump(exclude_none=True), paced=paced)
