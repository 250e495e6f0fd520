"""Asking for an outcome by header, `Prefer` or key; and being told what cannot be had."""

import json
from typing import Any

import httpx
import pytest

from emulator import Emulation, EmulatorServer, Handle, make_runtime
from emulator.edge import answer
from emulator.mechanisms.fault_catalogue import OF_REQUESTS
from emulator.refusals import REFUSALS
from emulator.wire.reading import Request, by_name

from .catalogue import OPERATIONS, PROVIDERS, Caller, caller
from .raw import RawReply, send

NOTICE = "x-emulator-notice"
BODY: dict[str, Any] = {
    "model": "gpt-oss-120b",
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
}
EVERYWHERE = {"content-type", "content-length", "date"}


@pytest.fixture
def handle(emulator: Emulation) -> Handle:
    return emulator["generalcompute"]


@pytest.fixture
def asking(handle: Handle) -> Caller:
    return caller(handle)


def send_raw(asking: Caller, name: str, value: str) -> RawReply:
    """The caller's request with a header as it stands."""
    headers = {**asking.handle.headers, "Content-Type": "application/json", name: value}
    return send("POST", asking.url, headers, json.dumps(asking.body).encode())


def steered(handle: Handle) -> list[tuple[str, str]]:
    """What the trace says that the last request was given, and what asked for it."""
    return [(note["what"], note["by"]) for note in handle.journal[-1].raw["trace"] if note["stage"] == "steer"]


class TestHonoured:
    @pytest.mark.parametrize(("provider", "operation"), [(p, o.id) for p, o in OPERATIONS])
    def test_the_header_names_any_refusal_the_provider_has_a_reply_for(
        self, emulator: Emulation, provider: str, operation: str
    ) -> None:
        asking = caller(emulator[provider], operation)
        for refusal in PROVIDERS[provider].errors:
            reply = asking.ask(X_Emulator_Refuse=refusal)
            assert asking.render()["what"] == refusal
            assert reply.status == asking.render()["status"] != 200
            assert reply.header(NOTICE) is None
            assert steered(asking.handle) == [(refusal, "X-Emulator-Refuse")]

    def test_no_key_is_needed(self, asking: Caller) -> None:
        assert asking.ask(key=None, X_Emulator_Refuse="rate_limited").status == 429
        assert asking.ask(key=None, Prefer="code=503").status == 503

    def test_nothing_is_used_up(self, asking: Caller) -> None:
        assert asking.ask(X_Emulator_Refuse="server_error").header("x-ratelimit-remaining-requests") == "100"

    @pytest.mark.parametrize("prefer", ["code=429", 'code="429"', "return=minimal, code=429", "code=429; dynamic=true"])
    def test_forms_of_prefer(self, asking: Caller, prefer: str) -> None:
        reply = asking.ask(Prefer=prefer)
        assert (reply.status, reply.header("preference-applied")) == (429, "code=429")
        assert steered(asking.handle) == [("rate_limited", "Prefer: code=429")]

    def test_success_may_be_preferred(self, asking: Caller) -> None:
        reply = asking.ask(Prefer="code=200")
        assert (reply.status, reply.header("preference-applied")) == (200, "code=200")

    @pytest.mark.parametrize("key", ["emu-ok", "sk-anything"])
    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_other_keys_are_accepted(self, emulator: Emulation, provider: str, key: str) -> None:
        reply = caller(emulator[provider]).ask(key=key)
        assert (reply.status, reply.header(NOTICE)) == (200, None)

    def test_a_test_key_can_carry_the_tenant(self, emulator: Emulation, handle: Handle, asking: Caller) -> None:
        asking.url = f"{handle.root_url}/chat/completions"
        assert asking.ask(key=f"emu-forbidden~{emulator.tenant}").status == 403
        assert [entry.refusal for entry in handle.journal] == ["forbidden"]

    def test_a_scenario_plays_for_those_who_name_it(self, asking: Caller) -> None:
        def named() -> int:
            return asking.ask(X_Emulator_Scenario="flaky_then_fine").status

        assert [named(), asking.ask().status, named(), named(), named()] == [429, 200, 429, 200, 200]

    @pytest.mark.emulator(allow_unfinished=True)
    def test_each_name_of_a_scenario_has_a_play_of_its_own(self, handle: Handle, asking: Caller) -> None:
        """Also beside one of that name that is in store."""
        handle.play("flaky_then_fine")
        assert [asking.ask().status for _ in range(3)] == [429, 429, 200]
        names = ["flaky_then_fine", "gateway_down"] * 2
        assert [asking.ask(X_Emulator_Scenario=name).status for name in names] == [429, 502, 429, 503]

    @pytest.mark.parametrize(("key", "status"), [("emu-rate_limited", 429), ("emu-html_gateway_page", 200)])
    def test_the_key_says_how_where_none_is_needed(
        self, emulator: Emulation, handle: Handle, key: str, status: int
    ) -> None:
        asking = caller(handle, "listPublicModels")
        reply = asking.ask(key=f"{key}~{emulator.tenant}")
        assert (reply.status, reply.body == asking.ask().body) == (status, False)


