"""Faults in any order and number: nothing hangs or is mixed up, the next request is right, neighbours are well."""

import json
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, get_args

import httpx
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import OpenAI
from test_fault_catalogue import CASES
from wire_client import Reply, TlsWire, Wire, answered, chat, with_header

from emulator import Emulation, EmulatorServer, Handle, make_runtime
from emulator.mechanisms.fault_catalogue import FAULTS, OF_CONNECTIONS
from emulator.mechanisms.faults import Argument, RetryForm

MESSAGES: Any = [{"role": "user", "content": "Why is the sky blue?"}]
HEALTHY_STREAMS = 200


@pytest.fixture
def handle(emulator: Emulation) -> Handle:
    emulator.clock.freeze(1_800_000_000)
    return emulator["generalcompute"]


def values(argument: Argument) -> st.SearchStrategy[Any]:
    """Small values of an argument: durations a test can wait for, places that a short reply has or just lacks."""
    return {
        "count": st.integers(0, 40),
        "duration": st.sampled_from([0, "1ms", "5ms"]),
        "wait": st.sampled_from([0, "1ms", "90s"]),
        "moment": st.sampled_from([0, "30ms", "400ms", "1h"]),
        "text": st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=8),
        "flag": st.booleans(),
        "form": st.sampled_from(get_args(RetryForm)),
        "refusal": st.sampled_from(["server_error", "rate_limited"]),
        "event": st.one_of(
            st.integers(-40, 40), st.sampled_from(["role", "content", "finish", "usage", "done", "none", "90ms"])
        ),
    }[argument.kind]


@st.composite
def faults(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(list(FAULTS.values())))
    given_values = {}
    for name, argument in kind.arguments.items():
        if name == "bytes":  # at a time: a test cannot wait for every single one
            given_values[name] = draw(st.integers(100, 2000))
        elif argument.kind == "duration" or draw(st.booleans()):
            given_values[name] = draw(values(argument))
    return {kind.name: given_values}


@pytest.fixture(scope="module")
def secure() -> Iterator[EmulatorServer]:
    """Every fault can be met on https."""
    with EmulatorServer(make_runtime(["generalcompute"], pace=0), tls=True) as server:
        yield server


