"""The engine behind accounts: what happens does not depend on who looks, or how often."""

import json
import math
from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.mechanisms import ledger
from emulator.mechanisms.account_rules import AccountRules
from emulator.mechanisms.accounts import Account
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import Expression, ExpressionError, Scope
from emulator.mechanisms.meters import Meter, Rate
from emulator.mechanisms.resources import Conflict, Fields, Hold, Item, Reference, ResourceType
from emulator.mechanisms.states import Call, StateMachine, Timed
from emulator.mechanisms.store import SQLiteStore
from emulator.mechanisms.templates import Template

VARIABLES = ("account", "body", "item", "opening")
START = 1_764_547_200.25
STOCK = 5


def expression(source: str | float) -> Expression:
    return Expression(source, VARIABLES)


def template(tree: Any) -> Template:
    return Template(tree, VARIABLES)


def kind(name: str, fields: dict[str, Any], **more: Any) -> ResourceType:
    nothing: dict[str, Any] = {"changes": Fields({}), "unique": (), "most": None, "references": (), "states": None}
    nothing |= {"indexed": (), "holds": (), "seed": (), "seed_when": None}
    computed = {field: template(tree) for field, tree in fields.items()}
    return ResourceType(**{**nothing, "name": name, "id": template("${body.id}"), "fields": Fields(computed), **more})


def meter(book: str, every: float, *rates: tuple[Iterable[str], str | float, str | float]) -> Meter:
    found = tuple(
        Rate(frozenset(states), expression(price), expression(quantity), Decimal(3), "active")
        for states, price, quantity in rates
    )
    return Meter(book, every, 3600, found, template("${item.id}-bill"), {}, (), "completed")


# A machine boots, runs, and halts when it is called to or the money is used up; a disk may hang on one, and can grow;
# a lease ends by itself, or with its machine.
RULES = AccountRules(
    owner=expression("'one'"),
    opening_balance=expression("opening"),
    currency=expression("'USD'"),
    kinds={
        "stock": kind("stock", {}, seed=({"id": "rack", "left": STOCK},)),
        "machine": kind(
            "machine",
            {"price": "${body.price}"},
            states=StateMachine(
                "BOOTING",
                {
                    "BOOTING": (Timed(20, "RUNNING", None),),
                    "HALTING": (Timed(10, "HALTED", None),),
                    "ENDING": (Timed(45, None, None),),
                },
                {
                    "halt": Call(("RUNNING",), "HALTING"),
                    "wake": Call(("HALTED",), "BOOTING"),
                    "delete": Call(("RUNNING", "HALTED"), "ENDING"),
                },
            ),
            holds=(
                Hold(
                    "stock",
                    template("rack"),
                    "left",
                    expression(1),
                    frozenset({"BOOTING", "RUNNING", "HALTING"}),
                    "out_of_stock",
                ),
            ),
        ),
        "disk": kind(
            "disk",
            {"size": "${body.size}", "machine": None},
            references=(Reference("machine", "machine", "clear", "detach"),),
            states=StateMachine("free", {}, {"attach": Call(("free",), "in-use"), "detach": Call(("in-use",), "free")}),
        ),
        "lease": kind(
            "lease",
            {"machine": "${body.machine}"},
            references=(Reference("machine", "machine", "delete", None),),
            states=StateMachine("held", {"held": (Timed(500, None, None),)}, {}),
        ),
    },
    meters={
        "machine": meter("machine", 60, (["RUNNING"], "item.price", 1), (["HALTED"], 0.07, 1)),
        "disk": meter("disk", 90, (["free", "in-use"], 0.5, "item.size")),
    },
    depletion={"machine": "halt"},
    initial={},
)


class Life:
    """An account's data, and all that ever happened to it."""

    def __init__(self, opening: str, data: dict[str, Any] | None = None, rules: AccountRules = RULES) -> None:
        self.opening = opening
        self.rules = rules
        self.data: dict[str, Any] = data if data is not None else {}
        self.events: list[dict[str, Any]] = []
        self.written = False
        """Whether it was said that the data have changed, for a store to keep them."""

    def at(self, moment: float, body: Any = None) -> Account:
        """The account as a request at a moment finds it."""
        scope = Scope(Entropy(moment), {"body": body, "opening": self.opening})
        account = Account(self.rules, self.data, scope, moment, self._write)
        self.events += account.events
        return account

    def _write(self) -> None:
        self.written = True

    def entries(self, book: str) -> list[dict[str, Any]]:
        return list(ledger.entries(self.data, book).values())

    def conserved(self) -> None:
        """Money and stock are all there."""
        spent = sum((Decimal(e["amount"]) for book in self.data["books"] for e in self.entries(book)), Decimal(0))
        assert Decimal(self.opening) + Decimal(self.data["paid_in"]) - spent == Decimal(self.data["balance"])
        assert Decimal(self.data["spent"]) == spent
        collections = self.data["collections"]
        held = [m for m in collections.get("machine", {"items": {}})["items"].values() if m["status"] in HOLDING]
        left = collections["stock"]["items"]["rack"]["left"] if "stock" in collections else STOCK
        assert left + len(held) == STOCK
        assert left >= 0


