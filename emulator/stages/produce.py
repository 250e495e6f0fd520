"""What a served request gets: a completion, what its verb does with resources, or what its shape says alone."""

from typing import Any

from emulator.exchange import Exchange, Refused
from emulator.mechanisms import faulty_content, ledger, resources
from emulator.mechanisms.accounts import Account
from emulator.mechanisms.completions import complete
from emulator.mechanisms.expressions import Expression
from emulator.mechanisms.requests import Reader
from emulator.mechanisms.resources import Conflict, Item, ResourceType
from emulator.provider import Act


def produce(ex: Exchange) -> None:
    """May refuse with not_found, conflict, illegal_state, in_use, and whatever a guard or a stock names."""
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
    for fault in [*ex.faults_of("content"), *(ex.faults_of("stream") if ex.streaming else ())]:
        if not faulty_content.spoil(ex.completion, ex.request, fault, ex.scope.entropy):
            ex.idle.append(fault)
    ex.scope["completion"] = ex.completion
    ex.scope["usage"] = ex.completion["usage"]
    ex.note("produce", "scripted" if ex.script else "generated")


def _act(ex: Exchange, act: Act) -> None:
    account = ex.account
    assert account is not None  # a provider with acts has accounts
    found = _find_all(account, act.resource, act.item(ex.scope)) if act.item and act.resource else []
    ex.scope["items"], ex.scope["item"] = found, found[0] if found else None
    ex.scope["other"] = {name: _others(account, ex, name, wanted) for name, wanted in act.others.items()}
    for item in found:
        ex.scope["item"] = item
        _guard(ex, act, item)
    if not found:
        _guard(ex, act, None)
    try:
        if act.verb == "list":
            _list(ex, act, account)
        elif act.resource is not None:
            _change(ex, act, act.resource, account, found)
    except Conflict as conflict:
        raise Refused(conflict.refusal, **conflict.facts) from None
    ex.note("produce", act.verb, resource=act.resource.name if act.resource else act.book)


def _find_all(account: Account, kind: ResourceType, wanted: Any) -> list[Item]:
    """The resources with the given id, or ids: all of them, or the first unknown one is refused."""
    found = []
    for identity in dict.fromkeys(wanted) if isinstance(wanted, list) else [wanted]:
        item = account.find(kind.name, identity)
        if item is None:
            raise Refused("not_found", id=identity, resource=kind.name)
        found.append(item)
    return found


def _others(account: Account, ex: Exchange, name: str, expression: Expression) -> Any:
    wanted = expression(ex.scope)
    if wanted is None:
        return None
    found = _find_all(account, account.rules.kinds[name], wanted)
    return found if isinstance(wanted, list) else found[0]


def _guard(ex: Exchange, act: Act, item: Item | None) -> None:
    if item is not None and act.states and item["status"] not in act.states:
        raise Refused("illegal_state", id=item["id"], state=item["status"], call=ex.active.id)
    for guard in act.guards:
        if ex.holds(guard.when):
            ex.note("produce", "guard", when=guard.when.source)
            raise Refused(guard.refuse, **{name: fact(ex.scope) for name, fact in guard.facts.items()})


def _change(ex: Exchange, act: Act, kind: ResourceType, account: Account, found: list[Item]) -> None:
    """Raises Conflict."""
    if act.verb == "create":
        _create(ex, act, kind, account)
    for item in found:  # all of them or none
        if act.verb == "call" and act.call is not None:
            account.target(kind, item, act.call)
        elif act.verb == "delete":
            account.check_unused(kind, item)
    for item in found:
        ex.scope["item"] = item
        if act.verb == "update":
            account.update(kind, item, act.fields)
        elif act.verb == "call" and act.call is not None:
            account.call(kind, item, act.call)
            account.update(kind, item, act.fields)
        elif act.verb == "delete":
            account.delete(kind, item)


def _create(ex: Exchange, act: Act, kind: ResourceType, account: Account) -> None:
    """The resource and its parts, or nothing. Raises Conflict."""
    item = account.create(kind, act.fields, act.call)
    try:
        for part in act.parts:
            ex.scope["item"] = item
            for body in part.each(ex.scope) or ():
                account.create_part(part.resource, part.fields, item, body)
    except Conflict:
        account.remove(kind, item)
        raise
    ex.scope["item"] = item


def _list(ex: Exchange, act: Act, account: Account) -> None:
    if act.resource is not None:
        values = {name: wanted(ex.scope) for name, wanted in act.filter.items()}
        items = resources.listed(account.collection(act.resource.name), values)
    else:
        ex.scope["totals"] = ledger.totals(account.data, act.book or "")
        items = ledger.entries(account.data, act.book or "").values()
    ex.scope["items"], ex.scope["page"] = resources.page(items, act.paging, ex.scope, newest_first=act.newest_first)
