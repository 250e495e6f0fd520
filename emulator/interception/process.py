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
                self._change(self._undo)
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
            spec.loader = _Following(spec.loader, self._imported)
        return spec

    def _imported(self, module: ModuleType) -> None:
        if self in sys.meta_path:
            _LIBRARIES[module.__name__](self._undo, module)


class _Following(importlib.abc.Loader):
    """A module's own loader, and a word when it is done. The module never learns of the difference."""

    def __init__(self, real: Any, done: Callable[[ModuleType], None]) -> None:
        self._real = real
        self._done = done

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._real.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._real
        if module.__spec__ is not None:
            module.__spec__.loader = self._real
        self._real.exec_module(module)
        self._done(module)


_libraries = _Shared(_change_libraries)
_sockets = _Shared(guard.patch)
