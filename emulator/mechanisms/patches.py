"""The closed vocabulary of quirk operations, as functions on bodies, headers and event lists.

A path is dotted, `*` stands for every item: `choices.*.message`.
"""

from collections.abc import Callable, Iterator
from typing import Any, Literal

from emulator.mechanisms.expressions import Scope
from emulator.mechanisms.records import record
from emulator.mechanisms.templates import Template

BodyOp = Literal["add", "remove", "replace", "move", "retype", "scale", "omit_null"]
HeaderOp = Literal["set", "drop", "duplicate", "case"]
StatusOp = Literal["replace"]
StreamOp = Literal["comment", "insert", "drop", "repeat", "merge", "split", "delay"]
RequestOp = Literal["require_header", "reject_field", "ignore_field", "alias_field"]
Target = Literal["body", "headers", "status", "stream", "request", "fault"]

Headers = list[tuple[str, str]]


@record
class Patch:
    """One operation: its name, its plain arguments, and the value it computes, if it has one."""

    target: Target
    op: str
    arguments: dict[str, Any]
    value: Template | None = None


def patch_body(body: Any, patch: Patch, scope: Scope) -> None:
    """Apply one body operation in place. A path that leads nowhere changes nothing."""
    steps = str(patch.arguments.get("path", "")).split(".") if patch.arguments.get("path") else []
    if patch.op == "omit_null":
        for container in _containers(body, [*steps, "*"]):
            for key in [k for k, v in container.items() if v is None] if isinstance(container, dict) else []:
                del container[key]
        return
    for container in _containers(body, steps):
        if isinstance(container, dict) and (patch.op == "add" or steps[-1] in container):
            scope["parent"], scope["value"] = container, container.get(steps[-1])
            _BODY_OPS[patch.op](container, steps[-1], patch, scope)


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
    make: Callable[[Any], Any] = {"string": str, "integer": int, "number": float, "boolean": bool}[
        patch.arguments["to"]
    ]
    container[key] = make(container[key])


def _scale(container: dict[str, Any], key: str, patch: Patch, scope: Scope) -> None:
    """Multiply a number, or every number of a list."""
    value, factor = container[key], patch.arguments["factor"]
    container[key] = [number * factor for number in value] if isinstance(value, list) else value * factor


_BODY_OPS = {"add": _add, "remove": _remove, "replace": _replace, "move": _move, "retype": _retype, "scale": _scale}


def _containers(data: Any, steps: list[str]) -> Iterator[Any]:
    """Every mapping that holds (or could hold) the last step of a path."""
    if len(steps) <= 1:
        yield data
        return
    head, rest = steps[0], steps[1:]
    if head == "*" and isinstance(data, list):
        for item in data:
            yield from _containers(item, rest)
    elif isinstance(data, dict) and head in data:
        yield from _containers(data[head], rest)


def patch_headers(headers: Headers, patch: Patch, scope: Scope) -> Headers:
    """The headers after one operation. Names compare without case; `case` fixes how one is written."""
    name = str(patch.arguments["name"])
    same = [h for h in headers if h[0].lower() == name.lower()]
    others = [h for h in headers if h[0].lower() != name.lower()]
    value = str(patch.value(scope)) if patch.value else None
    if patch.op == "drop":
        return others
    if patch.op == "set":
        return [*others, (name, value or "")]
    if patch.op == "duplicate":
        return [*headers, *([(name, value)] if value is not None else same)]
    return [(name, v) if k.lower() == name.lower() else (k, v) for k, v in headers]


def take_fields(body: Any, patch: Patch) -> bool:
    """Apply `ignore_field` or `alias_field` to a request body in place; say whether the field was there."""
    steps = str(patch.arguments["path"]).split(".")
    found = False
    for container in _containers(body, steps):
        if isinstance(container, dict) and steps[-1] in container:
            found = True
            if patch.op == "ignore_field":
                del container[steps[-1]]
            elif patch.op == "alias_field":
                container.setdefault(patch.arguments["to"], container.pop(steps[-1]))
    return found
