"""Every documented status of every operation, three ways: really caused, by test key, by `Prefer`.

The cases come from the data, so that a new operation, status or error entry is a new case by itself.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

from emulator import Emulation
from emulator.mechanisms.clock import LATEST
from emulator.operation import Operation
from emulator.provider import ErrorEntry

from .catalogue import DOCUMENTED, OPERATIONS, PROVIDERS, Caller, caller, complaints
from .causes import CAUSES
from .raw import RawReply


def _entries(provider: str, operation: Operation, *, behind: bool) -> list[ErrorEntry]:
    """The error entries by which an operation answers one of its documented statuses.

    `behind`: those that stand behind one that is always taken, so that only their status can ask for them.
    """
    found = []
    for name in operation.refusals:
        before: set[int] = set()
        for entry in PROVIDERS[provider].errors[name]:
            if entry.operations is not None and operation.id not in entry.operations:
                continue
            if entry.status in operation.statuses and bool(before) == behind and entry.status not in before:
                found.append(entry)
            before |= {entry.status} if entry.when is None else set()
    return found


REACHED = [(p, operation, entry) for p, operation in OPERATIONS for entry in _entries(p, operation, behind=False)]
BEHIND = [(p, operation, entry) for p, operation in OPERATIONS for entry in _entries(p, operation, behind=True)]
OFF_SPEC = [
    (p.id, entry)
    for p in PROVIDERS.values()
    for name, entries in p.errors.items()
    if not any(name in operation.refusals for operation in p.operations.values())
    for entry in entries
]


def _ids(rows: list[Any]) -> list[str]:
    return [
        "-".join(
            part.id
            if isinstance(part, Operation)
            else f"{part.name}-{part.status}"
            if isinstance(part, ErrorEntry)
            else str(part)
            for part in row
        )
        for row in rows
    ]


def _caller(emulator: Emulation, provider: str, operation: Operation, entry: ErrorEntry) -> Caller:
    """A caller who expects JSON, unless the entry is for those who do not say so."""
    found = caller(emulator[provider], operation.id)
    found.plain = entry.status == 302
    return found


def _holds(found: Caller, reply: RawReply, status: int) -> None:
    assert reply.status == status
    if status in found.operation.statuses:
        assert list(complaints(found.provider, found.operation, reply)) == []


@pytest.mark.parametrize(("provider", "operation", "entry"), REACHED, ids=_ids(REACHED))
def test_each_error_entry_is_really_caused(
    emulator: Emulation, provider: str, operation: Operation, entry: ErrorEntry
) -> None:
    asking = _caller(emulator, provider, operation, entry)
    reply = CAUSES[provider][entry.name](emulator, asking)
    _holds(asking, reply, entry.status)
    note = asking.render()
    assert (note["what"], note["entry"], note["status"]) == (entry.name, entry.where, entry.status)


@pytest.mark.parametrize(("provider", "entry"), OFF_SPEC, ids=_ids(OFF_SPEC))
@pytest.mark.emulator(allow_unmatched=True)
def test_an_error_that_no_operation_documents_can_be_had(emulator: Emulation, provider: str, entry: ErrorEntry) -> None:
    asking = caller(emulator[provider])
    reply = CAUSES[provider][entry.name](emulator, asking)
    assert (reply.status, asking.render()["entry"]) == (entry.status, entry.where)


@pytest.mark.parametrize(("provider", "operation", "entry"), REACHED, ids=_ids(REACHED))
def test_each_refusal_answers_its_test_key_wherever_a_key_may_stand(
    emulator: Emulation, provider: str, operation: Operation, entry: ErrorEntry
) -> None:
    asking = _caller(emulator, provider, operation, entry)
    for where in range(len(asking.provider.places)):
        _holds(asking, asking.ask(key=f"emu-{entry.name}", place=where), entry.status)
        assert asking.render()["entry"] == entry.where


@pytest.mark.parametrize(("provider", "operation", "status"), DOCUMENTED, ids=_ids(DOCUMENTED))
def test_each_status_answers_prefer(emulator: Emulation, provider: str, operation: Operation, status: int) -> None:
    asking = caller(emulator[provider], operation.id)
    reply = asking.ask(Prefer=f"code={status}")
    _holds(asking, reply, status)
    assert reply.header("preference-applied") == f"code={status}"


@pytest.mark.parametrize(("provider", "operation", "entry"), BEHIND, ids=_ids(BEHIND))
def test_an_entry_behind_another_answers_its_status(
    emulator: Emulation, provider: str, operation: Operation, entry: ErrorEntry
) -> None:
    asking = caller(emulator[provider], operation.id)
    _holds(asking, asking.ask(Prefer=f"code={entry.status}"), entry.status)
    assert asking.render()["entry"] == entry.where


def test_no_documented_status_is_forgotten() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "emulator", "list", "--json"], check=True, capture_output=True, timeout=60
    )
    rows = json.loads(listed.stdout)
    assert len(rows) == len(OPERATIONS)
    wanted = {(r["provider"], r["operation_id"], status) for r in rows for status in r["statuses"] if status >= 300}
    assert {(p, operation.id, status) for p, operation, status in DOCUMENTED} == wanted
    assert {(p, operation.id, entry.status) for p, operation, entry in [*REACHED, *BEHIND]} == wanted


def test_every_refusal_has_its_cause() -> None:
    assert {p: set(causes) for p, causes in CAUSES.items()} == {p.id: set(p.errors) for p in PROVIDERS.values()}


def test_every_error_entry_is_among_the_cases() -> None:
    reached = {entry.where for _, _, entry in REACHED} | {entry.where for _, entry in OFF_SPEC}
    assert reached == {entry.where for p in PROVIDERS.values() for entries in p.errors.values() for entry in entries}


@pytest.mark.parametrize(("provider", "operation"), OPERATIONS, ids=_ids(OPERATIONS))
def test_the_last_second_of_the_calendar_is_a_second_like_any(
    emulator: Emulation, provider: str, operation: Operation
) -> None:
    """Windows, jobs and expiries that end beyond it end there."""
    emulator.clock.freeze(LATEST)
    assert caller(emulator[provider], operation.id).ask().status < 500
