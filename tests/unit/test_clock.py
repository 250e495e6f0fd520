"""Time that tests control."""

import locale
import math
import shutil
import subprocess
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator import CommandError, Emulation
from emulator.mechanisms.clock import LATEST, Clock, http_date, iso8601, parse_duration

MOMENTS = st.integers(0, 4_000_000_000)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("350ms", 0.35), ("60s", 60), ("2h", 7200), ("1h30m", 5400), ("1d", 86400), ("0.5s", 0.5), (7, 7), (0.25, 0.25)],
)
def test_durations(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "1 s", "1fortnight", "-5s", "1s ", "1s,2s", "1e3s", "nan", "1s\n"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration \(e\.g\. 350ms, 60s, 2h\)"):
        parse_duration(text)


@given(MOMENTS, st.lists(st.integers(0, 10_000), max_size=5))
@settings(deadline=None)
def test_a_frozen_clock_moves_only_when_told(moment: int, steps: list[int]) -> None:
    clock = Clock({})
    assert clock.freeze(moment) == clock.now() == moment
    for step in steps:
        clock.advance(f"{step}s")
    assert clock.now() == moment + sum(steps)
    assert clock.frozen


@given(MOMENTS, st.integers(0, 10**6))
@settings(deadline=None)
def test_state_is_all_there_is_to_a_clock(moment: int, step: int) -> None:
    state: dict[str, float] = {}
    Clock(state).freeze(moment)
    Clock(state).advance(step)
    assert Clock(dict(state)).now() == moment + step


def test_a_running_clock_is_the_wall_clock_with_an_offset() -> None:
    clock = Clock({})
    before = time.time()
    clock.advance("1h")
    assert before + 3600 - 0.001 <= clock.now() <= time.time() + 3600.001


def test_resume_goes_on_from_the_moment_shown() -> None:
    clock = Clock({})
    clock.freeze(1_000_000)
    clock.resume()
    assert not clock.frozen
    assert 1_000_000 <= clock.now() < 1_000_060


def test_resuming_a_running_clock_changes_nothing() -> None:
    state: dict[str, float] = {}
    Clock(state).resume()
    assert state == {}


@pytest.mark.parametrize("at", [-1, LATEST + 1, math.nan, math.inf, -math.inf])
def test_freezing_outside_the_calendar_is_refused(at: float) -> None:
    with pytest.raises(ValueError, match="outside the years 1970 to 9999"):
        Clock({}).freeze(at)


@pytest.mark.parametrize("step", [-1, "-1s", math.nan, math.inf, -math.inf, "99999999999d"])
@pytest.mark.parametrize("frozen", [True, False])
def test_time_runs_forward_and_ends(step: str | float, frozen: bool) -> None:
    state: dict[str, float] = {}
    clock = Clock(state)
    if frozen:
        clock.freeze(5)
    before = dict(state)
    with pytest.raises(ValueError, match=r"cannot advance by|is not a duration"):
        clock.advance(step)
    assert state == before


def test_the_last_second_of_the_calendar() -> None:
    clock = Clock({})
    clock.freeze(LATEST)
    assert iso8601(clock.now()) == "9999-12-31T23:59:59Z"
    assert http_date(clock.now()) == "Fri, 31 Dec 9999 23:59:59 GMT"
    clock.resume()
    assert clock.now() <= LATEST


def test_a_tenants_clock_through_the_handle(emulator: Emulation) -> None:
    assert emulator.clock.freeze(1_700_000_000) == 1_700_000_000
    assert emulator.clock.advance("1h30m") == 1_700_005_400
    assert emulator.clock.now() == 1_700_005_400
    assert emulator.clock.resume() >= 1_700_005_400
    for wrong in (-1.0, math.nan, "1 fortnight"):
        with pytest.raises(CommandError, match=r"cannot advance|not a duration"):
            emulator.clock.advance(wrong)


@pytest.fixture
def german(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process whose dates are German."""
    localedef = shutil.which("localedef")
    options = ["-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE.UTF-8")]
    if localedef is None or subprocess.run([localedef, *options], capture_output=True).returncode:  # noqa: S603
        pytest.skip("no German locale can be made here")
    monkeypatch.setenv("LOCPATH", str(tmp_path))
    before = locale.setlocale(locale.LC_ALL)
    locale.setlocale(locale.LC_ALL, "de_DE.UTF-8")
    yield
    locale.setlocale(locale.LC_ALL, before)


@pytest.mark.usefixtures("german")
def test_dates_of_http_are_english_wherever_the_process_is() -> None:
    assert time.strftime("%B", time.gmtime(1_709_251_200)) == "März"
    assert http_date(1_709_251_200) == "Fri, 01 Mar 2024 00:00:00 GMT"


@given(MOMENTS)
def test_dates_of_http_are_those_of_the_standard_library(moment: int) -> None:
    assert http_date(moment) == formatdate(moment, usegmt=True)
