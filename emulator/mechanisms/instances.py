"""Values that a JSON Schema accepts, drawn from an exchange's chance: tool arguments, structured output."""

import json
import math
import random
import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from emulator.mechanisms import folding
from emulator.mechanisms.folding import MOST_DEPTH, Contradiction, Folding
from emulator.mechanisms.texts import matching, text

if TYPE_CHECKING:
    import jsonschema_rs

_OPTIONAL_DEPTH = 3
_NESTED = 50
_TRIES = 20
_DRAWS = 3
_MOST_VALUES = 2000
_MOST_CAREFUL = 1200
_CONTEXT = ("$schema", "$defs", "definitions")
_UNDRAWABLE = (
    Contradiction, re.error, ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError,
    ZeroDivisionError, RecursionError,
)  # fmt: skip
_IDENTIFIER = {"type": "string", "pattern": "^[a-z]{1,8}$"}
_NAME_LENGTH = 6


def instance(schema: Any, chance: random.Random, words: list[str]) -> Any:
    """A value that `schema` accepts, or null when none was found in a bounded number of tries.

    `words` (from the prompt) fill free text. `$ref`s point into the schema itself.
    """
    if not isinstance(schema, (dict, bool)):
        return None
    validator = _validator(schema)
    if validator is None:
        return None
    for drawing in (
        _Drawing(schema, chance, words),
        _CarefulDrawing(schema, chance, words),
        _CarefulDrawing(schema, chance, words, sparing=True),
    ):
        for _ in range(_DRAWS):
            try:
                value = drawing.draw(schema, "", 0)
            except _TooLarge:
                break
            except _UNDRAWABLE:
                continue
            if validator.is_valid(value):
                return value
            drawing.left //= 8  # a schema that failed once is tried again, but not as patiently
    return None


def _validator(schema: Any) -> "jsonschema_rs.Validator | None":
    """Patterns that backtrack without end fail early: a value they would accept is then not found. None: no schema."""
    import jsonschema_rs  # not before a value is wanted

    options = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000, size_limit=1_000_000)
    try:
        return jsonschema_rs.validator_for(schema, validate_formats=True, offline=True, pattern_options=options)
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return None


@lru_cache(256)
def _finds(pattern: str, name: str) -> bool:
    validator = _validator({"pattern": pattern})
    if validator is None:
        raise ValueError(pattern)
    return validator.is_valid(name)


class _TooLarge(Exception):
    """The schema asks for more values than a reply should hold, or more tries than a request should take."""


