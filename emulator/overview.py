"""What there is and where it comes from: the facts behind `list`, `explain` and the greeting of `serve`."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from emulator.mechanisms.clock import written_duration
from emulator.mechanisms.fault_catalogue import FAULTS
from emulator.mechanisms.faults import Argument, FaultKind
from emulator.mechanisms.forms import FormSchema
from emulator.mechanisms.records import record
from emulator.mechanisms.tenants import split_tenant
from emulator.mechanisms.violations import RequestSchema
from emulator.operation import Act, Operation, concerns
from emulator.provider import Provider, ProviderFamily


def rows(families: Mapping[str, ProviderFamily]) -> list[dict[str, Any]]:
    """One row an operation: {provider, operation_id, method, path, statuses, grade, source}."""
    return [
        {
            "provider": family.base.id,
            "operation_id": operation.id,
            "method": operation.method,
            "path": operation.path,
            "statuses": sorted(operation.statuses),
            "grade": operation.source.grade,
            "source": operation.source.ref,
        }
        for family in families.values()
        for operation in family.base.operations.values()
    ]


def markdown(families: Mapping[str, ProviderFamily]) -> str:
    """The rows as a Markdown table; a status whose reply is not documented stands in brackets."""
    lines = ["| provider | operation | grade | statuses |", "| --- | --- | --- | --- |"]
    for family in families.values():
        for operation in family.base.operations.values():
            statuses = " ".join(_graded(family.base, operation, status) for status in sorted(operation.statuses))
            what = f"`{operation.method} {operation.path}`"
            lines.append(
                f"| {family.base.title} (`{family.base.id}`) | {what} | {operation.source.grade} | {statuses} |"
            )
    return "\n".join(lines)


def _graded(provider: Provider, operation: Operation, status: int) -> str:
    """A status as text, in brackets unless the provider documents that the operation answers it."""
    grades = {
        entry.source.grade
        for name in operation.refusals
        for entry in provider.errors[name]
        if entry.status == status and concerns(entry.operations, operation.id)
    }
    if operation.documented is not None:
        known = status in operation.documented
    else:
        known = operation.source.grade != "assumed" and "documented" in (grades or {operation.source.grade})
    return str(status) if known else f"({status})"


def curl(provider: Provider, origin: str, ca_file: str | None = None) -> str:
    """One curl line that succeeds when pasted: the provider's first completion; with TLS, told whom to trust."""
    operations = provider.operations.values()  # each is made when it is looked at: at the start, no more than need be
    operation = next((o for o in operations if o.reader is not None), next(iter(operations)))
    body, query = operation.examples.body, provider.query(provider.api_key)
    trusted = [] if ca_file is None else ["--cacert", ca_file]
    address = origin + operation.example_path + (f"?{urlencode(query)}" if query else "")
    parts = ["curl", "-sS", *trusted, address]
    if operation.method != ("GET" if body is None else "POST"):
        parts += ["-X", operation.method]
    for name, value in provider.headers(provider.api_key).items():
        parts += ["-H", f"{name}: {value}"]
    return shlex.join([*parts, *_sent(operation.body, body)])


def _sent(schema: RequestSchema | FormSchema | None, body: Any) -> list[str]:
    """How curl is told of a body: as JSON, or part by part of a form."""
    if body is None:
        return []
    if not isinstance(schema, FormSchema):
        return ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    fields = ((name, value if isinstance(value, list) else [value]) for name, value in body.items())
    return [word for name, values in fields for value in values for word in _part(schema, name, value)]


def _part(schema: FormSchema, name: str, value: Any) -> list[str]:
    text, field = value if isinstance(value, str) else json.dumps(value), name.removesuffix("[]")
    declared = schema.fields.declared(field)
    if "binary" not in (declared.get("format"), schema.fields.resolved(declared.get("items")).get("format")):
        return ["--form-string", f"{name}={text}"]
    media_type = schema.accepted.get(field, ("text/plain",))[0].replace("/*", "/plain")
    quoted = json.dumps(text, ensure_ascii=False)
    return ["-F", f"{name}={quoted};filename=hello.txt;type={media_type}"]


_ANY_KEY = "any key"
"""One that nobody declares: keys have no spaces."""


def greeting(provider: Provider, origin: str, *, ca_file: str | None = None, strict: bool = False) -> list[str]:
    """What a client needs to know of a provider that is served at an origin."""
    base_url = origin + provider.base_path
    any_key = not strict and isinstance(provider.identify(_ANY_KEY, False), Mapping)
    other = "any key works" if any_key else f"others: `emulator list {provider.id}`"
    holes = {"base_url": base_url, "origin": origin, "api_key": provider.api_key}
    return [
        provider.title,
        f"  base URL  {base_url}",
        f"  API key   {provider.api_key}   ({other}; emu-<refusal> meets that refusal)",
        *(
            f"  export {variable}={shlex.quote(template.format(**holes))}"
            for variable, template in provider.env.items()
        ),
        f"  {curl(provider, origin, ca_file)}",
    ]


