"""Every limit, quirk, variant, scenario step, credential rule, model and alias of the data is met by a request.

Each case takes one datum, causes it, and reads in the journal that this very datum made the reply. The error
entries are the cases of `test_statuses.py`. What the tables lack, the last tests name.
"""

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulation, EmulatorServer, Handle, commands, make_runtime
from emulator.mechanisms.credentials import Rule
from emulator.mechanisms.scenarios import Scenario
from emulator.provider import LimitRule, Provider

from .catalogue import BODIES, PROVIDERS, QUESTION, Caller, caller
from .causes import another
from .raw import RawReply, send

EIGHT_OCLOCK = 1_800_000_000  # 2027-01-15T08:00:00Z, so that minutes may pass without the day ending
REQUESTS = 200

LIMITS = [(p.id, rule) for p in PROVIDERS.values() for rule in p.limits]
SCENARIOS = [(p.id, scenario) for p in PROVIDERS.values() for scenario in p.scenarios.values()]
CREDENTIALS = [(p.id, rule) for p in PROVIDERS.values() for rule in p.credentials]
VARIANTS = [(p.id, name) for p in PROVIDERS.values() for name in p.variants]


def notes(handle: Handle, stage: str, entry: int = -1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = handle.journal[entry].raw["trace"]
    return [note for note in found if note["stage"] == stage]


# limits: ask until one is used up


def by_requests(emulator: Emulation, asking: Caller, key: str = "") -> RawReply:
    for _ in range(REQUESTS):
        reply = asking.ask(key=key)
        if reply.status != 200:
            break
    return reply


def by_key(key: str) -> Callable[[Emulation, Caller], RawReply]:
    return lambda emulator, asking: by_requests(emulator, asking, key)


def by_tokens(tokens: int) -> Callable[[Emulation, Caller], RawReply]:
    """One reply of so many tokens; the next request comes a minute later when a minute holds fewer."""

    def exhaust(emulator: Emulation, asking: Caller) -> RawReply:
        asking.handle.play([{"reply": {"usage": {"prompt_tokens": 5, "completion_tokens": tokens - 5}}}])
        assert asking.ask().status == 200
        if tokens > 200_000:
            emulator.clock.advance("1m")
        return asking.ask()

    return exhaust


EXHAUST: dict[tuple[str, str], Callable[[Emulation, Caller], RawReply]] = {
    ("barrack", "chat_requests"): by_requests,
    ("generalcompute", "requests_per_minute"): by_requests,
    ("generalcompute", "tokens_per_minute"): by_tokens(200_000),
    ("generalcompute", "tokens_per_day"): by_tokens(10_000_000),
    ("nugen", "quota"): by_key("nugen-spent-1"),
    ("peakprivacy", "subscription"): by_key("used-up-1"),
}
BY_RESTART = {("generalcompute", "requests_per_day")}


@pytest.mark.parametrize(
    ("provider", "rule"),
    [row for row in LIMITS if (row[0], row[1].name) in EXHAUST],
    ids=lambda part: getattr(part, "name", part),
)
def test_each_limit_refuses_when_it_is_used_up(emulator: Emulation, provider: str, rule: LimitRule) -> None:
    emulator.clock.freeze(EIGHT_OCLOCK)
    asking = caller(emulator[provider])
    reply = EXHAUST[provider, rule.name](emulator, asking)
    _refused_by(asking, rule)
    assert reply.status == asking.render()["status"] >= 400
    assert (reply.status == 429) == (rule.refuse == "rate_limited")


def _refused_by(asking: Caller, rule: LimitRule) -> None:
    (note,) = [note for note in notes(asking.handle, "limit") if note.get("refused")]
    assert note["what"] == rule.name
    assert note["remaining"] < note["cost"]
    assert asking.handle.journal[-1].refusal == rule.refuse


def test_the_requests_of_a_day_are_used_up_across_a_restart(tmp_path: Path) -> None:
    """50,000 are too many to send here: the server is stopped and its state file says that all but one were."""
    state = tmp_path / "state.sqlite"
    rule = next(rule for p, rule in LIMITS if (p, rule.name) in BY_RESTART)

    def statuses(requests: int) -> list[int]:
        with EmulatorServer(make_runtime(["generalcompute"], state=state, pace=0)) as server:
            emulation = server.tenant()
            emulation.clock.freeze(EIGHT_OCLOCK)
            asking = caller(emulation["generalcompute"])
            found = [asking.ask().status for _ in range(requests)]
            if 429 in found:
                _refused_by(asking, rule)
        return found

    assert statuses(1) == [200]
    with sqlite3.connect(state) as database:
        (where,) = database.execute("SELECT key FROM cells WHERE key LIKE '%:requests_per_day:%'").fetchall()
        used = json.dumps({"start": EIGHT_OCLOCK - EIGHT_OCLOCK % 86_400, "used": 49_999})
        database.execute("UPDATE cells SET data = ? WHERE key = ?", (used, *where))
    database.close()
    assert statuses(2) == [200, 429]


# quirks and variants


def quirks_met(emulator: Emulation, provider: Provider) -> set[str]:
    """The quirks that fire when every operation is asked once."""
    found = set()
    for operation in provider.operations:
        commands.reset(emulator.runtime, emulator.tenant, provider.id, ["accounts"])
        asking = caller(emulator[provider.id], operation)
        assert asking.ask().status == asking.operation.success
        found |= {note["what"] for note in asking.handle.journal[-1].raw["trace"]}
    return found & {quirk.id for quirk in provider.quirks}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_quirk_fires(emulator: Emulation, provider: str) -> None:
    assert quirks_met(emulator, PROVIDERS[provider]) == {quirk.id for quirk in PROVIDERS[provider].quirks}


def _barrack_keys(asking: Caller) -> list[str]:
    return list(asking.ask().json["choices"][0])


def _message(asking: Caller) -> None:
    assert _barrack_keys(asking) == ["index", "message", "finish_reason"]


def _both(asking: Caller) -> None:
    assert _barrack_keys(asking) == ["index", "error", "message", "finish_reason"]


def _keyless(asking: Caller) -> None:
    assert asking.ask(key=None).status == 200


def _broke(asking: Caller, state: str) -> None:
    """What a running instance comes to when it has used the credit up."""
    looking = another(asking, "getInstance")
    looking.ask()
    send("POST", asking.handle.origin.replace("/barrack", "/_emulator/clock"), {}, b'{"advance": "60h"}')
    assert looking.ask().json["instance"]["status"] == state


def _keep_running(asking: Caller) -> None:
    _broke(asking, "ACTIVE")


def _stop(asking: Caller) -> None:
    _broke(asking, "SHUTOFF")


def _bills_by_number(asking: Caller) -> None:
    """A volume's bills are numbered as those of instances and snapshots are."""
    assert re.fullmatch(r"BRK-\d{6}VB", another(asking, "getVolumeBilling").ask().json["records"][0]["billing_id"])


def _streaming(asking: Caller) -> None:
    assert asking.ask(body={**(asking.body or {}), "stream": True}).events[-1] == "[DONE]"


def _longer(asking: Caller) -> None:
    """A long answer is whole, where it would be cut at 200 tokens."""
    words = " ".join(letter * 40 for letter in "abcd")
    reply = asking.ask(body={**(asking.body or {}), "messages": [{"role": "user", "content": words}]})
    assert reply.json["choices"][0]["finish_reason"] == "stop"


def _without_object(asking: Caller) -> None:
    assert list(another(asking, "createTextCompletion").ask().json)[:2] == ["id", "created"]


def _agents_stream(asking: Caller) -> None:
    assert another(asking, "runAgent").ask().events[-1] == "[DONE]"


def _printed_usage(asking: Caller) -> None:
    assert another(asking, "getAgentUsage").ask().json["data"] == {
        "total_usage": 0,
        "total_tokens": 0,
        "average_tokens_per_request": 0.0,
        "most_used_model": "",
        "usage_by_model": {},
    }


def _documents_of_august(asking: Caller) -> None:
    assert list(another(asking, "createDocuments").ask().json) == ["documents"]


def _benchmarks_of_july(asking: Caller) -> None:
    brought = another(asking, "uploadBenchmark").ask().json
    assert list(brought) == ["benchmark_id", "benchmark_name", "status", "questions", "num_questions"]
    found = another(asking, "getBenchmarkData").ask().json
    assert (found["source"], found["document_ids"]) == ("s3", ["doc_000000000000001"])
    assert list(found["questions"][0]) == ["question_num", "question", "answer", "image_url"]


def _bare_document_ids(asking: Caller) -> None:
    (document,) = another(asking, "uploadDocuments").ask().json
    assert re.fullmatch("doc_[0-9]{15}", document)


def _camel_case_agents(asking: Caller) -> None:
    made = another(asking, "createAgent").ask().json["data"]
    (listed, _) = another(asking, "listAgents").ask().json["agents"]
    assert listed == made
    assert list(made) == [
        "id", "name", "description", "baseModel", "baseModelName", "createdDate", "status", "creator", "endpoint",
        "usageCount", "lastUsed", "performanceMetrics", "systemPrompt", "uncertaintyThreshold",
    ]  # fmt: skip


def _bare_model_id(asking: Caller) -> None:
    assert another(asking, "deployModel").ask().json == "model_leases_alignment_000000000000002"


def _quota_429(asking: Caller) -> None:
    for operation in ("runAgent", "runAgentEndpoint"):
        assert another(asking, operation).ask(key="nugen-spent-1").status == 429


def _confidence_score(asking: Caller) -> None:
    """A score for an aligned model, and none for any other."""
    for operation in ("createChatCompletionV3", "createCompletionV3"):
        calling = another(asking, operation)
        aligned = calling.ask(body={**(calling.body or {}), "model": "model_contracts_alignment_000000000000001"}).json
        assert (list(aligned)[-1], "confidence" in aligned) == ("confidence_score", False)
        assert 0 <= aligned["confidence_score"] <= 100
        assert calling.ask().json["confidence_score"] is None


def _lower_case_statuses(asking: Caller) -> None:
    deploying = another(asking, "deployModel")
    deploying.ask()
    looking = another(asking, "getDeployStatus")
    assert looking.ask().json["status"] == "completed"
    looking.url = f"{deploying.url}/status"
    assert looking.ask().json["status"] == "pending"
    assert another(asking, "getUndeployStatus").ask().json["status"] == "completed"


def _every_snapshot_active(asking: Caller) -> None:
    """One that is deleted is completed, and counted all the same."""
    assert another(asking, "deleteSnapshot").ask().status == 200
    summary = another(asking, "getSnapshotBilling").ask().json
    assert "completed" in {record["status"] for record in summary["records"]}
    assert summary["summary"]["activeCount"] == summary["total"]


def _older_models(asking: Caller) -> None:
    for model in ("llama-4-maverick-17b", "gemma-3-12b-it", "deepseek-r1-0528"):
        assert asking.ask(body={**(asking.body or {}), "model": model}).status == 200


def _minimax_160k(asking: Caller) -> None:
    long = [{"role": "user", "content": "word " * 140_000}]  # 175,000 tokens
    assert asking.ask(body={"model": "minimax-m2.7", "messages": long}).status == 400
    assert asking.ask(body={"model": "minimax-m2.7", "messages": QUESTION}).json["model"] == "MiniMax-M2.7"
    first, *others = another(asking, "listModels").ask().json["data"]
    assert (first["id"], len(others)) == ("minimax-m2.7", 4)


def _without_models_list(asking: Caller) -> None:
    assert another(asking, "listModelsByPost").ask().status == 404
    assert another(asking, "listModels").ask().status == 200


def _balance(asking: Caller, key: str) -> float:
    """What a key of a sign-up has. Only a payment tells, so it has a dollar more then."""
    return float(asking.handle.top_up(1, key)) - 1


def _may_prices(asking: Caller) -> None:
    """What a million tokens each way cost."""
    rates = {"minimax-m2.7": 2.74, "deepseek-v3.2": 7.50, "deepseek-v3.1": 7.50, "gpt-oss-120b": 1.00}
    for model, cost in rates.items():
        key = f"gc_agent_{model}"
        before = _balance(asking, key)
        asking.handle.play([{"reply": {"usage": {"prompt_tokens": 1_000_000, "completion_tokens": 1_000_000}}}])
        assert asking.ask(key=key, body={**(asking.body or {}), "model": model}).status == 200
        assert before + 1 - _balance(asking, key) == pytest.approx(cost)


def _hundred_dollars(asking: Caller) -> None:
    assert _balance(asking, "gc_agent_1") == 100


def _usage_with_speed(asking: Caller) -> None:
    usage = asking.ask().json["usage"]
    assert list(usage)[3:] == ["time_to_first_token", "total_latency", "completion_tokens_per_sec"]
    assert 0 < usage["time_to_first_token"] < usage["total_latency"]


def _models_as_printed(asking: Caller) -> None:
    first, *_ = another(asking, "listModels").ask().json["data"]
    assert first == {"id": "gpt-4-1106-preview", "object": "model", "created": 0, "owned_by": "OpenAI"}


SHOWS: dict[tuple[str, str], Callable[[Caller], None]] = {
    ("barrack", "message"): _message,
    ("barrack", "both"): _both,
    ("barrack", "every-snapshot-active"): _every_snapshot_active,
    ("barrack", "keyless"): _keyless,
    ("barrack", "keep-running"): _keep_running,
    ("barrack", "stop"): _stop,
    ("barrack", "volume-bills-by-number"): _bills_by_number,
    ("generalcompute", "older-models"): _older_models,
    ("generalcompute", "minimax-160k"): _minimax_160k,
    ("generalcompute", "without-models-list"): _without_models_list,
    ("generalcompute", "may-2026-prices"): _may_prices,
    ("generalcompute", "hundred-dollar-credit"): _hundred_dollars,
    ("generalcompute", "usage-with-speed"): _usage_with_speed,
    ("peakprivacy", "models-as-printed"): _models_as_printed,
    ("nugen", "without-object"): _without_object,
    ("nugen", "streaming"): _streaming,
    ("nugen", "max-tokens-2000"): _longer,
    ("nugen", "agents-stream"): _agents_stream,
    ("nugen", "printed-usage"): _printed_usage,
    ("nugen", "bare-model-id"): _bare_model_id,
    ("nugen", "bare-document-ids"): _bare_document_ids,
    ("nugen", "documents-of-august"): _documents_of_august,
    ("nugen", "benchmarks-of-july"): _benchmarks_of_july,
    ("nugen", "camel-case-agents"): _camel_case_agents,
    ("nugen", "quota-429"): _quota_429,
    ("nugen", "confidence-score"): _confidence_score,
    ("nugen", "lower-case-statuses"): _lower_case_statuses,
}


@pytest.mark.emulator(allow_unmatched=True)  # a variant may take a route away
@pytest.mark.parametrize(("provider", "variant"), SHOWS)
def test_each_variant_shows(emulator: Emulation, provider: str, variant: str) -> None:
    """What a variant does is not so without it, is so with it, and its own quirks fire."""
    asking = caller(emulator[provider])
    with pytest.raises(AssertionError):
        SHOWS[provider, variant](asking)
    emulator[provider].reset()
    emulator[provider].use(variant)
    SHOWS[provider, variant](asking)
    chosen = make_runtime([provider]).providers[provider].with_variants((variant,))
    assert quirks_met(emulator, chosen) == {quirk.id for quirk in chosen.quirks}


# scenarios


BREAKS = {
    "cut": "IncompleteRead",
    "close": "IncompleteRead",
    "content_length_too_long": "IncompleteRead",
    "hang": "closed connection without response",
}
"""What the client of these tests says of a fault; it has nothing to say of the others."""


@pytest.mark.parametrize(("provider", "scenario"), SCENARIOS, ids=lambda part: getattr(part, "name", part))
def test_each_step_of_each_scenario_is_met(emulator: Emulation, provider: str, scenario: Scenario) -> None:
    handle = emulator[provider]
    emulator.clock.freeze(EIGHT_OCLOCK)
    handle.play(scenario.name)
    asking = caller(handle)
    if asking.operation.stream is not None:
        asking.body = {**BODIES[provider], "stream": True}
    steps = [step for step in scenario.steps for _ in range(step.times or 1)]
    for number, step in enumerate(steps):
        _meets(asking, number, BREAKS.get(step.fault.name) if step.fault is not None else None)
        emulator.clock.advance(step.lasts or 0)
    met = [notes(handle, "disrupt", number)[0]["step"] for number in range(len(steps))]
    assert met == [step.where for step in steps]
    assert [entry.refusal for entry in handle.journal] == [step.refuse for step in steps]
    assert emulator.unfinished() == []


def _meets(asking: Caller, number: int, error: str | None) -> None:
    if error:
        with pytest.raises(Exception, match=error):
            asking.ask()
    else:
        asking.ask()
    assert len(asking.handle.journal) == number + 1


# credentials, models, aliases


@pytest.mark.parametrize(("provider", "rule"), CREDENTIALS, ids=lambda part: getattr(part, "match", part))
def test_each_credential_rule_decides(emulator: Emulation, provider: str, rule: Rule) -> None:
    handle = emulator[provider]
    caller(handle).ask(key="zzz" if rule.match == "*" else rule.match.replace("*", "1"))
    entry = handle.journal[-1]
    if rule.refuse is not None:
        assert entry.refusal == rule.refuse
    else:
        assert entry.raw["principal"] == rule.principal


@pytest.mark.parametrize(
    ("provider", "model", "answers_as"),
    [
        (p.id, model["id"], model.get("answers_as", model["id"]))
        for p in PROVIDERS.values()
        for model in p.models
        if model["id"] != "*"
    ],
)
def test_each_model_is_served_under_its_name(emulator: Emulation, provider: str, model: str, answers_as: str) -> None:
    asking = caller(emulator[provider])
    assert asking.ask(body={**(asking.body or {}), "model": model}).json["model"] == answers_as


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_key_of_the_handle_is_declared(emulator: Emulation, provider: str) -> None:
    """It works where only declared keys do, so that a catch-all rule is not what lets it in."""
    with EmulatorServer(make_runtime([provider], strict_auth=True, pace=0)) as server:
        asking = caller(server.tenant()[provider])
        assert asking.ask().status == 200
        assert asking.ask(key="zzz").status in (401, 403)


def test_the_bare_paths_reach_the_operations_they_stand_for(emulator: Emulation) -> None:
    handle = emulator["generalcompute"]
    headers = {**handle.headers, "Content-Type": "application/json"}
    send("POST", f"{handle.origin}/chat/completions", headers, json.dumps(BODIES["generalcompute"]).encode())
    send("GET", f"{handle.origin}/models", headers)
    assert [entry.operation for entry in handle.journal] == ["createChatCompletion", "listModels"]


# nothing is left out


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_schema_says_where_its_keys_are_from(provider: str) -> None:
    schemas = PROVIDERS[provider].document["components"]["schemas"]
    assert [name for name, schema in schemas.items() if "x-source" not in schema] == []


def test_every_limit_has_a_way_to_use_it_up() -> None:
    assert {*EXHAUST, *BY_RESTART} == {(p, rule.name) for p, rule in LIMITS}


def test_every_variant_has_a_way_to_show() -> None:
    assert set(SHOWS) == set(VARIANTS)
