"""The control API of a served process: every command, for one tenant, and what it refuses."""

from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from .serving import Served, until

MODELS = "/generalcompute/v1/models"
PATHS = [
    "health", "openapi.json", "providers", "journal", "outbox", "fail", "scenario", "variant", "latency", "credit",
    "resources", "clock", "connections", "reset",
]  # fmt: skip


@pytest.fixture
def models(tenant: str) -> str:
    """Where this tenant lists models."""
    return f"/~{tenant}{MODELS}"


def test_health(served: Served, tenant: str) -> None:
    health = served.control("health", tenant=tenant).json()
    assert list(health) == ["status", "version", "providers", "strict_auth"]
    assert (health["status"], health["strict_auth"]) == ("ok", False)


def test_providers(served: Served, tenant: str) -> None:
    told = {provider["id"]: provider for provider in served.control("providers", tenant=tenant).json()}
    assert list(told) == served.control("health").json()["providers"]
    general = told["generalcompute"]
    assert general["base_path"] == "/generalcompute/v1"
    assert served.get("/generalcompute/v1/models", general["api_key"]).status_code == 200
    assert "flaky_then_fine" in general["scenarios"]
    assert "rate_limited" in general["refusals"]
    assert {"id": "createChatText", "method": "POST", "path": "/inference/chat_text"} in told["nugen"]["operations"]


def test_openapi(served: Served, tenant: str) -> None:
    document = served.control("openapi.json", tenant=tenant).json()
    assert set(document["paths"]) == {f"/{path}" for path in PATHS}


def test_journal(served: Served, tenant: str, models: str) -> None:
    served.get(models)
    served.get(models, "emu-forbidden")
    entries = served.control("journal", tenant=tenant).json()
    assert [(e["status"], e["operation"], e["refusal"]) for e in entries] == [
        (200, "listModels", None),
        (403, "listModels", "forbidden"),
    ]
    assert httpx.delete(f"{served.url}/~{tenant}/_emulator/journal").json() == {"entries": 0}
    assert served.journal(tenant) == []


def test_fail(served: Served, tenant: str, models: str) -> None:
    served.control("fail", {"provider": "generalcompute", "refuse": "rate_limited", "times": 2}, tenant)
    assert [served.get(models).status_code for _ in range(3)] == [429, 429, 200]


def test_fail_for_some_time(served: Served, tenant: str, models: str) -> None:
    served.control("clock", {"freeze": 1_800_000_000}, tenant)
    failure = {"provider": "generalcompute", "refuse": "unavailable", "for": "30s"}
    for body, expected in ((failure, [503, 503, 503]), ({**failure, "times": 2}, [503, 503, 200])):
        served.control("fail", body, tenant)
        assert [served.get(models).status_code for _ in range(3)] == expected
        served.control("clock", {"advance": "30s"}, tenant)
        assert served.get(models).status_code == 200


def test_fail_by_status(served: Served, tenant: str, models: str) -> None:
    served.control("fail", {"provider": "generalcompute", "refuse": 503}, tenant)
    assert [served.get(models).status_code for _ in range(2)] == [503, 200]


def test_fail_narrowed_down(served: Served, tenant: str, models: str) -> None:
    step = {"provider": "generalcompute", "refuse": "bad_gateway", "operation": "createChatCompletion"}
    served.control("fail", {**step, "when": "request.model == 'minimax-m2.7'"}, tenant)
    chat = f"/~{tenant}/generalcompute/v1/chat/completions"
    replies = [served.get(models), served.chat(chat), served.chat(chat, model="minimax-m2.7"), served.chat(chat)]
    assert [reply.status_code for reply in replies] == [200, 200, 502, 200]


def test_fail_below_the_status_line(served: Served, tenant: str, models: str) -> None:
    served.control("fail", {"provider": "generalcompute", "fault": {"close": {}}}, tenant)
    with pytest.raises(httpx.RemoteProtocolError):
        served.get(models)
    assert served.get(models).status_code == 200


