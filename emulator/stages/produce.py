"""What a served request gets: a completion, what its verb does with resources, or what its shape says alone."""

from typing import Any

from emulator.exchange import Exchange, Refused
from emulator.mechanisms import resources
from emulator.mechanisms.completions import complete
from emulator.mechanisms.requests import Reader
from emulator.mechanisms.resources import Conflict, Item, ResourceType
from emulator.provider import Act


def produce(ex: Exchange) -> None:
    """May refuse with not_found, conflict, and whatever a guard names."""
    operation = ex.active
    for name, template in operation.facts.items():
        ex.scope[name] = template(ex.scope)
    if operation.reader is not None:
        _complete(ex, operation.reader)
    elif operation.act is not None:
        _act(ex, operation.act)
    else:
        ex.note("produce", "shape" if operation.shape else "example", grade=operation.source.grade)


def _complete(ex: Exchange, reader: Reader) -> None:
    if ex.request is None:  # a provider whose checks leave out validate
        ex.request = reader.read(ex.scope, ex.provider.tokens)
        ex.scope["request"] = ex.request
    ex.completion = complete(ex.request, ex.scope.entropy, ex.provider.tokens, ex.script)
    ex.scope["completion"] = ex.completion
    ex.scope["usage"] = ex.completion["usage"]
    ex.note("produce", "scripted" if ex.script else "generated")


def _act(ex: Exchange, act: Act) -> None:
    collection = _collection(ex, act.resource) if act.resource is not None else {"items": {}}
    if act.verb in ("get", "update", "delete"):
        ex.scope["item"] = _find(ex, act, collection)
    _guard(ex, act)
    if act.resource is not None and act.verb in ("create", "update"):
        _change(ex, act, act.resource, collection)
    elif act.verb == "list":
        _list(ex, act, collection)
    elif act.verb == "delete":
        del collection["items"][ex.scope["item"]["id"]]
    elif act.verb == "delete_many":
        _delete_many(ex, act, collection)
    ex.note("produce", act.verb, resource=act.resource.name if act.resource else None)


def _collection(ex: Exchange, kind: ResourceType) -> dict[str, Any]:
    now = ex.now
    key = f"{ex.provider.id}:{kind.account(ex.scope)}:{kind.name}"
    collection: dict[str, Any] = ex.tenant.cell("resources", key, lambda: resources.new_collection(kind, now))
    return collection


def _find(ex: Exchange, act: Act, collection: dict[str, Any]) -> Item:
    wanted = act.item(ex.scope) if act.item is not None else None
    item: Item | None = collection["items"].get(wanted)
    if item is None:
        raise Refused("not_found", id=wanted, resource=act.resource.name if act.resource else "")
    return item


def _guard(ex: Exchange, act: Act) -> None:
    for guard in act.guards:
        if ex.holds(guard.when):
            raise Refused(guard.refuse, **{name: fact(ex.scope) for name, fact in guard.facts.items()})


def _change(ex: Exchange, act: Act, kind: ResourceType, collection: dict[str, Any]) -> None:
    try:
        if act.verb == "create":
            resources.create(kind, collection, ex.scope, ex.now)
        else:
            resources.update(kind, collection, ex.scope["item"], ex.scope)
    except Conflict as conflict:
        raise Refused("conflict", reason=conflict.reason, field=conflict.field, resource=kind.name) from None


def _list(ex: Exchange, act: Act, collection: dict[str, Any]) -> None:
    items = list(collection["items"].values()) if act.items is None else list(act.items(ex.scope) or [])
    if act.newest_first:
        items.reverse()
    if act.where is not None:
        items = [item for item in items if _selected(ex, act, item)]
    ex.scope["items"], ex.scope["page"] = resources.page(items, act.paging, ex.scope)


def _selected(ex: Exchange, act: Act, item: Item) -> bool:
    ex.scope["item"] = item
    return ex.holds(act.where)


def _delete_many(ex: Exchange, act: Act, collection: dict[str, Any]) -> None:
    """All of them or none: an unknown id is not found."""
    wanted = list(dict.fromkeys(act.item(ex.scope) or [])) if act.item is not None else []
    missing = [identity for identity in wanted if identity not in collection["items"]]
    if missing:
        raise Refused("not_found", id=missing[0], resource=act.resource.name if act.resource else "")
    ex.scope["items"] = [collection["items"].pop(identity) for identity in wanted]
