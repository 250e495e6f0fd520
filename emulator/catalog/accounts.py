"""Resources, acts, prices and meters of a document -> what accounts are made of."""

from collections.abc import Mapping

from emulator.catalog.language import resources as language
from emulator.catalog.language.document import Document
from emulator.catalog.leaves import Leaves
from emulator.catalog.source import DocumentPath
from emulator.mechanisms.account_rules import AccountRules
from emulator.mechanisms.meters import Meter, Rate
from emulator.mechanisms.resources import Fields, Hold, Item, Paging, Reference, ResourceType
from emulator.mechanisms.states import Call, StateMachine, Timed
from emulator.mechanisms.templates import Template
from emulator.operation import Act, Guard, Message, Part
from emulator.provider import ChargeLine, Prices


def account_rules(
    document: Document, leaves: Leaves, kinds: Mapping[str, ResourceType], initial: Mapping[str, tuple[Item, ...]]
) -> AccountRules | None:
    """What every account is made of; None for a provider whose accounts own nothing and pay nothing."""
    prices = document.prices
    if prices is None and not kinds:
        return None
    at: DocumentPath = ("prices",)
    return AccountRules(
        owner=leaves.expression(document.account, ("account",)),
        opening_balance=leaves.expression(prices.opening_balance if prices else 0, (*at, "opening_balance")),
        currency=leaves.expression(prices.currency if prices else "''", (*at, "currency")),
        kinds=kinds,
        meters={name: _meter(leaves, name, meter) for name, meter in prices.meters.items()} if prices else {},
        depletion=dict(prices.depletion.calls) if prices and prices.depletion else {},
        initial=initial,
    )


def compile_prices(document: Document, leaves: Leaves) -> Prices | None:
    prices = document.prices
    if prices is None:
        return None
    charges = {
        operation: tuple(
            ChargeLine(
                leaves.expression(line.quantity, ("prices", "charges", operation, i, "quantity")),
                leaves.expression(line.price, ("prices", "charges", operation, i, "price")),
                line.unit,
            )
            for i, line in enumerate(lines)
        )
        for operation, lines in prices.charges.items()
    }
    return Prices(
        leaves.optional(prices.when, ("prices", "when")),
        charges,
        frozenset([*charges, *prices.needs_credit]),
        prices.refuse,
    )


def _meter(leaves: Leaves, name: str, declared: language.Meter) -> Meter:
    at: DocumentPath = ("prices", "meters", name)
    rates = tuple(
        Rate(
            states=frozenset(rate.states),
            price=leaves.expression(rate.price, (*at, "rates", i, "price")),
            quantity=leaves.expression(rate.quantity, (*at, "rates", i, "quantity")),
            unit=rate.unit,
            status=rate.status,
        )
        for i, rate in enumerate(declared.rates)
    )
    return Meter(
        book=name,
        every=declared.every,
        per=declared.per,
        rates=rates,
        id=leaves.template(declared.id, (*at, "id")),
        record=leaves.templates(declared.record, (*at, "record")),
        sums=tuple(declared.sums),
        completed=declared.completed,
    )


def resource_type(name: str, declared: language.Resource, leaves: Leaves) -> ResourceType:
    at: DocumentPath = ("resources", name)
    return ResourceType(
        name=name,
        id=leaves.template(declared.id, (*at, "id")),
        fields=Fields(leaves.templates(declared.fields, (*at, "fields"))),
        changes=Fields(leaves.templates(declared.changes, (*at, "changes"))),
        unique=tuple(declared.unique),
        most=declared.most,
        references=tuple(Reference(r.field, r.resource, r.on_delete, r.call) for r in declared.references),
        indexed=tuple(declared.indexed),
        states=_machine(leaves, declared.states, (*at, "states")) if declared.states else None,
        holds=tuple(
            Hold(
                resource=hold.resource,
                item=leaves.template(hold.item, (*at, "holds", i, "item")),
                field=hold.field,
                amount=leaves.expression(hold.amount, (*at, "holds", i, "amount")),
                states=frozenset(hold.states),
                refuse=hold.refuse,
            )
            for i, hold in enumerate(declared.holds)
        ),
        seed=tuple(declared.seed),
        seed_when=leaves.optional(declared.seed_when, (*at, "seed_when")),
    )


def _machine(leaves: Leaves, declared: language.Machine, at: DocumentPath) -> StateMachine:
    timed: dict[str, tuple[Timed, ...]] = {}
    for i, way in enumerate(declared.timed):
        follows = Timed(way.after, way.to, leaves.optional(way.when, (*at, "timed", i, "when")))
        timed[way.from_] = (*timed.get(way.from_, ()), follows)
    calls = {name: Call(tuple(call.from_), call.to) for name, call in declared.calls.items()}
    return StateMachine(declared.first[0], timed, calls)


def act(declared: language.Act, kinds: Mapping[str, ResourceType], leaves: Leaves, at: DocumentPath) -> Act:
    kind = kinds[declared.resource] if declared.resource else None
    page = declared.page
    return Act(
        verb=declared.verb,
        resource=kind,
        book=declared.book,
        item=leaves.optional(declared.item, (*at, "item")),
        others=leaves.expressions(declared.others, (*at, "others")),
        by=declared.by,
        states=frozenset(declared.states),
        guards=tuple(
            Guard(
                leaves.expression(guard.when, (*at, "guards", i, "when")),
                guard.refuse,
                leaves.templates(guard.facts, (*at, "guards", i, "facts")),
                Fields(leaves.templates(guard.fields, (*at, "guards", i, "fields"))),
            )
            for i, guard in enumerate(declared.guards)
        ),
        fields=_computed(declared, kind, leaves.templates(declared.fields, (*at, "fields"))),
        call=declared.call,
        each=leaves.optional(declared.each, (*at, "each")),
        parts=tuple(
            Part(
                kinds[name],
                leaves.expression(part.each, (*at, "parts", name, "each")),
                kinds[name].fields.overlaid(leaves.templates(part.fields, (*at, "parts", name, "fields"))),
            )
            for name, part in declared.parts.items()
        ),
        sends=tuple(_message(leaves, message, (*at, "sends", i)) for i, message in enumerate(declared.sends)),
        filter=leaves.expressions(declared.filter, (*at, "filter")),
        newest_first=declared.newest_first,
        paging=None
        if page is None
        else Paging(
            leaves.expression(page.number, (*at, "page", "number")),
            leaves.optional(page.cursor, (*at, "page", "cursor")),
            leaves.optional(page.offset, (*at, "page", "offset")),
            leaves.expression(page.size, (*at, "page", "size")),
            page.default,
            page.most,
        ),
    )


def _message(leaves: Leaves, declared: language.Message, at: DocumentPath) -> Message:
    return Message(
        to=leaves.template(declared.to, (*at, "to")),
        subject=leaves.template(declared.subject, (*at, "subject")),
        text=leaves.template(declared.text, (*at, "text")),
        values=leaves.templates(declared.values, (*at, "values")),
    )


def _computed(declared: language.Act, kind: ResourceType | None, own: dict[str, Template]) -> Fields:
    """create: the resource's fields, some of them otherwise. update: the operation's own changes, or the resource's."""
    if kind is not None and declared.verb == "create":
        return kind.fields.overlaid(own)
    return kind.changes if kind is not None and declared.verb == "update" and not own else Fields(own)
