"""What no single section can know: names that must exist elsewhere, refusals that must have a reply."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from emulator.catalog.aims import aims
from emulator.catalog.constants import constant, constants
from emulator.catalog.groups import declared_groups, group_path
from emulator.catalog.language.document import Document
from emulator.catalog.language.errors import Entry
from emulator.catalog.language.faults import Fault
from emulator.catalog.language.operations import Operation
from emulator.catalog.latency import latency
from emulator.catalog.owned import Finding, act, owned, reachable_by_act, unknown
from emulator.catalog.seeds import seeds
from emulator.catalog.source import DocumentPath, Problem, Tree, show_path
from emulator.catalog.specs import Spec, SpecOperation
from emulator.refusals import RefusalName


def check(document: Document, spec: Spec, tree: Tree) -> list[Problem]:
    """Every contradiction between the sections of a document, and between document and spec."""
    findings = [
        *_needed(document),
        *_origin(document),
        *_checks(document),
        *_credentials(document),
        *_sources(document),
        *_operations(document, spec),
        *_aliases(document, spec),
        *aims(document, spec),
        *_names(document, spec),
        *_limits(document),
        *constants(document),
        *owned(document),
        *seeds(document),
        *latency(document),
        *_twice(document),
        *_refusals(document, spec),
    ]
    written = [(_as_written(path, tree.data), message) for path, message in findings]
    found = [Problem(tree.place(path), show_path(path), message) for path, message in written]
    return list(dict.fromkeys([*found, *_groups(document, spec)]))


def _as_written(path: DocumentPath, data: Any) -> DocumentPath:
    """The path as the files have it: a scenario may be a bare list of steps, and a list of one entry the entry."""
    section, name, entry = (*path, None, None, None)[:3]
    if section == "scenarios" and isinstance(entry, int) and isinstance(data[section][name], dict):
        return (*path[:2], "steps", *path[2:])
    if (section, name) == ("errors", "catalog") and len(path) > 3 and isinstance(data[section][name][entry], dict):
        return (*path[:3], *path[4:])
    return path


def _groups(document: Document, spec: Spec) -> Iterator[Problem]:
    """Every `x-source:` of the spec names an entry of `sources`."""
    for group, source in declared_groups(spec.document).items():
        if source not in document.sources:
            path = (*group_path(group), "x-source")
            yield Problem(spec.place(path), show_path(path), unknown(source, document.sources))


def _needed(document: Document) -> Iterator[Finding]:
    for section in ("auth", "errors", "origin"):
        if not getattr(document, section):
            yield (section,), "is missing"


def _checks(document: Document) -> Iterator[Finding]:
    for i, name in enumerate(document.checks):
        if name in document.checks[:i]:
            yield ("checks", i), f'"{name}" is used twice'
    if "disrupt" not in document.checks:
        yield ("checks",), "needs `disrupt`: without it, failures and scenarios that are asked for never come"


def _origin(document: Document) -> Iterator[Finding]:
    try:
        address = urlsplit(document.origin.rstrip("/"))
    except ValueError:
        address = urlsplit("")
    if document.origin and not (address.scheme in ("http", "https") and address.netloc and not address.path):
        yield ("origin",), f'"{document.origin}" is no scheme and host, such as https://api.example.com'


def _credentials(document: Document) -> Iterator[Finding]:
    matches = [credential.match for credential in document.auth.credentials] if document.auth else []
    for i in range(matches.index("*") + 1 if "*" in matches else len(matches), len(matches)):
        yield ("auth", "credentials", i), 'never comes: "*" above it matches every key'


_FREE = (
    "fields", "changes", "seed", "facts", "error", "body", "info", "principal", "value", "values", "record", "shapes",
)  # fmt: skip
"""Keys below which the names are a provider's own."""


def _sources(document: Document) -> Iterator[Finding]:
    """Every `source:` names an entry of `sources`."""

    def walk(node: object, path: DocumentPath) -> Iterator[Finding]:
        if isinstance(node, dict):
            for key, value in node.items():
                if key in ("source", "body_source") and isinstance(value, str) and value not in document.sources:
                    yield (*path, key), unknown(value, document.sources)
                if key not in _FREE:
                    yield from walk(value, (*path, str(key)))
        elif isinstance(node, list):
            for i, item in enumerate(node):
                yield from walk(item, (*path, i))

    sections = document.model_dump(exclude={"sources", "client_headers"}, exclude_none=True, by_alias=True)
    yield from walk(sections, ())


