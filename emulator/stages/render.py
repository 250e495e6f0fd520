"""Status, headers and content: of the reply, or of the error entry a refusal becomes. Then quirks."""

from collections.abc import Mapping
from typing import Any
from weakref import proxy

from emulator.exchange import Exchange, Refused
from emulator.mechanisms import patches
from emulator.mechanisms.clock import http_date
from emulator.mechanisms.expressions import ExpressionError
from emulator.mechanisms.limits import WAITS, in_client_time
from emulator.mechanisms.paths import Lookup
from emulator.mechanisms.templates import as_text
from emulator.operation import Grade, Source
from emulator.provider import Quirk


def render(ex: Exchange) -> None:
    """Fill in the reply's status, headers and content; refuses nothing. Raises ExpressionError."""
    _render(ex)
    told = ex.provider.tell_limits(ex.scope)
    ex.reply.headers += [(name, str(value)) for name, value in told if value is not None]
    if ex.quirks_at:
        _apply_quirks(ex)
    ex.reply.headers.append(("date", http_date(ex.now)))


def render_bare(ex: Exchange) -> None:
    """Fill in a refusal without limits and quirks; its status alone, and a notice, where its templates fail as well."""
    try:
        _render(ex)
    except ExpressionError as error:
        ex.tell_once(str(error))
        ex.reply.headers, ex.reply.content = [], None
        ex.reply.status = ex.provider.errors["server_error"][0].status
        ex.note("render", "no body", status=ex.reply.status)
    ex.reply.headers.append(("date", http_date(ex.now)))


def _render(ex: Exchange) -> None:
    ex.reply.headers = [("content-type", ex.provider.media_type)]
    ex.scope["limits"] = _limits(ex)
    if ex.refusal is not None:
        _render_refusal(ex, ex.refusal)
    else:
        ex.reply.status = ex.active.success
        if not ex.streaming:
            ex.reply.content = ex.active.shape.render(ex.scope) if ex.active.shape else ex.active.example


def _render_refusal(ex: Exchange, refusal: Refused) -> None:
    _tell(ex, refusal)
    entry, ex.reply.content = ex.error(refusal.name, refusal.facts, ex.forced_status)
    ex.note(
        "render",
        refusal.name,
        status=entry.status,
        entry=entry.where,
        grade=_graded(ex, entry.status, entry.source),
        body=_graded(ex, entry.status, entry.body_source),
    )
    ex.reply.status = entry.status
    known = ex.scope["fact"] or {}
    ex.reply.retry_after = next((known[name] for name in WAITS if isinstance(known.get(name), (int, float))), None)
    if entry.media_type is not None:
        ex.reply.headers = [("content-type", entry.media_type)]
    for name, template in entry.headers.items():
        if (value := template(ex.scope)) is not None:
            ex.reply.headers.append((name, as_text(value)))
    if refusal.name == "method_not_allowed":
        ex.reply.headers.append(("allow", ", ".join(refusal.facts.get("allowed", ()))))


def _graded(ex: Exchange, status: int, source: Source) -> Grade:
    return ex.operation.graded(status, source.grade) if ex.operation is not None else source.grade


def _tell(ex: Exchange, refusal: Refused) -> None:
    """Violations in words, also for an invalid request that nobody sent."""
    violations = refusal.facts.get("violations")
    schema = ex.operation and (ex.operation.body or ex.operation.query)
    if violations is None and schema and refusal.name != "server_error":
        violations = ex.provider.wording.tell(schema.sample(), ex.scope)
    ex.scope["violations"] = violations or []
    ex.scope["errors_by_field"] = refusal.facts.get("errors_by_field") or {
        v["dotted"]: [v["message"]] for v in violations or []
    }


def _limits(ex: Exchange) -> Mapping[str, Any]:
    """How every limit stands for this principal, for headers and bodies to tell; few tell of all."""
    rules = ex.provider.limits_of[ex.operation.id if ex.operation else None].by_name
    if not rules:
        return {}
    mine = proxy(ex)  # what is in its scope and held it would be garbage that only the collector finds

    def facts(name: str) -> Mapping[str, Any]:
        rule = rules[name]
        known = next((limited for taker, limited, _ in mine.taken if taker is rule), None)
        limited = known or mine.limit(rule, rule.shares(mine.scope), True)
        return in_client_time(limited.facts(mine.now), mine.runtime.time)

    return Lookup(rules, facts)


def _apply_quirks(ex: Exchange) -> None:
    """Quirks of body (but for streams and refusals), headers, and status (but for refusals), in that order."""
    if ex.refusal is None and not ex.streaming:
        ex.reply.content = patches.copied(ex.reply.content)
        for quirk in ex.quirks("body"):
            _bend(ex, quirk)
            ex.note("render", quirk.id, grade=quirk.source.grade)
    for quirk in ex.quirks("headers"):
        for patch in quirk.patches:
            ex.reply.headers = patches.patch_headers(ex.reply.headers, patch, ex.scope)
            ex.reply.exact_head |= patch.op == "case"
        ex.note("render", quirk.id, grade=quirk.source.grade)
    for quirk in ex.quirks("status") if ex.refusal is None else ():
        for patch in quirk.patches:
            ex.reply.status = patch.arguments["status"]
        ex.note("render", quirk.id, grade=quirk.source.grade)


def _bend(ex: Exchange, quirk: Quirk) -> None:
    """Apply a quirk to the body. Raises ExpressionError with its name, also for a value that it does not fit."""
    try:
        for patch in quirk.patches:
            patches.patch_body(ex.reply.content, patch, ex.scope)
    except ExpressionError as error:
        raise ExpressionError(f"the quirk {quirk.id}: {error}") from None
