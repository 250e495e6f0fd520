"""The functions of the fixture language: a closed set, of which those that need it are bound to a scope."""

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, Protocol

from emulator.mechanisms.clock import http_date, iso8601, iso8601_micros
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.paths import walk

_MOST_NUMBERS = 1000


class Owner(Protocol):
    """Whoever owns the resources that expressions look up."""

    def find(self, name: str, identity: Any) -> dict[str, Any] | None: ...

    def referring(self, name: str, field: str, target: str) -> list[dict[str, Any]]: ...


class Bindings(Protocol):
    """What a function may need of an exchange."""

    @property
    def entropy(self) -> Entropy: ...

    @property
    def owner(self) -> Owner | None: ...


def _find(scope: Bindings, name: str, identity: Any) -> Any:
    """A resource of a kind by its id, or null."""
    owner = scope.owner
    return owner.find(name, identity) if owner is not None else None


def _referring(scope: Bindings, name: str, field: str, target: str) -> Any:
    """The resources of a kind whose indexed field is, or holds, a value."""
    owner = scope.owner
    return owner.referring(name, field, target) if owner is not None else []


def _first(*values: Any) -> Any:
    for value in values:
        if value is not None:
            return value
    return None


def _sum(items: list[Any], path: str) -> int | float:
    """The sum of a field over items, in decimals; amounts may be text."""
    return _plain(sum((Decimal(str(walk(item, path.split(".")) or 0)) for item in items), Decimal(0)))


def _counts(items: list[Any], path: str) -> dict[str, int]:
    """How often each value of a field, or each of those that it holds, occurs among items."""
    found = (walk(item, path.split(".")) for item in items)
    return dict(Counter(str(one) for value in found for one in (value if isinstance(value, list) else [value])))


def _mode(items: list[Any], path: str) -> str | None:
    """The most common value of a field among items, the first of several; null without any items."""
    counts = _counts(items, path)
    return max(counts, key=lambda value: counts[value], default=None)


def _numbers(count: float) -> list[int]:
    """1, 2, 3, … so many of them."""
    return list(range(1, min(int(count), _MOST_NUMBERS) + 1))


def _text(value: Any) -> str:
    """A plain value as text. Raises TypeError for what has parts: nobody can rely on their order."""
    if isinstance(value, (list, dict)):
        raise TypeError(f"{value!r} is no text")
    return str(value)


def _snake_case(text: str) -> str:
    """`Support Agent (EU)` -> `support_agent_eu`."""
    return re.sub(r"\W+", "_", _text(text)).strip("_").lower()


@lru_cache(4096, typed=True)  # bills say the same amounts again and again
def _round(amount: str | float, digits: int) -> int | float:
    """A decimal amount, text or number, rounded half up."""
    return _plain(Decimal(str(amount)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def _join(items: list[Any], separator: str, last: str | None = None) -> str:
    """The items as text, the last behind a separator of its own if there is one: `a, b or c`."""
    *others, end = map(str, items) if items else [""]
    return f"{separator.join(others)}{separator if last is None else last}{end}" if others else end


def _masked(address: str) -> str:
    """An e-mail address of which only two letters and the domain are seen."""
    name, _, domain = address.rpartition("@")
    return f"{name[:2]}***@{domain}"


def _plain(amount: Decimal) -> int | float:
    return int(amount) if amount == int(amount) else float(amount)


BOUND: dict[str, Callable[..., Any]] = {
    # drawn from the exchange's chance
    "hex": lambda scope, length: scope.entropy.hex(length),
    "digits": lambda scope, length: scope.entropy.digits(length),
    "alnum": lambda scope, length: scope.entropy.alnum(length),
    "uuid": lambda scope: scope.entropy.uuid(),
    # of the account's resources
    "find": _find,
    "referring": _referring,
}
"""Functions whose first parameter is the scope."""

LOOKING = frozenset({"find", "referring"})
"""Those that give the same however often they are asked, as long as a request changes nothing."""

PURE: dict[str, Callable[..., Any]] = {
    "iso8601": iso8601,
    "iso8601_without_zone": lambda seconds: iso8601(seconds).removesuffix("Z"),
    "iso8601_micros": iso8601_micros,
    "http_date": http_date,
    "ceil": math.ceil,
    "min": min,
    "max": max,
    "first": _first,
    "join": _join,
    "json": lambda value: json.dumps(value, separators=(",", ":")),
    "sum": _sum,
    "counts": _counts,
    "mode": _mode,
    "round": _round,
    "last": lambda items: items[-1] if items else None,
    "numbers": _numbers,
    "lower": lambda value: _text(value).lower(),
    "left": lambda value, count: _text(value)[: int(count)],
    "replace": lambda text, old, new: _text(text).replace(_text(old), _text(new)),
    "masked": _masked,
    "snake_case": _snake_case,
}
FUNCTIONS = frozenset({*BOUND, *PURE})
BUILT_IN = frozenset({
    "size", "has", "startsWith", "endsWith", "contains", "matches", "int", "uint", "double", "string",
    "bytes", "timestamp", "duration", "type", "dyn", "all", "exists", "exists_one", "map", "filter",
})  # fmt: skip
"""What the expression language has of its own."""
