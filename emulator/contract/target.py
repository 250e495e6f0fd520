"""What is tested: a provider at an address, with a key that findings do not show."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import httpx

from emulator import commands
from emulator.contract.bounds import within
from emulator.exchange import Runtime
from emulator.mechanisms.store import Store
from emulator.mechanisms.tenants import DEFAULT_TENANT
from emulator.provider import Provider, ProviderFamily

SERVED = "http://127.0.0.1:8000"
"""Where `emulator serve` listens: curl lines for an emulator that lived only for the run point there."""
_MOMENT = 1_700_000_000.0
_USED_UP = ("windows", "plays", "journal", "journal_count")


class CannotRun(Exception):
    """The suite could not test anything. `hint` is the way out."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Target:
    """A provider as it is reached in this run."""

    family: ProviderFamily
    origin: str
    """Stands for the provider's scheme and host."""
    key: str = field(repr=False)
    variable: str | None = None
    """The environment variable that holds the key; None for a key that is no secret."""
    runtime: Runtime | None = field(default=None, repr=False)
    """Of an emulator of this process: it obeys `Prefer`, and its curl lines name `emulator serve`."""
    any_key: bool = False
    """An emulator that takes any key, so that nothing can be said about credentials."""
    fresh: Callable[[], None] = field(default=_nothing, repr=False)
    """Forget what the requests so far used up: limits."""
    anew: Callable[[], None] = lambda: None
    """Give accounts back as they were, too: balance, resources."""

    @property
    def own(self) -> bool:
        return self.runtime is not None

    @property
    def provider(self) -> Provider:
        return self.family.base

    @property
    def shown_origin(self) -> str:
        return f"{SERVED}/{self.provider.id}" if self.own else self.origin

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries: the credential, and what else the provider asks for."""
        return self.provider.headers(self.key)

    @property
    def query(self) -> dict[str, str]:
        return self.provider.query(self.key)

    def hidden(self, text: str) -> str:
        """Text without the key, and with the address that a user can reach."""
        if self.variable is not None:
            for spelling in _spellings(self.key):
                text = text.replace(spelling, f"${self.variable}")
        return text.replace(self.origin, self.shown_origin)


def _spellings(text: str) -> list[str]:
    """A text as it is, and as it stands in JSON, in Python, in a URL; the longest first."""
    ways = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1]}
    return sorted({*ways, quote(text), quote(text, safe="")}, key=len, reverse=True)


@contextmanager
def started(families: Mapping[str, ProviderFamily], seed: int) -> Iterator[list[Target]]:
    """An emulator for this run alone: unpaced, strict about keys, its clock frozen so that runs repeat."""
    from emulator.server import EmulatorServer

    runtime = Runtime(providers=dict(families), store=Store(), seed=seed, strict_auth=True, pace=0)
    with commands.clock(runtime, DEFAULT_TENANT) as clock:
        clock.freeze(_MOMENT)

    def fresh() -> None:
        commands.reset(runtime, DEFAULT_TENANT, kinds=_USED_UP)

    def anew() -> None:
        commands.reset(runtime, DEFAULT_TENANT, kinds=(*_USED_UP, "accounts"))

    with EmulatorServer(runtime) as server:
        yield [
            Target(family, server[name].origin, family.base.api_key, runtime=runtime, fresh=fresh, anew=anew)
            for name, family in families.items()
        ]


def at_address(families: Mapping[str, ProviderFamily], url: str) -> Target:
    """One provider at a user's address, with the user's key. Raises CannotRun."""
    if len(families) != 1:
        raise CannotRun(f"--url is the address of one provider, not of {len(families)}", "name one: PROVIDER --url URL")
    family = next(iter(families.values()))
    origin = url.rstrip("/")
    host = _host(origin)
    if host is None:
        raise CannotRun(f"{url} is no address", f"for example --url {family.base.origin}")
    variable, key = _key(family.base)
    _reach(origin)
    return Target(family, origin, key, variable, any_key=_takes_any_key(host))


def _host(url: str) -> str | None:
    """`https://host:port` of an address, or None when it is none that paths can follow."""
    try:
        address = urlsplit(url)
    except ValueError:
        return None
    known = address.scheme in ("http", "https") and address.netloc and not {"?", "#"} & set(url)
    return f"{address.scheme}://{address.netloc}" if known else None


def _key(provider: Provider) -> tuple[str, str]:
    variable = next((name for name, template in provider.env.items() if template == "{api_key}"), None)
    if variable is None:
        raise CannotRun(
            f"{provider.id} names no environment variable for its key", "add `env: {api_key: NAME}` to provider.yaml"
        )
    key = os.environ.get(variable, "").strip()
    if not key:
        raise CannotRun(f"{variable} is not set: it holds the key for {provider.id}", f"export {variable}=...")
    if not (key.isascii() and key.isprintable()):
        raise CannotRun(f"{variable} has a character that no key can have", f"check the key in {variable}")
    return variable, key


def _reach(origin: str) -> None:
    try:
        with httpx.stream("GET", origin, timeout=10):  # whose body, if it has an end, says nothing
            pass
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CannotRun(f"nothing answers at {origin}: {error}", "check the address and that the server runs") from None


def _takes_any_key(host: str) -> bool:
    """Whether an emulator that is not strict about keys answers there."""
    try:
        with httpx.stream("GET", f"{host}/_emulator/health", timeout=10) as reply:
            body = b"".join(within(10, reply.iter_bytes())) if reply.status_code == 200 else b"null"
        said = json.loads(body)
    except (httpx.HTTPError, TimeoutError, ValueError):
        return False
    return isinstance(said, dict) and said.get("strict_auth") is False
