"""Folders for `--data` with copies of real providers under other names."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

from .machine import ROOT

PROVIDERS = 50
_COPIED = ("barrack", "nugen")


@contextmanager
def fifty() -> Iterator[Path]:
    """What brings the four providers to fifty: two large ones again and again."""
    with tempfile.TemporaryDirectory() as name:
        for i, original in enumerate(islice(cycle(_COPIED), PROVIDERS - 4)):
            copy(original, f"copy{i:02}", Path(name))
        yield Path(name)


@contextmanager
def stocked() -> Iterator[Path]:
    """The cloud as a provider `stocked`, which has more machines than a load uses up. Nothing else is different."""
    with tempfile.TemporaryDirectory() as name:
        resources = copy("barrack", "stocked", Path(name)) / "resources.yaml"
        text = resources.read_text(encoding="utf-8")
        resources.write_text(re.sub(r"available: \d+", "available: 100000000", text), encoding="utf-8")
        yield Path(name)


def copy(original: str, name: str, folder: Path) -> Path:
    """Copy a provider into a folder under another name and with another address; gives its fixtures."""
    provider, spec = folder / "fixtures" / name, folder / "specs" / f"{name}.yaml"
    for parent in (provider, spec.parent):
        parent.mkdir(parents=True, exist_ok=True)
    own = {"id": name, "spec": spec.name, "origin": f"https://{name}.test"}
    for file in (ROOT / "fixtures" / original).glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        for key, value in own.items() if file.name == "provider.yaml" else ():
            text = re.sub(rf"^{key}: .*$", f"{key}: {value}", text, flags=re.MULTILINE)
        provider.joinpath(file.name).write_text(text, encoding="utf-8")
    spec.write_text((ROOT / "specs" / f"{original}.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return provider
