"""A local emulator of real AI-provider APIs."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.catalog import LoadError, Problem
    from emulator.commands import CommandError
    from emulator.exchange import Runtime
    from emulator.handles import Clock, Emulation, Handle, Journal, JournalEntry, Message
    from emulator.inprocess import make_transport
    from emulator.interception.blocks import BlockedConnection
    from emulator.interception.decorating import Interception
    from emulator.mechanisms.entrances import Disturbance
    from emulator.server import EmulatorServer, create_app, make_runtime

_HOMES = {
    "BlockedConnection": "emulator.interception.blocks",
    "Clock": "emulator.handles",
    "CommandError": "emulator.commands",
    "Disturbance": "emulator.mechanisms.entrances",
    "Emulation": "emulator.handles",
    "EmulatorServer": "emulator.server",
    "Handle": "emulator.handles",
    "Interception": "emulator.interception.decorating",
    "Journal": "emulator.handles",
    "JournalEntry": "emulator.handles",
    "LoadError": "emulator.catalog",
    "Message": "emulator.handles",
    "Problem": "emulator.catalog",
    "Runtime": "emulator.exchange",
    "create_app": "emulator.server",
    "make_runtime": "emulator.server",
    "make_transport": "emulator.inprocess",
}

__all__ = [
    "BlockedConnection",
    "Clock",
    "CommandError",
    "Disturbance",
    "Emulation",
    "EmulatorServer",
    "Handle",
    "Interception",
    "Journal",
    "JournalEntry",
    "LoadError",
    "Message",
    "Problem",
    "Runtime",
    "create_app",
    "intercept",
    "make_runtime",
    "make_transport",
    "transport",
]


def transport(library: Any = None) -> Any:
    """A transport for httpx clients, onto an emulator of its own: no server, no socket, unpaced."""
    from emulator.inprocess import make_transport
    from emulator.server import make_runtime

    return make_transport(make_runtime(pace=0), None, library)


def intercept(only: bool = False) -> "Interception[Emulation]":
    """Within the block, requests for the providers' real addresses go to an emulator of its own, unpaced.

    Gives the emulation, whose handles have the real addresses. Also a decorator. See `Emulation.intercept`.
    """
    from emulator.interception.decorating import Interception

    return Interception(_intercepted, only)


@contextmanager
def _intercepted(only: bool) -> "Iterator[Emulation]":
    from emulator.handles import Emulation
    from emulator.mechanisms.tenants import DEFAULT_TENANT
    from emulator.server import make_runtime

    with Emulation(make_runtime(pace=0), DEFAULT_TENANT, None, {}).intercept(only) as emulation:
        yield emulation


if not TYPE_CHECKING:  # or any name would do for type checkers

    def __getattr__(name: str) -> Any:
        """Import on first use: a test run that has the plugin installed and unused pays nothing."""
        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
