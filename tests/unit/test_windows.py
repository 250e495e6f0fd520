"""Windows against brute force: never more than the capacity, never a refusal below it."""

import json
from fractions import Fraction
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator import Emulation
from emulator.mechanisms.windows import WINDOWS, Algorithm, Window

MICRO = 1_000_000
EPOCHS = st.sampled_from([0, 300_000, 1_700_000_000 * MICRO])
PERIODS = st.sampled_from([100_000, 350_000, 1 * MICRO, 10 * MICRO, 60 * MICRO])
GAPS = st.one_of(st.just(0), st.integers(0, 70 * MICRO), st.sampled_from([350_000, MICRO, 10 * MICRO, 60 * MICRO]))
ARRIVALS = st.lists(st.tuples(GAPS, st.integers(0, 4)), max_size=40)


class Admitting:
    """One limit, kept in a file between requests, and what it admitted: (moment in microseconds, cost)."""

    def __init__(self, algorithm: Algorithm, capacity: int, per: int) -> None:
        self.algorithm: Algorithm = algorithm
        self.capacity = capacity
        self.per = per
        self.kept = "null"
        self.admitted: list[tuple[int, int]] = []

    def offer(self, now: int, cost: int) -> bool:
        limit = self.window()
        admits = limit.admits(round(now / MICRO, 6), cost)
        self.kept = json.dumps(limit.shown())
        if admits:
            self.use(limit, now, cost)
            self.admitted.append((now, cost))
        return admits

    def use(self, limit: Window, now: int, cost: int) -> None:
        limit.use(round(now / MICRO, 6), cost)
        self.kept = json.dumps(limit.shown())

    def window(self) -> Window:
        limit = WINDOWS[self.algorithm](json.loads(self.kept))
        limit.capacity, limit.per = float(self.capacity), self.per / MICRO
        return limit

    def facts(self, now: int) -> dict[str, Any]:
        return self.window().facts(now / MICRO)

    def used(self, after: int, until: int) -> int:
        """Units admitted in (after, until]."""
        return sum(cost for at, cost in self.admitted if after < at <= until)


@given(EPOCHS, st.integers(0, 8), PERIODS, ARRIVALS)
@settings(deadline=None)
def test_sliding_window_is_the_brute_force_window(
    epoch: int, capacity: int, per: int, arrivals: list[tuple[int, int]]
) -> None:
    limit, now = Admitting("sliding_window", capacity, per), epoch
    for gap, cost in arrivals:
        now += gap
        fits = limit.used(now - per, now) + cost <= capacity
        assert limit.offer(now, cost) is fits
        assert limit.facts(now)["remaining"] == capacity - limit.used(now - per, now)
    for at, _ in limit.admitted:
        assert limit.used(at - per, at) <= capacity


