"""A refusal changes nothing: of several resources, of one and its parts, or of what follows from a deletion.

Of a provider that does not exist: ships have one berth each while they are moored, which is billed, and carry crates.
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from emulator import Emulation

PROVIDER = """\
id: harbour
extends: openai_compatible
spec: harbour.yaml
origin: https://api.harbour.test
sources: {invented: {ref: nowhere, grade: assumed}}
resources:
  berth: {source: invented, id: "b-${hex(6)}", seed: [{id: quay, free: 2}], fields: {}}
  ship:
    source: invented
    id: "${body.name}"
    unique: [flag]
    fields: {flag: "${body.flag}", tons: 100}
    states:
      source: invented
      first: moored
      calls: {sail: {from: moored, to: "off"}, moor: {from: "off", to: moored}}
    holds:
      - {resource: berth, item: quay, field: free, amount: 1, states: [moored], refuse: out_of_stock}
  crate:
    source: invented
    id: "${body.label}"
    unique: [label]
    fields:
      label: "${body.label}"
      ship: "${body.ship}"
      inside: "${body.inside}"
      weight: "${int(has(body.weight) ? body.weight : 0)}"
    references:
      - {field: ship, resource: ship, on_delete: delete}
      - {field: inside, resource: crate, on_delete: delete}
prices:
  source: invented
  currency: "'EUR'"
  opening_balance: 1000
  meters:
    ship:
      source: invented
      every: 1h
      per: 1h
      rates: [{states: moored, price: 1, status: running}]
      id: "bill-${hex(6)}"
      record: {tons: "${item.tons}"}
      sums: [tons]
      completed: ended
operations:
  createShip:
    source: invented
    act:
      resource: ship
      verb: create
      parts:
        crate:
          each: "has(body.crates) ? body.crates : []"
          fields: {label: "${body.label}", ship: "${parent.id}", inside: "${body.inside}"}
    shape: whole
  createFleet: {source: invented, act: {resource: ship, verb: create, each: body.ships}, shape: whole}
  moorShips: {source: invented, act: {resource: ship, verb: call, call: moor, item: body.ids}, shape: whole}
  sailShips:
    source: invented
    act: {resource: ship, verb: call, call: sail, item: body.ids, fields: {flag: "${body.flag}"}}
    shape: whole
  flagShips:
    source: invented
    act: {resource: ship, verb: update, item: body.ids, fields: {flag: "${body.flag}"}}
    shape: whole
  deleteShips: {source: invented, act: {resource: ship, verb: delete, item: body.ids}, shape: whole}
  deleteCrates: {source: invented, act: {resource: crate, verb: delete, item: body.ids}, shape: whole}
  listShips: {source: invented, act: {resource: ship, verb: list}, shape: items}
  listCrates: {source: invented, act: {resource: crate, verb: list}, shape: items}
  listBerths: {source: invented, act: {resource: berth, verb: list}, shape: items}
  listBills: {source: invented, act: {book: ship, verb: list}, shape: bills}
shapes:
  whole: {ok: true}
  items: {items: "${items}"}
  bills: {items: "${items}", totals: "${totals}"}
errors:
  catalog:
    not_found: {status: 404, source: invented, error: {message: "${fact.id}"}}
    out_of_stock: {status: 409, source: invented, error: {message: "no berth"}}
    conflict: {status: 409, source: invented, error: {message: "${fact.field} ${fact.reason}"}}
    illegal_state: {status: 409, source: invented, error: {message: "${fact.state}"}}