HOLDING = RULES.kinds["machine"].holds[0].states


def replaced(rules: AccountRules, **others: Any) -> AccountRules:
    return AccountRules(**{name: others.get(name, getattr(rules, name)) for name in AccountRules.__annotations__})


Step = tuple[str, int, int]
NUMBERS = st.integers(0, 3)
ACTS = ["make", "make", "halt", "wake", "end", "disk", "grow", "attach", "lease", "talk", "pay"]
STEPS = st.tuples(st.sampled_from(ACTS), NUMBERS, NUMBERS)
WHOLE = [0, 10, 20, 45, 60, 90, 500, 3600]
ALMOST = [19.999999, 59.999999, 60.000001, 99.999999, 119.999999, 179.999999]  # by the clock's own step
GAPS = st.one_of(st.sampled_from([*WHOLE, *ALMOST]), st.integers(0, 200_000).map(lambda n: n / 8))
PLANS = st.lists(st.tuples(GAPS, STEPS), min_size=1, max_size=12)
LOOKS = st.lists(st.integers(0, 1000), max_size=4)
OPENINGS = st.sampled_from(["0", "0.01", "0.4", "3.3333", "1000"])


def create(account: Account, kind: ResourceType, state: str | None = None) -> Item:
    item = account.draft(kind, kind.fields, state)
    account.add(kind, item)
    return item


def act(account: Account, step: Step) -> None:
    """One thing that a client may do. Raises Conflict."""
    name, one, other = step
    machine, disk = account.find("machine", f"m{one}"), account.find("disk", f"d{one}")
    kinds = RULES.kinds
    if name == "make" and machine is None:
        create(account, kinds["machine"])
    elif name == "disk" and disk is None:
        create(account, kinds["disk"])
    elif name == "lease" and account.find("machine", f"m{other}") and account.find("lease", f"l{one}") is None:
        create(account, kinds["lease"])
    elif name in ("halt", "wake") and machine:
        account.call(kinds["machine"], machine, name)
    elif name == "end" and machine:
        account.delete(kinds["machine"], machine)
    elif name == "grow" and disk:
        account.update(kinds["disk"], disk, Fields({"size": template("${body.size}")}))
    elif name == "attach" and disk and account.find("machine", f"m{other}"):
        account.call(kinds["disk"], disk, "attach")
        account.update(kinds["disk"], disk, Fields({"machine": template("${body.machine}")}))
    elif name == "talk":
        account.charge("talk", Decimal("0.0123"), {"usage": {"words": one}})
    elif name == "pay":
        account.pay_in(Decimal(one))


def body(step: Step) -> dict[str, Any]:
    """What the fields of a new resource are computed from."""
    name, one, other = step
    initial = {"make": "m", "disk": "d", "lease": "l"}.get(name, "")
    return {"id": f"{initial}{one}", "price": f"{one}.7", "size": 100 * (other + 1), "machine": f"m{other}"}


def lived(opening: str, plan: list[tuple[float, Step]], looks: list[int], keep: Any = lambda life: None) -> Life:
    """A life after a plan, and an hour more, somebody looking at each of some thousandths of each gap."""
    life, moment = Life(opening), START
    life.at(START)  # which opens the account
    for gap, step in [*plan, (3600.0, ("look", 0, 0))]:
        for part in sorted(looks):
            life.at(moment + gap * part / 1000)
        moment += gap
        with suppress(Conflict):
            act(life.at(moment, body(step)), step)
        life.conserved()
        keep(life)
    return life


def told(life: Life) -> dict[str, Any]:
    """Everything but when the next interval is due and what became of timers, which nobody sees."""
    return {name: value for name, value in life.data.items() if name not in ("timers", "intervals")}


