"""Generated values satisfy their schemas, for schemas of the kind that tools and structured output declare."""

import os
import random
import subprocess
import sys
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import assume, given, settings
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


FORMATS = [
    "json-pointer",
    "relative-json-pointer",
    "regex",
    "uri-template",
    "idn-email",
    "idn-hostname",
    "iri",
    "iri-reference",
    "uri-reference",
    "duration",
    "time",
    "date-time",
    "date",
    "uuid",
    "ipv4",
    "ipv6",
    "hostname",
]
DRAFT_07 = {"$schema": "http://json-schema.org/draft-07/schema#"}
OBJECT = {"type": "object"}
STRONG = r"^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[!@#$%])[A-Za-z\d!@#$%]{12,16}$"
STRINGS = {"type": "string"}
NODE = {
    "type": "object",
    "required": ["id", "next"],
    "properties": {"id": {"type": "integer"}, "next": {"oneOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
}
SATISFIABLE: dict[str, Any] = {
    "not a value": {"enum": ["a", "b", "c"], "not": {"enum": ["a", "b"]}},
    "not a type": {"not": {"type": "string"}},
    "not a range": {"type": "integer", "minimum": 0, "maximum": 100, "not": {"minimum": 3}},
    "not both properties": {
        **OBJECT,
        "properties": {"a": STRINGS, "b": STRINGS},
        "not": {"required": ["a", "b"]},
        "minProperties": 1,
    },
    "no such property": {
        **OBJECT,
        "properties": {"id": STRINGS, "admin": {"type": "boolean"}},
        "not": {"required": ["admin"]},
    },
    "not empty": {**OBJECT, "properties": {"tag": {"type": "string", "not": {"maxLength": 30}}}, "required": ["tag"]},
    "not a pattern": {"type": "string", "pattern": "^[a-c]{2}$", "not": {"pattern": "^a"}},
    "not this object": {
        **OBJECT,
        "properties": {"a": {"enum": [1, 2]}},
        "required": ["a"],
        "not": {"properties": {"a": {"const": 1}}},
    },
    "none of": {
        "type": "integer",
        "minimum": 1,
        "maximum": 30,
        "not": {"anyOf": [{"multipleOf": 2}, {"multipleOf": 3}]},
    },
    "contains a value": {"type": "array", "items": {"type": "integer"}, "contains": {"const": 7}},
    "contains some": {
        "type": "array",
        "contains": {"type": "string", "pattern": "^v"},
        "minContains": 2,
        "maxContains": 3,
    },
    "contains two kinds": {"type": "array", "allOf": [{"contains": {"const": 1}}, {"contains": {"const": "x"}}]},
    "contains at most": {
        "type": "array",
        "items": {"enum": [0, 1]},
        "contains": {"const": 1},
        "maxContains": 1,
        "minItems": 4,
    },
    "contains none": {
        "type": "array",
        "items": {"enum": [0, 1]},
        "contains": {"const": 1},
        "minContains": 0,
        "maxContains": 0,
        "minItems": 3,
    },
    "contains in a tuple": {
        "type": "array",
        "prefixItems": [STRINGS, {"type": "integer"}],
        "items": False,
        "contains": {"const": 4},
    },
    "names by pattern": {
        **OBJECT,
        "patternProperties": {"^s_": STRINGS, "^n_": {"type": "integer"}},
        "additionalProperties": False,
        "minProperties": 3,
    },
    "pattern and declared": {
        **OBJECT,
        "properties": {"x_id": {}},
        "patternProperties": {"^x_": {"type": "integer"}},
        "required": ["x_id", "x_n"],
    },
    "language tags": {
        **OBJECT,
        "patternProperties": {"^[a-z]{2}(-[A-Z]{2})?$": STRINGS},
        "additionalProperties": False,
        "minProperties": 2,
    },
    "property names": {
        **OBJECT,
        "propertyNames": {"pattern": "^[a-z]{3}$"},
        "minProperties": 2,
        "additionalProperties": {"type": "number"},
    },
    "property names listed": {**OBJECT, "propertyNames": {"enum": ["north", "south", "east"]}, "minProperties": 3},
    "property names by length": {**OBJECT, "propertyNames": {"maxLength": 4}, "minProperties": 2},
    "dependent required": {
        **OBJECT,
        "properties": {"card": STRINGS, "address": STRINGS},
        "required": ["card"],
        "dependentRequired": {"card": ["address", "zip"]},
    },
    "dependent schema": {
        **OBJECT,
        "properties": {"card": STRINGS},
        "required": ["card"],
        "dependentSchemas": {"card": {"required": ["zip"], "properties": {"zip": {"type": "integer"}}}},
    },
    "dependencies": {
        **DRAFT_07,
        **OBJECT,
        "properties": {"a": STRINGS},
        "dependencies": {"a": ["b"], "b": {"properties": {"c": {"const": 1}}, "required": ["c"]}},
    },
    "dependent and excluded": {
        **OBJECT,
        "properties": {"a": STRINGS, "b": STRINGS},
        "minProperties": 1,
        "dependentSchemas": {"a": {"not": {"required": ["b"]}}},
    },
    "if then else": {
        **OBJECT,
        "properties": {"kind": {"enum": ["a", "b"]}},
        "required": ["kind"],
        "if": {"properties": {"kind": {"const": "a"}}},
        "then": {"required": ["x"]},
        "else": {"required": ["y"]},
    },
    "only then": {
        **OBJECT,
        "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 9}},
        "required": ["n"],
        "if": {"properties": {"n": {"minimum": 5}}},
        "then": {"properties": {"big": {"const": True}}, "required": ["big"]},
        "else": False,
    },
    "one if for each kind": {
        **OBJECT,
        "required": ["kind"],
        "properties": {"kind": {"enum": list("abcdefgh")}},
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": c}}},
                "then": {"required": [f"of_{c}"], "properties": {f"of_{c}": {"type": "integer"}}},
            }
            for c in "abcdefgh"
        ],
    },
    "many ifs": {
        **OBJECT,
        "allOf": [
            {
                "if": {"properties": {f"k{i}": {"const": i}}},
                "then": {"required": [f"r{i}"]},
                "else": {"required": [f"e{i}"]},
            }
            for i in range(12)
        ],
    },
    "old tuple": {
        **DRAFT_07,
        "type": "array",
        "items": [STRINGS, {"type": "integer"}],
        "additionalItems": {"type": "boolean"},
        "minItems": 4,
    },
    "old closed tuple": {
        **DRAFT_07,
        "type": "array",
        "items": [{"type": "number"}, {"enum": ["m", "km"]}],
        "additionalItems": False,
        "minItems": 2,
    },
    "closed tuple": {"type": "array", "prefixItems": [STRINGS, {"type": "integer"}], "items": False},
    "unevaluated": {
        **OBJECT,
        "allOf": [
            {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"const": 3}}, "required": ["b"]},
        ],
        "unevaluatedProperties": False,
    },
    "unevaluated in one of": {
        **OBJECT,
        "properties": {"id": STRINGS},
        "oneOf": [{"properties": {"a": STRINGS}, "required": ["a"]}, {"properties": {"b": STRINGS}, "required": ["b"]}],
        "unevaluatedProperties": False,
    },
    "unevaluated items": {"type": "array", "prefixItems": [STRINGS], "unevaluatedItems": False, "minItems": 1},
    "password": {"type": "string", "pattern": STRONG},
    "look-ahead": {"type": "string", "pattern": r"^(?=.*[A-Z])(?=.*\d).{8,}$"},
    "look-ahead of length": {"type": "string", "pattern": r"^(?=.{5,10}$)[a-z]+(-[a-z]+)*$"},
    "negative look-ahead": {"type": "string", "pattern": r"^(?!admin)[a-z]{3,20}$", "maxLength": 6},
    "look-behind": {"type": "string", "pattern": r"^[a-z_]{2,10}(?<!_)$"},
    "pattern and lengths": {"type": "string", "pattern": "^[a-z]+$", "minLength": 5, "maxLength": 7},
    "long pattern": {"type": "string", "pattern": r"^\w+( \w+)*$", "minLength": 40, "maxLength": 42},
    "counted pattern": {"type": "string", "pattern": "^[a-f0-9]{4096}$"},
    "open pattern, long text": {"type": "string", "pattern": "^ID", "minLength": 20},
    "exactly": {"type": "string", "pattern": r"^(ab|c)*$", "minLength": 9, "maxLength": 9},
    "two patterns": {"type": "string", "allOf": [{"pattern": "^a"}, {"pattern": "z$"}], "minLength": 5},
    "two patterns anywhere": {"type": "string", "allOf": [{"pattern": "[A-Z]"}, {"pattern": r"\d"}], "maxLength": 8},
    "named group": {"type": "string", "pattern": r"^(?<year>\d{4})-(?<month>\d{2})$"},
    "letters of any script": {"type": "string", "pattern": r"^\p{Lu}[\p{L} '-]{2,10}$"},
    "doubtful set": {"type": "string", "pattern": r"^[[&&||~~]{3}$"},
    "one of two required": {
        **OBJECT,
        "properties": {"x": STRINGS, "y": STRINGS},
        "oneOf": [{"required": ["x"]}, {"required": ["y"]}],
    },
    "one of two required, closed": {
        **OBJECT,
        "properties": {"x": STRINGS, "y": STRINGS},
        "oneOf": [{"required": ["x"]}, {"required": ["y"]}],
        "additionalProperties": False,
    },
    "one of four required": {
        **OBJECT,
        "properties": dict.fromkeys("wxyz", STRINGS),
        "oneOf": [{"required": [c]} for c in "wxyz"],
    },
    "one of overlapping": {"oneOf": [{"type": "integer", "minimum": 0}, {"type": "integer", "maximum": 10}]},
    "one of with a hidden tag": {
        "oneOf": [{**OBJECT, "properties": {"t": {"const": c}, "v": {}}, "required": ["t"]} for c in "abc"]
    },
    "any of and one of": {
        **OBJECT,
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        "oneOf": [{"required": ["b"]}, {"required": ["c"]}],
    },
    "step in bounds": {"type": "number", "multipleOf": 0.1, "minimum": 0.25, "maximum": 0.35},
    "two steps": {"type": "integer", "allOf": [{"multipleOf": 6}, {"multipleOf": 10}], "minimum": 31, "maximum": 70},
    "cents": {"type": "number", "multipleOf": 0.01, "exclusiveMinimum": 0, "exclusiveMaximum": 0.02},
    "narrow": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
    "integer between fractions": {"type": "integer", "exclusiveMinimum": 1.5, "exclusiveMaximum": 2.5},
    "large step": {"type": "integer", "multipleOf": 1000, "minimum": 1500, "maximum": 2500},
    "step above the greatest": {"type": "integer", "multipleOf": 2, "maximum": 1},
    "step far below the greatest": {"type": "number", "multipleOf": 700.5, "maximum": -3},
    "const in all of": {
        **OBJECT,
        "allOf": [{"properties": {"t": STRINGS}, "required": ["t"]}, {"properties": {"t": {"const": "x"}}}],
    },
    "bounds in all of": {"type": "integer", "allOf": [{"minimum": 5, "maximum": 90}, {"minimum": 60}, {"maximum": 61}]},
    "minimum of names": {
        **OBJECT,
        "properties": {"a": {"type": "integer"}},
        "patternProperties": {"^x-": {"type": "integer"}},
        "minProperties": 3,
        "additionalProperties": False,
    },
    "most of names": {**OBJECT, "properties": dict.fromkeys("abcd", STRINGS), "required": ["c"], "maxProperties": 2},
    "no more names": {**OBJECT, "properties": {"a": STRINGS, "old": False}, "additionalProperties": False},
    "unique enum": {"type": "array", "items": {"enum": [1, 2, 3, True]}, "uniqueItems": True, "minItems": 4},
    "unique booleans": {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 2},
    "unique range": {
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": 40},
        "uniqueItems": True,
        "minItems": 40,
    },
    "nested definitions": {
        "$ref": "#/$defs/a",
        "$defs": {
            "a": {"allOf": [{"$ref": "#/$defs/b"}], "required": ["n"]},
            "b": {**OBJECT, "properties": {"n": {"$ref": "#/$defs/c/d"}}},
            "c": {"d": {"type": "integer", "not": {"maximum": 40}}},
        },
    },
    "reference with more": {
        "$defs": {"n": {"type": "integer", "minimum": 0}},
        **OBJECT,
        "properties": {"a": {"$ref": "#/$defs/n", "maximum": 3}},
        "required": ["a"],
    },
    "recursion with not": {"$ref": "#/$defs/node", "$defs": {"node": {**NODE, "not": {"required": ["stop"]}}}},
    "default that breaks a rule": {
        **OBJECT,
        "properties": {"n": {"type": "integer", "default": 0, "minimum": 1}},
        "required": ["n"],
    },
    "deep": {
        **OBJECT,
        "required": ["a"],
        "properties": {
            "a": {
                "type": "array",
                "minItems": 3,
                "items": {
                    **OBJECT,
                    "required": ["k", "v"],
                    "properties": {"k": {"enum": ["i", "s"]}, "v": {}},
                    "if": {"properties": {"k": {"const": "i"}}},
                    "then": {"properties": {"v": {"type": "integer"}}},
                    "else": {"properties": {"v": {"type": "string", "pattern": "^(?=.*x)[a-z]{4}$"}}},
                },
            }
        },
    },
    "pattern of a format": {"type": "string", "format": "uri", "pattern": "^https://"},
    "short email": {"type": "string", "format": "email", "maxLength": 8},
    "long address": {"type": "string", "format": "uri", "minLength": 60},
    "short address": {"type": "string", "format": "uri", "maxLength": 12},
    "long pointer": {"type": "string", "format": "json-pointer", "minLength": 30},
    **{form: {"type": "string", "format": form} for form in FORMATS},
}
DEEP: dict[str, Any] = {"type": "integer"}
for _ in range(90):
    DEEP = {**OBJECT, "properties": {"a": DEEP}, "required": ["a"]}
