"""The pytest plugin, as a project that installed the package meets it."""

import json
import sys
from pathlib import Path
from subprocess import run
from textwrap import dedent

import openai  # noqa: F401 - see emulator.server
import pytest
from others import WITHOUT_OTHERS
from pytest import Pytester, RunResult

import emulator.server  # noqa: F401 - compiled modules load once a process, and pytester forgets those it saw loading

pytest_plugins = ["pytester"]

HELPERS = """
import httpx
import pytest


@pytest.fixture(autouse=True, scope="module")
def client():
    global http
    with httpx.Client() as http:
        yield


def chat(handle, **fields):
    body = {"model": handle.models[0], "messages": [{"role": "user", "content": "Hello"}], **fields}
    paths = {"generalcompute": "/chat/completions", "barrack": "/ai/chat/"}
    return http.post(handle.base_url + paths[handle.id], json=body, headers=handle.headers)

"""


@pytest.fixture
def project(pytester: Pytester) -> Pytester:
    """A fresh project that is as strict as pytest can be."""
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\naddopts = "--strict-markers"\nfilterwarnings = ["error"]\n')
    return pytester


def outcome(project: Pytester, source: str, *options: str) -> RunResult:
    project.makepyfile(HELPERS + dedent(source))
    # in a process of its own: pytester would take back what the run imported, and leave libraries in two copies
    return project.runpytest_subprocess(*WITHOUT_OTHERS, *options)


def test_the_example_of_the_design(project: Pytester) -> None:
    result = outcome(
        project,
        """
        from openai import OpenAI


        def test_retries(emulator):
            gc = emulator["generalcompute"]
            client = OpenAI(base_url=gc.base_url, api_key=gc.api_key)
            gc.fail("rate_limited", times=2)
            emulator.clock.advance("60s")
            messages = [{"role": "user", "content": "Hello"}]
            assert client.chat.completions.create(model=gc.models[0], messages=messages).choices
            assert [e.status for e in gc.journal] == [429, 429, 200]
        """,
    )
    result.assert_outcomes(passed=1)


def test_each_test_has_a_tenant_of_its_own(project: Pytester) -> None:
    result = outcome(
        project,
        """
        @pytest.mark.parametrize("number", range(4))
        def test_one(emulator, number):
            gc = emulator["generalcompute"]
            assert gc.journal == []
            assert not emulator.clock.now() == 1_000_000
            emulator.clock.freeze(1_000_000)
            gc.fail("rate_limited")
            assert [chat(gc).status_code, chat(gc).status_code] == [429, 200]
            assert len(gc.journal) == 2


        def test_tenants_differ(emulator, request):
            assert emulator.tenant != "default"
            assert emulator.tenant in emulator["barrack"].base_url
        """,
    )
    result.assert_outcomes(passed=5)


