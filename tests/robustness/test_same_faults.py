"""The same fault, seed and requests on a frozen clock: the same bytes at the same moments, with a socket or without."""

from collections.abc import Iterator
from typing import Any

import pytest
from test_fault_catalogue import CASES, came
from wire_client import body_of

from emulator import Emulation, EmulatorServer, Handle, make_runtime
from emulator.edge import answer
from emulator.exchange import Reply, Runtime
from emulator.mechanisms.fault_catalogue import OF_REQUESTS
from emulator.mechanisms.tenants import DEFAULT_TENANT
from emulator.wire.delivery import octets
from emulator.wire.reading import Request, by_name

NOW = 1_800_000_000
Plan = list[tuple[float, bytes]]


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    with EmulatorServer(make_runtime(["generalcompute"], seed=7, pace=0)) as running:
        yield running


@pytest.fixture(scope="module")
def runtimes() -> list[Runtime]:
    """Without a socket and at pace 1: two of the same seed, one of another."""
    return [make_runtime(["generalcompute"], seed=seed, pace=1) for seed in (7, 7, 8)]


def fresh(runtime: Runtime, tenant: str = DEFAULT_TENANT) -> Handle:
    """A handle of a tenant that never asked for anything."""
    emulation = Emulation(runtime, tenant, "http://any.test", {})
    emulation.reset()
    emulation.clock.freeze(NOW)
    return emulation["generalcompute"]


def ask(runtime: Runtime, handle: Handle, body: bytes, prefix: str = "") -> Reply:
    headers = {**handle.headers, "content-type": "application/json"}
    path = f"{prefix}/generalcompute/v1/chat/completions"
    return answer(runtime, Request("POST", path, "", by_name(headers.items()), body))[0]


def planned(runtime: Runtime, name: str, body: bytes) -> Plan:
    """All that goes over an HTTP/1.1 connection to a client that meets a fault, and when."""
    handle = fresh(runtime)
    handle.fail(fault={name: CASES[name][0]})
    return plan_of(ask(runtime, handle, body))


def plan_of(reply: Reply) -> Plan:
    plan: Plan = []
    try:
        plan += octets(reply, "POST")
    except ConnectionResetError:
        plan.append((plan[-1][0], b"RST"))
    return plan


def busy(runtime: Runtime, body: bytes) -> None:
    """Others use the emulator, too."""
    other = fresh(runtime, "other")
    other.fail(fault={"cut": {}}, times=2)
    for _ in range(3):
        ask(runtime, other, body, "/~other")


UNPACED = {"html_gateway_page", "not_a_stream"}
"""Streams that come as one body."""
NOTHING_LEFT = {"hang", "garbage", "html_gateway_page"}
"""Faults that leave nothing of the reply."""


@pytest.mark.parametrize("name", OF_REQUESTS)
def test_bytes_and_moments(server: EmulatorServer, runtimes: list[Runtime], name: str) -> None:
    one, other, another_seed = runtimes
    arguments, fields, _ = CASES[name]
    handle = fresh(server.runtime)
    body = body_of(server, handle, **fields)
    handle.fail(fault={name: arguments})
    over_socket = came(server, handle, fields)
    plan = planned(one, name, body)
    busy(other, body)
    assert planned(other, name, body) == plan
    assert (planned(another_seed, name, body) == plan) == (name in NOTHING_LEFT)
    moments = [at for at, _ in plan]
    assert moments == sorted(moments)
    assert moments[-1] > 0 or name in UNPACED or "stream" not in fields
    sent = b"".join(data for _, data in plan)
    if over_socket.reset:  # what came shortly before it may be lost on the way
        assert sent.startswith(over_socket.raw)
        assert sent.endswith(b"RST")
    else:
        assert sent in (over_socket.raw, over_socket.raw.replace(b"connection: close\r\n", b"", 1))


ENDS: dict[str, dict[str, str]] = {"reset": {}, "close": {}, "hang": {"duration": "0s"}, "error_event": {}, "cut": {}}
"""Faults that a stream ends with, and what makes nothing but the moment count."""


def slow_plan(server: EmulatorServer, pace: float = 1, fault: dict[str, Any] | None = None) -> Plan:
    """What leaves of a stream whose first token is seconds away."""
    runtime = make_runtime(["generalcompute"], pace=pace)
    handle = fresh(runtime)
    handle.latency("slow_reasoner")
    if fault is not None:
        handle.fail(fault=fault)
    return plan_of(ask(runtime, handle, body_of(server, handle, stream=True)))


@pytest.mark.parametrize("pace", [0, 1, 3])
@pytest.mark.parametrize("place", [0, 4], ids=["before the first event", "between two"])
@pytest.mark.parametrize("name", ENDS)
def test_a_stream_ends_at_the_time_that_a_fault_is_aimed_at(
    server: EmulatorServer, name: str, place: int, pace: float
) -> None:
    (before, _), (behind, _) = slow_plan(server)[place : place + 2]
    middle = (before + behind) / 2
    plan = slow_plan(server, pace, {name: {"after_time": f"{middle:.6f}s", **ENDS[name]}})
    assert plan[-1][0] == pytest.approx(middle * pace, abs=1e-5)
    assert len([data for _, data in plan if b"data: {" in data]) == place + (name == "error_event")


@pytest.mark.parametrize("name", ENDS)
def test_a_time_behind_the_end_of_a_stream_is_not_waited_for(server: EmulatorServer, name: str) -> None:
    plan = slow_plan(server, 1, {name: {"after_time": "24h", **ENDS[name]}})
    assert plan[-1][0] == slow_plan(server)[-1][0]


@pytest.mark.parametrize("name", ENDS)
def test_a_number_of_events_that_comes_before_a_time_is_its_own_moment(server: EmulatorServer, name: str) -> None:
    plan = slow_plan(server, 1, {name: {"after_time": "24h", "after_events": 1, **ENDS[name]}})
    assert plan[-1][0] == slow_plan(server)[1][0]
