"""Files of the user's cache folder: text that was made of other files, kept while those stay what they are.

The name of a shelf is the hash of all that its files were made from; so nothing there is ever changed, only added.
Files are written under another name first and then renamed, and start with a hash of what follows. Only files are read
that belong to the user, and that nobody else may write to; what they hold is text, which names nothing to be run.
"""

import logging
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

from emulator.catalog.places import files_below, stamp
from emulator.mechanisms.records import record

log = logging.getLogger("emulator")
_PACKAGE = Path(__file__).resolve().parent.parent
_MOST_SHELVES = 16
_SHELF = re.compile("[0-9a-f]{40}")
_VARIABLE = "EMULATOR_CACHE"


def folder() -> Path | None:
    """The cache folder: the one that EMULATOR_CACHE names, or the platform's; None where it is set to nothing."""
    chosen = os.environ.get(_VARIABLE)
    if chosen is not None:
        return Path(chosen) if chosen.strip() else None
    try:
        return _of_platform() / "emulator"
    except RuntimeError:  # a user without a home
        return None


def _of_platform() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def fingerprint(files: Iterable[str], *also: str) -> str:
    """A hash of files with their names, of `also`, of this package and of the Python that runs it. Raises OSError."""
    digest = blake2b(digest_size=20)
    for part in (sys.version, sys.platform, *also, *_own_state()):
        digest.update(os.fsencode(f"{part}\n"))
    for file in files:
        data = Path(file).read_bytes()
        digest.update(os.fsencode(f"{file} {len(data)}\n"))  # names are bytes
        digest.update(data)
    return digest.hexdigest()


def _own_state() -> Iterator[str]:
    """What this package is made of and installed beside, told as Python tells its own bytecode: by time and size."""
    modules = (file for file in files_below(_PACKAGE) if file.endswith((".py", ".json")))
    for file in (*modules, *(folder for folder in sys.path if folder.endswith("site-packages"))):
        yield f"{file} {stamp(file)}"


@record
class Shelf:
    """The files that were made from the same others."""

    path: Path

    def read(self, name: str) -> list[bytes] | None:
        """The lines that were kept under a name, or None where nothing can be trusted to be them."""
        try:
            data = _read_own(self.path / name)
        except OSError:
            return None
        digest, _, text = data.partition(b"\n")
        return text.split(b"\n") if digest == self._digest(name, text) else None

    def write(self, name: str, lines: Iterable[bytes]) -> None:
        """Keep lines under a name. That a folder cannot be written to is no error."""
        import tempfile

        text = b"\n".join(lines)
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, unfinished = tempfile.mkstemp(dir=self.path)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(self._digest(name, text) + b"\n" + text)
                Path(unfinished).replace(self.path / name)
            except OSError:
                Path(unfinished).unlink()
                raise
        except OSError as error:
            log.debug("nothing is cached: %s", error)

    def _digest(self, name: str, text: bytes) -> bytes:
        """Of the text and of where it belongs, so that a file that was moved is none."""
        return blake2b(text, key=f"{self.path.name}/{name}".encode()[:64], digest_size=20).hexdigest().encode()

    def prune(self) -> None:
        """Leave the newest shelves beside this one, and drop the others."""
        import shutil

        try:
            shelves = [s for s in self.path.parent.iterdir() if _SHELF.fullmatch(s.name)]
            shelves.sort(key=lambda s: s.stat().st_mtime)
        except OSError:
            return
        for old in shelves[:-_MOST_SHELVES]:
            shutil.rmtree(old, ignore_errors=True)


def _read_own(file: Path) -> bytes:
    """What a file of the user's own holds. Raises OSError, also for one that others own or may write to."""
    handle = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as opened:
        status = os.fstat(opened.fileno())
        shared = hasattr(os, "geteuid") and (status.st_uid != os.geteuid() or status.st_mode & 0o022)
        if shared or not stat.S_ISREG(status.st_mode):
            raise PermissionError(f"{file} is not the user's alone")
        return opened.read()