def test_the_server_is_shared_and_real(project: Pytester) -> None:
    result = outcome(
        project,
        """
        seen = set()


        @pytest.mark.parametrize("number", range(2))
        def test_address(emulator, emulator_server, number):
            assert emulator.address == emulator_server.url
            assert emulator_server.url.startswith("http://127.0.0.1:")
            assert http.get(emulator_server.url + "/_emulator/health").json()["status"] == "ok"
            seen.add(emulator_server.url)
            assert len(seen) == 1
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_request_that_matches_nothing_fails_the_test(project: Pytester) -> None:
    result = outcome(
        project,
        """
        def test_typo(emulator):
            http.get(emulator["generalcompute"].base_url + "/modls", headers=emulator["generalcompute"].headers)
            http.get(emulator["generalcompute"].base_url + "/chat/completions")


        def test_other(emulator):
            pass


        def test_long_ago(emulator):
            with httpx.Client(transport=emulator.transport(), base_url="http://any.test") as quick:
                quick.get("/nugen/api/v3/agnts")
                for _ in range(1000):
                    quick.get("/nugen/health")
        """,
    )
    result.assert_outcomes(passed=3, errors=2)
    result.stdout.fnmatch_lines(
        [
            "the emulator has complaints:",
            "  no operation answers: generalcompute: GET /v1/modls -> 404 unknown_route",
            "  no operation answers: generalcompute: GET /v1/chat/completions -> 405 method_not_allowed",
            "hint: @pytest.mark.emulator(allow_unmatched=True) or (allow_unfinished=True) if this is meant",
            "  no operation answers: nugen: GET /api/v3/agnts -> 40*",
            "hint: @pytest.mark.emulator(allow_unmatched=True) or (allow_unfinished=True) if this is meant",
        ]
    )


def test_a_scenario_that_was_not_played_to_its_end_fails_the_test(project: Pytester) -> None:
    result = outcome(
        project,
        """
        def test_failure(emulator):
            emulator["generalcompute"].fail("rate_limited", times=3)
            chat(emulator["generalcompute"])


        def test_scenario(emulator):
            emulator["barrack"].play("upstream_down")


        def test_steps(emulator):
            emulator["barrack"].play([{"refuse": "bad_gateway"}, {"times": 2}])
            chat(emulator["barrack"])


        def test_to_the_end(emulator):
            emulator["barrack"].play("upstream_down")
            assert [chat(emulator["barrack"]).status_code for _ in range(3)] == [502, 504, 200]
        """,
    )
    result.assert_outcomes(passed=4, errors=3)
    result.stdout.fnmatch_lines(
        [
            "  not played to the end: generalcompute: rate_limited: step 1 of 1, 2 to go",
            "  not played to the end: barrack: upstream_down: step 1 of 3*",
            "  not played to the end: barrack: bad_gateway, as usual: step 2 of 2, 2 to go",
        ]
    )


def test_a_failing_test_keeps_its_own_reason(project: Pytester) -> None:
    result = outcome(
        project,
        """
        def test_both(emulator):
            emulator["generalcompute"].fail("rate_limited")
            assert False, "its own reason"
        """,
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["*its own reason*"])


def test_what_the_marker_allows(project: Pytester) -> None:
    result = outcome(
        project,
        """
        @pytest.mark.emulator(allow_unmatched=True)
        def test_unmatched(emulator):
            assert http.get(emulator["generalcompute"].base_url + "/nowhere").status_code == 404


        @pytest.mark.emulator(allow_unfinished=True)
        class TestGroup:
            def test_unfinished(self, emulator):
                emulator["generalcompute"].fail("rate_limited")

            @pytest.mark.emulator(allow_unmatched=True)
            def test_markers_add_up(self, emulator):
                emulator["generalcompute"].fail("rate_limited", operation="listModels")
                http.get(emulator["generalcompute"].base_url + "/nowhere")

            @pytest.mark.emulator(allow_unfinished=False)
            def test_the_nearest_wins(self, emulator):
                emulator["generalcompute"].fail("rate_limited")
        """,
    )
    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of TestGroup.test_the_nearest_wins*"])


def test_scenarios_and_variants_of_the_marker(project: Pytester) -> None:
    result = outcome(
        project,
        """
        @pytest.mark.emulator(scenarios={"barrack": "upstream_down"}, variants={"barrack": "message"})
        def test_both(emulator):
            replies = [chat(emulator["barrack"]) for _ in range(3)]
            assert [reply.status_code for reply in replies] == [502, 504, 200]
            assert "message" in replies[-1].json()["choices"][0]


        @pytest.mark.emulator(variants={"barrack": ["both"]})
        def test_a_list(emulator):
            assert {"message", "error"} <= chat(emulator["barrack"]).json()["choices"][0].keys()


        def test_none(emulator):
            assert "message" not in chat(emulator["barrack"]).json()["choices"][0]


        @pytest.mark.emulator(latency={"barrack": "overloaded"})
        def test_latency(emulator):
            chat(emulator["barrack"])
            trace = emulator["barrack"].journal[0].raw["trace"]
            assert ["overloaded"] == [note["what"] for note in trace if note["stage"] == "delay"]
        """,
    )
    result.assert_outcomes(passed=4)


WRONG_MARKERS = [
    (
        "allow_everything=True",
        "knows allow_unmatched, allow_unfinished, scenarios, variants, latency, only; not allow_eve",
    ),
    (
        "True",
        "knows allow_unmatched, allow_unfinished, scenarios, variants, latency, only; not positional arguments",
    ),
    ("b=1, a=2", "only; not a, b"),
    ("scenarios={'barrack': 'nope'}", "barrack has no scenario 'nope'; there are: flaky_then_fine, "),
    ("variants={'barrack': 'nope'}", "barrack has no variant 'nope'; there are: message, both"),
    ("latency={'barrack': 'nope'}", "barrack has no latency profile 'nope'; there are: instant, "),
    ("scenarios='x'", "scenarios is a mapping: scenarios={'provider': 'name'}"),
    ("variants=['barrack']", "variants is a mapping: variants={'provider': 'name'}"),
    ("latency='steady'", "latency is a mapping: latency={'provider': 'name'}"),
    ("variants={'barrack': 5}", "`use` takes names: use('both')"),
    ("latency={'barrack': ['steady']}", "`latency` takes the name of a profile"),
    ("scenarios={'nope': 'x'}", "no provider is called 'nope'; there are barrack, generalcompute"),
]


def test_a_wrong_marker_says_what_would_be_right(project: Pytester) -> None:
    tests = (
        f"@pytest.mark.emulator({arguments})\ndef test_{n}(emulator):\n    pass\n"
        for n, (arguments, _) in enumerate(WRONG_MARKERS)
    )
    result = outcome(project, "\n\n".join(tests))
    result.assert_outcomes(errors=len(WRONG_MARKERS))
    result.stdout.fnmatch_lines(
        [line for n, (_, message) in enumerate(WRONG_MARKERS) for line in (f"*setup of test_{n} *", f"*{message}*")]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*another exception*")
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_a_mistake_is_shown_where_the_test_makes_it(project: Pytester) -> None:
    result = outcome(
        project,
        """
        def test_provider(emulator):
            emulator["nope"]


        def test_refusal(emulator):
            emulator["nugen"].fail("nope")


        def test_steps(emulator):
            emulator["nugen"].play([{"reply": "Yes."}])


        def test_name(emulator):
            emulator["nugen"].latency("nope")
        """,
    )
    result.assert_outcomes(failed=4)
    shown = ['>*emulator?"nugen"?.fail("nope")', "E*CommandError: refuse: *", "*.py:*: CommandError"]
    result.stdout.fnmatch_lines(shown)
    for inside in ("*commands.py*", "*handles.py*"):
        result.stdout.no_fnmatch_line(inside)


def test_data_that_cannot_be_used_are_told_without_a_traceback(project: Pytester) -> None:
    fixtures = project.mkdir("mine").joinpath("fixtures/acme")
    fixtures.mkdir(parents=True)
    fixtures.joinpath("provider.yaml").write_text("id: acme\nextend: openai_compatible\n")
    for folder, told in (
        ("mine", "*provider.yaml:2 extend: is not a key here; did you mean `extends`?*"),
        ("no", "*no has no fix*"),
    ):
        result = outcome(project, "def test_it(emulator):\n    pass\n", "-o", f"emulator_data={folder}")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["the emulator cannot use its data:", told])
        result.stdout.no_fnmatch_line("*library.py*")
        result.stdout.no_fnmatch_line("*another exception*")


def test_the_marker_and_the_fixtures_tell_what_they_are(project: Pytester) -> None:
    assert "@pytest.mark.emulator(allow_unmatched=False" in outcome(project, "", "--markers").stdout.str()
    told = outcome(project, "", "--fixtures").stdout.str()
    assert "emulator_server [session scope]" in told
    assert "The emulator with a tenant of this test's own." in told


def test_what_a_handle_holds(project: Pytester) -> None:
    result = outcome(
        project,
        """
        def test_handle(emulator, emulator_server):
            for name in emulator.providers:
                handle = emulator[name]
                assert handle.origin == f"{emulator_server.url}/~{emulator.tenant}/{name}"
                assert handle.base_url.startswith(handle.origin)
                assert handle.api_key.endswith("~" + emulator.tenant)
                assert any(handle.api_key in value for value in handle.headers.values())
                assert handle.api_key in handle.env.values()
                assert any(value.startswith(handle.base_url) for value in handle.env.values())
                assert handle.models
                assert handle.journal == []
                assert handle.root_url.startswith("http://127.0.0.1:")


        def test_entry(emulator):
            chat(emulator["barrack"])
            [entry] = emulator["barrack"].journal
            assert (entry.status, entry.method, entry.path) == (200, "POST", "/api/ai/chat/")
            assert (entry.operation, entry.refusal) == ("chatWithAI", None)
            assert entry.json["messages"][0]["content"] == "Hello"


        def test_the_key_alone_leads_to_the_tenant(emulator):
            gc = emulator["generalcompute"]
            headers = {"Authorization": f"Bearer {gc.api_key}"}
            assert http.get(gc.root_url + "/models", headers=headers).status_code == 200
            assert [entry.operation for entry in gc.journal] == ["listModels"]


        def test_reset(emulator):
            gc, barrack = emulator["generalcompute"], emulator["barrack"]
            chat(gc), chat(barrack)
            gc.fail("rate_limited")
            gc.reset()
            assert (gc.journal, len(barrack.journal)) == ([], 1)
            emulator.reset()
            assert barrack.journal == []
        """,
    )
    result.assert_outcomes(passed=4)


def test_what_a_handle_cannot_do_says_what_it_can(project: Pytester) -> None:
    result = outcome(
        project,
        """
        from emulator import CommandError


        @pytest.mark.parametrize(("call", "message"), [
            (lambda h: h.fail("rate_limted"), '"rate_limted" is not known; did you mean `rate_limited`?'),
            (lambda h: h.fail(418), "never answers 418; there are 400, "),
            (lambda h: h.fail(418, operation="chatWithAI"), "never answers 418 to chatWithAI; there are 400, "),
            (lambda h: h.fail(500, operation="nope"), "no operation 'nope'"),
            (lambda h: h.fail("reset"), "`reset` is a fault: say it by `fault`"),
            (lambda h: h.fail(), "`refuse`"),
            (lambda h: h.fail("body_too_large"), "no reply for body_too_large"),
            (lambda h: h.fail("rate_limited", times=0), "times: 0: must be at least 1"),
            (lambda h: h.fail("rate_limited", operation="nope"), "no operation 'nope'"),
            (lambda h: h.fail("rate_limited", when="nope.x"), "uses `nope`"),
            (lambda h: h.fail(fault={"explode": {}}), "explode"),
            (lambda h: h.fail(fault="rest"), "fault.rest: is not a key here; did you mean `reset`?"),
            (lambda h: h.fail(fault={"stall": {"duration": "1 fortnight"}}), "is not a duration"),
            (lambda h: h.play("nope"), "no scenario 'nope'"),
            (lambda h: h.play([{}, {"refuse": "nope"}]), 'steps[1].refuse: "nope" is not known; use '),
                (lambda h: h.play([]), "at least 1 item"),
                (lambda h: h.play([{"time": 1}]), "steps[0].time: is not a key here; did you mean `times`?"),
            (lambda h: h.use("nope"), "no variant 'nope'"),
        ])
        def test_error(emulator, call, message):
            with pytest.raises(CommandError) as caught:
                call(emulator["barrack"])
            assert message in str(caught.value)


        def test_unknown_provider(emulator):
            with pytest.raises(CommandError, match="no provider is called 'nope'; there are barrack"):
                emulator["nope"]
        """,
    )
    result.assert_outcomes(passed=19)


def test_narrowed_failures_wait_for_their_request(project: Pytester) -> None:
    result = outcome(
        project,
        """
        def test_operation(emulator):
            gc = emulator["generalcompute"]
            gc.fail(500, operation="listModels")
            assert chat(gc).status_code == 200
            assert http.get(gc.base_url + "/models", headers=gc.headers).status_code == 500


        def test_when(emulator):
            gc = emulator["generalcompute"]
            gc.fail("server_error", when="request.model == 'gpt-oss-120b'")
            assert http.get(gc.base_url + "/models", headers=gc.headers).status_code == 200
            assert chat(gc, model="deepseek-v3.2").status_code == 200
            assert chat(gc, model="gpt-oss-120b").status_code == 500
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_transport_needs_no_socket(project: Pytester) -> None:
    result = outcome(
        project,
        """
        import asyncio


        def test_sync(emulator):
            gc = emulator["generalcompute"]
            with httpx.Client(transport=emulator.transport(), headers=gc.headers) as client:
                assert client.get(gc.base_url + "/models").status_code == 200
                assert client.get("https://api.generalcompute.com/v1/models").status_code == 200
            assert len(gc.journal) == 2


        def test_async(emulator):
            gc = emulator["generalcompute"]

            async def ask():
                async with httpx.AsyncClient(transport=emulator.transport(), headers=gc.headers) as client:
                    return await client.get(gc.base_url + "/models")

            assert asyncio.run(ask()).status_code == 200
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_whole_test_is_intercepted(project: Pytester) -> None:
    result = outcome(
        project,
        """
        from emulator import BlockedConnection

        ADDRESS = "https://api.generalcompute.com/v1/models"


        @pytest.mark.parametrize("number", range(2))
        def test_a_tenant_of_its_own(intercept, emulator, number):
            assert intercept is emulator
            gc = intercept["generalcompute"]
            gc.fail("rate_limited")
            assert [http.get(ADDRESS, headers=gc.headers).status_code for _ in range(2)] == [429, 200]
            assert len(gc.journal) == 2


        @pytest.mark.emulator(only=True)
        def test_only(intercept):
            with pytest.raises(BlockedConnection, match="elsewhere"):
                http.get("https://elsewhere.test/")


        def test_it_is_over(emulator):
            assert "emulator" not in httpx.HTTPTransport.handle_request.__module__


        @pytest.mark.usefixtures("intercept")
        def test_a_mistyped_path():
            http.get("https://api.generalcompute.com/v1/modls")
        """,
    )
    result.assert_outcomes(passed=5, errors=1)
    result.stdout.fnmatch_lines(["  no operation answers: generalcompute: GET /v1/modls -> 40*"])


def test_a_seed_and_providers_of_ones_own(project: Pytester) -> None:
    spec, fixtures = project.mkdir("mine").joinpath("specs"), project.path / "mine/fixtures/acme"
    spec.mkdir()
    fixtures.mkdir(parents=True)
    fixtures.joinpath("provider.yaml").write_text(
        "id: acme\nextends: openai_compatible\nspec: acme.yaml\norigin: https://api.acme.test\n"
    )
    spec.joinpath("acme.yaml").write_text(
        "openapi: 3.1.0\ninfo: {title: Acme, version: '1'}\nservers: [{url: https://api.acme.test/v1}]\n"
        'paths: {/models: {$ref: "openai_compatible.yaml#/paths/~1models"}}\n'
    )
    source = """
        def test_seed(emulator):
            assert emulator.runtime.seed == 7
            assert "barrack" in emulator.providers
            acme = emulator["acme"]
            assert http.get(acme.base_url + "/models", headers=acme.headers).status_code == 200
        """
    result = outcome(project, source, "--emulator-seed", "7", "-o", "emulator_data=mine")
    result.assert_outcomes(passed=1)


def test_many_workers(project: Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # what else is installed costs each worker a second
    project.makepyfile(
        HELPERS
        + dedent(
            """
            @pytest.mark.parametrize("number", range(12))
            def test_limits_are_ones_own(emulator, number):
                barrack = emulator["barrack"]
                emulator.clock.freeze(1_700_000_000)
                barrack.fail("bad_gateway")
                statuses = [chat(barrack).status_code for _ in range(62)]
                assert statuses == [502, *[200] * 59, 429, 429]
            """
        )
    )
    result = project.runpytest_subprocess("-n", "4", "-p", "xdist", "-p", "emulator.pytest_plugin", "-q")
    result.assert_outcomes(passed=12)


def test_a_project_that_does_not_use_it_pays_nothing(tmp_path: Path) -> None:
    """The plugin is loaded, and none of the heavy packages behind it is."""
    tmp_path.joinpath("test_empty.py").write_text("def test_nothing():\n    pass\n")
    tmp_path.joinpath("conftest.py").write_text(
        "import json, sys\n\n\ndef pytest_unconfigure():\n"
        "    open('modules.json', 'w').write(json.dumps(sorted(sys.modules)))\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "emulator.pytest_plugin", "-p", "no:cacheprovider"]
    done = run(  # noqa: S603
        command,
        cwd=tmp_path,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = {name.split(".")[0] for name in json.loads(tmp_path.joinpath("modules.json").read_text())}
    heavy = "starlette uvicorn pydantic schemathesis hypothesis jsonschema_rs cel yaml orjson faker httpx click rich"
    assert "emulator" in loaded
    assert not loaded & set(heavy.split())


def test_https(project: Pytester) -> None:
    result = outcome(
        project,
        """
        def test_one(emulator, monkeypatch):
            gc = emulator["generalcompute"]
            assert gc.base_url.startswith("https://") and gc.root_url.startswith("https://")
            for name, value in gc.env.items():
                monkeypatch.setenv(name, value)
            with httpx.Client() as trusting:
                assert trusting.get(f"{gc.base_url}/models", headers=gc.headers).status_code == 200
        """,
        "--emulator-tls",
    )
    result.assert_outcomes(passed=1)
