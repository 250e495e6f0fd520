"""Pydantic's errors in the words of the fixture language: the place, and what would be right."""

import json
import re
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from emulator.catalog.source import DocumentPath, Problem, Tree, show_path


def validated(model: type[BaseModel], tree: Tree) -> tuple[Any, list[Problem]]:
    """The model made from a tree, or None and every problem."""
    try:
        return model.model_validate(tree.data), []
    except ValidationError as error:
        schema = _json_schema(model)
        found = [
            Problem(tree.place(path), show_path(path), _message(e, path, schema))
            for path, e in _merged(error.errors(include_url=False), tree)
        ]
        return None, list(dict.fromkeys(found))


@cache  # pydantic makes it anew each time, which takes longer than everything else about a mistake
def _json_schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


_QUOTE = "'"
_UNCOUNTED = ("text", "true or false")
_NOUNS = {
    "list": ("list_type", "tuple_type"),
    "mapping": ("dict_type", "model_type", "model_attributes_type"),
    "text": ("string_type",),
    "number": ("float_type", "float_parsing", "finite_number", "decimal_type", "decimal_parsing"),
    "whole number": ("int_type", "int_parsing", "int_from_float", "int_parsing_size"),
    "true or false": ("bool_type", "bool_parsing"),
}
_KINDS = {kind: noun for noun, kinds in _NOUNS.items() for kind in kinds}
"""Pydantic's names of a value of the wrong kind, and what would be right."""
_BOUNDS = {
    "greater_than": "above {gt:.15g}",
    "greater_than_equal": "at least {ge:.15g}",
    "less_than": "below {lt:.15g}",
    "less_than_equal": "at most {le:.15g}",
    "string_pattern_mismatch": "like {pattern}",
}


def _merged(errors: list[Any], tree: Tree) -> list[tuple[DocumentPath, Any]]:
    """The errors with their paths.

    A value that may be of several kinds has one, whose context has them as `kinds`; none where what is wrong is in it.
    """
    merged: dict[Any, tuple[DocumentPath, Any]] = {}
    for number, error in enumerate(errors):
        path, noun = _path_of(error, tree), _KINDS.get(error["type"])
        if noun is None:
            merged[number] = path, error
        else:
            _, first = merged.setdefault(path, (path, {**error, "ctx": {"kinds": {}}}))
            first["ctx"]["kinds"][noun] = True
    within = {path[:depth] for path, _ in merged.values() for depth in range(len(path))}
    return [found for key, found in merged.items() if key not in within]


def _path_of(error: Any, tree: Tree) -> DocumentPath:
    path = _path_in(tree.data, error["loc"])
    named = error["type"] == "extra_forbidden" and path[-1:] != error["loc"][-1:]  # a fault by its name alone
    return (*path, error["loc"][-1]) if error["type"] == "missing" or named else path


def _path_in(data: Any, loc: tuple[Any, ...]) -> DocumentPath:
    """A pydantic location without the steps that name a member of a union."""
    path: list[str | int] = []
    for step in loc:
        if (isinstance(data, dict) and step in data) or (
            isinstance(data, list) and isinstance(step, int) and step < len(data)
        ):
            data = data[step]
        else:
            continue
        path.append(step)
    return tuple(path)


def _message(error: Any, path: DocumentPath, schema: dict[str, Any]) -> str:
    kind, context, value = error["type"], error.get("ctx", {}), error.get("input")
    if kind == "extra_forbidden":
        return _unknown_key(str(path[-1]), error["loc"], schema)
    if kind == "missing":
        return "is missing"
    if kind in ("literal_error", "union_tag_invalid"):
        expected = context.get("expected") or context.get("expected_tags", "")
        return _unknown_word(context.get("tag", value), expected)
    if kind == "union_tag_not_found":
        return f"needs `{context['discriminator'].strip(_QUOTE)}`"
    if kind == "value_error":
        return str(context.get("error", error["msg"]))
    return f"{_shown(value)}: {_wanted(kind, context) or error['msg']}"


def _wanted(kind: str, context: dict[str, Any]) -> str:
    """What a value must be; empty for what no model of the language asks for."""
    if kinds := context.get("kinds"):
        nouns = [noun for noun in _NOUNS if noun in kinds and not (noun == "whole number" and "number" in kinds)]
        return f"must be {' or '.join(noun if noun in _UNCOUNTED else f'a {noun}' for noun in nouns)}"
    if kind == "too_short":
        return f"must have at least {context['min_length']} item{'s' * (context['min_length'] != 1)}"
    return f"must be {_BOUNDS[kind].format(**context)}" if kind in _BOUNDS else ""


def _shown(value: Any) -> str:
    """A value as YAML has it."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _unknown_word(word: Any, expected: str) -> str:
    close = get_close_matches(word, re.findall("'([^']*)'", expected), 1) if isinstance(word, str) else []
    return f"{_shown(word)} is not known; {f'did you mean `{close[0]}`?' if close else f'use {expected}'}"


def _unknown_key(key: str, loc: tuple[Any, ...], schema: dict[str, Any]) -> str:
    known = _keys_at(schema, loc[:-1])
    close = get_close_matches(key, known, 1)
    hint = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(known)}" if known else "remove it"
    return f"is not a key here; {hint}"


def _keys_at(schema: dict[str, Any], loc: tuple[Any, ...]) -> list[str]:
    """The keys a model knows at a pydantic location, by its JSON Schema."""
    nodes = [schema]
    for step in loc:
        nodes = [below for node in nodes for below in _below(node, step, schema)]
    keys = [key for node in nodes for option in _options(node, schema) for key in option.get("properties", {})]
    return list(dict.fromkeys(keys))


def _options(node: Any, root: dict[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(node, dict):
        return []
    if "$ref" in node:
        return _options(root["$defs"][node["$ref"].rsplit("/", 1)[-1]], root)
    nested = [*node.get("anyOf", []), *node.get("oneOf", [])]
    return [o for option in nested for o in _options(option, root)] or [node]


def _below(node: dict[str, Any], step: Any, root: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for option in _options(node, root):
        if isinstance(step, int):
            found += [option["items"]] if isinstance(option.get("items"), dict) else []
        elif step in option.get("properties", {}):
            found.append(option["properties"][step])
        elif isinstance(option.get("additionalProperties"), dict):
            found.append(option["additionalProperties"])
    tag = [o for o in _options(node, root) if _tagged(o, step)] if isinstance(step, str) else []
    return found or tag or [node]


def _tagged(option: dict[str, Any], tag: str) -> bool:
    """Whether a member of a discriminated union is the one pydantic's location names."""
    properties = option.get("properties", {})
    return any(properties.get(key, {}).get("const") == tag for key in ("op", "target"))
