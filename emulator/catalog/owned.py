"""Contradictions in what a document says of accounts: resources, their states and references, acts, meters."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from emulator.catalog.language.document import Document
from emulator.catalog.language.resources import Act, Hold, Machine, Resource
from emulator.catalog.source import DocumentPath
from emulator.mechanisms.resources import Verb, is_stock
from emulator.refusals import RefusalName

Finding = tuple[DocumentPath, str]
_ITEM = re.compile(r"\bitem\.(\w+)")
"""A field of a resource, in expressions and templates about it."""


def unknown(name: str, known: Iterable[str]) -> str:
    return f'"{name}" does not exist; there are {", ".join(known) or "none"}'


def owned(document: Document) -> Iterator[Finding]:
    """Findings of resources.yaml and of the meters in prices.yaml."""
    for name, resource in document.resources.items():
        path: DocumentPath = ("resources", name)
        yield from _fields(resource, path)
        yield from _references(document, resource, path)
        if resource.states is not None:
            yield from _machine(resource.states, (*path, "states"))
            for i, hold in enumerate(resource.holds):
                yield from _hold(document, name, resource.states, hold, (*path, "holds", i))
        elif resource.holds:
            yield (*path, "holds"), "depend on states, and there are none"
    yield from _meters(document)
    prices = document.prices
    for name, call in prices.depletion.calls.items() if prices and prices.depletion else ():
        yield from _call(document, name, call, ("prices", "depletion", "calls", name))


# resources


def _fields(resource: Resource, path: DocumentPath) -> Iterator[Finding]:
    for field in resource.unique:
        if field not in resource.fields:
            yield (*path, "unique"), unknown(field, resource.fields)
    for field in resource.changes:
        if field not in resource.fields:
            yield (*path, "changes", field), unknown(field, resource.fields)
    for field in resource.indexed:
        if field not in resource.fields:
            yield (*path, "indexed"), unknown(field, resource.fields)


def _references(document: Document, resource: Resource, path: DocumentPath) -> Iterator[Finding]:
    for i, reference in enumerate(resource.references):
        at: DocumentPath = (*path, "references", i)
        if reference.resource not in document.resources:
            yield (*at, "resource"), unknown(reference.resource, document.resources)
        if reference.field not in resource.fields:
            yield (*at, "field"), unknown(reference.field, resource.fields)
        calls = resource.states.calls if resource.states else {}
        if reference.call is not None and reference.on_delete != "clear":
            yield (*at, "call"), "is made by `on_delete: clear` only"
        elif reference.call is not None and reference.call not in calls:
            yield (*at, "call"), unknown(reference.call, calls)


def names_of(resource: Resource) -> list[str]:
    """Every field that an item can have."""
    seeded = [name for seed in resource.seed for name in seed]
    return list(
        dict.fromkeys(["id", "created_at", *(["status"] if resource.states else []), *resource.fields, *seeded])
    )


# states


def _machine(machine: Machine, path: DocumentPath) -> Iterator[Finding]:
    """Every state is reached, every way is taken, and time alone never leads back to a state."""
    reached, certain = _reached(machine), set[str]()
    for i, way in enumerate(machine.timed):
        at: DocumentPath = (*path, "timed", i)
        if way.from_ not in reached:
            yield (*at, "from"), f"no transition leads to {way.from_}"
        if _comes_back(machine, way.from_):
            yield at, f"time alone leads from {way.from_} back to it, for ever"
        if way.from_ in certain:
            yield at, f"never comes: the way from {way.from_} above it has no `when:`"
        if way.when is None:
            certain.add(way.from_)
    for name, call in machine.calls.items():
        for state in call.from_:
            if state not in reached:
                yield (*path, "calls", name, "from"), f"no transition leads to {state}"


def _reached(machine: Machine) -> set[str]:
    reached, ways = set(machine.first), [(way.from_, way.to) for way in machine.timed]
    ways += [(source, call.to) for call in machine.calls.values() for source in call.from_]
    for _ in machine.names():
        reached |= {to for source, to in ways if source in reached and to is not None}
    return reached


def _comes_back(machine: Machine, state: str) -> bool:
    after = {way.to for way in machine.timed if way.from_ == state}
    for _ in machine.timed:
        after |= {way.to for way in machine.timed if way.from_ in after}
    return state in after


def _hold(document: Document, name: str, machine: Machine, hold: Hold, path: DocumentPath) -> Iterator[Finding]:
    if hold.resource not in document.resources:
        yield (*path, "resource"), unknown(hold.resource, document.resources)
    elif hold.field not in names_of(document.resources[hold.resource]):
        yield (*path, "field"), unknown(hold.field, names_of(document.resources[hold.resource]))
    else:
        for i, seed in enumerate(document.resources[hold.resource].seed):
            stock = seed.get(hold.field)
            if not is_stock(stock):
                at: DocumentPath = ("resources", hold.resource, "seed", i, hold.field)
                yield at, f"{stock!r} is no stock: a whole number, zero or more"
    for state in hold.states:
        if state not in machine.names():
            yield (*path, "states"), unknown(state, machine.names())
    for source, to, why in _unasked(document, name, machine):
        if to in hold.states and source not in hold.states:
            yield (*path, "states"), f"{source} -> {to} comes {why}, and nobody could be refused the stock"


def _unasked(document: Document, name: str, machine: Machine) -> Iterator[tuple[str, str | None, str]]:
    """The ways between states that no client asks for, and when they are taken."""
    for way in machine.timed:
        yield way.from_, way.to, "by time"
    depletion = document.prices.depletion if document.prices else None
    made = [(depletion.calls.get(name), "with a used-up balance")] if depletion else []
    made += [(r.call, f"when its {r.resource} is gone") for r in document.resources[name].references]
    for call, why in made:
        if call in machine.calls:
            for source in machine.calls[call].from_:
                yield source, machine.calls[call].to, why


def _states(document: Document, resource: str, states: Iterable[str], path: DocumentPath) -> Iterator[Finding]:
    machine = document.resources[resource].states
    for state in states:
        if machine is None or state not in machine.names():
            yield path, unknown(state, machine.names() if machine else ())


def _call(document: Document, resource: str, call: str, path: DocumentPath) -> Iterator[Finding]:
    if resource not in document.resources:
        yield path, unknown(resource, document.resources)
        return
    machine = document.resources[resource].states
    if machine is None:
        yield path, f"{resource} has no states"
    elif call not in machine.calls:
        yield path, unknown(call, machine.calls)


# money


def _meters(document: Document) -> Iterator[Finding]:
    for name, meter in document.prices.meters.items() if document.prices else ():
        path: DocumentPath = ("prices", "meters", name)
        if name not in document.resources:
            yield path, unknown(name, document.resources)
            continue
        for i, rate in enumerate(meter.rates):
            yield from _states(document, name, rate.states, (*path, "rates", i, "states"))
            for key, source in (("price", rate.price), ("quantity", rate.quantity)):
                yield from _spoken_of(source, document.resources[name], (*path, "rates", i, key))
        for field in meter.sums:
            if field not in meter.record:
                yield (*path, "sums"), unknown(field, meter.record)
            else:
                yield from _summed(meter.record[field], document.resources[name], name, (*path, "record", field))
        for field, template in meter.record.items():
            yield from _spoken_of(template, document.resources[name], (*path, "record", field))


def _spoken_of(template: Any, resource: Resource, path: DocumentPath) -> Iterator[Finding]:
    """Fields that what is said of a resource speaks of, and that it cannot have."""
    known = names_of(resource)
    for used in _ITEM.findall(str(template)):
        if used not in known:
            yield path, unknown(used, known)


def _summed(template: Any, resource: Resource, name: str, path: DocumentPath) -> Iterator[Finding]:
    """What is no number although a meter sums it up: a literal, or what the template shows of a seed."""
    if not isinstance(template, (int, float)) and "${" not in str(template):
        yield path, "is summed up, so it is a number, or an expression for one"
    shown = re.fullmatch(r"\$\{\s*item\.(\w+)\s*\}", str(template))
    field = shown[1] if shown is not None else ""
    for i, seed in enumerate(resource.seed):
        value = seed.get(field, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield ("resources", name, "seed", i, field), f"{value!r} is no number, and a meter sums it up"


# acts

_ONE: tuple[Verb, ...] = ("get", "update", "delete", "call")
_USES: dict[str, tuple[Verb, ...]] = {
    "item": _ONE,
    "states": _ONE,
    "fields": ("create", "update", "call"),
    "call": ("create", "call"),
    "each": ("create",),
    "parts": ("create",),
    "filter": ("list",),
    "newest_first": ("list",),
    "page": ("list",),
}
"""The keys of an act that only some verbs look at."""


def act(document: Document, act: Act, path: DocumentPath) -> Iterator[Finding]:
    """Findings of what one operation does."""
    if (act.resource is None) == (act.book is None):
        yield path, "works on a `resource:` or lists a `book:`; say one"
    for key, verbs in _USES.items():
        if getattr(act, key) not in (None, False, [], {}) and act.verb not in verbs:
            yield (*path, key), f"`{act.verb}` has no use for it; it is for {', '.join(verbs)}"
    if act.verb in _ONE and act.item is None:
        yield path, f"`{act.verb}` needs `item:`, an expression for the id"
    if act.verb == "call" and act.call is None:
        yield path, "`call` needs `call:`, the transition to make"
    if act.page is not None and act.page.cursor is not None and act.page.offset is not None:
        yield (*path, "page", "offset"), "is for pages without a cursor"
    if act.book is not None:
        yield from _book(document, act, path)
    named = [("resource", act.resource), *(("others", name) for name in act.others), *(("parts", n) for n in act.parts)]
    missing = [(key, name) for key, name in named if name is not None and name not in document.resources]
    for key, name in missing:
        yield (*path, key), unknown(name or "", document.resources)
    for name, field in act.by.items():
        named_by = document.resources[name].unique if name in (act.resource, *act.others) and not missing else ()
        if field not in named_by:
            yield (*path, "by", name), unknown(field, named_by)
    if act.resource is not None and not missing:
        yield from _of_resource(document, act, act.resource, path)


def _book(document: Document, act: Act, path: DocumentPath) -> Iterator[Finding]:
    prices = document.prices
    books = [*prices.charges, *prices.meters] if prices else []
    if act.verb != "list":
        yield (*path, "verb"), "a book is listed and nothing else: `verb: list`"
    if act.book not in books:
        yield (*path, "book"), unknown(act.book or "", books)
    if act.filter:
        yield (*path, "filter"), "is for resources; the entries of a book are listed whole"
    if act.page is not None and act.page.cursor is not None:
        yield (*path, "page", "cursor"), "is for resources; the entries of a book have page numbers"


def _of_resource(document: Document, act: Act, name: str, path: DocumentPath) -> Iterator[Finding]:
    resource = document.resources[name]
    yield from _states(document, name, act.states, (*path, "states"))
    if act.verb == "call" and act.call is not None:
        yield from _call(document, name, act.call, (*path, "call"))
    first = resource.states.first if resource.states else ()
    if act.verb == "create" and act.call is not None and act.call not in first:
        yield (*path, "call"), unknown(act.call, first)
    for field in act.fields:
        if field not in resource.fields:
            yield (*path, "fields", field), unknown(field, resource.fields)
    yield from _traces(resource, act, path)
    for part, declared in act.parts.items():
        for field in declared.fields:
            if field not in document.resources[part].fields:
                yield (*path, "parts", part, "fields", field), unknown(field, document.resources[part].fields)
    for field in act.filter:
        if field not in names_of(resource):
            yield (*path, "filter", field), unknown(field, names_of(resource))
    yield from _held(resource, act, path)


def _traces(resource: Resource, act: Act, path: DocumentPath) -> Iterator[Finding]:
    """What a refusal changes is a field of the one resource, and can itself not be refused."""
    for i, guard in enumerate(act.guards):
        for field in guard.fields:
            at: DocumentPath = (*path, "guards", i, "fields", field)
            if act.verb not in _ONE:
                yield at, f"`{act.verb}` has no item to change; it is for {', '.join(_ONE)}"
            elif field not in resource.fields:
                yield at, unknown(field, resource.fields)
            elif field in resource.unique:
                yield at, "is unique, and a refusal cannot be refused for a conflict"


def _held(resource: Resource, act: Act, path: DocumentPath) -> Iterator[Finding]:
    """What is given back must be what was taken, so it does not change meanwhile."""
    machine = resource.states
    if machine is None or act.verb not in _ONE:
        return
    called = machine.calls.get(act.call or "")
    possible = [called.to] if called else act.states or machine.names()
    for hold in resource.holds:
        used = set(_ITEM.findall(f"{hold.item} {hold.amount}"))
        if set(possible) & set(hold.states):
            for field in sorted(used & _written(resource, act)):
                free = [state for state in machine.names() if state not in hold.states]
                yield (
                    path,
                    f"changes {field}, by which {hold.resource} is held; allow that in `states: [{', '.join(free)}]`",
                )


# what acts can be refused for


def reachable_by_act(document: Document, act: Act) -> Iterator[tuple[RefusalName, str]]:
    """Every refusal that an act can meet, and why."""
    if act.item is not None or act.others:
        yield "not_found", "it names a resource"
    for guard in act.guards:
        yield guard.refuse, f"the guard {guard.when}"
    resource = document.resources.get(act.resource or "")
    if resource is None:
        return
    parts = {name: document.resources[name] for name in act.parts if name in document.resources}
    for name, created in ({act.resource or "": resource, **parts} if act.verb == "create" else {}).items():
        if created.unique or created.most is not None:
            yield "conflict", f"{name} has unique fields or a limit"
    if act.verb in ("update", "call") and set(resource.unique) & _written(resource, act):
        yield "conflict", f"{act.resource} has unique fields"
    machine = resource.states
    if act.states or act.verb == "call" or (act.verb == "delete" and machine and "delete" in machine.calls):
        yield "illegal_state", "not every state allows it"
    pointing = [r for other in document.resources.values() for r in other.references if r.resource == act.resource]
    if act.verb == "delete" and any(reference.on_delete == "refuse" for reference in pointing):
        yield "in_use", "others may refer to it"
    taken = [hold for hold in resource.holds if _takes(machine, act, hold.states)]
    for part in parts.values():
        taken += [hold for hold in part.holds if part.states and part.states.first[0] in hold.states]
    for hold in taken:
        yield hold.refuse, f"it takes from {hold.resource}"


def _written(resource: Resource, act: Act) -> set[str]:
    """The fields that an update, or the update of a call, computes anew, refused or not."""
    traced = {field for guard in act.guards for field in guard.fields}
    return traced | set(act.fields or (resource.changes if act.verb == "update" else ()))


def _takes(machine: Machine | None, act: Act, held: Iterable[str]) -> bool:
    """Whether the act leads into the states that hold something, from outside."""
    if machine is None:
        return False
    if act.verb == "create":
        return (act.call or machine.first[0]) in held
    called = machine.calls.get("delete" if act.verb == "delete" else act.call or "")
    return called is not None and called.to in held and not set(called.from_) <= set(held)
