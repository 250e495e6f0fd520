"""Any JSON value in any field of any request: a documented error or a valid reply, never a 500."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator import Emulation, EmulatorServer
from emulator.catalog import load
from emulator.operation import Operation
from emulator.provider import Provider

PROVIDERS = load()
OPERATIONS = [
    (name, operation.id)
    for name, family in PROVIDERS.items()
    for operation in family.base.operations.values()
    if operation.body is not None
]
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
UNDECLARED: list[list[str | int]] = [
    ["tools", 0, "function", "parameters"],
    ["tools", 0, "function", "parameters", "properties", "x"],
    ["tools", 0, "function", "parameters", "properties", "x", "pattern"],
    ["tools", 0, "function", "parameters", "minProperties"],
    ["tool_choice"],
    ["tool_choice", "function"],
    ["tool_choice", "function", "name"],
    ["response_format", "type"],
    ["response_format", "json_schema", "schema"],
    ["stream_options"],
    ["stream_options", "include_usage"],
    ["messages", 0, "tool_calls"],
    ["messages", 1],
    ["max_completion_tokens"],
    ["metadata"],
    ["é\u0000"],
]
STREAM = {"stream": True, "anonymize": False}
KINDS: list[dict[str, Any]] = [{}, STREAM, {"tools": [TOOL]}, {"tools": [TOOL], **STREAM}, {"n": 3}]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=10), below, max_size=4),
    max_leaves=12,
).map(lambda value: json.dumps(value, ensure_ascii=False))
ODDITIES = st.sampled_from(
    [
        "9" * 400,
        "-" + "9" * 25,
        str(2**63),
        str(2**64 - 1),
        str(2**64),
        "1e308",
        "1e309",
        "-1e400",
        "1e-400",
        "-0",
        "0.1e1",
        "2.0",
        '"\\ud800"',
        '"\\udc00\\ud800 text"',
        '"\\ud83d\\ude00"',
        '"\\u0000"',
        '"\u2028\u0085\\r\\n"',
        '"' + "word " * 20_000 + '"',
        "[" * 300 + "]" * 300,
        "[" * 1000 + "]" * 1000,
        "[" * 5000 + "]" * 5000,
        '{"a":' * 300 + "1" + "}" * 300,
        '{"a":' * 1000 + "1" + "}" * 1000,
        "[" + ",".join(["{}"] * 2000) + "]",
        "[" + ",".join(["null"] * 2000) + "]",
        '{"type":"json_schema","json_schema":{"schema":{"$ref":"#"}}}',
        '{"type":"array","minItems":1000000000}',
        '{"type":"string","minLength":1000000000}',
        '{"type":"string","pattern":"(a*)*$"}',
        '{"type":"function","function":{"name":null}}',
        '"${request.model}"',
        '{"$each":"x in y"}',
        "NaN",
        "-Infinity",
        "",
    ]
)


def resolved(node: Any, document: Any) -> dict[str, Any]:
    while isinstance(node, dict) and "$ref" in node:
        target = document
        for step in str(node["$ref"]).removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node if isinstance(node, dict) else {}


def declared(schema: Any, document: Any, depth: int = 0) -> Iterator[list[str | int]]:
    """Every field that a request schema speaks of; of lists the first item."""
    schema = resolved(schema, document)
    if depth > 5:
        return
    for name, below in schema.get("properties", {}).items():
        yield [name]
        yield from ([name, *rest] for rest in declared(below, document, depth + 1))
    if "items" in schema:
        yield [0]
        yield from ([0, *rest] for rest in declared(schema["items"], document, depth + 1))


def put(node: Any, path: list[str | int], value: Any) -> Any:
    """The tree with a value at a path, containers made on the way."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        items = list(node) if isinstance(node, list) else []
        items += [{}] * (step + 1 - len(items))
        return [put(item, rest, value) if i == step else item for i, item in enumerate(items)]
    mapping = dict(node) if isinstance(node, dict) else {}
    return {**mapping, step: put(mapping.get(step), rest, value)}


def field_paths(provider: Provider, operation: Operation) -> list[list[str | int]]:
    assert operation.body is not None
    return [[], *declared(operation.body.schema, provider.document), *UNDECLARED]


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, str]:
    """(provider, operation, body): a working body with one or two fields replaced."""
    name, operation_id = draw(st.sampled_from(OPERATIONS))
    provider = PROVIDERS[name].base
    operation = provider.operations[operation_id]
    body = copy.deepcopy(operation.examples.body) or {}
    body |= draw(st.sampled_from(KINDS))
    marks = []
    for i in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(field_paths(provider, operation)))
        body = put(body, path, f"mark-{i}")
        marks.append(f'"mark-{i}"')
    text = json.dumps(body)
    for mark in marks:
        text = text.replace(mark, draw(VALUES | ODDITIES))
    return name, operation_id, text


@given(requests())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_in_any_field(
    emulator: Emulation, emulator_server: EmulatorServer, asked: tuple[str, str, str]
) -> None:
    name, operation_id, text = asked
    handle, operation = emulator[name], emulator_server.runtime.providers[name].base.operations[operation_id]
    emulator.clock.freeze()
    emulator.clock.advance("2m")  # limits are not the point here
    with httpx.Client(transport=emulator.transport(), headers=handle.headers) as client:
        reply = client.request(
            operation.method,
            handle.origin + operation.path,
            content=text.encode("utf-8", "surrogatepass"),
            headers={"content-type": "application/json"},
        )
    assert reply.status_code in operation.statuses
    assert reply.status_code != 500
    assert "x-emulator-notice" not in reply.headers
    if reply.headers["content-type"].startswith("application/json"):
        reply.json()


@pytest.mark.parametrize(("name", "operation_id"), OPERATIONS)
def test_every_oddity_as_the_whole_body(
    emulator: Emulation, emulator_server: EmulatorServer, name: str, operation_id: str
) -> None:
    handle, operation = emulator[name], emulator_server.runtime.providers[name].base.operations[operation_id]
    with httpx.Client(transport=emulator.transport(), headers=handle.headers) as client:
        for text in ("null", "[]", '""', "0", "true", "1e999", "{}", '{"":null}', "[{}]", "\x00", "{", '{"a":1}x', ""):
            reply = client.request(
                operation.method,
                handle.origin + operation.path,
                content=text,
                headers={"content-type": "application/json"},
            )
            nothing_asked_for = operation.body is not None and not operation.body.violations({})
            assert 400 <= reply.status_code < 500 or (nothing_asked_for and reply.status_code == operation.success)
            assert reply.status_code in operation.statuses
            assert reply.json()
