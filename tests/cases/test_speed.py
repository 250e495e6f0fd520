"""A faster clock, and Retry-After in all its forms: who waits as long as it is told, by its own clock, is served.

The clock is frozen and advanced by what would pass meanwhile: a client's seconds, times the speed.
"""

import math
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli import acme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator import CommandError, Emulation, EmulatorServer, create_app, make_runtime
from emulator.mechanisms.clock import Clock, TimeScale

FORMS = ["own", "seconds", "date", "milliseconds"]
LIMITS = """\
limits:
  rules:
    - {name: sliding, key: "'x'", when: "headers['x-rule'] == 'sliding'", capacity: 3, per: 70s,
       algorithm: sliding_window, source: convention}
    - {name: fixed, key: "'x'", when: "headers['x-rule'] == 'fixed'", capacity: 2, per: 45s, algorithm: fixed_window,
       source: convention}
    - {name: bucket, key: "'x'", when: "headers['x-rule'] == 'bucket'", capacity: 7, per: 100s, cost: 2,
       algorithm: token_bucket, source: convention}
    - {name: pooled, when: "headers['x-rule'] == 'pooled'", capacity: 1, pool: {key: "'x'", capacity: 2}, per: 1m,
       algorithm: sliding_window, source: convention}
  headers:
    x-reset-after: "${ceil(limits.sliding.reset_after)}"
    x-reset: "${iso8601(limits.sliding.reset)}"
    x-pool-reset-after: "${ceil(limits.pooled.pool.reset_after)}"
errors:
  catalog:
    rate_limited:
      status: 429
      source: convention
      facts: {reset_after: 60, retry_after: 60}
      headers: {Retry-After: "${ceil(fact.retry_after)}"}
      error: {message: "", type: "", param: null, code: null}
quirks:
"""
QUIRK = """\
  - {id: as_%s, target: fault, when: "headers['x-form'] == '%s'", do: [{retry_after: {form: %s}}], source: convention}
"""
RULES = ["sliding", "fixed", "bucket", "pooled"]
SPEEDS = [0.5, 1.0, 7.0, 60.0, 1000.0]
NOON = 1_800_014_400


@pytest.fixture(scope="module")
def emulations(tmp_path_factory: pytest.TempPathFactory) -> dict[float, Emulation]:
    """Speed -> an emulator that runs at it."""
    text = LIMITS + "".join(QUIRK % (form, form, form) for form in FORMS[1:])
    data = acme.write(tmp_path_factory.mktemp("acme"), {"fixtures/acme/limits.yaml": text})
    return {
        speed: Emulation(make_runtime(["acme"], data=[data], speed=speed, pace=0), "default", None, {})
        for speed in SPEEDS
    }


def models(client: httpx.Client, emulation: Emulation, **headers: str) -> httpx.Response:
    sent = {**emulation["acme"].headers, **{f"x-{name}": value for name, value in headers.items()}}
    return client.get(f"{emulation['acme'].base_url}/models", headers=sent)


def waited(reply: httpx.Response) -> float:
    """Seconds that a client waits because of a reply: a date is one of the server's clock, whose time it tells, too."""
    if "retry-after-ms" in reply.headers:
        return int(reply.headers["retry-after-ms"]) / 1000
    told = reply.headers["retry-after"]
    if told.isdecimal():
        return float(told)
    return (parsedate_to_datetime(told) - parsedate_to_datetime(reply.headers["date"])).total_seconds()


