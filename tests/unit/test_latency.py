"""The distributions of latency profiles: within their bounds, and the same for the same seed."""

from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.mechanisms.latency import Draws, fixed, log_normal, recorded, uniform

SEEDS = st.integers(0, 2**32)
SECONDS = st.floats(0, 3600)
MANY = 200


def drawn(draws: Draws, seed: int) -> list[float]:
    return list(islice(draws(Random(seed)), MANY))


def of(distribution: str, a: float, b: float) -> Draws:
    return {
        "fixed": lambda chance: fixed(chance, seconds=a),
        "uniform": lambda chance: uniform(chance, least=min(a, b), most=max(a, b)),
        "log_normal": lambda chance: log_normal(chance, median=a, sigma=min(b, 3)),
        "recorded": lambda chance: recorded(chance, durations=(a, b)),
    }[distribution]


@pytest.mark.parametrize("distribution", ["fixed", "uniform", "log_normal", "recorded"])
@given(a=SECONDS, b=SECONDS, seed=SEEDS)
def test_the_same_seed_draws_the_same(distribution: str, a: float, b: float, seed: int) -> None:
    draws = of(distribution, a, b)
    found = drawn(draws, seed)
    assert found == drawn(draws, seed)
    assert min(found) >= 0


@given(SECONDS, SEEDS)
def test_fixed_never_changes(seconds: float, seed: int) -> None:
    assert set(drawn(of("fixed", seconds, 0), seed)) == {seconds}


@given(SECONDS, SECONDS, SEEDS)
def test_uniform_keeps_its_bounds(a: float, b: float, seed: int) -> None:
    assert all(min(a, b) <= seconds <= max(a, b) for seconds in drawn(of("uniform", a, b), seed))


@given(st.floats(0.001, 60), SEEDS)
def test_log_normal_has_its_median_in_the_middle(median: float, seed: int) -> None:
    below = sum(seconds < median for seconds in drawn(of("log_normal", median, 0.5), seed))
    assert MANY * 0.25 < below < MANY * 0.75


@given(st.lists(SECONDS, min_size=1, max_size=7), SEEDS)
def test_recorded_goes_round_from_a_place_of_its_own(durations: list[float], seed: int) -> None:
    found = drawn(lambda chance: recorded(chance, durations=tuple(durations)), seed)
    rounds = [(durations * MANY)[start : start + MANY] for start in range(len(durations))]
    assert found in rounds