def test_scenario(served: Served, tenant: str, models: str) -> None:
    steps = [{"refuse": "unavailable"}, {"reply": {"text": "Yes."}}]
    assert served.control("scenario", {"provider": "generalcompute", "steps": steps}, tenant).json() == {"queued": True}
    served.control("scenario", {"provider": "generalcompute", "name": "flaky_then_fine"}, tenant)
    assert len(served.control("scenario", tenant=tenant).json()["unfinished"]) == 2
    assert served.get(models).status_code == 503
    reply = served.chat(f"/~{tenant}/generalcompute/v1/chat/completions").json()
    assert reply["choices"][0]["message"]["content"] == "Yes."
    (left,) = served.control("scenario", tenant=tenant).json()["unfinished"]
    assert left.startswith("generalcompute: flaky_then_fine: step 1 of 3")


def test_variant(served: Served, tenant: str) -> None:
    def keys() -> set[str]:
        reply = served.chat(f"/~{tenant}/barrack/api/ai/chat/", model="openai/gpt-oss-120b")
        choice: dict[str, Any] = reply.json()["choices"][0]
        return {"error", "message"} & choice.keys()

    assert keys() == {"error"}
    for names, expected in ((["message"], {"message"}), ([], {"error"})):
        assert served.control("variant", {"provider": "barrack", "names": names}, tenant).json() == {"variants": names}
        assert keys() == expected


def test_latency(served: Served, tenant: str, models: str) -> None:
    def profile() -> list[str]:
        served.get(models)
        trace = served.control("journal", tenant=tenant).json()[-1]["trace"]
        return [note["what"] for note in trace if note["stage"] == "delay"]

    assert profile() == []
    for name, expected in (("overloaded", ["overloaded"]), ("steady", ["steady"]), (None, [])):
        body = {"provider": "generalcompute", "profile": name}
        assert served.control("latency", body, tenant).json() == {"profile": name}
        assert profile() == expected


def test_credit_and_resources(served: Served, tenant: str) -> None:
    account = {"provider": "barrack", "key": "brk-new-1"}
    assert served.control("credit", {**account, "amount": "0.50"}, tenant).json() == {
        "balance": "25.50",
        "currency": "USD",
    }
    keys = {"ssh_key": [{"id": "BRK-777777K", "name": "mine"}]}
    assert served.control("resources", {**account, "resources": keys}, tenant).json() == {
        "loaded": {"ssh_key": ["BRK-777777K"]}
    }
    (key,) = served.get(f"/~{tenant}/barrack/api/ssh-keys/", "brk-new-1").json()["ssh_keys"]
    assert key["name"] == "mine"


def test_connections(served: Served) -> None:
    """On a provider's own port, which leaves the control API where it is."""
    (port,) = [p["port"] for p in served.control("connections").json()["ports"] if p["provider"] == "nugen"]
    own = f"http://127.0.0.1:{port}/_emulator/health"

    def came() -> str:
        try:
            return str(httpx.get(own, timeout=0.3).status_code)
        except httpx.TransportError as error:
            return type(error).__name__

    def asked(**body: object) -> dict[str, Any]:
        reply = served.control("connections", {"provider": "nugen", **body})
        assert reply.status_code == 200
        return {entry["provider"]: entry["fault"] for entry in reply.json()["ports"]}

    assert asked(fault="accept_and_hang", times=2)["nugen"] == "accept_and_hang"
    assert [came() for _ in range(3)] == ["ReadTimeout", "ReadTimeout", "200"]
    faults = asked(fault="refuse", **{"for": "1h"})
    assert [name for name, fault in faults.items() if fault] == ["nugen"]
    assert came() == "ConnectError"
    lifted = httpx.delete(f"{served.url}/_emulator/connections").json()["ports"]
    assert [entry["fault"] for entry in lifted] == [None] * len(lifted)
    assert came() == "200"
    assert asked(fault="refuse", **{"for": "50ms"})["nugen"] == "refuse"
    assert until(lambda: came() == "200")


