"""Nothing grows without bound, however many requests come, of whatever kind."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from examples import example

from emulator import commands, make_runtime
from emulator.edge import answer
from emulator.exchange import Runtime
from emulator.mechanisms.expressions import Scope
from emulator.mechanisms.journal import MOST_ENTRIES
from emulator.mechanisms.store import Tenant
from emulator.mechanisms.windows import MOST_KEPT, TokenBucket, make_room
from emulator.operation import Operation
from emulator.provider import Provider

PROVIDERS = {name: family.base for name, family in make_runtime(pace=0).providers.items()}
OPERATIONS = [(name, operation) for name, provider in PROVIDERS.items() for operation in provider.operations]


@pytest.fixture
def runtime() -> Runtime:
    return make_runtime(pace=0)


def ask(runtime: Runtime, provider: Provider, operation: Operation, key: str, **more: Any) -> None:
    """One request of an operation, its example where it takes JSON."""
    answer(runtime, example(provider, operation, key, **more))


def completion() -> tuple[Provider, Operation]:
    found = ((p, o) for p in PROVIDERS.values() for o in p.operations.values() if o.reader and p.limits)
    return next(found)


def cells(runtime: Runtime) -> dict[str, int]:
    """How many cells of each kind there are."""
    counts: dict[str, int] = {}
    for tenant in runtime.store.tenants.values():
        for kind, _ in tenant.cells:
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def test_the_same_request_over_and_over(runtime: Runtime) -> None:
    provider, operation = completion()
    for _ in range(MOST_ENTRIES):
        ask(runtime, provider, operation, provider.api_key)
    before = cells(runtime)
    for _ in range(MOST_ENTRIES):
        ask(runtime, provider, operation, provider.api_key)
    assert cells(runtime) == before
    assert before["journal"] == MOST_ENTRIES


def test_ever_new_bodies(runtime: Runtime) -> None:
    provider, operation = completion()
    for number in range(5000):
        ask(runtime, provider, operation, provider.api_key, user=str(number))
    tenant = runtime.store.tenant("default")
    seen = [len(data) for (kind, _), data in tenant.cells.items() if kind == "occurrences"]
    assert len(seen) <= 256
    assert max(seen) == 16


def test_what_tests_asked_for_leaves_when_it_is_over(runtime: Runtime) -> None:
    """Met one after another, queued, over by time, as usual again; what is for others stays, what is over is told."""
    provider, operation = completion()
    tenant = runtime.store.tenant("default")
    fail = partial(commands.fail, runtime, "default", provider.id)

    def told() -> list[Any]:
        with commands.clock(runtime, "default") as clock:
            clock.advance("1m")
        ask(runtime, provider, operation, provider.api_key)
        entry = commands.journal(runtime, "default")[-1]
        return [entry["refusal"], *(key for note in entry["trace"] for key in ("missed", "exhausted") if key in note)]

    fail({"refuse": "bad_gateway", "when": "body.model == 'another'"})
    for _ in range(50):
        fail({"refuse": "bad_gateway"})
        assert told() == ["bad_gateway"]
    for _ in range(50):
        fail({"refuse": "bad_gateway"})
    assert [told() for _ in range(50)] == [["bad_gateway"]] * 50
    for _ in range(50):
        commands.play(runtime, "default", provider.id, [{"refuse": "bad_gateway", "for": "1s"}])
    assert [told() for _ in range(50)] == [["bad_gateway"]] * 50
    for _ in range(50):
        commands.play(runtime, "default", provider.id, [{"refuse": "bad_gateway"}, {}])
        assert told() == ["bad_gateway"]
    fail({"refuse": "bad_gateway"})
    assert told() == ["bad_gateway"]
    assert told() == [None, "missed", "exhausted"]
    assert [play["index"] for play in tenant.cells["plays", provider.id]] == [0, 1]
    assert len(commands.unfinished(runtime, "default")) == 1


def test_ever_new_paths(runtime: Runtime) -> None:
    """Equal ones are one string, and none is kept for ever: Python 3.12 does that with what is interned."""
    provider, operation = completion()
    asked = example(provider, operation, provider.api_key)
    for _ in range(2):
        asked.path = f"/{provider.id}/" + "-".join(["ever", "new"])
        answer(runtime, asked)
    tenant = runtime.store.tenant("default")
    first, second = (tenant.peek("journal", number).path for number in "12")
    assert first is second
    assert sys.getrefcount(first) < 2**31


def test_ever_new_keys() -> None:
    """The windows used longest ago are left behind; the one that is always in use is not."""
    tenant = Tenant("default")
    for number in range(30_000):
        make_room(tenant)
        for key in (f"key{number}", "mine"):
            window = tenant.cell("windows", key, TokenBucket)
            window.capacity, window.per = 1e6, 1e12
            window.use(float(number), 1.0)
        assert len(tenant.cells) <= 2 * MOST_KEPT + 2
    assert round(tenant.peek("windows", "mine").facts(30_000.0)["remaining"]) == 970_000


@contextmanager
def only_new_objects() -> Iterator[None]:
    """The collector looks at what is made meanwhile, which does not take it a second, and only when it is told to."""
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.enable()


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_an_exchange_leaves_no_garbage(runtime: Runtime, name: str, operation: str) -> None:
    """All of it goes when it ends: what only the collector finds would cost every request a part of its time."""
    provider = PROVIDERS[name]
    for _ in range(3):
        ask(runtime, provider, provider.operations[operation], provider.api_key)

    def garbage() -> int:
        ask(runtime, provider, provider.operations[operation], provider.api_key)
        return gc.collect()

    with only_new_objects():
        assert any(garbage() == 0 for _ in range(3))  # a thread that ends elsewhere leaves some of its own, once


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_an_exchange_leaves_nothing_behind(runtime: Runtime, name: str, operation: str) -> None:
    """An expression's context that held the exchange it is of would keep it for good."""
    provider = PROVIDERS[name]
    with only_new_objects():
        for _ in range(3):
            ask(runtime, provider, provider.operations[operation], provider.api_key)
        gc.collect()
        assert not [one for one in gc.get_objects() if isinstance(one, Scope)]
