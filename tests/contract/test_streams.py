"""What the suite finds in streams, when a server differs from the provider it stands for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from emulator import EmulatorServer, Handle, make_runtime
from emulator.contract import Report, streams
from emulator.contract.target import at_address

from . import acme


@contextmanager
def _served(folder: Path, **sections: Any) -> Iterator[Handle]:
    """Acme, but with these sections."""
    with EmulatorServer(make_runtime(["acme"], data=[acme.write(folder, **sections)], pace=0)) as server:
        yield server["acme"]


def _stream(sections: Any) -> dict[str, Any]:
    return {"streams": {"chat.completion.chunk": sections}}


def _check(folder: Path, handle: Handle) -> Report:
    """Hold a server against Acme as it should be."""
    report = Report()
    streams.check(at_address(acme.load(acme.write(folder / "expected")), handle.origin), report, lambda line: None)
    return report


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(acme.KEY, "emu-ok")


def test_a_right_stream_has_no_findings(tmp_path: Path) -> None:
    with _served(tmp_path / "served") as handle:
        report = _check(tmp_path, handle)
    assert not report.findings
    assert report.checks["acme", "POST /v1/chat/completions", "stream_event_schema"] > 5


@pytest.mark.parametrize(
    ("sections", "check", "told"),
    [
        (_stream({"events": {"finish": {"id": "${id}"}}}), "stream_event_schema", '"object" is a required property'),
        (_stream({"events": {"finish": "no JSON"}}), "stream_event_schema", "is not JSON"),
        (_stream({"terminator": None}), "stream_end", "the last event is not `[DONE]`"),
        (_stream({"terminator": "[END]"}), "stream_end", "[END]"),
        (_stream({"media_type": "text/plain"}), "stream_content_type", "answered with 200 text/plain"),
        ({"read": {"chat": {"stream": "false"}}}, "stream_content_type", "answered with 200 application/json"),
    ],
)
def test_a_deviation_is_found(tmp_path: Path, sections: dict[str, Any], check: str, told: str) -> None:
    with _served(tmp_path / "served", **sections) as handle:
        report = _check(tmp_path, handle)
    assert {finding.check for finding in report.findings} >= {check}
    (finding,) = [finding for finding in report.findings if finding.check == check]
    assert told in finding.message
    assert '"stream": true' in finding.curl


def test_a_stream_that_breaks_off_is_found(tmp_path: Path) -> None:
    with _served(tmp_path / "served") as handle:
        handle.fail(fault={"cut": {"after_events": 2}})
        report = _check(tmp_path, handle)
    assert [finding.check for finding in report.findings] == ["stream_end"]
    assert "broke off" in report.findings[0].message


def test_a_stream_that_never_begins_is_found_with_its_request(tmp_path: Path) -> None:
    with _served(tmp_path / "served") as handle:
        handle.fail(fault={"reset": {}})
        report = _check(tmp_path, handle)
    assert [finding.check for finding in report.findings] == ["stream_end"]
    assert f"{handle.origin}/v1/chat/completions" in report.findings[0].curl


def test_a_stream_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PATIENCE", -1.0)
    with _served(tmp_path / "served") as handle:
        report = _check(tmp_path, handle)
    assert "no end after" in report.findings[0].message


def test_a_limit_is_told_and_no_finding(tmp_path: Path) -> None:
    with _served(tmp_path / "served") as handle:
        handle.fail("rate_limited")
        report = _check(tmp_path, handle)
    assert not report.findings
    assert "a stream met 429" in report.summary()
