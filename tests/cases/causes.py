"""How each refusal of each provider is really caused: by a request, a key, a used-up limit, or a broken server.

A provider's refusals and the keys of its table are the same set, and a test says so: a refusal that is
added to `fixtures/` needs a line here.
"""

import re
from collections.abc import Callable
from typing import Any

from emulator import Emulation
from emulator.refusals import RefusalName

from .catalogue import Caller, caller
from .raw import RawReply, send

Cause = Callable[[Emulation, Caller], RawReply]
MOST_REQUESTS = 200
UNKNOWN = "BRK-999999X"


def broken(name: RefusalName) -> Cause:
    """Something only the server can do, so the test tells it to."""

    def cause(emulator: Emulation, caller: Caller) -> RawReply:
        caller.handle.fail(name, operation=caller.operation.id)
        return caller.ask()

    return cause


def key(text: str, otherwise: RefusalName | None = None) -> Cause:
    """A key of a pattern the fixture declares. `otherwise`: what only a broken server says where that key is good."""

    def cause(emulator: Emulation, caller: Caller) -> RawReply:
        if otherwise is not None and not caller.provider.limits_of[caller.operation.id].rules:
            return broken(otherwise)(emulator, caller)
        return caller.ask(key=text)

    return cause


def used_up(text: str = "") -> Cause:
    """As many requests as it takes, in one moment."""

    def cause(emulator: Emulation, caller: Caller) -> RawReply:
        emulator.clock.freeze()
        for _ in range(MOST_REQUESTS):
            reply = caller.ask(key=text)
            if reply.status != 200:
                return reply
        raise AssertionError(f"{MOST_REQUESTS} requests were all served")

    return cause


def no_key(emulator: Emulation, caller: Caller) -> RawReply:
    return caller.ask(key=None)


def no_fields(emulator: Emulation, caller: Caller) -> RawReply:
    """An empty object, a field or query parameter of no type; nothing else finds fault with a request without any."""
    if caller.operation.body is not None:
        return caller.ask(body={} if _asks_for_fields(caller) else {name: {} for name in caller.body or {}})
    if caller.operation.query is not None:
        caller.url += "?" + "&".join(f"{name}=nonsense" for name in caller.operation.query.schema["properties"])
        return caller.ask()
    return broken("invalid_request")(emulator, caller)


def _asks_for_fields(caller: Caller) -> bool:
    return caller.operation.body is not None and bool(caller.operation.body.violations({}))


def unknown_id(emulator: Emulation, caller: Caller) -> RawReply:
    """An id that no resource has, in the path or in the body."""
    if "{" in caller.operation.path:
        caller.url = caller.handle.origin + re.sub(r"\{\w+\}", UNKNOWN, caller.operation.path)
        return caller.ask()
    body = dict(caller.body or {})
    body |= {name: [UNKNOWN] for name in body if name.endswith("_ids")}
    return caller.ask(body={**body, **{name: UNKNOWN for name in body if name.endswith("_id")}})


def taken_name(emulator: Emulation, caller: Caller) -> RawReply:
    """The name of another resource: of one just made, or of one the account began with."""
    if caller.operation.method == "POST":
        caller.ask()
        return caller.ask()
    return caller.ask(body={"name": "monitor"})


def illegal_state(emulator: Emulation, caller: Caller) -> RawReply:
    """In the wrong state: what another request left, or, of most operations, the same one."""
    made_ready = {
        "toggleInstancePublicIP": {"BRK-000001D": "BRK-000002D"},
        "addInstanceSecurityRule": {"BRK-000001D": "BRK-000002D"},
        "attachVolumes": {"BRK-000001D": "BRK-000002D"},
        "attachFirewall": {"instance_ids": ["BRK-000002D"]},
        "createSnapshot": {"instance_id": "BRK-000003D"},
        "resizeVolume": ("deleteVolume", {}),
        "cloneVolume": ("deleteVolume", {}),
        "createImage": ("deleteSnapshot", {"snapshot_id": "BRK-000002S"}),
        "restoreSnapshot": ("deleteSnapshot", {"BRK-000001S": "BRK-000002S"}),
        "addFirewallRule": ("createFirewall", {}),
    }.get(caller.operation.id)
    if made_ready is None:
        caller.ask()
        return caller.ask()
    before, changes = made_ready if isinstance(made_ready, tuple) else (None, made_ready)
    if before is not None:
        made = another(caller, before).ask()
        if before == "createFirewall":
            changes = {"BRK-000001F": made.json["firewall"]["firewall_id"]}
    return changed(caller, changes)


