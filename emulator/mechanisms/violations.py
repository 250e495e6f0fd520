"""What a request body breaks, in neutral words: schema errors without any provider's wording."""

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import islice
from typing import Any, Literal

from emulator.mechanisms.paths import pointed
from emulator.mechanisms.records import record

Violation = dict[str, Any]
RequestPart = Literal["body", "query"]
_MOST = 50  # a body with thousands of wrong items must not make a reply of megabytes
_MOST_ITEMS = 1000  # the validator tells all errors at once: a minute for a few million wrong items
_WHOLE = re.compile(rb"\.0+(?!\d)")  # how a whole number ends that is written as a float: few bodies have one
_MOST_WHOLE = 2**53  # beyond, what a float stands for is a matter of taste
_MOST_DEPTH = 200  # … and none of a body over 255 levels deep


@record
class RequestSchema:
    """A schema of a body or of query parameters. `document` is the bundled spec that `$ref`s point into."""

    schema: dict[str, Any]
    document: dict[str, Any]
    required: bool
    place: RequestPart

    @classmethod
    def compile(
        cls, schema: dict[str, Any], document: dict[str, Any], *, required: bool, place: RequestPart = "body"
    ) -> "RequestSchema":
        """With its validator made at once. Raises jsonschema_rs.ValidationError for a schema that is none."""
        made = cls(schema, document, required, place)
        assert made.validator is not None
        return made

    @cached_property
    def validator(self) -> Any:
        """Made when first used: a server that starts has no need of it."""
        import jsonschema_rs

        whole = {**self.schema, "components": self.document.get("components", {})}
        return jsonschema_rs.Draft202012Validator(whole)

    def typed(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Query values as the types their schemas name; what is not declared is left out."""
        declared = self.schema.get("properties", {})
        return {name: _typed(text, self.declared(name)) for name, text in values.items() if name in declared}

    def violations(self, body: Any) -> list[Violation]:
        """Every violation, in the order the schema declares its fields; empty when the body is valid."""
        if self.validator.is_valid(body):
            return []
        found = self._found(_bounded(body, _MOST_DEPTH)) or self._found(body) or [_violation("unknown", [], body)]
        ranked = sorted(found, key=lambda v: [self._rank(v["path"][: i + 1]) for i in range(len(v["path"]))])
        return [self._located(violation) for violation in ranked]

    def violation(self, keyword: str, path: list[Any], value: Any, **details: Any) -> Violation:
        """A violation that is found elsewhere than by the validator."""
        return self._located(_violation(keyword, path, value, **details))

    def declared(self, name: str) -> dict[str, Any]:
        """The schema of a field, empty where there is none."""
        return self.resolved(self.schema.get("properties", {}).get(name))

    def coerced(self, body: Any, raw: bytes, *, texts: bool) -> Any:
        """The body, as it came in `raw`, with each `1.0` where its schema asks for an integer as that integer.

        With `texts`, each text that reads as the number or boolean its schema asks for is that value, too.
        """
        read = _read_text if texts else _read_number
        return self._coerced(body, self.schema, _MOST_DEPTH, read) if texts or _WHOLE.search(raw) else body

    def _coerced(self, value: Any, schema: Any, depth: int, read: Callable[[Any, Any], Any]) -> Any:
        schema = self.resolved(schema)
        if isinstance(value, dict) and depth:
            below, deeper = schema.get("properties", {}), depth - 1
            return {key: self._coerced(v, below[key], deeper, read) if key in below else v for key, v in value.items()}
        if isinstance(value, list) and depth and "items" in schema:
            return [self._coerced(item, schema["items"], depth - 1, read) for item in value]
        return read(value, schema.get("type", ""))

    def missing(self) -> list[Violation]:
        """The violation of a body that is required and not there."""
        return [self._located(_violation("required", [], None))]

    def _located(self, violation: Violation) -> Violation:
        return {**violation, "loc": [self.place, *violation["path"]]}

    def _found(self, body: Any) -> list[Violation]:
        try:
            errors = islice(self.validator.iter_errors(body), _MOST)
        except ValueError:  # too deep
            return []
        return [_neutral(error, _steps(body, error.instance_path)) for error in errors]

    def sample(self) -> list[Violation]:
        """A violation of the first required field, or of the first at all, for refusals nobody caused."""
        schema = self.resolved(self.schema)
        if schema.get("required"):
            first = schema["required"][0]
            return [self._located(_violation("required", [first], None, property=first))]
        name = next(iter(schema.get("properties", {})), "body")
        kind = self.resolved(schema.get("properties", {}).get(name)).get("type", "string")
        return [self._located(_violation("type", [name], None, expected=kind if isinstance(kind, str) else kind[0]))]

    def _rank(self, path: list[Any]) -> tuple[int, str]:
        """Where the last step of a path is declared among its siblings."""
        step = path[-1]
        if isinstance(step, int):
            return step, ""
        names = list(self._at(path[:-1]).get("properties", {}))
        return names.index(step) if step in names else len(names), str(step)

    def _at(self, path: list[Any]) -> dict[str, Any]:
        node = self.resolved(self.schema)
        for step in path:
            below = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step)
            node = self.resolved(below)
        return node

    def resolved(self, node: Any) -> dict[str, Any]:
        """A node of the schema, references followed; empty for what is none."""
        for _ in range(16):
            if not isinstance(node, dict) or "$ref" not in node:
                break
            node = pointed(self.document, node["$ref"])
        return node if isinstance(node, dict) else {}


ANY_BODY = RequestSchema({}, {}, required=False, place="body")
"""For what is refused for other reasons than its schema."""


def _neutral(error: Any, path: list[Any]) -> Violation:
    kind = error.kind
    if kind.name == "required":
        return _violation("required", [*path, kind.property], error.instance, property=kind.property)
    if kind.name == "type":
        expected = [name for name in kind.types if name != "null"]
        return _violation("type", path, error.instance, expected=expected[0] if expected else "null")
    if kind.name == "enum":
        return _violation("enum", path, error.instance, options=list(kind.options))
    if kind.name == "const":
        return _violation("enum", path, error.instance, options=[kind.expected_value])
    return _violation(kind.name, path, error.instance, limit=getattr(kind, "limit", getattr(kind, "pattern", None)))


def _steps(body: Any, path: list[Any]) -> list[Any]:
    """A path with every property as it is written: the validator makes numbers of names such as `007`."""
    steps: list[Any] = []
    for step in path:
        if isinstance(body, dict) and step not in body:
            step = next((n for n in body if n and (n.lstrip("+0") or "0") == str(step)), str(step))
        steps.append(step)
        body = body[step] if isinstance(body, list) else body.get(step) if isinstance(body, dict) else None
    return steps


def _typed(text: str, schema: dict[str, Any]) -> Any:
    """A query value as its schema's type, or the text itself where it is none of that type."""
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"-?\d{1,4000}", text):
        return int(text)
    if kind == "number" and re.fullmatch(r"-?\d{1,4000}(\.\d+)?([eE][-+]?\d{1,3})?", text):
        return float(text)
    if kind == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    return text