def test_clock(served: Served, tenant: str) -> None:
    frozen = served.control("clock", {"freeze": 1_800_000_000}, tenant).json()
    assert frozen == {"now": 1_800_000_000, "iso": "2027-01-15T08:00:00Z", "frozen": True, "speed": 1}
    assert served.control("clock", {"advance": "2h"}, tenant).json()["now"] == 1_800_007_200
    assert served.control("clock", {"advance": 0.5}, tenant).json()["now"] == 1_800_007_200.5
    assert served.control("clock", tenant=tenant).json()["frozen"]
    resumed = served.control("clock", {"resume": True}, tenant).json()
    assert resumed["now"] >= 1_800_007_200.5
    assert not resumed["frozen"]
    assert served.control("clock", {"freeze": True}, tenant).json()["frozen"]


def test_clock_moves_limits(served: Served, tenant: str, models: str) -> None:
    def remaining() -> str:
        return served.get(models).headers["x-ratelimit-remaining-requests"]

    served.control("clock", {"freeze": 1_800_000_000}, tenant)
    assert [remaining(), remaining()] == ["99", "98"]
    served.control("clock", {"advance": "60s"}, tenant)
    assert remaining() == "99"


def test_reset(served: Served, tenant: str, models: str) -> None:
    served.control("clock", {"freeze": 1_800_000_000}, tenant)
    served.get(models)
    served.chat(f"/~{tenant}/nugen/inference/chat_text")
    served.control("reset", {"provider": "generalcompute"}, tenant)
    assert [entry[0] for entry in served.journal(tenant)] == ["nugen"]
    assert served.get(models).headers["x-ratelimit-remaining-requests"] == "99"
    served.control("reset", {"kinds": ["windows"]}, tenant)
    assert served.get(models).headers["x-ratelimit-remaining-requests"] == "99"
    assert len(served.journal(tenant)) == 3
    assert served.control("reset", {}, tenant).json() == {"reset": True}
    assert served.journal(tenant) == []
    assert not served.control("clock", tenant=tenant).json()["frozen"]