NOTS: dict[str, Any] = {"type": "integer"}
for i in range(60):
    NOTS = {"not": NOTS if i % 3 else {"anyOf": [NOTS, {"required": [str(i)]}]}}
WORST: dict[str, Any] = {
    "false": False,
    "no value": {"allOf": [{"const": 1}, {"const": 2}]},
    "no type": {"type": "string", "not": {"type": "string"}},
    "empty range": {"type": "integer", "minimum": 5, "maximum": 4},
    "contradicting": {**OBJECT, "required": ["a"], "properties": {"a": False}},
    "endless recursion": {
        "$ref": "#/$defs/n",
        "$defs": {"n": {**OBJECT, "properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"]}},
    },
    "itself": {"$ref": "#"},
    "itself in all of": {"allOf": [{"$ref": "#"}]},
    "itself in not": {"not": {"$ref": "#"}},
    "nowhere": {"$ref": "#/$defs/gone"},
    "elsewhere": {"$ref": "https://example.com/schema.json"},
    "many items": {"type": "array", "minItems": 10**9},
    "many names": {**OBJECT, "minProperties": 10**9},
    "many contained": {"type": "array", "contains": {"const": 1}, "minContains": 10**9},
    "long text": {"type": "string", "minLength": 10**9},
    "long texts": {"type": "array", "minItems": 900, "items": {"type": "string", "minLength": 10**4}},
    "exploding arrays": {
        "type": "array",
        "minItems": 60,
        "items": {"type": "array", "minItems": 60, "items": {"type": "array", "minItems": 60}},
    },
    "catastrophic": {"type": "string", "pattern": "^(a+)+$", "not": {"pattern": "^(a|aa)+$"}},
    "catastrophic look-ahead": {"type": "string", "pattern": r"^(?=(a+)+b)(a|a?)+$", "minLength": 3000},
    "counted": {"type": "string", "pattern": "a{100000}"},
    "counted twice": {"type": "string", "pattern": "(?:a{1000}){1000}"},
    "counted thrice": {"type": "string", "pattern": "^((x{1,60}){1,60}){1,60}$", "minLength": 9000},
    "no regex": {"type": "string", "pattern": "("},
    "impossible pattern": {"type": "string", "pattern": "^(?!a)a$"},
    "impossible order": {"type": "string", "pattern": "a^b"},
    "deep": DEEP,
    "nots": NOTS,
    "products": {
        "allOf": [
            {
                "anyOf": [
                    {"properties": {f"p{i}_{k}": {"type": "integer", "minimum": k}}, "required": [f"p{i}_{k}"]}
                    for k in range(8)
                ]
            }
            for i in range(12)
        ]
    },
    "40 ifs": {
        "allOf": [
            {
                "if": {"properties": {f"k{i}": {"const": i}}},
                "then": {"required": [f"r{i}"]},
                "else": {"required": [f"e{i}"]},
            }
            for i in range(40)
        ]
    },
    "long enums": {"enum": list(range(20000)), "not": {"enum": list(range(19999))}},
    "wide and impossible": {
        **OBJECT,
        "properties": {f"p{i}": {"type": "string", "format": "email", "not": {"format": "email"}} for i in range(300)},
        "required": [f"p{i}" for i in range(300)],
    },
    "unique too many": {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 300},
    "unique arrays": {"type": "array", "uniqueItems": True, "minItems": 1000, "items": {"type": "integer"}},
    "60 oneOf": {"oneOf": [{"properties": {f"p{i}": {"type": "string"}}, "required": [f"p{i}"]} for i in range(60)]},
    "60 oneOf unsat": {
        **OBJECT,
        "oneOf": [{"properties": {f"p{i}": {"type": "string"}}, "required": ["q"]} for i in range(60)],
    },
    "impossible puzzle": {
        **OBJECT,
        "properties": {c: {"type": "boolean"} for c in "abcdef"},
        "required": list("abcdef"),
        "allOf": [
            {"anyOf": [{"properties": {x: {"const": p}}}, {"properties": {y: {"const": q}}}]}
            for x in "abcdef"
            for y in "abcdef"
            if x < y
            for p in (True, False)
            for q in (True, False)
        ],
    },
    "old bounds": {"type": "integer", "exclusiveMinimum": True, "minimum": 1},
    "big": {"type": "integer", "minimum": 10**300},
    "infinite": {"type": "number", "minimum": 1e308, "exclusiveMinimum": 1.7e308},
    "wide": {
        "type": "object",
        "properties": {
            f"p{i}": {
                "anyOf": [
                    {"type": "string", "format": "email"},
                    {"type": "object", "properties": {f"q{k}": {"type": "integer"} for k in range(10)}},
                ]
            }
            for i in range(300)
        },
        "not": {"required": ["zz"]},
    },
}


