"""Generated values satisfy their schemas, for schemas of the kind that tools and structured output declare."""

import random
from typing import Any

import jsonschema_rs
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.mechanisms.instances import instance

NAMES = st.sampled_from(["city", "name", "unit", "count", "tags", "email", "date", "note", "query", "id"])
TEXT_FORMATS = st.sampled_from(["date", "date-time", "email", "uri", "uuid", "ipv4", "ipv6", "hostname"])


def ranges(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda pair: (min(pair), max(pair)))


def leaves() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.just({"type": "string"}),
        ranges(0, 60).map(lambda r: {"type": "string", "minLength": r[0], "maxLength": r[1]}),
        TEXT_FORMATS.map(lambda form: {"type": "string", "format": form}),
        st.sampled_from([r"^[A-Z]{3}$", r"^\d{4}-\d{2}$", r"[a-z]+@x", r"^(red|blue)$"]).map(
            lambda pattern: {"type": "string", "pattern": pattern}
        ),
        ranges(-1000, 1000).map(lambda r: {"type": "integer", "minimum": r[0], "maximum": r[1]}),
        ranges(-1000, 1000).map(lambda r: {"type": "number", "minimum": r[0], "maximum": r[1]}),
        ranges(-100, 100).map(lambda r: {"type": "integer", "exclusiveMinimum": r[0], "maximum": r[1] + 1}),
        st.integers(1, 20).map(lambda step: {"type": "integer", "minimum": 0, "maximum": 100, "multipleOf": step}),
        st.just({"type": "boolean"}),
        st.just({"type": ["string", "null"]}),
        st.just({"type": "null"}),
        st.lists(st.one_of(st.text(max_size=5), st.integers(), st.none()), min_size=1, max_size=4).map(
            lambda values: {"enum": values}
        ),
        st.one_of(st.text(max_size=5), st.integers(), st.booleans()).map(lambda value: {"const": value}),
    )


def objects(below: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    def schema(properties: dict[str, Any], required: set[str], closed: bool) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": properties,
            "required": sorted(required & properties.keys()),
            "additionalProperties": not closed,
        }

    return st.builds(schema, st.dictionaries(NAMES, below, max_size=4), st.sets(NAMES, max_size=4), st.booleans())


def containers(below: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        objects(below),
        st.tuples(below, ranges(0, 4)).map(
            lambda parts: {"type": "array", "items": parts[0], "minItems": parts[1][0], "maxItems": parts[1][1]}
        ),
        st.lists(below, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
        st.lists(objects(below), min_size=1, max_size=3).map(
            lambda parts: {"allOf": [{k: v for k, v in p.items() if k != "additionalProperties"} for p in parts[:1]]}
        ),
    )


SCHEMAS = st.recursive(leaves(), containers, max_leaves=8)


@given(objects(SCHEMAS), st.integers(0, 10**6), st.lists(st.sampled_from(["Zurich", "weather", "ü"]), max_size=3))
@settings(max_examples=150, deadline=None)
def test_an_instance_satisfies_its_schema(schema: dict[str, Any], seed: int, words: list[str]) -> None:
    value = instance(schema, random.Random(seed), words)
    assert value is not None
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    assert validator.is_valid(value), (schema, value)


@given(objects(SCHEMAS), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_the_same_chance_gives_the_same_instance(schema: dict[str, Any], seed: int) -> None:
    assert instance(schema, random.Random(seed), ["x"]) == instance(schema, random.Random(seed), ["x"])


def test_references_and_recursion_end() -> None:
    tree = {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "required": ["value", "children"],
                "properties": {
                    "value": {"type": "integer"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                },
            }
        },
    }
    value = instance(tree, random.Random(1), [])
    assert jsonschema_rs.is_valid(tree, value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below, max_size=3),
    max_leaves=6,
)
KEYWORDS = st.sampled_from(
    [
        "type", "enum", "const", "default", "properties", "required", "items", "minItems", "maxItems", "minLength",
        "maxLength", "minimum", "maximum", "pattern", "format", "anyOf", "oneOf", "allOf", "not", "$ref", "$defs",
        "additionalProperties", "uniqueItems", "multipleOf", "minProperties",
    ]
)  # fmt: skip
HOSTILE = st.dictionaries(KEYWORDS, JSON | st.sampled_from(["string", "array", "#", "#/$defs", 10**9, -1]), max_size=4)


@given(HOSTILE, st.dictionaries(NAMES, HOSTILE, max_size=2))
@settings(max_examples=200, deadline=None)
def test_no_schema_breaks_the_generator(schema: dict[str, Any], properties: dict[str, Any]) -> None:
    whole = {"properties": properties, **schema}
    value = instance(whole, random.Random(0), ["word"])
    assert value is None or jsonschema_rs.validator_for(whole, validate_formats=True).is_valid(value)
