"""The types stages share: an exchange, the refusal that ends one early, and the reply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from emulator.mechanisms import journal
from emulator.mechanisms.accounts import Account
from emulator.mechanisms.clock import REAL, Clock, TimeScale, iso8601, moment
from emulator.mechanisms.credentials import Credential
from emulator.mechanisms.entrances import Entrance
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import Expression, Scope
from emulator.mechanisms.faults import Fault, Layer
from emulator.mechanisms.journal import Entry, Note
from emulator.mechanisms.latency import Timing
from emulator.mechanisms.limits import Limit, Pooled, in_client_time
from emulator.mechanisms.patches import Headers, Target
from emulator.mechanisms.store import IN_FLIGHT, Store, Tenant
from emulator.mechanisms.windows import WINDOWS, InFlight, Window
from emulator.operation import Operation, concerns
from emulator.provider import ErrorEntry, LimitRule, Provider, ProviderFamily, Quirk, Shares
from emulator.refusals import RefusalName

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def new_scope(
    provider: Provider, entropy: Entropy, now: float, principal: Mapping[str, Any], known: Mapping[str, Any] = _NOTHING
) -> Scope:
    """What expressions see before a request is looked at, and what is `known` of it; `now` in Unix seconds."""
    unix = int(now)
    variables = {
        "query": {},
        "params": {},
        "body": {},
        "principal": principal,
        "models": provider.listed_models,
        "plans": provider.plans,
        "clock": {"unix": unix, "seconds": now, "iso": iso8601(unix)},
        **known,
    }
    return Scope(entropy, variables)


def open_account(provider: Provider, tenant: Tenant, scope: Scope, now: float) -> Account | None:
    """The account of the scope's principal, brought up to the moment; None where a provider has none."""
    rules = provider.accounts
    if rules is None:
        return None
    data, touch = tenant.lent("accounts", f"{provider.id}:{rules.owner.evaluate(scope)}")
    return Account(rules, data, scope, now, touch)


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
    scheme: str = "http"
    """What addresses in replies begin with, where they are not the provider's own."""
    hosts: Mapping[str, str] = field(init=False)
    """Host as a client may name it -> provider id."""

    def __post_init__(self) -> None:
        self.serve(self.providers)

    def serve(self, providers: Mapping[str, ProviderFamily]) -> None:
        """Answer with these from now on."""
        self.providers = providers
        real = {family.base.host: name for name, family in self.providers.items()}
        self.hosts = {**real, **{f"{name}.localhost": name for name in self.providers}}

    def clock(self, tenant: Tenant) -> Clock:
        """A tenant's clock, to be set."""
        return Clock(tenant.cell("clock", "", dict), self.time)

    def now(self, tenant: Tenant) -> float:
        """Unix seconds by a tenant's clock."""
        return moment(tenant.peek("clock", "") or {}, self.time)

    def provider(self, tenant: Tenant, provider_id: str) -> Provider:
        """The provider with the variants a tenant uses. Raises KeyError for a provider that is not served.

        A variant that is gone, since a file kept its name or the data were loaded anew, is left out.
        """
        family, chosen = self.providers[provider_id], tenant.peek("variants", provider_id)
        names = chosen["names"] if chosen else self.variants.get(provider_id, ())
        if not names:
            return family.base
        return family.with_variants(tuple(name for name in names if name in family.base.variants))


@dataclass(slots=True)
class Frame:
    """Bytes of a stream and when they leave, in seconds after the first byte may; none are a silence before its end."""

    at: float
    data: bytes
    event: int = 0
    """The number of the event it belongs to; of several, the last."""
    due: float = 0.0
    """When it would leave at pace 1."""