def after_its_time(emulator: Emulation, caller: Caller) -> RawReply:
    """A quarter of an hour after it was first asked about."""
    caller.ask(body={"code": "000000"})
    emulator.clock.advance("15m")
    return caller.ask()


def in_use(emulator: Emulation, caller: Caller) -> RawReply:
    """Something that another resource needs."""
    return changed(
        caller, {"BRK-000002K": "BRK-000001K", "BRK-000002F": "BRK-000001F", "BRK-000002S": "BRK-000001S",
                 "BRK-000001D": "BRK-000003D"}
    )  # fmt: skip


def out_of_stock(emulator: Emulation, caller: Caller) -> RawReply:
    """As many instances as there are machines for."""
    region, tier, image, model, most = ("CANADA-1", "legacy", "ubuntu-24.04", "RTX-A6000", 4)
    if caller.operation.id == "restoreInstance":
        region, tier, image, model, most = ("FIN-01", "advanced", "ubuntu-24.04-cuda-12.8", "H100-SXM5-80GB", 8)
    deploying, count, number = another(caller, "createInstance"), most, 0
    while count:
        number += 1
        body = {**(deploying.body or {}), "region": region, "tier": tier, "os_image": image, "gpu_model": model}
        reply = deploying.ask(body={**body, "gpu_count": count, "vm_name": f"filling-{number}"})
        count = count if reply.status == 201 else count // 2
    return caller.ask()


def no_credit(emulator: Emulation, caller: Caller) -> RawReply:
    """An account that chat used up, or that never had anything."""
    return (used_up("brk-low-1") if caller.operation.reader else key("brk-empty-1"))(emulator, caller)


def used_up_gift(emulator: Emulation, caller: Caller) -> RawReply:
    """A key with five dollars, and a reply that costs more."""
    caller.handle.play([{"reply": {"usage": {"completion_tokens": 6_400_000}}}])
    assert caller.ask(key="gc_agent_1").status == 200
    emulator.clock.advance("1m")
    return caller.ask(key="gc_agent_1")


def unknown_to_platform(emulator: Emulation, caller: Caller) -> RawReply:
    if caller.operation.id == "createBenchmark":
        return caller.ask(body={**(caller.body or {}), "documents": [UNKNOWN]})
    return unknown_id(emulator, caller)


def taken_on_platform(emulator: Emulation, caller: Caller) -> RawReply:
    """A name that another agent has, or a document that is there."""
    if caller.operation.id in ("updateAgent", "updateAgentLegacy"):
        return caller.ask(body={"agent_name": another(caller, "createAgent").ask().json["data"]["name"]})
    caller.ask()
    return caller.ask()


def unfinished(emulator: Emulation, caller: Caller) -> RawReply:
    """Something that is still on its way to the state in which this is allowed."""
    if caller.operation.id == "createAnswerEngine":  # it is nothing to answer from
        return caller.ask(body={name: value for name, value in (caller.body or {}).items() if name != "documents"})
    begun = {
        "getBenchmarkData": ("createBenchmark", "benchmark_id", "benchmark_000000000000001"),
        "getEvaluationResults": ("createEvaluation", "evaluation_id", "eval_000000000000001"),
        "downloadEvaluation": ("createEvaluation", "evaluation_id", "eval_000000000000001"),
    }.get(caller.operation.id)
    if begun is not None:
        before, name, example = begun
        caller.url = caller.url.replace(example, another(caller, before).ask().json[name])
    elif caller.body is not None:
        field = "documents" if caller.operation.id == "createBenchmark" else "document_ids"
        return caller.ask(body={**caller.body, field: another(caller, "uploadDocuments").ask().json["document_ids"]})
    caller.ask()
    return caller.ask()


def model_not_there(emulator: Emulation, caller: Caller) -> RawReply:
    """A model that nobody has or that cannot be aligned, or a run of an agent whose model is no longer there."""
    field = {"createAlignmentProject": "base_model", "createAlignment": "base_model_id"}.get(caller.operation.id)
    if field is not None:
        return caller.ask(body={**(caller.body or {}), field: "gpt-oss-20b"})
    if caller.operation.id in ("createAgent", "updateAgent", "createAgentLegacy", "updateAgentLegacy"):
        return another_model(emulator, caller)
    creating = another(caller, "createAgent")
    agent = creating.ask(body={**(creating.body or {}), "model": "nugen-flash-instruct"}).json["data"]
    caller.url = caller.url.replace("support_agent", agent["name"]).replace("support--00000001", agent["id"])
    return caller.ask()


def another(calling: Caller, operation: str) -> Caller:
    """A caller of another operation of the same provider, with its example."""
    return caller(calling.handle, operation)


