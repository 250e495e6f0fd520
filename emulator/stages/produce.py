"""What a served request gets: a completion or vectors, what its verb does with resources, or its shape alone."""

from typing import Any, NoReturn

from emulator.exchange import Exchange, Refused
from emulator.mechanisms import cursors, faulty_content, ledger, outbox, resources
from emulator.mechanisms.accounts import Account
from emulator.mechanisms.completions import complete
from emulator.mechanisms.embeddings import MOST_DIMENSIONS, MOST_NUMBERS, embed
from emulator.mechanisms.expressions import Expression
from emulator.mechanisms.journal import Note
from emulator.mechanisms.requests import Reader
from emulator.mechanisms.resources import Conflict, Item, ResourceType
from emulator.mechanisms.violations import ANY_BODY
from emulator.mechanisms.wording import by_field
from emulator.operation import Act, Message

_GENERATED: Note = ("produce", "generated", {})
_SCRIPTED: Note = ("produce", "scripted", {})


def produce(ex: Exchange) -> None:
    """May refuse with not_found, conflict, illegal_state, in_use, invalid_request, and what guards and stocks name."""
    operation = ex.active
    for name, template in operation.facts.items():
        ex.scope[name] = template.render(ex.scope)
    if operation.act is not None:
        _act(ex, operation.act)
    elif operation.reader is not None:
        _generate(ex, operation.reader)
    else:
        ex.note("produce", "shape" if operation.shape else "example", grade=operation.source.grade)


def _generate(ex: Exchange, reader: Reader) -> None:
    """A completion, or vectors, for the request that `reader` finds."""
    if ex.request is None:  # a provider whose checks leave out validate
        ex.request = reader.read(ex.scope, ex.provider.tokens)
        ex.scope["request"] = ex.request
    if ex.active.embedding is not None:
        _embed(ex, ex.request, ex.active.embedding)
    else:
        _complete(ex, ex.request)


def _complete(ex: Exchange, request: dict[str, Any]) -> None:
    ex.completion = complete(request, ex.scope.entropy, ex.provider.tokens, ex.script, ex.scope.get("model") or {})
    ex.streaming = _streams(ex, request)
    for fault in ex.faults_of(("content", "stream") if ex.streaming else ("content",)):
        if not faulty_content.spoil(ex.completion, request, fault, ex.scope.entropy):
            ex.idle.append(fault)
    ex.scope["completion"] = ex.completion
    ex.scope["usage"] = ex.completion["usage"]
    ex.trace.append(_SCRIPTED if ex.script else _GENERATED)


def _streams(ex: Exchange, request: dict[str, Any]) -> bool:
    asked = ex.active.stream is not None and bool(request["stream"])
    return asked and not any(fault.name == "not_a_stream" for fault in ex.faults_of(("stream",)))


