"""`emulator serve` as a person meets it: the greeting, the options, and what goes wrong."""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from . import acme
from .conftest import Run, Serve
from .serving import CHAT, Served, until

PROVIDERS = ["barrack", "generalcompute", "nugen", "peakprivacy"]
MODELS = "/generalcompute/v1/models"
REMAINING = "x-ratelimit-remaining-requests"


def _pasted(line: str) -> str:
    done = subprocess.run(f"{line} -w '\\n%{{http_code}}'", shell=True, capture_output=True, text=True, check=True)  # noqa: S602
    body, status = done.stdout.rsplit("\n", 1)
    assert json.loads(body)
    return status


def test_greeting(served: Served) -> None:
    urls = served.starting("base URL")
    keys = [line.split()[0] for line in served.starting("API key")]
    assert len(urls) == len(keys) == len(PROVIDERS)
    variables = dict(line.split("=", 1) for line in served.starting("export"))
    assert len(variables) == 2 * len(PROVIDERS)
    assert {value.rstrip("/") for value in variables.values()} == {*urls, *keys}


@pytest.mark.parametrize("number", range(len(PROVIDERS)))
def test_printed_curl_succeeds(served: Served, number: int) -> None:
    assert _pasted("curl " + served.starting("curl")[number]) == "200"


def test_printed_addresses_under_one_port(serve: Serve) -> None:
    served = serve("barrack", "peakprivacy")
    assert [line.startswith(served.url + "/barrack") for line in served.starting("base URL")] == [True, False]
    assert served.starting("base URL")[1].startswith(served.url + "/peakprivacy")
    assert [_pasted(f"curl {line}") for line in served.starting("curl")] == ["200", "200"]
    assert served.get("/nugen/inference/chat_text").status_code == 404


def test_single_provider_answers_at_the_root_and_under_its_id(serve: Serve) -> None:
    served = serve("generalcompute")
    assert served.starting("base URL") == [f"{served.url}/v1"]
    paths = ["/v1/models", "/models", "/generalcompute/v1/models", "/generalcompute/models"]
    assert [served.get(path).status_code for path in paths] == [200] * 4
    assert _pasted("curl " + served.starting("curl")[0]) == "200"


def test_ports(served: Served) -> None:
    roots = {url.split("/")[2] for url in served.starting("base URL")}
    assert len(roots | {served.url.split("/")[2]}) == len(PROVIDERS) + 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_tls(serve: Serve, how: signal.Signals) -> None:
    served = serve("nugen", "barrack", "--tls")
    assert all(url.startswith(f"{served.url}/") and url.startswith("https://") for url in served.starting("base URL"))
    assert [_pasted(f"curl {line}") for line in served.starting("curl")] == ["200", "200"]
    trusted = [line.partition("=")[2] for line in served.starting("export") if line.split("=")[0].isupper()]
    kept = {path for path in trusted if path.endswith(".pem")}
    assert len(kept) == 1
    assert served.stop(how) == 0
    assert not Path(kept.pop()).exists()
    assert served.errors.read_text() == ""


def test_tls_ca_may_stand_in_a_folder_with_a_space(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "sp ace").mkdir()
    served = serve("generalcompute", "--tls-ca", tmp_path / "sp ace" / "ca.pem")
    (line,) = [line for line in served.lines if "export SSL_CERT_FILE=" in line]
    shell = ["bash", "-c", f'{line}; printf %s "$SSL_CERT_FILE"']
    told = subprocess.run(shell, capture_output=True, text=True, check=True).stdout  # noqa: S603
    assert told == str(tmp_path / "sp ace" / "ca.pem")


