"""schemathesis over one provider's spec: its phases and checks, read off the engine's events."""

import copy
import json
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from emulator.catalog.openapi import followed
from emulator.catalog.specs import FORM
from emulator.contract import curl
from emulator.contract.calls import TIMEOUT, Calls, bounded
from emulator.contract.report import ALLOWED, Finding, Report
from emulator.contract.target import CannotRun, Target
from emulator.exchange import Runtime
from emulator.mechanisms.store import Store
from emulator.operation import Operation, concerns
from emulator.provider import Provider
from emulator.refusals import RefusalName

if TYPE_CHECKING:
    from schemathesis import BaseSchema, Case, HookContext, Response
    from schemathesis.core.failures import Failure
    from schemathesis.engine import events
    from schemathesis.engine.recorder import Request, ScenarioRecorder

_BEYOND_SCHEMA = frozenset(
    {"unknown_model", "context_overflow", "body_too_large", "not_found", "conflict", "illegal_state"}
)
"""Refusals of requests that are right as far as a schema can say."""
_ACCEPTANCE = "positive_data_acceptance"
_OF_THE_PAST: tuple[RefusalName, ...] = ("conflict", "illegal_state")
"""Refusals of what earlier requests brought about."""


def load(target: Target, report: Report, *, max_examples: int) -> "BaseSchema":
    """The provider's spec as a schemathesis schema that knows where and with which key to call."""
    import schemathesis

    config = schemathesis.Config.from_dict(_settings(max_examples, report.seed))
    config.projects.default.update(base_url=target.origin, headers=target.headers)
    config.projects.default.parameters.update({f"query.{name}": value for name, value in target.query.items()})
    schema = schemathesis.openapi.from_dict(document(target.provider, target.origin), config=config)
    _hook(schema, target, report)
    return schema


def _settings(max_examples: int, seed: int) -> dict[str, Any]:
    """In the words of schemathesis.toml. Nothing is kept between runs, so a seed decides all."""
    return {
        "seed": seed,
        "generation": {"max-examples": max_examples, "database": "none"},
        "cache": {"enabled": False},
        "output": {"sanitization": {"enabled": False}},
        "suppress-health-check": ["all"],
        "max-redirects": 0,
        "request-timeout": TIMEOUT,
    }


def document(provider: Provider, origin: str) -> dict[str, Any]:
    """The bundled spec with every path as clients call it, at `origin`."""
    bundled = json.loads(json.dumps(provider.document))
    paths: dict[str, Any] = {}
    for item in bundled["paths"].values():
        for method, raw in item.items():
            if not isinstance(raw, dict) or raw.get("operationId") not in provider.operations:
                continue
            raw.pop("servers", None)
            _carry_lists(followed(bundled, raw.get("requestBody") or {}).get("content", {}).get(FORM, {}), bundled)
            _name_known_models(provider.operations[raw["operationId"]], raw, bundled)
            called = paths.setdefault(provider.operations[raw["operationId"]].path, {})
            called[method] = raw
            if "parameters" in item:
                called["parameters"] = copy.deepcopy(item["parameters"])
    return {**bundled, "servers": [{"url": origin}], "paths": paths}


def _carry_lists(media: dict[str, Any], bundled: dict[str, Any]) -> None:
    """Let no form need a list without items: it would have no part for it, and so lack the field."""
    schema = followed(bundled, media.get("schema") or {})
    lists = {
        name: {"minItems": 1, **declared}
        for name, below in (schema.get("properties") or {}).items()
        if name in schema.get("required", ()) and (declared := followed(bundled, below)).get("type") == "array"
    }
    if lists:
        media["schema"] = {**schema, "properties": {**schema["properties"], **lists}}


def _name_known_models(operation: Operation, raw: dict[str, Any], bundled: Any) -> None:
    """Let the examples of an operation's body name a model that the provider has, and generated ones with them."""
    shown = operation.examples.bodies
    if not shown:
        return
    body = copy.deepcopy(followed(bundled, raw["requestBody"]))
    media = body["content"][operation.examples.media_type]
    for name, value in shown.items():
        if name:
            media["examples"][name] = {"value": value}
        else:
            media["example"] = value
    raw["requestBody"] = body


