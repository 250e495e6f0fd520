"""Schemas folded flat: of all that a schema's applicators allow, one way to satisfy it, chosen by chance.

What comes out has no `$ref`, `allOf`, `anyOf`, `oneOf`, `if`, `not` or dependencies at its top. It guides a drawing and
proves nothing: what `not` asks is turned round where that is plain and left to a check of the drawn value elsewhere.
"""

import random
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from math import lcm
from typing import Any

from emulator.mechanisms.paths import pointed

MOST_DEPTH = 6
_TYPES = ("string", "integer", "number", "object", "array", "boolean", "null")
_APPLICATORS = {"$ref", "allOf", "anyOf", "oneOf", "if", "then", "else", "not", "dependentSchemas", "dependentRequired",
                "dependencies", "contains", "minContains"}  # fmt: skip
_LARGER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_SMALLER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
_BOTH = ("items", "additionalItems", "propertyNames", "unevaluatedItems")
# keyword -> the type it speaks of, its opposite, and the distance between the two
_OPPOSITES: dict[str, tuple[str, str, int]] = {
    "minimum": ("number", "exclusiveMaximum", 0), "maximum": ("number", "exclusiveMinimum", 0),
    "exclusiveMinimum": ("number", "maximum", 0), "exclusiveMaximum": ("number", "minimum", 0),
    "minLength": ("string", "maxLength", -1), "maxLength": ("string", "minLength", 1),
    "minItems": ("array", "maxItems", -1), "maxItems": ("array", "minItems", 1),
    "minProperties": ("object", "maxProperties", -1), "maxProperties": ("object", "minProperties", 1),
}  # fmt: skip


_Later = Callable[[dict[str, Any]], list[list[Any]]]
"""What is fixed of a schema -> the ways to go on, each some parts to fold in, the one to try first first."""


class Contradiction(Exception):
    """The way chosen to satisfy a schema cannot be gone."""


