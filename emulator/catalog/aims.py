"""Names that nothing has, and that would be passed over: events, constraints, statuses, path parameters, paths."""

import re
from collections.abc import Iterator
from typing import Any, get_args

from emulator.catalog.language.document import Document
from emulator.catalog.openapi import holes
from emulator.catalog.owned import Finding, unknown
from emulator.catalog.source import DocumentPath
from emulator.catalog.specs import Spec
from emulator.mechanisms.events import EventKind

_EVENTS = (*get_args(EventKind), "done", "comment", "inserted", "error")
_TYPES = ("string", "integer", "number", "boolean", "array", "object", "null", "file")
_CONSTRAINTS = (
    "required", "type", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems", "contains",
    "minProperties", "maxProperties", "propertyNames", "additionalProperties", "additionalItems",
    "unevaluatedProperties", "unevaluatedItems", "anyOf", "oneOf", "not", "falseSchema", "contentType",
    "contentEncoding", "contentMediaType", "unknown", "default",
)  # fmt: skip
"""What the validator, forms and files name when a value breaks it, and the words for all else."""
_PARAMETER = re.compile(r"\bparams\.(\w+)")


def aims(document: Document, spec: Spec) -> Iterator[Finding]:
    """Findings of quirks, validation, operations and aliases."""
    for i, quirk in enumerate(document.quirks):
        for j, asked in enumerate(quirk.do if quirk.target == "stream" else ()):
            if isinstance(asked.at, str) and asked.at not in _EVENTS:
                yield ("quirks", i, "do", j, "at"), unknown(asked.at, _EVENTS)
    for key in document.validation.messages if document.validation else ():
        yield from _constraint(key)
    for name in document.operations.keys() & spec.operations.keys():
        declared, path, at = document.operations[name], spec.operations[name].path, ("operations", name)
        for status in declared.documented or ():
            if status not in spec.operations[name].statuses:
                yield (*at, "documented"), unknown(str(status), map(str, spec.operations[name].statuses))
        if declared.act is not None:
            yield from _parameters(declared.act.model_dump(exclude_none=True), holes(path), (*at, "act"))
    for alias, target in document.alias_targets.items():
        if not alias.startswith("/"):
            yield ("aliases", alias), f"begins with a slash: /{alias}"
        if set(holes(alias)) != set(holes(target)):
            named = ", ".join(f"{{{name}}}" for name in holes(target)) or "none"
            yield ("aliases", alias), f"needs the parameters of {target}, by their names: {named}"


def _constraint(key: str) -> Iterator[Finding]:
    """A violation's words stand under what it breaks, and its type may follow: `type.integer.string`."""
    path: DocumentPath = ("validation", "messages", key)
    constraint, *details = key.split(".")
    if constraint not in _CONSTRAINTS:
        yield path, unknown(constraint, _CONSTRAINTS)
    for detail in details if constraint == "type" else ():
        if detail not in _TYPES:
            yield path, unknown(detail, _TYPES)


def _parameters(node: Any, known: list[str], path: DocumentPath) -> Iterator[Finding]:
    """Parameters that expressions of an act speak of, and that its path does not have."""
    if isinstance(node, (dict, list)):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _parameters(value, known, (*path, key))
    elif isinstance(node, str):
        for name in _PARAMETER.findall(node):
            if name not in known:
                yield path, unknown(name, known)