class TestStrength:
    def test_a_header_is_stronger_than_what_a_tenant_starts_with(self) -> None:
        runtime = make_runtime(["generalcompute"], scenarios={"generalcompute": "flaky_then_fine"}, pace=0)
        emulation = Emulation(runtime, "default", "http://any.test", {})
        handle, given = emulation["generalcompute"], {"X-Emulator-Refuse": "forbidden"}
        with httpx.Client(transport=emulation.transport(), headers=handle.headers) as client:
            url = f"{handle.base_url}/models"
            assert [client.get(url, headers=more).status_code for more in (given, {}, given)] == [403, 429, 403]

    @pytest.mark.emulator(allow_unfinished=True)
    def test_what_a_test_has_queued_is_stronger_beside_a_scenario_by_header(
        self, handle: Handle, asking: Caller
    ) -> None:
        assert asking.ask(X_Emulator_Scenario="flaky_then_fine").status == 429
        handle.fail("server_error")
        assert asking.ask(X_Emulator_Refuse="rate_limited").status == 500

    def test_what_a_test_has_queued_is_stronger_than_a_header(self, handle: Handle, asking: Caller) -> None:
        handle.fail("server_error")
        assert asking.ask(X_Emulator_Refuse="rate_limited").status == 500

    def test_and_when_it_is_over_the_header_counts_again(self, handle: Handle, asking: Caller) -> None:
        handle.fail("server_error")
        asking.ask()
        assert asking.ask(X_Emulator_Refuse="rate_limited").status == 429
        assert asking.ask(key="emu-forbidden").status == 403

    def test_what_is_queued_for_another_operation_does_not_stand_in_the_way(
        self, handle: Handle, asking: Caller
    ) -> None:
        handle.fail("server_error", operation="listModels")
        assert asking.ask(X_Emulator_Refuse="rate_limited").status == 429
        assert asking.ask().status == 200
        assert caller(handle, "listModels").ask().status == 500

    def test_a_scenario_that_has_come_to_as_usual_does_not_either(self, handle: Handle, asking: Caller) -> None:
        handle.play([{"refuse": "server_error"}, {}])
        assert [asking.ask().status for _ in range(2)] == [500, 200]
        assert asking.ask(Prefer="code=429").status == 429

    def test_nor_in_the_way_of_what_is_queued_later(self, handle: Handle, asking: Caller) -> None:
        handle.play([{"refuse": "server_error"}, {}])
        assert [asking.ask().status for _ in range(2)] == [500, 200]
        handle.fail("rate_limited")
        assert [asking.ask().status for _ in range(2)] == [429, 200]

    def test_the_refusal_is_stronger_than_prefer_and_both_than_the_key(self, asking: Caller) -> None:
        assert asking.ask(key="emu-forbidden", X_Emulator_Refuse="rate_limited", Prefer="code=500").status == 429
        assert asking.ask(key="emu-forbidden", Prefer="code=500").status == 500

    def test_a_header_is_stronger_than_a_wrong_request(self, asking: Caller) -> None:
        assert asking.ask(body={}, key="gc_revoked_1", X_Emulator_Refuse="unavailable").status == 503


