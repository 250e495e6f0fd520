"""A price that cannot be computed is the provider's own 500 each time, and the account stays as it was.

Of a provider that does not exist: machines take a slot each while they are up, and disks hang on them.
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from emulator import CommandError, Emulation, Handle

PROVIDER = """\
id: mill
extends: openai_compatible
spec: mill.yaml
origin: https://api.mill.test
sources: {invented: {ref: nowhere, grade: assumed}}
resources:
  slot: {source: invented, id: "s-${hex(6)}", seed: [{id: all, free: 3}], fields: {}}
  machine:
    source: invented
    id: "${body.name}"
    unique: [name]
    fields: {name: "${body.name}", building: "${body.building}", up: "${body.up}", idle: "${body.idle}"}
    states:
      source: invented
      first: building
      timed: [{from: building, after: 1m, to: up}, {from: leaving, after: 1m, to: null}]
      calls: {pause: {from: up, to: idle}, delete: {from: [up, idle], to: leaving}}
    holds: [{resource: slot, item: all, field: free, amount: 1, states: [building, up], refuse: out_of_stock}]
  disk:
    source: invented
    id: "${body.name}"
    fields: {name: "${body.name}", machine: "${body.machine}", free: "${body.free}"}
    states: {source: invented, first: used, calls: {detach: {from: used, to: free}}}
    references: [{field: machine, resource: machine, on_delete: clear, call: detach}]
prices:
  source: invented
  currency: "'EUR'"
  opening_balance: 10
  charges: {createReport: [{quantity: body.pages, unit: 1, price: 1}]}
  meters:
    machine: &meter
      source: invented
      every: 1h
      per: 1h
      rates:
        - {states: building, price: item.building, status: running}
        - {states: up, price: item.up, status: running}
        - {states: idle, price: item.idle, status: parked}
      id: "bill-${hex(6)}"
      record: {name: "${item.name}"}
    disk: {<<: *meter, rates: [{states: free, price: item.free, status: running}]}
  depletion: {source: invented, calls: {machine: pause}}
operations:
  createMachine: {source: invented, act: {resource: machine, verb: create}, shape: whole}
  createDisk: {source: invented, act: {resource: disk, verb: create}, shape: whole}
  createReport: {source: invented, facts: {id: "rep-${hex(6)}"}, shape: whole}
  pauseMachine: {source: invented, act: {resource: machine, verb: call, call: pause, item: body.name}, shape: whole}
  changeMachine:
    source: invented
    act: {resource: machine, verb: update, item: body.name, fields: {up: "${body.up}", name: "${body.new}"}}
    shape: whole
  deleteMachine: {source: invented, act: {resource: machine, verb: delete, item: body.name}, shape: whole}
  listMachines: {source: invented, act: {resource: machine, verb: list}, shape: items}
  listDisks: {source: invented, act: {resource: disk, verb: list}, shape: items}
  listSlots: {source: invented, act: {resource: slot, verb: list}, shape: items}
  listBills: {source: invented, act: {book: machine, verb: list}, shape: bills}
  listReports: {source: invented, act: {book: createReport, verb: list}, shape: bills}
shapes:
  whole: {ok: true}
  items: {items: "${items}", account: "${account}"}
  bills: {items: "${items}", totals: "${totals}"}
errors:
  catalog:
    not_found: {status: 404, source: invented, error: {message: "${fact.id}"}}
    out_of_stock: {status: 409, source: invented, error: {message: "no slot"}}
    conflict: {status: 409, source: invented, error: {message: "${fact.field} ${fact.reason}"}}
    illegal_state: {status: 409, source: invented, error: {message: "${fact.state}"}}
    insufficient_credit: {status: 402, source: invented, error: {message: "no credit"}}
