"""Bytes -> JSON or a form -> schema -> a neutral request that fits the model's context."""

from typing import Any, NoReturn

from emulator.exchange import Exchange, Refused
from emulator.mechanisms import forms, patches, requests
from emulator.mechanisms.encoding import MalformedJSON, loads
from emulator.mechanisms.forms import FormSchema, MalformedForm
from emulator.mechanisms.patches import Patch
from emulator.mechanisms.violations import ANY_BODY, RequestSchema, Violation
from emulator.mechanisms.wording import by_field
from emulator.refusals import RefusalName


def validate(ex: Exchange) -> None:
    """May refuse with body_too_large, unsupported_media_type, malformed_json, invalid_request, unknown_model, …"""
    if "request" in ex.quirks_at:
        _require_headers(ex)
    if ex.active.query is not None:
        _check_query(ex, ex.active.query)
    if ex.active.body is None:
        return
    _check_size(ex)
    body = _form(ex, ex.active.body) if isinstance(ex.active.body, FormSchema) else _json(ex, ex.active.body)
    ex.scope["body"] = body if isinstance(body, dict) else {}
    if "request" in ex.quirks_at and _patch_fields(ex, body):
        body = _typed(ex, ex.active.body, body)
        ex.scope["body"] = body if isinstance(body, dict) else {}
    _check(ex, ex.active.body, body)
    if ex.active.reader is not None:
        _show_resources(ex)
        ex.request = ex.active.reader.read(ex.scope, ex.provider.tokens)
        ex.scope["request"] = ex.request
        _find_model(ex)
        _fit_context(ex)
        ex.scope["request"] = ex.request


def _check(ex: Exchange, schema: RequestSchema | FormSchema, value: Any) -> None:
    if violations := schema.violations(value):
        _refuse(ex, violations)


def _refuse(ex: Exchange, violations: list[Violation], name: RefusalName = "invalid_request", **facts: Any) -> NoReturn:
    told = ex.provider.wording.tell(violations, ex.scope)
    ex.note("validate", "invalid", fields=[{"at": v["loc"], "wording": v["wording"]} for v in told])
    raise Refused(name, violations=told, errors_by_field=by_field(told), **facts)


def _check_query(ex: Exchange, schema: RequestSchema) -> None:
    """Query parameters as the types their schemas name; expressions see null for those that are not there."""
    typed = schema.typed({k: v for k, v in ex.query.items() if v or k not in schema.schema["x-allow-empty"]})
    ex.scope["query"] = {**dict.fromkeys(schema.schema["properties"]), **typed}
    _check(ex, schema, typed)


def _require_headers(ex: Exchange) -> None:
    for quirk in ex.quirks("request"):
        for patch in quirk.patches:
            if patch.op == "require_header" and patch.arguments["name"].lower() not in ex.headers:
                ex.note("validate", quirk.id, grade=quirk.source.grade)
                _refuse_header(ex, patch.arguments["name"], patch.arguments["refuse"])


def _refuse_header(ex: Exchange, name: str, refusal: RefusalName) -> NoReturn:
    missing = {**ANY_BODY.violation("required", [name], None, property=name), "loc": ["header", name]}
    _refuse(ex, [missing], refusal, header=name)


def _check_size(ex: Exchange) -> None:
    most = ex.active.max_body
    if most is not None and len(ex.body) > most:
        raise Refused("body_too_large", size=len(ex.body), limit=most)


def _media_type(ex: Exchange) -> str:
    return ex.headers.get("content-type", "").split(";")[0].strip().lower()


def _form(ex: Exchange, schema: FormSchema) -> forms.Form:
    """The body as a form: like JSON, what is no form is refused or an empty one, as the provider's policy says."""
    policy, media_type = ex.provider.body, _media_type(ex)
    if media_type != "multipart/form-data" and policy.other_media_type == "refuse":
        raise Refused("unsupported_media_type", media_type=media_type)
    if not ex.body and not schema.required:
        return {}
    try:
        return schema.read(forms.parts(ex.body, ex.headers.get("content-type", ""), policy.media_types))
    except MalformedForm as error:
        if policy.malformed == "empty":
            return {}
        raise Refused("malformed_json", reason=str(error), position=0) from None