@given(programme=st.lists(st.tuples(faults(), st.booleans()), min_size=1, max_size=4))
@settings(max_examples=100, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_programme_ends_and_the_next_reply_is_right(
    secure: EmulatorServer, programme: list[tuple[dict[str, Any], bool]]
) -> None:
    emulation = secure.tenant()
    emulation.reset()
    emulation.clock.freeze(1_800_000_000)
    handle, requests = emulation["generalcompute"], 0
    for fault, stream in programme:  # with readers who are not patient for ever
        (name,) = fault
        if name in OF_CONNECTIONS:
            met(secure, emulation, name)
            continue
        handle.fail(fault=fault)
        requests += 1
        with secured(secure) as wire, suppress(ConnectionResetError):
            wire.send(with_header(chat(secure, handle, stream=stream), "Connection: close")).rest()
    with secured(secure) as wire:
        after = wire.send(chat(secure, handle)).reply()
    assert (after.status, after.complete, after.json["object"]) == (200, True, "chat.completion")
    assert len(handle.journal) == requests + 1


def secured(server: EmulatorServer) -> TlsWire:
    assert server.ca_file is not None
    return TlsWire(server.url, server.ca_file)


def met(server: EmulatorServer, emulation: Emulation, fault: str) -> None:
    """A connection that meets a fault and comes to no request; it ends with the fault at the latest."""
    with emulation.connections(fault) as disturbance, suppress(ConnectionError, ssl.SSLCertVerificationError):
        if fault in ("tls_expired", "tls_wrong_host"):
            secured(server).hang_up()
            raise AssertionError("the certificate was believed")
        with Wire(server.url) as wire:
            wire.send(b"\x16\x03\x01")
            disturbance.lift()
            assert wire.rest() == b""


def test_a_fault_does_not_disturb_its_neighbours(emulator: Emulation, emulator_server: EmulatorServer) -> None:
    """200 streams are open, halfway, while connections beside them break in every way there is."""
    handle, broken = emulator["generalcompute"], emulator["barrack"]
    handle.play([{"times": HEALTHY_STREAMS, "fault": {"stall": {"at_event": 3, "duration": "1s"}}}])
    asked = chat(emulator_server, handle, stream=True)
    keys = [f"key-{i % 4}~{emulator.tenant}".encode() for i in range(HEALTHY_STREAMS)]  # each has limits of its own
    wires = [Wire(emulator_server.url) for _ in range(HEALTHY_STREAMS)]
    try:
        for wire, key in zip(wires, keys, strict=True):
            wire.send(asked.replace(handle.api_key.encode(), key))
        for name, (arguments, _, _) in CASES.items():
            broken.fail(fault={name: arguments})
            with Wire(emulator_server.url) as wire, suppress(ConnectionResetError):
                wire.send(with_header(chat(emulator_server, broken, stream=True), "Connection: close")).rest()
        with ThreadPoolExecutor(8) as pool:
            replies: list[Reply] = list(pool.map(Wire.reply, wires))
    finally:
        for wire in wires:
            wire.hang_up()
    assert all(reply.complete and reply.body.endswith(b"data: [DONE]\n\n") for reply in replies)


def statuses(seed: int) -> list[int]:
    """What becomes of fifty requests of which the seed lets a third fail, in a fresh emulator."""
    runtime = make_runtime(["generalcompute"], seed=seed, pace=0)
    handle = Emulation(runtime, "default", "http://any.test", {})["generalcompute"]
    handle.fail("unavailable", times=50, probability=0.3)
    with httpx.Client(transport=Emulation(runtime, "default", "http://any.test", {}).transport()) as client:
        url, body = f"{handle.base_url}/models", None
        return [client.get(url, headers=handle.headers, params=body).status_code for _ in range(51)]


def test_a_probability_is_drawn_from_the_seed() -> None:
    first = statuses(1)
    assert set(first) == {200, 503}
    assert 5 <= first.count(503) <= 25
    assert first[-1] == 200
    assert statuses(1) == first != statuses(2)


@pytest.mark.parametrize("probability", [0, -0.5, 1.5, "often", True])
def test_a_probability_is_above_zero_and_at_most_one(handle: Handle, probability: Any) -> None:
    with pytest.raises(ValueError, match="probability"):
        handle.fail("unavailable", probability=probability)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, ("retry-after", "17")),
        ({"form": "milliseconds"}, ("retry-after-ms", "16200")),
        ({"form": "date"}, ("retry-after", "Fri, 15 Jan 2027 08:00:17 GMT")),
        ({"form": "nonsense"}, ("retry-after", "soon")),
        ({"form": "absent"}, None),
        ({"form": "milliseconds", "after": "350ms"}, ("retry-after-ms", "350")),
    ],
)
def test_a_refusal_says_in_every_form_when_to_come_again(
    emulator: Emulation, arguments: dict[str, Any], told: tuple[str, str] | None
) -> None:
    """As long as the refusal knows, as exactly as the form can say it, unless another time is given."""
    emulator.clock.freeze(1_800_000_000)
    handle = emulator["peakprivacy"]
    handle.fail("rate_limited", facts={"reset_after": 16.2}, fault={"retry_after": arguments})
    reply = httpx.get(f"{handle.base_url}/ai/models", headers=handle.headers)
    assert reply.status_code == 429
    assert [(n, v) for n, v in reply.headers.items() if n.startswith("retry-after")] == ([told] if told else [])


def test_steps_that_last_follow_the_clock(emulator: Emulation, handle: Handle) -> None:
    """A minute runs from the first request, the next from its end, whenever somebody asks."""

    def status() -> int:
        return httpx.get(f"{handle.base_url}/models", headers=handle.headers).status_code

    handle.play([{"for": "60s", "refuse": "rate_limited"}, {"for": "30s", "times": 2, "refuse": "unavailable"}, {}])
    emulator.clock.advance("1h")
    found = [status()]
    for duration in ("59s", "1s", "10s", "1s"):
        emulator.clock.advance(duration)
        found.append(status())
    assert found == [429, 429, 503, 503, 200]
    handle.play([{"for": "60s", "refuse": "rate_limited"}, {"for": "30s", "refuse": "unavailable"}, {}])
    assert status() == 429
    emulator.clock.advance("95s")
    assert emulator.unfinished() == []
    assert status() == 200


