"""Finding the credential of a request and telling whose it is."""

import re
from collections.abc import Mapping
from fnmatch import translate
from functools import cached_property, lru_cache
from typing import Any, Literal

from emulator.mechanisms.fault_catalogue import OF_REQUESTS
from emulator.mechanisms.records import record
from emulator.mechanisms.tenants import split_key
from emulator.refusals import REFUSALS, RefusalName

STEERED = "emu-"
"""How a key begins that asks for an outcome."""


@record
class Place:
    """Where a credential may stand: a header or query parameter, bare or behind `Bearer`."""

    where: Literal["header", "query"]
    name: str
    scheme: Literal["bearer", "bare"]

    def written(self, key: str) -> str:
        """A key as it stands there."""
        return f"Bearer {key}" if self.scheme == "bearer" else key


@record
class Credential:
    """A key as found: without its tenant, which a key may carry as `key~tenant`."""

    key: str
    tenant: str | None


@record
class Rule:
    """Keys that match are this principal, or meet this refusal."""

    match: str
    """A shell-style pattern: `acme-free-*`."""
    principal: dict[str, Any]
    refuse: RefusalName | None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(translate(self.match))


def find(places: tuple[Place, ...], headers: Mapping[str, str], query: Mapping[str, str]) -> Credential | None:
    """The first non-empty credential in the places a provider accepts, or None."""
    for place in places:
        value = headers.get(place.name.lower()) if place.where == "header" else query.get(place.name)
        if value and (found := _read(value, place.scheme)) is not None:
            return found
    return None


@lru_cache(1024)  # a client has the same one in all its requests
def _read(value: str, scheme: Literal["bearer", "bare"]) -> Credential | None:
    if scheme == "bearer":
        written, _, value = value.strip().partition(" ")
        if written.lower() != "bearer":
            return None
    key = value.strip()
    return Credential(*split_key(key)) if key else None


def identify(rules: tuple[Rule, ...], own: str, key: str, strict: bool) -> Mapping[str, Any] | RefusalName:
    """The principal of a key, or the name of the refusal it meets.

    The first matching rule decides. `strict` leaves out the catch-all, so that only declared keys pass, of which the
    provider's `own` one is.
    """
    for candidate in rules:
        if (strict and candidate.match == "*" and key != own) or not candidate.pattern.fullmatch(key):
            continue
        return candidate.refuse or {"id": key, **candidate.principal}
    return "invalid_credentials"


def steered(key: str) -> RefusalName | None:
    """The refusal a test credential asks for: `emu-rate_limited` asks for `rate_limited`."""
    return next((name for name in REFUSALS if key == STEERED + name), None) if key.startswith(STEERED) else None


def faulty(key: str) -> str | None:
    """The fault a test credential asks for: `emu-reset` asks for `reset`."""
    name = key.removeprefix(STEERED)
    return name if name != key and name in OF_REQUESTS else None


def misspelt(key: str) -> bool:
    """Whether a key looks like a test credential that names nothing there is."""
    return key.startswith(STEERED) and key != "emu-ok" and steered(key) is None and faulty(key) is None
