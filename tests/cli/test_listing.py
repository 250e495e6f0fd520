"""`list`, `explain`, `schema`, `--help` and `--version`."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from emulator import EmulatorServer, make_runtime
from emulator.catalog.reading import read_yaml
from emulator.cli import main
from emulator.mechanisms.fault_catalogue import FAULTS, OF_REQUESTS

from . import acme
from .conftest import Run

ROOT = Path(__file__).parents[2]
KEYS = ["provider", "operation_id", "method", "path", "statuses", "grade", "source"]
COMMANDS = ["serve", "check", "list", "explain", "schema", "contract"]


def _rows(run: Run, *arguments: object) -> list[dict[str, Any]]:
    result = run("list", "--json", *arguments)
    assert result.exit_code == 0
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def test_json(run: Run) -> None:
    rows = _rows(run)
    assert {tuple(row) for row in rows} == {tuple(KEYS)}
    assert {row["grade"] for row in rows} <= {"documented", "observed", "assumed"}
    assert all(isinstance(status, int) for row in rows for status in row["statuses"])
    assert [row for row in rows if row["provider"] == "nugen"] == _rows(run, "nugen")
    assert len({row["provider"] for row in rows}) == 4
    assert len({(row["provider"], row["operation_id"]) for row in rows}) == len(rows)


def test_table_has_every_operation(run: Run) -> None:
    lines = run("list").stdout.splitlines()
    for row in _rows(run):
        cells = [row["provider"], row["operation_id"], row["method"], row["path"], *map(str, row["statuses"])]
        assert any(line.split() == [*cells, row["grade"]] for line in lines), row


def test_one_provider_shows_what_can_be_asked_of_it(run: Run) -> None:
    result = run("list", "nugen")
    assert result.exit_code == 0
    for told in ("quota_exhausted", "nugen-spent-*", "max-tokens-2000", "gateway_down", "slow_reasoner"):
        assert told in result.stdout
    assert "barrack" not in result.stdout


def test_markdown_is_a_table(run: Run) -> None:
    rows = [line.strip("| ").split(" | ") for line in run("list", "--markdown").stdout.splitlines()]
    assert {len(row) for row in rows} == {4}
    assert [f"`{row['method']} {row['path']}`" for row in _rows(run)] == [row[1] for row in rows[2:]]


def test_every_fault_is_listed_and_explained(run: Run) -> None:
    listed = run("explain", "fault").stdout.splitlines()
    assert [line.split()[0] for line in listed] == list(FAULTS)
    for kind in FAULTS.values():
        told = run("explain", "fault", kind.name).stdout
        for part in (kind.layer, kind.seen, kind.incident, *kind.arguments):
            assert part in told


def test_the_examples_of_faults_run(run: Run) -> None:
    with EmulatorServer(make_runtime(["nugen"])) as server:
        for name in OF_REQUESTS:
            last = run("explain", "fault", name).stdout.splitlines()[-1]
            examples = last.removeprefix("  for example    ").split(" or ")
            assert examples[0] == f'handle.fail(fault="{name}")'
            for example in examples:
                eval(example, {"handle": server["nugen"]})  # noqa: S307
    assert 'handle.fail(fault={"cut": {"after_events": 2}})' in run("explain", "fault", "cut").stdout


def test_defaults_of_a_fault_are_told_as_they_are_written(run: Run) -> None:
    assert "(default 30s)" in run("explain", "fault", "hang").stdout
    assert "(default false)" in run("explain", "fault", "garbage").stdout
    assert '(default "server_error")' in run("explain", "fault", "error_event").stdout


def test_a_fault_that_is_none_is_told_those_there_are(run: Run) -> None:
    result = run("explain", "fault", "melt")
    assert result.exit_code == 2
    assert "no fault is called 'melt'; there are refuse, " in result.stderr
    assert "`emulator explain fault`" in result.stderr


def test_a_method_needs_a_path(run: Run) -> None:
    result = run("explain", "GET")
    assert result.exit_code == 2
    assert "GET of which path?" in result.stderr
    assert "emulator explain fault reset" in run("explain", "faults").stderr


@pytest.mark.parametrize(
    "address",
    [
        "https://api.nugen.in/inference/chat_text",
        "http://127.0.0.1:8000/nugen/inference/chat_text",
        "http://127.0.0.1:8000/~blue/nugen/inference/chat_text?stream=1",
        "/nugen/inference/chat_text?stream=1",
    ],
)
def test_an_address_as_clients_have_it_is_explained(run: Run, address: str) -> None:
    assert run("explain", "POST", address).stdout == run("explain", "POST", "/nugen/inference/chat_text").stdout != ""


@pytest.mark.parametrize("other", ["--markdown", "--scenarios"])
def test_one_output_at_a_time(run: Run, other: str) -> None:
    result = run("list", "--json", other)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"error: --json and {other} are two outputs\nhint: choose one\n"


READY = {
    *("flaky_then_fine", "brown_out", "quota_cliff", "auth_outage", "gateway_down", "slow_reasoner"),
    *("truncating_proxy", "out_of_credit"),
}


def test_ready_scenarios_are_listed_one_a_line(run: Run) -> None:
    rows = [line.split(None, 2) for line in run("list", "--scenarios").stdout.splitlines()]
    assert all(len(row) == 3 for row in rows)
    for provider in {row["provider"] for row in _rows(run)}:
        assert {name for p, name, _ in rows if p == provider} >= READY
    only = run("list", "nugen", "--scenarios").stdout.splitlines()
    assert {line.split()[0] for line in only} == {"nugen"}


def test_own_provider_is_listed(run: Run, tmp_path: Path) -> None:
    rows = _rows(run, "acme", "--data", acme.write(tmp_path))
    assert [row["path"] for row in rows] == ["/v1/chat/completions", "/v1/models"]


def test_unknown_provider(run: Run) -> None:
    result = run("list", "nope")
    assert (result.exit_code, result.stderr.splitlines()) == (
        2,
        ["error: no provider is called `nope`", "hint: `emulator list` shows them all; `--data DIR` adds your own"],
    )


def _place_exists(where: str) -> bool:
    file, _, line = where.rpartition(":")
    return 1 <= int(line) <= len((ROOT / file).read_text(encoding="utf-8").splitlines())


def test_explain_leads_to_lines_that_exist(run: Run) -> None:
    for row in _rows(run):
        result = run("explain", row["method"].lower(), f"/{row['provider']}{row['path']}")
        assert result.exit_code == 0
        first, *lines = result.stdout.splitlines()
        assert first.split()[:2] == ["operation", row["operation_id"]]
        for line in [first, *lines]:
            assert line.endswith("the language's default") or _place_exists(line.split()[-1]), line
        told = {int(line.split()[1]) for line in lines if line.startswith("refusal ")}
        assert told == {status for status in row["statuses"] if status >= 300}


def test_explain_of_what_is_installed_leads_to_lines_that_exist(tmp_path: Path) -> None:
    """Where the data lie in the package, as a wheel has them, and not beside it."""
    shutil.copytree(ROOT / "emulator", tmp_path / "emulator", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("fixtures", "specs"):
        shutil.copytree(ROOT / folder, tmp_path / "emulator" / "_data" / folder)
    command = [sys.executable, "-m", "emulator", "explain", "POST", "/generalcompute/v1/chat/completions"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    places = re.findall(r"(/\S+\.yaml):(\d+)$", done.stdout, re.MULTILINE)
    assert len(places) > 10
    for file, line in places:
        assert len(Path(file).read_text().splitlines()) >= int(line)
    assert not re.search(r"\s(fixtures|specs)/", done.stdout)


def test_explain_and_the_table_grade_alike(run: Run) -> None:
    """A status in brackets is not documented of the operation, wherever else its error is."""
    for row in [line.strip("| ").split(" | ") for line in run("list", "--markdown").stdout.splitlines()[2:]]:
        provider, (method, path) = row[0].split("`")[1], row[1].strip("`").split()
        guessed = set(re.findall(r"\((\d+)\)", row[3]))
        lines = run("explain", method, f"/{provider}{path}").stdout.splitlines()
        told = {line.split()[1] for line in lines if line.startswith("refusal ") and " documented " in line}
        assert not told & guessed, row


def test_explain_reads_as_a_person_writes(run: Run) -> None:
    lines = run("explain", "POST", "/nugen/inference/embeddings").stdout.splitlines()
    told = {line.split()[0]: line for line in lines}
    assert "quota in 30d" in told["limit"]
    assert "makes vectors" in told["behaviour"]


def test_explain_names_the_very_line(run: Run) -> None:
    lines = run("explain", "POST", "/nugen/inference/chat_text").stdout.splitlines()
    (place,) = (line.split()[-1] for line in lines if line.startswith("refusal ") and "bad_gateway" in line)
    file, _, number = place.rpartition(":")
    assert (ROOT / file).read_text(encoding="utf-8").splitlines()[int(number) - 1].strip().startswith("bad_gateway:")


def test_explain_own_provider(run: Run, tmp_path: Path) -> None:
    limits = "limits: {rules: [{name: r, capacity: 1, per: 1s, algorithm: fixed_window, source: convention}]}\n"
    folder = acme.write(tmp_path, {"fixtures/acme/limits.yaml": limits})
    result = run("explain", "GET", "/~blue/acme/v1/models", "--data", folder)
    assert re.search(rf"^limit .* {re.escape(str(folder))}/fixtures/acme/limits.yaml:1$", result.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "/nope/v1", "no provider is called 'nope'; paths begin with one of /barrack, "),
        ("GET", "/nugen/nope", "nugen has nothing at /nope; there are POST /nugen/inference/chat_text"),
        ("GET", "/nugen/inference/chat_text", "/inference/chat_text does not take GET; it takes POST"),
    ],
)
def test_explain_of_nothing(run: Run, method: str, path: str, told: str) -> None:
    result = run("explain", method, path)
    assert result.exit_code == 2
    error, hint = result.stderr.splitlines()
    assert error.startswith(f"error: {told}")
    assert hint.startswith("hint: ")


def test_schema_is_the_packaged_one(run: Run) -> None:
    assert json.loads(run("schema").stdout) == json.loads((ROOT / "fixtures/schema.json").read_text(encoding="utf-8"))


def test_an_editor_has_nothing_against_data_that_are_right(run: Run) -> None:
    """What a file leaves out its dialect may give, but for members of lists, which replace others whole."""
    described = jsonschema_rs.validator_for(json.loads(run("schema").stdout))
    for folder in (ROOT / "fixtures", ROOT / "tests/cloud/data/fixtures"):
        for file in sorted(folder.glob("*/*.yaml")):
            told = [
                f"{error.instance_path}: {error.message}" for error in described.iter_errors(read_yaml(file, "").data)
            ]
            assert not told, file
    assert not described.is_valid({"limits": {"rules": [{"name": "r"}]}})
    assert not described.is_valid({"limits": {"rule": []}})


def test_help(run: Run) -> None:
    assert sorted(COMMANDS) == sorted(main.commands)
    result = run("--help")
    assert result.exit_code == 0
    assert all(re.search(rf"^  {command} +\S", result.stdout, re.MULTILINE) for command in COMMANDS)
    assert "..." not in result.stdout.split("Commands:")[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_tells_of_every_option(run: Run, command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: emulator {command} ")
    for parameter in main.commands[command].params:
        help_text = getattr(parameter, "help", None)
        assert parameter.param_type_name == "argument" or help_text, parameter.name
    assert result.stdout == run(command, "-h").stdout


def test_module_runs_with_its_version() -> None:
    command = [sys.executable, "-m", "emulator", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    assert re.search(r"version \d+\.\d+\.\d+$", done.stdout)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["explain", "fault"], ["--help"]])
def test_a_full_disk_is_told(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "emulator", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
    told = "error: the output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)


@pytest.mark.parametrize("options", [["acme"], ["--scenarios"], ["--markdown"]])
def test_output_of_an_encoding_that_lacks_a_character_has_its_number(tmp_path: Path, options: list[str]) -> None:
    told = 'title: "Sn\u00f6w \u2603"\nscenarios: {f: {summary: "sn\u00f6w \u2603", steps: [{refuse: unavailable}]}}\n'
    folder = acme.write(tmp_path, {"fixtures/acme/provider.yaml": acme.PROVIDER + told})
    command = [sys.executable, "-m", "emulator", "list", *options, "--data", str(folder)]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}  # as on Windows, where output goes to a file
    done = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, b"")
    assert "n\u00f6w \\u2603" in done.stdout.decode("cp1252")


def test_a_terminal_shows_every_path_whole() -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "emulator", "list", "nugen"]
    environment = {**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "dumb"}
    with subprocess.Popen(command, stdout=theirs, env=environment):  # noqa: S603
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # how a terminal ends that nobody writes to any more
            while more := os.read(ours, 65536):
                shown += more
    os.close(ours)
    assert b"POST" in shown
    assert "…" not in shown.decode()


DOTTED = """\
openapi: 3.1.0
info: {title: Acme, version: "1"}
servers: [{url: https://api.acme.test/v1}]
paths:
  /jobs:
    get:
      operationId: listJobs
      responses:
        "200": {description: "", content: {application/json: {schema: {$ref: "#/components/schemas/v1.Job"}}}}
        "500":
          {description: "", content: {application/json: {schema: {$ref: "parts.yaml#/components/schemas/v1.Error"}}}}
components:
  schemas:
    v1.Job:
      x-source: ours
      properties:
        id.of: {x-source: guess}
"""
PARTS = "components:\n  schemas:\n\n    v1.Error: {x-source: ours}\n"


def _dotted(folder: Path, parts: str = PARTS) -> Path:
    own = "sources: {ours: {ref: page, grade: documented}, guess: {ref: guess, grade: assumed}}\nshapes: {job: {}}\n"
    own += "operations: {listJobs: {source: ours, shape: job}}\n"
    return acme.write(folder, {"specs/acme.yaml": DOTTED, "specs/parts.yaml": parts, "fixtures/acme/own.yaml": own})


def test_components_with_a_dot_in_their_names(run: Run, tmp_path: Path) -> None:
    """As generators of OpenAPI write those of packages; also of another file."""
    result = run("explain", "GET", "/acme/v1/jobs", "--data", _dotted(tmp_path))
    fields = [line.split()[1:] for line in result.stdout.splitlines() if line.startswith("fields")]
    assert fields == [
        ["v1.Job", "documented", f"{tmp_path}/specs/acme.yaml:14"],
        ["v1.Job.id.of", "assumed", f"{tmp_path}/specs/acme.yaml:17"],
        ["v1.Error", "documented", f"{tmp_path}/specs/parts.yaml:4"],
    ]


def test_a_source_of_a_component_that_is_none_is_told_with_its_line(run: Run, tmp_path: Path) -> None:
    result = run("check", _dotted(tmp_path, PARTS.replace("ours", "theirs")))
    told = f'{tmp_path}/specs/parts.yaml:4 components.schemas.v1.Error.x-source: "theirs" does not exist; there are '
    assert result.stderr.startswith(told)