def tables(provider: Provider) -> Iterator[tuple[list[str], list[list[str]]]]:
    """What can be asked of a provider, as tables: the names of the columns, and the rows, if there are any."""
    yield (
        ["refusal", "status", "grade", "its body", "source"],
        [
            [name, str(entry.status), entry.source.grade, entry.body_source.grade, entry.source.ref]
            for name, entries in provider.errors.items()
            for entry in entries
        ],
    )
    yield (
        ["key", "is"],
        [
            [rule.match, rule.refuse or ", ".join(f"{k}: {v}" for k, v in rule.principal.items()) or "accepted"]
            for rule in provider.credentials
        ],
    )
    yield (
        ["variant", "what it changes", "grade", "source"],
        [[v.name, v.summary, v.source.grade, v.source.ref] for v in provider.variants.values()],
    )
    yield ["scenario", "what happens"], [[s.name, s.summary] for s in provider.scenarios.values()]
    default = provider.latency.default
    yield (
        ["latency", "what it is like", "grade", "source"],
        [
            [p.name, p.summary + (" (the default)" if p.name == default else ""), p.source.grade, p.source.ref]
            for p in provider.latency.profiles.values()
        ],
    )
    yield (
        ["quirk", "target", "grade", "source"],
        [[q.id, q.target, q.source.grade, q.source.ref] for q in provider.quirks],
    )


@record
class Line:
    """One line of an explanation: what, which one, where it is written, how well it is known."""

    part: str
    what: str
    where: str
    grade: str = ""


def find_operation(families: Mapping[str, ProviderFamily], method: str, path: str) -> tuple[Provider, Operation, str]:
    """The operation at an address with the provider's id first, and the path or alias of it that is meant.

    Raises LookupError with the way out.
    """
    _, path = split_tenant(_path_of(families, path))
    head, _, rest = path.lstrip("/").partition("/")
    if head not in families:
        raise LookupError(
            f"no provider is called {head!r}; paths begin with one of {', '.join('/' + f for f in families)}"
        )
    provider = families[head].base
    match = provider.router.match(method, f"/{rest}")
    if match is None:
        known = ", ".join(f"{o.method} /{head}{o.path}" for o in provider.operations.values())
        raise LookupError(f"{head} has nothing at /{rest}; there are {known}")
    if match.operation is None:
        raise LookupError(f"/{rest} does not take {method}; it takes {', '.join(match.allowed)}")
    return provider, provider.operations[match.operation], match.path


def _path_of(families: Mapping[str, ProviderFamily], address: str) -> str:
    """The path with a provider's id first, of an address as a client has it: at the emulator, or the provider's own."""
    address = address.split("?", 1)[0]
    for name, family in families.items():
        if address.startswith(f"{family.base.origin}/"):
            return f"/{name}{address.removeprefix(family.base.origin)}"
    return "/" + address.split("://", 1)[1].partition("/")[2] if "://" in address else address


def explain(provider: Provider, operation: Operation, path: str) -> list[Line]:
    """Which file and line supplies what of an operation's behaviour at a path, in the order a request meets it."""

    def at(*steps: str) -> str:
        return provider.locations.get(steps) or "the language's default"

    return [
        Line("operation", operation.id, operation.where, operation.source.grade),
        *(
            Line("alias", f"{name} for {operation.path}", at("aliases", name), source.grade)
            for name, source in provider.aliases.items()
            if name == path
        ),
        Line("checks", ", ".join(provider.checks), at("checks")),
        *(_secured(provider, operation, at) if operation.secured else ()),
        *([Line("wording", "of what a body breaks", at("validation", "messages"))] if operation.body else ()),
        Line("behaviour", _behaviour(operation), at("operations", operation.id)),
        *(_owned(provider, operation.act, at) if operation.act is not None else ()),
        *(Line(section, name, at(section, name)) for section, name in operation.parts.items()),
        *_latency(provider, operation),
        *(Line("fields", name, place, source.grade) for name, (source, place) in operation.groups().items()),
        *(
            Line("refusal", f"{entry.status} {name}", entry.where, operation.graded(entry.status, entry.source.grade))
            for name in operation.refusals
            for entry in provider.errors[name]
            if concerns(entry.operations, operation.id) and entry.status in operation.statuses
        ),
        *(
            Line("quirk", f"{quirk.id} ({quirk.target})", quirk.where, quirk.source.grade)
            for quirk in provider.quirks
            if concerns(quirk.operations, operation.id)
        ),
    ]


def _behaviour(operation: Operation) -> str:
    act, makes = operation.act, "makes vectors" if operation.embedding is not None else "makes completions"
    if act is None:
        return makes if operation.reader else "answers"
    what = act.resource.name if act.resource is not None else f"the book {act.book}"
    done = f"{act.call} {what}" if act.verb == "call" else f"{act.verb} {what}"
    return f"{makes}, {done}" if operation.reader else done