class TestNotHonoured:
    """The request is served as if nothing had been asked for, and a header says what was wrong and what there is."""

    def is_told(self, reply: RawReply, *words: str) -> None:
        assert 200 <= reply.status < 300
        notice = reply.header(NOTICE)
        assert notice is not None
        assert all(word in notice for word in words), notice
        assert reply.header("preference-applied") is None

    def test_a_refusal_that_does_not_exist(self, handle: Handle, asking: Caller) -> None:
        self.is_told(asking.ask(X_Emulator_Refuse="tired"), "X-Emulator-Refuse", "tired", "rate_limited")
        assert handle.journal[-1].raw["notices"]

    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_a_refusal_the_provider_has_no_reply_for(self, emulator: Emulation, provider: str) -> None:
        missing = [name for name in REFUSALS if name not in PROVIDERS[provider].errors]
        asking = caller(emulator[provider])
        for name in missing:
            self.is_told(asking.ask(X_Emulator_Refuse=name), name, "server_error")
            self.is_told(asking.ask(key=f"emu-{name}"), name, "server_error")

    @pytest.mark.parametrize(("provider", "operation"), [(p, o.id) for p, o in OPERATIONS])
    def test_a_status_the_operation_does_not_document(self, emulator: Emulation, provider: str, operation: str) -> None:
        """And each of those that are told can be had."""
        asking = caller(emulator[provider], operation)
        reply = asking.ask(Prefer="code=418")
        self.is_told(reply, f"Prefer: code=418 is not a status of {operation}; there are ", "500")
        there = [int(status) for status in (reply.header(NOTICE) or "").rpartition("there are ")[2].split(", ")]
        assert asking.operation.success in there
        for status in {*there} - {asking.operation.success}:  # which may not be had twice
            reply = asking.ask(Prefer=f"code={status}")
            assert (reply.status, reply.header("preference-applied")) == (status, f"code={status}")
            assert reply.header(NOTICE) is None

    def test_a_status_without_end(self, asking: Caller) -> None:
        self.is_told(asking.ask(Prefer=f"code={'4' * 5000}"), "Prefer: code=444")

    @pytest.mark.parametrize("code", ["abc", "", "42", "4290", "-429", "4xx", "²²²"])
    def test_a_status_that_is_none(self, asking: Caller, code: str) -> None:
        shown = code if code.isascii() else "?"
        self.is_told(send_raw(asking, "Prefer", f'return=minimal, code="{code}"'), "Prefer: code=", shown, "429")

    @pytest.mark.parametrize("prefer", ["return=minimal", "respond-async, wait=10", "example=code"])
    def test_other_preferences_are_none_of_ours(self, asking: Caller, prefer: str) -> None:
        reply = asking.ask(Prefer=prefer)
        assert (reply.status, reply.header(NOTICE)) == (200, None)

    @pytest.mark.parametrize("name", ["Refuse", "Fault", "Scenario", "Latency"])
    def test_a_header_without_a_word(self, asking: Caller, name: str) -> None:
        self.is_told(send_raw(asking, f"X-Emulator-{name}", ""), f"X-Emulator-{name}: ", "there are")

    @pytest.mark.parametrize("provider", PROVIDERS)
    def test_a_misspelt_test_key(self, emulator: Emulation, provider: str) -> None:
        asking = caller(emulator[provider])
        for place in range(len(asking.provider.places)):
            self.is_told(asking.ask(key="emu-rate_limitted", place=place), "emu-rate_limitted", "rate_limited")

    def test_a_misspelt_test_key_where_none_is_needed(self, emulator: Emulation, handle: Handle) -> None:
        reply = caller(handle, "listPublicModels").ask(key=f"emu-rate_limitted~{emulator.tenant}")
        self.is_told(reply, "emu-rate_limitted", "rate_limited")

    def test_a_scenario_that_does_not_exist(self, asking: Caller) -> None:
        self.is_told(asking.ask(X_Emulator_Scenario="doom"), "X-Emulator-Scenario", "doom", "flaky_then_fine")

    def test_several_at_once(self, asking: Caller) -> None:
        reply = asking.ask(X_Emulator_Scenario="doom", X_Emulator_Refuse="tired")
        assert len(reply.all(NOTICE)) == 2

    def test_what_a_header_cannot_carry_is_replaced(self, asking: Caller) -> None:
        self.is_told(send_raw(asking, "X-Emulator-Refuse", "t\xfcred"), "t?red")


