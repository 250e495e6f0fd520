"""`emulator check` on what accounts own: one line of a sound cloud is broken, and the finding says where and what.

The cloud is that of `tests/cloud/`.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from emulator import catalog

from .conftest import Run

CLOUD = Path(__file__).parents[1] / "cloud/data"
IDS = "id, created_at"


class Broken(NamedTuple):
    """What is replaced in a file, and what is said of the line that holds the replacement, or of `at`."""

    section: str
    right: str
    wrong: str
    told: str
    at: str = ""


def _resources(right: str, wrong: str, told: str, at: str = "") -> Broken:
    return Broken("resources", right, wrong, f"resources.{told}", at)


def _prices(right: str, wrong: str, told: str, at: str = "") -> Broken:
    return Broken("prices", right, wrong, f"prices.{told}", at)


def _operations(right: str, wrong: str, told: str, at: str = "") -> Broken:
    return Broken("operations", right, wrong, f"operations.{told}", at)


KINDS = "there are plan, rack, tag, server, disk, address"
SERVER = "there are provisioning, failed, running, resuming, removing, paused"
DISK = "there are formatting, copying, free, wiping, attached"
SERVER_FIELDS = "name, site, plan, tags, hourly"
FIELDS = f"there are {SERVER_FIELDS}"
HELD = "resources.server.holds[0]"
NO_STOCK = "and nobody could be refused the stock"
RACK = "{field: free, states: [running]}"

BROKEN = {
    # fields and references
    "unique field": _resources(
        "unique: [name]\n    references",
        "unique: [title]\n    references",
        f'server.unique: "title" does not exist; {FIELDS}',
    ),
    "changed field": _resources(
        'tags: "${first(body.tags',
        'labels: "${first(body.tags',
        f'server.changes.labels: "labels" does not exist; {FIELDS}',
    ),
    "indexed field": _resources(
        'changes: {gb: "${body.gb}"}\n    states:\n      source: invented\n      first: [formatting',
        "indexed: [size]\n    states:\n      source: invented\n      first: [formatting",
        'disk.indexed: "size" does not exist; there are gb, server',
    ),
    "reference to no resource": _resources(
        "resource: tag,", "resource: label,", f'server.references[0].resource: "label" does not exist; {KINDS}'
    ),
    "reference by no field": _resources(
        "{field: tags,", "{field: labels,", f'server.references[0].field: "labels" does not exist; {FIELDS}'
    ),
    "reference with no call": _resources(
        "call: detach}",
        "call: eject}",
        'disk.references[0].call: "eject" does not exist; there are attach, detach, delete',
    ),
    "reference whose call is not made": _resources(
        "on_delete: clear, call",
        "on_delete: delete, call",
        "disk.references[0].call: is made by `on_delete: clear` only",
    ),
    "reference without a rule": _resources(
        "resource: tag, on_delete: refuse", "resource: tag", "server.references[0].on_delete: is missing"
    ),
    "unknown rule": _resources(
        "on_delete: refuse",
        "on_delete: keep",
        "server.references[0].on_delete: \"keep\" is not known; use 'refuse', 'clear' or 'delete'",
    ),
    # seeds
    "seed without a state": _resources(", status: running}", "}", "server.seed[0]: needs `status`", "{id: srv-000001"),
    "seed without an id": _resources("{id: oslo/large, free", "{free", "rack.seed[1]: needs `id`", "{free: 1}"),
    "seed without a unique field": _resources(
        "tag-000001, name: web", "tag-000001", "tag.seed[0]: needs `name`", "seed: [{id: tag"
    ),
    "seed in no state": _resources(
        ", status: running}", ", status: up}", f'server.seed[0].status: "up" does not exist; {SERVER}'
    ),
    "seed twice": _resources(
        "{id: large,", "{id: small,", 'plan.seed[1].id: "small" is used twice', "{id: small, cores: 8"
    ),
    "stock that is no number": _resources(
        "{id: oslo/small, free: 3}",
        "{id: oslo/small, free: many}",
        "rack.seed[0].free: 'many' is no stock: a whole number, zero or more",
    ),
    "stock of nothing": _resources(
        "{id: oslo/small, free: 3}",
        "{id: oslo/small}",
        "rack.seed[0].free: None is no stock: a whole number, zero or more",
    ),
    "seed whose id is no text": _resources("{id: srv-000001,", "{id: 5,", "server.seed[0].id: 5 is no text"),
    "seed that refers to nothing": _resources(
        "tags: [tag-000001]",
        "tags: [tag-000009]",
        'server.seed[0].tags: "tag-000009" does not exist; there are tag-000001, tag-000002',
    ),
    "seeds of one name": _resources(
        "name: spare}", "name: web}", 'tag.seed[1].name: "web" is used twice', "seed: [{id: tag"
    ),
    "more seeds than there may be": _resources(
        "    most: 3", "    most: 1", "tag.seed: has 2 items, and there may be 1", "seed: [{id: tag"
    ),
    "an id that is no text": _resources('id: "srv-${hex(6)}"', 'id: "${int(digits(6))}"', "server.id: gives "),
    "seed that refers to no id": _resources(
        "tags: [tag-000001]", "tags: [[]]", "server.seed[0].tags: [[]] is neither an id nor a list of ids"
    ),
    "sum that is no number": _resources(
        "dsk-000001, gb: 100,",
        "dsk-000001, gb: true,",
        "disk.seed[0].gb: True is no number, and a meter sums it up",
    ),
    # states
    "state nothing leads to": _resources(
        "{from: removing,", "{from: melting,", "server.states.timed[3].from: no transition leads to melting"
    ),
    "call from a state nothing leads to": _resources(
        "pause: {from: running,",
        "pause: {from: melting,",
        "server.states.calls.pause.from: no transition leads to melting",
    ),
    "time that goes round": _resources(
        "after: 10s, to: null",
        "after: 10s, to: removing",
        "server.states.timed[3]: time alone leads from removing back to it, for ever",
    ),
    "a way that never comes": _resources(
        ", when: \"item.name.startsWith('broken')\"",
        "",
        "server.states.timed[1]: never comes: the way from provisioning above it has no `when:`",
        "after: 1m",
    ),
    "a way at once": _resources("after: 30s,", "after: 0s,", "server.states.timed[0].after: 0.0: must be above 0"),
    "no first state": _resources(
        "first: provisioning",
        "first: []",
        "server.states.first: []: must have at least 1 item",
    ),
    # stocks
    "hold of no resource": _resources(
        "- resource: rack", "- resource: shelf", f'server.holds[0].resource: "shelf" does not exist; {KINDS}'
    ),
    "hold of no field": _resources(
        "field: free", "field: left", f'server.holds[0].field: "left" does not exist; there are {IDS}, free'
    ),
    "hold in no state": _resources(
        "states: [provisioning, running, resuming]",
        "states: [provisioning, running, resuming, up]",
        f'server.holds[0].states: "up" does not exist; {SERVER}',
    ),
    "hold that time makes": _resources(
        "states: [provisioning, running, resuming]",
        "states: [provisioning, running]",
        f"server.holds[0].states: resuming -> running comes by time, {NO_STOCK}",
    ),
    "hold that a used-up balance makes": _resources(
        "pause: {from: running, to: paused}",
        "pause: {from: paused, to: running}",
        f"server.holds[0].states: paused -> running comes with a used-up balance, {NO_STOCK}",
        "states: [provisioning, running, resuming]",
    ),
    "hold that a reference makes": _resources(
        "    seed_when: *demo\n    seed:\n      - {id: dsk",
        "    holds: [{resource: rack, item: oslo/small, field: free, amount: 1, states: [free, formatting, copying]}]\n"
        "    seed_when: *demo\n    seed:\n      - {id: dsk",
        f"disk.holds[0].states: attached -> free comes when its server is gone, {NO_STOCK}",
        "states: [free,",
    ),
    "hold of no item": _resources(
        '        item: "${item.site}/${item.plan}"\n', "", "server.holds[0].item: is missing", "- resource: rack"
    ),
    "hold of what has no states": _resources(
        'fields: {name: "${body.name}"}',
        'fields: {name: "${body.name}"}\n    holds: [{resource: rack, item: a, field: free, amount: 1, states: [b]}]',
        "tag.holds: depend on states, and there are none",
        "holds: [{resource: rack, item: a",
    ),
    "a refusal that is none": _resources(
        "amount: 1",
        "refuse: full_up\n        amount: 1",
        "server.holds[0].refuse: \"full_up\" is not known; use 'unknown_route', ",
    ),
    # meters and depletion
    "meter of no resource": _prices(
        "    server:\n", "    machine:\n", f'meters.machine: "machine" does not exist; {KINDS}'
    ),
    "rate in no state": _prices(
        "states: running,", "states: up,", f'meters.server.rates[0].states: "up" does not exist; {SERVER}'
    ),
    "rate of what has no states": _prices(
        "    disk:\n",
        "    tag:\n",
        'meters.tag.rates[0].states: "free" does not exist; there are none',
        "states: [free",
    ),
    "price of no field": _prices(
        "price: item.hourly",
        "price: item.hourley",
        f'meters.server.rates[0].price: "hourley" does not exist; there are {IDS}, status, {SERVER_FIELDS}',
    ),
    "quantity of no field": _prices(
        "quantity: item.gb",
        "quantity: item.bg",
        f'meters.disk.rates[0].quantity: "bg" does not exist; there are {IDS}, status, gb, server',
    ),
    "a price below zero": _prices("price: 0.40", "price: -0.40", "charges.createAddress[0].price: -0.4 is below zero"),
    "a meter's price below zero": _prices(
        "price: 0.005", 'price: "-0.005"', "meters.server.rates[1].price: -0.005 is below zero"
    ),
    "sum of no field": _prices("sums: [gb]", "sums: [tb]", 'meters.disk.sums: "tb" does not exist; there are gb'),
    "sum of no number": _prices(
        'record: {gb: "${item.gb}"}',
        "record: {gb: many}",
        "meters.disk.record.gb: is summed up, so it is a number, or an expression for one",
    ),
    "record of no field": _prices(
        'record: {gb: "${item.gb}"}',
        'record: {gb: "${item.bg}"}',
        f'meters.disk.record.gb: "bg" does not exist; there are {IDS}, status, gb, server',
    ),
    "an opening balance of nothing": _prices(
        "opening_balance: principal.credit",
        "opening_balance: principal.crdit",
        "opening_balance: fails for the provider's own key: `principal.crdit` gave None where an amount is needed",
    ),
    "no rates": _prices(
        "rates:\n        - {states: [free, attached], price: 7.2, quantity: item.gb, unit: 100}",
        "rates: []",
        "meters.disk.rates: []: must have at least 1 item",
        "rates: []",
    ),
    "depletion of no resource": _prices(
        "{server: pause", "{machine: pause", f'depletion.calls.machine: "machine" does not exist; {KINDS}'
    ),
    "depletion of what has no states": _prices(
        "address: delete", "tag: delete", "depletion.calls.tag: tag has no states"
    ),
    "depletion by no call": _prices(
        "server: pause",
        "server: halt",
        'depletion.calls.server: "halt" does not exist; there are pause, resume, delete',
    ),
    "credit for no operation": _prices(
        "resumeServer]", "wakeServer]", 'needs_credit: "wakeServer" does not exist; there are getAccount, '
    ),
    "charge for no operation": _prices(
        "createAddress:", "rentAddress:", 'charges.rentAddress: "rentAddress" does not exist; there are getAccount, '
    ),
    # acts
    "neither resource nor book": _operations(
        "{resource: plan, verb", "{verb", "listPlans.act: works on a `resource:` or lists a `book:`; say one"
    ),
    "resource and book": _operations(
        "{book: server, verb",
        "{book: server, resource: server, verb",
        "listServerUsage.act: works on a `resource:` or lists a `book:`; say one",
    ),
    "unknown resource": _operations(
        "{resource: plan,", "{resource: offer,", f'listPlans.act.resource: "offer" does not exist; {KINDS}'
    ),
    "unknown other": _operations(
        "item: params.server, others: {tag:",
        "item: params.server, others: {label:",
        f'changeServer.act.others: "label" does not exist; {KINDS}',
    ),
    "named by what is not unique": _operations(
        "item: params.server, others: {tag: body.tags}",
        "item: params.server, others: {tag: body.tags}, by: {server: site}",
        'changeServer.act.by.server: "site" does not exist; there are name',
    ),
    "unknown part": _operations(
        "{resource: disk, verb: create}",
        "{resource: disk, verb: create, parts: {label: {each: body.labels}}}",
        f'createDisk.act.parts: "label" does not exist; {KINDS}',
    ),
    "unknown field of a part": _operations(
        "{resource: disk, verb: create}",
        "{resource: disk, verb: create, parts: {tag: {each: body.tags, fields: {title: a}}}}",
        'createDisk.act.parts.tag.fields.title: "title" does not exist; there are name',
    ),
    "unknown verb": _operations(
        "{resource: disk, verb: create}",
        "{resource: disk, verb: make}",
        "createDisk.act.verb: \"make\" is not known; use 'list', 'get', 'create', 'update', 'delete' or 'call'",
    ),
    "no item": _operations(
        "{resource: tag, verb: delete, item: params.tag}",
        "{resource: tag, verb: delete}",
        "deleteTag.act: `delete` needs `item:`, an expression for the id",
    ),
    "an item by a parameter that is none": _operations(
        "{resource: disk, verb: get, item: params.disk}",
        "{resource: disk, verb: get, item: params.disk_id}",
        'getDisk.act.item: "disk_id" does not exist; there are disk',
    ),
    "an item without a use": _operations(
        "{resource: disk, verb: create}",
        "{resource: disk, verb: create, item: params.disk}",
        "createDisk.act.item: `create` has no use for it; it is for get, update, delete, call",
    ),
    "a page without a use": _operations(
        "{resource: disk, verb: get, item: params.disk}",
        "{resource: disk, verb: get, item: params.disk, page: {}}",
        "getDisk.act.page: `get` has no use for it; it is for list",
    ),
    "a call without a transition": _operations(
        "verb: call, call: pause,", "verb: call,", "pauseServer.act: `call` needs `call:`, the transition to make"
    ),
    "unknown call": _operations(
        "call: pause,", "call: halt,", 'pauseServer.act.call: "halt" does not exist; there are pause, resume, delete'
    ),
    "call of what has no states": _operations(
        "{resource: server, verb: call, call: pause, item",
        "{resource: tag, verb: call, call: pause, item",
        "pauseServer.act.call: tag has no states",
    ),
    "create in no first state": _operations(
        "verb: create, call: copying",
        "verb: create, call: free",
        'copyDisk.act.call: "free" does not exist; there are formatting, copying',
    ),
    "unknown state": _operations(
        "states: [free, attached]", "states: [free, used]", f'growDisk.act.states: "used" does not exist; {DISK}'
    ),
    "unknown field": _operations(
        'fields: {gb: "${other',
        'fields: {tb: "${other',
        'copyDisk.act.fields.tb: "tb" does not exist; there are gb, server',
    ),
    "unknown field that a refusal changes": _operations(
        "refuse: conflict, facts: {reason: small",
        "refuse: conflict, fields: {tries: 1}, facts: {reason: small",
        'growDisk.act.guards[0].fields.tries: "tries" does not exist; there are gb, server',
    ),
    "unique field that a refusal changes": _operations(
        "{resource: tag, verb: update, item: params.tag}",
        "{resource: tag, verb: update, item: params.tag, guards: [{when: true, refuse: conflict, fields: {name: a}}]}",
        "renameTag.act.guards[0].fields.name: is unique, and a refusal cannot be refused for a conflict",
    ),
    "a refusal with nothing to change": _operations(
        "{resource: disk, verb: create}",
        "{resource: disk, verb: create, guards: [{when: true, refuse: invalid_request, fields: {gb: 1}}]}",
        "createDisk.act.guards[0].fields.gb: `create` has no item to change; it is for get, update, delete, call",
    ),
    "a message that does not compile": _operations(
        "{resource: disk, verb: create}",
        '{resource: disk, verb: create, sends: [{to: "${body.}"}]}',
        "createDisk.act.sends[0].to: `body.` is not an expression: ",
    ),
    "unknown field in a filter": _operations(
        "filter: {server: query.server}",
        "filter: {host: query.server}",
        f'listDisks.act.filter.host: "host" does not exist; there are {IDS}, status, gb, server',
    ),
    "unknown book": _operations(
        "{book: server,",
        "{book: tag,",
        'listServerUsage.act.book: "tag" does not exist; there are createAddress, server, disk',
    ),
    "a book that is not listed": _operations(
        "{book: server, verb: list, page: *paged}",
        "{book: server, verb: delete, item: params.id}",
        "listServerUsage.act.verb: a book is listed and nothing else: `verb: list`",
    ),
    "a filter of a book": _operations(
        "{book: server, verb: list,",
        "{book: server, verb: list, filter: {server: query.server},",
        "listServerUsage.act.filter: is for resources; the entries of a book are listed whole",
    ),
    "a cursor in a book": _operations(
        "{book: server, verb: list, page: *paged}",
        "{book: server, verb: list, page: {cursor: query.p}}",
        "listServerUsage.act.page.cursor: is for resources; the entries of a book have page numbers",
    ),
    "two ways of paging": _operations(
        "{resource: disk, verb: list, filter: {server: query.server}, page: *paged}",
        "{resource: disk, verb: list, page: {cursor: query.p, offset: query.p}}",
        "listDisks.act.page.offset: is for pages without a cursor",
    ),
    "several bodies without a use": _operations(
        "{resource: tag, verb: delete, item: params.tag}",
        "{resource: tag, verb: delete, item: params.tag, each: body.tags}",
        "deleteTag.act.each: `delete` has no use for it; it is for create",
    ),
    "a change of what is held": _operations(
        "states: paused",
        "states: [paused, running]",
        "replanServer.act: changes plan, by which rack is held; allow that in `states: [failed, removing, paused]`",
        "    act:\n      resource: server",
    ),
    # leaves
    "expression in a field": _resources(
        "${body.site}", "${bodi.site}", "server.fields.site: `bodi.site` uses `bodi`, which does not exist; there are "
    ),
    "expression of a way": _resources(
        "item.name.startsWith('broken')",
        "item.name.startsWith('broken'",
        "server.states.timed[0].when: `item.name.startsWith('broken'` is not an expression: ",
    ),
    "expression of an amount": _resources(
        "amount: 1",
        "amount: itme.count",
        "server.holds[0].amount: `itme.count` uses `itme`, which does not exist; there are ",
    ),
    "expression of a price": _prices(
        "price: item.hourly",
        "price: itme.hourly",
        "meters.server.rates[0].price: `itme.hourly` uses `itme`, which does not exist; there are ",
    ),
    "expression of an opening balance": _prices(
        "principal.credit",
        "owner.credit",
        "opening_balance: `owner.credit` uses `owner`, which does not exist; there are ",
    ),
    "template of a record": _prices(
        '{gb: "${item.gb}"}',
        '{gb: "${itme.gb}"}',
        "meters.disk.record.gb: `itme.gb` uses `itme`, which does not exist; there are ",
    ),
    "expression of a guard": _operations(
        "when: body.gb <= item.gb",
        "when: body.gb <= bigger(1)",
        "growDisk.act.guards[0].when: `body.gb <= bigger(1)` calls `bigger`, which does not exist; there are ",
    ),
    "expression of an item": _operations(
        "verb: get, item: params.disk",
        "verb: get, item: parms.disk",
        "getDisk.act.item: `parms.disk` uses `parms`, which does not exist; there are ",
    ),
    "expression of a page": _operations(
        "{number: query.p,",
        "{number: qwery.p,",
        "listTags.act.page.number: `qwery.p` uses `qwery`, which does not exist; there are ",
    ),
    "misspelt key": _resources("    most: 3", "    moost: 3", "tag.moost: is not a key here; did you mean `most`?"),
    "unknown source": _resources(
        "rack:\n    source: invented",
        "rack:\n    source: rumour",
        'rack.source: "rumour" does not exist; there are invented',
        "source: rumour",
    ),
    "no shape": _operations(
        "shape: tags}", "shape: labels}", 'listTags.shape: "labels" does not exist; there are account, '
    ),
}

FURTHER = {
    "call from a state nothing leads to",
    "hold that a used-up balance makes",
    "hold that a reference makes",
    "meter of no resource",
    "rate of what has no states",
    "charge for no operation",
    "unknown field of a part",
    "an item without a use",
    "a book that is not listed",
    "expression of a page",
}
"""Mistakes that make something else wrong, too."""

REFUSALS = {
    "not_found": "`renameTag` can meet: it names a resource",
    "conflict": "`createTag` can meet: tag has unique fields or a limit",
    "illegal_state": "`deleteServer` can meet: not every state allows it",
    "in_use": "`deleteTag` can meet: others may refer to it",
    "out_of_stock": "`resumeServer` can meet: it takes from rack",
    "insufficient_credit": "`createAddress` can meet: it needs credit",
}


def _broken(folder: Path, broken: Broken) -> str:
    """The cloud with one mistake; gives the line at which it is to be found."""
    file = folder / f"fixtures/nimbus/{broken.section}.yaml"
    if not file.exists():
        shutil.copytree(CLOUD, folder, dirs_exist_ok=True)
    text = file.read_text(encoding="utf-8")
    assert broken.right in text
    text = text.replace(broken.right, broken.wrong, 1)
    file.write_text(text, encoding="utf-8")
    line = text.count("\n", 0, text.index(broken.at or broken.wrong)) + 1
    return f"{file}:{line}"


def _findings(folder: Path) -> list[str]:
    with pytest.raises(catalog.LoadError) as error:
        catalog.load([folder], ["nimbus"])
    return [str(problem) for problem in error.value.problems]


@pytest.mark.parametrize("case", BROKEN)
def test_finding(tmp_path: Path, case: str) -> None:
    """The place, the path and the remedy, and nothing else is found."""
    told = f"{_broken(tmp_path, BROKEN[case])} {BROKEN[case].told}"
    found = _findings(tmp_path)
    assert [finding for finding in found if finding.startswith(told)], found
    assert told in found or told.endswith(" "), found
    assert (len(found) > 1) == (case in FURTHER), found


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_that_an_act_can_meet_needs_a_reply(tmp_path: Path, refusal: str) -> None:
    _broken(tmp_path, Broken("errors", f"    {refusal}:", "    quota_exhausted:", ""))
    told = f"{tmp_path}/fixtures/nimbus/errors.yaml:3 errors.catalog: needs `{refusal}`, which {REFUSALS[refusal]}"
    assert told in _findings(tmp_path)


def test_the_command_tells_them_all(run: Run, tmp_path: Path) -> None:
    told = [f"{_broken(tmp_path, BROKEN[case])} {BROKEN[case].told}" for case in ("unknown call", "sum of no field")]
    result = run("check", tmp_path)
    assert result.exit_code == 1
    assert sorted(result.stderr.splitlines()[:-2]) == sorted(told)