def _operations(document: Document, spec: Spec) -> Iterator[Finding]:
    for name, operation in document.operations.items():
        path: DocumentPath = ("operations", name)
        for key, known in (("read", document.read), ("shape", document.shapes), ("stream", document.streams)):
            value = getattr(operation, key)
            if value is not None and value not in known:
                yield (*path, key), unknown(value, known)
        if operation.act is not None:
            yield from act(document, operation.act, (*path, "act"))
        if operation.stream is not None and operation.read is None:
            yield (*path, "stream"), "is made of completions, so the operation needs a `read:`"
        if operation.read is not None and operation.shape is None:
            yield path, "makes completions, so it needs a `shape:`"
        if operation.max_body is not None and name in spec.operations and spec.operations[name].schema is None:
            yield (*path, "max_body"), "needs a request body, and the spec has none"
        if operation.embed is not None and "prompt" not in document.read.get(operation.read or "", {}):
            yield (*path, "embed"), "makes vectors of prompts, so the operation needs a `read:` with a `prompt`"
    for name, declared in spec.operations.items():
        if name not in document.operations:
            yield (
                ("operations",),
                f"`{name}` ({declared.place}) has no entry; say at least where it comes from: `source:`",
            )


def _aliases(document: Document, spec: Spec) -> Iterator[Finding]:
    paths = [operation.path for operation in spec.operations.values()]
    for alias, target in document.alias_targets.items():
        if target not in paths:
            yield ("aliases", alias), unknown(target, dict.fromkeys(paths))
        if alias in paths:
            yield ("aliases", alias), "is a path of the spec itself, which the alias would hide"


def _names(document: Document, spec: Spec) -> Iterator[Finding]:
    """Operations and quirks that other sections speak of."""

    def operations(names: Iterable[str] | None, path: DocumentPath) -> Iterator[Finding]:
        for name in names or ():
            if name not in spec.operations:
                yield path, unknown(name, spec.operations)

    yield from operations(document.absent, ("absent",))
    if set(spec.operations) <= set(document.absent):
        yield ("absent",), "names every operation of the spec; leave one"
    for i, rule in enumerate(document.limits.rules):
        yield from operations(rule.operations, ("limits", "rules", i, "operations"))
    for i, choice in enumerate(document.latency.rules):
        yield from operations(choice.operations, ("latency", "rules", i, "operations"))
    for i, quirk in enumerate(document.quirks):
        yield from operations(quirk.operations, ("quirks", i, "operations"))
    for path, entry in _entries(document):
        yield from operations(entry.operations, (*path, "operations"))
    for operation in document.prices.charges if document.prices else ():
        yield from operations([operation], ("prices", "charges", operation))
    yield from operations(document.prices.needs_credit if document.prices else (), ("prices", "needs_credit"))
    for name, scenario in document.scenarios.items():
        for i, step in enumerate(scenario.steps):
            yield from operations([step.operation] if step.operation else (), ("scenarios", name, i, "operation"))


def _entries(document: Document) -> Iterator[tuple[DocumentPath, Entry]]:
    """Every reply of the error catalogue, with its place."""
    for refusal, entries in document.errors.catalog.items() if document.errors else ():
        for i, entry in enumerate(entries):
            yield ("errors", "catalog", refusal, i), entry


_LIMIT = re.compile(r"\blimits\.([A-Za-z]\w*)")


def _limits(document: Document) -> Iterator[Finding]:
    """Templates speak of limits that there are, where there are any."""
    rules = [rule.name for rule in document.limits.rules]
    templates: list[tuple[DocumentPath, Any]] = [
        (("limits", "headers", n), t) for n, t in document.limits.headers.items()
    ]
    for at, entry in _entries(document):
        templates += [((*at, "error"), entry.error), ((*at, "body"), entry.body), ((*at, "headers"), entry.headers)]
    for path, template in templates if rules else ():
        for name in _LIMIT.findall(json.dumps(template)):
            if name not in rules:
                yield path, unknown(name, rules)


def _twice(document: Document) -> Iterator[Finding]:
    """Names that tell things apart are used once: rules of one name would share their window."""
    lists: tuple[tuple[DocumentPath, list[str]], ...] = (
        (("limits", "rules"), [rule.name for rule in document.limits.rules]),
        (("quirks",), [quirk.id for quirk in document.quirks]),
        (("models",), [model.id for model in document.models]),
    )
    for path, names in lists:
        for i, name in enumerate(names):
            if name in names[:i]:
                yield (*path, i), f'"{name}" is used twice'


def _refusals(document: Document, spec: Spec) -> Iterator[Finding]:
    """Each refusal that an operation can meet has a reply, and its status is one the spec declares."""
    if document.errors is None:
        return
    catalog = document.errors.catalog
    yield from _meant(document, catalog)
    for name in ("unknown_route", "method_not_allowed"):
        if name not in catalog:
            yield ("errors", "catalog"), f"needs `{name}`: any client can send such a request"
    for operation in spec.operations.values():
        yield from _replies(document, operation, catalog)


