"""What handles are asked in the wrong way: each says what would be right, and nothing has changed."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from cli import acme

import emulator as package
from emulator import CommandError, Emulation, EmulatorServer, create_app, make_runtime

Call = Callable[[Any], Any]
WRONG: dict[str, tuple[Call, str]] = {
    "use of a list": (lambda e: e["barrack"].use(["both"]), "`use` takes names: use('both')"),
    "use of a number": (lambda e: e["barrack"].use(5), "`use` takes names"),
    "latency of a list": (lambda e: e["barrack"].latency(["steady"]), "`latency` takes the name of a profile, or None"),
    "latency of a number": (lambda e: e["barrack"].latency(1), "`latency` takes the name of a profile, or None"),
    "facts that are a set": (lambda e: e["barrack"].fail("rate_limited", facts={"a": {1}}), "a step is plain JSON: "),
    "a probability that is a decimal": (
        lambda e: e["barrack"].fail("rate_limited", probability=Decimal("0.5")),
        "a step is plain JSON: ",
    ),
    "a play of a decimal": (lambda e: e["barrack"].play([{"times": Decimal(1)}]), "a step is plain JSON: "),
    "a status of no refusal": (lambda e: e["barrack"].play([{"status": 500}]), "`status:` is one of a refusal's; say"),
    "a play of itself": (lambda e: e["barrack"].play(itself()), "a step is plain JSON: "),
    "a play of nothing": (lambda e: e["barrack"].play(None), "steps: "),
    "a play of a step": (lambda e: e["barrack"].play({"refuse": "rate_limited"}), "steps: "),
    "a refusal that is a list": (lambda e: e["barrack"].fail(["rate_limited"]), "refuse: "),
    "a key that is a number": (lambda e: e["barrack"].top_up(5, key=5), "a key is text"),
    "a key that is a list": (lambda e: e["barrack"].load({}, key=["brk"]), "a key is text"),
    "an amount that is a list": (lambda e: e["barrack"].top_up([1]), "is no amount"),
    "an amount that is true": (lambda e: e["barrack"].top_up(True), "is no amount"),
    "resources that are a number": (lambda e: e["barrack"].load(5), "is not a mapping of kinds"),
    "a clock frozen at true": (lambda e: e.clock.freeze(True), "`freeze` takes Unix seconds; without them time stops"),
    "a clock frozen at a list": (lambda e: e.clock.freeze([1]), "`freeze` takes Unix seconds"),
    "a clock frozen at a text": (lambda e: e.clock.freeze("now"), "`freeze` takes Unix seconds"),
    "a clock frozen at no number": (lambda e: e.clock.freeze(float("nan")), "outside the years 1970 to 9999"),
    "a clock advanced by true": (lambda e: e.clock.advance(True), "`advance` takes a duration: 350ms, 60s, 2h"),
    "a clock advanced by nothing": (lambda e: e.clock.advance(None), "`advance` takes a duration"),
    "a clock advanced by a list": (lambda e: e.clock.advance([1]), "`advance` takes a duration"),
    "a transport of another library": (
        lambda e: e.transport(requests),
        "requests is no library of httpx's shape: `emulator.intercept()` is for clients of others",
    ),
}


def itself() -> list[Any]:
    steps: list[Any] = []
    steps.append(steps)
    return steps


@pytest.mark.parametrize("name", ["test_x[1]", "a b", "a/b", "~x", "", "ä", "a\n", 5])
def test_a_tenant_that_no_address_can_carry(emulator_server: EmulatorServer, name: Any) -> None:
    with pytest.raises(CommandError, match=r"no tenant can be called .*: a name has letters, digits, `_`, `.` and `-`"):
        emulator_server.tenant(name)
    with pytest.raises(CommandError, match="no tenant can be called "):
        Emulation(emulator_server.runtime, name, None, {})


def test_a_tenant_that_would_do_is_named(emulator_server: EmulatorServer) -> None:
    with pytest.raises(CommandError, match=r"; 'test_x-1' would do$"):
        emulator_server.tenant("test_x[1]")
    assert emulator_server.tenant("test_x-1").tenant == "test_x-1"


def test_the_providers_of_an_emulation(emulator: Emulation, emulator_server: EmulatorServer) -> None:
    assert "nugen" in emulator
    assert "nugn" not in emulator
    assert list(emulator) == list(emulator_server) == emulator.providers
    assert len(emulator) == len(emulator.providers)
    assert "nugen" in emulator_server
    assert 0 not in emulator_server


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told(emulator: Emulation, case: str) -> None:
    call, told = WRONG[case]
    before = emulator.clock.freeze(1_800_000_000)
    with pytest.raises(CommandError) as caught:
        call(emulator)
    assert told in str(caught.value)
    assert emulator.clock.now() == before
    handle = emulator["barrack"]
    body = {"model": handle.models[0], "messages": [{"role": "user", "content": "Hello"}]}
    assert httpx.post(f"{handle.base_url}/ai/chat/", headers=handle.headers, json=body).status_code == 200
    assert emulator.unfinished() == []


def test_a_transport_of_the_package() -> None:
    with pytest.raises(CommandError, match="requests is no library of httpx's shape"):
        package.transport(requests)


ARGUMENTS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "one provider": (lambda: make_runtime("nugen"), CommandError, "`providers` is a list: ['nugen']"),
    "one folder": (lambda: make_runtime(data="/nowhere"), CommandError, "`data` is a list: ['/nowhere']"),
    "one provider of an app": (lambda: create_app("nugen"), CommandError, "`providers` is a list: ['nugen']"),
    "a pace below zero": (lambda: make_runtime(pace=-1), CommandError, "-1 is no pace: a number from zero on"),
    "a pace that is no number": (lambda: make_runtime(pace=float("nan")), CommandError, "nan is no pace"),
    "a pace without end": (lambda: create_app(pace=float("inf")), CommandError, "inf is no pace"),
    "a speed beyond all": (lambda: make_runtime(speed=1e300), CommandError, "1e+300 is no speed: a number above zero"),
    "a provider that is none": (
        lambda: make_runtime(["nugn"]),
        KeyError,
        "no provider is called 'nugn'; `emulator list` shows them all",
    ),
    "a provider of an app": (lambda: create_app(["nugn"]), KeyError, "no provider is called 'nugn'"),
    "a scenario of a provider that is none": (
        lambda: make_runtime(["nugen"], scenarios={"barrack": "flaky_then_fine"}),
        CommandError,
        "no provider is called 'barrack'; there are nugen",
    ),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_of_an_emulator(case: str) -> None:
    call, kind, told = ARGUMENTS[case]
    with pytest.raises(kind) as caught:
        call()
    assert told in "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])


def test_a_key_that_stands_in_the_query(tmp_path: Path) -> None:
    data = acme.write(tmp_path, {"fixtures/acme/own.yaml": "auth: {accept: [{in: query, name: token}]}\n"})
    emulation = Emulation(make_runtime(["acme"], data=[data]), "blue", None, {})
    handle = emulation["acme"]
    assert (handle.headers, handle.query) == ({}, {"token": "emu-ok~blue"})
    with httpx.Client(transport=emulation.transport(), base_url=handle.base_url) as client:
        assert client.get("/models", params=handle.query).status_code == 200
        assert client.get("/models").status_code == 401


def test_a_key_that_stands_in_a_header_is_in_no_query(emulator: Emulation) -> None:
    assert emulator["nugen"].query == {}


def test_strict_auth_takes_the_providers_own_key(tmp_path: Path) -> None:
    """Though only `*` accepts it: it is declared by `api_key:`."""
    data = acme.write(tmp_path, {"fixtures/acme/own.yaml": "api_key: acme-1\n"})
    emulation = Emulation(make_runtime(["acme"], data=[data], strict_auth=True), "blue", None, {})
    with httpx.Client(transport=emulation.transport(), base_url="http://acme.localhost/v1") as client:
        keys = ("acme-1", "acme-2")
        replies = [client.get("/models", headers={"Authorization": f"Bearer {key}"}) for key in keys]
    assert [reply.status_code for reply in replies] == [200, 401]


def test_every_type_that_a_test_meets_can_be_named(emulator: Emulation) -> None:
    """In annotations, that is: of what the public functions, methods and attributes give."""
    with emulator.connections("accept_and_hang") as disturbance:
        assert type(disturbance) is package.Disturbance
    gc = emulator["generalcompute"]
    with httpx.Client(transport=emulator.transport(), base_url=gc.base_url) as client:
        assert client.post("/public/agent-signups", json={"email": "a@example.com"}).status_code == 201
    assert {type(message) for message in gc.outbox} == {package.Message}
    assert type(emulator.clock) is package.Clock
    assert type(gc.journal) is package.Journal
    assert {type(entry) for entry in gc.journal} == {package.JournalEntry}
    assert type(emulator.runtime) is package.Runtime
    assert type(emulator.intercept()) is package.Interception
    with pytest.raises(package.LoadError) as wrong:
        package.make_runtime(data=["nowhere"])
    assert {type(problem) for problem in wrong.value.problems} == {package.Problem}
    assert {name for name in package.__all__ if not hasattr(package, name)} == set()
