"""Latency profiles: who gets which, what is planned, and that all ways of asking and of being served agree.

Times are read where they are planned, in the journal; nothing here waits for them.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli import acme
from click.testing import CliRunner

from emulator import CommandError, Emulation, EmulatorServer, Handle, LoadError, make_runtime
from emulator.cli import main
from emulator.edge import answer
from emulator.exchange import Runtime
from emulator.wire.reading import Request, by_name

from .catalogue import PROVIDERS, caller

READY = ["instant", "steady", "chatty_jitter", "slow_reasoner", "overloaded", "recovering"]
LATENCY = """\
latency:
  default: even
  rules:
    - {operations: [listModels], profile: measured}
    - {when: "request.model == 'acme-slow'", profile: thinking}
  profiles:
    even: {first_token: 1s, gap: 100ms, reply: 3s, source: convention}
    thinking: {first_token: 1m, gap: {uniform: [1s, 2s]}, prefill: 10s, source: convention}
    measured: {reply: {recorded: [1s, 2s, 4s]}, source: convention}
    bursts: {gap: {recorded: [0, 0, 300ms]}, source: convention}
"""
STEPS = """\
scenarios:
  slow_twice:
    - {times: 2, latency: thinking}
    - {}
"""
PROVIDER = acme.PROVIDER.replace("context: 131072}]", "context: 131072}, {id: acme-slow}]")
FILES = {
    "fixtures/acme/provider.yaml": PROVIDER,
    "fixtures/acme/latency.yaml": LATENCY,
    "fixtures/acme/scenarios.yaml": STEPS,
}


def runtime(folder: Path, **options: Any) -> Runtime:
    return make_runtime(["acme"], data=[acme.write(folder, FILES)], **{"pace": 0, **options})


@pytest.fixture
def emulation(tmp_path: Path) -> Emulation:
    return Emulation(runtime(tmp_path), "default", None, {})


@pytest.fixture
def handle(emulation: Emulation) -> Handle:
    return emulation["acme"]


@pytest.fixture
def client(emulation: Emulation) -> Iterator[httpx.Client]:
    with httpx.Client(transport=emulation.transport(), headers=emulation["acme"].headers) as opened:
        yield opened


class Asked:
    """The last exchange of a handle: the profile and the planned times, as its journal entry has them."""

    def __init__(self, handle: Handle) -> None:
        self.raw = handle.journal[-1].raw
        notes = {note["stage"]: note for note in self.raw["trace"]}
        self.profile = notes.get("delay", {}).get("what")
        self.by = notes.get("delay", {}).get("by")
        self.first = notes.get("encode", {}).get("first_event")
        self.gaps = notes.get("encode", {}).get("gaps")
        self.seconds = notes.get("encode", {}).get("seconds")


def chat(client: httpx.Client, handle: Handle, headers: dict[str, str] | None = None, **fields: Any) -> Asked:
    content = fields.pop("content", "Hello")
    body = {"model": "acme-large", "messages": [{"role": "user", "content": content}], **fields}
    client.post(f"{handle.base_url}/chat/completions", json=body, headers=headers)
    return Asked(handle)


class TestWhoGetsWhich:
    def test_the_default_and_rules_of_the_data(self, client: httpx.Client, handle: Handle) -> None:
        assert chat(client, handle).profile == "even"
        assert chat(client, handle, model="acme-slow").profile == "thinking"
        client.get(f"{handle.base_url}/models")
        asked = Asked(handle)
        assert (asked.profile, asked.by) == ("measured", "data")
        assert asked.first in (1, 2, 4)

    def test_the_strongest_wish(self, tmp_path: Path) -> None:
        emulation = Emulation(runtime(tmp_path, latency={"acme": "measured"}), "default", None, {})
        handle, header = emulation["acme"], {"X-Emulator-Latency": "bursts"}
        with httpx.Client(transport=emulation.transport(), headers=handle.headers) as client:
            found = [chat(client, handle)]
            found.append(chat(client, handle, header))
            handle.latency("even")
            found.append(chat(client, handle, header))
            handle.play([{"latency": "thinking"}])
            found += [chat(client, handle, header), chat(client, handle, header)]
            handle.latency(None)
            found += [chat(client, handle, header), chat(client, handle)]
        assert [(asked.profile, asked.by) for asked in found] == [
            ("measured", "default"),
            ("bursts", "header"),
            ("even", "control"),
            ("thinking", "step"),
            ("even", "control"),
            ("bursts", "header"),
            ("measured", "default"),
        ]

    def test_a_scenario_by_header(self, client: httpx.Client, handle: Handle) -> None:
        header = {"X-Emulator-Scenario": "slow_twice"}
        assert [chat(client, handle, header).profile for _ in range(3)] == ["thinking", "thinking", "even"]

    def test_a_tenant_has_its_own(self, emulation: Emulation, client: httpx.Client, handle: Handle) -> None:
        Emulation(emulation.runtime, "other", None, {})["acme"].latency("bursts")
        assert chat(client, handle).profile == "even"

    def test_reset_forgets_it(self, client: httpx.Client, handle: Handle) -> None:
        handle.latency("bursts")
        handle.reset()
        assert chat(client, handle).profile == "even"

    def test_an_unknown_name(self, client: httpx.Client, handle: Handle) -> None:
        asked = chat(client, handle, headers={"X-Emulator-Latency": "nope"})
        assert asked.profile == "even"
        (notice,) = asked.raw["notices"]
        assert notice.startswith("X-Emulator-Latency: nope is no latency profile of acme; there are: instant, ")
        told = "acme has no latency profile 'nope'; there are: instant, "
        with pytest.raises(CommandError, match=told):
            handle.latency("nope")
        with pytest.raises(CommandError, match=told):
            handle.play([{"latency": "nope"}])

    @pytest.mark.parametrize(
        ("right", "wrong", "told"),
        [
            ("default: even", "default: odd", '2 latency.default: "odd" does not exist; there are instant, '),
            ("profile: measured", "profile: m", '4 latency.rules[0].profile: "m" does not exist; there are '),
            ("operations: [listModels]", "operations: [x]", '4 latency.rules[0].operations: "x" does not exist'),
            ("gap: 100ms", "gap: fast", '7 latency.profiles.even.gap: "fast" is not a duration'),
            ("gap: 100ms", "gap: {gamma: 1}", "7 latency.profiles.even.gap.gamma: is not a key here; there are fixed"),
            ("gap: 100ms", "gap: {}", "7 latency.profiles.even.gap: name one distribution of fixed, uniform, "),
            ("[1s, 2s]", "[2s, 1s]", "8 latency.profiles.thinking.gap: uniform: the least comes first"),
            ("[1s, 2s, 4s]", "[]", "9 latency.profiles.measured.reply.recorded: []: "),
            ("reply: 3s, source: convention", "reply: 3s", "7 latency.profiles.even.source: is missing"),
            ("gap: 100ms, ", "gap: 100ms, when: x, ", "7 latency.profiles.even.when: is not a key here"),
        ],
    )
    def test_mistakes_in_the_data(self, tmp_path: Path, right: str, wrong: str, told: str) -> None:
        assert right in LATENCY
        files = {**FILES, "fixtures/acme/latency.yaml": LATENCY.replace(right, wrong)}
        with pytest.raises(LoadError) as caught:
            make_runtime(["acme"], data=[acme.write(tmp_path, files)])
        problems = [str(problem) for problem in caught.value.problems]
        assert any(f"fixtures/acme/latency.yaml:{told}" in problem for problem in problems), problems

    @pytest.mark.parametrize(
        ("step", "told"),
        [
            ("{latency: nope}", 'latency: "nope" does not exist; there are instant, '),
            ("{refuse: rate_limited, latency: even}", "a step that refuses has no `latency:`: refusals come at once"),
        ],
    )
    def test_mistakes_in_a_step(self, tmp_path: Path, step: str, told: str) -> None:
        files = {**FILES, "fixtures/acme/scenarios.yaml": STEPS.replace("{times: 2, latency: thinking}", step)}
        with pytest.raises(LoadError) as caught:
            make_runtime(["acme"], data=[acme.write(tmp_path, files)])
        (problem,) = map(str, caught.value.problems)
        assert "fixtures/acme/scenarios.yaml:3 " in problem
        assert told in problem


class TestWhatIsPlanned:
    def test_a_stream(self, client: httpx.Client, handle: Handle) -> None:
        asked = chat(client, handle, stream=True)
        assert (asked.first, set(asked.gaps)) == (1, {0.1})
        assert asked.seconds == pytest.approx(1 + 0.1 * len(asked.gaps))

    def test_a_reply_that_is_no_stream_takes_the_time_of_its_tokens(self, client: httpx.Client, handle: Handle) -> None:
        handle.play([{"reply": {"text": "one two three"}}])
        assert chat(client, handle).seconds == 1.3
        handle.play([{"reply": {"tool_calls": [{"name": "f", "arguments": {"a": "b c"}}]}}])
        assert len(chat(client, handle).gaps) > 1

    def test_a_reply_without_tokens(self, client: httpx.Client, handle: Handle) -> None:
        handle.latency("even")
        client.get(f"{handle.base_url}/models")
        assert (Asked(handle).first, Asked(handle).gaps) == (3, [])

    def test_refusals_come_at_once(self, client: httpx.Client, handle: Handle) -> None:
        handle.fail("rate_limited")
        assert chat(client, handle).profile is None

    def test_a_longer_prompt_waits_longer(self, client: httpx.Client, handle: Handle) -> None:
        handle.latency("thinking")
        short, long = chat(client, handle), chat(client, handle, content="Hello " * 2000)
        tokens = [asked.raw["usage"]["prompt_tokens"] for asked in (short, long)]
        assert [short.first, long.first] == pytest.approx([60 + 10 * count / 1000 for count in tokens])
        assert long.first > short.first + 20

    def test_recorded_gaps_go_round(self, client: httpx.Client, handle: Handle) -> None:
        handle.latency("bursts")
        gaps = chat(client, handle, stream=True).gaps
        assert gaps[3:] == gaps[:-3]
        assert sorted(gaps[:3]) == [0, 0, 0.3]

    def test_text_and_ids_are_the_same_with_any_profile(self, tmp_path: Path) -> None:
        emulations = [Emulation(runtime(tmp_path), "default", None, {}) for _ in range(2)]
        emulations[1]["acme"].latency("thinking")
        told = []
        for emulation in emulations:
            emulation.clock.freeze(1_800_000_000)
            with httpx.Client(transport=emulation.transport(), headers=emulation["acme"].headers) as client:
                body = {"model": "acme-large", "messages": [{"role": "user", "content": "Hello"}]}
                replies = [
                    client.post(f"{emulation['acme'].base_url}/chat/completions", json={**body, "stream": stream})
                    for stream in (True, False)
                ]
                told.append([reply.content for reply in replies])
        assert told[0] == told[1]


@pytest.mark.parametrize("stream", [True, False])
def test_the_same_seed_plans_the_same_on_a_socket_and_without_one(tmp_path: Path, stream: bool) -> None:
    def planned(seed: int, *, socket: bool) -> list[list[float]]:
        made = runtime(tmp_path, seed=seed)
        with EmulatorServer(made) as server:
            emulation = server.tenant()
            handle = emulation["acme"]
            handle.latency("thinking")
            transport = None if socket else emulation.transport()
            with httpx.Client(transport=transport, headers=handle.headers) as client:
                return [[asked.first, *asked.gaps] for asked in [chat(client, handle, stream=stream) for _ in range(3)]]

    first = planned(1, socket=True)
    assert first == planned(1, socket=True) == planned(1, socket=False)
    assert len({tuple(times) for times in first}) == 3
    assert first != planned(2, socket=False)


def test_explain_names_the_profiles_of_an_operation(tmp_path: Path) -> None:
    data = acme.write(tmp_path, FILES)
    result = CliRunner().invoke(main, ["explain", "GET", "/acme/v1/models", "--data", str(data)])
    told = [line.split() for line in result.stdout.splitlines() if line.startswith("latency")]
    assert [line[1:3] for line in told] == [["measured", "assumed"], ["thinking", "assumed"], ["even", "assumed"]]
    assert told[0][3].endswith("fixtures/acme/latency.yaml:9")


@pytest.mark.parametrize("pace", [0, 1, 2.5])
def test_frames_leave_when_it_is_planned(tmp_path: Path, pace: float) -> None:
    """What every transport sends, without waiting for it."""
    made = runtime(tmp_path, pace=pace)
    headers = {**Emulation(made, "default", None, {})["acme"].headers, "X-Emulator-Latency": "thinking"}
    for stream in (True, False):
        body = {"model": "acme-large", "messages": [{"role": "user", "content": "Hello"}], "stream": stream}
        path, sent = "/acme/v1/chat/completions", json.dumps(body).encode()
        reply, exchange = answer(made, Request("POST", path, "", by_name(headers.items()), sent))
        assert exchange is not None
        exchange.release()
        planned = next(details for stage, _, details in exchange.trace if stage == "encode")
        if stream:
            assert reply.frames is not None
            moments = list(accumulate([planned["first_event"], *planned["gaps"]]))
            moments.append(moments[-1])  # the terminator comes at once
            expected = [at * pace for at in moments] if pace else [0.0]  # without a pace, all in one
            assert [frame.at for frame in reply.frames] == pytest.approx(expected)
            assert reply.wait == 0
        else:
            assert reply.frames is None
            assert reply.wait == pytest.approx(planned["seconds"] * pace)


class TestPace:
    """What is planned is waited for: told by clients whose patience ends before it, so that nobody waits."""

    def test_a_read_timeout_without_a_socket(self, tmp_path: Path) -> None:
        emulation = Emulation(runtime(tmp_path, pace=1), "default", None, {})
        handle = emulation["acme"]
        timeout = httpx.Timeout(5, read=0.01)
        with httpx.Client(transport=emulation.transport(), headers=handle.headers, timeout=timeout) as client:
            for stream in (True, False):
                with pytest.raises(httpx.ReadTimeout):
                    chat(client, handle, stream=stream)
            handle.latency("bursts")
            assert client.get(f"{handle.base_url}/models").status_code == 200

    def test_a_read_timeout_of_an_asynchronous_client(self, tmp_path: Path) -> None:
        emulation = Emulation(runtime(tmp_path, pace=1), "default", None, {})
        handle = emulation["acme"]
        timeout = httpx.Timeout(5, read=0.01)

        async def ask() -> None:
            transport = emulation.transport()
            async with httpx.AsyncClient(transport=transport, headers=handle.headers, timeout=timeout) as client:
                await client.get(f"{handle.base_url}/models")

        with pytest.raises(httpx.ReadTimeout):
            asyncio.run(ask())

    def test_a_client_that_hangs_up_on_a_socket(self, tmp_path: Path) -> None:
        with EmulatorServer(runtime(tmp_path, pace=1000)) as server:
            handle = server["acme"]
            with httpx.Client(headers=handle.headers, timeout=httpx.Timeout(5, read=0.05)) as client:
                with pytest.raises(httpx.ReadTimeout):
                    chat(client, handle)
                handle.latency("bursts")
                assert client.get(f"{handle.base_url}/models").status_code == 200
                while handle.journal[0].raw["client"] is None:
                    client.get(f"{handle.base_url}/models")
            assert handle.journal[0].raw["client"] == {"frames_sent": 0, "hung_up": True}


def test_the_profile_that_the_readme_prints(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (printed,) = re.findall(r"```yaml\n# latency.yaml\n(.*?)```", text, re.DOTALL)
    data = acme.write(tmp_path, {"fixtures/acme/latency.yaml": printed})
    emulation = Emulation(make_runtime(["acme"], data=[data], pace=0), "default", None, {})
    with httpx.Client(transport=emulation.transport(), headers=emulation["acme"].headers) as client:
        assert chat(client, emulation["acme"]).profile == "slow_reasoner"
        client.get(f"{emulation['acme'].base_url}/models")
        assert Asked(emulation["acme"]).seconds == 0.02


class TestPackaged:
    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_every_provider_has_the_ready_profiles(self, emulator: Emulation, provider: str) -> None:
        profiles = PROVIDERS[provider].latency.profiles
        assert [name for name in READY if name in profiles] == READY
        assert all(profile.summary for profile in profiles.values())
        asking = caller(emulator[provider])
        for name in READY:
            assert asking.ask(X_Emulator_Latency=name).status == 200
            asked = Asked(emulator[provider])
            assert asked.profile == name
            assert (asked.seconds == 0) is (name == "instant")

    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_without_a_wish_nothing_is_changed(self, emulator: Emulation, provider: str) -> None:
        caller(emulator[provider]).ask()
        assert Asked(emulator[provider]).profile is None

    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_a_brown_out_is_slow_before_and_after(self, emulator: Emulation, provider: str) -> None:
        emulator.clock.freeze(1_800_000_000)
        handle, asking, found = emulator[provider], caller(emulator[provider]), []
        handle.play("brown_out")
        for _ in range(5):
            status = asking.ask().status
            found.append((Asked(handle).profile, status < 300))
            emulator.clock.advance("30s")
        assert found == [("overloaded", True), (None, False), (None, False), ("recovering", True), (None, True)]

    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_a_slow_reasoner_thinks_before_streams_and_whole_replies(self, emulator: Emulation, provider: str) -> None:
        handle, asking = emulator[provider], caller(emulator[provider])
        handle.play("slow_reasoner")
        for stream in (False, True, False):
            asking.ask(body={**(asking.body or {}), "stream": stream})
            assert Asked(handle).first > 5

    def test_a_reply_that_tells_its_own_time_tells_the_truth(self, emulator: Emulation) -> None:
        handle = emulator["nugen"]
        asking = caller(handle, "createChatCompletionV3")
        handle.latency("overloaded")
        timing = asking.ask().json["timing"]
        assert timing["total_seconds"] == pytest.approx(Asked(handle).seconds, abs=0.01)