@given(OPENINGS, PLANS, LOOKS)
def test_looking_more_often_changes_nothing(opening: str, plan: list[tuple[float, Step]], looks: list[int]) -> None:
    once, often = lived(opening, plan, []), lived(opening, plan, looks)
    assert often.events == once.events
    assert told(often) == told(once)


@given(OPENINGS, PLANS)
def test_the_data_are_json(opening: str, plan: list[tuple[float, Step]]) -> None:
    def written(life: Life) -> None:
        life.data = json.loads(json.dumps(life.data))

    once, kept = lived(opening, plan, []), lived(opening, plan, [], written)
    assert (kept.data, kept.events) == (once.data, once.events)


@given(OPENINGS, PLANS, st.integers(0, 11))
def test_a_restart_changes_nothing(opening: str, plan: list[tuple[float, Step]], at: int) -> None:
    steps = iter(range(len(plan) + 1))

    def restarted(life: Life) -> None:
        if next(steps) == at:
            with TemporaryDirectory() as folder:
                life.data = through_a_file(Path(folder) / "state", life.data)

    once, kept = lived(opening, plan, []), lived(opening, plan, [], restarted)
    assert (kept.data, kept.events) == (once.data, once.events)


def through_a_file(path: Path, data: dict[str, Any]) -> dict[str, Any]:
    """Data as a store finds them that is opened again."""
    store = SQLiteStore(path)
    store.tenant("one").cell("accounts", "one", dict).update(data)
    store.commit(store.tenant("one"))
    store.close()
    again = SQLiteStore(path)
    found: dict[str, Any] = again.tenant("one").cell("accounts", "one", dict)
    again.close()
    return found


@given(st.integers(0, 10_000), LOOKS, st.sampled_from(["0.7", "2.49", "1"]))
def test_whole_intervals_are_charged(eighths: int, looks: list[int], price: str) -> None:
    life, seconds = Life("1000"), eighths / 8
    machine = RULES.kinds["machine"]
    create(life.at(START, {"id": "m", "price": price}), machine, "RUNNING")
    for part in sorted(looks):
        life.at(START + seconds * part / 1000)
    account = life.at(START + seconds)
    account.call(machine, account.collection("machine")["items"]["m"], "halt")
    life.at(START + seconds + 5)
    (entry,) = life.entries("machine")
    minutes = int(seconds // 60)
    assert (entry["minutes"], entry["since"], entry["until"]) == (minutes, START, START + seconds)
    assert Decimal(entry["amount"]) == tenth_of_a_billionth(Fraction(price) / 3 * minutes / 60)
    assert entry["status"] == "completed"
    life.conserved()


@given(
    st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["0.7", "2.49", "61"])), min_size=1, max_size=STOCK),
    st.integers(1, 5000).map(lambda n: Decimal(n) / 1000),
    LOOKS,
)
def test_a_balance_is_used_up_at_the_end_of_an_interval(
    machines: list[tuple[int, str]], opening: Decimal, looks: list[int]
) -> None:
    life, machine = Life(str(opening)), RULES.kinds["machine"]
    begun = sorted(machines)
    empty = used_up(begun, opening)
    begun = [(since, price) for since, price in begun if since < empty]  # the others would begin without money
    for number, (since, price) in enumerate(begun):
        account = life.at(START + since, {"id": f"m{number}", "price": price})
        create(account, machine, "RUNNING")
    for part in sorted(looks):
        life.at(START + 400 + empty * part / 1000)
    life.at(START + 400 + empty)
    halted = [event for event in life.events if event["to"] == "HALTING"]
    assert [event["at"] for event in halted] == [START + empty] * len(begun)
    entries = [entry for entry in life.entries("machine") if entry["rate"] != str(Decimal("0.07") / 3)]
    assert [entry["until"] for entry in entries] == [START + empty] * len(begun)
    assert [Decimal(entry["amount"]) for entry in entries] == [cost(empty - since, price) for since, price in begun]
    life.conserved()


def used_up(machines: list[tuple[int, str]], balance: Decimal) -> int:
    """The first second at which the whole minutes of machines cost the balance: one by one."""
    ends = sorted({since + 60 * n for since, _ in machines for n in range(1, 60 * 30)})
    return next(end for end in ends if sum(cost(end - since, price) for since, price in machines) >= balance)


