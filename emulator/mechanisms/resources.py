"""Collections of resources: plain data in a cell, changed by verbs, read in pages.

A collection is `{items: {id: item}}`; an item is the resource's fields with `id` and `created_at` (Unix
seconds). Nothing here knows what a resource means.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from emulator.mechanisms.expressions import Expression, Scope
from emulator.mechanisms.templates import Template

Verb = Literal["list", "get", "create", "update", "delete", "delete_many"]
Item = dict[str, Any]


class Conflict(Exception):
    """A change that the collection does not allow: `reason` is `taken` (with the field) or `full`."""

    def __init__(self, reason: Literal["taken", "full"], field: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field


@dataclass(frozen=True, slots=True)
class ResourceType:
    """What a kind of resource is made of."""

    name: str
    account: Expression
    """Requests with the same value share the collection."""
    id: Template
    fields: Mapping[str, Template]
    """Computed from the request, in order; a later one sees the earlier ones in `item`."""
    changes: Mapping[str, Template]
    """Fields that an update computes anew."""
    unique: tuple[str, ...]
    most: int | None
    seed: tuple[Item, ...]
    """Items that every collection begins with."""


def new_collection(kind: ResourceType, now: float) -> dict[str, Any]:
    return {"items": {item["id"]: {"created_at": now, **item} for item in kind.seed}}


def create(kind: ResourceType, collection: dict[str, Any], scope: Scope, now: float) -> Item:
    """A new item, computed from the request in the scope. Raises Conflict."""
    items = collection["items"]
    if kind.most is not None and len(items) >= kind.most:
        raise Conflict("full")
    item: Item = {"id": kind.id(scope), "created_at": now}
    while item["id"] in items:
        item["id"] = kind.id(scope)
    _compute(kind.fields, item, scope)
    _check_unique(kind, items, item)
    items[item["id"]] = item
    return item


def update(kind: ResourceType, collection: dict[str, Any], item: Item, scope: Scope) -> Item:
    """The item with its changes computed from the request. Raises Conflict; the item is then as it was."""
    changed = dict(item)
    _compute(kind.changes, changed, scope)
    _check_unique(kind, collection["items"], changed)
    item.update(changed)
    scope["item"] = item
    return item


def _compute(fields: Mapping[str, Template], item: Item, scope: Scope) -> None:
    for name, template in fields.items():
        scope["item"] = item
        item[name] = template(scope)
    scope["item"] = item


def _check_unique(kind: ResourceType, items: dict[str, Item], item: Item) -> None:
    for field in kind.unique:
        if any(other["id"] != item["id"] and other[field] == item[field] for other in items.values()):
            raise Conflict("taken", field)


@dataclass(frozen=True, slots=True)
class Paging:
    """How a list is cut into pages: the page and its size as asked for, and what they are otherwise."""

    number: Expression
    size: Expression
    default: int
    most: int


def page(items: list[Item], paging: Paging | None, scope: Scope) -> tuple[list[Item], dict[str, int]]:
    """The items of the page asked for, and `{number, size, total, pages}`. Pages count from 1."""
    if paging is None:
        return items, {"number": 1, "size": len(items), "total": len(items), "pages": 1}
    size = min(max(int(paging.size(scope) or paging.default), 1), paging.most)
    number = max(int(paging.number(scope) or 1), 1)
    facts = {"number": number, "size": size, "total": len(items), "pages": -(-len(items) // size)}
    return items[(number - 1) * size : number * size], facts