@given(
    speed=st.sampled_from(SPEEDS),
    rule=st.sampled_from(RULES),
    form=st.sampled_from(FORMS),
    begin=st.integers(0, 100_000_000),
    gaps=st.lists(st.integers(0, 30_000_000), min_size=6, max_size=12),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_who_obeys_is_served(
    emulations: dict[float, Emulation], speed: float, rule: str, form: str, begin: int, gaps: list[int]
) -> None:
    emulation = emulations[speed]
    emulation.reset()
    emulation.clock.freeze(NOON + begin / 1e6)
    with httpx.Client(transport=emulation.transport()) as client:
        for gap in gaps:
            emulation.clock.advance(gap / 1e6)
            reply = models(client, emulation, rule=rule, form=form)
            if reply.status_code == 429:
                wait = waited(reply)
                assert wait > 0
                if form == "milliseconds" and wait > 0.002:  # precise enough to say that it is not too long either
                    emulation.clock.advance((wait - 0.002) * speed)
                    assert models(client, emulation, rule=rule, form=form).status_code == 429
                    emulation.clock.advance(0.002 * speed)
                else:
                    emulation.clock.advance(wait * speed)
                assert models(client, emulation, rule=rule, form=form).status_code == 200


@pytest.mark.parametrize("form", ["nonsense", "absent"])
def test_forms_that_say_nothing_leave_the_limit_as_it_is(emulations: dict[float, Emulation], form: str) -> None:
    emulation = emulations[7]
    emulation.reset()
    with httpx.Client(transport=emulation.transport()) as client:
        emulation["acme"].fail("rate_limited", fault={"retry_after": {"form": form}})
        assert models(client, emulation, rule="fixed").headers.get("retry-after") == {"nonsense": "soon"}.get(form)
        assert models(client, emulation, rule="fixed").status_code == 200


@pytest.mark.parametrize("speed", SPEEDS)
def test_what_is_told_of_a_limit(emulations: dict[float, Emulation], speed: float) -> None:
    """Durations are the client's, moments are the clock's."""
    emulation = emulations[speed]
    emulation.reset()
    emulation.clock.freeze(NOON)
    with httpx.Client(transport=emulation.transport()) as client:
        reply = models(client, emulation, rule="sliding")
        pooled = [models(client, emulation, rule="pooled").headers["x-pool-reset-after"] for _ in range(2)]
    assert pooled == ["0", str(math.ceil(60 / speed))]
    assert reply.headers["x-reset-after"] == str(math.ceil(70 / speed))
    assert reply.headers["x-reset"] == "2027-01-15T12:01:10Z"
    assert reply.headers["date"] == "Fri, 15 Jan 2027 12:00:00 GMT"


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_refusal_that_a_test_asks_for_tells_a_wait_of_the_same_kind(
    emulations: dict[float, Emulation], speed: float
) -> None:
    emulation = emulations[speed]
    emulation.reset()
    emulation["acme"].fail("rate_limited")
    with httpx.Client(transport=emulation.transport()) as client:
        assert models(client, emulation).headers["retry-after"] == str(math.ceil(60 / speed))
        emulation["acme"].fail("rate_limited", fault={"retry_after": {"form": "milliseconds", "after": "90s"}})
        assert models(client, emulation).headers["retry-after-ms"] == "90000"  # said as it is asked for


def test_time_passes_faster() -> None:
    scale = TimeScale(3600)
    clock = Clock({}, scale)
    before = time.time()
    shown = clock.now()
    after = time.time()
    assert (before - scale.began) * 3600 - 0.001 <= shown - scale.began <= (after - scale.began) * 3600 + 0.001


def test_a_frozen_clock_goes_on_from_its_moment_at_its_speed() -> None:
    scale = TimeScale(1000)
    clock = Clock({}, scale)
    clock.freeze(NOON)
    assert clock.advance("1h") == NOON + 3600
    clock.resume()
    assert clock.now() >= NOON + 3600
    assert clock.now() - NOON - 3600 <= (time.time() - scale.began) * 1000 + 0.001


@given(st.floats(0, 1e6), st.floats(0.01, 1e4))
def test_a_wait_that_is_told_is_never_too_short(seconds: float, speed: float) -> None:
    told = TimeScale(speed).client_seconds(seconds)
    assert seconds - 1e-6 * speed <= told * speed <= seconds + 2e-6 * speed + 1e-6


def test_delays_shrink(tmp_path: Path) -> None:
    """A reply that waits for fifty minutes, a thousand million times faster."""
    latency = (
        "latency: {default: slow, profiles: {slow: {first_token: 50m, gap: 1m, reply: 50m, source: convention}}}\n"
    )
    data = acme.write(tmp_path, {"fixtures/acme/latency.yaml": latency})
    emulation = Emulation(make_runtime(["acme"], data=[data], speed=1e9), "default", None, {})
    handle = emulation["acme"]
    body: dict[str, Any] = {"model": "acme-large", "messages": [{"role": "user", "content": "Hello"}]}
    with httpx.Client(transport=emulation.transport(), headers=handle.headers, timeout=5) as client:
        for stream in (True, False):
            reply = client.post(f"{handle.base_url}/chat/completions", json={**body, "stream": stream})
            assert reply.status_code == 200
    planned = [note for entry in handle.journal for note in entry.raw["trace"] if note["stage"] == "encode"]
    assert [note["first_event"] for note in planned] == [3000, 3000]


@pytest.fixture(scope="module")
def fast() -> Iterator[EmulatorServer]:
    with EmulatorServer(make_runtime(["nugen"], speed=10)) as server:
        yield server


def test_the_control_api_tells_the_speed(fast: EmulatorServer) -> None:
    assert httpx.get(f"{fast.url}/_emulator/clock").json()["speed"] == 10
    assert create_app(["nugen"], speed=3).state.runtime.time.speed == 3


@pytest.mark.parametrize("speed", [0, -1, math.nan, math.inf])
def test_what_is_no_speed(speed: float) -> None:
    with pytest.raises(CommandError, match="is no speed: a number above zero"):
        make_runtime(["nugen"], speed=speed)


def test_a_kept_state_has_no_speed(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="do not go together"):
        make_runtime(["nugen"], speed=2, state=tmp_path / "state.sqlite")
