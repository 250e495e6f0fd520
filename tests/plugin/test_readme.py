"""The examples of the README, run as printed."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from others import WITHOUT_OTHERS

from emulator import EmulatorServer, make_runtime

pytest_plugins = ["pytester"]

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000"


def _examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def _calls() -> list[str]:
    """What is to be typed into a shell to ask the emulator."""
    typed = "\n".join(_examples("console")).replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in typed.splitlines() if line.startswith("$ curl ")]


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    with EmulatorServer(make_runtime(pace=0)) as running:
        yield running


def test_the_examples_run_as_printed(pytester: pytest.Pytester) -> None:
    examples = _examples("python")
    assert len(examples) == 5
    pytester.makepyfile(**{f"test_example_{i}": example for i, example in enumerate(examples)})
    pytester.runpytest_subprocess(*WITHOUT_OTHERS).assert_outcomes(passed=5)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_calls_of_curl_are_answered(server: EmulatorServer) -> None:
    statuses = []
    for call in _calls():
        assert ADDRESS in call
        command = call.replace(ADDRESS, server.url) + " -sS -o /dev/null -w '%{http_code}'"
        statuses.append(subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout)  # noqa: S603, S607
    assert statuses == ["200", "429", "502", "200", "200", "200"]


def test_the_bodies_for_the_control_api_are_taken() -> None:
    """The last row ends the connection, and lets the next one hang."""
    table = README.split("| below `/_emulator/` | body |\n")[1].split("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()[1:]]
    asked = [
        (call.split(), re.findall(r"`({.*?})`", row[1])) for row in rows for call in re.findall(r"`(.+?)`", row[0])
    ]
    with EmulatorServer(make_runtime(pace=0)) as server, httpx.Client(base_url=f"{server.url}/_emulator/") as client:
        assert {f"/{path}" for (_, path), _ in asked} == set(client.get("openapi.json").json()["paths"])
        for (method, path), bodies in asked:
            assert bodies or method == "GET"
            for body in bodies or [""]:
                reply = client.request(method, path, content=body)
                assert reply.status_code == 200, f"{method} {path} {body}: {reply.text}"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_example_in_javascript_runs(server: EmulatorServer, tmp_path: Path) -> None:
    (example,) = _examples("js")
    assert ADDRESS in example
    file = tmp_path / "retries.test.mjs"
    file.write_text(example.replace(ADDRESS, server.url))
    done = subprocess.run(["node", "--test", file], capture_output=True, text=True, check=False)  # noqa: S603, S607
    assert done.returncode == 0, done.stdout
    assert "pass 1" in done.stdout


def test_a_mistyped_provider_is_a_complaint(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import httpx

        def test_typo(emulator):
            address = emulator["nugen"].origin.replace("nugen", "nugget")
            assert httpx.get(address + "/inference/chat_text").status_code == 404
        """
    )
    result = pytester.runpytest_subprocess(*WITHOUT_OTHERS)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*no operation answers: no provider: GET /nugget/inference/chat_text -> 404*"])
