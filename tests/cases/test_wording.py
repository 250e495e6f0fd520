"""Every constraint of every request schema, broken one at a time: the very field is named, in the provider's words.

The broken requests are made from the schemas, so a field that is added to a spec is tested by itself.
"""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from emulator import Emulation

from .catalogue import PROVIDERS, caller, complaints

BodyPath = list[str | int]
WHOLE: dict[str, dict[str, Any]] = {
    "barrack": {
        "model": "openai/gpt-oss-120b",
        "messages": [{"role": "user", "content": "hi"}],
        "stop": ["x"],
    },
    "generalcompute": {
        "model": "gpt-oss-120b",
        "messages": [{"role": "user", "content": [{"type": "text", "image_url": {"url": "a"}}], "name": "n"}],
        "stop": ["x"],
        "logit_bias": {"5": 1},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    },
    "nugen": {"model": "nugen-legal", "messages": [{"role": "user", "content": "hi"}]},
    "peakprivacy": {"model": "gpt-4", "messages": [{"role": "user", "content": "hi"}]},
}
"""For each provider a request in which everything that has an inside is there."""

ANY_TYPE: dict[str, Any] = {
    "null": None, "boolean": True, "integer": 7, "number": 1.5, "string": "text", "array": [[]], "object": {"a": {}},
}  # fmt: skip
BOOLEAN = ("type.boolean", "type.boolean.string")
UNSAID = {
    "barrack": {"default", "exclusiveMinimum"},
    "generalcompute": {"default"},
    "nugen": {"default", "enum", "minItems", "maxItems", "minLength", "maxLength", "pattern", *BOOLEAN},
    "peakprivacy": {"default", "contentType", "type.file", "type.number.null", "type.boolean.null"},
}
"""Words in store for constraints that no completion of a provider has."""


def constraints(schema: dict[str, Any], document: Any, path: BodyPath) -> Iterator[tuple[BodyPath, Any]]:
    """Where to put what, so that one constraint is broken; `...` for what is to be left out."""
    schema = _resolved(schema, document)
    yield from ((path, value) for value in _wrong(schema))
    for name in schema.get("required", []):
        yield [*path, name], ...
    for name, below in schema.get("properties", {}).items():
        yield from constraints(below, document, [*path, name])
    if "items" in schema:
        yield from constraints(schema["items"], document, [*path, 0])


def _resolved(schema: dict[str, Any], document: Any) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    target = document
    for step in schema["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return dict(target)


def _wrong(schema: dict[str, Any]) -> Iterator[Any]:
    types = schema.get("type", list(ANY_TYPE))
    allowed = {types} if isinstance(types, str) else set(types)
    allowed |= {"integer"} if "number" in allowed else set()
    yield from (value for name, value in ANY_TYPE.items() if name not in allowed)
    if "enum" in schema:
        yield "no such value"
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "maximum" in schema:
        yield schema["maximum"] + 1
    if "exclusiveMinimum" in schema:
        yield schema["exclusiveMinimum"]
    if "minItems" in schema:
        yield []
    if "minLength" in schema:
        yield ""


def _broken(provider: str) -> list[tuple[BodyPath, Any]]:
    found = PROVIDERS[provider]
    operation = next(o for o in found.operations.values() if o.reader is not None)
    assert operation.body is not None
    return [case for case in constraints(operation.body.schema, found.document, []) if case[0]]


def _with(provider: str, path: BodyPath, value: Any) -> dict[str, Any]:
    body = copy.deepcopy(WHOLE[provider])
    holder: Any = body
    for step in path[:-1]:
        holder = holder[step]
    if value is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return body


@pytest.mark.parametrize("provider", WHOLE)
def test_every_broken_constraint_names_its_field(emulator: Emulation, provider: str) -> None:
    asking = caller(emulator[provider])
    assert asking.ask(body=WHOLE[provider]).status == 200
    heard: set[str] = set()
    for path, value in _broken(provider):
        reply = asking.ask(body=_with(provider, path, value))
        assert reply.status in (400, 422), (path, value)
        assert list(complaints(asking.provider, asking.operation, reply)) == []
        (note,) = [n for n in asking.handle.journal[-1].raw["trace"] if n["what"] == "invalid"]
        assert {tuple(field["at"]) for field in note["fields"]} == {("body", *path)}, (path, value, reply.text)
        heard |= {field["wording"] for field in note["fields"]}
    assert heard == asking.provider.wording.keys - UNSAID[provider]
