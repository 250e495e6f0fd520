"""Collections of resources: plain data, found by id, by unique field, and by what they refer to.

A collection is `{items, numbers, inserted, unique, referring, due}`; an item is the resource's fields with `id`,
`created_at` (Unix seconds) and, where it has states, `status`. Nothing here knows what a resource means.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any, Literal, Protocol

from emulator.mechanisms.codegen import Code, compiled
from emulator.mechanisms.expressions import Expression, ExpressionError, Scope
from emulator.mechanisms.records import record
from emulator.mechanisms.states import StateMachine
from emulator.mechanisms.templates import Template
from emulator.refusals import RefusalName

Verb = Literal["list", "get", "create", "update", "delete", "call"]
Item = dict[str, Any]
Collection = dict[str, Any]


class Items(Protocol):
    """What can be listed without a copy."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Item]: ...

    def __reversed__(self) -> Iterator[Item]: ...


class Conflict(Exception):
    """A change that the account's resources do not allow: the refusal it is, and the facts its error tells."""

    def __init__(self, refusal: RefusalName, **facts: Any) -> None:
        super().__init__(refusal)
        self.refusal: RefusalName = refusal
        self.facts = facts


@record
class Reference:
    """A field that holds the id of another resource, or a list of ids."""

    field: str
    resource: str
    on_delete: Literal["refuse", "clear", "delete"]
    """What becomes of the other's deletion, of this field, or of this resource."""
    call: str | None
    """clear: the transition that this resource makes, too, where its state allows."""


@record
class Hold:
    """What a resource takes from a counted stock while it is in some states."""

    resource: str
    item: Template
    """The id of the stock."""
    field: str
    amount: Expression
    states: frozenset[str]
    refuse: RefusalName


@record
class Fields:
    """How fields are computed from a request, in order; a later one sees the earlier ones in `item`."""

    templates: Mapping[str, Template]

    def compute(self, item: Item, scope: Scope) -> Item:
        """The item and the fields. Raises ExpressionError, which names the field."""
        made = scope["item"] = {**item}
        return self._at_once(scope, made) or self._one_by_one({**item}, scope)

    @cached_property
    def _at_once(self) -> Callable[[Scope, Item], Item | None]:
        """Completes an item, or gives nothing where one of its fields takes a closer look."""
        return compiled(self._written, own="item", careful=lambda: lambda scope, item: None)

    def _written(self, code: Code) -> str:
        for name, template in self.templates.items():
            code.assign(name, template.written(code))
        return "own"

    def _one_by_one(self, item: Item, scope: Scope) -> Item:
        scope["item"] = item
        name = ""
        try:
            for name, template in self.templates.items():
                item[name] = template.render(scope)
        except ExpressionError as error:
            raise ExpressionError(f"{name}: {error}") from None
        return item

    def overlaid(self, others: Mapping[str, Template]) -> "Fields":
        """These, some of them otherwise, and what else there is among the others."""
        return Fields({**self.templates, **others})

    def without(self, names: Iterable[str]) -> "Fields":
        """Those that are not among some names."""
        return Fields({name: template for name, template in self.templates.items() if name not in names})


@record
class ResourceType:
    """What a kind of resource is made of."""

    name: str
    id: Template
    fields: Fields
    changes: Fields
    """What an update computes anew."""
    unique: tuple[str, ...]
    most: int | None
    references: tuple[Reference, ...]
    indexed: tuple[str, ...]
    """Fields, beside those of references, by whose value items are found."""
    states: StateMachine | None
    holds: tuple[Hold, ...]
    seed: tuple[Item, ...]
    """Items that a collection begins with."""
    seed_when: Expression | None

    @cached_property
    def searched(self) -> tuple[str, ...]:
        """The fields by whose value items are found, those of references first."""
        return (*(reference.field for reference in self.references), *self.indexed)

    def known(self) -> dict[str, None]:
        """The names of its fields: those that are computed, or that the items have with which a collection begins."""
        seeded = (name for item in self.seed for name in item if name != "status")
        return dict.fromkeys(self.fields.templates or seeded)

    def own(self, given: Item) -> Item:
        """What is given of an item's own fields."""
        known = {"id", "created_at", *self.known()}
        return {name: value for name, value in given.items() if name in known}

    def require_all(self, item: Item) -> None:
        """Raises ExpressionError for an item that is without some of its fields."""
        if missing := [name for name in self.known() if name not in item]:
            raise ExpressionError(f"{', '.join(missing)}: not given")


def new_collection() -> Collection:
    """`due` says when a timed transition of an item comes, and to which state; `numbers`, which insertion it was."""
    return {"items": {}, "numbers": {}, "inserted": 0, "unique": {}, "referring": {}, "due": {}}


