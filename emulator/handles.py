"""What tests hold in their hands: an emulation (one tenant's view) and a handle a provider."""

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from emulator import commands
from emulator.exchange import Runtime
from emulator.mechanisms.encoding import loads
from emulator.mechanisms.entrances import Disturbance
from emulator.mechanisms.journal import MOST_ENTRIES, MOST_LONG, SHORT
from emulator.mechanisms.records import record
from emulator.mechanisms.tenants import DEFAULT_TENANT, TENANT_NAMES, fit_tenant
from emulator.wire.certificates import TRUST

if TYPE_CHECKING:
    from emulator.interception.decorating import Interception

__tracebackhide__ = commands.__tracebackhide__

__all__ = ["Clock", "Emulation", "Handle", "Journal", "JournalEntry", "Message"]


@record
class JournalEntry:
    """One exchange as the journal has it. `raw` holds everything."""

    status: int
    method: str
    path: str
    operation: str | None
    refusal: str | None
    raw: Mapping[str, Any]

    @property
    def json(self) -> Any:
        """The request body, parsed; None where there is none. Raises CommandError for one that is no JSON, or cut."""
        request = self.raw["request"]
        if request["cut"]:
            raise commands.CommandError(
                f"the journal has only the beginning of this body of {request['size']} bytes: "
                f"a tenant's bodies of more than {SHORT} bytes are kept as long as they are {MOST_LONG} together"
            )
        if not request["size"]:
            return None
        try:
            return json.loads(request["body"])
        except (ValueError, RecursionError) as error:
            media_type = request["headers"].get("content-type", "of no content type").split(";")[0]
            hint = "raw['request']['body'] has it as text"
            raise commands.CommandError(f"the body ({media_type}) is no JSON: {error}; {hint}") from None


class Journal(list[JournalEntry]):
    """The exchanges that the journal still has, oldest first."""

    def __init__(self, entries: Iterable[JournalEntry], left: int) -> None:
        super().__init__(entries)
        self.left = left
        """How many older ones left it."""


@record
class Message:
    """Something the provider would have sent to a person: nothing leaves the emulator."""

    to: str
    subject: str
    text: str
    values: Mapping[str, Any]
    """What a reader would take from it: a code, a link."""
    at: float
    """Unix seconds."""