class Reply:
    """What goes back. `frames` is set for a body that takes its time, `body` otherwise."""

    __slots__ = (
        "body", "breakage", "complete", "content", "exact_head", "frames", "headers", "retry_after", "status", "wait",
    )  # fmt: skip

    def __init__(self, status: int = 200, headers: Headers | None = None, body: bytes = b"") -> None:
        self.status = status
        self.headers: Headers = [] if headers is None else headers
        self.body = body
        self.content: Any = None
        """The body before it is encoded: a JSON value, or text."""
        self.wait = 0.0
        """Seconds before anything of it leaves."""
        self.frames: list[Frame] | None = None
        self.complete = True
        """False when the connection ends before the body does."""
        self.breakage: Fault | None = None
        """What is wrong with it below HTTP, which is for the transport to do."""
        self.retry_after: float | None = None
        """How long a refusal tells a client to wait, in its own seconds; None where the refusal knows nothing of it."""
        self.exact_head = False
        """Header names go out as they are written here, which only the socket itself can do."""

    @property
    def unsized(self) -> bool:
        """Whether nothing says how long the body will be, so that it has to come in chunks."""
        return self.frames is not None and not self.has("content-length")

    @property
    def parts(self) -> list[Frame]:
        """The body as frames, also one that comes at once."""
        return [Frame(0.0, self.body)] if self.frames is None else self.frames

    @property
    def whole_body(self) -> bytes:
        """The body as one piece, also of a stream."""
        return self.body if self.frames is None else b"".join(frame.data for frame in self.frames)

    def has(self, name: str) -> bool:
        """Whether there is a header of a name, in lower case."""
        return name in [n.lower() for n, _ in self.headers]

    def drop(self, *names: str) -> None:
        """Have no headers of some names, in lower case."""
        self.headers = [(n, v) for n, v in self.headers if n.lower() not in names]

    def set(self, name: str, value: str) -> None:
        """Have one header of a name, in lower case."""
        self.drop(name)
        self.headers.append((name, value))


