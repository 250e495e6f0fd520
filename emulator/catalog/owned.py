"""Contradictions in what a document says of accounts: resources, their states and references, acts, meters."""

from collections.abc import Iterable, Iterator

from emulator.catalog.language import Document
from emulator.catalog.language.resources import Act, Machine, Resource
from emulator.catalog.source import Path_
from emulator.refusals import RefusalName

Finding = tuple[Path_, str]


def unknown(name: str, known: Iterable[str]) -> str:
    return f'"{name}" does not exist; there are {", ".join(known) or "none"}'


def owned(document: Document) -> Iterator[Finding]:
    """Findings of resources.yaml and of the meters in prices.yaml."""
    for name, resource in document.resources.items():
        path: Path_ = ("resources", name)
        yield from _relations(document, resource, path)
        if resource.states is not None:
            yield from _machine(resource.states, (*path, "states"))
        if resource.holds and resource.states is None:
            yield (*path, "holds"), "depend on states, and there are none"
    prices = document.prices
    for name, meter in prices.meters.items() if prices else ():
        path = ("prices", "meters", name)
        for i, rate in enumerate(meter.rates):
            yield from _states(document, name, rate.states, (*path, "rates", i, "states"))
        for field in meter.sums:
            if field not in meter.record:
                yield (*path, "sums"), unknown(field, meter.record)
    for name, call in prices.depletion.calls.items() if prices and prices.depletion else ():
        yield from _call(document, name, call, ("prices", "depletion", "calls", name))


def _relations(document: Document, resource: Resource, path: Path_) -> Iterator[Finding]:
    for i, reference in enumerate(resource.references):
        if reference.resource not in document.resources:
            yield (*path, "references", i, "resource"), unknown(reference.resource, document.resources)
        if reference.field not in resource.fields:
            yield (*path, "references", i, "field"), unknown(reference.field, resource.fields)
        calls = resource.states.calls if resource.states else {}
        if reference.call is not None and reference.call not in calls:
            yield (*path, "references", i, "call"), unknown(reference.call, calls)
    for field in resource.unique:
        if field not in resource.fields:
            yield (*path, "unique"), unknown(field, resource.fields)
    yield from _holds(document, resource, path)


def _holds(document: Document, resource: Resource, path: Path_) -> Iterator[Finding]:
    for i, hold in enumerate(resource.holds):
        at: Path_ = (*path, "holds", i)
        if hold.resource not in document.resources:
            yield (*at, "resource"), unknown(hold.resource, document.resources)
        for state in hold.states if resource.states else ():
            if resource.states and state not in resource.states.names():
                yield (*at, "states"), unknown(state, resource.states.names())
        for way in resource.states.timed if resource.states else ():
            if way.to in hold.states and way.from_ not in hold.states:
                yield (*at, "states"), f"{way.from_} -> {way.to} comes by time, and nobody could be refused the stock"


def _machine(machine: Machine, path: Path_) -> Iterator[Finding]:
    """Every state is reached, and time alone never leads back to a state."""
    reached, ways = set(machine.first), [(way.from_, way.to) for way in machine.timed]
    ways += [(source, call.to) for call in machine.calls.values() for source in call.from_]
    for _ in machine.names():
        reached |= {to for source, to in ways if source in reached and to is not None}
    for i, way in enumerate(machine.timed):
        if way.from_ not in reached:
            yield (*path, "timed", i, "from"), f"no transition leads to {way.from_}"
        if _comes_back(machine, way.from_):
            yield (*path, "timed", i), f"time alone leads from {way.from_} back to it, for ever"
    for name, call in machine.calls.items():
        for state in call.from_:
            if state not in reached:
                yield (*path, "calls", name, "from"), f"no transition leads to {state}"


def _comes_back(machine: Machine, state: str) -> bool:
    after = {way.to for way in machine.timed if way.from_ == state}
    for _ in machine.timed:
        after |= {way.to for way in machine.timed if way.from_ in after}
    return state in after


def _states(document: Document, resource: str, states: Iterable[str], path: Path_) -> Iterator[Finding]:
    if resource not in document.resources:
        yield path, unknown(resource, document.resources)
        return
    machine = document.resources[resource].states
    for state in states:
        if machine is None or state not in machine.names():
            yield path, unknown(state, machine.names() if machine else ())


def _call(document: Document, resource: str, call: str, path: Path_) -> Iterator[Finding]:
    machine = document.resources[resource].states if resource in document.resources else None
    if machine is None:
        yield path, f'"{resource}" has no states'
    elif call not in machine.calls:
        yield path, unknown(call, machine.calls)


def act(document: Document, act: Act, path: Path_) -> Iterator[Finding]:
    """Findings of what one operation does."""
    prices = document.prices
    books = [*prices.charges, *prices.meters] if prices else []
    if (act.resource is None) == (act.book is None):
        yield path, "works on a `resource:` or lists a `book:`; say one"
    if act.book is not None and (act.verb != "list" or act.book not in books):
        yield (*path, "book"), f"is listed; {unknown(act.book, books)}"
    for name in (act.resource, *act.others, *act.parts):
        if name is not None and name not in document.resources:
            yield path, unknown(name, document.resources)
            return
    if act.verb not in ("list", "create") and act.item is None:
        yield path, f"`{act.verb}` needs `item:`, an expression for the id"
    if act.resource is None:
        return
    yield from _states(document, act.resource, act.states, (*path, "states"))
    if act.verb == "call":
        yield from _call(document, act.resource, act.call or "", (*path, "call"))
    fields, machine = document.resources[act.resource].fields, document.resources[act.resource].states
    if act.verb == "create" and act.call is not None and (machine is None or act.call not in machine.first):
        yield (*path, "call"), unknown(act.call, machine.first if machine else ())
    for field in act.fields:
        if field not in fields:
            yield (*path, "fields", field), unknown(field, fields)


def reachable_by_act(document: Document, act: Act) -> Iterator[tuple[RefusalName, str]]:
    """Every refusal that an act can meet, and why."""
    if act.item is not None or act.others:
        yield "not_found", "it names a resource"
    for guard in act.guards:
        yield guard.refuse, f"the guard {guard.when}"
    resource = document.resources.get(act.resource or "")
    if resource is None:
        return
    if act.verb in ("create", "update") and (set(resource.unique) & _written(resource, act) or _filled(resource, act)):
        yield "conflict", f"{act.resource} has unique fields or a limit"
    machine = resource.states
    if act.states or act.verb == "call" or (act.verb == "delete" and machine and "delete" in machine.calls):
        yield "illegal_state", "not every state allows it"
    pointing = [r for other in document.resources.values() for r in other.references if r.resource == act.resource]
    if act.verb == "delete" and any(reference.on_delete == "refuse" for reference in pointing):
        yield "in_use", "others may refer to it"
    for hold in resource.holds:
        if _takes(machine, act, hold.states):
            yield hold.refuse, f"it takes from {hold.resource}"


def _written(resource: Resource, act: Act) -> set[str]:
    return set(resource.fields if act.verb == "create" else act.fields or resource.changes)


def _filled(resource: Resource, act: Act) -> bool:
    return act.verb == "create" and resource.most is not None


def _takes(machine: Machine | None, act: Act, held: Iterable[str]) -> bool:
    """Whether the act leads into the states that hold something, from outside."""
    if machine is None:
        return False
    if act.verb == "create":
        return (act.call or machine.first[0]) in held
    called = machine.calls.get(act.call or "")
    return called is not None and called.to in held and not set(called.from_) <= set(held)