def _hook(schema: "BaseSchema", target: Target, report: Report) -> None:
    oracle = Oracle(target)

    def after_call(context: "HookContext", case: "Case[Any]", response: "Response") -> None:
        target.fresh()

    def filter_failure(context: "HookContext", failure: "Failure", case: "Case[Any]", response: "Response") -> bool:
        excused = _excused(target, oracle, failure, case, response)
        report.excused.update([excused] if excused else [])
        return excused is None

    schema.hooks.register_hook_with_name(after_call, "after_call")
    schema.hooks.register_hook_with_name(filter_failure, "filter_failure")


def _excused(
    target: Target, oracle: "Oracle", failure: "Failure", case: "Case[Any]", response: "Response"
) -> str | None:
    """The check whose failure is one of those that `report.ALLOWED` gives a reason for, or None."""
    check_name = next((name for name in failure.checks if name in ALLOWED), None)
    if check_name == "ignored_auth":
        holds = target.any_key
    elif check_name == "missing_required_header":
        holds = any(e.status == response.status_code for e in target.provider.errors.get("missing_credentials", ()))
    elif check_name == _ACCEPTANCE:
        beyond = (not target.own or not _is_example(target, case)) and oracle.refuses_beyond_schema(response)
        holds = response.status_code == 402 or beyond or _met_before(target, case, response)
    else:
        return None
    return check_name if holds else None


def _is_example(target: Target, case: "Case[Any]") -> bool:
    """Whether a case is one the spec shows, with its own path's example and one of its bodies."""
    if case.meta is None or case.meta.phase.name.value != "examples":
        return False
    shown = _operation(target, case).examples
    bodies = [*shown.bodies.values()]
    return dict(case.path_parameters or {}) == shown.path and (not bodies or case.body in bodies)


def _operation(target: Target, case: "Case[Any]") -> Operation:
    labels = {f"{operation.method} {operation.path}": operation for operation in target.provider.operations.values()}
    return labels[case.operation.label]


def _met_before(target: Target, case: "Case[Any]", response: "Response") -> bool:
    """Whether a refusal at an address can come from what the run did there before: a name is taken, a state is left."""
    operation = _operation(target, case)
    return not target.own and response.status_code in {
        entry.status
        for name in _OF_THE_PAST
        if name in operation.refusals
        for entry in target.provider.errors[name]
        if concerns(entry.operations, operation.id)
    }


class Oracle:
    """The emulator itself, asked why it refuses a request: the very one that refused it, or one like it."""

    def __init__(self, target: Target) -> None:
        self._own = target.own
        self._runtime = target.runtime or Runtime({target.family.base.id: target.family}, Store(), pace=0)
        self._provider = target.family.base.id
        self._below = urlsplit(target.origin).path

    def refuses_beyond_schema(self, response: "Response") -> bool:
        """Whether the request is refused for something that its schema cannot say.

        An emulator that is only like the refusing one lacks what the run has done to resources there.
        """
        from emulator.edge import answer
        from emulator.wire.reading import Request, by_name

        request, address = response.request, urlsplit(response.request.url or "")
        body = request.body or b""
        if not self._own:
            self._runtime.store.tenants.clear()
        path = f"/{self._provider}{unquote(str(address.path).removeprefix(self._below))}"
        headers = by_name((str(name), str(value)) for name, value in request.headers.items())
        body = body.encode() if isinstance(body, str) else bytes(body)
        _, exchange = answer(self._runtime, Request(request.method or "", path, str(address.query), headers, body))
        if exchange is None:
            return False
        if exchange.refusal is None:  # here, where nothing was done to the resources before
            return not self._own and exchange.operation is not None and exchange.operation.act is not None
        name = exchange.refusal.name
        guarded = any(what == "guard" for _, what, _ in exchange.trace)
        return guarded or name in _BEYOND_SCHEMA


def check(target: Target, schema: "BaseSchema", report: Report, progress: Callable[[str], object]) -> None:
    """Run every phase and keep what fails. Raises CannotRun, and KeyboardInterrupt when interrupted."""
    from schemathesis.engine import StopReason, events, from_schema

    calls = Calls(schema)
    with bounded():
        for event in from_schema(schema).execute():
            match event:
                case events.ScenarioFinished():
                    _take(target, event.recorder, report)
                case events.PhaseFinished() if event.phase.name.value in _TOLD:
                    _tell(target, event, report, progress)
                case events.NonFatalError():
                    _take_error(target, event, report)
                case events.FatalError():
                    raise CannotRun(target.hidden(f"{target.provider.id}: {event.exception}"), "please report it")
                case events.Interrupted():
                    raise KeyboardInterrupt
                case events.EngineFinished() if event.stop_reason is StopReason.SERVER_UNAVAILABLE:
                    _take_end(target, calls, report)
                    return
    _look_back(target, report)