"""
SPEC = """\
openapi: 3.1.0
info: {title: Mill, version: "1"}
servers: [{url: https://api.mill.test}]
security: [{bearer: []}]
paths:
  /machines:
    get: {operationId: listMachines, responses: &read {"200": &any {description: ""}, "401": *any, "500": *any}}
    post:
      operationId: createMachine
      requestBody: &body {content: {application/json: {schema: {type: object}}}}
      responses: &done {"200": *any, "400": *any, "401": *any, "402": *any, "404": *any, "409": *any, "500": *any}
  /disks:
    get: {operationId: listDisks, responses: *read}
    post: {operationId: createDisk, requestBody: *body, responses: *done}
  /reports:
    get: {operationId: listReports, responses: *read}
    post: {operationId: createReport, requestBody: *body, responses: *done}
  /pause: {post: {operationId: pauseMachine, requestBody: *body, responses: *done}}
  /change: {post: {operationId: changeMachine, requestBody: *body, responses: *done}}
  /scrap: {post: {operationId: deleteMachine, requestBody: *body, responses: *done}}
  /slots: {get: {operationId: listSlots, responses: *read}}
  /bills: {get: {operationId: listBills, responses: *read}}
"""
READS = ("machines", "disks", "slots", "bills", "reports")
NONE = "nobody knows"
START = 1_700_000_000


class Mill:
    def __init__(self, emulation: Emulation, client: httpx.Client) -> None:
        self.handle, self.clock, self.client = emulation["mill"], emulation.clock, client
        self.clock.freeze(START)

    def do(self, path: str, **body: Any) -> str:
        """The status, and what the emulator has to say."""
        prices = {"building": 0, "up": 1, "idle": 0} if path == "machines" else {}
        reply = self.client.post(path, json=prices | body)
        return f"{reply.status_code} {reply.headers.get('x-emulator-notice', '')}".strip()

    def seen(self, after: int = 0) -> list[Any]:
        """All that a client can see of the account so many seconds after the start."""
        self.clock.freeze(START + after)
        replies = [self.client.get(path) for path in READS]
        return [reply.json() if reply.is_success else reply.headers["x-emulator-notice"] for reply in replies]


@pytest.fixture
def mill(invented: Callable[[str, str, str], Emulation]) -> Iterator[Mill]:
    emulation = invented("mill", PROVIDER, SPEC)
    with httpx.Client(base_url=emulation["mill"].origin, headers=emulation["mill"].headers) as client:
        yield Mill(emulation, client)


def failed(field: str) -> str:
    return f"`item.{field}` gave '{NONE}' where an amount is needed"


def test_what_cannot_begin_is_not_there(mill: Mill) -> None:
    before = mill.seen()
    for _ in range(2):
        assert mill.do("machines", name="a", building=NONE) == f"500 {failed('building')}"
        assert mill.seen() == before
    assert mill.do("machines", name="a") == "200"


def test_a_call_that_cannot_be_billed_is_not_made(mill: Mill) -> None:
    assert mill.do("machines", name="a", idle=NONE) == "200"
    before = mill.seen(60)
    for _ in range(2):
        assert mill.do("pause", name="a") == f"500 {failed('idle')}"
        assert mill.seen(60) == before
    assert mill.seen(3660)[0]["account"]["spent"] == "1.0000000000"


def test_a_change_that_cannot_be_billed_is_not_made(mill: Mill) -> None:
    assert mill.do("machines", name="a") == "200"
    before = mill.seen(60)
    for _ in range(2):
        assert mill.do("change", name="a", up=NONE, new="b") == f"500 {failed('up')}"
        assert mill.seen(60) == before
    assert mill.do("machines", name="b") == "200"


def test_a_timed_change_that_cannot_be_billed_is_still_to_come(mill: Mill) -> None:
    assert mill.do("machines", name="a", up=NONE) == "200"
    before = mill.seen(59)
    for _ in range(2):
        assert mill.seen(60) == [failed("up")] * len(READS)
        assert mill.do("machines", name="b") == f"500 {failed('up')}"
    assert mill.seen(59) == before


@pytest.mark.parametrize(
    "command", [lambda handle: handle.top_up(5), lambda handle: handle.load({"slot": [{"id": "more"}]})]
)
def test_who_pays_or_loads_is_told_of_it(mill: Mill, command: Callable[[Handle], object]) -> None:
    assert mill.do("machines", name="a", up=NONE) == "200"
    mill.clock.advance("60s")
    with pytest.raises(CommandError, match=r"^the account cannot be brought up to now: `item[.]up`"):
        command(mill.handle)


def test_what_no_sum_can_take_is_not_billed(invented: Callable[[str, str, str], Emulation]) -> None:
    emulation = invented("mill", PROVIDER.replace("rates:", "sums: [name]\n      rates:", 1), SPEC)
    with httpx.Client(base_url=emulation["mill"].origin, headers=emulation["mill"].headers) as client:
        mill = Mill(emulation, client)
        before = mill.seen()
        assert mill.do("machines", name="a") == "500 machine: `name` is 'a', of which there is no sum"
        assert mill.seen() == before


def test_what_came_before_the_change_that_failed_has_happened(mill: Mill) -> None:
    assert mill.do("machines", name="a") == "200"
    mill.seen(30)
    assert mill.do("machines", name="b", up=NONE) == "200"
    assert mill.seen(4000) == [failed("up")] * len(READS)
    machines, *_ = mill.seen(89)
    assert [item["status"] for item in machines["items"]] == ["up", "building"]


def test_what_a_deletion_frees_and_nobody_can_bill_stays(mill: Mill) -> None:
    """The disk is detached when the machine is gone, a minute after its deletion began."""
    assert mill.do("machines", name="a") == "200"
    assert mill.do("disks", name="d", machine="a", free=NONE) == "200"
    mill.seen(60)
    assert mill.do("scrap", name="a") == "200"
    before = mill.seen(119)
    for _ in range(2):
        assert mill.seen(120) == [failed("free")] * len(READS)
    assert mill.seen(119) == before


def test_a_used_up_balance_whose_consequence_cannot_be_billed(mill: Mill) -> None:
    assert mill.do("machines", name="a", up=5, idle=NONE) == "200"
    before = mill.seen(7259)
    for _ in range(2):
        assert mill.seen(7260) == [failed("idle")] * len(READS)
    assert before[0]["account"]["balance"] == "5.0000000000"


def test_a_charge_whose_consequence_cannot_be_billed_is_none(mill: Mill) -> None:
    assert mill.do("machines", name="a", idle=NONE) == "200"
    before = mill.seen(60)
    for _ in range(2):
        assert mill.do("reports", pages=50) == f"500 {failed('idle')}"
        assert mill.seen(60) == before
    assert mill.do("reports", pages=5) == "200"
