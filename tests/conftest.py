"""Hypothesis as the whole suite uses it: no deadlines, a slow machine is no failure. The cache is the suite's own.

And providers that do not exist, served from two files.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import folders
import pytest
from hypothesis import HealthCheck, settings

from emulator import Emulation, EmulatorServer, make_runtime

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    kept = getattr(config, "cache", None)
    os.environ.setdefault("EMULATOR_CACHE", "" if kept is None else str(kept.mkdir("emulator")))
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each process that tests start compiles all modules anew
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # by a shell that runs the tests in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what they start has to hear Ctrl+C


@pytest.fixture
def invented(tmp_path: Path) -> Iterator[Callable[[str, str, str], Emulation]]:
    """Serves a provider that does not exist, by its id and the texts of its data and its spec; gives it to a tenant."""
    with ExitStack() as stack:

        def serving(name: str, provider: str, spec: str) -> Emulation:
            files = {f"fixtures/{name}/provider.yaml": provider, f"specs/{name}.yaml": spec}
            runtime = make_runtime([name], data=[folders.write(tmp_path, files)], pace=0)
            return stack.enter_context(EmulatorServer(runtime)).tenant()

        yield serving
