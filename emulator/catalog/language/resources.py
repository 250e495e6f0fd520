"""resources.yaml: what accounts own, how it changes, and what operations do with it."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from emulator.catalog.language.base import Duration, Expr, Model, SourceName, Tree, as_list
from emulator.mechanisms.resources import Verb
from emulator.refusals import RefusalName

States = Annotated[list[str], BeforeValidator(as_list, json_schema_input_type=str | list[str])]


class Reference(Model):
    """A field that holds the id of another resource, or a list of ids."""

    field: str
    resource: str
    on_delete: Literal["refuse", "clear", "delete"] = Field(
        description="Deleting the other is refused, or clears the field, or deletes this resource, too."
    )
    call: str | None = Field(None, description="clear: a call that is made, too, in a state that allows it.")


class Hold(Model):
    """What the resource takes from a counted stock while it is in some states."""

    resource: str
    item: Tree = Field(description="The id of the stock.")
    field: str
    amount: Expr
    states: list[str]
    refuse: RefusalName = "out_of_stock"


class Timed(Model):
    """What follows a state by itself."""

    from_: str = Field(alias="from")
    after: Duration = Field(gt=0)
    to: str | None = Field(description="null: the resource is gone.")
    when: Expr | None = Field(None, description="Looked at when the state is entered; the first that holds counts.")


class Call(Model):
    """A transition that a client calls."""

    from_: States = Field(alias="from")
    to: str


class Machine(Model):
    """The states of a resource: its field `status`."""

    source: SourceName
    first: States = Field(min_length=1, description="The state it begins in, and others an operation may name.")
    timed: list[Timed] = Field(default_factory=list)
    calls: dict[str, Call] = Field(default_factory=dict)

    def names(self) -> list[str]:
        """Every state, in the order told."""
        timed = [name for t in self.timed for name in (t.from_, t.to) if name is not None]
        called = [name for call in self.calls.values() for name in (*call.from_, call.to)]
        return list(dict.fromkeys([*self.first, *timed, *called]))


class Resource(Model):
    """One kind of resource."""

    source: SourceName
    id: Tree = Field(description='A template that draws the id: "BRK-${digits(6)}K".')
    fields: dict[str, Tree] = Field(default_factory=dict, description="Computed when it is created, in order.")
    changes: dict[str, Tree] = Field(default_factory=dict, description="Computed anew when it is updated.")
    unique: list[str] = Field(
        default_factory=list, description="Fields whose value no two have; null is a value that many may have."
    )
    most: int | None = Field(None, ge=1, description="How many there may be.")
    references: list[Reference] = Field(default_factory=list)
    indexed: list[str] = Field(
        default_factory=list,
        description="Fields, beside references, by which `referring(…)` finds it.",
    )
    states: Machine | None = None
    holds: list[Hold] = Field(default_factory=list)
    seed: list[dict[str, Any]] = Field(default_factory=list, description="Items every account begins with.")
    seed_when: Expr | None = Field(None, description="Which accounts do: a condition on `principal`.")


class Page(Model):
    """How a list is cut into pages."""

    number: Expr = "query.page"
    cursor: Expr | None = Field(
        None, description="Pages by cursor: `page.next` and `page.previous` are cursors, or null; no number."
    )
    offset: Expr | None = Field(
        None, description="Pages by how many items stand before them: `page.offset`; no number."
    )
    size: Expr = "query.limit"
    default: int = Field(20, ge=1)
    most: int = Field(100, ge=1)


class Guard(Model):
    """A condition on which the operation is refused."""

    when: Expr
    refuse: RefusalName
    facts: dict[str, Tree] = Field(default_factory=dict)
    fields: dict[str, Tree] = Field(
        default_factory=dict, description="What changes of the item although it is refused: attempts are counted."
    )


class Part(Model):
    """Resources that are created with another: one for each of a list of bodies."""

    each: Expr = Field(description="A list; each is `body` to the fields of one resource.")
    fields: dict[str, Tree] = Field(default_factory=dict, description="Over the resource's; the other is `parent`.")


class Message(Model):
    """What is sent to somebody outside once the operation is done. Nothing leaves: it is kept in the outbox."""

    to: Tree
    subject: Tree = ""
    text: Tree = ""
    values: dict[str, Tree] = Field(
        default_factory=dict, description="What a reader would take from it, so that a test need not: a code, a link."
    )


class Act(Model):
    """What an operation does: a verb on a resource, or a list of the entries of a book."""

    resource: str | None = None
    book: str | None = Field(None, description="list: an operation that is charged, or a resource that has a meter.")
    verb: Verb
    item: Expr | None = Field(None, description="get, update, delete, call: the id, or a list: all of them or none.")
    others: dict[str, Expr] = Field(
        default_factory=dict, description="Further resources by kind: their id or ids; `other.<kind>` in expressions."
    )
    by: dict[str, str] = Field(
        default_factory=dict, description="Kind -> the unique field whose value `item` or `others` give, not the id."
    )
    states: States = Field(default_factory=list, description="The states the item may be in; none: any.")
    guards: list[Guard] = Field(default_factory=list)
    fields: dict[str, Tree] = Field(
        default_factory=dict, description="create: over the resource's fields; update: instead of its changes."
    )
    call: str | None = Field(None, description="call: the transition; create: the state to begin in, if not the first.")
    each: Expr | None = Field(
        None, description="create: a list; one resource for each, which is its `body`. All are `items`."
    )
    parts: dict[str, Part] = Field(default_factory=dict, description="create: what comes with it, by resource.")
    sends: list[Message] = Field(default_factory=list)
    filter: dict[str, Expr] = Field(
        default_factory=dict, description="list: field -> the value wanted, or one it holds; null wants any."
    )
    newest_first: bool = False
    page: Page | None = None


class Rate(Model):
    """What a resource costs in some states. Amounts are decimals, never binary floats."""

    states: States
    price: Expr = Field(description="Of `unit` units of the quantity.")
    quantity: Expr = 1
    unit: Decimal = Field(Decimal(1), gt=0)
    status: str = Field("active", description="The status of the meter's entry while it runs.")


class Meter(Model):
    """What a resource costs by time. States without a rate are free."""

    source: SourceName
    every: Duration = Field(60, gt=0, description="Charged by whole intervals of this length.")
    per: Duration = Field(3600, gt=0, description="What prices are per.")
    rates: list[Rate] = Field(min_length=1)
    id: Tree
    record: dict[str, Tree] = Field(default_factory=dict, description="What else each entry says.")
    sums: list[str] = Field(default_factory=list, description="Fields of `record` that the totals add up.")
    completed: str = "completed"


class Depletion(Model):
    """What resources are called to do when the balance is used up."""

    source: SourceName
    calls: dict[str, str] = Field(default_factory=dict, description="Resource -> one of its calls.")