def check(kind: ResourceType, collection: Collection, item: Item) -> None:
    """Raises Conflict for a value that another item has, or one item too many."""
    items = collection["items"]
    if kind.most is not None and item["id"] not in items and len(items) >= kind.most:
        raise Conflict("conflict", reason="full", field="", resource=kind.name)
    for field, value in _unique_values(kind, item):
        other = collection["unique"].get(field, {}).get(value, item["id"])
        if other != item["id"]:
            raise Conflict("conflict", reason="taken", field=field, by=other, resource=kind.name)


def insert(kind: ResourceType, collection: Collection, item: Item) -> None:
    if item["id"] not in collection["items"]:
        collection["inserted"] += 1
        collection["numbers"][item["id"]] = collection["inserted"]
    collection["items"][item["id"]] = item
    for field, value in _unique_values(kind, item):
        collection["unique"].setdefault(field, {})[value] = item["id"]
    for field in kind.searched:
        index = collection["referring"].setdefault(field, {})
        for value in _held(item, field):
            index.setdefault(value, {})[item["id"]] = True


def remove(kind: ResourceType, collection: Collection, item: Item) -> None:
    del collection["items"][item["id"]], collection["numbers"][item["id"]]
    collection["due"].pop(item["id"], None)
    _forget(kind, collection, item)


def replace(kind: ResourceType, collection: Collection, item: Item, changed: Item) -> None:
    """Give an item the fields of `changed`; it keeps its place in the collection."""
    _forget(kind, collection, item)
    item.update(changed)
    insert(kind, collection, item)


def referring(collection: Collection, field: str, target: str) -> list[Item]:
    """The items whose indexed field is, or holds, the value."""
    return [collection["items"][identity] for identity in collection["referring"].get(field, {}).get(target, {})]


def listed(collection: Collection, filters: Mapping[str, Any]) -> Items:
    """The items whose fields are, or hold, the given values; null wants any, text is the same in any letter case."""
    items: dict[str, Item] = collection["items"]
    wanted = {name: _folded(value) for name, value in filters.items() if value is not None}
    if not wanted:
        return items.values()
    return [item for item in items.values() if all(_is(item.get(name), value) for name, value in wanted.items())]


def _is(held: Any, wanted: Any) -> bool:
    return wanted in map(_folded, held) if isinstance(held, list) else _folded(held) == wanted


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def without(item: Item, reference: Reference, target: str) -> Item:
    """The item as it is when what it refers to is gone."""
    held = item.get(reference.field)
    left = [identity for identity in held if identity != target] if isinstance(held, list) else None
    return {**item, reference.field: left}


def targets(item: Item, reference: Reference) -> list[str]:
    """The ids that an item's field holds."""
    return _held(item, reference.field)


def _unique_values(kind: ResourceType, item: Item) -> list[tuple[str, str]]:
    """The unique fields of an item and their values as they are compared; null is a value that many may have."""
    return [(field, str(item[field])) for field in kind.unique if item.get(field) is not None]


def _held(item: Item, field: str) -> list[str]:
    held = item.get(field)
    return held if isinstance(held, list) else [] if held is None else [held]


def _forget(kind: ResourceType, collection: Collection, item: Item) -> None:
    for field, value in _unique_values(kind, item):
        collection["unique"].get(field, {}).pop(value, None)
    for field in kind.searched:
        index = collection["referring"].get(field, {})
        for value in _held(item, field):
            index.get(value, {}).pop(item["id"], None)
            if not index.get(value, True):
                del index[value]


@record
class Paging:
    """How a list is cut into pages: the page and its size as asked for, and what they are otherwise."""

    number: Expression
    cursor: Expression | None
    """Instead of the number, see `cursors`."""
    offset: Expression | None
    """Instead of the number: how many items stand before the page."""
    size: Expression
    default: int
    most: int


def is_stock(value: Any) -> bool:
    """Whether there can be so many of a thing: a whole number, zero or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def page_size(paging: Paging, scope: Scope) -> int:
    return min(max(int(paging.size.number(scope, 0)) or paging.default, 1), paging.most)


def page(
    items: Items, paging: Paging | None, scope: Scope, *, newest_first: bool = False
) -> tuple[list[Item], dict[str, int]]:
    """The items of the page asked for, and `{number, size, total, pages}`, or with an offset `{offset, size, total}`.

    Pages count from 1.
    """
    total, ordered = len(items), reversed(items) if newest_first else iter(items)
    if paging is None:
        return list(ordered), {"number": 1, "size": total, "total": total, "pages": 1}
    size = page_size(paging, scope)
    if paging.offset is not None:
        offset = max(int(paging.offset.number(scope, 0)), 0)
        first = min(offset, total)
        return list(islice(ordered, first, first + size)), {"offset": offset, "size": size, "total": total}
    number = max(int(paging.number.number(scope, 1)), 1)
    facts = {"number": number, "size": size, "total": total, "pages": -(-total // size)}
    first = min((number - 1) * size, total)
    return list(islice(ordered, first, first + size)), facts