class Exchange:
    """One request and its reply, with every fact the stages add."""

    __slots__ = (
        "__weakref__", "_account", "active", "body", "charged", "completion", "credential", "entry", "faults", "forced",
        "forced_status", "headers", "held", "idle", "local_path", "method", "mount", "notices", "now", "operation",
        "path", "preference_applied", "principal", "provider", "query", "quirks_at", "refusal", "reply", "request",
        "runtime", "scope", "script", "step_latency", "streaming", "taken", "tenant", "tenant_name", "timing", "trace",
    )  # fmt: skip

    def __init__(
        self,
        runtime: Runtime,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
        mount: str | None = None,
        tenant_name: str | None = None,
    ) -> None:
        """`headers` have lower-case names; of a repeated header it is the first.

        `mount` is the provider that owns the port, if it belongs to one; `tenant_name` the tenant to use when the path
        names none.
        """
        self.runtime = runtime
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.mount = mount
        self.tenant_name = tenant_name

        # route
        self.tenant: Tenant
        self.provider: Provider
        self.local_path = ""
        """The path as the real provider would see it."""
        self.now = 0.0
        """The moment of the exchange in Unix seconds, by the tenant's clock: one for all stages."""
        self.scope: Scope
        self.operation: Operation | None = None
        self.active: Operation
        """The operation, for stages that only run when there is one."""
        self.credential: Credential | None = None
        self.quirks_at: Mapping[Target, tuple[Quirk, ...]]
        """The provider's quirks that are about the operation."""

        # steer
        self.forced: RefusalName | None = None
        self.forced_status: int | None = None
        """Which of the refusal's replies was asked for."""
        self.preference_applied: str | None = None
        self.faults: list[Fault] = []
        """What a test or a scenario asks for."""
        self.idle: list[Fault] = []
        """Those of them that found nothing to act on."""
        self.notices: list[str] = []
        """What was asked of the emulator and could not be honoured, for the client to read."""

        # authenticate, validate, limit, disrupt
        self.principal: Mapping[str, Any] = _NOTHING
        self.request: dict[str, Any] | None = None
        self.taken: list[tuple[LimitRule, Limit, float]] = []
        """Limits that admitted the request, and what it cost them."""
        self.held: list[tuple[Window, float]] = []
        """Windows that it is counted in while it is in flight, and with how many units."""
        self.script: Any = None
        self.step_latency: tuple[str, str] | None = None
        """The latency profile that a step of a scenario asks for, and who plays it."""
        self.timing: Timing | None = None
        """The waits of a profile; None: the stream's own pace."""
        self._account: Account | None = None

        # outcome
        self.refusal: Refused | None = None
        self.completion: dict[str, Any] | None = None
        self.streaming = False
        """Whether the reply is a stream."""
        self.charged: dict[str, str] | None = None
        self.reply = Reply()
        self.trace: list[Note] = []
        self.entry: Entry | None = None
        """The journal entry; what the client does later is added to it."""

    def note(self, stage: str, what: str, **details: Any) -> None:
        """Add to the trace."""
        self.trace.append((stage, what, details))

    def tell_once(self, notice: str) -> None:
        """Add a notice, unless it is told already: an error may fail like what it is of."""
        if notice not in self.notices:
            self.notices.append(notice)

    def hold(self, key: str) -> None:
        """Be counted under a key of what is in flight, until `release`."""
        window = self.tenant.cells.get((IN_FLIGHT, key))  # of which no file is told
        if window is None:
            window = self.tenant.cells[(IN_FLIGHT, key)] = InFlight()
        window.used += 1
        self.held.append((window, 1))

    def limit(self, rule: LimitRule, shares: Shares, looking: bool = False) -> Limit:
        """A limit as this exchange meets it; one that only looks at it leaves no trace of itself in the store."""
        key, capacity = shares[0]
        own = self._window(rule, rule.name, key, capacity, looking)
        if rule.pool is None:
            return own
        key, capacity = shares[1]
        return Pooled(own, self._window(rule, f"{rule.name}/pool", key, capacity, looking))

    def _window(self, rule: LimitRule, name: str, key: object, capacity: float, looking: bool) -> Window:
        """The window of one share of a limit."""
        kind = WINDOWS[rule.algorithm]
        tenant, cell = self.tenant, (kind.cells, f"{self.provider.id}:{name}:{key}")
        found = tenant.cells.get(cell)
        window: Window = found if found.__class__ is kind else kind(found)
        window.capacity, window.per = capacity, rule.per
        if found is not None or not looking:
            tenant.cells[cell] = window
        if not looking:
            tenant.touched.add(cell)
        return window

    def release(self) -> None:
        """The reply is sent, or nobody wants it: be counted nowhere. To say so again changes nothing."""
        with self.runtime.store.lock:
            while self.held:
                window, units = self.held.pop()
                window.used -= units

    def sent(self, frames: int = 0, *, hung_up: bool = False) -> None:
        """So many frames of the reply are sent, and no more will be: release, and tell the journal."""
        self.release()
        if self.entry is None or (self.entry.client is not None and not hung_up):
            return
        with self.runtime.store.lock:
            self.entry.client = {"frames_sent": frames, "hung_up": hung_up}
            self.tenant.touched.add(journal.place(self.entry.number))
            self.runtime.store.commit(self.tenant)

    def quirks(self, target: Target) -> Sequence[Quirk]:
        """The provider's quirks of one target that are meant for this exchange."""
        found = self.quirks_at.get(target)
        return [quirk for quirk in found if self.holds(quirk.when)] if found else ()

    def faults_of(self, layers: Sequence[Layer]) -> list[Fault]:
        """The faults of some layers that this exchange meets: of quirks, then what is asked for."""
        if not self.faults and "fault" not in self.quirks_at:
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
            self.scope["fact"] = in_client_time({**entry.facts, **facts}, self.runtime.time)
            if entry.status == status if status is not None else self.holds(entry.when):
                return entry
        return meant[-1] if meant and status is None else None

    def error(self, name: RefusalName, facts: Mapping[str, Any], status: int | None = None) -> tuple[ErrorEntry, Any]:
        """The reply to a refusal and its body; an error of the server's where the provider has no such reply."""
        entry = self.error_entry(name, facts, status) or self.error_entry("server_error", {})
        entry = entry or self.provider.errors["server_error"][0]
        self.scope["error"] = entry.error(self.scope)
        return entry, (entry.body or self.provider.envelope)(self.scope)

    @property
    def account(self) -> Account | None:
        """The principal's account, brought up to the moment when it is first looked at; None without any."""
        if self._account is None:
            self._account = open_account(self.provider, self.tenant, self.scope, self.now)
            for event in self._account.events if self._account is not None else ():
                self.note("account", "timed", **event)
        return self._account