@given(EPOCHS, st.integers(0, 8), PERIODS, ARRIVALS)
@settings(deadline=None)
def test_fixed_window_counts_by_the_clock(epoch: int, capacity: int, per: int, arrivals: list[tuple[int, int]]) -> None:
    limit, now = Admitting("fixed_window", capacity, per), epoch
    for gap, cost in arrivals:
        now += gap
        taken = sum(c for at, c in limit.admitted if at // per == now // per)
        assert limit.offer(now, cost) is (taken + cost <= capacity)


@given(EPOCHS, st.integers(1, 8), PERIODS, ARRIVALS)
@settings(deadline=None)
def test_token_bucket_never_gives_more_than_it_refilled(
    epoch: int, capacity: int, per: int, arrivals: list[tuple[int, int]]
) -> None:
    limit, now, level, last = Admitting("token_bucket", capacity, per), epoch, Fraction(capacity), epoch
    slack = Fraction(1, 10_000)  # the clock's microseconds are binary floats
    for gap, cost in arrivals:
        now += gap
        level = min(Fraction(capacity), level + Fraction((now - last) * capacity, per))
        last = now
        if limit.offer(now, cost):
            assert level + slack >= cost
            level -= cost
        else:
            assert level - slack < cost


@given(PERIODS, st.integers(1, 5), st.integers(0, 400))
@settings(deadline=None)
def test_room_comes_back_at_the_moment_that_reset_names(per: int, capacity: int, start: int) -> None:
    limit = Admitting("sliding_window", capacity, per)
    for _ in range(capacity):
        assert limit.offer(start * 1000, 1)
    reset = round(limit.facts(start * 1000)["reset"] * MICRO)
    assert not limit.offer(reset - 1, 1)
    assert limit.offer(reset, 1)


@given(st.sampled_from(["sliding_window", "fixed_window", "token_bucket"]), st.integers(1, 9), st.integers(0, 9))
@settings(deadline=None)
def test_settling_corrects_what_was_taken(algorithm: Algorithm, taken: int, used: int) -> None:
    limit = Admitting(algorithm, 10, MICRO)
    assert limit.offer(0, taken)
    limit.use(limit.window(), 0, used - taken)
    assert limit.facts(0)["remaining"] == 10 - used


def test_what_was_given_back_whole_brings_no_room_when_it_leaves() -> None:
    limit = Admitting("sliding_window", 10, 60 * MICRO)
    for now, used in ((0, 0), (20 * MICRO, 3)):
        assert limit.offer(now, 5)
        limit.use(limit.window(), now, used - 5)
    assert limit.facts(30 * MICRO)["reset"] == 80


@pytest.mark.parametrize("algorithm", ["sliding_window", "fixed_window", "token_bucket"])
@given(st.integers(3600, 300_000_000).map(MICRO.__mul__), st.integers(1, 5))
@settings(deadline=None)
def test_a_clock_that_is_set_back_keeps_nobody_out(algorithm: Algorithm, back: int, capacity: int) -> None:
    """For longer than a period after its first request, that is: what was used later than now is not used yet."""
    limit, now, per = Admitting(algorithm, capacity, 60 * MICRO), 1_700_000_000 * MICRO, 60 * MICRO
    while limit.offer(now, 1):
        pass
    told = limit.window().refusal((now - back) / MICRO, 1)["retry_after"]
    assert told <= per / MICRO
    limit.offer(now - back, 1)
    assert [limit.offer(now - back + per, 1) for _ in range(capacity)] == [True] * capacity


@given(st.lists(st.tuples(st.integers(0, 45), st.integers(1, 30)), min_size=2, max_size=6))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sixty_a_minute_over_http(emulator: Emulation, bursts: list[tuple[int, int]]) -> None:
    emulator.reset()
    now, served = emulator.clock.freeze(1_700_000_000), list[float]()
    barrack = emulator["barrack"]
    body = {"model": barrack.models[0], "messages": [{"role": "user", "content": "Hello"}]}
    with httpx.Client(transport=emulator.transport(), base_url=barrack.base_url, headers=barrack.headers) as client:
        for gap, count in bursts:
            now = emulator.clock.advance(float(gap))
            for _ in range(count):
                fits = sum(at > now - 60 for at in served) < 60
                assert client.post("/ai/chat/", json=body).status_code == (200 if fits else 429)
                served += [now] if fits else []


@given(PERIODS, st.integers(1, 9), st.integers(0, 9), st.integers(1, 10**9), st.booleans())
def test_a_clock_that_is_set_back_leaves_a_bucket_its_level(
    per: int, capacity: int, used: int, back: int, looked: bool
) -> None:
    """It is filled from the new moment on, whether somebody takes from it then or looks only."""
    limit, cost, now = WINDOWS["token_bucket"](), min(used, capacity), 1_700_000_000.0
    limit.capacity, limit.per = float(capacity), per / MICRO
    limit.use(now, cost)
    before = now - back
    assert limit.left(before) == capacity - cost
    limit.use(before, 0) if looked else limit.facts(before)
    assert limit.left(before) == capacity - cost
    assert abs(limit.left(before + limit.per) - capacity) < 1e-3  # binary fractions of a clock
