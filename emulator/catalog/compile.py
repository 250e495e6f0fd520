"""A validated document and its spec -> the frozen provider the pipeline uses."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs
from pydantic import BaseModel

from emulator.catalog.accounts import account_rules, act, compile_prices, resource_type
from emulator.catalog.base_path import base_path, base_path_problems
from emulator.catalog.checks import check, reachable
from emulator.catalog.groups import declared_groups, group_path, groups_of
from emulator.catalog.language import limits as limits_language
from emulator.catalog.language import operations as operations_language
from emulator.catalog.language.auth import Auth
from emulator.catalog.language.document import Document
from emulator.catalog.language.errors import Errors
from emulator.catalog.latency import latency_plan
from emulator.catalog.leaves import Leaves
from emulator.catalog.openapi import followed
from emulator.catalog.source import DocumentPath, LoadError, Problem, Tree
from emulator.catalog.specs import Spec, SpecOperation
from emulator.catalog.steps import played_step, scenario_from_text
from emulator.mechanisms.credentials import Place, Rule
from emulator.mechanisms.deferred import LateReader, LateWording
from emulator.mechanisms.encoding import Encoding, Separators
from emulator.mechanisms.forms import FormSchema
from emulator.mechanisms.limits import Pool
from emulator.mechanisms.patches import Patch
from emulator.mechanisms.resources import Item
from emulator.mechanisms.router import Router
from emulator.mechanisms.scenarios import Scenario
from emulator.mechanisms.tokens import TokenRatio
from emulator.mechanisms.violations import RequestPart, RequestSchema
from emulator.operation import NO_SOURCE, ContextPolicy, Operation, RequestExamples, Source, StreamPlan, concerns
from emulator.provider import BodyPolicy, ErrorEntry, LimitRule, Provider, Quirk, Variant
from emulator.refusals import RefusalName


class Compiler:
    """Compiles one document, collecting every problem before it gives up."""

    def __init__(self, document: Document, spec: Spec, tree: Tree, initial: Mapping[str, tuple[Item, ...]]) -> None:
        self.document = document
        self.spec = spec
        self.tree = tree
        self.initial = initial
        self.leaves = Leaves(tree)
        self.problems = self.leaves.problems

    def provider(self) -> Provider:
        """The provider. Raises LoadError."""
        document = self.document
        base = base_path(document, self.spec, self.tree)
        self.problems += [
            *check(document, self.spec, self.tree), *base_path_problems(base, document, self.spec, self.tree)
        ]  # fmt: skip
        if self.problems or document.auth is None or document.errors is None:
            raise LoadError(self.problems)
        provider = self._assembled(document, base, document.auth, document.errors)
        if self.problems:
            raise LoadError(self.problems)
        return provider

    def _assembled(self, document: Document, base: str, auth: Auth, errors: Errors) -> Provider:
        """Of a document without contradictions the provider, unless there are problems then."""
        self.sources = {name: Source(s.ref, s.grade) for name, s in document.sources.items()}
        self.streams = {name: self._stream(name) for name in document.streams}
        self.kinds = {name: resource_type(name, r, self.leaves) for name, r in document.resources.items()}
        self.groups = declared_groups(self.spec.document)
        catalog = {name: self._entries(name) for name in errors.catalog}
        return Provider(
            id=document.id,
            title=document.title or document.id,
            origin=document.origin.rstrip("/"),
            base_path=base,
            env=self._env(),
            api_key=document.api_key,
            client_headers=document.client_headers,
            models=tuple(model.model_dump(exclude_none=True) for model in document.models),
            checks=tuple(document.checks),
            sources=self.sources,
            kinds={name: self.sources[kind.source] for name, kind in document.resources.items()},
            operations={o.id: self._operation(o, catalog) for o in self._served()},
            router=self._router(),
            aliases={path: self._source(name) for path, name in document.alias_sources.items()},
            places=tuple(Place(a.where, a.name, a.scheme) for a in auth.accept),
            credentials=tuple(Rule(c.match, c.principal or {}, c.refuse) for c in auth.credentials),
            anonymous={"id": "", **auth.anonymous},
            body=BodyPolicy(**document.body.model_dump()),
            encoding=self._encoding(),
            media_type=document.encoding.media_type,
            tokens=TokenRatio(document.tokens.characters, document.tokens.per_message, document.tokens.per_request),
            plans=document.limits.plans,
            limits=tuple(self._limit(i, r) for i, r in enumerate(document.limits.rules)),
            limit_headers=self.leaves.templates(document.limits.headers, ("limits", "headers")),
            latency=latency_plan(document, self.leaves, self.sources),
            accounts=account_rules(document, self.leaves, self.kinds, self.initial),
            prices=compile_prices(document, self.leaves),
            envelope=self.leaves.template(errors.envelope, ("errors", "envelope")),
            errors=catalog,
            wording=self._wording(),
            quirks=tuple(self._quirk(i, q) for i, q in enumerate(document.quirks)),
            scenarios={name: self._scenario(name) for name in document.scenarios},
            variants={n: Variant(n, v.summary, self.sources[v.source]) for n, v in document.variants.items()},
            read_document=lambda: self.spec.document,
            compile_steps=lru_cache(maxsize=256)(scenario_from_text),
            read_places=lambda: self.tree.marks,
        )

    def _names(self, names: Iterable[str] | None) -> tuple[str, ...] | None:
        return None if names is None else tuple(names)

    # sections

    def _env(self) -> dict[str, str]:
        env = {}
        for hole in ("base_url", "api_key"):
            variable = getattr(self.document.env, hole)
            if isinstance(variable, str):
                env[variable] = f"{{{hole}}}"
            elif variable is not None:
                env[variable.name] = variable.value
        return env

    def _source(self, name: str | None) -> Source:
        """Where a fact comes from that may be told without: it is assumed then."""
        return NO_SOURCE if name is None else self.sources[name]

    def _encoding(self, separators: Separators | None = None) -> Encoding:
        """The provider's way to write JSON, or that of a stream with separators of its own."""
        declared = self.document.encoding
        return Encoding(separators or declared.separators, declared.ascii, declared.escape_slashes)

    def _router(self) -> Router:
        operations = self._served()
        routes = [(o.method, o.path, o.id) for o in operations]
        for alias, path in self.document.alias_targets.items():
            routes += [(o.method, alias, o.id) for o in operations if o.path == path]
        if self.document.head is not None:
            own = {path for method, path, _ in routes if method == "HEAD"}
            routes += [("HEAD", path, o) for method, path, o in routes if method == "GET" and path not in own]
        return Router(routes, either_slash=self.document.trailing_slash)

    def _served(self) -> list[SpecOperation]:
        return [o for o in self.spec.operations.values() if o.id not in self.document.absent]

    def _operation(self, spec: SpecOperation, catalog: Mapping[RefusalName, tuple[ErrorEntry, ...]]) -> Operation:
        declared: operations_language.Operation = self.document.operations[spec.id]
        path: DocumentPath = ("operations", spec.id)
        reader = self._reader(declared.read) if declared.read else None
        shape = self.document.shapes[declared.shape] if declared.shape else None
        return Operation(
            id=spec.id,
            method=spec.method,
            path=spec.path,
            statuses=spec.statuses,
            success=spec.success,
            secured=spec.secured,
            source=self.sources[declared.source],
            documented=None if declared.documented is None else tuple(declared.documented),
            query=self._schema(spec, "query"),
            body=self._form(spec) if spec.form is not None else self._schema(spec, "body"),
            max_body=declared.max_body,
            act=act(declared.act, self.kinds, self.leaves, (*path, "act")) if declared.act else None,
            reader=reader,
            embedding=self.leaves.expression(declared.embed.dimensions, (*path, "embed", "dimensions"))
            if declared.embed
            else None,
            facts=self.leaves.templates(declared.facts, (*path, "facts")),
            shape=self.leaves.template(shape, ("shapes", declared.shape)) if declared.shape else None,
            stream=self.streams[declared.stream] if declared.stream else None,
            context=ContextPolicy(declared.context.max_tokens, tuple(declared.context.evict)),
            example=spec.example,
            examples=self._request_examples(spec),
            refusals=self._refusals(spec, declared, catalog),
            parts={
                section: name
                for section, name in (("read", declared.read), ("shapes", declared.shape), ("streams", declared.stream))
                if name is not None
            },
            groups=lambda: self._groups(spec),
            where=spec.place,
        )

    def _request_examples(self, spec: SpecOperation) -> RequestExamples:
        bodies = {name: self._of_known_model(body) for name, body in spec.body_examples.items()}
        return RequestExamples(spec.path_examples, bodies, spec.media_type)

    def _of_known_model(self, body: Any) -> Any:
        """The body with the provider's first model where it names one that is not served: a dialect's examples do."""
        known = [model.id for model in self.document.models]
        model = body.get("model") if isinstance(body, dict) else None
        if not known or not isinstance(model, str) or {model, "*"} & {*known}:
            return body
        return {**body, "model": known[0]}

    def _groups(self, spec: SpecOperation) -> dict[str, tuple[Source, str]]:
        """The field groups of an operation's bodies (`Volume.size_gb`): what its spec says of them, with `x-source`."""
        met = groups_of(self.spec.document, [spec.schema, spec.responses])
        return {
            ".".join(group): (self.sources[source], self.spec.place(group_path(group)))
            for group, source in self.groups.items()
            if group[0] in met
        }

    def _refusals(
        self,
        spec: SpecOperation,
        declared: operations_language.Operation,
        catalog: Mapping[RefusalName, tuple[ErrorEntry, ...]],
    ) -> tuple[RefusalName, ...]:
        """Refusals that a request to the operation can meet and that answer with a status it declares."""
        met = {name for name, _ in reachable(self.document, spec, declared)}
        return tuple(
            name
            for name, entries in catalog.items()
            if (name not in _CAUSED or name in met)
            and any(e.status in spec.statuses and concerns(e.operations, spec.id) for e in entries)
        )

    def _schema(self, spec: SpecOperation, place: RequestPart) -> RequestSchema | None:
        schema, required, part = {
            "body": (spec.schema, spec.body_required, "requestBody"),
            "query": (spec.query, False, "parameters"),
        }[place]
        if not schema:
            return None
        try:
            return RequestSchema.compile(schema, self._referred(schema), required=required, place=place)
        except _NO_SCHEMA as error:
            self._no_schema(spec, part, error)
            return None

    def _form(self, spec: SpecOperation) -> FormSchema | None:
        schema = followed(self.spec.document, spec.schema or {})
        try:
            return FormSchema.compile(schema, spec.form or {}, self.spec.document, required=spec.body_required)
        except _NO_SCHEMA as error:
            self._no_schema(spec, "requestBody", error)
            return None

    def _referred(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The part of the spec that a schema refers to: the validator takes in what it is given, schema by schema."""
        schemas = self.spec.document.get("components", {}).get("schemas", {})
        return {
            "components": {"schemas": {n: schemas[n] for n in groups_of(self.spec.document, schema) if n in schemas}}
        }

    def _no_schema(self, spec: SpecOperation, part: str, error: Exception) -> None:
        reason = str(error).splitlines()[0]
        self.problems.append(Problem(spec.place, f"{spec.id}.{part}", f"its schema is none: {reason}"))

    def _reader(self, name: str) -> LateReader:
        fields = self.document.read[name]
        return LateReader(
            {
                f: [self.leaves.expression(e, ("read", name, f)) for e in expressions]
                for f, expressions in fields.items()
            }
        )

    def _stream(self, name: str) -> StreamPlan:
        stream = self.document.streams[name]
        return StreamPlan(
            events=self.leaves.templates(stream.events, ("streams", name, "events")),
            framing=stream.framing,
            media_type=stream.media_type,
            terminator=stream.terminator,
            usage=stream.usage,
            spaces=stream.spaces,
            blanks=stream.blanks,
            encoding=self._encoding(stream.separators),
            first_event=stream.pace.first_event,
            gap=stream.pace.gap,
        )

    def _limit(self, index: int, declared: limits_language.Rule) -> LimitRule:
        path: DocumentPath = ("limits", "rules", index)
        return LimitRule(
            name=declared.name,
            operations=self._names(declared.operations),
            when=self.leaves.optional(declared.when, (*path, "when")),
            key=self.leaves.expression(declared.key, (*path, "key")),
            cost=self.leaves.expression(declared.cost, (*path, "cost")),
            settle=self.leaves.optional(declared.settle, (*path, "settle")),
            capacity=self.leaves.expression(declared.capacity, (*path, "capacity")),
            pool=None
            if declared.pool is None
            else Pool(
                self.leaves.expression(declared.pool.key, (*path, "pool", "key")),
                self.leaves.expression(declared.pool.capacity, (*path, "pool", "capacity")),
            ),
            per=declared.window,
            algorithm=declared.algorithm,
            refuse=declared.refuse,
            source=self._source(declared.source),
            where=self.tree.place(path),
        )

    def _entries(self, name: RefusalName) -> tuple[ErrorEntry, ...]:
        assert self.document.errors is not None
        written_as_list = isinstance(self.tree.data["errors"]["catalog"][name], list)
        entries = []
        for i, entry in enumerate(self.document.errors.catalog[name]):
            path: DocumentPath = ("errors", "catalog", name, i) if written_as_list else ("errors", "catalog", name)
            entries.append(
                ErrorEntry(
                    name=name,
                    when=self.leaves.optional(entry.when, (*path, "when")),
                    operations=self._names(entry.operations),
                    status=entry.status,
                    error=self.leaves.template(entry.error, (*path, "error")),
                    body=None if entry.body is None else self.leaves.template(entry.body, (*path, "body")),
                    media_type=entry.media_type,
                    headers=self.leaves.templates(entry.headers, (*path, "headers")),
                    facts=entry.facts,
                    source=self.sources[entry.source],
                    body_source=self.sources[entry.body_source or self.document.errors.body_source or entry.source],
                    where=self.tree.place(path),
                )
            )
        return tuple(entries)

    def _wording(self) -> LateWording:
        messages = self.document.validation.messages if self.document.validation else {}
        return LateWording(self.leaves.templates(messages, ("validation", "messages")))

    def _quirk(self, index: int, declared: Any) -> Quirk:
        path: DocumentPath = ("quirks", index)
        operations, faults = ([], declared.do) if declared.target == "fault" else (declared.do, [])
        return Quirk(
            id=declared.id,
            target=declared.target,
            operations=self._names(declared.operations),
            when=self.leaves.optional(declared.when, (*path, "when")),
            patches=tuple(self._patch(declared.target, op, (*path, "do", i)) for i, op in enumerate(operations)),
            faults=tuple(fault.chosen(paced=True) for fault in faults),
            source=self.sources[declared.source],
            where=self.tree.place(path),
        )

    def _patch(self, target: Any, operation: BaseModel, path: DocumentPath) -> Patch:
        arguments = operation.model_dump(exclude_none=True, exclude={"op", "value"})
        value = getattr(operation, "value", None)
        has_value = "value" in operation.model_fields_set
        template = self.leaves.template(value, (*path, "value")) if has_value else None
        return Patch(target, operation.op, arguments, template)  # type: ignore[attr-defined]

    def _scenario(self, name: str) -> Scenario:
        declared = self.document.scenarios[name]
        path: DocumentPath = ("scenarios", name)
        if isinstance(self.tree.data["scenarios"][name], dict):
            path = (*path, "steps")
        steps = []
        for i, step in enumerate(declared.steps):
            when = self.leaves.optional(step.when, (*path, i, "when"))
            steps.append(played_step(step, when, self.tree.place((*path, i)), paced=True))
        return Scenario(name, tuple(steps), declared.summary)


_NO_SCHEMA = (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError)
_CAUSED: tuple[RefusalName, ...] = (
    "unknown_route", "method_not_allowed", "malformed_json", "unsupported_media_type", "invalid_request",
    "unknown_model", "context_overflow", "not_found", "conflict", "illegal_state", "in_use", "out_of_stock",
    "body_too_large",
)  # fmt: skip
"""Refusals that only a request of the right form can meet; any operation can meet the others."""