NO_OPERATION = "this request meets no operation, and only those that do can be steered"


@pytest.mark.emulator(allow_unmatched=True)
class TestWithoutAnOperation:
    """The provider's own 404 or 405, and a word on what was asked for."""

    @pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/models", 405)])
    @pytest.mark.parametrize(
        ("asked", "told"),
        [
            ({"X-Emulator-Refuse": "rate_limited"}, "X-Emulator-Refuse"),
            ({"X-Emulator-Fault": "reset", "Prefer": "code=500"}, "X-Emulator-Fault, Prefer"),
            ({"X-Emulator-Scenario": "flaky_then_fine"}, "X-Emulator-Scenario"),
            ({"Authorization": "Bearer emu-reset"}, "the key"),
            ({"Authorization": "Bearer emu-rate_limited"}, "the key"),
        ],
    )
    def test_what_is_asked_for(
        self, handle: Handle, method: str, path: str, status: int, asked: dict[str, str], told: str
    ) -> None:
        if "Authorization" in asked:
            asked = {"Authorization": f"{asked['Authorization']}~{handle.api_key.rpartition('~')[2]}"}
        reply = httpx.request(method, handle.base_url + path, headers={**handle.headers, **asked})
        assert (reply.status_code, reply.headers.get_list(NOTICE)) == (status, [f"{told}: {NO_OPERATION}"])

    def test_what_is_queued_is_kept(self, handle: Handle, asking: Caller) -> None:
        handle.fail("rate_limited")
        reply = httpx.get(f"{handle.base_url}/nowhere", headers=handle.headers)
        told = "what is queued waits for a request that meets an operation: this one meets none"
        assert (reply.status_code, reply.headers[NOTICE]) == (404, told)
        assert asking.ask().status == 429
        assert NOTICE not in httpx.get(f"{handle.base_url}/nowhere", headers=handle.headers).headers

    def test_what_is_asked_of_others_only(self, handle: Handle) -> None:
        headers = {**handle.headers, "Prefer": "return=minimal"}
        assert NOTICE not in httpx.get(f"{handle.base_url}/nowhere", headers=headers).headers


@pytest.mark.parametrize(("key", "told"), [("gc_1~a b", True), ("gc_1~", True), ("gc_1~a", False), ("gc_1", False)])
def test_a_key_that_ends_in_no_tenants_name(emulator_server: EmulatorServer, key: str, told: bool) -> None:
    """Written as tests call theirs: `test_x[a b]`."""
    address = f"{emulator_server.url}/generalcompute/v1/models"
    reply = httpx.get(address, headers={"Authorization": f"Bearer {key}"})
    assert (NOTICE in reply.headers) is told
    if told:
        assert reply.headers[NOTICE].startswith("what follows the `~` of the key is no name of a tenant, which has ")
        named = httpx.get(address.replace("/gen", "/~blue/gen", 1), headers={"Authorization": f"Bearer {key}"})
        assert NOTICE not in named.headers


@pytest.mark.parametrize(("provider", "operation"), [(p, o.id) for p, o in OPERATIONS])
def test_nothing_else_tells_the_reply_from_the_providers(emulator: Emulation, provider: str, operation: str) -> None:
    asking = caller(emulator[provider], operation)
    reply = asking.ask()
    names = {name.lower() for name, _ in reply.headers}
    assert names >= ({"date"} if reply.status == 204 else EVERYWHERE)
    of_the_provider = {name for name in names - EVERYWHERE if not name.startswith("x-ratelimit-")}
    of_browsers = {f"access-control-allow-{what}" for what in ("origin", "methods", "headers")}
    assert of_the_provider <= ({"content-disposition"} if operation == "downloadEvaluation" else of_browsers)