def _read_number(value: Any, types: Any) -> Any:
    """A whole number as an integer, which it is to a schema, where a number of another kind is not asked for."""
    if value.__class__ is not float or not value.is_integer() or abs(value) > _MOST_WHOLE:
        return value
    return int(value) if "integer" in types and "number" not in types else value


def _read_text(value: Any, types: Any) -> Any:
    """A text as the first of the types that it reads as, or itself: also where text is one of them."""
    if not isinstance(value, str):
        return _read_number(value, types)
    kinds = types if isinstance(types, list) else [types]
    if "string" in kinds:
        return value
    read = (_typed(value.strip(), {"type": kind}) for kind in kinds)
    return next((typed for typed in read if not isinstance(typed, str)), value)


def _bounded(value: Any, depth: int) -> Any:
    """The value without what lies deeper than so many levels, and without the far end of long lists."""
    if isinstance(value, list):
        return [_bounded(item, depth - 1) for item in value[:_MOST_ITEMS]] if depth else []
    if isinstance(value, dict):
        return {key: _bounded(item, depth - 1) for key, item in value.items()} if depth else {}
    return value


def json_type(value: Any) -> str:
    """The JSON Schema name of a value's type."""
    names = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


def dotted(path: list[Any]) -> str:
    """`messages.0.role`"""
    return ".".join(map(str, path))


def bracketed(path: list[Any]) -> str:
    """`messages[0].role`"""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def _violation(keyword: str, path: list[Any], value: Any, **details: Any) -> Violation:
    return {
        "keyword": keyword,
        "path": path,
        "dotted": dotted(path),
        "bracketed": bracketed(path) or "body",
        "parent": bracketed(path[:-1]),
        "attribute": dotted(path).replace("_", " "),
        "received": json_type(value),
        "size": len(value) if isinstance(value, (str, list, dict)) else None,
        "expected": None,
        "options": None,
        "limit": None,
        "property": None,
        **details,
    }
