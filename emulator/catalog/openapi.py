"""The shape of an OpenAPI document: what its parts have to be, so that all else can rely on it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from emulator.catalog.source import DocumentPath, Problem, Tree, show_path
from emulator.mechanisms.paths import pointed

Finding = tuple[DocumentPath, str]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")

_MAPPING: dict[Any, Any] = {}
_REPLY = {"content": {...: {"examples": {...: _MAPPING}, "x-event-schema": _MAPPING}}}
_REQUEST = {"content": {...: {"examples": {...: _MAPPING}, "schema": _MAPPING, "encoding": {...: _MAPPING}}}}
_PARAMETERS = [{"name!": str, "in!": str, "schema": _MAPPING}]
_SECURITY = [{...: list}]
_SERVERS = [{"url!": str}]
_OPERATION = {
    "operationId": str,
    "parameters": _PARAMETERS,
    "requestBody": _REQUEST,
    "responses": {...: _REPLY},
    "security": _SECURITY,
    "servers": _SERVERS,
}
_KINDS = ("schemas", "responses", "parameters", "examples", "requestBodies", "headers")
_COMPONENTS = {**dict.fromkeys(_KINDS, _MAPPING), "securitySchemes": {...: _MAPPING}}
_DOCUMENT = {"components": _COMPONENTS, "security": _SECURITY, "servers": _SERVERS}
"""A mapping says what its keys hold, with `!` those it must have, with `...` all others; a list, what its items are."""

_VERSION = re.compile(r"3\.1(\.\d+)?")
_WRITTEN_OTHERWISE = {
    "swagger": "bodies stand in `requestBody:`, schemas in `components:`, the address in `servers:`",
    "openapi": 'null is a type, `type: [string, "null"]` for `nullable: true`, and `exclusiveMinimum:` a number',
}
_VALUES = ("example", "examples", "default", "enum", "const")
"""Below these stand values, which may have any key."""


def holes(path: str) -> list[str]:
    """The names of a path's parameters: `id` of `/jobs/{id}`."""
    return re.findall(r"\{([^{}]+)\}", path)


def misshapen(tree: Tree) -> list[Problem]:
    """What keeps a file from being an OpenAPI document at all."""
    paths = tree.data.get("paths") if isinstance(tree.data, dict) else None
    if not isinstance(paths, dict) or not paths:
        return [Problem(tree.place(("paths",)), "paths", "is missing; an OpenAPI document maps paths to operations")]
    if "openapi" not in tree.data and "swagger" not in tree.data:
        return [Problem(tree.place(()), "openapi", "is missing; say which OpenAPI it is: `openapi: 3.1.0`")]
    if problems := of_another_version(tree):
        return problems
    found = [*_paths(paths), *_unlike(tree.data, _DOCUMENT, (), tree.data)]
    found = found or [*_unknown_schemes(tree.data, tree.data, ())]
    return [Problem(tree.place(path), show_path(path), message) for path, message in found]


def of_another_version(tree: Tree) -> list[Problem]:
    """What a file, or a part of one, says in the words of an OpenAPI before 3.1, and how 3.1 says it."""
    found = [*_outdated(tree.data), *_nullable(tree.data, ())]
    return [Problem(tree.place(path), show_path(path), message) for path, message in found]


def _outdated(document: Any) -> Iterator[Finding]:
    for key, otherwise in _WRITTEN_OTHERWISE.items():
        told = document.get(key) if isinstance(document, dict) else None
        if told is not None and (key == "swagger" or not _VERSION.fullmatch(str(told))):
            yield (key,), f"{told} is not read; make it `openapi: 3.1.0`, in which {otherwise}"


def _nullable(node: Any, path: DocumentPath) -> Iterator[Finding]:
    """Schemas that take null as OpenAPI 3.0 says it: 3.1 would pass over the word, and refuse null."""
    if isinstance(node, list):
        for i, item in enumerate(node):
            yield from _nullable(item, (*path, i))
    elif isinstance(node, dict):
        if node.get("nullable") is True and path[-1:] != ("properties",):
            kind = node.get("type")
            written = f'`type: [{kind}, "null"]`' if isinstance(kind, str) else 'an `anyOf:` with `type: "null"`'
            yield (*path, "nullable"), f"is no word of OpenAPI 3.1; write {written}"
        for key, value in node.items():
            if key not in _VALUES:
                yield from _nullable(value, (*path, key))


