"""The rules of the house that a reader relies on, held by walking the code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import emulator

PACKAGE = Path(emulator.__file__).parent
ROOT = PACKAGE.parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the ground up: a module imports only from its own floor's left.
FLOORS = [
    "refusals", "mechanisms", "operation", "provider", "exchange", "wire", "stages", "pipeline", "catalog", "edge",
    "commands", "overview", "control", "inprocess", "interception", "handles", "app", "server", "contract", "terminal",
    "cli", "pytest_plugin", "__init__", "__main__",
]  # fmt: skip
MOST_LINES = 400


def imports(file: Path) -> Iterator[str]:
    """Dotted names a module imports, `from x import y` as both `x` and `x.y`."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def floor(dotted: str) -> str:
    """`emulator.stages.route` stands on `stages`."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def own_name(file: Path) -> str:
    return ".".join(("emulator", *file.relative_to(PACKAGE).with_suffix("").parts))


@pytest.mark.parametrize("file", MODULES, ids=own_name)
def test_imports_run_one_way(file: Path) -> None:
    here = floor(own_name(file))
    for name in imports(file):
        if not name.startswith("emulator.") or floor(name) not in FLOORS:
            continue
        below = FLOORS.index(floor(name)) <= FLOORS.index(here)
        assert below or here == "__init__", f"{own_name(file)} imports {name} from a floor above"


@pytest.mark.parametrize("file", sorted((PACKAGE / "stages").glob("[a-z]*.py")), ids=own_name)
def test_stages_never_import_each_other(file: Path) -> None:
    assert not [name for name in imports(file) if name.startswith("emulator.stages")]


@pytest.mark.parametrize("folder", ["mechanisms", "stages"])
def test_the_request_path_is_free_of_frameworks(folder: str) -> None:
    for file in (PACKAGE / folder).glob("*.py"):
        roots = {name.split(".")[0] for name in imports(file)}
        assert not roots & {"starlette", "uvicorn", "yaml", "pydantic"}, file.name


OWNERS = {
    "cel": ["mechanisms/expressions.py"],
    "time": ["mechanisms/clock.py", "inprocess.py", "contract/bounds.py"],
    "datetime": ["mechanisms/clock.py"],
    "uuid": ["mechanisms/entropy.py"],
    "secrets": [],
}


@pytest.mark.parametrize("module", OWNERS)
def test_time_and_chance_have_one_owner(module: str) -> None:
    users = [f.relative_to(PACKAGE).as_posix() for f in MODULES if module in imports(f)]
    assert sorted(set(users) - set(OWNERS[module])) == []


def test_chance_is_always_seeded() -> None:
    """`random` is imported for its type, and made only from an exchange's entropy."""
    makers = [f.name for f in MODULES if "random.Random(" in f.read_text() and f.name != "entropy.py"]
    assert makers == []
    for file in MODULES:
        calls = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)]
        direct = [c for c in calls if isinstance(c.func, ast.Attribute) and ast.unparse(c.func).startswith("random.")]
        assert not direct or file.name == "entropy.py", file


def test_no_provider_is_named_in_the_code() -> None:
    names = [folder.name for folder in (ROOT / "fixtures").iterdir() if folder.is_dir()]
    assert len(names) >= 5
    for file in PACKAGE.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts and "_data" not in file.parts:
            text = file.read_text(encoding="utf-8").lower()
            assert not [name for name in names if name in text], file


def test_the_public_names_exist() -> None:
    for name in emulator.__all__:
        assert getattr(emulator, name) is not None
    with pytest.raises(AttributeError):
        emulator.nothing  # type: ignore[attr-defined]  # noqa: B018 - unused, mypy says, where any name would do


def test_the_pipeline_fits_on_a_screen() -> None:
    assert len((PACKAGE / "pipeline.py").read_text().splitlines()) < 100


@pytest.mark.parametrize("file", MODULES, ids=own_name)
def test_a_module_can_be_read_in_one_go(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= MOST_LINES
