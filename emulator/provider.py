"""A provider as the pipeline sees it: frozen, compiled, and made of nameless mechanisms.

`emulator.catalog` builds these from `fixtures/` and `specs/`; nothing here reads a file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, lru_cache, partial
from typing import Any, Literal

from emulator.mechanisms import credentials
from emulator.mechanisms.account_rules import AccountRules
from emulator.mechanisms.codegen import Code, compiled
from emulator.mechanisms.credentials import Place, Rule
from emulator.mechanisms.encoding import Encoding
from emulator.mechanisms.expressions import Expression, Scope
from emulator.mechanisms.faults import Fault
from emulator.mechanisms.journal import SECRET
from emulator.mechanisms.latency import Choice, Profile
from emulator.mechanisms.limits import Pool
from emulator.mechanisms.patches import Patch, Target
from emulator.mechanisms.records import record
from emulator.mechanisms.router import Router
from emulator.mechanisms.scenarios import Scenario
from emulator.mechanisms.templates import Template
from emulator.mechanisms.tokens import TokenRatio
from emulator.mechanisms.windows import Algorithm
from emulator.mechanisms.wording import Wording
from emulator.operation import Operation, Source, concerns
from emulator.refusals import RefusalName

Shares = tuple[tuple[object, float], ...]
"""Whose a limit is and how much: of the own share, then of the pool."""
CheckName = Literal["authenticate", "validate", "limit", "disrupt"]


@record
class BodyPolicy:
    """How a request body is taken in before its schema is looked at."""

    other_media_type: Literal["parse", "empty", "refuse"]
    malformed: Literal["refuse", "empty"]
    media_types: Mapping[str, str]
    """What a file of a form is, by its extension, when its part does not say."""
    missing: Literal["malformed", "violation"]
    coerce: bool


@record
class LimitRule:
    """One limit: who shares it, what a request costs, how much fits into how many seconds."""

    name: str
    operations: tuple[str, ...] | None
    when: Expression | None
    key: Expression
    cost: Expression
    settle: Expression | None
    capacity: Expression
    pool: Pool | None
    per: float
    """Of concurrency: how long a refused request is told to wait."""
    algorithm: Algorithm
    refuse: RefusalName
    source: Source
    where: str

    def written_shares(self, code: Code) -> str:
        """Key and capacity of its own share, and of the pool if it has one."""
        pools = [] if self.pool is None else [(self.pool.key, self.pool.capacity)]
        pairs = [(self.key, self.capacity), *pools]
        return f"({''.join(f'({key.written(code)}, {size.written_number(code)}), ' for key, size in pairs)})"

    def written_met(self, code: Code) -> str:
        """The rule, its shares and what a request costs, or None where it is not for the request."""
        met = f"({code.named(self)}, {self.written_shares(code)}, {self.cost.written_number(code, missing=0)})"
        return met if self.when is None else f"({met} if {code.called(self.when.holds)} else None)"

    @cached_property
    def shares(self) -> Callable[[Scope], Shares]:
        return compiled(self.written_shares)


@record
class Limits:
    """The limits that are about an operation."""

    rules: tuple[LimitRule, ...]

    @cached_property
    def by_name(self) -> Mapping[str, LimitRule]:
        return {rule.name: rule for rule in self.rules}

    @cached_property
    def met(self) -> Callable[[Scope], list[tuple[LimitRule, Shares, float] | None]]:
        """Each rule, its shares and what a request costs, or None where the rule is not for the request."""
        return compiled(lambda code: f"[{', '.join(rule.written_met(code) for rule in self.rules)}]")


@record
class LatencyProfile:
    """A named profile of how long replies take."""

    name: str
    summary: str
    durations: Profile
    source: Source
    where: str


@record
class LatencyPlan:
    """The profiles, and which requests have which; without one, the pace of streams holds."""

    profiles: Mapping[str, LatencyProfile]
    rules: tuple[Choice, ...]
    default: str | None


@record
class ChargeLine:
    """The price of `unit` units of a quantity that a request used."""

    quantity: Expression
    price: Expression
    unit: Decimal

    def amount(self, scope: Scope) -> Decimal:
        return self.quantity.decimal(scope, Decimal(0)) * self.price.decimal(scope) / self.unit


@record
class Prices:
    """What operations cost, and which are served only while the balance is above zero."""

    when: Expression | None
    """Whom they are for; nothing is drawn from other accounts, nor asked of them."""
    charges: Mapping[str, tuple[ChargeLine, ...]]
    prepaid: frozenset[str]
    """Operations that need credit, charged or not."""
    refuse: RefusalName


@record
class ErrorEntry:
    """One reply a refusal can become."""

    name: RefusalName
    when: Expression | None
    operations: tuple[str, ...] | None
    status: int
    error: Template
    body: Template | None
    """Replaces the envelope. Text is sent as it is, anything else as JSON."""
    media_type: str | None
    headers: Mapping[str, Template]
    facts: Mapping[str, Any]
    """Stand-ins for what the stage that refuses would have known, used when nobody caused the refusal."""
    source: Source
    """Of the status."""
    body_source: Source
    """Of the body's keys and words."""
    where: str


@record
class Quirk:
    """A sourced deviation: when, target, operations."""

    id: str
    target: Target
    operations: tuple[str, ...] | None
    when: Expression | None
    patches: tuple[Patch, ...]
    faults: tuple[Fault, ...]
    """What a quirk of the target `fault` does; others have patches."""
    source: Source
    where: str


@record
class Variant:
    """A named overlay a user can pick."""

    name: str
    summary: str
    source: Source