def changed(caller: Caller, changes: dict[str, Any]) -> RawReply:
    """The request with other ids in its path and other fields in its body."""
    for name, value in changes.items():
        if name.startswith("BRK-"):
            caller.url = caller.url.replace(name, value)
    fields = {name: value for name, value in changes.items() if not name.startswith("BRK-")}
    return caller.ask(body={**caller.body, **fields} if caller.body is not None else None)


def no_json(emulator: Emulation, caller: Caller) -> RawReply:
    return caller.ask(body=b'{"model": ')


def no_json_type(emulator: Emulation, caller: Caller) -> RawReply:
    return caller.ask(Content_Type="text/plain")


def another_model(emulator: Emulation, caller: Caller) -> RawReply:
    return caller.ask(body={**(caller.body or {}), "model": "no-such-model"})


def large_body(emulator: Emulation, caller: Caller) -> RawReply:
    return caller.ask(body=b"x" * ((caller.operation.max_body or 0) + 1))


def long_prompt(emulator: Emulation, caller: Caller) -> RawReply:
    """One message, prompt or input of 140,000 tokens, more than the model of every provider's example takes."""
    text, body = "word " * 112_000, caller.body or {}
    for name in ("message", "query"):
        if name in body:
            return caller.ask(body={name: text})
    field = next((name for name in ("prompt", "input") if name in body), "messages")
    return caller.ask(body={**body, field: text if field != "messages" else [{"role": "user", "content": text}]})


def another_route(emulator: Emulation, caller: Caller) -> RawReply:
    return send("GET", f"{caller.handle.base_url}/no/such/route", caller.handle.headers)


def another_method(emulator: Emulation, caller: Caller) -> RawReply:
    return send("DELETE", caller.url, caller.handle.headers)


ANY_PROVIDER: dict[RefusalName, Cause] = {
    "invalid_request": no_fields,
    "context_overflow": long_prompt,
    "missing_credentials": no_key,
    "unknown_route": another_route,
    "method_not_allowed": another_method,
    "server_error": broken("server_error"),
    "bad_gateway": broken("bad_gateway"),
    "unavailable": broken("unavailable"),
    "gateway_timeout": broken("gateway_timeout"),
}

CAUSES: dict[str, dict[RefusalName, Cause]] = {
    "barrack": {
        **ANY_PROVIDER,
        "not_found": unknown_id,
        "conflict": taken_name,
        "illegal_state": illegal_state,
        "in_use": in_use,
        "out_of_stock": out_of_stock,
        "malformed_json": no_json,
        "unknown_model": another_model,
        "invalid_credentials": key("brk-revoked-1"),
        "expired_credentials": key("brk-expired-1"),
        "insufficient_credit": no_credit,
        "rate_limited": used_up(),
        "forbidden": broken("forbidden"),
        "quota_exhausted": broken("quota_exhausted"),
    },
    "generalcompute": {
        **ANY_PROVIDER,
        "malformed_json": no_json,
        "unknown_model": another_model,
        "invalid_credentials": key("gc_revoked_1"),
        "forbidden": key("gc_blocked_1"),
        "rate_limited": used_up(),
        "not_found": unknown_id,
        "conflict": taken_name,
        "illegal_state": after_its_time,
        "expired_credentials": broken("expired_credentials"),
        "insufficient_credit": used_up_gift,
        "quota_exhausted": broken("quota_exhausted"),
    },
    "nugen": {
        **ANY_PROVIDER,
        "malformed_json": no_json,
        "unsupported_media_type": no_json_type,
        "invalid_credentials": key("nugen-revoked-1"),
        "forbidden": key("nugen-nouser-1"),
        "quota_exhausted": key("nugen-spent-1"),
        "expired_credentials": broken("expired_credentials"),
        "insufficient_credit": broken("insufficient_credit"),
        "rate_limited": broken("rate_limited"),
        "not_found": unknown_to_platform,
        "conflict": taken_on_platform,
        "illegal_state": unfinished,
        "unknown_model": model_not_there,
    },
    "peakprivacy": {
        **ANY_PROVIDER,
        # its models are an enum of the request schema, so another one is an invalid request
        "unknown_model": broken("unknown_model"),
        "not_found": unknown_id,
        "body_too_large": large_body,
        "invalid_credentials": key("invalid-1"),
        "expired_credentials": key("expired-1"),
        "quota_exhausted": key("used-up-1", otherwise="quota_exhausted"),
        "forbidden": broken("forbidden"),
        "insufficient_credit": broken("insufficient_credit"),
        "rate_limited": broken("rate_limited"),
    },
}
