"""Where `fixtures/` and `specs/` are: packaged in a wheel, in the checkout, or in folders of the user's own."""

from dataclasses import dataclass
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class DataRoot:
    """A folder with `fixtures/` and `specs/`."""

    path: Path
    shown: str
    """How problems name the folder; empty for the folder itself."""

    def show(self, file: Path) -> str:
        relative = file.relative_to(self.path).as_posix()
        return f"{self.shown}/{relative}" if self.shown else relative


def packaged() -> DataRoot:
    """The data that comes with the emulator."""
    for candidate in (_PACKAGE / "_data", _PACKAGE.parent):
        if (candidate / "fixtures").is_dir():
            return DataRoot(candidate, "")
    raise FileNotFoundError("the packaged fixtures/ and specs/ are missing; reinstall the emulator")


def own(folder: str | Path) -> DataRoot:
    """A user's folder."""
    return DataRoot(Path(folder).resolve(), str(folder).rstrip("/"))
