"""The file of `--state`: what goes wrong with it for a moment passes, what is wrong with it at the start is told."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import Run, Serve
from .serving import Served

AGENT = (
    '{"agent_name": "LEVELS deep", "agent_description": "d", "instructions": "i", "model": "gpt-oss-20b",'
    ' "demonstrations": [{"user_input": "a", "model_output": "b", "more": DEEP}]}'
)
MODELS = "/generalcompute/v1/models"


def created(served: Served, levels: int) -> httpx.Response:
    """What comes of an agent with so many levels of nothing in a field that its schema leaves open."""
    content = AGENT.replace("LEVELS", str(levels)).replace("DEEP", "[" * levels + "]" * levels)
    headers = {"authorization": "Bearer nugen-1", "content-type": "application/json"}
    return httpx.post(f"{served.url}/nugen/api/v3/agents/create", content=content, headers=headers)


def test_no_request_ends_what_is_kept(serve: Serve, tmp_path: Path) -> None:
    first = serve("--state", tmp_path / "state.db")
    assert [created(first, levels).status_code for levels in (1, 197, 198, 400, 980, 1000, 5000)] == [
        200, 200, 422, 422, 422, 422, 422
    ]  # fmt: skip
    assert first.get(MODELS).status_code == 200
    first.stop()
    assert len(serve("--state", tmp_path / "state.db").journal()) == 8


def test_a_file_that_is_locked_for_a_moment(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    first = serve("--state", file)
    assert first.get(MODELS).status_code == 200
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert created(first, 1).status_code == 200
        other.execute("COMMIT")
    assert first.get(MODELS).status_code == 200
    assert "state is not kept before the next request: database is locked" in first.errors.read_text()
    first.stop()
    assert [status for _, _, status in serve("--state", file).journal()] == [200, 200, 200]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_what_was_late_is_written_at_the_end(serve: Serve, tmp_path: Path, how: signal.Signals) -> None:
    file = tmp_path / "state.db"
    first = serve("--state", file)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert created(first, 1).status_code == 200
        other.execute("ROLLBACK")
    first.stop(how)
    assert not file.with_name("state.db-wal").exists()
    assert len(serve("--state", file).journal()) == 1


def test_a_file_belongs_to_one_server(serve: Serve, run: Run, tmp_path: Path) -> None:
    file, link = tmp_path / "state.db", tmp_path / "link.db"
    link.symlink_to(file)
    first = serve("--state", file)
    assert first.get(MODELS).status_code == 200
    for name in (file, link):
        refused = run("serve", "--port", "0", "--state", name)
        assert refused.exit_code == 2
        assert refused.stderr == (
            f"error: cannot keep state in {name}: another server keeps its state there\n"
            "hint: stop that one, or choose a new file\n"
        )
    first.stop(signal.SIGKILL)
    assert len(serve("--state", file).journal()) == 1


BROKEN: dict[str, Any] = {"no JSON": "{oops", "nothing": None, "too deep": "[" * 100_000 + "]" * 100_000}


@pytest.mark.parametrize("case", BROKEN)
def test_a_cell_that_cannot_be_read(run: Run, tmp_path: Path, case: str) -> None:
    file = tmp_path / "state.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as kept:
        kept.execute("CREATE TABLE cells (tenant TEXT, kind TEXT, key TEXT, data TEXT)")
        kept.execute("INSERT INTO cells VALUES ('blue', 'variants', 'barrack', ?)", (BROKEN[case],))
    result = run("serve", "--port", "0", "--state", file)
    assert result.exit_code == 2
    assert result.stderr == (
        f"error: cannot keep state in {file}: the cell `variants barrack` of the tenant blue cannot be read\n"
        "hint: choose a new file, or restore this one\n"
    )


def test_a_file_of_a_newer_format(run: Run, tmp_path: Path) -> None:
    """It is refused before anything of it is changed."""
    file = tmp_path / "state.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as kept:
        kept.execute("CREATE TABLE cells (tenant TEXT, whatever BLOB)")
        kept.execute("PRAGMA user_version=2")
    before = file.read_bytes()
    result = run("serve", "--port", "0", "--state", file)
    assert (result.exit_code, result.stderr) == (
        2,
        f"error: cannot keep state in {file}: its format is 2, and this emulator knows 1\n"
        "hint: use the emulator that wrote it, which is newer, or choose a new file\n",
    )
    assert file.read_bytes() == before


def test_a_file_without_a_format_is_taken_and_says_it_from_then_on(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    for count in (1, 2):
        served = serve("--state", file)
        assert served.get(MODELS).status_code == 200
        assert len(served.journal()) == count
        served.stop()
        with closing(sqlite3.connect(file, isolation_level=None)) as kept:
            assert kept.execute("PRAGMA user_version").fetchone() == (1,)
            kept.execute("PRAGMA user_version=0")


def test_a_file_that_is_damaged_meanwhile(serve: Serve, tmp_path: Path) -> None:
    """It is told, and everybody is answered."""
    file = tmp_path / "state.db"
    first = serve("--state", file)
    assert first.get(MODELS).status_code == 200
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        (version,) = other.execute("PRAGMA schema_version").fetchone()
        other.execute("PRAGMA writable_schema = ON")
        other.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE cells'")
        other.execute(f"PRAGMA schema_version = {version + 1}")
    assert [first.get(MODELS).status_code for _ in range(2)] == [200, 200]
    assert len(first.journal()) == 3
    assert "state is not kept before the next request: malformed database schema" in first.errors.read_text()
    first.stop()