"""
SPEC = """\
openapi: 3.1.0
info: {title: Harbour, version: "1"}
servers: [{url: https://api.harbour.test}]
paths:
  /ships:
    get: {operationId: listShips, responses: &read {"200": {description: Done}, "500": &no {description: Error}}}
    post:
      operationId: createShip
      requestBody: &body {content: {application/json: {schema: {type: object}}}}
      responses: &done {"200": {description: Done}, "400": *no, "404": *no, "409": *no, "500": *no}
  /fleets: {post: {operationId: createFleet, requestBody: *body, responses: *done}}
  /moor: {post: {operationId: moorShips, requestBody: *body, responses: *done}}
  /sail: {post: {operationId: sailShips, requestBody: *body, responses: *done}}
  /flag: {post: {operationId: flagShips, requestBody: *body, responses: *done}}
  /scrap: {post: {operationId: deleteShips, requestBody: *body, responses: *done}}
  /empty: {post: {operationId: deleteCrates, requestBody: *body, responses: *done}}
  /crates: {get: {operationId: listCrates, responses: *read}}
  /berths: {get: {operationId: listBerths, responses: *read}}
  /bills: {get: {operationId: listBills, responses: *read}}
"""
READS = ("ships", "crates", "berths", "bills")


class Harbour:
    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def do(self, path: str, **body: Any) -> str:
        """The status and what the error says."""
        reply = self.client.post(path, json=body)
        return f"{reply.status_code} {reply.json().get('error', {}).get('message', '')}".strip()

    def seen(self) -> list[Any]:
        """All that a client can see of the account."""
        return [self.client.get(path).json() for path in READS]


@pytest.fixture
def harbour(invented: Callable[[str, str, str], Emulation]) -> Iterator[Harbour]:
    emulation = invented("harbour", PROVIDER, SPEC)
    emulation.clock.freeze()
    with httpx.Client(base_url=emulation["harbour"].origin) as client:
        yield Harbour(client)


@pytest.mark.parametrize(
    ("path", "body", "refused"),
    [
        ("ships", {"name": "c", "flag": "C", "crates": [{"label": "new"}, {"label": "one"}]}, "409 id taken"),
        ("ships", {"name": "c", "flag": "C", "crates": [{"label": "new"}, {"label": "two", "weight": "heavy"}]}, "500"),
        ("fleets", {"ships": [{"name": "c", "flag": "C"}, {"name": "d", "flag": "A"}]}, "409 flag taken"),
        ("fleets", {"ships": [{"name": "c", "flag": "C"}, {"name": "d", "flag": "D"}]}, "409 no berth"),
        ("sail", {"ids": ["a"], "flag": "B"}, "409 flag taken"),
        ("moor", {"ids": ["b", "a"]}, "409 moored"),
        ("flag", {"ids": ["a", "b"], "flag": "X"}, "409 flag taken"),
    ],
)
def test_what_is_refused_leaves_nothing_behind(harbour: Harbour, path: str, body: Any, refused: str) -> None:
    """Ship a is moored with a crate, ship b sails; so one of the two berths is free."""
    assert harbour.do("ships", name="a", flag="A", crates=[{"label": "one"}]) == "200"
    assert harbour.do("ships", name="b", flag="B") == "200"
    assert harbour.do("sail", ids=["b"], flag="B") == "200"
    before = harbour.seen()
    assert harbour.do(path, **body).startswith(refused)
    assert harbour.seen() == before


def test_of_several_calls_the_last_of_which_finds_no_room(harbour: Harbour) -> None:
    for name in "abc":
        assert harbour.do("ships", name=name, flag=name) == "200"
        assert harbour.do("sail", ids=[name], flag=name) == "200"
    before = harbour.seen()
    assert harbour.do("moor", ids=["a", "b", "c"]) == "409 no berth"
    assert harbour.seen() == before
    assert harbour.do("moor", ids=["a", "b"]) == "200"


def test_what_goes_with_another_goes_once(harbour: Harbour) -> None:
    """Crates in crates of the same ship, and deleted beside the one that they are in."""
    crates = [{"label": "one"}, {"label": "two", "inside": "one"}, {"label": "three", "inside": "two"}]
    for path, ids in (("scrap", ["a"]), ("empty", ["one", "two", "three"])):
        assert harbour.do("ships", name="a", flag="A", crates=crates) == "200"
        assert harbour.do(path, ids=ids) == "200"
        assert harbour.seen()[1] == {"items": []}
        harbour.do("scrap", ids=["a"])
