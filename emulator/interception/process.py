"""Opening and closing an interception: what it changes in the process, and changes back."""

import importlib.abc
import importlib.machinery
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

from emulator.exchange import Runtime
from emulator.interception import aiohttp_client, blocks, guard, httpx_client, requests_client

_LIBRARIES: dict[str, Callable[[ExitStack, Any], None]] = {
    "httpx": httpx_client.patch,
    "httpx2": httpx_client.patch,
    "requests": requests_client.patch,
    "aiohttp": aiohttp_client.patch,
}


@contextmanager
def intercept(runtime: Runtime, tenant: str | None, *, only: bool = False) -> Iterator[None]:
    """Send requests of the known HTTP libraries for the providers' real addresses to the emulator.

    With `only`, a connection to anything else but loopback raises BlockedConnection. Process-wide: what other
    threads ask is answered, too, by their own innermost interception or else the latest.
    """
    block = blocks.begin(runtime, tenant, only=only)
    try:
        with _libraries, _sockets if block.only else ExitStack():
            yield
    finally:
        blocks.end(block)


class _Shared:
    """A change to the process that lasts from the first block that needs it to the end of the last."""

    def __init__(self, change: Callable[[ExitStack], None]) -> None:
        self._change = change
        self._undo = ExitStack()
        self._users = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                with ExitStack() as undo:
                    self._change(undo)
                    self._undo = undo.pop_all()
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._undo.close()


def _change_libraries(undo: ExitStack) -> None:
    """Now those that are imported, the others when they are: none is imported for the sake of it."""
    for name, patch in _LIBRARIES.items():
        if name in sys.modules:
            patch(undo, sys.modules[name])
    finder = _Finder(undo)
    sys.meta_path.insert(0, finder)
    undo.callback(sys.meta_path.remove, finder)


class _Finder(importlib.abc.MetaPathFinder):
    """Sees a library being imported, and changes it before its importer gets it."""

    def __init__(self, undo: ExitStack) -> None:
        self._undo = undo

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in _LIBRARIES:
            return None
        others = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, others), None)
        if spec is not None and spec.loader is not None:
            self._follow(spec.loader, name)
        return spec

    def _follow(self, loader: Any, name: str) -> None:
        load = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            load(module)
            if self in sys.meta_path:
                _LIBRARIES[name](self._undo, module)

        loader.exec_module = exec_module


_libraries = _Shared(_change_libraries)
_sockets = _Shared(guard.patch)
