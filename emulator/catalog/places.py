"""Where `fixtures/` and `specs/` are: packaged in a wheel, in the checkout, or in folders of the user's own."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from emulator.mechanisms.records import record

_PACKAGE = Path(__file__).resolve().parent.parent


@record
class DataRoot:
    """A folder with `fixtures/` and `specs/`."""

    path: Path
    shown: str
    """How problems and `explain` name the folder; empty where they name its files from within it."""
    own: bool = False
    """Whether it is a user's."""

    def show(self, file: Path) -> str:
        """How problems name a file; one of elsewhere, which data may name, by its own path."""
        if not file.is_relative_to(self.path):
            return file.as_posix()
        relative = file.relative_to(self.path).as_posix()
        return f"{self.shown}/{relative}" if self.shown else relative


def packaged() -> DataRoot:
    """The data that comes with the emulator."""
    for candidate, shown in ((_PACKAGE / "_data", (_PACKAGE / "_data").as_posix()), (_PACKAGE.parent, "")):
        if (candidate / "fixtures").is_dir():
            return DataRoot(candidate, shown)
    raise FileNotFoundError("the packaged fixtures/ and specs/ are missing; reinstall the emulator")


def own(folder: str | Path) -> DataRoot:
    """A user's folder."""
    return DataRoot(Path(folder).resolve(), str(folder).rstrip("/"), own=True)


Signature = tuple[tuple[str, int, int], ...]
_FOLDERS = ("fixtures", "specs", "resources")


def data_files(root: DataRoot) -> Iterator[str]:
    """Every file that data can come from, in order."""
    for folder in _FOLDERS:
        yield from files_below(root.path / folder)


def files_below(folder: str | Path) -> Iterator[str]:
    """Every file in a folder and its folders, in order; none where there is no folder. Links that go round are left."""
    yield from _below(folder, frozenset())


def _below(folder: str | Path, around: frozenset[tuple[int, int]]) -> Iterator[str]:
    """The files below, if the folder is none of those around it, told by device and number."""
    try:
        status = Path(folder).stat()
        here = status.st_dev, status.st_ino
        entries = [] if here in around else sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if _is_folder(entry):
            yield from _below(entry.path, around | {here})
        else:
            yield entry.path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def signature(roots: Iterable[DataRoot]) -> Signature:
    """Names, times and sizes of all data files, to notice that one changed."""
    return tuple((file, *stamp(file)) for root in roots for file in data_files(root))


def stamp(file: str) -> tuple[int, int]:
    """When a file was changed last, and its size; zeros where there is none."""
    try:
        status = Path(file).stat()
    except OSError:  # an editor is just replacing it
        return 0, 0
    return status.st_mtime_ns, status.st_size
