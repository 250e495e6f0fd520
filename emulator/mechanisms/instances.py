"""Values that a JSON Schema accepts, drawn from an exchange's chance: tool arguments, structured output."""

import math
import random
import re
from functools import cache
from typing import Any

import jsonschema_rs
import rstr

from emulator.mechanisms.clock import iso8601

_PLACES = ("city", "location", "place", "country")
_MOST_DEPTH = 6
_OPTIONAL_DEPTH = 3
_TRIES = 20
_MOST_VALUES = 2000
_MOST_LENGTH = 10000
# property name (or schema format) -> the Faker provider whose values look like it
_LOOKS = {
    "name": "name", "full_name": "name", "first_name": "first_name", "last_name": "last_name", "email": "email",
    "city": "city", "location": "city", "country": "country", "address": "street_address", "company": "company",
    "phone": "phone_number", "title": "job", "uri": "url",
    "url": "url", "iri": "url", "uri-reference": "url", "idn-email": "email", "idn-hostname": "hostname",
    "uuid": "uuid4", "ipv4": "ipv4", "ipv6": "ipv6", "hostname": "hostname", "currency": "currency_code",
    "color": "color_name", "language": "language_name", "username": "user_name",
}  # fmt: skip


def instance(schema: Any, chance: random.Random, words: list[str]) -> Any:
    """A value that `schema` accepts, or null when none was found in a bounded number of tries.

    `words` (from the prompt) fill free text. `$ref`s point into the schema itself.
    """
    if not isinstance(schema, (dict, bool)):
        return None
    try:
        validator = jsonschema_rs.validator_for(schema, validate_formats=True, offline=True)
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return None
    for _ in range(_TRIES):
        try:
            value = _Drawing(schema, chance, words).draw(schema, "", 0)
        except _UNDRAWABLE:
            return None
        if validator.is_valid(value):
            return value
    return None


class _TooLarge(Exception):
    """The schema asks for more values than a reply should hold."""


_UNDRAWABLE = (_TooLarge, re.error, ValueError, TypeError, KeyError, OverflowError, ZeroDivisionError, RecursionError)


def _repeats(pattern: str) -> int:
    """An upper bound for the repetitions that a pattern's counts demand."""
    return math.prod(max(int(count), 1) for count in re.findall(r"\{(\d+)", pattern))


