"""All kinds of limits at once, of a provider that does not exist: by key, model and account, in windows and in flight.

Replies that are not read are in flight, so a test holds as many as it likes; the clock is frozen.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli import acme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator import Emulation, LoadError, make_runtime

NOON = 1_800_014_400
LIMITS = """\
limits:
  rules:
    - {name: in_flight_by_key, capacity: 3, algorithm: concurrency, retry_after: 3s, source: convention}
    - {name: in_flight_by_model, key: "principal.org + request.model", capacity: 4, algorithm: concurrency,
       operations: [createChatCompletion], source: convention}
    - {name: in_flight_by_account, key: principal.org, capacity: 5, algorithm: concurrency, refuse: unavailable,
       source: convention}
    - {name: requests_per_minute, capacity: 8, per: 1m, algorithm: sliding_window, source: convention}
    - {name: requests_per_day, key: principal.org, capacity: 20, per: 1d, algorithm: fixed_window,
       refuse: quota_exhausted, source: convention}
    - {name: tokens_per_minute, key: principal.id, capacity: 300, per: 1m, algorithm: token_bucket,
       cost: request.prompt_tokens, settle: usage.total_tokens, operations: [createChatCompletion], source: convention}
    - {name: tokens_per_day, key: principal.org, capacity: 3000, per: 1d, algorithm: fixed_window,
       cost: request.prompt_tokens, settle: usage.total_tokens, operations: [createChatCompletion], source: convention}
  headers:
    x-requests: "${limits.requests_per_minute.remaining}"
    x-requests-today: "${limits.requests_per_day.remaining}"
    x-tokens: "${limits.tokens_per_minute.remaining}"
    x-tokens-today: "${limits.tokens_per_day.remaining}"
    x-in-flight: "${limits.in_flight_by_key.remaining}"
"""
POOL = """\
limits:
  rules:
    - {name: in_flight, capacity: 1, pool: {key: principal.org, capacity: 2}, algorithm: concurrency, retry_after: 2s,
       source: convention}
    - {name: tokens, capacity: 100, pool: {key: principal.org, capacity: 150}, per: 1m, algorithm: fixed_window,
       cost: request.prompt_tokens, settle: usage.total_tokens, operations: [createChatCompletion], source: convention}
  headers:
    x-in-flight: "${limits.in_flight.remaining} ${limits.in_flight.pool.remaining}"
    x-tokens: "${limits.tokens.remaining} ${limits.tokens.pool.remaining}"
"""
SETTLED = """\
limits:
  rules:
    - {name: tokens, capacity: 100, per: 1m, algorithm: sliding_window, cost: request.prompt_tokens,
       settle: usage.total_tokens, operations: [createChatCompletion], source: convention}
"""
ERRORS = """\
errors:
  catalog:
    rate_limited: &told
      status: 429
      source: convention
      facts: {rule: requests, ran_out: share, retry_after: 60}
      headers: {Retry-After: "${ceil(fact.retry_after)}"}
      error: {message: "${fact.rule}", type: "${fact.ran_out}", param: null, code: null}
    quota_exhausted: *told
    unavailable: {<<: *told, status: 503}
"""
AUTH = """\
auth:
  credentials:
    - {match: "emu-ok", principal: {org: red}}
    - {match: "red-*", principal: {org: red}}
    - {match: "blue-*", principal: {org: blue}}
    - {match: "green-*", principal: {org: green}}