def _owned(provider: Provider, act: Act, at: Callable[..., str]) -> Iterator[Line]:
    """The kinds of resources an operation is about, and what they cost by time."""
    kinds = [act.resource.name] if act.resource is not None else []
    for name in [*kinds, *(part.resource.name for part in act.parts), *act.others]:
        yield Line("resource", name, at("resources", name), provider.kinds[name].grade)
    for name in [*kinds, *([act.book] if act.book is not None else [])]:
        if provider.accounts is not None and name in provider.accounts.meters:
            yield Line("meter", name, at("prices", "meters", name))


def _latency(provider: Provider, operation: Operation) -> Iterator[Line]:
    """The latency profiles that the data mean for an operation, whatever is asked for."""
    plan = provider.latency
    meant = [choice.profile for choice in plan.rules if concerns(choice.operations, operation.id)]
    for name in dict.fromkeys([*meant, *([plan.default] if plan.default is not None else [])]):
        yield Line("latency", name, plan.profiles[name].where, plan.profiles[name].source.grade)


def _secured(provider: Provider, operation: Operation, at: Callable[..., str]) -> Iterator[Line]:
    """What a request with a key meets: the key's place, its principal, limits, prices."""
    yield Line("credential", ", ".join(f"{p.where} {p.name}" for p in provider.places), at("auth", "accept"))
    yield Line("principal", "first matching pattern", at("auth", "credentials"))
    for rule in provider.limits:
        if concerns(rule.operations, operation.id):
            span = "in flight" if rule.algorithm == "concurrency" else f"in {written_duration(rule.per)}"
            yield Line("limit", f"{rule.name} {span}", rule.where, rule.source.grade)
    prices = provider.prices
    if prices is not None and operation.id in prices.charges:
        yield Line("price", "drawn from the prepaid balance", at("prices", "charges", operation.id))
    elif prices is not None and operation.id in prices.prepaid:
        yield Line("price", "needs credit", at("prices", "needs_credit"))


def scenario_lines(families: Mapping[str, ProviderFamily]) -> list[str]:
    """Every ready scenario, one a line: provider, name, what happens."""
    providers = [family.base for family in families.values()]
    found = [(p.id, scenario.name, scenario.summary) for p in providers for scenario in p.scenarios.values()]
    widths = [max((len(row[i]) for row in found), default=0) for i in (0, 1)]
    return [f"{provider:<{widths[0]}}  {name:<{widths[1]}}  {summary}" for provider, name, summary in found]


def fault_lines() -> list[str]:
    """Every fault, one a line: name, layer, what a client sees."""
    width = max(map(len, FAULTS))
    return [f"{kind.name:<{width}}  {kind.layer:<10}  {kind.seen}" for kind in FAULTS.values()]


def explain_fault(name: str) -> list[str]:
    """What a fault does, what it stands for, and what can be said of it. Raises LookupError with the way out."""
    if name not in FAULTS:
        raise LookupError(f"no fault is called {name!r}; there are {', '.join(FAULTS)}")
    kind = FAULTS[name]
    lines = [f"{name} ({kind.layer})", f"  a client sees  {kind.seen}", f"  stands for     {kind.incident}"]
    for argument, told in kind.arguments.items():
        default = "" if told.default is None else f" (default {_default(told)})"
        lines.append(f"  {argument:<13}  {told.kind}: {told.says}{default}")
    return [*lines, f"  for example    {_fault_example(kind)}"]


def _default(argument: Argument) -> str:
    """The default of an argument as data would have it."""
    return written_duration(argument.default) if argument.kind in _DURATIONS else json.dumps(argument.default)


_DURATIONS = ("duration", "wait")
_EXAMPLES = {"count": 2, "event": 3, "moment": "2s", "wait": "30s", "form": "date"}


def _fault_example(kind: FaultKind) -> str:
    if kind.before_requests:
        return f"emulator.connections({kind.name!r})"
    by_name = f'handle.fail(fault="{kind.name}")'
    for name, told in kind.arguments.items():
        if told.kind in _DURATIONS and told.default is not None:
            return f'{by_name} or handle.fail(fault={{"{kind.name}": {{"{name}": "{_default(told)}"}}}})'
        if told.kind in _EXAMPLES:
            value = told.default if told.kind == "count" and told.default is not None else _EXAMPLES[told.kind]
            return f"{by_name} or handle.fail(fault={json.dumps({kind.name: {name: value}})})"
    return by_name


def fault_table() -> str:
    """The catalogue of faults as a Markdown table."""
    lines = ["| fault | layer | what a client sees | stands for | arguments |", "| --- | --- | --- | --- | --- |"]
    for kind in FAULTS.values():
        arguments = " ".join(f"`{name}`" for name in kind.arguments)
        lines.append(f"| `{kind.name}` | {kind.layer} | {kind.seen} | {kind.incident} | {arguments} |")
    return "\n".join(lines)
