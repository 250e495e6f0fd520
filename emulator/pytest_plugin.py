"""pytest fixtures: `emulator_server` (the session's server), `emulator` (each test's own tenant on it), `intercept`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from emulator.handles import Emulation
    from emulator.server import EmulatorServer

_MARKER = (
    "emulator(allow_unmatched=False, allow_unfinished=False, scenarios={}, variants={}, latency={}, only=False): "
    "how the `emulator` fixture starts and what it complains of at teardown; only: `intercept` refuses other hosts"
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("emulator")
    group.addoption("--emulator-seed", type=int, default=0, help="seed of the emulator's chance (default 0)")
    group.addoption("--emulator-tls", action="store_true", help="let the emulator's addresses be https")
    parser.addini("emulator_data", "folders with fixtures/ and specs/ of your own", type="paths", default=[])


@pytest.fixture(scope="session")
def emulator_server(pytestconfig: pytest.Config) -> Iterator["EmulatorServer"]:
    """A server with every provider on real sockets of 127.0.0.1, unpaced, for the whole session."""
    from emulator.catalog import LoadError
    from emulator.server import EmulatorServer, make_runtime

    try:
        runtime = make_runtime(
            data=pytestconfig.getini("emulator_data"), seed=pytestconfig.getoption("--emulator-seed"), pace=0
        )
    except LoadError as error:
        raise pytest.fail.Exception(f"the emulator cannot use its data:\n{error}", pytrace=False) from None
    server = EmulatorServer(runtime, tls=pytestconfig.getoption("--emulator-tls"))
    for provider in runtime.providers:
        server.own_port(provider)
    with server:
        yield server


@pytest.fixture
def emulator(request: pytest.FixtureRequest, emulator_server: "EmulatorServer") -> Iterator["Emulation"]:
    """The emulator with a tenant of this test's own.

    At teardown the test fails for requests that met no operation and for scenarios that were not played
    to the end, unless the marker allows it.
    """
    from hashlib import blake2b

    from emulator.commands import CommandError

    settings = _settings(request)
    tenant = "t" + blake2b(request.node.nodeid.encode(), digest_size=6).hexdigest()
    emulation = emulator_server.tenant(tenant)
    emulation.reset()
    try:
        _begin(emulation, settings)
    except CommandError as error:
        raise pytest.fail.Exception(f"@pytest.mark.emulator: {error}", pytrace=False) from None
    yield emulation
    complaints = _complaints(emulation, settings)
    emulation.reset()
    if complaints:
        pytest.fail("\n".join(["the emulator has complaints:", *complaints, _HINT]), pytrace=False)


@pytest.fixture
def intercept(request: pytest.FixtureRequest, emulator: "Emulation") -> Iterator["Emulation"]:
    """The emulator of this test, which gets all requests for the providers' real addresses.

    With `@pytest.mark.emulator(only=True)`, a connection to any other host but loopback raises BlockedConnection.
    """
    with emulator.intercept(only=_settings(request)["only"]):
        yield emulator


_HINT = "hint: @pytest.mark.emulator(allow_unmatched=True) or (allow_unfinished=True) if this is meant"


_BY_PROVIDER = {"scenarios", "variants", "latency"}


def _begin(emulation: "Emulation", settings: dict[str, Any]) -> None:
    """What the marker asks of providers. Raises CommandError."""
    for provider, names in settings["variants"].items():
        emulation[provider].use(*(names if isinstance(names, (list, tuple)) else [names]))
    for provider, profile in settings["latency"].items():
        emulation[provider].latency(profile)
    for provider, scenario in settings["scenarios"].items():
        emulation[provider].play(scenario)


def _settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    settings: dict[str, Any] = {"allow_unmatched": False, "allow_unfinished": False, "scenarios": {}, "variants": {}}
    settings |= {"latency": {}, "only": False}
    for marker in reversed(list(request.node.iter_markers("emulator"))):
        unknown = set(marker.kwargs) - set(settings)
        if unknown or marker.args:
            wrong = ", ".join(sorted(unknown)) or "positional arguments"
            pytest.fail(f"@pytest.mark.emulator knows {', '.join(settings)}; not {wrong}", pytrace=False)
        for name in _BY_PROVIDER & set(marker.kwargs):
            if not isinstance(marker.kwargs[name], dict):
                right = f"{name} is a mapping: {name}={{'provider': 'name'}}"
                pytest.fail(f"@pytest.mark.emulator: {right}", pytrace=False)
        settings.update(marker.kwargs)
    return settings


def _complaints(emulation: "Emulation", settings: dict[str, Any]) -> list[str]:
    unmatched, unfinished = emulation.unmatched(), emulation.unfinished()
    return [
        *([] if settings["allow_unmatched"] else (f"  no operation answers: {line}" for line in unmatched)),
        *([] if settings["allow_unfinished"] else (f"  not played to the end: {line}" for line in unfinished)),
    ]