def _meant(document: Document, catalog: Mapping[RefusalName, list[Entry]]) -> Iterator[Finding]:
    """What steps and quirks refuse has a reply."""
    for title, scenario in document.scenarios.items():
        for i, step in enumerate(scenario.steps):
            if step.refuse is not None and step.refuse not in catalog:
                yield ("scenarios", title, i, "refuse"), unknown(step.refuse, catalog)
            if step.fault is not None:
                yield from _told_by(step.fault, ("scenarios", title, i, "fault"), catalog)
    for i, quirk in enumerate(document.quirks):
        for j, asked in enumerate(quirk.do if quirk.target == "request" else ()):
            if asked.op in ("require_header", "reject_field") and asked.refuse not in catalog:
                yield ("quirks", i, "do", j, "refuse"), unknown(asked.refuse, catalog)
        for j, declared in enumerate(quirk.do if quirk.target == "fault" else ()):
            yield from _told_by(declared, ("quirks", i, "do", j), catalog)


def _told_by(declared: Fault, path: DocumentPath, catalog: Mapping[RefusalName, list[Entry]]) -> Iterator[Finding]:
    """The refusal whose body a fault sends has one."""
    fault = declared.chosen()
    for name, argument in fault.kind.arguments.items():
        if argument.kind == "refusal" and fault[name] not in catalog:
            yield (*path, fault.name, name), unknown(fault[name], catalog)


def _replies(
    document: Document, operation: SpecOperation, catalog: Mapping[RefusalName, list[Entry]]
) -> Iterator[Finding]:
    """Refusals of one operation without a reply, and statuses without a refusal."""
    title = f"`{operation.id}` ({operation.place})"
    for name, reason in reachable(document, operation, document.operations.get(operation.id)):
        entries = [
            (i, e) for i, e in enumerate(catalog.get(name, [])) if e.operations is None or operation.id in e.operations
        ]
        if not entries:
            yield ("errors", "catalog"), f"needs `{name}`, which `{operation.id}` can meet: {reason}"
        for i, entry in entries:
            if entry.status not in operation.statuses:
                told = f"answers {entry.status}, which {title} does not declare"
                yield ("errors", "catalog", name, i, "status"), told
    answered = {e.status for entries in catalog.values() for e in entries}
    for status in operation.statuses:
        if status >= 400 and status not in answered:
            yield ("errors", "catalog"), f"nothing answers {status}, which {title} declares"


def reachable(
    document: Document, operation: SpecOperation, declared: Operation | None
) -> Iterator[tuple[RefusalName, str]]:
    """Every refusal a request to an operation can meet, and why."""
    yield "server_error", "anything can break"
    if operation.secured:
        yield from _reachable_by_key(document, operation)
    if operation.schema is not None or operation.query is not None:
        yield "invalid_request", "it has a request schema"
    if operation.schema is not None and declared is not None and declared.max_body is not None:
        yield "body_too_large", "it has a max_body"
    if operation.schema is not None and document.body.malformed == "refuse":
        yield "malformed_json", "body.malformed is refuse"
    if operation.schema is not None and document.body.other_media_type == "refuse":
        yield "unsupported_media_type", "body.other_media_type is refuse"
    if declared is not None and declared.read is not None:
        yield from _reachable_by_model(document)
    if declared is not None and declared.embed is not None and constant(declared.embed.dimensions) is None:
        yield "invalid_request", "a vector can be too large"
    if declared is not None and declared.act is not None:
        yield from reachable_by_act(document, declared.act)


def _reachable_by_key(document: Document, operation: SpecOperation) -> Iterator[tuple[RefusalName, str]]:
    yield "missing_credentials", "it is secured"
    yield "invalid_credentials", "it is secured"
    for credential in document.auth.credentials if document.auth else ():
        if credential.refuse is not None:
            yield credential.refuse, f"the credential rule for {credential.match}"
    for rule in document.limits.rules:
        if rule.operations is None or operation.id in rule.operations:
            yield rule.refuse, f"the limit {rule.name}"
    prices = document.prices
    if prices is not None and (operation.id in prices.charges or operation.id in prices.needs_credit):
        yield prices.refuse, "it needs credit"


def _reachable_by_model(document: Document) -> Iterator[tuple[RefusalName, str]]:
    if document.models and all(model.id != "*" for model in document.models):
        yield "unknown_model", "it reads a model, and models are listed"
    if any(model.context is not None for model in document.models):
        yield "context_overflow", "models have a context window"
