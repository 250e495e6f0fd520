"""The closed vocabulary of quirk operations, as functions on bodies, headers and event lists.

A path is dotted, `*` stands for every item: `choices.*.message`.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from emulator.mechanisms.codegen import FAILURES
from emulator.mechanisms.expressions import ExpressionError, Scope
from emulator.mechanisms.records import record
from emulator.mechanisms.templates import Template, as_text

BodyOp = Literal["add", "remove", "replace", "move", "retype", "scale", "omit_null"]
HeaderOp = Literal["set", "drop", "duplicate", "case"]
StatusOp = Literal["replace"]
StreamOp = Literal["comment", "insert", "drop", "repeat", "merge", "split", "delay"]
RequestOp = Literal["require_header", "reject_field", "ignore_field", "alias_field"]
Target = Literal["body", "headers", "status", "stream", "request", "fault"]

Headers = list[tuple[str, str]]
FieldPath = tuple[str | int, ...]
"""Where one field is, without `*`."""
_WHOLE = re.compile(r"-?\d+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_NO_NUMBER = "JSON has no such number"
_MOST_SHOWN = 60  # characters of a value that does not fit


@record
class Patch:
    """One operation: its name, its plain arguments, and the value it computes, if it has one."""

    target: Target
    op: str
    arguments: dict[str, Any]
    value: Template | None = None


def patch_body(body: Any, patch: Patch, scope: Scope) -> None:
    """Apply one body operation in place. A path that leads nowhere changes nothing.

    What lies below the body and is changed is copied first: it may be a part of what is kept elsewhere.
    Raises ExpressionError for a value that cannot be computed, or that does not fit the operation.
    """
    steps = str(patch.arguments.get("path", "")).split(".") if patch.arguments.get("path") else []
    if patch.op == "omit_null":
        for _, container in _containers(body, [*steps, "*"]):
            for key in [k for k, v in container.items() if v is None] if isinstance(container, dict) else []:
                del container[key]
        return
    for _, container in _containers(body, steps):
        if isinstance(container, dict) and (patch.op == "add" or steps[-1] in container):
            scope["parent"], scope["value"] = container, container.get(steps[-1])
            try:
                _BODY_OPS[patch.op](container, steps[-1], patch, scope)
            except FAILURES as error:
                raise ExpressionError(f"{patch.op} of {'.'.join(steps)} failed: {error}") from None


def _add(container: dict[str, Any], key: str, patch: Patch, scope: Scope) -> None:
    value = patch.value(scope) if patch.value else None
    after = patch.arguments.get("after")
    later = list(container)[list(container).index(after) + 1 :] if after in container else []
    moved = [(k, container.pop(k)) for k in later if k != key]
    container[key] = value
    container.update(moved)


def _remove(container: dict[str, Any], key: str, patch: Patch, scope: Scope) -> None:
    del container[key]


def _replace(container: dict[str, Any], key: str, patch: Patch, scope: Scope) -> None:
    container[key] = patch.value(scope) if patch.value else None


def _move(container: dict[str, Any], key: str, patch: Patch, scope: Scope) -> None:
    """Rename among siblings, keeping the place in the key order."""
    items = [(patch.arguments["to"] if k == key else k, v) for k, v in container.items()]
    container.clear()
    container.update(items)


def _retype(container: dict[str, Any], key: str, patch: Patch, scope: Scope) -> None:
    container[key] = _AS[patch.arguments["to"]](container[key])


def _integer(value: Any) -> int:
    if isinstance(value, (int, float)) or (isinstance(value, str) and _WHOLE.fullmatch(value)):
        return int(value)
    raise _unfit(value, "no integer")


def _number(value: Any) -> float:
    if isinstance(value, (int, float)) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        if math.isfinite(number := float(value)):
            return number
        raise OverflowError(_NO_NUMBER)
    raise _unfit(value, "no number")


def _boolean(value: Any) -> bool:
    if isinstance(value, (int, float)):
        return bool(value)
    if value in ("true", "false"):
        return bool(value == "true")
    raise _unfit(value, "no boolean")


def _unfit(value: Any, what: str) -> ValueError:
    shown = repr(value) if isinstance(value, str) else as_text(value)
    return ValueError(f"{shown[:_MOST_SHOWN]} is {what}")


_AS: dict[str, Callable[[Any], Any]] = {"string": as_text, "integer": _integer, "number": _number, "boolean": _boolean}


def _scale(container: dict[str, Any], key: str, patch: Patch, scope: Scope) -> None:
    """Multiply a number, or every number of a list."""
    value, factor = container[key], patch.arguments["factor"]
    try:
        scaled = [number * factor for number in (value if isinstance(value, list) else [value])]
        finite = all(map(math.isfinite, scaled))
    except TypeError:
        raise _unfit(value, "no number, nor a list of such") from None
    if not finite:
        raise OverflowError(_NO_NUMBER)
    container[key] = scaled if isinstance(value, list) else scaled[0]


_BODY_OPS = {"add": _add, "remove": _remove, "replace": _replace, "move": _move, "retype": _retype, "scale": _scale}


def _containers(data: Any, steps: list[str], above: FieldPath = ()) -> Iterator[tuple[FieldPath, Any]]:
    """Every mapping that holds (or could hold) the last step of a path, and the way to it.

    Each is a copy in the place of what was there.
    """
    if len(steps) <= 1:
        yield above, data
        return
    head, rest = steps[0], steps[1:]
    places: Iterable[str | int] = ()
    if head == "*" and isinstance(data, list):
        places = range(len(data))
    elif isinstance(data, dict) and head in data:
        places = (head,)
    for place in places:
        data[place] = copied(data[place])
        yield from _containers(data[place], rest, (*above, place))


def copied(value: Any) -> Any:
    """A list or mapping anew, with the same items; anything else as it is."""
    return value.copy() if value.__class__ in (dict, list) else value


def patch_headers(headers: Headers, patch: Patch, scope: Scope) -> Headers:
    """The headers after one operation. Names compare without case; `case` fixes how one is written.

    A value that is null is not sent. Raises ExpressionError.
    """
    name = str(patch.arguments["name"])
    same = [h for h in headers if h[0].lower() == name.lower()]
    others = [h for h in headers if h[0].lower() != name.lower()]
    value = patch.value(scope) if patch.value else None
    given = [] if value is None else [(name, as_text(value))]
    if patch.op == "drop":
        return others
    if patch.op == "set":
        return [*others, *given]
    if patch.op == "duplicate":
        return [*headers, *(given if patch.value else same)]
    return [(name, v) if k.lower() == name.lower() else (k, v) for k, v in headers]


def take_fields(body: Any, patch: Patch) -> bool:
    """Apply `ignore_field` or `alias_field` to a request body in place; say whether the field was there."""
    steps = str(patch.arguments["path"]).split(".")
    found = False
    for _, container in _containers(body, steps):
        if isinstance(container, dict) and steps[-1] in container:
            found = True
            if patch.op == "ignore_field":
                del container[steps[-1]]
            elif patch.op == "alias_field":
                container.setdefault(patch.arguments["to"], container.pop(steps[-1]))
    return found


def find_field(body: Any, patch: Patch) -> tuple[FieldPath, Any] | None:
    """The first field of a request body that an operation is about, and its value; None where there is none."""
    *_, last = steps = str(patch.arguments["path"]).split(".")
    found = ((above, container) for above, container in _containers(body, steps) if isinstance(container, dict))
    return next((((*above, last), container[last]) for above, container in found if last in container), None)