def cost(seconds: int, price: str) -> Decimal:
    return tenth_of_a_billionth(Fraction(price) / 3 * max(seconds // 60, 0) / 60)


def tenth_of_a_billionth(amount: Fraction) -> Decimal:
    return Decimal(round(amount * 10**10)).scaleb(-10)


@given(st.lists(st.tuples(st.integers(0, 1000), st.sampled_from([100, 200, 300])), max_size=6), LOOKS)
def test_another_price_is_another_entry(changes: list[tuple[int, int]], looks: list[int]) -> None:
    life, disk = Life("1000"), RULES.kinds["disk"]
    create(life.at(START, {"id": "d", "size": 100}), disk)
    moment, periods = START, [(START, 100)]
    for gap, size in changes:
        for part in sorted(looks):
            life.at(moment + gap * part / 1000)
        moment += gap
        account = life.at(moment, {"size": size})
        account.update(disk, account.collection("disk")["items"]["d"], Fields({"size": template("${body.size}")}))
        periods += [(moment, size)] if size != periods[-1][1] else []
    life.at(moment + 100)
    ends: list[float | None] = [*(since for since, _ in periods[1:]), None]
    entries = life.entries("disk")
    assert [(entry["since"], entry["until"]) for entry in entries] == [
        (since, end) for (since, _), end in zip(periods, ends, strict=True)
    ]
    for entry, (since, size), end in zip(entries, periods, ends, strict=True):
        intervals = int(((end or moment + 100) - since) // 90)
        assert entry["intervals"] == intervals
        assert Decimal(entry["amount"]) == tenth_of_a_billionth(Fraction(size, 6) * 90 * intervals / 3600)
    statuses = ledger.totals(life.data, "disk")["statuses"]
    assert (statuses["active"], statuses.get("completed", 0)) == (1, len(entries) - 1)
    life.conserved()


def test_what_an_account_has_of_kinds_that_are_gone_rests() -> None:
    """A kept account may be of data that changed since."""
    life, kinds = Life("1000"), RULES.kinds
    for name, price in (("machine", "1"), ("lease", ""), ("disk", "")):
        given = {"id": name[0], "price": price, "size": 5, "machine": "m"}
        create(life.at(START, given), kinds[name])
    left = {name: kind for name, kind in kinds.items() if name not in ("lease", "disk")}
    fewer = AccountRules(
        RULES.owner, RULES.opening_balance, RULES.currency, left, {"machine": RULES.meters["machine"]}, {}, {}
    )
    account = Account(fewer, life.data, Scope(Entropy(0), {"opening": "1000"}), START + 1020)
    assert account.balance == 1000 - cost(1000, "1")


def test_what_was_there_before_its_kind_had_the_field_or_the_states() -> None:
    life = Life("1000")
    plain = kind("disk", {"size": "${body.size}"})
    before = AccountRules(RULES.owner, RULES.opening_balance, RULES.currency, {"disk": plain}, {}, {}, {})
    account = Account(before, life.data, Scope(Entropy(0), {"opening": "9", "body": {"id": "d", "size": 5}}), START)
    create(account, plain)
    states = StateMachine("NEW", {}, {"wake": Call(("NEW",), "AWAKE")})
    since = kind("disk", {"label": "${body.label}"}, unique=("label",), indexed=("label",), states=states)
    after = AccountRules(RULES.owner, RULES.opening_balance, RULES.currency, {"disk": since}, {}, {}, {})
    account = Account(after, life.data, Scope(Entropy(0), {"opening": "9", "body": {"label": "x"}}), START)
    disk = account.find("disk", "d")
    assert disk is not None
    with pytest.raises(Conflict, match="illegal_state"):
        account.call(since, disk, "wake")
    account.update(since, disk, since.fields)
    assert account.find("disk", "x", by="label") is disk
    account.delete(since, disk)
    assert account.find("disk", "d") is None


def test_a_unique_field_without_a_value_is_no_value_that_others_cannot_have() -> None:
    life, keyed = Life("1"), kind("disk", {"key": "${body.key}"}, unique=("key",))
    rules = AccountRules(RULES.owner, RULES.opening_balance, RULES.currency, {"disk": keyed}, {}, {}, {})

    def made(name: str, key: str | None) -> Item:
        scope = Scope(Entropy(0), {"opening": "1", "body": {"id": name, "key": key}})
        return create(Account(rules, life.data, scope, START), keyed)

    for name, key in (("a", None), ("b", None), ("c", "None"), ("d", "x")):
        made(name, key)
    with pytest.raises(Conflict) as caught:
        made("e", "x")
    assert caught.value.facts["by"] == "d"


def test_an_id_that_is_always_the_same_is_taken_and_no_endless_search() -> None:
    life, machines = Life("1000"), RULES.kinds["machine"]
    given = {"id": "m1", "price": "1"}
    create(life.at(START, given), machines)
    with pytest.raises(Conflict) as caught:
        create(life.at(START, given), machines)
    assert caught.value.facts["field"] == "id"


@pytest.mark.parametrize(
    ("name", "wait"),
    [(name, 0) for name in ("make", "halt", "end", "disk", "grow", "attach", "lease", "talk", "pay", "look", "remove")]
    + [("time", wait) for wait in (10, 70, 600)],
)
def test_every_change_is_one_that_a_store_is_told_of(name: str, wait: float) -> None:
    """The first look at a kind is one, too; ten seconds in which no interval ends are none."""
    life = Life("1000")
    life.at(START)
    assert life.written
    for made in (("make", 1, 1), ("disk", 1, 1)):
        act(life.at(START, body(made)), made)
    account = life.at(START + 20)
    if name != "look":
        account.collection("lease")
    kept, life.written = json.dumps(life.data), False
    step = (name, 2 if name in ("make", "disk") else 1, 1)
    account = life.at(START + 20 + wait, {**body(step), "size": 700})
    act(account, step)
    if name == "look":
        account.collection("lease")
    if name == "remove":
        account.delete(RULES.kinds["disk"], account.collection("disk")["items"]["d1"])
    assert life.written is (json.dumps(life.data) != kept) is (wait != 10)


@given(st.lists(st.sampled_from([0.1, 0.3, 0.7, 1.1]), min_size=1, max_size=8), st.integers(0, 999_999))
def test_what_follows_by_time_comes_at_the_clocks_own_microsecond(waits: list[float], fraction: int) -> None:
    """No dust of binary fractions makes it a moment later, however many states there are on the way."""
    timed = {str(n): (Timed(wait, str(n + 1), None),) for n, wait in enumerate(waits)}
    lamp = kind("lamp", {}, states=StateMachine("0", timed, {}))
    life = Life("1", rules=replaced(RULES, kinds={"lamp": lamp}, meters={}, depletion={}))
    begin = 1_764_547_200_000_000 + fraction
    made = create(life.at(begin / 1e6, {"id": "l1"}), lamp)
    for number, wait in enumerate(waits):
        begin += round(wait * 1e6)
        life.at((begin - 1) / 1e6)
        assert made["status"] == str(number)
        life.at(begin / 1e6)
        assert made["status"] == str(number + 1)


@pytest.mark.parametrize("paid", ["0.25", "3"])
def test_money_that_was_paid_in_can_be_used_up_again(paid: str) -> None:
    life, machine = Life("0.01"), RULES.kinds["machine"]
    item = create(life.at(START, {"id": "m1", "price": "9"}), machine, "RUNNING")  # 0.05 a minute
    account = life.at(START + 3600)
    assert (item["status"], account.balance <= 0) == ("HALTED", True)
    left = account.pay_in(Decimal(paid))
    assert left > 0
    account.call(machine, item, "wake")
    minutes = math.ceil(left / Decimal("0.05"))
    life.at(START + 3620 + minutes * 60 - 1)
    assert item["status"] == "RUNNING"
    life.at(START + 3620 + minutes * 60)
    assert item["status"] == "HALTING"


def test_who_pays_what_is_owed_and_no_more_is_still_without_credit() -> None:
    life, machine = Life("0.01"), RULES.kinds["machine"]
    item = create(life.at(START, {"id": "m1", "price": "9"}), machine, "RUNNING")
    account = life.at(START + 60)
    account.charge("talk", Decimal(5), {})
    account = life.at(START + 100)
    account.pay_in(-account.balance)
    account.call(machine, item, "wake")
    life.at(START + 120)
    assert item["status"] == "HALTING", "it is not served a whole minute for nothing"


def test_nothing_is_charged_ahead_for_what_is_still_to_come() -> None:
    life = Life("1000")
    create(life.at(START, {"id": "m1", "price": "1"}), RULES.kinds["machine"], "RUNNING")
    create(life.at(START, {"id": "l1", "machine": "m1"}), RULES.kinds["lease"])  # it ends at 500 seconds
    for minute in range(1, 8):
        life.at(START + 60 * minute)
        assert [entry["minutes"] for entry in life.entries("machine")] == [minute]


def test_what_is_removed_costs_no_more_from_that_moment_on() -> None:
    life, disk = Life("1000"), RULES.kinds["disk"]
    item = create(life.at(START, {"id": "d1", "size": 100}), disk)
    life.at(START + 100).delete(disk, item)
    life.at(START + 86400)
    (entry,) = life.entries("disk")
    assert (entry["until"], entry["intervals"], entry["status"]) == (START + 100, 1, "completed")


def test_what_an_account_without_money_begins_with_is_called_at_once() -> None:
    running = {"machine": ({"id": "m1", "price": 1, "status": "RUNNING"},)}
    account = Life("0", rules=replaced(RULES, initial=running)).at(START)
    assert account.collection("machine")["items"]["m1"]["status"] == "HALTING"


def test_an_account_that_cannot_be_opened_is_none_and_says_so_each_time() -> None:
    twice = {"machine": ({"id": "m1", "price": 1}, {"id": "m1", "price": 1})}
    life = Life("1000", rules=replaced(RULES, initial=twice))
    for moment in (START, START + 60):
        with pytest.raises((ExpressionError, Conflict), match="conflict"):
            life.at(moment)
        assert life.data == {}


def test_what_an_account_begins_with_leaves_the_request_as_it_was() -> None:
    life = Life("1000", rules=replaced(RULES, initial={"machine": ({"id": "m1", "price": 1},)}))
    account = life.at(START, {"id": "m2", "price": "3"})
    assert create(account, RULES.kinds["machine"])["price"] == "3"
    assert sorted(account.collection("machine")["items"]) == ["m1", "m2"]


def test_an_id_that_somebody_has_is_drawn_anew() -> None:
    ticket = kind("ticket", {}, id=template("${digits(1)}"))
    life = Life("1", rules=replaced(RULES, kinds={"ticket": ticket}, meters={}, depletion={}))
    made = [create(life.at(START + n), ticket)["id"] for n in range(9)]
    assert len({*made}) == 9


def test_a_unique_field_that_is_a_number_is_found_by_it() -> None:
    port = kind("port", {"number": "${body.number}"}, unique=("number",))
    life = Life("1", rules=replaced(RULES, kinds={"port": port}, meters={}, depletion={}))
    made = create(life.at(START, {"id": "p1", "number": 443}), port)
    assert [life.at(START).find("port", number, "number") for number in (443, 80)] == [made, None]


def test_a_reference_that_is_cleared_makes_no_call_that_the_state_forbids() -> None:
    machine, free = kind("machine", {}), Reference("machine", "machine", "clear", "detach")
    states = StateMachine("in-use", {}, {"lock": Call(("in-use",), "locked"), "detach": Call(("in-use",), "free")})
    disk = kind("disk", {"machine": "${body.machine}"}, references=(free,), states=states)
    life = Life("1", rules=replaced(RULES, kinds={"machine": machine, "disk": disk}, meters={}, depletion={}))
    owner = create(life.at(START, {"id": "m1"}), machine)
    disks = [create(life.at(START, {"id": name, "machine": "m1"}), disk) for name in ("d1", "d2")]
    account = life.at(START)
    account.call(disk, disks[1], "lock")
    account.delete(machine, owner)
    assert [(item["machine"], item["status"]) for item in disks] == [(None, "free"), (None, "locked")]


def test_expressions_see_the_money_after_a_charge() -> None:
    account = Life("3").at(START)
    account.charge("talk", Decimal("0.5"), {})
    assert account.scope["account"] == {"balance": "2.5", "paid_in": "0", "spent": "0.5", "currency": "USD"}


def test_what_happened_meanwhile_is_no_item_of_the_request() -> None:
    life = Life("1000")
    create(life.at(START, {"id": "m1", "price": "1"}), RULES.kinds["machine"])
    account = life.at(START + 20)
    assert [event["to"] for event in account.events] == ["RUNNING"]
    assert account.scope["item"] is None


def test_a_charge_that_uses_the_money_up_leaves_the_expressions_where_they_were() -> None:
    life, machines = Life("1"), RULES.kinds["machine"]
    account = life.at(START, {"id": "m1", "price": "1"})
    machine = create(account, machines)
    account = life.at(START + 20, {})
    account.scope["item"] = {"id": "asked for"}
    account.charge("talk", Decimal(2), {})
    assert (machine["status"], account.scope["item"]) == ("HALTING", {"id": "asked for"})