class _Drawing:
    def __init__(self, root: Any, chance: random.Random, words: list[str]) -> None:
        self.root = root
        self.chance = chance
        self.words = words or ["example"]
        self.left = _MOST_VALUES

    def draw(self, schema: Any, name: str, depth: int) -> Any:
        self.left -= 1
        if self.left < 0:
            raise _TooLarge
        if not isinstance(schema, dict):
            return self.text({}, name)
        schema = self.resolved(schema)
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self.chance.choice(schema["enum"])
        for key in ("oneOf", "anyOf"):
            options = [o for o in schema.get(key) or [] if not (isinstance(o, dict) and o.get("type") == "null")]
            if options:
                if depth >= _MOST_DEPTH and len(options) < len(schema[key]):
                    return None
                rest = {k: v for k, v in schema.items() if k != key}
                return self.draw(_merged(rest, self.option(options, depth)), name, depth)
            if schema.get(key):
                return None  # null is all they allow
        draw = getattr(self, _type_of(schema), None)
        return draw(schema, name, depth) if draw else None

    def option(self, options: list[Any], depth: int) -> dict[str, Any]:
        """One of several schemas; deep inside a recursive one the simplest, so that it ends."""
        resolved = [self.resolved(option) for option in options]
        return min(resolved, key=lambda o: len(str(o))) if depth >= _MOST_DEPTH else self.chance.choice(resolved)

    def resolved(self, schema: Any) -> dict[str, Any]:
        """Follow `$ref` and fold `allOf` in."""
        for _ in range(_MOST_DEPTH):
            if not isinstance(schema, dict) or "$ref" not in schema:
                break
            target: Any = self.root
            for step in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
                if step:
                    key = step.replace("~1", "/").replace("~0", "~")
                    target = target.get(key, {}) if isinstance(target, dict) else {}
            schema = target
        folded: dict[str, Any] = schema if isinstance(schema, dict) else {}
        for part in folded.get("allOf") or []:
            folded = _merged({k: v for k, v in folded.items() if k != "allOf"}, self.resolved(part))
        return folded

    def object(self, schema: dict[str, Any], name: str, depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = [key for key in schema.get("required") or [] if key not in properties]
        wanted = {k: v for k, v in properties.items() if depth < _OPTIONAL_DEPTH or k in (schema.get("required") or [])}
        value = {key: self.draw(below, key, depth + 1) for key, below in wanted.items()}
        other = schema.get("additionalProperties")
        other = other if isinstance(other, dict) else {"type": "string"}
        value.update({key: self.draw(other, key, depth + 1) for key in required})
        while len(value) < schema.get("minProperties", 0):
            value[f"key_{len(value)}"] = self.draw(other, "", depth + 1)
        return value

    def array(self, schema: dict[str, Any], name: str, depth: int) -> list[Any]:
        first = schema.get("prefixItems") or []
        least = max(schema.get("minItems", 0), 1 if depth < _MOST_DEPTH else 0, len(first))
        size = min(
            least + (1 if schema.get("minItems", 0) == 0 and self.chance.random() < 0.5 else 0),
            schema.get("maxItems", least + 1),
        )
        items: list[Any] = []
        for index in range(size):
            below = first[index] if index < len(first) else schema.get("items", {"type": "string"})
            for attempt in range(_TRIES):
                item = self.draw(below, name.removesuffix("s"), depth + 1)
                if attempt and isinstance(item, str) and _free(self.resolved(below)):
                    item += f" {attempt}"
                if not schema.get("uniqueItems") or item not in items:
                    items.append(item)
                    break
        return items

    def integer(self, schema: dict[str, Any], name: str, depth: int) -> int:
        low, high = _bounds(schema, 1)
        step = int(schema.get("multipleOf", 1)) or 1
        first, last = -(-int(low) // step), int(high) // step
        return step * self.chance.randint(first, max(last, first))

    def number(self, schema: dict[str, Any], name: str, depth: int) -> float:
        step = schema.get("multipleOf", 0.01)
        low, high = _bounds(schema, step)
        if "multipleOf" in schema:
            return float(step * self.chance.randint(int(-(-low // step)), int(high // step)))
        value = round(self.chance.uniform(low, high), 2)
        return value if low <= value <= high else (low + high) / 2

    def boolean(self, schema: dict[str, Any], name: str, depth: int) -> bool:
        return self.chance.random() < 0.5

    def null(self, schema: dict[str, Any], name: str, depth: int) -> None:
        return None

    def string(self, schema: dict[str, Any], name: str, depth: int) -> str:
        return self.text(schema, name)

    def text(self, schema: dict[str, Any], name: str) -> str:
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and _repeats(pattern) <= _MOST_LENGTH:
            return str(rstr.Rstr(self.chance).xeger(pattern))
        text = self.likely(str(schema.get("format", "")).lower(), name.lower())
        least, most = min(schema.get("minLength", 0), _MOST_LENGTH), schema.get("maxLength")
        while len(text) < least:
            text += " " + self.chance.choice(self.words)
        return text if most is None else text[: max(int(most), 0)]

    def likely(self, form: str, name: str) -> str:
        """Text that suits a format or a property's name; else words of the prompt."""
        named = [word for word in self.words if word[:1].isupper()]
        if not form and name in _PLACES and named:  # "weather in Paris" asks about Paris
            return named[-1]
        if form == "duration":
            return f"PT{self.chance.randint(1, 59)}M"
        if (form or name) in ("date", "date-time", "time"):  # Faker's own dates depend on today
            moment = iso8601(self.chance.randrange(2**31))
            return {"date": moment[:10], "time": moment[11:] if form else moment[11:19]}.get(form or name, moment)
        looks = _LOOKS.get(form) or _LOOKS.get(name)
        if looks is None:
            return " ".join(self.words[:4])
        _faker().seed_instance(self.chance.getrandbits(64))
        return str(getattr(_faker(), looks)())


@cache
def _faker() -> Any:
    """Made once, seeded before each use; 0.2 s to import, so only when a value is wanted."""
    from faker import Faker

    return Faker("en_US")


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


def _bounds(schema: dict[str, Any], step: float) -> tuple[float, float]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + step
    if "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - step
    if low is None:
        low = 1 if high is None or high >= 1 else high - 100
    return low, max(high if high is not None else low + 99, low)


def _merged(base: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Two schemas that both hold, where their properties and required fields add up."""
    merged = {**base, **extra}
    for key in ("properties", "required"):
        if key in base and key in extra:
            both = base[key], extra[key]
            merged[key] = {**both[0], **both[1]} if key == "properties" else [*both[0], *both[1]]
    return merged