def _json(ex: Exchange, schema: RequestSchema) -> Any:
    """The body as JSON, taken in as the provider's policy says: what is missing, and text that reads as a number."""
    body = _parsed(ex)
    if body is None and schema.required and ex.provider.body.missing == "violation":
        _refuse(ex, schema.missing())
    return schema.coerced(body, ex.body, texts=ex.provider.body.coerce)


def _parsed(ex: Exchange) -> Any:
    """The body as JSON. Without a body, a provider sees an empty object or nothing, as its policy says."""
    policy, media_type = ex.provider.body, _media_type(ex)
    if not ex.body and policy.missing == "violation":
        return None if ex.active.body and ex.active.body.required else {}
    if media_type != "application/json" and not media_type.endswith("+json") and policy.other_media_type != "parse":
        if policy.other_media_type == "refuse":
            raise Refused("unsupported_media_type", media_type=media_type)
        return {}
    if not ex.body.strip() and (policy.malformed == "empty" or not (ex.active.body and ex.active.body.required)):
        return {}
    try:
        body = loads(ex.body)
        return {} if policy.malformed == "empty" and not isinstance(body, dict) else body
    except MalformedJSON as error:
        if policy.malformed == "empty":
            return {}
        raise Refused("malformed_json", reason=str(error), position=error.position) from None


def _patch_fields(ex: Exchange, body: Any) -> bool:
    """Take fields as quirks say; whether any was there."""
    changed = False
    for quirk in ex.quirks("request"):
        for patch in quirk.patches:
            if patch.op != "require_header" and patches.take_fields(body, patch):
                ex.note("validate", quirk.id, grade=quirk.source.grade)
                if patch.op == "reject_field":
                    _refuse_field(ex, patch, body)
                changed = True
    return changed


def _typed(ex: Exchange, schema: RequestSchema | FormSchema, body: Any) -> Any:
    """A body whose fields have other names now, with the types that the schema has for them."""
    if isinstance(schema, RequestSchema):
        return schema.coerced(body, ex.body, texts=ex.provider.body.coerce)
    return {**body, **schema.fields.typed({name: part for name, part in body.items() if isinstance(part, str)})}


def _refuse_field(ex: Exchange, patch: Patch, body: Any) -> NoReturn:
    """As a field that the schema does not have."""
    found = patches.find_field(body, patch)
    assert found is not None
    path, value = found
    violation = ANY_BODY.violation("additionalProperties", list(path), value, property=path[-1])
    _refuse(ex, [violation], patch.arguments["refuse"], field=patch.arguments["path"])


def _show_resources(ex: Exchange) -> None:
    """The act's item and others, for `read:` to see; that one does not exist is for `produce` to refuse."""
    act = ex.active.act
    account = ex.account if act is not None else None
    if act is None or account is None:
        return
    wanted = {name: identity(ex.scope) for name, identity in act.others.items()}
    ex.scope["other"] = {name: account.find(name, identity, act.by.get(name)) for name, identity in wanted.items()}
    if act.item is not None and act.resource is not None:
        kind = act.resource.name
        ex.scope["item"] = account.find(kind, act.item(ex.scope), act.by.get(kind))


def _find_model(ex: Exchange) -> None:
    """Accept the model, and know its context window."""
    assert ex.request is not None
    name, known = ex.request["model"], ex.provider.accepted_models
    model = known.get(name) if isinstance(name, str) else None
    if model is None and name is not None and known and "*" not in known:
        raise Refused("unknown_model", model=name)
    ex.scope["model"] = dict(model or known.get("*") or {})


def _fit_context(ex: Exchange) -> None:
    request, policy, window = ex.request, ex.active.context, (ex.scope["model"] or {}).get("context")
    assert request is not None
    if policy.evict and request["truncate_to"] is not None:
        dropped = requests.evict(request, ex.provider.tokens, request["truncate_to"], policy.evict)
        if dropped:
            ex.note("validate", "evicted", messages=dropped)
    if window is None:
        return
    wanted = request["max_tokens"] or 0
    asked = request["longest_prompt"] + (wanted if policy.max_tokens == "count" else 0)
    if asked > window:
        raise Refused("context_overflow", tokens=asked, context=window, model=request["model"])
    if policy.max_tokens == "lower" and wanted > window - request["longest_prompt"]:
        request["max_tokens"] = window - request["longest_prompt"]
        ex.note("validate", "max_tokens lowered", to=request["max_tokens"])