def _paths(paths: Mapping[str, Any]) -> Iterator[Finding]:
    for path, item in paths.items():
        if not path.startswith(("/", "x-")):
            yield ("paths", path), f"begins with a slash: /{path}"
        if not isinstance(item, dict) or not isinstance(item.get("$ref", ""), str):
            yield ("paths", path), "must be a mapping of methods, or one $ref"


def misshapen_operation(path: str, item: Mapping[str, Any], method: str, document: Mapping[str, Any]) -> list[Finding]:
    """What keeps an operation of a path from being one, with the steps there from the path."""
    raw, shared = item[method], {key: item[key] for key in ("parameters", "servers") if key in item}
    at: DocumentPath = (method,)
    if not isinstance(raw, dict):
        return [(at, "must be a mapping with `operationId` and `responses`")]
    lost = [(at, f"$ref {ref} leads nowhere") for ref in dict.fromkeys(_lost(raw, document, set()))]
    found = lost or [*_unlike(shared, _OPERATION, (), document), *_unlike(raw, _OPERATION, at, document)]
    found = found or [*_unknown_schemes(raw, document, at)]
    return found or [*_strangers(path, shared, (), document), *_strangers(path, raw, at, document)]


def _strangers(path: str, node: Mapping[str, Any], at: DocumentPath, document: Mapping[str, Any]) -> Iterator[Finding]:
    """Path parameters that are declared, and that the path does not have."""
    for i, parameter in enumerate(node.get("parameters", [])):
        declared, _ = _followed(parameter, document)
        if declared["in"] == "path" and declared["name"] not in holes(path):
            known = ", ".join(holes(path)) or "none"
            yield (*at, "parameters", i), f'"{declared["name"]}" is no parameter of the path; there are {known}'


def _unknown_schemes(node: Mapping[str, Any], document: Mapping[str, Any], path: DocumentPath) -> Iterator[Finding]:
    """Security schemes that a document or an operation asks for, and that are none of those there are, if any are."""
    known = document.get("components", {}).get("securitySchemes", {})
    for i, required in enumerate(node.get("security", []) if known else ()):
        for name in required.keys() - known.keys():
            yield (*path, "security", i), f'"{name}" does not exist; there are {", ".join(known)}'


def _lost(node: Any, document: Mapping[str, Any], seen: set[str]) -> Iterator[str]:
    """References below a node, through other references, that name nothing in the document."""
    if isinstance(node, list):
        for item in node:
            yield from _lost(item, document, seen)
    elif isinstance(node, dict):
        ref = node.get("$ref")
        if isinstance(ref, str) and ref not in seen:
            seen.add(ref)
            target = pointed(document, ref)
            if target is None:
                yield ref
            yield from _lost(target, document, seen)
        for value in node.values():
            yield from _lost(value, document, seen)


def _unlike(node: Any, shape: Any, path: DocumentPath, document: Mapping[str, Any]) -> Iterator[Finding]:
    """Where a node, and what its references lead to, is not what the shape says."""
    kind: Any = shape if isinstance(shape, type) else type(shape)
    if isinstance(node, dict) and not isinstance(node.get("$ref", ""), str):
        yield (*path, "$ref"), "must be text"
        return
    node, loop = _followed(node, document)
    if loop:
        yield path, f"$ref {loop} leads back to itself"
    elif not isinstance(node, kind):
        yield path, f"must be {_WORDS[kind]}"
    elif isinstance(shape, list):
        for i, item in enumerate(node):
            yield from _unlike(item, shape[0], (*path, i), document)
    elif isinstance(shape, dict):
        for key in shape:
            if str(key).endswith("!") and key[:-1] not in node:
                yield path, f"needs `{key[:-1]}`"
        for key, value in node.items():
            part = shape.get(key, shape.get(f"{key}!", shape.get(...)))
            if part is not None:
                yield from _unlike(value, part, (*path, key), document)


_WORDS: dict[Any, str] = {dict: "a mapping", list: "a list", str: "text"}


def followed(document: Mapping[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """What a node of a document that is one is when its reference, if it is one, is followed."""
    found: dict[str, Any] = _followed(node, document)[0]
    return found


def _followed(node: Any, document: Mapping[str, Any]) -> tuple[Any, str]:
    """What a node is when its references are followed, and the one that leads back to itself, if one does."""
    met: list[str] = []
    while isinstance(node, dict) and isinstance(node.get("$ref"), str):
        if node["$ref"] in met:
            return node, node["$ref"]
        met.append(node["$ref"])
        node = pointed(document, node["$ref"])
    return node, ""
