"""What the suite finds at servers that answer with no HTTP, without an end, or no more."""

import gc
from pathlib import Path

import pytest

from emulator import EmulatorServer, contract, make_runtime
from emulator.contract import calls, fuzz

from . import acme, broken

LARGE = [{"id": "acme-large", "context": 131072}]
_OTHERS = [{"id": "acme-huge", "context": 131072}]
_NO_CHOICES = {
    "id": "no-choices",
    "target": "body",
    "operations": ["createChatCompletion"],
    "do": [{"op": "remove", "path": "choices"}],
    "source": "convention",
}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(acme.KEY, broken.KEY)


def _run(url: str, expected: Path) -> contract.Report:
    return contract.run(acme.load(expected), url=url, max_examples=3)


def test_replies_of_a_dialect_are_checked_at_an_address(tmp_path: Path) -> None:
    expected = acme.write(tmp_path / "expected", models=LARGE)
    served = acme.write(tmp_path / "served", models=LARGE, quirks=[_NO_CHOICES])
    with EmulatorServer(make_runtime(["acme"], data=[served], pace=0)) as server:
        report = _run(server["acme"].origin, expected)
    assert '"choices" is a required property' in "".join(finding.message for finding in report.findings)


def test_an_example_that_a_server_refuses_is_found(tmp_path: Path) -> None:
    expected, served = acme.write(tmp_path / "expected", models=LARGE), acme.write(tmp_path / "served", models=_OTHERS)
    with EmulatorServer(make_runtime(["acme"], data=[served], pace=0)) as server:
        report = _run(server["acme"].origin, expected)
    (found,) = [finding for finding in report.findings if finding.check == "positive_data_acceptance"]
    assert '"model": "acme-large"' in found.curl


def test_a_server_that_dies_is_found_with_the_request_that_killed_it(tmp_path: Path) -> None:
    with broken.served(broken.die) as url:
        report = _run(url, acme.write(tmp_path, paths=acme.MODELS))
    (found,) = [finding for finding in report.findings if finding.check == "answer"]
    assert found.operation == "GET /v1/models"
    assert found.message == f"{url} stopped answering after this request\nNetwork Error\nConnection failed"
    assert f"{url}/v1/models" in found.curl
    assert "-X " in found.curl, "it dies of any method but GET"
    assert f"not tested: acme: all that was to come: {url} stopped answering" in report.summary().replace("\n  ", " ")


def test_an_answer_without_end_is_given_up_and_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "TIMEOUT", 0.5)
    with broken.served(broken.never_end) as url:
        report = _run(url, acme.write(tmp_path, paths=acme.MODELS))
    found = next(finding for finding in report.findings if "no end after" in finding.message)
    assert f"{url}/v1/models" in found.curl
    assert calls.TIMEOUT == 60


@pytest.mark.parametrize(
    "headers", [{"Content-Encoding": "gzip"}, {"Content-Length": "1000"}, {"Transfer-Encoding": "chunked"}]
)
def test_a_body_that_is_broken_is_found_once_with_its_request(tmp_path: Path, headers: dict[str, str]) -> None:
    with broken.served(lambda request: request.reply(405, broken.MODELS, headers)) as url:
        report = _run(url, acme.write(tmp_path, paths=acme.MODELS))
    (found,) = [finding for finding in report.findings if finding.check == "answer"]
    assert f"{url}/v1/models" in found.curl


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_lengths_that_contradict_each_other_are_one_finding(tmp_path: Path) -> None:
    lengths = {"id": "l", "target": "fault", "do": [{"conflicting_lengths": {}}], "source": "convention"}
    data = acme.write(tmp_path, models=LARGE, quirks=[{**lengths, "operations": ["createChatCompletion"]}])
    with EmulatorServer(make_runtime(["acme"], data=[data], pace=0)) as server:
        report = _run(server["acme"].origin, data)
        address = f"{server['acme'].origin}/v1/chat/completions"
    gc.collect()  # urllib3 leaves the sockets of such answers to the collector, which complains
    found = [finding for finding in report.findings if finding.check == "answer"]
    assert [finding.operation for finding in found] == ["POST /v1/chat/completions"]
    assert address in found[0].curl