def _plain(value: Any) -> Any:
    """The value as JSON has it. Raises CommandError for what it has no word for."""
    try:
        return loads(json.dumps(value).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise commands.CommandError(f"a step is plain JSON: {error}") from None


def _key(key: str | None) -> str | None:
    if not isinstance(key, str | None):
        raise commands.CommandError("a key is text; without one the handle's own is meant")
    return key


class Clock:
    """One tenant's clock."""

    def __init__(self, runtime: Runtime, tenant: str) -> None:
        self._runtime = runtime
        self._tenant = tenant

    def now(self) -> float:
        """Unix seconds."""
        with commands.clock(self._runtime, self._tenant) as clock:
            return clock.now()

    def freeze(self, at: float | None = None) -> float:
        """Stop time, now or at a moment in Unix seconds. Raises CommandError for what is none."""
        if isinstance(at, bool) or not isinstance(at, (int, float, type(None))):
            raise commands.CommandError("`freeze` takes Unix seconds; without them time stops now")
        with commands.clock(self._runtime, self._tenant) as clock:
            return clock.freeze(at)

    def advance(self, duration: str | float) -> float:
        """Move time on by `60s`, `2h`, or seconds; gives the new moment. Raises CommandError for anything else."""
        if isinstance(duration, bool) or not isinstance(duration, (str, int, float)):
            raise commands.CommandError("`advance` takes a duration: 350ms, 60s, 2h, or seconds")
        with commands.clock(self._runtime, self._tenant) as clock:
            return clock.advance(duration)

    def resume(self) -> float:
        """Let time run again."""
        with commands.clock(self._runtime, self._tenant) as clock:
            return clock.resume()


class Handle:
    """One provider as one tenant's client should use it."""

    def __init__(
        self,
        runtime: Runtime,
        tenant: str,
        provider: str,
        address: str | None,
        root: str | None,
        trust: Mapping[str, str],
    ) -> None:
        found = commands.family(runtime, provider).base
        self._runtime = runtime
        self._tenant = tenant
        self.id = provider
        suffix = "" if tenant == DEFAULT_TENANT else f"/~{tenant}"
        self.origin = f"{address}{suffix}/{provider}" if address is not None else found.origin
        """Stands for the provider's scheme and host; is them where no server runs."""
        self.base_url = self.origin + found.base_path
        """What an SDK takes as its base URL."""
        self.root_url = root
        """A port of the provider's own, for clients that drop the path of their base URL; the key names the tenant."""
        self.api_key = found.api_key if tenant == DEFAULT_TENANT else f"{found.api_key}~{tenant}"
        """A key that works, and that leads to this tenant by itself."""
        self.headers = found.headers(self.api_key)
        """Ready headers: the credential, unless it stands in `query`, and what else the provider asks for."""
        self.query = found.query(self.api_key)
        """Ready query parameters: the credential of a provider that takes it there; else none."""
        holes = {"base_url": self.base_url, "origin": self.origin, "api_key": self.api_key}
        self.env = {**{name: template.format(**holes) for name, template in found.env.items()}, **trust}
        """Environment variables for the provider's own clients; with TLS, also those that let them trust it."""
        self.models = [model["id"] for model in found.listed_models if model["id"] != "*"]
        """Ids of the models the provider lists."""

    @property
    def journal(self) -> Journal:
        """What this tenant's clients asked of this provider, oldest first. Warns when the oldest are gone."""
        with self._runtime.store.lock:
            held = commands.journal(self._runtime, self._tenant, self.id)
            left = commands.exchanges(self._runtime, self._tenant, self.id) - len(held)
        if left > 0:
            found = f"of {len(held) + left} exchanges with {self.id} the journal has the last {len(held)}"
            warnings.warn(f"{found}: it holds a tenant's newest {MOST_ENTRIES}", stacklevel=2)
        entries = (JournalEntry(e["status"], e["method"], e["path"], e["operation"], e["refusal"], e) for e in held)
        return Journal(entries, max(left, 0))

    @property
    def outbox(self) -> list[Message]:
        """What the provider sent to people because of this tenant's requests, newest last."""
        return [
            Message(m["to"], m["subject"], m["text"], m["values"], m["at"])
            for m in commands.sent(self._runtime, self._tenant, self.id)
        ]

    def fail(
        self,
        refuse: str | int | None = None,
        *,
        times: int = 1,
        operation: str | None = None,
        when: str | None = None,
        fault: str | dict[str, Any] | None = None,
        facts: dict[str, Any] | None = None,
        probability: float | None = None,
    ) -> None:
        """Let the next `times` requests meet a refusal (`rate_limited`, or a status such as 429) or a fault.

        `operation` and `when` (an expression) narrow down which requests; with a `probability` the seed chooses
        which of them fail. `facts` are what its text tells (`{"id": "i-7"}`). A refusal that an operation never answers
        with the status is told in a notice. Raises CommandError.
        """
        said = {"refuse": refuse, "operation": operation, "when": when, "fault": fault, "facts": facts}
        step: dict[str, Any] = {"times": times, "probability": probability, **said}
        plain = _plain({k: v for k, v in step.items() if v is not None})
        commands.fail(self._runtime, self._tenant, self.id, plain)

    def play(self, scenario: str | list[dict[str, Any]]) -> None:
        """Play a scenario of the provider by name, or steps of your own. Raises CommandError."""
        commands.play(self._runtime, self._tenant, self.id, _plain(scenario))

    def latency(self, profile: str | None) -> None:
        """Let replies take their time by a profile (`overloaded`); None: as the data say. Raises CommandError."""
        if not isinstance(profile, str | None):
            raise commands.CommandError("`latency` takes the name of a profile, or None")
        commands.latency(self._runtime, self._tenant, self.id, profile)

    def use(self, *variants: str) -> None:
        """Serve with these variants; none: the documented behaviour. Raises CommandError."""
        if not all(isinstance(name, str) for name in variants):
            raise commands.CommandError("`use` takes names: use('both'), use('one', 'another')")
        commands.use(self._runtime, self._tenant, self.id, variants)

    def top_up(self, amount: Decimal | int | float | str, key: str | None = None) -> Decimal:
        """Pay into an account (of the handle's own key, without one); gives the new balance. Raises CommandError."""
        paid = commands.top_up(self._runtime, self._tenant, self.id, amount, _key(key))
        return Decimal(paid["balance"])

    def load(self, resources: Mapping[str, Any] | str | Path, key: str | None = None) -> dict[str, list[str]]:
        """Give an account resources: lists of fields by kind, or a YAML file of them. Gives their ids by kind.

        All of them are there, or none. Raises CommandError, and catalog.LoadError for a file that cannot be read.
        """
        if isinstance(resources, (str, Path)):
            from emulator.catalog.reading import read_yaml

            resources = read_yaml(Path(resources), str(resources)).data
        return commands.load(self._runtime, self._tenant, self.id, resources, _key(key))

    def reset(self) -> None:
        """Forget what this tenant did with this provider."""
        commands.reset(self._runtime, self._tenant, self.id)


class Emulation:
    """The emulator as one tenant sees it: `emulation["acme"]` is a handle, and to iterate gives the providers' ids."""

    def __init__(
        self,
        runtime: Runtime,
        tenant: str,
        address: str | None,
        roots: Mapping[str, str],
        ca_file: Path | None = None,
    ) -> None:
        """Raises CommandError for a tenant's name that no address can carry."""
        if not isinstance(tenant, str) or (fit := fit_tenant(tenant)) != tenant:
            would = f"; {fit!r} would do" if isinstance(tenant, str) else ""
            raise commands.CommandError(f"no tenant can be called {tenant!r}: a name has {TENANT_NAMES}{would}")
        self.runtime = runtime
        self.tenant = tenant
        self.address = address
        self.ca_file = ca_file
        """With TLS: the certificate of the authority that clients have to trust."""
        self._roots = roots
        self._disturbances: list[Disturbance] = []
        self.clock = Clock(runtime, tenant)

    def __getitem__(self, provider: str) -> Handle:
        trust = {} if self.ca_file is None else dict.fromkeys(TRUST, str(self.ca_file))
        return Handle(self.runtime, self.tenant, provider, self.address, self._roots.get(provider), trust)

    def __contains__(self, provider: object) -> bool:
        return provider in self.runtime.providers

    def __iter__(self) -> Iterator[str]:
        return iter(self.providers)

    def __len__(self) -> int:
        return len(self.runtime.providers)

    @property
    def providers(self) -> list[str]:
        return list(self.runtime.providers)

    def reset(self) -> None:
        """Forget everything this tenant did, its clock included; what it did to `connections` is lifted."""
        while self._disturbances:
            self._disturbances.pop().lift()
        commands.reset(self.runtime, self.tenant)

    def transport(self, library: Any = None) -> Any:
        """A transport for `httpx.Client` and `httpx.AsyncClient` that needs no socket and really streams.

        `library` is httpx by default; pass httpx2 for clients built on it.
        """
        from emulator.inprocess import make_transport

        return make_transport(self.runtime, self.tenant, library)

    def intercept(self, only: bool = False) -> "Interception[Self]":
        """Within the block, requests for the providers' real addresses come here; gives this emulation.

        For clients of httpx, httpx2, requests and aiohttp, whenever they were made. With `only`, any other connection
        but to loopback raises BlockedConnection. Also a decorator of functions and coroutine functions.
        """
        from emulator.interception.decorating import Interception

        return Interception(self._intercepted, only)

    @contextmanager
    def _intercepted(self, only: bool) -> Iterator[Self]:
        from emulator.interception.process import intercept

        with intercept(self.runtime, self.tenant, only=only):
            yield self

    def connections(
        self,
        fault: str,
        *,
        provider: str | None = None,
        times: int | None = None,
        lasts: str | float | None = None,
    ) -> Disturbance:
        """Let connections meet a fault (`refuse`, `tls_expired`, …) before any request is known.

        So from now on, for `times` connections, for as long as it `lasts` (real time), until the `with` block ends
        or until `lift()`. On every port of the server, or on the `provider`'s own; other tenants meet it, too.
        Idle connections end, so that clients need new ones. Raises CommandError.
        """
        made = commands.connections(self.runtime, fault, provider_id=provider, times=times, lasts=lasts)
        self._disturbances.append(made)
        return made

    def unmatched(self) -> list[str]:
        """Requests that met no operation, one line each; of many of a provider the first, and how many more."""
        return commands.unmatched(self.runtime, self.tenant)

    def unfinished(self) -> list[str]:
        """Scenarios and failures that were asked for and not played to the end, one line each."""
        return commands.unfinished(self.runtime, self.tenant)