"""
MODELS = acme.PROVIDER.replace("[{id: acme-large", "[{id: acme-small}, {id: acme-large")


class Team:
    """Clients of one provider, by key; what is served stays open until `close`."""

    def __init__(self, emulation: Emulation, client: httpx.Client, tokens: int = 10) -> None:
        """Each chat uses so many tokens, prompt included."""
        emulation.clock.freeze(NOON)
        self.clock = emulation.clock
        self.handle = emulation["acme"]
        self._client = client
        self.open: list[tuple[str, str, httpx.Response]] = []
        """Key, model and reply."""
        usage = {"prompt_tokens": 2, "completion_tokens": tokens - 2}
        self.handle.play([{"for": "1000d", "reply": {"text": "Yes.", "usage": usage}}])

    def ask(self, key: str = "red-1", model: str = "acme-large", words: int = 1) -> httpx.Response:
        """A chat with so many words in its prompt."""
        request = self._client.build_request(
            "POST",
            f"{self.handle.base_url}/chat/completions",
            json={"model": model, "messages": [{"role": "user", "content": "word" * words}]},
            headers={"Authorization": f"Bearer {key}"},
        )
        reply = self._client.send(request, stream=True)
        if reply.status_code == 200:
            self.open.append((key, model, reply))
        else:
            reply.read()
        return reply

    def models(self, key: str = "red-1") -> httpx.Response:
        """A request that ends at once."""
        return self._client.get(f"{self.handle.base_url}/models", headers={"Authorization": f"Bearer {key}"})

    def served(self, *arguments: Any, **named: Any) -> bool:
        return self.ask(*arguments, **named).status_code == 200

    def refused(self, *arguments: Any, **named: Any) -> tuple[int, str, str, str]:
        """Status, the rule that refused, what of it ran out, and Retry-After."""
        reply = self.ask(*arguments, **named)
        error = reply.json()["error"]
        return reply.status_code, error["message"], error["type"], reply.headers["retry-after"]

    def close(self, place: int = 0) -> None:
        """End an open reply, the oldest when none is named."""
        self.open.pop(place)[2].close()

    def close_all(self) -> None:
        while self.open:
            self.close()


def emulation_with(folder: Path, limits: str) -> Emulation:
    files = {"limits": limits, "errors": ERRORS, "auth": AUTH, "provider": MODELS}
    data = acme.write(folder, {f"fixtures/acme/{name}.yaml": text for name, text in files.items()})
    return Emulation(make_runtime(["acme"], data=[data], pace=0), "default", None, {})


Make = Callable[..., Team]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Emulation]:
    limits = {"limits": LIMITS, "pool": POOL, "settled": SETTLED}
    return {name: emulation_with(tmp_path_factory.mktemp(name), text) for name, text in limits.items()}


@pytest.fixture
def making(loaded: dict[str, Emulation]) -> Iterator[Make]:
    """Makes a team under `limits`, `pool` or `settled`, whose chats use so many tokens."""
    with ExitStack() as stack:

        def made(limits: str = "limits", tokens: int = 10) -> Team:
            emulation = loaded[limits]
            emulation.reset()
            client = stack.enter_context(httpx.Client(transport=emulation.transport()))
            found = Team(emulation, client, tokens)
            stack.callback(found.close_all)
            return found

        yield made


class TestInFlight:
    def test_of_one_key(self, making: Make) -> None:
        team = making()
        left = [team.ask().headers["x-in-flight"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        assert team.refused() == (429, "in_flight_by_key", "share", "3")
        assert team.models("red-2").headers["x-in-flight"] == "2"
        team.close()
        assert team.ask().headers["x-in-flight"] == "0"

    def test_of_one_model(self, making: Make) -> None:
        team = making()
        assert all(team.served(f"red-{i}") for i in range(4))
        assert team.refused("red-5") == (429, "in_flight_by_model", "share", "1")
        assert team.served("red-5", "acme-small")
        assert team.served("blue-1")

    def test_of_one_account(self, making: Make) -> None:
        team = making()
        assert all(team.served(f"red-{i}", model) for i in range(2) for model in ("acme-small", "acme-large"))
        assert team.served("red-3")
        assert team.refused("red-4", "acme-small") == (503, "in_flight_by_account", "share", "1")
        assert team.models("red-4").status_code == 503
        assert team.models("blue-1").status_code == 200

    def test_a_request_that_is_refused_later_on_is_in_flight_while_it_is_told_so(self, making: Make) -> None:
        team = making()
        team.handle.reset()
        team.handle.fail("server_error")
        assert team.ask().status_code == 500
        assert team.models().headers["x-in-flight"] == "2"


class TestWindows:
    def test_requests_a_minute_and_a_day(self, making: Make) -> None:
        team = making()
        left = []
        for _ in range(8):
            reply = team.models()
            left.append((reply.headers["x-requests"], reply.headers["x-requests-today"]))
        assert left == [(str(7 - i), str(19 - i)) for i in range(8)]
        assert team.refused() == (429, "requests_per_minute", "share", "60")
        team.clock.advance("60s")
        assert [team.models("red-2").status_code for _ in range(12)] == [200] * 8 + [429] * 4
        assert [team.models("red-3").status_code for _ in range(4)] == [200] * 4
        assert team.refused("red-4") == (429, "requests_per_day", "share", str(12 * 3600 - 60))
        assert team.served("blue-1")
        team.clock.advance("12h")
        assert team.served("red-4")

    def test_tokens_a_minute_by_what_was_really_used(self, making: Make) -> None:
        team = making(tokens=150)
        left = [(reply.headers["x-tokens"], reply.headers["x-tokens-today"]) for reply in (team.ask(), team.ask())]
        assert left == [("150", "2850"), ("0", "2700")]
        status, rule, _, wait = team.refused()
        assert (status, rule) == (429, "tokens_per_minute")
        team.clock.advance(float(wait))
        assert team.served()
        team.close_all()

    def test_what_was_given_back_leaves_the_window_with_what_was_taken(self, making: Make) -> None:
        team = making("settled", tokens=40)
        assert team.served(words=100)
        team.clock.advance("30s")
        assert team.served(words=60)
        team.clock.advance("10s")
        assert team.refused(words=70) == (429, "tokens", "share", "50")  # at 60 s, only 40 of the first hundred go
        team.clock.advance("50s")
        assert team.served(words=70)

    def test_tokens_a_day_of_an_account(self, making: Make) -> None:
        team = making(tokens=3000)
        assert team.served("red-1")
        assert team.refused("red-2")[:2] == (429, "tokens_per_day")
        assert team.served("blue-1")
        team.close_all()


def test_a_refused_request_takes_nothing_of_any_limit(making: Make) -> None:
    team = making()
    for _ in range(3):
        team.ask()
    for _ in range(4):
        assert team.refused()[1] == "in_flight_by_key"
    team.close()
    left = team.ask().headers
    assert [left["x-requests"], left["x-requests-today"], left["x-tokens"], left["x-tokens-today"]] == [
        *("4", "16"),
        *("260", "2960"),
    ]


class TestPool:
    def test_what_exceeds_the_own_share_is_drawn_from_the_pool(self, making: Make) -> None:
        pooled = making("pool")
        left = [pooled.ask("red-1").headers["x-in-flight"] for _ in range(3)]
        assert left == ["0 2", "0 1", "0 0"]
        assert pooled.refused("red-1") == (429, "in_flight", "pool", "2")
        assert pooled.ask("red-2").headers["x-in-flight"] == "0 0"  # its own share nobody else can use up
        assert pooled.refused("red-2")[1:3] == ("in_flight", "pool")
        assert pooled.ask("blue-1").headers["x-in-flight"] == "0 2"

    def test_each_gives_back_what_it_took(self, making: Make) -> None:
        pooled = making("pool")
        for _ in range(3):
            pooled.ask("red-1")
        pooled.close(1)  # one of the pool
        assert pooled.models("red-2").headers["x-in-flight"] == "0 1"
        assert pooled.ask("red-1").headers["x-in-flight"] == "0 0"
        pooled.close(0)  # the one of the own share
        assert pooled.ask("red-1").headers["x-in-flight"] == "0 0"
        pooled.close_all()
        assert pooled.models("red-1").headers["x-in-flight"] == "0 2"

    def test_of_tokens(self, making: Make) -> None:
        team = making("pool", tokens=80)
        assert team.ask("red-1").headers["x-tokens"] == "20 150"
        assert team.ask("red-1").headers["x-tokens"] == "0 90"
        team.close_all()
        assert team.ask("red-2").headers["x-tokens"] == "20 90"
        assert team.ask("red-2").headers["x-tokens"] == "0 30"
        team.close_all()
        assert team.ask("red-1").headers["x-tokens"] == "0 0"
        team.close_all()
        assert team.refused("red-2") == (429, "tokens", "pool", "60")
        assert team.served("red-3")
        team.clock.advance("60s")
        assert team.ask("red-2").headers["x-tokens"] == "20 150"
        team.close_all()


KEYS = ["red-1", "red-2", "red-3", "blue-1"]
STEPS = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(KEYS), st.sampled_from(["acme-small", "acme-large"])),
    st.tuples(st.just("close"), st.integers(0, 10), st.just("")),
    st.tuples(st.just("wait"), st.sampled_from([1, 20, 60]), st.just("")),
)


@given(st.lists(STEPS, max_size=25))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_never_more_than_every_limit_allows(making: Make, steps: list[tuple[str, Any, str]]) -> None:
    """Against bookkeeping by hand of everything that was served."""
    team, now, served = making(), 0, list[tuple[int, str]]()
    for what, which, model in steps:
        if what == "wait":
            now += which
            team.clock.advance(which)
        elif what == "close" and team.open:
            team.close(which % len(team.open))
        elif what == "ask":
            org = which.split("-")[0]
            fits = (
                sum(key == which for key, _, _ in team.open) < 3
                and sum((key.split("-")[0], m) == (org, model) for key, m, _ in team.open) < 4
                and sum(key.startswith(org) for key, _, _ in team.open) < 5
                and sum(at > now - 60 and key == which for at, key in served) < 8
                and sum(key.startswith(org) for _, key in served) < 20
            )
            assert team.served(which, model) is fits
            served += [(now, which)] if fits else []
    team.close_all()
    assert team.models("green-1").headers["x-in-flight"] == "2"
    assert team.ask("green-1").headers["x-in-flight"] == "2"
    team.close_all()


def test_the_limits_that_contributing_prints(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (printed,) = re.findall(r"```yaml\n(limits:\n.*?)```", text, re.DOTALL)
    emulation = emulation_with(tmp_path, printed.replace("source: docs", "source: convention"))
    with httpx.Client(transport=emulation.transport()) as client:
        told = Team(emulation, client).models().headers
        assert (told["x-at-once-remaining"], told["x-pool-remaining"]) == ("1", "10")


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("retry_after: 3s", "per: 3s", "3 limits.rules[0]: concurrency has no `per:`: each request in flight is one"),
        ("retry_after: 3s", "cost: 2", "3 limits.rules[0]: concurrency has no `cost:`"),
        ("retry_after: 3s", "settle: usage.total_tokens", "3 limits.rules[0]: concurrency has no `settle:`"),
        ("retry_after: 3s", "retry_after: 0", "3 limits.rules[0].retry_after: "),
        ("8, per: 1m", "8", "8 limits.rules[3]: a sliding_window needs `per:`, the length of the window"),
        ("8, per: 1m", "8, per: 1m, retry_after: 1s", "8 limits.rules[3]: a sliding_window has no `retry_after:`"),
        ("retry_after: 3s", "pool: {key: nobody.id, capacity: 1}", "3 limits.rules[0].pool.key: `nobody.id` uses "),
        ("retry_after: 3s", "pool: {capacity: 1}", "3 limits.rules[0].pool.key: is missing"),
    ],
)
def test_mistakes_in_the_data(tmp_path: Path, right: str, wrong: str, told: str) -> None:
    with pytest.raises(LoadError) as caught:
        emulation_with(tmp_path, LIMITS.replace(right, wrong, 1))
    problems = [str(problem) for problem in caught.value.problems]
    assert any(f"fixtures/acme/limits.yaml:{told}" in problem for problem in problems), problems
