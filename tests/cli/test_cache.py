"""The cache of compiled data: used when nothing changed, never trusted otherwise, never needed."""

import json
import os
import re
import shutil
import sys
from pathlib import Path
from subprocess import PIPE, Popen, run

import pytest

import emulator
from emulator import CommandError, Emulation, catalog, make_runtime
from emulator.catalog.kept import kept_of
from emulator.catalog.places import own, packaged
from emulator.catalog.stored import lines_of, provider_of
from emulator.mechanisms.tenants import DEFAULT_TENANT

from . import acme
from .conftest import Run

ROOT = Path(emulator.__file__).parent.parent
COMPILERS = {"pydantic", "yaml", "jsonschema_rs"}
"""What Acme needs to be compiled: it says nothing that only CEL knows."""
LATE = {
    *COMPILERS,
    "cel.cel",
    "rich",
    "httpx",
    "faker",
    "hypothesis",
    "schemathesis",
    "starlette.applications",
    "sqlite3",
}
START = """
import json, sys
from emulator import cli, server
runtime = server.make_runtime(json.loads(sys.argv[1]), data=json.loads(sys.argv[2]))
cli._greet(server.EmulatorServer(runtime))
print(json.dumps([[f.base.title for f in runtime.providers.values()], sorted(sys.modules)]))
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache folder of the test's own, which is not there yet."""
    return tmp_path / "cache"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return acme.write(tmp_path / "data")


def command(script: str, *arguments: object, root: Path = ROOT) -> list[str]:
    return [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(root)!r})\n{script}",
        *map(json.dumps, arguments),
    ]


