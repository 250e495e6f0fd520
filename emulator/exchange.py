"""The types stages share: an exchange, the refusal that ends one early, and the reply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emulator.mechanisms import windows
from emulator.mechanisms.accounts import Account
from emulator.mechanisms.clock import REAL, Clock, TimeScale, iso8601
from emulator.mechanisms.credentials import Credential
from emulator.mechanisms.entrances import Entrance
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import Expression, Scope
from emulator.mechanisms.faults import Fault, Layer
from emulator.mechanisms.journal import Entry, Note
from emulator.mechanisms.latency import Timing
from emulator.mechanisms.limits import Limit, Pool, Window, told
from emulator.mechanisms.patches import Headers, Target
from emulator.mechanisms.store import Store, Tenant
from emulator.operation import Operation, concerns
from emulator.provider import ErrorEntry, LimitRule, Provider, ProviderFamily, Quirk
from emulator.refusals import RefusalName


def new_scope(provider: Provider, entropy: Entropy, now: float, principal: Mapping[str, Any]) -> Scope:
    """What expressions see before anything is known of a request; `now` in Unix seconds."""
    clock = {"unix": int(now), "seconds": now, "iso": iso8601(now)}
    unknown: dict[str, Any] = {"query": {}, "params": {}, "body": {}}
    known = {"principal": dict(principal), "models": provider.listed_models, "plans": provider.plans, "clock": clock}
    return Scope(entropy, {**unknown, **known})


def open_account(provider: Provider, tenant: Tenant, scope: Scope, now: float) -> Account | None:
    """The account of the scope's principal, brought up to the moment; None where a provider has none."""
    rules = provider.accounts
    if rules is None:
        return None
    return Account(rules, tenant.cell("accounts", f"{provider.id}:{rules.owner(scope)}", dict), scope, now)


class Refused(Exception):
    """A stage will not serve. Facts go to the provider's error entry (`${fact.<name>}`)."""

    def __init__(self, name: RefusalName, **facts: Any) -> None:
        super().__init__(name)
        self.name: RefusalName = name
        self.facts = facts


class Unaddressed(Exception):
    """The address names no provider; the emulator itself has to answer."""


@dataclass(slots=True)
class Runtime:
    """What all exchanges of one emulator share."""

    providers: Mapping[str, ProviderFamily]
    store: Store
    seed: int = 0
    strict_auth: bool = False
    pace: float = 1.0
    """Scale of the data's delays."""
    time: TimeScale = REAL
    scenarios: Mapping[str, str] = field(default_factory=dict)
    """Provider id -> scenario every tenant starts with."""
    latency: Mapping[str, str] = field(default_factory=dict)
    """Provider id -> latency profile every tenant starts with."""
    variants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Provider id -> variants every tenant starts with."""
    entrances: Sequence[Entrance] = field(default_factory=lambda: [Entrance()])
    """The ports that are served, the one for all providers first; without a server, the process itself."""
    hosts: Mapping[str, str] = field(init=False)
    """Host as a client may name it -> provider id."""

    def __post_init__(self) -> None:
        real = {family.base.host: name for name, family in self.providers.items()}
        self.hosts = {**real, **{f"{name}.localhost": name for name in self.providers}}

    def clock(self, tenant: Tenant) -> Clock:
        """A tenant's clock."""
        return Clock(tenant.cell("clock", "", dict), self.time)

    def provider(self, tenant: Tenant, provider_id: str) -> Provider:
        """The provider with the variants a tenant uses. Raises KeyError for a provider that is not served."""
        chosen = (tenant.peek("variants", provider_id) or {}).get("names")
        names = tuple(chosen) if chosen is not None else self.variants.get(provider_id, ())
        return self.providers[provider_id].with_variants(names)


@dataclass(slots=True)
class Frame:
    """Bytes of a stream and when they leave, in seconds after the first byte may."""

    at: float
    data: bytes
    event: int = 0
    """The number of the event it belongs to; of several, the last."""
    due: float = 0.0
    """When it would leave at pace 1."""


