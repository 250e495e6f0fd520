"""A local emulator of real AI-provider APIs."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.catalog import LoadError
    from emulator.commands import CommandError
    from emulator.handles import Emulation, Handle, JournalEntry
    from emulator.inprocess import make_transport
    from emulator.server import EmulatorServer, create_app, make_runtime

_HOMES = {
    "CommandError": "emulator.commands",
    "Emulation": "emulator.handles",
    "EmulatorServer": "emulator.server",
    "Handle": "emulator.handles",
    "JournalEntry": "emulator.handles",
    "LoadError": "emulator.catalog",
    "create_app": "emulator.server",
    "make_runtime": "emulator.server",
    "make_transport": "emulator.inprocess",
}

__all__ = [
    "CommandError",
    "Emulation",
    "EmulatorServer",
    "Handle",
    "JournalEntry",
    "LoadError",
    "create_app",
    "make_runtime",
    "make_transport",
    "transport",
]


def transport(library: Any = None) -> Any:
    """A transport for httpx clients, onto an emulator of its own: no server, no socket, unpaced."""
    from emulator.inprocess import make_transport
    from emulator.server import make_runtime

    return make_transport(make_runtime(pace=0), None, library)


def __getattr__(name: str) -> Any:
    """Import on first use: a test run that has the plugin installed and unused pays nothing."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