class Folding:
    """`spend` is told of every step, and raises when there were too many."""

    def __init__(self, root: Any, chance: random.Random, spend: Callable[[], None]) -> None:
        self.root = root
        self.chance = chance
        self.spend = spend
        self.conditions = 0
        self.nulls = False
        self.later: list[_Later] = []

    def flat(self, schema: Any, depth: int, *, conditions: int, nulls: bool) -> dict[str, Any]:
        """One way to satisfy `schema`: at most that many of its `if`s true, null chosen among others only if `nulls`.

        Raises Contradiction.
        """
        self.conditions, self.nulls, self.later = conditions, nulls, []
        flat = self._flat(schema, depth, 0)
        while self.later:  # what can be done in several ways, chosen when all that is fixed is known
            flat = self._gone_on(flat, self.later.pop(0)(flat), depth)
        return flat

    def _gone_on(self, flat: dict[str, Any], ways: list[list[Any]], depth: int) -> dict[str, Any]:
        """The first way that can be gone and asks for no property that must not be there. Raises Contradiction."""
        later, gone = self.later, []
        for parts in ways:
            self.later, further = [*later], flat
            try:
                for part in parts:
                    further = merged(further, self._flat(part, depth, 0))
            except Contradiction:
                continue
            gone.append((_forbids_own(further), further, self.later))
            if not gone[-1][0]:
                break
        if not gone:
            raise Contradiction
        _, further, self.later = min(gone, key=lambda way: way[0])
        return further

    def _flat(self, schema: Any, depth: int, nested: int) -> dict[str, Any]:
        self.spend()
        if schema is False or nested > 8 * MOST_DEPTH:
            raise Contradiction
        if not isinstance(schema, dict):
            return {}
        flat = {key: value for key, value in schema.items() if key not in _APPLICATORS}
        if "contains" in schema:
            flat["contains"] = [(schema["contains"], schema.get("minContains", 1))]
        for part in self._parts(schema, depth):
            flat = merged(flat, self._flat(part, depth, nested + 1))
        return flat

    def _parts(self, schema: dict[str, Any], depth: int) -> list[Any]:
        parts: list[Any] = [target(self.root, schema["$ref"])] if "$ref" in schema else []
        parts += schema.get("allOf") or []
        if schema.get("anyOf"):
            parts.append(schema["anyOf"][self._choice(schema["anyOf"], depth)])
        if schema.get("oneOf"):
            chosen = self._choice(schema["oneOf"], depth)
            parts += [o if i == chosen else {"not": o} for i, o in enumerate(schema["oneOf"])]
        if "not" in schema:
            self.later.append(lambda flat: [[self._opposite(schema["not"], flat)]])
        if "if" in schema:
            self.later.append(lambda _: self._branch(schema))
        for key, below in _dependencies(schema):
            self.later.append(partial(self._dependent, key, below))
        return parts

    def _dependent(self, key: str, below: Any, flat: dict[str, Any]) -> list[list[Any]]:
        present = key in flat.get("required", ())
        if not present and key in flat.get("properties", ()):
            present = flat["properties"][key] is not False and self.chance.random() < 0.5
        return [[{"required": [key]}, below] if present else [{"properties": {key: False}}]]

    def _choice(self, options: list[Any], depth: int) -> int:
        """Deep inside a recursive schema the simplest, so that it ends."""
        if depth >= MOST_DEPTH:
            return min(range(len(options)), key=lambda i: len(str(target(self.root, options[i]))))
        telling = [i for i, o in enumerate(options) if not (isinstance(o, dict) and o.get("type") == "null")]
        return self.chance.choice(range(len(options)) if self.nulls or not telling else telling)

    def _branch(self, schema: dict[str, Any]) -> list[list[Any]]:
        ways = [[{"not": schema["if"]}, schema.get("else", True)], [schema["if"], schema.get("then", True)]]
        if self.conditions > 0 and self.chance.random() < 0.5:
            self.conditions -= 1
            ways.reverse()
        return ways

    def _opposite(self, schema: Any, flat: dict[str, Any]) -> Any:
        """One way to break a schema, or `{}` where only trying helps."""
        schema = target(self.root, schema)
        if not isinstance(schema, dict):
            return schema is False
        for key in ("anyOf", "oneOf"):
            if schema.get(key):
                return {"allOf": [{"not": option} for option in schema[key]]}
        ways: list[Any] = [{"not": part} for part in schema.get("allOf") or []]
        fixed = flat.get("required", ())
        ways += [{"properties": {key: False}} for key in schema.get("required") or [] if key not in fixed]
        ways += [
            {"type": "object", "required": [key], "properties": {key: {"not": below}}}
            for key, below in (schema.get("properties") or {}).items()
        ]
        ways += [
            {"type": kind, opposite: schema[key] + step}
            for key, (kind, opposite, step) in _OPPOSITES.items()
            if key in schema
        ]
        if "type" in schema and (not ways or self.chance.random() < 0.2):
            ways.append({"type": _other_types(schema["type"])})
        if "not" in schema:
            ways.append(schema["not"])
        if isinstance(schema.get("items"), dict):
            ways.append({"type": "array", "contains": {"not": schema["items"]}})
        if "contains" in schema:
            ways.append({"type": "array", "items": {"not": schema["contains"]}})
        if isinstance(schema.get("additionalProperties"), (dict, bool)):
            others = schema["additionalProperties"]
            ways.append({"type": "object", "minProperties": 1, "additionalProperties": {"not": others}})
        if ways and schema.keys() & {"const", "enum", "pattern", "format"}:
            ways.append({})
        return self.chance.choice(ways) if ways else bool(schema)


def target(root: Any, schema: Any) -> Any:
    """What a `$ref` (given itself, or the schema that is one) points to within the document; `{}` if nowhere."""
    for _ in range(MOST_DEPTH):
        reference = schema.get("$ref") if isinstance(schema, dict) else schema
        if not isinstance(reference, str):
            break
        schema = pointed(root, reference)
    return {} if schema is None else schema