class _Drawing:
    """A draw by the ordinary keywords, unchecked; a sparing one leaves out what is not required."""

    def __init__(self, root: Any, chance: random.Random, words: list[str], *, sparing: bool = False) -> None:
        self.root = root
        self.chance = chance
        self.words = words or ["example"]
        self.left = _MOST_VALUES
        self.sparing = sparing

    def spend(self, cost: int = 1) -> None:
        self.left -= cost
        if self.left < 0:
            raise _TooLarge

    def draw(self, schema: Any, name: str, depth: int) -> Any:
        """A value for a schema at `depth`, called `name` where it stands. Raises _UNDRAWABLE and _TooLarge."""
        self.spend()
        if schema is False:
            raise Contradiction
        if not isinstance(schema, dict):
            return self.string({}, name, depth)
        schema = self.resolved(schema)
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self.chance.choice(schema["enum"])
        for key in ("oneOf", "anyOf"):
            options = [o for o in schema.get(key) or [] if not (isinstance(o, dict) and o.get("type") == "null")]
            if options:
                if depth >= MOST_DEPTH and len(options) < len(schema[key]):
                    return None
                rest = {k: v for k, v in schema.items() if k != key}
                return self.draw(folding.merged(rest, self.option(options, depth)), name, depth)
            if schema.get(key):
                return None  # null is all they allow
        return self.typed(_type_of(schema), schema, name, depth)

    def option(self, options: list[Any], depth: int) -> dict[str, Any]:
        """One of several schemas; deep inside a recursive one the simplest, so that it ends."""
        resolved = [self.resolved(option) for option in options]
        return min(resolved, key=lambda o: len(str(o))) if depth >= MOST_DEPTH else self.chance.choice(resolved)

    def resolved(self, schema: Any) -> dict[str, Any]:
        """Follow `$ref` and fold `allOf` in."""
        schema = folding.target(self.root, schema)
        folded: dict[str, Any] = schema if isinstance(schema, dict) else {}
        for part in folded.get("allOf") or []:
            folded = folding.merged({k: v for k, v in folded.items() if k != "allOf"}, self.resolved(part))
        return folded

    def typed(self, kind: str, schema: dict[str, Any], name: str, depth: int) -> Any:
        """A value of one type; null for a type that there is not."""
        draw = getattr(self, kind, None) if kind in _KINDS else None
        return draw(schema, name, depth) if draw else None

    def object(self, schema: dict[str, Any], name: str, depth: int) -> dict[str, Any]:
        required = list(schema.get("required") or [])
        least, most = schema.get("minProperties", 0), schema.get("maxProperties", math.inf)
        if max(least, len(required)) > self.left:
            raise _TooLarge
        properties = {k: v for k, v in (schema.get("properties") or {}).items() if k in required or v is not False}
        optional = [k for k in properties if k not in required and depth < _OPTIONAL_DEPTH and not self.sparing]
        optional = optional[: max(most - len(required), 0)] if most < math.inf else optional
        value: dict[str, Any] = {}
        names = [k for k in properties if k in required or k in optional]
        for key in [*names, *(key for key in required if key not in properties)]:
            try:
                value[key] = self.draw(self.property(schema, key), key, depth + 1)
            except Contradiction:
                if key in required:
                    raise
        while len(value) < least:
            key = self.new_name(schema, properties, value, depth)
            value[key] = self.draw(self.property(schema, key), key if key in properties else "", depth + 1)
        return value

    def property(self, schema: dict[str, Any], name: str) -> Any:
        """The schema for one property: declared, or for all names like it, or for all others."""
        properties = schema.get("properties") or {}
        rules = [properties[name]] if name in properties else []
        rules += [below for pattern, below in (schema.get("patternProperties") or {}).items() if _finds(pattern, name)]
        if not rules:
            other = schema.get("additionalProperties", schema.get("unevaluatedProperties"))
            return {"type": "string"} if other in (None, True) else other
        return rules[0] if len(rules) == 1 else {"allOf": rules}

    def new_name(self, schema: dict[str, Any], properties: dict[str, Any], taken: dict[str, Any], depth: int) -> str:
        """A name for one more property. Raises Contradiction when none comes up."""
        declared = [key for key in properties if key not in taken]
        patterns = [pattern for pattern, below in (schema.get("patternProperties") or {}).items() if below is not False]
        for attempt in range(_TRIES):
            if declared:
                name = declared.pop(0)
            elif isinstance(schema.get("propertyNames"), dict):
                named = _IDENTIFIER if attempt % 2 else {"type": "string"}
                name = str(self.draw({"allOf": [named, schema["propertyNames"]]}, "", depth + 1))
            elif patterns:
                name = matching(self.chance.choice(patterns), self.chance, _NAME_LENGTH)
            else:
                name = f"key_{len(taken)}"
            if name not in taken and self.property(schema, name) is not False:
                return name
        raise Contradiction

    def array(self, schema: dict[str, Any], name: str, depth: int) -> list[Any]:
        first, rest = _items(schema)
        demands = schema.get("contains") if isinstance(schema.get("contains"), list) else []
        asked = [below for below, least in demands or [] for _ in range(min(int(least), self.left))]
        usual = 0 if depth >= MOST_DEPTH or self.sparing else 1
        least = max(schema.get("minItems", 0), usual, len(first) + len(asked))
        size = min(
            least + (1 if schema.get("minItems", 0) == 0 and self.chance.random() < 0.5 else 0),
            schema.get("maxItems", least + 1),
            len(first) if rest is False else math.inf,
        )
        if size > self.left:
            raise _TooLarge
        size = int(size)
        start = len(first) if size >= len(first) + len(asked) else 0
        places = self.chance.sample(range(start, size), len(asked)) if asked else []
        wanted = dict(zip(places, asked, strict=True))
        items: list[Any] = []
        for index in range(size):
            below = first[index] if index < len(first) else rest
            below = {"allOf": [wanted[index], below]} if index in wanted else below
            self.add_item(items, below, name.removesuffix("s"), depth, bool(schema.get("uniqueItems")))
        return items

    def add_item(self, items: list[Any], below: Any, name: str, depth: int, unique: bool) -> None:
        """One more item, unlike the others if it must be; none when that does not come up."""
        for attempt in range(_TRIES + 5 * len(items)):
            item = self.draw(below, name, depth + 1)
            if attempt and isinstance(item, str) and _free(self.resolved(below)):
                item += f" {attempt}"
            if not unique or not any(_equal(item, other) for other in items):
                items.append(item)
                return

    def integer(self, schema: dict[str, Any], name: str, depth: int) -> int:
        low, high = _bounds(schema, None)
        step = Fraction(str(schema.get("multipleOf", 1))).numerator or 1
        first, last = math.ceil(Fraction(low) / step), math.floor(Fraction(high) / step)
        return step * self.chance.randint(first, max(last, first))

    def number(self, schema: dict[str, Any], name: str, depth: int) -> float:
        step = schema.get("multipleOf", 0.01)
        low, high = _bounds(schema, step)
        if "multipleOf" in schema:
            exact = Fraction(str(step))
            first, last = math.ceil(Fraction(str(low)) / exact), math.floor(Fraction(str(high)) / exact)
            return float(exact * self.chance.randint(first, max(first, last)))
        value = round(self.chance.uniform(low, high), 2)
        low, high = _bounds(schema, 0)
        inside = low < value < high or value in (schema.get("minimum"), schema.get("maximum"))
        return value if inside else (low + high) / 2

    def boolean(self, schema: dict[str, Any], name: str, depth: int) -> bool:
        return self.chance.random() < 0.5

    def null(self, schema: dict[str, Any], name: str, depth: int) -> None:
        return None

    def string(self, schema: dict[str, Any], name: str, depth: int) -> str:
        patterned = "pattern" in schema
        self.spend(max(schema.get("minLength", 0) - 100, 0) // 5 if patterned else 0)  # dear, so paid before it is made
        drawn = text(schema, name, self.chance, self.words)
        self.spend(max(len(drawn) - 100, 0) // 5 if patterned else len(drawn) // 100)
        return drawn


class _CarefulDrawing(_Drawing):
    """A draw by all keywords: each schema is folded flat first, and each value checked, from the leaves up."""

    def __init__(self, root: Any, chance: random.Random, words: list[str], *, sparing: bool = False) -> None:
        super().__init__(root, chance, words, sparing=sparing)
        self.left = _MOST_CAREFUL
        self.folding = Folding(root, chance, self.spend)
        self.context = {key: root[key] for key in _CONTEXT if key in root} if isinstance(root, dict) else {}
        self.validators: dict[int, tuple[Any, jsonschema_rs.Validator | None]] = {}

    def draw(self, schema: Any, name: str, depth: int) -> Any:
        if depth > _NESTED:
            raise Contradiction
        for attempt in range(_TRIES):
            self.spend()
            flat = self.flat(schema, depth, attempt)
            if flat is None:
                continue
            for value in self.values(flat, name, depth, attempt):
                if self.fits(schema, value):
                    return value
        raise Contradiction

    def flat(self, schema: Any, depth: int, attempt: int) -> dict[str, Any] | None:
        try:
            conditions = 1 if attempt % 2 == 0 else _TRIES  # most often the cases of a tag, that exclude each other
            return self.folding.flat(schema, depth, conditions=conditions, nulls=attempt > _TRIES // 2)
        except Contradiction:
            return None

    def values(self, schema: dict[str, Any], name: str, depth: int, attempt: int) -> Iterator[Any]:
        """Candidates for a flat schema: all of the few it names, else one drawn."""
        if "const" in schema:
            yield schema["const"]
        elif isinstance(schema.get("enum"), list):
            self.spend(len(schema["enum"]) // 20)
            yield from sorted(self.chance.sample(schema["enum"], len(schema["enum"])), key=lambda value: value is None)
        else:
            if "default" in schema and not attempt:
                yield schema["default"]
            kinds = schema.get("type")
            kind = self.chance.choice(kinds) if isinstance(kinds, list) and attempt else _type_of(schema)
            try:
                yield self.typed(kind, schema, name, depth)
            except Contradiction:
                return

    def fits(self, schema: Any, value: Any) -> bool:
        """Whether a schema below the root accepts a value. True where it cannot be told apart from its document."""
        kept = self.validators.get(id(schema))
        if kept is None:
            alone = {**self.context, **schema} if isinstance(schema, dict) else schema
            self.spend(len(json.dumps(alone)) // 2000 if schema is not self.root else 0)
            kept = schema, _validator(alone)
            self.validators[id(schema)] = kept
        return kept[1] is None or kept[1].is_valid(value)


_KINDS = ("object", "array", "integer", "number", "boolean", "null", "string")


def _items(schema: dict[str, Any]) -> tuple[list[Any], Any]:
    """The schemas of the first items, and the one of all others, in either spelling of tuples."""
    items = schema.get("items", schema.get("unevaluatedItems", True))
    if isinstance(items, list):
        return items, schema.get("additionalItems", True)
    return schema.get("prefixItems") or [], items


def _equal(one: Any, other: Any) -> bool:
    """Equal as JSON: a boolean is no number."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _free(schema: dict[str, Any]) -> bool:
    """Whether a drawn string may have something added."""
    return not schema.keys() & {"enum", "const", "default", "pattern", "format", "maxLength"}


def _type_of(schema: dict[str, Any]) -> str:
    declared = schema.get("type")
    if isinstance(declared, list):
        declared = next((name for name in declared if name != "null"), "null")
    if declared is None:
        declared = "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(declared)


def _bounds(schema: dict[str, Any], step: float | None) -> tuple[float, float]:
    """The least and the greatest number, `step` inside of what is excluded; the nearest integers without a step."""
    lows = [schema["minimum"]] if "minimum" in schema else []
    highs = [schema["maximum"]] if "maximum" in schema else []
    if "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"]
        lows.append(math.floor(low) + 1 if step is None else low + step)
    if "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"]
        highs.append(math.ceil(high) - 1 if step is None else high - step)
    greatest = min(highs, default=None)
    unit = schema.get("multipleOf", 1)
    least = max(lows, default=1 if greatest is None or greatest >= max(unit, 1) else greatest - max(unit, 100))
    return least, max(least + 99 if greatest is None else greatest, least)
