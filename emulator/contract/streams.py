"""The events of streams: content type, each event's schema, the terminator, and an end in time."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jsonschema_rs

from emulator.catalog.openapi import followed
from emulator.contract import curl
from emulator.contract.bounds import within
from emulator.contract.report import Finding, Report
from emulator.contract.target import Target
from emulator.operation import Operation

PATIENCE = 120.0
"""Seconds a stream may take from request to end."""
_MOST_DEVIATIONS = 5
_LINE_END = re.compile(rb"\r\n|\n|\r(?=[^\n])")
"""A CR that ends a chunk waits for what follows it."""


def check(target: Target, report: Report, progress: Callable[[str], object]) -> None:
    """Stream every example of every operation that streams."""
    for operation in target.provider.operations.values():
        found = _event_schema(target, operation)
        if found is None:
            continue
        bodies = _bodies(operation)
        if not bodies:
            report.note(f"{target.provider.id}: {operation.id}: streams: the spec has no request example")
        for body in bodies:
            _Stream(target, operation, *found, report).run(json.dumps(body).encode())
    if report.cases[target.provider.id]:
        progress(report.so_far(target.provider.id, "streams"))


def _event_schema(target: Target, operation: Operation) -> tuple[str, Any] | None:
    """The media type of the operation's stream and the validator of its events."""
    document = target.provider.document
    declared = (raw for item in document["paths"].values() for raw in item.values() if isinstance(raw, dict))
    raw = next(raw for raw in declared if raw.get("operationId") == operation.id)
    content = followed(document, raw.get("responses", {}).get(str(operation.success), {})).get("content", {})
    for media_type, media in content.items():
        if "x-event-schema" in media:
            whole = {**media["x-event-schema"], "components": document.get("components", {})}
            return media_type, jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
    return None


def _bodies(operation: Operation) -> list[dict[str, Any]]:
    """The examples called `stream…`; without any, all examples with `stream: true`."""
    examples = operation.examples.bodies
    meant = [body for name, body in examples.items() if name.startswith("stream")]
    return meant or [{**body, "stream": True} for body in examples.values() if isinstance(body, dict)]


class _Stream:
    """One request for a stream and what is wrong with the answer."""

    def __init__(self, target: Target, operation: Operation, media_type: str, validator: Any, report: Report) -> None:
        self.target = target
        self.operation = operation
        self.media_type = media_type
        self.validator = validator
        self.report = report
        self.command = ""

    def run(self, body: bytes) -> None:
        provider, url = self.target.provider.id, self.target.origin + self.operation.path
        headers = {**self.target.headers, "Content-Type": "application/json"}
        address = httpx.URL(url, params=self.target.query or None)
        self.command = curl.line(self.target, "POST", str(address), headers, body)
        self.report.cases[provider] += 1
        self.target.fresh()
        try:
            with httpx.stream("POST", address, content=body, headers=headers, timeout=60) as reply:
                self._judge(reply)
        except (httpx.HTTPError, TimeoutError) as error:
            self._found("stream_end", f"the stream broke off: {error or type(error).__name__}")

    def _judge(self, reply: httpx.Response) -> None:
        if reply.status_code in (402, 429):
            self.report.note(f"{self.target.provider.id}: {self.operation.id}: a stream met {reply.status_code}")
            return
        given = reply.headers.get("content-type", "").split(";")[0].strip().lower()
        self._passed("stream_content_type")
        if reply.status_code != self.operation.success or given != self.media_type:
            wanted = f"{self.operation.success} {self.media_type}"
            self._found("stream_content_type", f"answered with {reply.status_code} {given}, not with {wanted}")
            return
        lines = _lines(within(PATIENCE, reply.iter_bytes()))
        self._judge_events(list(_sse(lines) if self.media_type == "text/event-stream" else lines))

    def _judge_events(self, events: list[str]) -> None:
        plan = self.operation.stream
        terminator = plan.terminator if plan is not None else None
        self._passed("stream_end")
        last = -2 if plan is not None and "trailer" in plan.events else -1
        if terminator is not None and events[last:][:1] == [terminator]:
            del events[last]
        elif terminator is not None:
            self._found("stream_end", f"the last event is not `{terminator}`: {(events or ['no event'])[-1][:200]}")
        if not events:
            self._found("stream_event_schema", "the stream has no event")
        deviations = [(n, told) for n, event in enumerate(events, start=1) if (told := self._deviation(event))]
        self._passed("stream_event_schema", len(events))
        for number, told in deviations[:_MOST_DEVIATIONS]:
            self._found("stream_event_schema", f"event {number} of {len(events)}: {told}")

    def _deviation(self, event: str) -> str | None:
        try:
            value = json.loads(event)
        except ValueError:
            return f"is not JSON: {event[:200]}"
        error = next(iter(self.validator.iter_errors(value)), None)
        return (
            None if error is None else f"{error.message} at /{'/'.join(map(str, error.instance_path))}: {event[:200]}"
        )

    def _passed(self, check_name: str, times: int = 1) -> None:
        self.report.checks[self.target.provider.id, self._label, check_name] += times

    def _found(self, check_name: str, message: str) -> None:
        hidden = self.target.hidden
        self.report.add(
            Finding(self.target.provider.id, self._label, check_name, hidden(message), hidden(self.command)), check_name
        )

    @property
    def _label(self) -> str:
        return f"{self.operation.method} {self.operation.path}"


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Lines as they arrive; only LF, CR and CRLF end one."""
    rest = b""
    for chunk in chunks:
        *whole, rest = _LINE_END.split(rest + chunk)
        yield from (line.decode("utf-8", "replace") for line in whole)
    if rest:
        yield rest.decode("utf-8", "replace")


def _sse(lines: Iterator[str]) -> Iterator[str]:
    """The data of server-sent events; comments and other fields are passed over."""
    data: list[str] = []
    for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