@dataclass(frozen=True, eq=False, repr=False)
class Provider:
    """One real service, ready to answer."""

    id: str
    title: str
    origin: str
    base_path: str
    env: Mapping[str, str]
    """Environment variable name -> value template, where `{base_url}`, `{origin}` and `{api_key}` stand."""
    api_key: str
    client_headers: Mapping[str, str]
    """What the provider asks of every request beside the credential."""
    models: tuple[Mapping[str, Any], ...]
    checks: tuple[CheckName, ...]
    sources: Mapping[str, Source]
    kinds: Mapping[str, Source]
    """Where what is known of each kind of resource comes from."""
    operations: Mapping[str, Operation]
    router: Router
    aliases: Mapping[str, Source]
    """Further paths for those of operations -> where they are known from."""
    places: tuple[Place, ...]
    credentials: tuple[Rule, ...]
    anonymous: Mapping[str, Any]
    body: BodyPolicy
    encoding: Encoding
    media_type: str
    tokens: TokenRatio
    plans: Mapping[str, Any]
    limits: tuple[LimitRule, ...]
    limit_headers: Mapping[str, Template]
    latency: LatencyPlan
    accounts: AccountRules | None
    prices: Prices | None
    envelope: Template
    errors: Mapping[RefusalName, tuple[ErrorEntry, ...]]
    wording: Wording
    quirks: tuple[Quirk, ...]
    scenarios: Mapping[str, Scenario]
    variants: Mapping[str, Variant]
    read_document: Callable[[], Mapping[str, Any]]
    compile_steps: Callable[[str, str], Scenario]
    """A name and the JSON text of steps, as a test gives them -> a scenario. Raises ValueError with the remedy."""
    read_places: Callable[[], Mapping[tuple[str | int, ...], str]]

    def headers(self, key: str) -> dict[str, str]:
        """What every request of a client carries: the credential where it is a header, and what else is asked for."""
        place = self.places[0]
        return {**({place.name: place.written(key)} if place.where == "header" else {}), **self.client_headers}

    def query(self, key: str) -> dict[str, str]:
        """The credential where it is a query parameter."""
        place = self.places[0]
        return {place.name: place.written(key)} if place.where == "query" else {}

    def played(self, play: Mapping[str, Any]) -> Scenario | None:
        """The scenario of a play: one of the fixture's, or the steps a test gave."""
        if "steps" in play:
            return self.compile_steps(play["name"], play["steps"])
        return self.scenarios.get(play["name"])

    @cached_property
    def secret_headers(self) -> frozenset[str]:
        """The headers, in lower case, that carry credentials."""
        return SECRET.union(place.name.lower() for place in self.places if place.where == "header")

    @cached_property
    def identify(self) -> Callable[[str, bool], Mapping[str, Any] | RefusalName]:
        """A key, and whether only declared ones pass -> its principal, or the name of the refusal it meets."""
        return lru_cache(1024)(partial(credentials.identify, self.credentials, self.api_key))

    @cached_property
    def tell_limits(self) -> Callable[[Scope], list[tuple[str, Any]]]:
        """The headers that tell how limits stand, each with its value, or null when there is nothing to tell."""
        return compiled(self._written_headers)

    def _written_headers(self, code: Code) -> str:
        headers = (f"({name!r}, {template.written(code)})" for name, template in self.limit_headers.items())
        return f"[{', '.join(headers)}]"

    @cached_property
    def limits_of(self) -> Mapping[str | None, Limits]:
        """The limits that are about each operation (None: about a request that met none)."""
        return {
            operation: Limits(tuple(rule for rule in self.limits if concerns(rule.operations, operation)))
            for operation in (None, *self.operations)
        }

    @cached_property
    def quirks_of(self) -> Mapping[str | None, Mapping[Target, tuple[Quirk, ...]]]:
        """The quirks that are about each operation (None: about a request that met none), by target."""
        return {operation: self._quirks_by_target(operation) for operation in (None, *self.operations)}

    def _quirks_by_target(self, operation: str | None) -> Mapping[Target, tuple[Quirk, ...]]:
        found: dict[Target, tuple[Quirk, ...]] = {}
        for quirk in self.quirks:
            if concerns(quirk.operations, operation):
                found[quirk.target] = (*found.get(quirk.target, ()), quirk)
        return found

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The bundled OpenAPI document."""
        return self.read_document()

    @cached_property
    def locations(self) -> Mapping[tuple[str | int, ...], str]:
        """The path of a fixture value -> `file:line`."""
        return self.read_places()

    @cached_property
    def host(self) -> str:
        return self.origin.split("://", 1)[-1].rstrip("/")

    @cached_property
    def accepted_models(self) -> Mapping[str, Mapping[str, Any]]:
        return {model["id"]: model for model in self.models}

    @cached_property
    def listed_models(self) -> list[Mapping[str, Any]]:
        return [dict(model) for model in self.models if not model.get("unlisted")]


@dataclass(frozen=True, eq=False, repr=False)
class ProviderFamily:
    """A provider with each combination of its variants, compiled when first asked for."""

    base: Provider
    build: Callable[[tuple[str, ...]], Provider]
    _built: dict[tuple[str, ...], Provider] = field(default_factory=dict)

    def with_variants(self, names: tuple[str, ...]) -> Provider:
        """The provider with the named overlays applied in order. Raises KeyError for an unknown name."""
        for name in names:
            if name not in self.base.variants:
                raise KeyError(name)
        if not names:
            return self.base
        if names not in self._built:
            self._built[names] = self.build(names)
        return self._built[names]