GENERAL = {"provider": "generalcompute"}
REFUSED: dict[str, tuple[str, object, str]] = {
    "fail for nobody": ("fail", {"refuse": "bad_gateway"}, "`provider` is missing"),
    "fail for several": ("fail", {"provider": ["nugen"], "refuse": "bad_gateway"}, "`provider` is one provider's id"),
    "fail for an unknown provider": ("fail", {"provider": "nope", "refuse": "bad_gateway"}, "no provider is called"),
    "fail with nothing": ("fail", GENERAL, "say what shall fail"),
    "fail with a refusal that is none": (
        "fail",
        {**GENERAL, "refuse": "too_tired"},
        'refuse: "too_tired" is not known; use ',
    ),
    "fail with a status that is none": (
        "fail",
        {**GENERAL, "refuse": 418},
        "generalcompute never answers 418; there are 400, 401",
    ),
    "fail with a truth": ("fail", {**GENERAL, "refuse": True}, "refuse: true is not known"),
    "fail with a fault for a refusal": (
        "fail",
        {**GENERAL, "refuse": "reset"},
        "`reset` is a fault: say it by `fault`",
    ),
    "fail with a refusal for a fault": (
        "fail",
        {**GENERAL, "fault": "unavailable"},
        "`unavailable` is a refusal: say it by `refuse`",
    ),
    "fail with a refusal without a reply": ("fail", {**GENERAL, "refuse": "in_use"}, "has no reply for in_use"),
    "fail no times": ("fail", {**GENERAL, "refuse": "bad_gateway", "times": 0}, "times: 0"),
    "fail with a key that is none": ("fail", {**GENERAL, "refuse": "bad_gateway", "time": 2}, "time: is not a key"),
    "fail an unknown operation": (
        "fail",
        {**GENERAL, "refuse": "bad_gateway", "operation": "createSong"},
        "has no operation 'createSong'",
    ),
    "fail on an expression that is none": ("fail", {**GENERAL, "refuse": "bad_gateway", "when": "1 +"}, "when: `1 +`"),
    "fail with an unknown fault": ("fail", {**GENERAL, "fault": {"melt": {}}}, "fault.melt: "),
    "fail with a fault that refuses without a reply": (
        "fail",
        {**GENERAL, "fault": {"error_event": {"refuse": "in_use"}}},
        "generalcompute has no reply for in_use; it has invalid_request, ",
    ),
    "fail with two faults": ("fail", {**GENERAL, "fault": {"reset": {}, "close": {}}}, "name one fault of"),
    "no scenario": ("scenario", GENERAL, "say which: `name`"),
    "scenario by name and steps": (
        "scenario",
        {**GENERAL, "name": "flaky_then_fine", "steps": [{"refuse": "unavailable"}]},
        "say one of `name` and `steps`",
    ),
    "scenario unknown": ("scenario", {**GENERAL, "name": "nope"}, "has no scenario 'nope'"),
    "scenario steps that are none": ("scenario", {**GENERAL, "steps": [1]}, "[0]: "),
    "scenario key that is none": ("scenario", {**GENERAL, "named": "x"}, "`named` is not known"),
    "latency unknown": ("latency", {"provider": "barrack", "profile": "nope"}, "has no latency profile 'nope'"),
    "latency not a name": ("latency", {"provider": "barrack", "profile": 1}, "`profile` is the name of"),
    "latency missing": ("latency", {"provider": "barrack"}, "`profile` is the name of"),
    "latency too much": ("latency", {"provider": "barrack", "profile": None, "x": 1}, "`x` is not known"),
    "variant unknown": ("variant", {"provider": "barrack", "names": ["nope"]}, "has no variant 'nope'"),
    "variant not a list": ("variant", {"provider": "barrack", "names": "both"}, "`names` is a list"),
    "variant of an unknown provider": ("variant", {"provider": "nope", "names": []}, "no provider is called"),
    "credit of nothing": ("credit", {"provider": "barrack"}, "None is no amount"),
    "credit for a key that is refused": (
        "credit",
        {"provider": "barrack", "amount": 1, "key": "brk-expired-1"},
        "brk-expired-1 is not accepted: expired_credentials",
    ),
    "credit for a key that is none": ("credit", {"provider": "barrack", "amount": 1, "key": 7}, "`key` is a key"),
    "credit where nothing is paid": ("credit", {"provider": "nugen", "amount": 1}, "nugen has no prices"),
    "resources that are none": ("resources", {"provider": "barrack"}, "is not a mapping of kinds"),
    "resources of an unknown kind": (
        "resources",
        {"provider": "barrack", "resources": {"x": []}},
        '"x" does not exist',
    ),
    "connections with a fault that is none": (
        "connections",
        {"fault": "melt", "times": 1},
        "is no fault of connections",
    ),
    "connections with a fault of requests": (
        "connections",
        {"fault": "reset", "times": 1},
        "reset happens to requests",
    ),
    "connections for ever": ("connections", {"fault": "accept_and_hang"}, "say `times` or `for`"),
    "connections that nobody counts": ("connections", {"fault": "refuse", "times": 1}, "nobody counts"),
    "connections no times": ("connections", {"fault": "accept_and_hang", "times": 0}, "`times` is a number"),
    "connections for no time": ("connections", {"fault": "refuse", "for": 0}, "lasts more than nothing"),
    "connections for years": ("connections", {"fault": "refuse", "for": "400d"}, "at most a day"),
    "connections for a duration that is none": ("connections", {"fault": "refuse", "for": "soon"}, '"soon" is not'),
    "connections without TLS": ("connections", {"fault": "tls_expired", "times": 1}, "tls_expired needs https"),
    "connections of nobody": (
        "connections",
        {"fault": "refuse", "for": 1, "provider": "nope"},
        "no provider is called",
    ),
    "connections with a key that is none": ("connections", {"fault": "refuse", "after": 1}, "`after` is not known"),
    "fail with a fault of connections": (
        "fail",
        {**GENERAL, "fault": {"refuse": {}}},
        "refuse meets connections before any request is known: use `emulator.connections('refuse')`",
    ),
    "clock with nothing": ("clock", {}, "say one of `freeze`"),
    "clock with two": ("clock", {"freeze": True, "advance": "1s"}, "say one of `freeze`"),
    "clock with a duration that is none": ("clock", {"advance": "1 fortnight"}, "1 fortnight"),
    "clock advanced by a truth": ("clock", {"advance": True}, "`advance` is a duration"),
    "clock frozen at a text": ("clock", {"freeze": "now"}, "`freeze` is true, or Unix seconds"),
    "clock frozen at a list": ("clock", {"freeze": [1]}, ""),
    "clock not resumed": ("clock", {"resume": False}, "`resume` is true"),
    "clock key that is none": ("clock", {"rewind": "1s"}, "`rewind` is not known"),
    "reset of an unknown provider": ("reset", {"provider": "nope"}, "no provider is called 'nope'"),
    "reset of kinds that are no list": ("reset", {"kinds": "windows"}, "`kinds` is a list"),
    "reset of kinds that are none": (
        "reset",
        {"kinds": ["windows", "window"]},
        "`window` is no kind; there are accounts, clock, ",
    ),
    "reset key that is none": ("reset", {"everything": True}, "`everything` is not known"),
    "not an object": ("reset", [1], "the body is a JSON object"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_400(served: Served, tenant: str, case: str) -> None:
    command, body, told = REFUSED[case]
    reply = served.control(command, body, tenant)
    assert reply.status_code == 400
    error: Any = reply.json()
    assert list(error) == ["error"]
    assert told in error["error"]
    assert command != "fail" or "steps" not in error["error"]
    assert served.control("scenario", tenant=tenant).json() == {"unfinished": []}


def test_not_json(served: Served, tenant: str) -> None:
    reply = httpx.post(f"{served.url}/~{tenant}/_emulator/reset", content=b'{"provider"')
    assert reply.status_code == 400
    assert reply.json()["error"].startswith("the body is not JSON: ")


@pytest.mark.parametrize("levels", [300, 1000, 5000])
@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("scenario", '{"provider": "barrack", "steps": %s}'),
        ("fail", '{"provider": "barrack", "refuse": "unavailable", "facts": {"a": %s}}'),
        ("credit", '{"provider": "barrack", "amount": %s}'),
        ("resources", '{"provider": "barrack", "resources": {"volume": %s}}'),
        ("connections", '{"fault": %s, "times": 1}'),
        ("clock", '{"freeze": %s}'),
        ("variant", '{"provider": "barrack", "names": %s}'),
        ("reset", '{"kinds": %s}'),
    ],
)
def test_too_deep(served: Served, tenant: str, command: str, body: str, levels: int) -> None:
    content = body % ("[" * levels + "]" * levels)
    reply = httpx.post(f"{served.url}/~{tenant}/_emulator/{command}", content=content)
    assert reply.status_code == 400
    assert reply.json()["error"].startswith("the body is not JSON: ")


