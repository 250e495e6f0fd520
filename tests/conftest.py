"""Hypothesis as the whole suite uses it: no deadlines, a slow machine is no failure. The cache is the suite's own.

And providers that do not exist, served from two files.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from emulator import Emulation, EmulatorServer, make_runtime

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    kept = getattr(config, "cache", None)
    os.environ.setdefault("EMULATOR_CACHE", "" if kept is None else str(kept.mkdir("emulator")))


@pytest.fixture
def invented(tmp_path: Path) -> Iterator[Callable[[str, str, str], Emulation]]:
    """Serves a provider that does not exist, by its id and the texts of its data and its spec; gives it to a tenant."""
    with ExitStack() as stack:

        def serving(name: str, provider: str, spec: str) -> Emulation:
            for file, text in ((f"fixtures/{name}/provider.yaml", provider), (f"specs/{name}.yaml", spec)):
                (tmp_path / file).parent.mkdir(parents=True)
                (tmp_path / file).write_text(text, encoding="utf-8")
            return stack.enter_context(EmulatorServer(make_runtime([name], data=[tmp_path], pace=0))).tenant()

        yield serving
