"""A limit with a pool: what one request takes, out of what, and what comes back."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.mechanisms.limits import Pooled
from emulator.mechanisms.windows import WINDOWS, Algorithm, Window

ALGORITHMS: list[Algorithm] = ["sliding_window", "fixed_window", "token_bucket", "concurrency"]
TIMED = ALGORITHMS[:3]
PER = 60.0
KEYS = st.sampled_from("abc")
UNITS = st.integers(0, 6)
COSTS = st.one_of(st.integers(0, 60), st.sampled_from([0.1, 0.5, 2.7, 33.3]))
WAITS = st.one_of(st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 1.0]), st.floats(0, 1.5))
"""In lengths of the window."""


@dataclass
class Shared:
    """Keys with a share of their own, and the pool of all."""

    algorithm: Algorithm
    share: int
    pool: int
    per: float = PER
    windows: dict[str, Window] = field(default_factory=dict)

    def limit(self, key: str) -> Pooled:
        return Pooled(self._window(key, self.share), self._window("the pool", self.pool))

    def _window(self, key: str, capacity: int) -> Window:
        window = self.windows.setdefault(key, WINDOWS[self.algorithm]())
        window.capacity, window.per = capacity, self.per
        return window


@given(st.integers(0, 4), st.integers(0, 6), st.lists(st.tuples(KEYS, UNITS, st.booleans()), max_size=40))
def test_in_flight_is_bounded_by_shares_and_pool(share: int, pool: int, steps: list[tuple[str, int, bool]]) -> None:
    """Against bookkeeping by hand: who is in flight, and how many of those are in the pool."""
    shared, open_limits = Shared("concurrency", share, pool), list[tuple[str, Pooled]]()
    for key, place, leaves in steps:
        if leaves and open_limits:
            _, limit = open_limits.pop(place % len(open_limits))
            limit.use(0.0, -1)
            assert limit.pooled == 0
        else:
            limit = shared.limit(key)
            own = sum(1 - other.pooled for k, other in open_limits if k == key)
            drawn = sum(other.pooled for _, other in open_limits)
            assert limit.admits(0.0, 1) is (own < share or drawn < pool)
            if limit.admits(0.0, 1):
                limit.use(0.0, 1)
                open_limits.append((key, limit))
        assert sum(limit.pooled for _, limit in open_limits) <= pool
        for name in "abc":
            mine = [limit for k, limit in open_limits if k == name]
            assert 0 <= sum(1 - limit.pooled for limit in mine) <= share
            facts = shared.limit(name).facts(0.0)
            assert facts["remaining"] == share - sum(1 - limit.pooled for limit in mine)
            assert facts["pool"]["remaining"] == pool - sum(limit.pooled for _, limit in open_limits)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(share=st.integers(1, 6), pool=st.integers(0, 6), wanted=st.lists(st.tuples(KEYS, UNITS), max_size=20))
def test_a_pool_is_never_overdrawn_and_a_share_is_always_there(
    algorithm: Algorithm, share: int, pool: int, wanted: list[tuple[str, int]]
) -> None:
    shared, own = Shared(algorithm, share, pool), dict.fromkeys("abc", 0.0)
    drawn = 0.0
    for key, cost in wanted:
        limit = shared.limit(key)
        assert limit.admits(0.0, cost) is (max(share - own[key], 0) + pool - drawn + 1e-9 >= cost)
        assert limit.admits(0.0, share - own[key]), "nobody else can use up a share"
        if limit.admits(0.0, cost):
            limit.use(0.0, cost)
            own[key] += cost - limit.pooled
            drawn += limit.pooled
        assert 0 <= drawn <= pool + 1e-9
        assert all(0 <= used <= share + 1e-9 for used in own.values())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 18))
def test_what_is_given_back_goes_to_the_pool_first(algorithm: Algorithm, share: int, pool: int, cost: int) -> None:
    shared = Shared(algorithm, share, pool)
    limit = shared.limit("a")
    if not limit.admits(0.0, cost):
        return
    limit.use(0.0, cost)
    assert limit.pooled == max(cost - share, 0)
    limit.use(0.0, -min(cost, 2))
    assert limit.pooled == max(max(cost - share, 0) - min(cost, 2), 0)
    limit.use(0.0, min(cost, 2) - cost)
    facts = shared.limit("a").facts(0.0)
    assert (facts["remaining"], facts["pool"]["remaining"]) == (share, pool)


@pytest.mark.parametrize("settling", ["never", "down", "up"])
@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("algorithm", TIMED)
@given(
    per=st.sampled_from([0.1, 0.3, 1.0, PER, 86400.0]),
    share=st.integers(1, 50),
    pool=st.integers(0, 20),
    steps=st.lists(st.tuples(WAITS, COSTS, COSTS), min_size=1, max_size=15),
)
@settings(deadline=None)
def test_who_waits_as_long_as_it_is_told_is_served_and_nobody_before(
    algorithm: Algorithm,
    pooled: bool,
    settling: str,
    per: float,
    share: int,
    pool: int,
    steps: list[tuple[float, float, float]],
) -> None:
    """The wait is of the clock's microseconds; nobody else comes meanwhile."""
    shared = Shared(algorithm, share, pool if pooled else 0, per)
    now = 1_700_000_000.0
    for wait, cost, other in steps:
        now = round(now + wait * per, 6)
        limit = shared.limit("a") if pooled else shared.limit("a").own
        wanted = min(cost, share + shared.pool)  # more than that never fits
        if not limit.admits(now, wanted):
            told = limit.refusal(now, wanted)
            assert told["ran_out"] == ("pool" if pooled else "share")
            assert told.items() >= limit.facts(now).items(), "how it stands is told, too"
            assert told["retry_after"] == round(told["retry_after"], 6)
            assert told["retry_after"] > 0
            assert told["retry_after"] <= per + 1e-5 or settling == "up", "no more than all was used"
            assert not limit.admits(round(now + told["retry_after"] - 1e-6, 6), wanted)
            now = round(now + told["retry_after"], 6)
            assert limit.admits(now, wanted)
        limit.use(now, wanted)
        if settling != "never":
            limit.use(now, other if settling == "up" else -min(other, wanted))


@pytest.mark.parametrize(
    ("algorithm", "used", "asked", "wait"),
    [
        ("token_bucket", [(0, 3)], (5, 3), 25),  # the share has a unit at 30, and the pool two
        ("sliding_window", [(20, 1), (40, 1), (60, 1), (80, 2)], (90, 2), 30),  # one at 100, of the pool one at 120
    ],
)
def test_share_and_pool_make_room_together(
    algorithm: Algorithm, used: list[tuple[float, float]], asked: tuple[float, float], wait: float
) -> None:
    shared = Shared(algorithm, 2, 2)
    for at, cost in used:
        assert shared.limit("a").admits(at, cost)
        shared.limit("a").use(at, cost)
    assert shared.limit("a").refusal(*asked)["retry_after"] == wait