class TestSequences:
    def test_four_lines(self, emulator: Emulation, handle: Handle, asking: Caller) -> None:
        """429 twice, a 502 after half a minute, a reply that is cut, then fine."""
        emulator.clock.freeze()
        handle.play(
            [{"times": 2, "refuse": "rate_limited"}, {"after": "30s", "refuse": "bad_gateway"}, {"times": 1}, {}]
        )
        assert [asking.ask().status for _ in range(4)] == [429, 429, 200, 200]
        emulator.clock.advance("29s")
        assert asking.ask().status == 200
        emulator.clock.advance("1s")
        assert [asking.ask().status for _ in range(3)] == [502, 200, 200]

    def test_the_first_step_waits_from_the_first_request(
        self, emulator: Emulation, handle: Handle, asking: Caller
    ) -> None:
        emulator.clock.freeze()
        handle.play([{"after": "10s", "for": "5s", "refuse": "unavailable"}, {}])
        statuses = []
        for _ in range(4):
            statuses.append(asking.ask().status)
            emulator.clock.advance("5s")
        assert statuses == [200, 200, 503, 200]

    def test_to_ask_what_is_unfinished_begins_nothing(
        self, emulator: Emulation, handle: Handle, asking: Caller
    ) -> None:
        emulator.clock.freeze()
        handle.play([{"after": "10s", "for": "5s", "refuse": "unavailable"}, {}])
        for _ in range(3):
            assert emulator.unfinished()
            emulator.clock.advance("10s")
        assert [asking.ask().status, len(emulator.unfinished())] == [200, 1]
        emulator.clock.advance("15s")
        assert [emulator.unfinished(), asking.ask().status] == [[], 200]

    def test_what_holds_for_a_time_is_not_passed_over_for_what_is_queued_later(
        self, emulator: Emulation, handle: Handle, asking: Caller
    ) -> None:
        emulator.clock.freeze()
        handle.play([{"for": "30s", "refuse": "unavailable"}])
        handle.fail("rate_limited")
        assert [asking.ask().status for _ in range(2)] == [503, 503]
        emulator.clock.advance("30s")
        assert [asking.ask().status for _ in range(2)] == [429, 200]

    def test_a_step_that_has_not_begun_is_still_to_come(
        self, emulator: Emulation, handle: Handle, asking: Caller
    ) -> None:
        handle.play([{"after": "1h", "refuse": "bad_gateway"}])
        assert asking.ask().status == 200
        assert emulator.unfinished()
        emulator.clock.advance("1h")
        assert asking.ask().status == 502
        assert not emulator.unfinished()

    def test_a_miss_is_told_from_the_end(self, emulator: Emulation, handle: Handle, asking: Caller) -> None:
        def why() -> list[str]:
            asking.ask()
            notes = [note for note in handle.journal[-1].raw["trace"] if note["stage"] == "disrupt"]
            return [key for note in notes for key in note if key in ("missed", "before", "exhausted", "step")]

        handle.play([{"refuse": "rate_limited", "when": "body.model == 'another'"}])
        assert why() == ["missed"]
        emulator.reset()
        handle.play([{"refuse": "rate_limited", "after": "10s"}])
        assert why() == ["before"]
        emulator.clock.advance("10s")
        assert [why(), why()] == [["step"], ["exhausted"]]