def start(cache: Path | str, *data: Path, only: tuple[str, ...] = ("acme",), root: Path = ROOT) -> tuple[str, set[str]]:
    """Get a server ready in a process of its own: the titles it serves, and what it compiled with."""
    environment = {**os.environ, "EMULATOR_CACHE": str(cache)}
    arguments = command(START, only, [str(d) for d in data], root=root)
    done = run(arguments, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    titles, modules = json.loads(done.stdout.splitlines()[-1])
    return " ".join(titles), set(modules) & LATE


def files(cache: Path) -> list[Path]:
    return sorted(file for file in cache.rglob("*") if file.is_file())


def retitle(data: Path, title: str) -> None:
    (data / "fixtures/acme/provider.yaml").write_text(f"{acme.PROVIDER}title: {title}\n", encoding="utf-8")


def test_the_second_start_compiles_nothing_and_imports_little(cache: Path, data: Path) -> None:
    titles, modules = start(cache, data)
    assert (titles, modules) == ("acme", COMPILERS)
    assert start(cache, data) == ("acme", set())


def test_all_packaged_providers_are_kept(cache: Path) -> None:
    start(cache, only=())
    assert start(cache, only=())[1] == set()
    kept = {file.name for file in files(cache)}
    assert kept == {"_served", *(file for name in catalog.load() for file in (name, f"{name}+apart"))}


@pytest.mark.parametrize("name", list(catalog.load()))
def test_what_is_kept_of_a_provider_is_all_of_it(name: str) -> None:
    base = catalog.check()[name].base
    lines, apart = lines_of(base)
    again = provider_of(lines, lambda: apart, base.compile_steps)
    assert lines_of(again) == (lines, apart)
    assert (
        again.operations["" or next(iter(base.operations))].groups()
        == base.operations[next(iter(base.operations))].groups()
    )
    assert again.locations == base.locations


def test_a_changed_file_is_noticed(cache: Path, data: Path) -> None:
    start(cache, data)
    retitle(data, "Acme Two")
    assert start(cache, data) == ("Acme Two", COMPILERS)
    retitle(data, "Acme One")  # no longer, nor older
    assert start(cache, data) == ("Acme One", COMPILERS)


def test_a_new_file_is_noticed(cache: Path, data: Path) -> None:
    start(cache, data)
    (data / "fixtures/acme/more.yaml").write_text("title: Acme More\n", encoding="utf-8")
    assert start(cache, data) == ("Acme More", COMPILERS)


def test_another_version_of_the_emulator_is_noticed(cache: Path, data: Path, tmp_path: Path) -> None:
    root = tmp_path / "other"
    shutil.copytree(ROOT / "emulator", root / "emulator", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("fixtures", "specs"):
        shutil.copytree(packaged().path / folder, root / folder)
    start(cache, data, root=root)
    assert start(cache, data, root=root)[1] == set()
    with (root / "emulator/refusals.py").open("a") as module:
        module.write("\n")
    assert start(cache, data, root=root)[1] == COMPILERS


@pytest.mark.parametrize("spoil", ["cut", "changed", "emptied", "another's", "open to all", "a link", "gone"])
def test_what_cannot_be_trusted_is_made_anew(cache: Path, data: Path, spoil: str) -> None:
    start(cache, data)
    kept = next(file for file in files(cache) if file.name == "acme")
    whole = kept.read_bytes()
    if spoil == "cut":
        kept.write_bytes(whole[:-40])
    elif spoil == "changed":
        kept.write_bytes(whole.replace(b"acme-large", b"acme-small"))
    elif spoil == "emptied":
        kept.write_bytes(b"")
    elif spoil == "another's":
        shutil.copy(next(file for file in files(cache) if file.name == "_served"), kept)
    elif spoil == "open to all":
        kept.chmod(0o666)
    elif spoil == "a link":
        kept.rename(cache / "elsewhere")
        kept.symlink_to(cache / "elsewhere")
    else:
        kept.unlink()
    assert start(cache, data) == ("acme", COMPILERS)
    assert kept.read_bytes() == whole
    assert start(cache, data) == ("acme", set())


@pytest.mark.parametrize("spoil", ["cut", "gone"])
def test_what_few_ask_for_is_made_anew_when_it_cannot_be_trusted(cache: Path, data: Path, spoil: str) -> None:
    start(cache, data)
    told = explained(cache, data)
    apart = next(file for file in files(cache) if file.name == "acme+apart")
    whole = apart.read_bytes()
    if spoil == "cut":
        apart.write_bytes(whole[:-40])
    else:
        apart.unlink()
    assert start(cache, data) == ("acme", set())
    assert explained(cache, data) == told
    assert apart.read_bytes() == whole
    assert re.search(r"^behaviour .* fixtures/openai_compatible/.*:[0-9]+$", told, re.MULTILINE)


def explained(cache: Path, data: Path) -> str:
    """What a process of its own says of Acme's completion."""
    environment = {**os.environ, "EMULATOR_CACHE": str(cache)}
    arguments = ["explain", "POST", "/acme/v1/chat/completions", "--data", str(data)]
    asked = command(f"from emulator.cli import main\nmain({arguments!r})")
    return run(asked, env=environment, capture_output=True, text=True, check=True).stdout  # noqa: S603


def test_a_folder_that_cannot_be_written_to_is_no_error(tmp_path: Path, data: Path) -> None:
    (tmp_path / "file").write_text("")
    for _ in range(2):
        assert start(tmp_path / "file" / "cache", data) == ("acme", COMPILERS)


def test_it_can_be_turned_off(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    for _ in range(2):
        assert start("", data) == ("acme", COMPILERS)
    assert not (tmp_path / "home").exists()


def test_two_processes_can_fill_it_at_once(cache: Path, data: Path) -> None:
    environment = {**os.environ, "EMULATOR_CACHE": str(cache)}
    arguments = command(START, ["acme"], [str(data)])
    processes = [Popen(arguments, env=environment, stdout=PIPE) for _ in range(2)]  # noqa: S603
    assert [process.communicate() and process.returncode for process in processes] == [0, 0]
    assert start(cache, data) == ("acme", set())
    assert [file.name for file in files(cache)] == ["_served", "acme", "acme+apart"]


def test_mistakes_are_told_with_file_and_line_whatever_is_kept(
    cache: Path, data: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(cache, data)
    (data / "fixtures/acme/limits.yaml").write_text("limits: {rule: []}\n", encoding="utf-8")
    monkeypatch.setenv("EMULATOR_CACHE", "")
    without = run("check", data)
    monkeypatch.setenv("EMULATOR_CACHE", str(cache))
    before = files(cache)
    assert run("check", data).stderr == without.stderr
    assert f"{data}/fixtures/acme/limits.yaml:1 limits.rule: is not a key here" in without.stderr
    with pytest.raises(catalog.LoadError):
        catalog.load([data])
    assert files(cache) == before


def test_a_check_does_not_take_the_cache_at_its_word(cache: Path, data: Path) -> None:
    start(cache, data)
    script = "from emulator.cli import main\ntry:\n    main(['check'])\nfinally:\n    assert 'yaml' in sys.modules"
    environment = {**os.environ, "EMULATOR_CACHE": str(cache)}
    done = run(command(script), env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert "no findings" in done.stdout, done.stderr


def test_data_from_outside_its_folders_is_not_kept(cache: Path, data: Path) -> None:
    (data / "specs/acme.yaml").rename(data / "elsewhere.yaml")
    (data / "fixtures/acme/provider.yaml").write_text(acme.PROVIDER.replace("spec: acme", "spec: ../elsewhere"))
    for _ in range(2):
        assert start(cache, data) == ("acme", COMPILERS)


def test_variants_are_kept_and_never_mixed_with_changed_data(
    cache: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = "variants: {quiet: {summary: less, source: convention, overlay: {title: Quiet}}}\n"
    (data / "fixtures/acme/variants.yaml").write_text(variant, encoding="utf-8")
    monkeypatch.setenv("EMULATOR_CACHE", str(cache))
    first, second = (kept_of((packaged(), own(data))) for _ in range(2))
    assert first is not None
    assert second is not None
    families = catalog.load([data], ["acme"])
    assert families["acme"].with_variants(("quiet",)).title == "Quiet"
    kept = second.families(["acme"])
    assert kept is not None
    assert kept["acme"].with_variants(("quiet",)).title == "Quiet"
    again = first.families(["acme"])
    assert again is not None
    assert again["acme"].with_variants(("quiet",)).title == "Quiet"
    runtime = make_runtime(["acme"], data=[data])
    runtime.providers = second.families(["acme"]) or {}
    retitle(data, "Changed")
    for file in files(cache):
        if "+" in file.name:
            file.unlink()
    with pytest.raises(CommandError, match="changed since it was loaded"):
        Emulation(runtime, DEFAULT_TENANT, None, {})["acme"].use("quiet")


def test_old_shelves_make_room(cache: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMULATOR_CACHE", str(cache))
    (cache / "of-somebody-else").mkdir(parents=True)
    for number in range(20):
        (cache / f"{number:040x}").mkdir()
    catalog.load([data], ["acme"])
    assert len(list(cache.iterdir())) == 17
    assert (cache / "of-somebody-else").is_dir()