def _take_end(target: Target, calls: Calls, report: Report) -> None:
    """Nothing is answered any more: a finding, with the request that was the last."""
    told = f"{target.shown_origin} stopped answering"
    report.note(f"{target.provider.id}: all that was to come: {told}")
    assert calls.last is not None  # schemathesis sees an end only where there was an answer
    operation, request = calls.last
    command = target.hidden(curl.prepared(target, request))
    report.add_end(Finding(target.provider.id, operation, "answer", f"{told} after this request", command))


def _look_back(target: Target, report: Report) -> None:
    """Tell what the account kept from being tested. Raises CannotRun when the key opened nothing."""
    provider = target.provider
    secured = {
        f"{operation.method} {operation.path}" for operation in provider.operations.values() if operation.secured
    }
    total: Counter[int] = Counter()
    for (name, operation, status), count in report.statuses.items():
        if name == provider.id and operation in secured:
            total[status] += count
    if target.variable is not None and (total[401] or total[403]) and not any(200 <= s < 300 for s in total):
        raise CannotRun(
            f"{target.shown_origin} served no request that needs a key: {total[401] + total[403]} were refused",
            f"check the key in {target.variable}",
        )
    if limited := total[402] + total[429]:
        report.note(f"{provider.id}: {limited} cases met a limit (429) or an empty account (402)")


_TOLD = ("examples", "coverage", "fuzzing", "stateful")


def _tell(target: Target, event: "events.PhaseFinished", report: Report, progress: Callable[[str], object]) -> None:
    phase, provider = event.phase.name.value, target.provider.id
    if event.phase.skip_reason is None:
        progress(report.so_far(provider, phase))
    else:
        report.note(
            f"{provider}: {phase}: {_SKIPPED.get(event.phase.skip_reason.value, event.phase.skip_reason.value)}"
        )


_SKIPPED = {
    "not_applicable": "no link in the spec leads from one operation to another",
    "nothing_to_test": "the spec has nothing for it",
    "server_unavailable": "nothing answers any more",
}


def _take(target: Target, recorder: "ScenarioRecorder", report: Report) -> None:
    """Count a scenario's requests and checks, keep its failures."""
    provider = target.provider.id
    report.cases[provider] += len(recorder.interactions)
    for case_id, outcomes in recorder.checks.items():
        operation = recorder.cases[case_id].value.operation.label
        for outcome in outcomes:
            report.checks[provider, operation, outcome.name] += 1
            if outcome.failure_info is not None:
                failure = outcome.failure_info.failure
                request = recorder.interactions[failure.case_id or case_id].request
                report.add(_finding(target, operation, outcome.name, told(failure), request), type(failure).__name__)
    for case_id, interaction in recorder.interactions.items():
        if interaction.response is not None:
            case, status = recorder.cases[case_id].value, interaction.response.status_code
            report.statuses[provider, case.operation.label, status] += 1
            if status == 404 and _operation(target, case).act is None and _is_example(target, case):
                message = "An example of the spec was answered with 404"  # which schemathesis lets pass
                found = _finding(target, case.operation.label, _ACCEPTANCE, message, interaction.request)
                report.add(found, message)


def _finding(target: Target, operation: str, check_name: str, message: str, request: "Request") -> Finding:
    headers = {name: values[0] for name, values in request.headers.items()}
    command = curl.line(target, request.method, request.uri, headers, request.body)
    return Finding(target.provider.id, operation, check_name, target.hidden(message), target.hidden(command))


def told(failure: "Failure") -> str:
    """A failure in words, without the schema it was held against."""
    message = failure.message.partition("\n\nSchema:")[0].strip()
    return f"{failure.title}: {message}" if message else failure.title


def _take_error(target: Target, event: "events.NonFatalError", report: Report) -> None:
    """An answer that is no HTTP, a time-out, or a spec that cannot be used."""
    from schemathesis.engine.errors import ServerUnavailable

    if isinstance(event.value, ServerUnavailable):  # the end of all, which `check` takes
        return
    request = getattr(event.value, "request", None)
    command = curl.prepared(target, request) if request is not None else f"curl -sS -i {target.shown_origin}"
    message = target.hidden(f"{event.info.title}\n{event.info.message}")
    kind = type(event.value).__name__ if request is not None else ""
    report.add(Finding(target.provider.id, event.label, "answer", message, target.hidden(command)), kind)
