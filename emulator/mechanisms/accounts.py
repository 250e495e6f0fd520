"""An account: the resources somebody owns and the ledger that pays for them, as they are at one moment.

Nothing runs in the background. Whoever looks at an account first brings it up to the moment: timed transitions
happen in their order, meters draw what has become due between them, and what a used-up balance leads to happens at
the very moment it is used up.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from heapq import heappop, heappush
from typing import Any
from weakref import proxy

from emulator.mechanisms import ledger, loading, meters, resources, restoring
from emulator.mechanisms.account_rules import AccountRules
from emulator.mechanisms.clock import to_microseconds
from emulator.mechanisms.expressions import ExpressionError, Scope
from emulator.mechanisms.resources import Collection, Conflict, Fields, Item, Reference, ResourceType

Data = dict[str, Any]
_MOST_DRAWS = 100  # of an id that nobody has yet


class Account:
    """One account at one moment. Expressions see its money as `account`."""

    __slots__ = ("__weakref__", "_touch", "data", "events", "now", "rules", "scope")

    def __init__(
        self, rules: AccountRules, data: Data, scope: Scope, now: float, touch: Callable[[], None] = lambda: None
    ) -> None:
        """`data` is the account's cell, empty when it is new; `touch` is called when it is written.

        Raises ExpressionError for a fixture that miscounts.
        """
        self.rules = rules
        self.data = data
        self.scope = scope
        self.now = now
        self._touch = touch
        self.events: list[dict[str, Any]] = []
        """What happened to resources while nobody looked, oldest first."""
        scope.owner = proxy(self)  # one that held it would make garbage of both
        outer = scope.get("item")
        if not data:
            try:
                self._open()
            except (ExpressionError, Conflict):
                data.clear()  # or the next request would find half an account
                raise
        self._show()
        if self._advance():
            self._show()
        scope["item"] = outer

    # the ledger

    @property
    def balance(self) -> Decimal:
        return ledger.balance(self.data)

    def charge(self, book: str, amount: Decimal, entry: Data) -> Decimal:
        """Draw an amount for an entry of a book; gives the new balance."""
        outer = self.scope["item"]
        self._touch()
        used_up = self.rules.depletion and not self.data["depleted"] and amount >= self.balance
        with self.all_or_none() if used_up else nullcontext():
            ledger.charge(self.data, book, amount, {**entry, "currency": self.data["currency"]})
            self._deplete(self.now)
        self.scope["item"] = outer
        self._show()
        return self.balance

    def pay_in(self, amount: Decimal) -> Decimal:
        """Top the balance up; gives the new one."""
        self._touch()
        ledger.pay_in(self.data, amount)
        self.data["depleted"] = self.balance <= 0
        self._show()
        return self.balance

    def _show(self) -> None:
        data = self.data
        self.scope["account"] = {
            "balance": data["balance"], "paid_in": data["paid_in"], "spent": data["spent"], "currency": data["currency"]
        }  # fmt: skip

    # resources

    def collection(self, name: str) -> Collection:
        """All resources of a kind; what they begin with is there from the first look."""
        found: Collection = self.data["collections"].get(name) or self._begin(name)
        return found

    def _begin(self, name: str) -> Collection:
        self._touch()
        collection = self.data["collections"][name] = resources.new_collection()
        kind, outer = self.rules.kinds[name], self.scope["item"]
        opened = self.data.get("opened_at", self.now)  # whoever looks first, and when
        if kind.seed_when is None or kind.seed_when.holds(self.scope):
            for seed in kind.seed:
                self._insert(kind, {"created_at": opened, **seed})
        self.scope["item"] = outer
        return collection

    def find(self, name: str, identity: Any, by: str | None = None) -> Item | None:
        """The resource of a kind with an id, or with a value of the unique field `by`."""
        collection = self.data["collections"].get(name) or self._begin(name)  # asked for several times a request
        if by is not None:
            identity = collection["unique"].get(by, {}).get(str(identity))
        found: Item | None = collection["items"].get(identity) if identity.__class__ is str else None
        return found

    def referring(self, name: str, field: str, target: str) -> list[Item]:
        """The resources of a kind whose indexed field is, or holds, a value."""
        return resources.referring(self.collection(name), field, target)

    def all_or_none(self) -> AbstractContextManager[None]:
        """Whatever raises within leaves the account as it was."""
        return restoring.all_or_none(self.data)

    def draft(self, kind: ResourceType, fields: Fields, state: str | None = None) -> Item:
        """A resource that is not there yet: its fields computed from the request in the scope, in its first state."""
        collection = self.collection(kind.name)
        item: Item = {"id": kind.id(self.scope), "created_at": self.now}
        for _ in range(_MOST_DRAWS):
            if item["id"] not in collection["items"]:
                break
            item["id"] = kind.id(self.scope)
        item = fields.compute(item, self.scope)
        if kind.states is not None:
            item["status"] = state or kind.states.first
        return item

    def add(self, kind: ResourceType, item: Item) -> None:
        """Let a drafted resource be there. Raises Conflict, and ExpressionError for one that cannot be billed."""
        collection = self.collection(kind.name)
        if item["id"] in collection["items"]:
            raise Conflict("conflict", reason="taken", field="id", resource=kind.name)
        resources.check(kind, collection, item)
        self._insert(kind, item)

    def update(self, kind: ResourceType, item: Item, changes: Fields) -> Item:
        """The resource with fields computed anew. Raises Conflict and ExpressionError; it is then as it was."""
        collection = self.collection(kind.name)
        changed = changes.compute(item, self.scope)
        resources.check(kind, collection, changed)
        self._touch()
        self.scope["item"] = changed
        self._measure(kind, changed, self.now)
        resources.replace(kind, collection, item, changed)
        self.scope["item"] = item
        return item

    def add_part(self, kind: ResourceType, fields: Fields, parent: Item, body: Any) -> None:
        """A resource that comes with another, its fields computed from a body of its own. Raises Conflict."""
        outer, self.scope["body"], self.scope["parent"] = self.scope["body"], body, parent
        try:
            self.add(kind, self.draft(kind, fields))
        finally:
            self.scope["body"] = outer

    def call(self, kind: ResourceType, item: Item, name: str) -> None:
        """Make a called transition. Raises Conflict in a state that does not allow it, or when a stock is short."""
        machine = kind.states
        if machine is None or item.get("status") not in machine.calls[name].sources:
            raise Conflict("illegal_state", id=item["id"], state=item.get("status"), call=name, resource=kind.name)
        self._enter(kind, item, machine.calls[name].to, self.now)

    def delete(self, kind: ResourceType, item: Item) -> None:
        """Remove a resource, or begin to where its machine has a call `delete`.

        Raises Conflict when something that refers to it forbids that, or its state does.
        """
        for other, reference in self.rules.pointing_at(kind.name):
            if reference.on_delete == "refuse":
                for user in self.referring(other.name, reference.field, item["id"]):
                    raise Conflict("in_use", id=item["id"], by=user["id"], resource=kind.name)
        if kind.states is not None and "delete" in kind.states.calls:
            self.call(kind, item, "delete")
        else:
            self.remove(kind, item)

    def load(self, given: Mapping[str, Iterable[Item]]) -> dict[str, list[str]]:
        """Resources that are there without a request, by kind: all of them, or none. Gives their ids.

        Each has the given fields, the others as a request with them would make them, and is in the state given as
        `status` or in the one it comes to by itself. Raises Conflict, and Misfit for a field that cannot be so.
        """
        made: dict[str, list[str]] = {name: [] for name in given}
        with self.all_or_none():
            for name, bodies in given.items():
                for number, body in enumerate(bodies):
                    with loading.placed(name, number):
                        made[name].append(self._load(self.rules.kinds[name], body))
        return made

    def _load(self, kind: ResourceType, given: Item) -> str:
        loading.check(kind, given)
        own = kind.own(given)
        body, self.scope["body"] = self.scope["body"], given
        try:
            item: Item = {"id": kind.id(self.scope), "created_at": self.now, **own}
            item = kind.fields.without(own).compute(item, self.scope)
        finally:
            self.scope["body"] = body
        kind.require_all(item)
        loading.check_amounts(kind, item, self.rules.kinds, self.rules.meters.get(kind.name), self.scope)
        for reference in kind.references:
            for target in resources.targets(item, reference):
                if self.find(reference.resource, target) is None:
                    raise Conflict("not_found", id=target, resource=reference.resource)
        self.scope["item"] = item
        if kind.states is not None:
            item["status"] = given.get("status") or kind.states.rest(self.scope)
        self.add(kind, item)
        return str(item["id"])

    def _insert(self, kind: ResourceType, item: Item) -> None:
        collection, state = self.collection(kind.name), item.get("status") if kind.states is not None else None
        self._touch()
        self.scope["item"] = item
        if state is not None:
            self._hold(kind, item, state)
        resources.insert(kind, collection, item)
        if state is None:
            return
        try:
            self._settle(kind, item, state, self.now)
        except ExpressionError:
            self._hold(kind, item, None)
            resources.remove(kind, collection, item)
            raise

    def remove(self, kind: ResourceType, item: Item, moment: float | None = None) -> None:
        """Take a resource away at a moment (now), whatever its machine says, and what must go with it."""
        with self.all_or_none() if self._frees(kind, item) else nullcontext():
            self._remove(kind, item, self.now if moment is None else moment)

    def _frees(self, kind: ResourceType, item: Item) -> bool:
        """Whether others may cost something else without it."""
        return kind.name in self.rules.freeing and any(
            self.referring(other.name, reference.field, item["id"])
            for other, reference in self.rules.pointing_at(kind.name)
        )

    def _remove(self, kind: ResourceType, item: Item, moment: float) -> None:
        self._touch()
        self.scope["item"] = item
        if kind.states is not None:
            self._hold(kind, item, None)
            item["status"] = None
            self._measure(kind, item, moment)
        resources.remove(kind, self.collection(kind.name), item)
        for other, reference in list(self.rules.pointing_at(kind.name)):
            for user in self.referring(other.name, reference.field, item["id"]):
                if self.find(other.name, user["id"]) is not user:
                    continue  # it went with another one
                if reference.on_delete == "delete":
                    self._remove(other, user, moment)
                else:
                    self._clear(other, user, reference, item["id"], moment)
        self.scope["item"] = item

    def _clear(self, kind: ResourceType, item: Item, reference: Reference, target: str, moment: float) -> None:
        """Let a resource no longer refer to one that is gone."""
        changed = resources.without(item, reference, target)
        resources.replace(kind, self.collection(kind.name), item, changed)
        call = kind.states.calls[reference.call] if kind.states and reference.call else None
        if call is not None and item.get("status") in call.sources:
            self._enter(kind, item, call.to, moment)

    # states

    def _enter(self, kind: ResourceType, item: Item, state: str, moment: float) -> None:
        """Raises Conflict when a stock that the state takes from is short, ExpressionError for what has no price."""
        self._touch()
        self.scope["item"], before = item, item.get("status")
        self._hold(kind, item, state)
        try:
            self._settle(kind, item, state, moment)
        except ExpressionError:
            self._hold(kind, item, before)
            item["status"] = before
            raise

    def _settle(self, kind: ResourceType, item: Item, state: str, moment: float) -> None:
        """Be in a state: what it costs runs, which comes first because it may fail; what follows by time is set."""
        item["status"] = state
        self._measure(kind, item, moment)
        due = self.collection(kind.name)["due"]
        due.pop(item["id"], None)
        timed = kind.states.follows(state, self.scope) if kind.states else None
        if timed is not None:
            at = to_microseconds(moment + timed.after)
            due[item["id"]] = [at, timed.to]
            heappush(self.data["timers"], [at, kind.name, item["id"]])

    def _hold(self, kind: ResourceType, item: Item, state: str | None) -> None:
        """Take from the stocks that a state holds and the last one did not, or give back."""
        before = item.get("status") if item["id"] in self.collection(kind.name)["items"] else None
        taken: list[tuple[Item, str, int]] = []
        for hold in kind.holds:
            was, will = before in hold.states, state in hold.states
            if was == will:
                continue
            amount = int(hold.amount.number(self.scope))
            stock_id = hold.item(self.scope)
            stock = self.find(hold.resource, stock_id)
            if will and (stock is None or stock[hold.field] < amount):
                left = stock[hold.field] if stock else 0
                raise Conflict(hold.refuse, id=stock_id, wanted=amount, available=left)
            if stock is not None:
                taken.append((stock, hold.field, amount if will else -amount))
        for stock, field, amount in taken:
            stock[field] -= amount

    # meters

    def _measure(self, kind: ResourceType, item: Item, moment: float) -> None:
        meter = self.rules.meters.get(kind.name)
        if meter is not None:
            meters.measure(self.data, meter, kind.name, item, self.scope, moment)

    def _deplete(self, moment: float) -> None:
        """What a balance that is used up leads to, once; a timer of no resource sees to it that it is tried again."""
        if self.data["depleted"] or self.balance > 0:
            return
        with restoring.due_again(self.data, [moment, "", ""]), self.all_or_none():
            self.data["depleted"] = True
            for name in self.rules.depletion:
                for item in list(self.collection(name)["items"].values()):
                    self._curtail(self.rules.kinds[name], item, moment)

    def _curtail(self, kind: ResourceType, item: Item, moment: float) -> None:
        """Call a resource to do what becomes of it without credit, in a state that allows it."""
        call = kind.states.calls[self.rules.depletion[kind.name]] if kind.states else None
        if call is not None and item.get("status") in call.sources:
            self._note(kind, item, call.to, moment)
            self._enter(kind, item, call.to, moment)

    # time

    def _open(self) -> None:
        self._touch()
        self.data.update(ledger.opened(self.rules.opening_balance.decimal(self.scope)))
        self.data["currency"] = self.rules.currency(self.scope)
        self.data.update(opened_at=self.now, depleted=False, collections={}, timers=[], intervals=[], running={})
        self._show()
        for name, kind in self.rules.kinds.items():
            if kind.states is not None and kind.seed:
                self.collection(name)
        self.load(self.rules.initial)
        self._deplete(self.now)

    def _advance(self) -> bool:
        """Everything that happened up to now, in its order; whether anything did."""
        timers, intervals, now = self.data["timers"], self.data["intervals"], self.now
        if (not timers or timers[0][0] > now) and (not intervals or intervals[0][0] > now):
            return False
        self._touch()
        while True:
            moment = min(timers[0][0], now) if timers else now
            reached = meters.charge_due(self.data, self.rules.meters, moment)
            self._deplete(reached)
            if reached < moment:
                continue
            if not timers or timers[0][0] > now:
                return True
            self._pass(*heappop(timers))

    def _pass(self, moment: float, name: str, identity: str) -> None:
        """A timed transition, unless the resource went another way meanwhile."""
        kind = self.rules.kinds.get(name)  # a file may know of others; and see `_deplete`
        if kind is None:
            return
        collection = self.collection(name)
        at, state = collection["due"].get(identity, (None, None))
        if at != moment:
            return
        item = collection["items"][identity]
        self._note(kind, item, state, moment)
        curtailed = self.data["depleted"] and name in self.rules.depletion
        with (
            restoring.due_again(self.data, [moment, name, identity]),
            self.all_or_none() if curtailed else nullcontext(),
        ):
            if state is None:
                self.remove(kind, item, moment)
            else:
                self._enter(kind, item, state, moment)
                if curtailed:
                    self._curtail(kind, item, moment)

    def _note(self, kind: ResourceType, item: Item, state: str | None, moment: float) -> None:
        self.events.append({"id": item["id"], "from": item.get("status"), "to": state, "at": moment})