@pytest.mark.parametrize("schema", SATISFIABLE.values(), ids=SATISFIABLE)
def test_a_schema_of_uncommon_keywords_has_an_instance(schema: dict[str, Any]) -> None:
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    for seed in range(5):
        value = instance(schema, random.Random(seed), ["Zurich", "weather"])
        assert validator.is_valid(value), value
        assert value == instance(schema, random.Random(seed), ["Zurich", "weather"])


@pytest.mark.parametrize("schema", WORST.values(), ids=WORST)
def test_a_hostile_schema_ends_in_a_value_or_in_none(schema: Any) -> None:
    value = instance(schema, random.Random(0), ["word"])
    assert value is None or jsonschema_rs.validator_for(schema, validate_formats=True).is_valid(value)


def test_the_same_chance_gives_the_same_instance_in_every_process() -> None:
    """Sets of characters have no order of their own."""
    program = (
        "import random; from emulator.mechanisms.instances import instance;"
        "print(instance({'type': 'string', 'pattern': r'^[^ab]{20}\\W{5}$'}, random.Random(1), []))"
    )
    seen = {
        subprocess.run(  # noqa: S603
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(seen) == 1


ANY_NAMES = st.sampled_from(["a", "b", "c", "kind", "zip_code"])
VALUES = st.recursive(
    st.integers(-20, 20) | st.booleans() | st.from_regex(r"\A[a-z]{1,6}\Z"),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(ANY_NAMES, below, max_size=3),
    max_leaves=5,
)


def around(value: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas that accept a value."""
    plain: st.SearchStrategy[dict[str, Any]]
    if isinstance(value, bool):
        options: list[dict[str, Any]] = [{"type": "boolean"}, {"const": value}, {"not": {"const": not value}}]
        plain = st.sampled_from(options)
    elif isinstance(value, int):
        plain = around_number(value)
    elif isinstance(value, str):
        plain = around_text(value)
    else:
        plain = around_list(value) if isinstance(value, list) else around_object(value)
    return plain.flatmap(wrapped)


def wrapped(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The same schema said in other words."""
    return st.sampled_from(
        [
            schema,
            {"allOf": [schema, {"not": {"type": "null"}}]},
            {"anyOf": [schema, False]},
            {"oneOf": [schema, {"type": "null"}]},
            {"if": {"type": "null"}, "then": False, "else": schema},
            {"not": {"not": schema}},
        ]
    )


def some(options: list[dict[str, Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.sampled_from(options), max_size=3)


def around_number(value: int) -> st.SearchStrategy[dict[str, Any]]:
    options: list[dict[str, Any]] = [
        {"minimum": value},
        {"maximum": value + 3},
        {"exclusiveMinimum": value - 1},
        {"not": {"minimum": value + 1}},
        {"not": {"const": value + 1}},
        {"multipleOf": abs(value) or 1},
        {"enum": [value, "other"]},
    ]
    return some(options).map(lambda parts: {"type": "integer", "allOf": [True, *parts]})


def around_text(value: str) -> st.SearchStrategy[dict[str, Any]]:
    options: list[dict[str, Any]] = [
        {"minLength": len(value)},
        {"maxLength": len(value)},
        {"pattern": "^[a-z]+$"},
        {"pattern": f"^{value[0]}"},
        {"pattern": f"^(?=.*{value[-1]})"},
        {"not": {"maxLength": len(value) - 1}},
        {"not": {"const": value + "x"}},
        {"not": {"pattern": "[0-9]"}},
        {"enum": ["1", value, 2]},
    ]
    return some(options).map(lambda parts: {"type": "string", "allOf": [True, *parts]})


def around_list(value: list[Any]) -> st.SearchStrategy[dict[str, Any]]:
    def schema(items: list[dict[str, Any]], kind: str) -> dict[str, Any]:
        if kind == "tuple" and items:
            return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
        if kind == "contains":
            return {"type": "array", "allOf": [True, *({"contains": item} for item in items)], "maxItems": len(items)}
        return {"type": "array", "items": {"anyOf": [*items, {"type": "null"}]}, "minItems": len(items)}

    drawn: st.SearchStrategy[list[dict[str, Any]]] = st.tuples(*map(around, value)).map(list)
    return st.builds(schema, drawn, st.sampled_from(["tuple", "contains", "list"]))


def around_object(value: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    present, absent = sorted(value), "absent"
    options: list[dict[str, Any]] = [
        {"not": {"required": [absent]}},
        {"propertyNames": {"maxLength": 8}},
        {"minProperties": len(present)},
        {"maxProperties": len(present)},
        {"required": present},
        {"dependentRequired": {absent: ["more"], **dict.fromkeys(present[:1], present)}},
        {"if": {"required": present}, "then": {"required": present}, "else": {"required": [absent]}},
        {"oneOf": [{"required": present}, {"required": [*present, absent]}]},
        {"patternProperties": {"^x": False, "^y": {"type": "integer"}}},
    ]

    def schema(properties: list[dict[str, Any]], parts: list[dict[str, Any]], closed: str | None) -> dict[str, Any]:
        closing = {closed: False} if closed else {}
        return {
            "type": "object",
            "properties": dict(zip(value, properties, strict=True)),
            "allOf": [True, *parts],
            **closing,
        }

    closings = st.sampled_from([None, "additionalProperties", "unevaluatedProperties"])
    return st.builds(schema, st.tuples(*map(around, value.values())).map(list), some(options), closings)


@given(VALUES.flatmap(lambda value: st.tuples(st.just(value), around(value))), st.integers(0, 10**6))
@settings(max_examples=300, deadline=None)
def test_a_schema_around_a_value_has_an_instance(pair: tuple[Any, dict[str, Any]], seed: int) -> None:
    known, schema = pair
    validator = jsonschema_rs.validator_for(schema, validate_formats=True)
    assume(validator.is_valid(known))
    value = instance(schema, random.Random(seed), ["Zurich"])
    assert validator.is_valid(value), (schema, known, value)  # null, too, only where the schema takes it


TOGETHER = {
    "a range that keeps a letter": [{"pattern": "^[a-z]+$"}, {"pattern": "^d"}, {"not": {"maxLength": 0}}],
    "the same look-ahead twice": [{"pattern": "^(?=.*a)"}, {"pattern": "^(?=.*a)"}],
    "a range that keeps a group": [{"pattern": "^[a-d]{2,4}$"}, {"pattern": r"^([c-f])\1"}],
}


@pytest.mark.parametrize("parts", TOGETHER.values(), ids=TOGETHER)
def test_patterns_that_hold_together_are_met_whatever_the_chance(parts: list[dict[str, Any]]) -> None:
    schema = {
        **OBJECT,
        "required": ["a", "b", "c"],
        "properties": {name: {**STRINGS, "allOf": parts} for name in "abc"},
    }
    assert [seed for seed in range(200) if instance(schema, random.Random(seed), ["Zurich"]) is None] == []


@pytest.mark.parametrize("closing", ["additionalProperties", "unevaluatedProperties"])
def test_conditions_that_leave_one_way_are_met_whatever_the_chance(closing: str) -> None:
    """Several of them, and one within: the other way asks for a property that may not be there."""

    def conditional(*names: str) -> dict[str, Any]:
        return {"if": {"required": [*names]}, "then": {"required": [*names]}, "else": {"required": ["absent"]}}

    no_null = {"not": {"type": "null"}}
    inner = {
        "type": "object",
        "properties": {"a": {"allOf": [{"const": False}, no_null]}, "b": {"const": False}},
        "allOf": [{"not": {"required": ["absent"]}}, conditional("a", "b")],
    }
    low = {"allOf": [{"type": "integer", "not": {"minimum": 2}}, no_null]}
    whole = {
        "type": "object",
        "properties": {"a": low, "b": inner, "c": {"type": "boolean"}},
        "allOf": [conditional("a", "b", "c"), conditional("a", "b", "c")],
        closing: False,
    }
    schema = {"allOf": [whole, no_null]}
    assert [seed for seed in range(200) if instance(schema, random.Random(seed), ["Zurich"]) is None] == []
