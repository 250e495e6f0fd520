"""`emulator contract` as a user and a CI job meet it: exit codes, output, curl lines, JUnit, and no key anywhere."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from emulator import EmulatorServer, make_runtime
from emulator.contract.target import SERVED

from . import acme, broken

SECRET = "sk-se$cret'\"key"  # noqa: S105
_CURL = re.compile(r"^   (curl .*)$", re.MULTILINE)


def _contract(
    *arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "emulator", "contract", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    environment |= env or {}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, check=False)  # noqa: S603


@pytest.fixture(scope="module")
def deviating(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data of a provider whose model list lacks `data`."""
    shapes = {"model.list": {"object": "list"}}
    return acme.write(tmp_path_factory.mktemp("data"), paths=acme.MODELS, shapes=shapes)


@pytest.fixture(scope="module")
def server(deviating: Path) -> Iterator[EmulatorServer]:
    with EmulatorServer(make_runtime(["acme"], data=[deviating], pace=0)) as running:
        yield running


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[EmulatorServer]:
    """A server whose model list repeats the credential it was asked with."""
    shapes = {"model.list": {"object": "list", "data": "${headers.authorization}"}}
    data = acme.write(tmp_path / "echo", paths=acme.MODELS, shapes=shapes)
    with EmulatorServer(make_runtime(["acme"], data=[data], pace=0)) as running:
        yield running