@pytest.mark.parametrize(
    ("fault", "fields", "told"),
    [
        ("unknown_tool", {}, "found nothing to act on"),
        ("schema_violation", {}, "found nothing to act on"),
        ("truncated_json", {}, "found nothing to act on"),
        ("not_a_stream", {}, "needs a stream"),
        ("no_usage", {"stream": True, "at": 99}, "found nothing to act on"),
    ],
)
def test_a_fault_that_cannot_be_says_so(
    handle: Handle, emulator_server: EmulatorServer, fault: str, fields: dict[str, Any], told: str
) -> None:
    at = fields.pop("at", None)
    handle.fail(fault={"duplicate_event": {"at_event": at}} if at is not None else {fault: {}})
    reply = answered(emulator_server.url, chat(emulator_server, handle, **fields))
    assert (reply.status, reply.complete) == (200, True)
    assert told in reply.headers["x-emulator-notice"]


def test_a_fault_of_the_content_needs_a_completion(handle: Handle) -> None:
    handle.fail(fault={"null_content": {}})
    reply = httpx.get(f"{handle.base_url}/models", headers=handle.headers)
    assert reply.headers["x-emulator-notice"] == "the fault null_content needs a completion, and this reply is none"


# what an application sees that uses the official client


@pytest.fixture
def client(handle: Handle) -> OpenAI:
    return OpenAI(base_url=handle.base_url, api_key=handle.api_key, max_retries=0, timeout=5)


def streamed(client: OpenAI) -> list[Any]:
    return list(client.chat.completions.create(model="gpt-oss-120b", messages=MESSAGES, stream=True))


BROKEN = ["reset", "close", "hang", "garbage", "content_length_too_long", "conflicting_lengths", "bad_chunk_size"]


@pytest.mark.parametrize("name", BROKEN)
def test_the_official_client_has_an_error_for_a_broken_connection(client: OpenAI, handle: Handle, name: str) -> None:
    handle.fail(fault={name: {"duration": "10ms"} if name == "hang" else {}})
    with pytest.raises((openai.APIConnectionError, httpx.TransportError)):
        client.chat.completions.create(model="gpt-oss-120b", messages=MESSAGES)


def test_the_official_client_has_an_error_for_a_silence(client: OpenAI, handle: Handle) -> None:
    handle.fail(fault={"hang": {"duration": "1h"}})
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.2).chat.completions.create(model="gpt-oss-120b", messages=MESSAGES)


@pytest.mark.parametrize(
    "name",
    ["crlf", "one_packet", "split_event", "split_character", "comment_storm", "no_terminator", "stall"],
)
def test_the_official_client_reads_on(client: OpenAI, handle: Handle, name: str) -> None:
    handle.fail(fault={name: {"duration": "1ms"} if name == "stall" else {}})
    chunks = streamed(client)
    assert [c for chunk in chunks for c in chunk.choices if c.finish_reason == "stop"]


@pytest.mark.parametrize("name", ["no_finish_reason", "no_usage"])
def test_the_official_client_does_not_notice(client: OpenAI, handle: Handle, name: str) -> None:
    """Which is why an application has to look for itself."""
    handle.fail(fault={name: {}})
    chunks = streamed(client)
    assert "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices)
    finished = [c for chunk in chunks for c in chunk.choices if c.finish_reason]
    assert bool(finished) == (name != "no_finish_reason")
    assert bool([chunk for chunk in chunks if chunk.usage]) == (name != "no_usage")


@pytest.mark.parametrize("name", ["malformed_json", "empty_event"])
def test_the_official_client_breaks_on_an_event(client: OpenAI, handle: Handle, name: str) -> None:
    handle.fail(fault={name: {}})
    with pytest.raises(json.JSONDecodeError):
        streamed(client)
