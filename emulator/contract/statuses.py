"""Every documented status of every operation, asked for with `Prefer: code=NNN`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from emulator.contract import curl
from emulator.contract.fuzz import told
from emulator.contract.report import Finding, Report
from emulator.contract.target import Target
from emulator.operation import Operation

if TYPE_CHECKING:
    from schemathesis import BaseSchema, Case, Response

CHECK = "documented_status"


def check(target: Target, schema: "BaseSchema", report: Report, progress: Callable[[str], object]) -> None:
    """Ask for each status; it has to come, with the content type, headers and body the spec gives it."""
    for operation in target.provider.operations.values():
        body = operation.examples.body
        for status in operation.statuses:
            if status == operation.success and operation.body is not None and body is None:
                report.note(
                    f"{target.provider.id}: {operation.id}: {status} by Prefer: the spec has no request example"
                )
                continue
            _ask(target, _case(target, schema, operation, body), status, report)
    progress(report.so_far(target.provider.id, "statuses"))


def _case(target: Target, schema: "BaseSchema", operation: Operation, body: Any) -> "Case[Any]":
    declared = schema[operation.path][operation.method]
    content = {} if body is None else {"body": body, "media_type": operation.examples.media_type}
    return declared.Case(path_parameters=dict(operation.examples.path), **content)


def _ask(target: Target, case: "Case[Any]", status: int, report: Report) -> None:
    from requests import PreparedRequest, RequestException

    provider, label = target.provider.id, case.operation.label
    report.cases[provider] += 1
    report.checks[provider, label, CHECK] += 1
    target.anew()
    try:
        response = case.call(headers={**target.headers, "Prefer": f"code={status}"}, params=target.query or None)
        request, message = response.request, _deviation(case, response, status)
    except RequestException as error:
        assert isinstance(error.request, PreparedRequest)
        request, message = error.request, f"{status} did not come: {error}"
    if message:
        report.add(Finding(provider, label, CHECK, target.hidden(message), curl.prepared(target, request)))


def _deviation(case: "Case[Any]", response: "Response", status: int) -> str:
    """What is wrong with the reply, or an empty text."""
    from schemathesis.core.failures import FailureGroup
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
    )

    if response.status_code != status:
        notice = response.headers.get("x-emulator-notice", [""])[0]
        return f"Prefer: code={status} was answered with {response.status_code} {notice}".rstrip()
    if response.headers.get("preference-applied") != [f"code={status}"]:
        return f"Prefer: code={status} is not acknowledged with Preference-Applied"
    checks = [content_type_conformance, response_headers_conformance, response_schema_conformance]
    try:
        case.validate_response(response, checks=checks)
    except FailureGroup as group:
        return "\n".join(f"{status}: {told(failure)}" for failure in sorted(group.exceptions))
    return ""
