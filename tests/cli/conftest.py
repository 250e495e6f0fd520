"""Servers started by the command line, and the command line in-process where no server is needed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from emulator.cli import main

from .serving import Served, start

Serve = Callable[..., Served]
Run = Callable[..., Result]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts `emulator serve` with the given arguments; every server ends with the test."""
    with ExitStack() as stack:

        def serving(*arguments: object) -> Served:
            served = start(arguments, tmp_path / "stderr.txt")
            stack.callback(served.stop)
            return served

        yield serving


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """All packaged providers, each at the root of a port of its own as well."""
    running = start(("--ports", "--pace", "0"), tmp_path_factory.mktemp("served") / "stderr.txt")
    yield running
    running.stop()
    assert running.errors.read_text() == ""


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    """A tenant of the test's own on the shared server."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name)


@pytest.fixture
def run() -> Run:
    """Runs the command line in this process."""

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(a) for a in arguments], prog_name="emulator")

    return invoke