@pytest.mark.parametrize(
    "path",
    ["", "/", "/nope", "/fail/", "/fail/more", "/a%0Ab", "/fail%0A", "//health", "/%C3%A9", "/a%00b"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_unknown_path(served: Served, path: str, method: str) -> None:
    for tenant in ("", "/~blue"):
        reply = httpx.request(method, f"{served.url}{tenant}/_emulator{path}")
        assert reply.status_code == 404
        told = reply.json()["error"]
        assert told.startswith(f"/_emulator{unquote(path)} is not part of the control API; there are /_emulator/")


def test_wrong_method(served: Served) -> None:
    reply = httpx.put(f"{served.url}/_emulator/journal")
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, DELETE")
    assert reply.json() == {"error": "PUT is not allowed here; it takes GET, DELETE"}


@pytest.mark.parametrize("path", ["/", "/_emulator/health", "/~blue/_emulator/providers"])
def test_head_goes_where_get_does(served: Served, path: str) -> None:
    whole, head = (httpx.request(method, served.url + path) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]


def test_a_fault_by_its_name_alone(served: Served, tenant: str, models: str) -> None:
    assert served.control("fail", {"provider": "nugen", "fault": "malformed_json"}, tenant=tenant).status_code == 200
    assert served.control("fail", {"provider": "nugen", "refuse": "malformed_json"}, tenant=tenant).status_code == 200
    for command, body in (("fail", {"fault": "close"}), ("scenario", {"steps": [{"fault": "close"}]})):
        assert served.control(command, {"provider": "generalcompute", **body}, tenant=tenant).status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            served.get(models)
    told = served.control("fail", {"provider": "generalcompute", "fault": "nope"}, tenant=tenant)
    assert (told.status_code, "there are reset, close, " in told.json()["error"]) == (400, True)
