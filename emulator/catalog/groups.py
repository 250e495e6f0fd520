"""Field groups: where the keys of a spec's schemas come from, told by `x-source` on a component or a property."""

from collections.abc import Iterator, Mapping
from typing import Any

from emulator.mechanisms.paths import pointer

DocumentPath = tuple[str, ...]
Group = tuple[str, ...]
"""A component, or a component and one of its properties; either name may have dots."""
_SCHEMAS = "#/components/schemas/"


def declared_groups(document: Mapping[str, Any]) -> dict[Group, str]:
    """The name of a source by group."""
    groups: dict[Group, str] = {}
    for name, schema in (document.get("components", {}).get("schemas") or {}).items():
        if not isinstance(schema, dict):
            continue
        properties = schema.get("properties")
        parts = {(name, key): part for key, part in properties.items()} if isinstance(properties, dict) else {}
        for group, part in {(name,): schema, **parts}.items():
            if isinstance(part, dict) and "x-source" in part:
                groups[group] = str(part["x-source"])
    return groups


def group_path(group: Group) -> DocumentPath:
    """The steps to a group in the spec."""
    name, *keys = group
    return ("components", "schemas", name, *(("properties", *keys) if keys else ()))


def groups_of(document: Mapping[str, Any], raw: Any) -> list[str]:
    """The components that an operation's bodies are made of, in the order they are met."""
    met: dict[str, None] = {}
    waiting = list(_components(raw))
    while waiting:
        name = waiting.pop(0)
        if name not in met:
            met[name] = None
            waiting += _components(document["components"]["schemas"].get(name))
    return list(met)


def _components(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _components(item)
    elif isinstance(node, dict):
        ref = node.get("$ref")
        if isinstance(ref, str) and ref.startswith(_SCHEMAS):
            yield pointer(ref)[2]
        for value in node.values():
            yield from _components(value)
