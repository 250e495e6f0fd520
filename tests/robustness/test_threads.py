"""Several emulators of one process, each in a thread of its own: what they share is made by whoever asks first."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "first_requests.py"


def test_first_requests_may_come_at_once() -> None:
    """In a process where nothing is made yet: everybody is answered, and all alike."""
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, timeout=240)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")
    answers = done.stdout.splitlines()
    assert len(answers) == 4
    assert len(set(answers)) == 1
    assert "500" not in answers[0]
    assert answers[0].count("200") > 50