def test_clean_is_exit_0(tmp_path: Path) -> None:
    done = _contract("peakprivacy", "--max-examples", 2, "--junit", "junit.xml", cwd=tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["junit.xml"], "nothing else is left behind"
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^peakprivacy +\d+ +\d+ +0$", done.stdout, re.MULTILINE)
    assert re.search(r"^no findings in \d+ cases, seed 0$", done.stdout, re.MULTILINE)
    assert "not checked: max_response_time: " in done.stdout
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()  # noqa: S314
    assert root.get("failures") == "0"
    assert len(list(root.iter("testcase"))) == int(root.get("tests", "0")) > 10


def test_examples_of_a_dialect_are_sent_with_a_model_of_the_provider(tmp_path: Path) -> None:
    data = acme.write(tmp_path, models=[{"id": "acme-large", "context": 131072}])
    done = _contract("acme", "--data", data, "--max-examples", 1)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_findings_are_exit_1(deviating: Path, server: EmulatorServer, tmp_path: Path) -> None:
    done = _contract("acme", "--data", deviating, "--max-examples", 2, "--junit", tmp_path / "junit.xml")
    assert (done.returncode, done.stderr) == (1, "")
    assert '"data" is a required property' in done.stdout
    assert "acme  GET /v1/models  response_schema_conformance" in done.stdout
    assert "the curl lines are for `emulator serve --strict-auth`" in done.stdout
    commands = _CURL.findall(done.stdout)
    assert commands
    assert len(commands) == len(set(commands))
    for command in commands:
        assert SERVED in command
        assert json.loads(_reply(command.replace(SERVED, server.url))) == {"object": "list"}
    _assert_junit_agrees(tmp_path / "junit.xml", done.stdout)


def _reply(command: str, key: str = "") -> str:
    """The body that a printed command gets."""
    environment = {**os.environ, acme.KEY: key}
    shell = ["bash", "-c", command]
    done = subprocess.run(shell, capture_output=True, text=True, env=environment, check=True)  # noqa: S603
    head, body = done.stdout.split("\n\n", 1)
    assert head.startswith("HTTP/1.1 200")
    return body


def _assert_junit_agrees(file: Path, printed: str) -> None:
    root = ElementTree.parse(file).getroot()  # noqa: S314
    failures = list(root.iter("failure"))
    assert int(root.get("failures", "0")) == sum(case.find("failure") is not None for case in root.iter("testcase")) > 0
    assert {command for failure in failures for command in _lines_of_curl(failure)} == set(_CURL.findall(printed))
    assert root.findall("testsuite[@name='acme']")


def _lines_of_curl(failure: ElementTree.Element) -> list[str]:
    return [line for line in (failure.text or "").splitlines() if line.startswith("curl ")]


def test_a_key_is_used_and_never_shown(deviating: Path, echo: EmulatorServer, tmp_path: Path) -> None:
    file, address = tmp_path / "junit.xml", echo["acme"].origin
    done = _contract("acme", "--data", deviating, "--url", address, "--junit", file, env={acme.KEY: SECRET})
    assert (done.returncode, done.stderr) == (1, "")
    for text in (done.stdout, file.read_text()):
        assert "cret" not in text, "not in any spelling"
    assert f'"Bearer ${acme.KEY}" is not of type "array"' in done.stdout, "what the server repeats is hidden too"
    (command,) = _CURL.findall(done.stdout)
    assert f"Authorization: Bearer ${{{acme.KEY}}}" in command
    assert json.loads(_reply(command, SECRET))["data"] == f"Bearer {SECRET}"


def test_the_same_seed_gives_the_same_report(deviating: Path) -> None:
    first, second = (_contract("acme", "--data", deviating, "--max-examples", 5, "--seed", 3) for _ in range(2))
    assert first.stdout == second.stdout


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_what_cannot_run_is_exit_2(server: EmulatorServer, tmp_path: Path) -> None:
    nowhere, somewhere = f"http://127.0.0.1:{_closed_port()}", server["acme"].origin
    cases: list[tuple[list[object], dict[str, str], str, str]] = [
        (["nugen", "--url", nowhere], {"NUGEN_API_KEY": SECRET}, f"nothing answers at {nowhere}", "check the address"),
        (["nugen", "--url", somewhere], {}, "NUGEN_API_KEY is not set", "export NUGEN_API_KEY="),
        (["nugen", "barrack", "--url", somewhere], {}, "one provider, not of 2", "PROVIDER --url URL"),
        (["--url", somewhere], {}, "one provider, not of 4", "PROVIDER --url URL"),
        (["nugen", "--url", "api.nugen.in"], {"NUGEN_API_KEY": SECRET}, "is no address", "https://api.nugen.in"),
        (["nugen", "--url", f"{somewhere}/?x=1"], {"NUGEN_API_KEY": SECRET}, "is no address", "https://api.nugen.in"),
        (["nugen", "--url", f"{somewhere}#x"], {"NUGEN_API_KEY": SECRET}, "is no address", "https://api.nugen.in"),
        (["nugen", "--url", somewhere], {"NUGEN_API_KEY": f"{SECRET}é"}, "NUGEN_API_KEY has a char", "check the key"),
        (["nugen", "--url", "http://[::1"], {"NUGEN_API_KEY": SECRET}, "is no address", "https://api.nugen.in"),
        (["nowhere"], {}, "no provider is called `nowhere`", "emulator list"),
        (["nugen", "--junit", tmp_path / "no" / "folder.xml", "--max-examples", 1], {}, "cannot write", "folder"),
    ]
    for arguments, env, message, hint in cases:
        done = _contract(*arguments, env=env)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert f"error: {message}" in done.stderr or message in done.stderr.splitlines()[0]
        assert hint in done.stderr.splitlines()[1]
        assert SECRET not in done.stdout + done.stderr


def test_a_key_that_opens_nothing_is_exit_2(tmp_path: Path) -> None:
    data = acme.write(tmp_path, paths=acme.MODELS)
    with EmulatorServer(make_runtime(["acme"], data=[data], pace=0, strict_auth=True)) as strict:
        done = _contract("acme", "--data", data, "--url", strict["acme"].origin, env={acme.KEY: "unknown-key"})
    assert done.returncode == 2
    assert "served no request that needs a key" in done.stderr
    assert f"hint: check the key in {acme.KEY}" in done.stderr
    assert "unknown-key" not in done.stdout + done.stderr


def test_a_server_that_dies_is_exit_1(tmp_path: Path) -> None:
    data, file = acme.write(tmp_path, paths=acme.MODELS), tmp_path / "junit.xml"
    with broken.served(broken.die) as url:
        done = _contract("acme", "--data", data, "--url", url, "--junit", file, env={acme.KEY: broken.KEY})
    assert (done.returncode, done.stderr) == (1, "")
    assert f"{url} stopped answering after this request" in done.stdout
    _assert_junit_agrees(file, done.stdout)


def test_an_interrupted_run_tells_what_it_found(tmp_path: Path) -> None:
    data, file = acme.write(tmp_path, streams={"chat.completion.chunk": {"terminator": "[END]"}}), tmp_path / "j.xml"
    expected = acme.write(tmp_path / "expected")
    with EmulatorServer(make_runtime(["acme"], data=[data], pace=0)) as server:
        command = [sys.executable, "-m", "emulator", "contract", "acme", "--data", str(expected), "--junit", str(file)]
        command += ["--url", server["acme"].origin, "--max-examples", "100000"]
        environment = {**os.environ, acme.KEY: "emu-ok"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as running:  # noqa: S603
            assert running.stdout is not None
            assert "streams done" in running.stdout.readline()
            running.send_signal(signal.SIGINT)
            printed = running.stdout.read()
    assert running.returncode == 1, printed
    assert "not tested: all that was to come: interrupted" in printed
    assert re.search(r"^[1-9]\d* findings? in", printed, re.MULTILINE)
    _assert_junit_agrees(file, printed)


def test_an_answer_that_is_no_http_is_a_finding(tmp_path: Path) -> None:
    gone = {
        "id": "gone",
        "target": "fault",
        "operations": ["listModels"],
        "do": [{"reset": {}}],
        "source": "convention",
    }
    done = _contract("acme", "--data", acme.write(tmp_path, paths=acme.MODELS, quirks=[gone]), "--max-examples", 2)
    assert done.returncode == 1
    assert "acme  GET /v1/models  answer\n   Network Error" in done.stdout
    assert "acme  GET /v1/models  documented_status\n   200 did not come" in done.stdout


def test_a_form_that_needs_a_list_is_sent_with_one(tmp_path: Path) -> None:
    """A list without items has no part in a form, so nobody can send it."""
    declared = {
        "type": "object",
        "required": ["files"],
        "properties": {"files": {"$ref": "#/components/schemas/Files"}},
    }
    replies = {str(status): {"description": ""} for status in (200, 400, 401, 500)}
    upload = {
        "operationId": "upload",
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": declared}}},
        "responses": replies,
    }
    data = acme.write(tmp_path, paths={"/files": {"post": upload}}, operations={"upload": {"source": "convention"}})
    spec = data / "specs/acme.yaml"
    files = {"Files": {"type": "array", "items": {"type": "string", "format": "binary"}}}
    document = yaml.safe_load(spec.read_text())
    document["components"]["schemas"] = files
    spec.write_text(yaml.safe_dump(document))
    done = _contract("acme", "--data", data, "--max-examples", 30)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
