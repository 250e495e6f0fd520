"""What somebody gives an account without a request, and why it cannot be a resource of its kind."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from emulator.mechanisms.clock import LATEST
from emulator.mechanisms.encoding import MOST_LEVELS, nested
from emulator.mechanisms.expressions import ExpressionError, Scope
from emulator.mechanisms.meters import Meter
from emulator.mechanisms.resources import Item, ResourceType, is_stock

_FIELD = re.compile(r"\bbody\.(\w+)")
_ASKED_FOR = re.compile(r"\bhas\(body\.(\w+)\)")
_WHOLE = re.compile(r"\bbody\b(?!\.\w)")


class Misfit(ExpressionError):
    """Something that no resource can be. `path` is where it stands in what was given; the text begins with it."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


@contextmanager
def placed(kind: str, number: int) -> Iterator[None]:
    """Whatever is wrong with one of the resources is told with its place."""
    try:
        yield
    except (ValueError, TypeError, ArithmeticError, LookupError) as error:
        path = error.path if isinstance(error, Misfit) else ()
        raise Misfit((kind, number, *path), f"{kind}[{number}]: {error}") from None


def check(kind: ResourceType, given: Mapping[str, Any]) -> None:
    """Raises Misfit for a field that is none, or that has a value it cannot have."""
    known = _known(kind)
    for name, value in given.items():
        if known is not None and name not in known:
            raise _wrong(name, f"does not exist; there are {', '.join(known)}")
        _check_json(name, value)
    if not isinstance(given.get("id", "-"), str) or not given.get("id", "-"):
        raise _wrong("id", f"{given['id']!r} is no text")
    _check_moment(given.get("created_at", 0))
    states = list(kind.states.names()) if kind.states is not None else []
    if states and given.get("status") is not None and given["status"] not in states:
        raise _wrong("status", f"{given['status']!r} is no state; there are {', '.join(states)}")


def check_amounts(
    kind: ResourceType, item: Item, kinds: Mapping[str, ResourceType], meter: Meter | None, scope: Scope
) -> None:
    """Raises Misfit or ExpressionError for what no stock and no ledger can count; the item stands in the scope."""
    for field in [hold.field for other in kinds.values() for hold in other.holds if hold.resource == kind.name]:
        if not is_stock(item[field]):
            raise _wrong(field, f"{item[field]!r} is no stock: a whole number, zero or more")
    for hold in kind.holds:
        if hold.amount.number(scope) < 0:
            raise ExpressionError(f"`{hold.amount.source}` is below zero")
    for rate in meter.rates if meter is not None else ():
        rate.amount(scope)


def not_given(kind: ResourceType, given: Mapping[str, Any]) -> list[str]:
    """The fields that take something from a request which is not given, and take it for granted."""
    fields: dict[str, str] = {}
    for name, template in kind.fields.templates.items():
        for hole in template.holes if name not in given else ():
            for asked in {*_FIELD.findall(hole)} - {*_ASKED_FOR.findall(hole), *given}:
                fields.setdefault(asked, name)
    return list(dict.fromkeys(fields.values()))


def _known(kind: ResourceType) -> Mapping[str, None] | None:
    """Its fields, and those of a request that they are computed from; None where they take the request as it is."""
    templates = [kind.id, *kind.fields.templates.values()]
    holes = [hole for template in templates for hole in template.holes]
    if any(_WHOLE.search(hole) for hole in holes):
        return None
    asked = (name for hole in holes for name in _FIELD.findall(hole))
    return dict.fromkeys(["id", "created_at", *(["status"] if kind.states else []), *kind.known(), *asked])


def _check_json(name: str, value: Any) -> None:
    if nested(value, MOST_LEVELS):
        raise _wrong(name, f"is nested deeper than {MOST_LEVELS} levels")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise _wrong(name, f"{value!r} is no JSON") from None


def _check_moment(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LATEST:
        raise _wrong("created_at", f"{value!r} is no moment: Unix seconds, in the years 1970 to 9999")


def _wrong(field: str, message: str) -> Misfit:
    return Misfit((field,), f"{field}: {message}")
