"""Clocks far ahead, where neighbouring floats are further apart than the clock's own steps."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "far_future.py"
MOMENTS = ["1.9e9", "5000000000.000001", "8.7e9", "9e9", "2e10", "1e11", "253401300000"]


def test_money_is_used_up_in_any_century() -> None:
    """In a process of its own: to look for the moment must not go on for ever."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, SCRIPT, *MOMENTS], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["HIBERNATED -2.3331666667"] * len(MOMENTS)