def _embed(ex: Exchange, request: dict[str, Any], dimensions: Expression) -> None:
    size, prompts = int(dimensions.number(ex.scope)), request["prompts"]
    if size > MOST_DIMENSIONS:
        _refuse_field(ex, size, "maximum", MOST_DIMENSIONS)
    if size * len(prompts) > MOST_NUMBERS:
        _refuse_field(ex, request["prompt"], "maxItems", MOST_NUMBERS // size)
    vectors = [embed(prompt, size) for prompt in prompts]
    tokens = request["prompt_tokens"]
    ex.scope["embeddings"] = [{"index": index, "vector": vector} for index, vector in enumerate(vectors)]
    ex.scope["usage"] = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
    ex.note("produce", "embedded", texts=len(vectors), dimensions=size)


def _refuse_field(ex: Exchange, wanted: Any, keyword: str, limit: int) -> NoReturn:
    """More than anybody would wait for is the fault of the field that says it."""
    field = [name for name, value in (ex.scope["body"] or {}).items() if value == wanted][:1]
    told = ex.provider.wording.tell([ANY_BODY.violation(keyword, field, wanted, limit=limit)], ex.scope)
    raise Refused("invalid_request", violations=told, errors_by_field=by_field(told))


def _act(ex: Exchange, act: Act) -> None:
    account = ex.account
    assert account is not None  # a provider with acts has accounts
    found = _find_all(account, act, act.resource, act.item(ex.scope)) if act.item and act.resource else []
    ex.scope["items"], ex.scope["item"] = found, found[0] if found else None
    ex.scope["other"] = {name: _others(account, ex, act, name) for name in act.others}
    for item in found:
        ex.scope["item"] = item
        _guard(ex, act, account, item)
    if not found:
        _guard(ex, act, account, None)
    if ex.active.reader is not None:  # what is changed may speak of what was said
        _generate(ex, ex.active.reader)
    try:
        if act.verb == "list":
            _list(ex, act, account)
        elif act.resource is not None:
            _change(ex, act, act.resource, account, found)
    except Conflict as conflict:
        raise Refused(conflict.refusal, **conflict.facts) from None
    ex.trace.append(act.done)
    for message in act.sends:
        _send(ex, message)


def _find_all(account: Account, act: Act, kind: ResourceType, wanted: Any) -> list[Item]:
    """The resources with the given id, or ids: all of them, or the first unknown one is refused."""
    found = []
    for identity in dict.fromkeys(wanted) if isinstance(wanted, list) else [wanted]:
        item = account.find(kind.name, identity, act.by.get(kind.name))
        if item is None:
            raise Refused("not_found", id=identity, resource=kind.name)
        found.append(item)
    return found


def _others(account: Account, ex: Exchange, act: Act, name: str) -> Any:
    wanted = act.others[name](ex.scope)
    if wanted is None:
        return None
    found = _find_all(account, act, account.rules.kinds[name], wanted)
    return found if isinstance(wanted, list) else found[0]


def _guard(ex: Exchange, act: Act, account: Account, item: Item | None) -> None:
    if item is not None and act.states and item.get("status") not in act.states:
        raise Refused("illegal_state", id=item["id"], state=item.get("status"), call=ex.active.id)
    guard = act.guard(ex.scope)
    if guard is not None:
        ex.note("produce", "guard", when=guard.when.source)
        if guard.fields.templates and item is not None and act.resource is not None:
            account.update(act.resource, item, guard.fields)
        raise Refused(guard.refuse, **{name: fact(ex.scope) for name, fact in guard.facts.items()})


def _change(ex: Exchange, act: Act, kind: ResourceType, account: Account, found: list[Item]) -> None:
    """All of it or nothing. Raises Conflict."""
    if act.verb == "create" and act.each is not None:
        with account.all_or_none():
            _create_each(ex, act, kind, account, act.each)
    elif act.verb == "create":
        _create(ex, act, kind, account)
    elif len(found) > 1 or (act.call is not None and act.fields.templates):
        with account.all_or_none():
            for item in found:
                _change_one(ex, act, kind, account, item)
    elif found:
        _change_one(ex, act, kind, account, found[0])


def _change_one(ex: Exchange, act: Act, kind: ResourceType, account: Account, item: Item) -> None:
    """Raises Conflict, before anything changed unless it is a call that changes fields, too."""
    ex.scope["item"] = item
    if act.verb == "delete" and account.find(kind.name, item["id"]):  # it may have gone with another
        account.delete(kind, item)
    elif act.verb == "update":
        account.update(kind, item, act.fields)
    elif act.call is not None:
        account.call(kind, item, act.call)
        if act.fields.templates:
            account.update(kind, item, act.fields)


def _create(ex: Exchange, act: Act, kind: ResourceType, account: Account) -> None:
    """The resource and its parts, or nothing. Raises Conflict."""
    item = ex.scope["item"] = account.draft(kind, act.fields, act.call)
    parts = [(part, body) for part in act.parts for body in part.each(ex.scope) or ()]
    if not parts:
        account.add(kind, item)
        return
    with account.all_or_none():
        account.add(kind, item)
        for part, body in parts:
            account.add_part(part.resource, part.fields, item, body)
    ex.scope["item"] = item


def _create_each(ex: Exchange, act: Act, kind: ResourceType, account: Account, bodies: Expression) -> None:
    """A resource for each of several bodies. Raises Conflict."""
    whole, made = ex.scope["body"], list[Item]()
    try:
        for body in bodies(ex.scope) or ():
            ex.scope["body"] = body
            _create(ex, act, kind, account)
            made.append(ex.scope["item"])
    finally:
        ex.scope["body"] = whole
    ex.scope["items"] = made


def _send(ex: Exchange, message: Message) -> None:
    """Nothing leaves the emulator: a test reads the message where it is kept."""
    values = {name: value(ex.scope) for name, value in message.values.items()}
    told = {"to": message.to(ex.scope), "subject": message.subject(ex.scope), "text": message.text(ex.scope)}
    outbox.put(ex.tenant, ex.provider.id, {"at": ex.now, **told, "values": values})
    ex.note("produce", "sent", to=told["to"])


def _list(ex: Exchange, act: Act, account: Account) -> None:
    paging = act.paging
    if act.resource is not None:
        collection = account.collection(act.resource.name)
        items = resources.listed(collection, act.wanted(ex.scope))
        if paging is not None and paging.cursor is not None:
            size, cursor = resources.page_size(paging, ex.scope), paging.cursor(ex.scope)
            ex.scope["items"], ex.scope["page"] = cursors.page(
                items, collection["numbers"], size, cursor, newest_first=act.newest_first
            )
            return
    else:
        ex.scope["totals"] = ledger.totals(account.data, act.book or "")
        items = ledger.entries(account.data, act.book or "").values()
    ex.scope["items"], ex.scope["page"] = resources.page(items, paging, ex.scope, newest_first=act.newest_first)