class TestFaults:
    """By header and by key: the same bytes as by a call."""

    @pytest.mark.parametrize("name", OF_REQUESTS)
    def test_by_name(self, emulator: Emulation, handle: Handle, name: str) -> None:
        """What is planned, without waiting for it."""

        def planned(key: str = handle.api_key, **headers: str) -> tuple[Any, list[str]]:
            emulator.clock.freeze(1_800_000_000)
            given = {"content-type": "application/json", "authorization": f"Bearer {key}", **headers}
            path = f"/~{emulator.tenant}/generalcompute/v1/chat/completions"
            request = Request("POST", path, "", by_name(given.items()), json.dumps(BODY).encode())
            reply, exchange = answer(emulator.runtime, request)
            assert exchange is not None
            exchange.release()
            notes = [what for stage, what, _ in exchange.trace if stage == "steer"]
            emulator.reset()
            return (reply.status, reply.body, reply.frames, reply.complete, reply.breakage), notes

        by_header, notes = planned(**{"x-emulator-fault": name})
        assert notes == [name]
        assert planned(**{"x-emulator-fault": json.dumps({name: {}})}) == (by_header, notes)
        assert planned(key=f"emu-{name}")[1] == [name]
        handle.fail(fault={name: {}})
        assert planned() == (by_header, [])

    def test_of_a_name_of_both_the_key_means_the_refusal(self, asking: Caller) -> None:
        assert set(OF_REQUESTS) & set(REFUSALS) == {"malformed_json"}
        assert asking.ask(key="emu-malformed_json").status == 400

    def test_arguments(self, asking: Caller) -> None:
        asking.body = {**(asking.body or {}), "stream": True}
        reply = asking.ask(X_Emulator_Fault='{"error_event": {"after_events": 1, "refuse": "rate_limited"}}')
        assert reply.body.count(b"data: ") == 2

    def test_a_refusal_in_a_stream_that_the_provider_has_no_reply_for(self, asking: Caller) -> None:
        asking.body = {**(asking.body or {}), "stream": True}
        reply = asking.ask(X_Emulator_Fault='{"error_event": {"refuse": "in_use"}}')
        assert (reply.header(NOTICE) or "").startswith("the fault error_event: in_use has no reply here; there are inv")

    @pytest.mark.parametrize(
        ("asked", "told"),
        [
            ("cut_off", "there are reset, close"),
            ("refuse", "there are reset, close"),
            ('{"refuse": {}}', "meets connections before any request"),
            ('{"cut": {"after_events": -1}}', "after_events"),
            ('{"cut": {}', "not JSON"),
            ("{}", "name one"),
        ],
    )
    def test_what_is_none_is_told(self, asking: Caller, asked: str, told: str) -> None:
        reply = asking.ask(X_Emulator_Fault=asked)
        assert reply.status == 200
        assert told in (reply.header(NOTICE) or "")

    def test_what_a_test_has_queued_is_stronger(self, handle: Handle, asking: Caller) -> None:
        handle.fail("server_error")
        assert asking.ask(X_Emulator_Fault="html_gateway_page").status == 500
        assert b"<html>" in asking.ask(X_Emulator_Fault="html_gateway_page").body


def test_the_trace_grades_a_refusal_for_the_operation(emulator: Emulation) -> None:
    """That there is a 401 is documented of chat alone."""
    barrack = emulator["barrack"]
    for path in ("/ai/chat/", "/volumes/billing/"):
        httpx.request("POST" if "chat" in path else "GET", barrack.base_url + path)
    grades = [note["grade"] for entry in barrack.journal for note in entry.raw["trace"] if note["stage"] == "render"]
    assert grades == ["documented", "assumed"]


def test_the_trace_grades_an_alias_by_its_own_source(emulator: Emulation) -> None:
    gc = emulator["generalcompute"]
    for path in ("/v1/models", "/models"):
        httpx.get(gc.origin + path, headers=gc.headers)
    notes = [note for entry in gc.journal for note in entry.raw["trace"] if note["stage"] == "route"]
    assert [(note.get("alias"), note["grade"]) for note in notes] == [(None, "observed"), ("/models", "observed")]
    run = emulator["nugen"]
    httpx.post(f"{run.origin}/inference/chat/completions", headers=run.headers, json={})
    (note,) = [note for note in run.journal[-1].raw["trace"] if note["stage"] == "route"]
    assert (note["alias"], note["grade"]) == ("/inference/chat/completions", "observed")


STAGES = ("route", "authenticate", "limit", "produce", "settle", "delay", "render")


@pytest.mark.parametrize(("provider", "operation"), [(p, o.id) for p, o in OPERATIONS])
def test_the_trace_tells_the_stages_in_their_order(emulator: Emulation, provider: str, operation: str) -> None:
    asking = caller(emulator[provider], operation)
    assert asking.ask().status == asking.operation.success
    stages = [note["stage"] for note in asking.handle.journal[-1].raw["trace"]]
    known = [stage for stage in stages if stage in STAGES]
    assert known == sorted(known, key=STAGES.index)
    assert (stages.count("route"), "produce" in stages) == (1, True)
    assert stages.count("authenticate") == asking.operation.secured