def test_tls_ca_is_kept_and_found_again(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    first = serve("generalcompute", "--tls-ca", file)
    trust, text = first.trust, file.read_text()
    assert (tmp_path / "ca.pem.key").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in text
    second = serve("generalcompute", "--tls-ca", file)
    assert file.read_text() == text
    for served in (first, second):
        assert httpx.get(f"{served.url}/_emulator/health", verify=trust).status_code == 200


def test_connections(serve: Serve, tmp_path: Path, run: Run) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate has expired"):
        serve("generalcompute", "--tls-ca", tmp_path / "ca.pem", "--connections", "tls_expired")
    told = run("serve", "--port", "0", "--connections", "tls_expired")
    assert told.exit_code == 2
    assert "error: tls_expired needs https" in told.stderr


@pytest.mark.parametrize("kept", ["no certificate", None])
def test_tls_ca_that_cannot_be(run: Run, tmp_path: Path, kept: str | None) -> None:
    file = tmp_path / "ca.pem" if kept else tmp_path / "nowhere" / "ca.pem"
    if kept:
        file.write_text(kept)
        (tmp_path / "ca.pem.key").write_text(kept)
    told = run("serve", "--port", "0", "--tls-ca", file)
    assert told.exit_code == 2
    assert "error: nothing to trust can be kept: " in told.stderr
    assert str(file.parent) in told.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_is_quiet(serve: Serve, how: signal.Signals) -> None:
    served = serve("nugen")
    assert served.stop(how) == 0
    assert served.errors.read_text() == ""


def test_a_latency_profile_holds_for_every_tenant(serve: Serve) -> None:
    served = serve("nugen", "--latency", "nugen=overloaded", "--pace", "0")
    for tenant in ("", "/~blue"):
        assert served.get(f"{tenant}/nugen/health").status_code == 200
        (entry,) = served.get(f"{tenant}/_emulator/journal").json()
        assert [note["what"] for note in entry["trace"] if note["stage"] == "delay"] == ["overloaded"]


def test_scenario_is_played_for_every_tenant(serve: Serve) -> None:
    served = serve("--scenario", "generalcompute=flaky_then_fine")
    for tenant in ("", "/~blue"):
        assert [served.get(f"{tenant}{MODELS}").status_code for _ in range(2)] == [429, 429]


def test_variant(serve: Serve) -> None:
    message = {"error", "message"}
    for chosen, keys in (("message", {"message"}), ("both", message)):
        served = serve("barrack", "--variant", f"barrack={chosen}")
        choice = served.chat("/api/ai/chat/", model="openai/gpt-oss-120b").json()["choices"][0]
        assert message & choice.keys() == keys


def test_strict_auth(serve: Serve) -> None:
    served = serve("--strict-auth")
    assert served.control("health").json()["strict_auth"] is True
    told = [line.partition("(")[2] for line in served.starting("API key")]
    assert told == [f"others: `emulator list {name}`; emu-<refusal> meets that refusal)" for name in PROVIDERS]
    assert [served.get(MODELS, key).status_code for key in ("any-key", "gc_live_mine")] == [401, 200]


def test_pace_scales_the_delays_of_streams(serve: Serve) -> None:
    request = {"json": {**CHAT, "stream": True}, "headers": {"Authorization": "Bearer any-key"}}
    unpaced = serve("generalcompute", "--pace", "0")
    assert "[DONE]" in httpx.post(f"{unpaced.url}/v1/chat/completions", **request).text  # type: ignore[arg-type]
    endless = serve("generalcompute", "--pace", "1000000")
    with (
        httpx.stream("POST", f"{endless.url}/v1/chat/completions", timeout=1, **request) as reply,  # type: ignore[arg-type]
        pytest.raises(httpx.ReadTimeout),
    ):
        reply.read()


def _first_reply(served: Served) -> bytes:
    served.control("clock", {"freeze": 1_800_000_000})
    return served.chat().content


def test_seed(serve: Serve) -> None:
    first, again, other = [_first_reply(serve("--seed", seed)) for seed in (7, 7, 8)]
    assert first == again != other


def test_state_outlives_a_restart(serve: Serve, tmp_path: Path) -> None:
    first = serve("--state", tmp_path / "state.db")
    first.control("clock", {"freeze": 1_800_000_000})
    first.control("fail", {"provider": "nugen", "refuse": "bad_gateway", "times": 2})
    counts = [int(first.get(MODELS).headers[REMAINING]) for _ in range(3)]
    journal, clock = first.control("journal").json(), first.control("clock").json()
    first.stop()
    second = serve("--state", tmp_path / "state.db")
    assert second.control("clock").json() == clock == {**clock, "frozen": True, "now": 1_800_000_000}
    assert second.control("journal").json() == journal
    assert len(second.control("scenario").json()["unfinished"]) == 1
    counts.append(int(second.get(MODELS).headers[REMAINING]))
    assert [one - next_ for one, next_ in pairwise(counts)] == [1, 1, 1]


def test_state_of_a_provider_that_is_not_served_any_more(serve: Serve, tmp_path: Path) -> None:
    first = serve("--state", tmp_path / "state.db")
    first.control("fail", {"provider": "nugen", "refuse": "bad_gateway"})
    first.stop()
    second = serve("barrack", "--state", tmp_path / "state.db")
    assert second.control("scenario").json()["unfinished"] == []


def test_reload_takes_in_a_change_and_keeps_state(serve: Serve, tmp_path: Path) -> None:
    provider = acme.write(tmp_path / "data") / "fixtures/acme/provider.yaml"
    served = serve("acme", "--data", tmp_path / "data", "--reload")

    def models() -> list[str]:
        return [model["id"] for model in served.get("/v1/models").json()["data"]]

    served.control("clock", {"freeze": 1_800_000_000})
    assert models() == ["acme-large"]
    provider.write_text(acme.PROVIDER.replace("id: acme-large", "id: acme-huge"), encoding="utf-8")
    assert until(lambda: models() == ["acme-huge"])
    provider.write_text(acme.PROVIDER + "colour: blue\n", encoding="utf-8")
    assert until(lambda: "provider.yaml:7 colour: is not a key here" in served.errors.read_text())
    assert models() == ["acme-huge"]
    provider.write_text(acme.PROVIDER.replace("id: acme-large", "id: acme-tiny"), encoding="utf-8")
    assert until(lambda: models() == ["acme-tiny"])
    assert served.control("clock").json()["frozen"]
    assert len(served.journal()) >= 4


def test_reload_goes_on_behind_links_that_go_round(serve: Serve, tmp_path: Path) -> None:
    provider = acme.write(tmp_path / "data") / "fixtures/acme/provider.yaml"
    served = serve("acme", "--data", tmp_path / "data", "--reload")
    for name in ("round", "."):
        (tmp_path / "data" / "fixtures" / f"to-{len(name)}").symlink_to(name)
    (tmp_path / "data" / "fixtures" / "itself").symlink_to("itself")
    provider.write_text(acme.PROVIDER.replace("id: acme-large", "id: acme-huge"), encoding="utf-8")
    assert until(lambda: served.get("/v1/models").json()["data"][0]["id"] == "acme-huge")


def test_reload_takes_in_another_host(serve: Serve, tmp_path: Path) -> None:
    provider = acme.write(tmp_path / "data") / "fixtures/acme/provider.yaml"
    served = serve("acme", "nugen", "--data", tmp_path / "data", "--reload")

    def status(host: str) -> int:
        return served.get("/v1/models", host=host).status_code

    assert (status("api.acme.test"), status("api.moved.test")) == (200, 404)
    provider.write_text(acme.PROVIDER.replace("api.acme.test", "api.moved.test"), encoding="utf-8")
    assert until(lambda: status("api.moved.test") == 200)
    assert status("api.acme.test") == 404


def test_reload_says_what_it_took_in(serve: Serve, tmp_path: Path) -> None:
    provider = acme.write(tmp_path / "data") / "fixtures/acme/provider.yaml"
    served = serve("acme", "--data", tmp_path / "data", "--reload")
    provider.write_text(acme.PROVIDER + "colour: blue\n", encoding="utf-8")
    assert until(lambda: "not taken in:\n" in served.errors.read_text())
    provider.write_text(acme.PROVIDER, encoding="utf-8")
    assert until(lambda: served.errors.read_text().endswith("\ntaken in\n"))


def _add(folder: Path, name: str) -> None:
    acme.write(
        folder, {f"fixtures/{name}/provider.yaml": acme.PROVIDER.replace("acme", name).replace(f"{name}.y", "acme.y")}
    )


def test_reload_takes_in_another_provider(serve: Serve, tmp_path: Path) -> None:
    served = serve("--data", acme.write(tmp_path / "data"), "--reload")
    assert served.get("/beta/v1/models").status_code == 404
    _add(tmp_path / "data", "beta")
    assert until(lambda: served.get("/beta/v1/models").status_code == 200)
    assert until(lambda: served.errors.read_text().endswith("taken in; beta is new, at /beta\n"))
    shutil.rmtree(tmp_path / "data/fixtures/beta")
    assert until(lambda: served.errors.read_text().endswith("not taken in: the provider 'beta' is gone\n"))


def test_reload_serves_no_provider_beside_the_chosen_ones(serve: Serve, tmp_path: Path) -> None:
    served = serve("acme", "--data", acme.write(tmp_path / "data"), "--reload")
    _add(tmp_path / "data", "beta")
    assert until(lambda: served.errors.read_text().endswith("taken in\n"))
    assert served.control("health").json()["providers"] == ["acme"]


def test_port_in_use(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", "--port", port)
    assert result.exit_code == 2
    error, hint = result.stderr.splitlines()
    assert error == f"error: port {port} on 127.0.0.1 is in use"
    assert hint.startswith("hint: choose another: emulator serve --port ")
    assert 0 < int(hint.split()[-1]) < 65536


def test_port_in_use_has_another_near_it(run: Run) -> None:
    for port in range(65535, 65436, -1):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            result = run("serve", "nugen", "--port", port)
            assert result.stderr.splitlines()[1] == f"hint: choose another: emulator serve --port {port - 200}"
            return
    pytest.fail("no port is free")


WRONG = {
    "unknown provider": (["nope"], "no provider is called `nope`"),
    "unknown scenario": (["--scenario", "nugen=nope"], "nugen has no scenario 'nope'; there are: "),
    "scenario of an unknown provider": (["--scenario", "nope=flaky"], "no provider is called 'nope'; there are "),
    "scenario of a provider that is not served": (
        ["nugen", "--scenario", "barrack=flaky"],
        "no provider is called 'barrack'; there are nugen",
    ),
    "unknown variant": (["--variant", "nugen=nope"], "nugen has no variant 'nope'; there are: "),
    "variant of an unknown provider": (["--variant", "nope=calm"], "no provider is called 'nope'; there are "),
    "unknown latency profile": (
        ["--latency", "nugen=nope"],
        "nugen has no latency profile 'nope'; there are: ",
    ),
    "latency of an unknown provider": (["--latency", "nope=calm"], "no provider is called 'nope'; there are "),
    "malformed latency": (["--latency", "nugen"], "`--latency nugen` is not PROVIDER=NAME"),
    "malformed scenario": (["--scenario", "nugen"], "`--scenario nugen` is not PROVIDER=NAME"),
    "malformed variant": (["--variant", "nugen="], "`--variant nugen=` is not PROVIDER=NAME"),
    "two scenarios of a provider": (
        ["--scenario", "nugen=flaky_then_fine", "--scenario", "nugen=brown_out"],
        "`--scenario` names nugen more than once",
    ),
    "two latency profiles of a provider": (
        ["--latency", "nugen=steady", "--latency", "barrack=steady", "--latency", "nugen=overloaded"],
        "`--latency` names nugen more than once",
    ),
    "no provider in a scenario": (["--scenario", "=flaky"], "`--scenario =flaky` is not PROVIDER=NAME"),
    "port too high": (["--port", "65536"], "65536 is no port"),
    "port below zero": (["--port", "-1"], "-1 is no port"),
    "state that cannot be kept": (["--state", "/dev/null/state.db"], "cannot keep state in /dev/null/state.db"),
    "state that is no database": (["--state", __file__], f"cannot keep state in {__file__}"),
    "state at another speed": (["--state", "state.db", "--speed", "2"], "--state and --speed do not go together"),
    "host of somebody else": (["--port", "0", "--host", "192.0.2.1"], "cannot listen on 192.0.2.1:0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_served_is_exit_2_with_a_hint(run: Run, case: str) -> None:
    arguments, told = WRONG[case]
    result = run("serve", *arguments)
    assert result.exit_code == 2
    error, hint = result.stderr.splitlines()
    assert error.startswith("error: ")
    assert told in error
    assert hint.startswith("hint: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--pace", "-1"],
        ["--pace", "slow"],
        ["--pace", "nan"],
        ["--pace", "inf"],
        ["--port", "http"],
        ["--speed", "0"],
        ["--speed", "fast"],
        ["--speed", "nan"],
        ["--speed", "1e300"],
        ["--haste", "1"],
        ["--host", ""],
        ["--tls-ca", ""],
        ["--state", ""],
        ["--data", ""],
    ],
)
def test_wrong_options_are_usage_errors(run: Run, arguments: list[str]) -> None:
    result = run("serve", *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr


def test_broken_data_is_exit_1_with_the_place(run: Run, tmp_path: Path) -> None:
    folder = acme.write(tmp_path, {"fixtures/acme/limits.yaml": "limits:\n  rules: 1\n"})
    result = run("serve", "--data", folder)
    assert result.exit_code == 1
    problem, count, hint = result.stderr.splitlines()
    assert problem.startswith(f"{folder}/fixtures/acme/limits.yaml:2 limits.rules: ")
    assert count == "error: 1 problem in the data"
    assert hint.startswith("hint: ")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_with_the_first_line_of_the_greeting(how: signal.Signals) -> None:
    """Sockets listen by then, so somebody may take the server for ready, and end it."""
    command = [sys.executable, "-m", "emulator", "serve", "--port", "0", "--tls"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        assert process.stdout.readline().startswith("emulator on https://")
        process.send_signal(how)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