@dataclass(slots=True)
class Reply:
    """What goes back. `frames` is set for a body that takes its time, `body` otherwise."""

    status: int = 200
    headers: Headers = field(default_factory=list)
    content: Any = None
    """The body before it is encoded: a JSON value, or text."""
    body: bytes = b""
    wait: float = 0.0
    """Seconds before anything of it leaves."""
    frames: list[Frame] | None = None
    complete: bool = True
    """False when the connection ends before the body does."""
    breakage: Fault | None = None
    """What is wrong with it below HTTP, which is for the transport to do."""
    retry_after: float | None = None
    """How long a refusal tells a client to wait, in its own seconds; None where the refusal knows nothing of it."""
    exact_head: bool = False
    """Header names go out as they are written here, which only the socket itself can do."""

    def has(self, name: str) -> bool:
        """Whether there is a header of a name, in lower case."""
        return any(n.lower() == name for n, _ in self.headers)


@dataclass(slots=True, weakref_slot=True)
class Exchange:
    """One request and its reply, with every fact the stages add."""

    # as it came
    runtime: Runtime
    method: str
    path: str
    query: Mapping[str, str]
    headers: dict[str, str]
    """Lower-case names; of a repeated header, the first."""
    body: bytes
    mount: str | None = None
    """The provider that owns the port, if the port belongs to one."""
    tenant_name: str | None = None
    """The tenant to use when the path names none."""

    # route
    tenant: Tenant = field(init=False)
    provider: Provider = field(init=False)
    local_path: str = ""
    """The path as the real provider would see it."""
    now: float = 0.0
    """The moment of the exchange in Unix seconds, by the tenant's clock: one for all stages."""
    scope: Scope = field(init=False)
    operation: Operation | None = None
    active: Operation = field(init=False)
    """The operation, for stages that only run when there is one."""
    credential: Credential | None = None

    # steer
    forced: RefusalName | None = None
    forced_status: int | None = None
    """Which of the refusal's replies was asked for."""
    notices: list[str] = field(default_factory=list)
    """What was asked of the emulator and could not be honoured, for the client to read."""
    preference_applied: str | None = None

    # authenticate, validate, limit, disrupt
    principal: dict[str, Any] = field(default_factory=dict)
    request: dict[str, Any] | None = None
    _account: Account | None = None
    taken: list[tuple[LimitRule, Limit]] = field(default_factory=list)
    """Limits that admitted the request."""
    held: list[tuple[dict[str, Any], float]] = field(default_factory=list)
    """Counts that it is in while it is in flight: a cell, and the units of it."""
    script: Any = None
    faults: list[Fault] = field(default_factory=list)
    """What a test or a scenario asks for."""
    idle: list[Fault] = field(default_factory=list)
    """Those of them that found nothing to act on."""
    step_latency: tuple[str, str] | None = None
    """The latency profile that a step of a scenario asks for, and who plays it."""
    timing: Timing | None = None
    """The waits of a profile; None: the stream's own pace."""

    # outcome
    refusal: Refused | None = None
    completion: dict[str, Any] | None = None
    reply: Reply = field(default_factory=Reply)
    charged: dict[str, str] | None = None
    trace: list[Note] = field(default_factory=list)
    entry: Entry | None = None
    """The journal entry; what the client does later is added to it."""

    def note(self, stage: str, what: str, **details: Any) -> None:
        """Add to the trace."""
        self.trace.append((stage, what, details))

    def hold(self, key: str, units: float = 1) -> None:
        """Be counted under a key of the cells `in_flight`, until `release`."""
        cell = self.tenant.cell("in_flight", key, dict)
        cell["used"] = cell.get("used", 0) + units
        self.held.append((cell, units))

    def limit(self, rule: LimitRule, *, looking: bool = False) -> Limit:
        """A limit as this exchange meets it; one that only looks at it leaves no trace of itself in the store."""
        own = self._window(rule, rule.name, rule, looking)
        return Limit(own, None if rule.pool is None else self._window(rule, f"{rule.name}/pool", rule.pool, looking))

    def _window(self, rule: LimitRule, name: str, share: LimitRule | Pool, looking: bool) -> Window:
        """The window of one share of a limit."""
        kind = "in_flight" if rule.algorithm == "concurrency" else "windows"
        cell = f"{self.provider.id}:{name}:{share.key.evaluate(self.scope)}"
        state = self.tenant.peek(kind, cell) or {} if looking else windows.held(self.tenant, kind, cell)
        return Window(state, rule.algorithm, share.capacity.number(self.scope), rule.per)

    def release(self) -> None:
        """The reply is sent, or nobody wants it: be counted nowhere. To say so again changes nothing."""
        with self.runtime.store.lock:
            while self.held:
                cell, units = self.held.pop()
                cell["used"] -= units

    def sent(self, frames: int = 0, *, hung_up: bool = False) -> None:
        """So many frames of the reply are sent, and no more will be: release, and tell the journal."""
        self.release()
        if self.entry is None or (self.entry.client is not None and not hung_up):
            return
        with self.runtime.store.lock:
            self.entry.client = {"frames_sent": frames, "hung_up": hung_up}
            self.tenant.touched.add(("journal", str(self.entry.number)))
            self.runtime.store.commit(self.tenant)

    def quirks(self, target: Target) -> Sequence[Quirk]:
        """The provider's quirks of one target that are meant for this exchange."""
        found = self._quirks.get(target, ())
        return found and [quirk for quirk in found if self.holds(quirk.when)]

    @property
    def _quirks(self) -> Mapping[Target, tuple[Quirk, ...]]:
        return self.provider.quirks_of[self.operation.id if self.operation else None]

    def faults_of(self, *layers: Layer) -> list[Fault]:
        """The faults of some layers that this exchange meets: of quirks, then what is asked for."""
        if not self.faults and not self._quirks.get("fault"):
            return []
        known = [fault.at_pace(self.runtime.pace) for quirk in self.quirks("fault") for fault in quirk.faults]
        return [fault for fault in [*known, *self.faults] if fault.layer in layers]

    def meant(self, operations: tuple[str, ...] | None) -> bool:
        """Whether data that names operations (None: all) is about this exchange's."""
        return concerns(operations, self.operation.id if self.operation else None)

    def holds(self, when: Expression | None) -> bool:
        """Whether a condition holds, or there is none."""
        return when is None or when.holds(self.scope)

    def error_entry(self, name: RefusalName, facts: Mapping[str, Any], status: int | None = None) -> ErrorEntry | None:
        """The reply to a refusal: the first entry meant for this exchange, or the one of a given status.

        Its stand-in facts, overlaid by the given ones, are left in the scope as `fact`, waits in a client's seconds.
        """
        meant = [entry for entry in self.provider.errors.get(name, ()) if self.meant(entry.operations)]
        for entry in meant:
            self.scope["fact"] = told({**entry.facts, **facts}, self.runtime.time)
            if entry.status == status if status is not None else self.holds(entry.when):
                return entry
        return meant[-1] if meant and status is None else None

    @property
    def account(self) -> Account | None:
        """The principal's account, brought up to the moment when it is first looked at; None without any."""
        if self._account is None:
            self._account = open_account(self.provider, self.tenant, self.scope, self.now)
            for event in self._account.events if self._account is not None else ():
                self.note("account", "timed", **event)
        return self._account

    @property
    def streaming(self) -> bool:
        return (
            self.refusal is None
            and self.completion is not None
            and self.active.stream is not None
            and bool(self.request and self.request["stream"])
            and not any(fault.name == "not_a_stream" for fault in self.faults_of("stream"))
        )