def _dependencies(schema: dict[str, Any]) -> list[tuple[str, Any]]:
    kinds = ("dependentSchemas", "dependentRequired", "dependencies")
    found = [pair for kind in kinds for pair in (schema.get(kind) or {}).items()]
    return [(key, {"required": below} if isinstance(below, list) else below) for key, below in found]


def _names(declared: Any) -> list[str]:
    return declared if isinstance(declared, list) else [declared]


def _other_types(declared: Any) -> list[str]:
    names = _names(declared)
    return [name for name in _TYPES if name not in names and not (name == "integer" and "number" in names)]


def merged(base: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """A schema for what two flat ones both allow. Raises Contradiction when that is plainly nothing."""
    both = {**base, **extra}
    for key in base.keys() & extra.keys():
        one, other = base[key], extra[key]
        if key in _LARGER:
            both[key] = max(one, other)
        elif key in _SMALLER:
            both[key] = min(one, other)
        elif key in _BOTH and isinstance(one, (dict, bool)) and isinstance(other, (dict, bool)):
            both[key] = _all(one, other)
        elif key in _MERGERS:
            both[key] = _MERGERS[key](one, other)
    names = [*(base.get("properties") or ()), *(extra.get("properties") or ())]
    if names:
        both["properties"] = {name: _all(_rule(base, name), _rule(extra, name)) for name in dict.fromkeys(names)}
    return both


def _all(one: Any, other: Any) -> Any:
    if one is False or other is False:
        return False
    if one is True or one == other:
        return other
    return one if other is True else {"allOf": [one, other]}


def _rule(schema: dict[str, Any], name: str) -> Any:
    """What a schema says of one property."""
    properties = schema.get("properties") or {}
    if name in properties or schema.get("patternProperties"):
        return properties.get(name, True)
    return schema.get("additionalProperties", True)


def _forbids_own(schema: dict[str, Any]) -> bool:
    """Whether a flat schema asks for a property that it does not allow."""
    closed = schema.get("unevaluatedProperties") is False and not schema.get("patternProperties")
    return any(
        _rule(schema, name) is False or (closed and name not in (schema.get("properties") or ()))
        for name in schema.get("required") or ()
    )


def _types(one: Any, other: Any) -> list[str]:
    ones, others = _names(one), _names(other)
    common = [name for name in ones if name in others or (name == "integer" and "number" in others)]
    common += [name for name in others if name == "integer" and "number" in ones and name not in common]
    if not common:
        raise Contradiction
    return common


def _values(one: list[Any], other: list[Any]) -> list[Any]:
    common = [value for value in one if value in other]
    if not common:
        raise Contradiction
    return common


def _steps(one: float, other: float) -> float:
    """The least common multiple, exact for decimals."""
    first, second = Fraction(str(one)), Fraction(str(other))
    unit = lcm(first.denominator, second.denominator)
    common = Fraction(lcm(int(first * unit), int(second * unit)), unit)
    return int(common) if common.denominator == 1 else float(common)


def _same(one: Any, other: Any) -> Any:
    if one != other:
        raise Contradiction
    return one


def _pattern(one: str, other: str) -> str:
    """A pattern whose samples are likely to match both."""
    ahead = one if one.startswith("^") else f".*(?:{one})"
    return f"(?={ahead})" + (f"(?:{other})" if "|" in other else other)


def _patterned(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {key: _all(one.get(key, True), other.get(key, True)) for key in [*one, *other]}


_MERGERS: dict[str, Callable[[Any, Any], Any]] = {
    "type": _types,
    "enum": _values,
    "const": _same,
    "required": lambda one, other: list(dict.fromkeys([*one, *other])),
    "contains": lambda one, other: [*one, *other],
    "multipleOf": _steps,
    "pattern": _pattern,
    "patternProperties": _patterned,
    "additionalProperties": _all,
    "uniqueItems": lambda one, other: one or other,
}
