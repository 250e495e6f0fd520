"""An expression of one's own that fails on a request: the provider's 500 and a notice, wherever it stands."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from emulator import Emulation, make_runtime, make_transport

from . import acme

HELLO = {"model": "acme-large", "messages": [{"role": "user", "content": "Hello"}], "user": "much"}
SOURCES = "sources: {ours: {ref: a guess, grade: assumed}}\n"
LIMIT = (
    "{name: spend, key: principal.id, cost: COST, SETTLE capacity: 60, per: 60s, algorithm: sliding_window,"
    " refuse: rate_limited, source: ours}"
)


def _limit(cost: str, settle: str = "") -> str:
    return SOURCES + "limits:\n  rules:\n    - " + LIMIT.replace("COST", cost).replace("SETTLE", settle) + "\n"


FAILING = {
    "shape": 'shapes: {chat.completion: {sum: "${body.user + 1}"}}',
    "element": 'shapes: {chat.completion: {sum: "${body.messages[7].content + body.user}"}}',
    "header": 'limits: {rules: [], headers: {x-sum: "${body.user + 1}"}}',
    "cost": _limit("body.user"),
    "settle": _limit('"1"', "settle: body.user,"),
    "price": SOURCES
    + "prices:\n  source: ours\n  currency: \"'USD'\"\n  opening_balance: 10\n  charges:\n    createChatCompletion:\n"
    + "      - {quantity: body.user, unit: 1, price: 1}\n",
    "quirk": SOURCES + "quirks:\n  - {id: user, target: body, source: ours, do: [{op: scale, path: id, factor: 2}]}\n",
    "event": 'streams: {chat.completion.chunk: {source: convention, events: {content: {sum: "${body.user + 1}"}}}}',
}


def _asked(folder: Path, overlay: str, **change: Any) -> httpx.Response:
    data = acme.write(folder, {"fixtures/acme/own.yaml": overlay})
    runtime = make_runtime(["acme"], data=[data], pace=0)
    with httpx.Client(transport=make_transport(runtime, None), base_url="http://acme.localhost/v1") as client:
        return client.post("/chat/completions", json=HELLO | change, headers={"Authorization": "Bearer k"})


@pytest.mark.parametrize("where", FAILING)
def test_it_is_the_providers_own_error(tmp_path: Path, where: str) -> None:
    reply = _asked(tmp_path, FAILING[where], stream=where == "event")
    assert (reply.status_code, reply.json()["error"]["type"]) == (500, "server_error")
    assert "user" in reply.headers["x-emulator-notice"]


def test_an_error_that_fails_becomes_the_one_of_the_server(tmp_path: Path) -> None:
    overlay = (
        SOURCES + "errors: {catalog: {unknown_model: {status: 404, source: ours,"
        ' error: {message: "${request.model + 1}", type: t, param: null, code: null}}}}\n'
    )
    reply = _asked(tmp_path, overlay, model="another")
    assert (reply.status_code, reply.json()["error"]["type"]) == (500, "server_error")


ERRORS = {
    "message": 'validation: {messages: {required: {message: "${int(method)}"}, maximum: {message: "${int(method)}"}}}',
    "header": SOURCES + "errors: {catalog: {invalid_request: {status: 400, source: ours, headers: "
    '{x-sum: "${int(method)}"}}}}',
}
SERVERS_OWN = {
    "envelope": 'errors: {envelope: {error: "${int(method)}"}}',
    "entry": SOURCES + 'errors: {catalog: {server_error: {status: 500, source: ours, body: "${int(method)}"}}}',
}


@pytest.mark.parametrize("where", ERRORS)
def test_an_error_that_fails_is_told_once(tmp_path: Path, where: str) -> None:
    reply = _asked(tmp_path, ERRORS[where], temperature=99)
    assert (reply.status_code, reply.json()["error"]["type"]) == (500, "server_error")
    assert len(reply.headers.get_list("x-emulator-notice")) == 1
    assert reply.headers["x-emulator-notice"].startswith("`int(method)` failed")


@pytest.mark.parametrize("where", SERVERS_OWN)
def test_an_error_of_the_servers_that_fails_is_its_status_alone(tmp_path: Path, where: str) -> None:
    data = acme.write(tmp_path, {"fixtures/acme/own.yaml": SERVERS_OWN[where]})
    emulation = Emulation(make_runtime(["acme"], data=[data], pace=0), "default", None, {})
    with httpx.Client(transport=emulation.transport(), base_url="http://acme.localhost/v1") as client:
        reply = client.get("/models", headers={"Prefer": "code=500", "Authorization": "Bearer k"})
    assert (reply.status_code, reply.content, "preference-applied" in reply.headers) == (500, b"", False)
    assert reply.headers["x-emulator-notice"].startswith("`int(method)` failed")
    (entry,) = emulation["acme"].journal
    assert (entry.status, entry.refusal, entry.raw["notices"]) == (
        500, "server_error", [reply.headers["x-emulator-notice"]]
    )  # fmt: skip


@pytest.mark.parametrize(("cost", "left"), [("body.absent", 60), ("'7'", 53)])
def test_a_cost_may_be_null_or_text(tmp_path: Path, cost: str, left: int) -> None:
    overlay = _limit(cost) + '  headers: {x-left: "${limits.spend.remaining}"}\n'
    assert _asked(tmp_path, overlay).headers["x-left"] == str(left)
