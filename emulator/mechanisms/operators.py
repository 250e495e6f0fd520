"""What CEL's operators and conversions do, in Python: the same value, or an error where CEL has one, or other rules.

JSON values come in: None, bool, int, float, str, list, dict.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

_MOST = 2**63 - 1
_EXACT, _LEAST = 2**53, -(2**53)
"""Whole numbers below it are doubles as well, so both languages compare and add them alike, whatever their kind."""
_SIMPLE = frozenset({str, int, float, bool, type(None)})
_NUMBERS: frozenset[Any] = frozenset({int, float})
_JOINED = frozenset({str, list})


def boolean(value: Any) -> bool:
    if value.__class__ is not bool:
        raise TypeError("not a truth value")
    found: bool = value
    return found


def same(left: Any, right: Any) -> bool:
    """Raises TypeError for what may hold a truth value that Python takes for a number."""
    if left.__class__ not in _SIMPLE or right.__class__ not in _SIMPLE:
        raise TypeError("only CEL compares these")
    if left == right:
        return (left.__class__ is bool) == (right.__class__ is bool)
    if (
        left.__class__ in _NUMBERS
        and right.__class__ in _NUMBERS
        and not (_LEAST < right < _EXACT or _LEAST < left < _EXACT)
    ):
        raise OverflowError("rounded before it is compared by CEL")
    return False


def has(mapping: Any, key: str) -> bool:
    if not isinstance(mapping, dict):
        raise TypeError("not a mapping")
    return key in mapping


def element(whole: Any, index: int) -> Any:
    return items(whole)[index]


def items(value: Any) -> list[Any]:
    if value.__class__ is not list:
        raise TypeError("not a list")
    found: list[Any] = value
    return found


def within(value: Any, whole: Any) -> bool:
    if isinstance(whole, dict) and value.__class__ is str:
        return value in whole
    return any(same(value, item) for item in items(whole))


def _whole(value: int) -> int:
    """A whole number of CEL, which has 64 bits. Raises OverflowError."""
    if not -_MOST - 1 <= value <= _MOST:
        raise OverflowError("more than 64 bits")
    return value


def number(text: str) -> int | float:
    """The value of a number as it is written. Raises ValueError for one that CEL has not."""
    value: int | float
    if "." in text:
        value = float(text)
        known = math.isfinite(value)
    else:
        value = int(text)
        known = -_MOST - 1 <= value <= _MOST
    if not known:
        raise ValueError("more than 64 bits")
    return value


def _calculation(calculate: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """With two whole numbers, or two others."""

    def calculated(left: Any, right: Any) -> Any:
        if left.__class__ is int and right.__class__ is int:
            if _LEAST < left < _EXACT and _LEAST < right < _EXACT:
                return calculate(left, right)
        elif left.__class__ is float and right.__class__ is float and not math.isnan(value := calculate(left, right)):
            return value
        raise TypeError("only CEL knows of these")

    return calculated


_total = _calculation(operator.add)


def _sum(left: Any, right: Any) -> Any:
    kind = left.__class__
    return left + right if kind is right.__class__ and kind in _JOINED else _total(left, right)


def _product(left: Any, right: Any) -> Any:
    return left * right if left.__class__ is float else _whole(left * right)


def _quotient(left: Any, right: Any) -> Any:
    return left / right if left.__class__ is float else _counted(left) // _counted(right)


def _remainder(left: Any, right: Any) -> Any:
    if left.__class__ is float:
        raise TypeError("only CEL knows of this")
    return _counted(left) % _counted(right)


def _counted(value: int) -> int:
    if value < 0:
        raise ValueError("rounded another way by CEL")
    return value


def _order(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Of two numbers, or two texts."""

    def compared(left: Any, right: Any) -> bool:
        if left.__class__ in _NUMBERS and right.__class__ in _NUMBERS:
            if _LEAST < right < _EXACT or _LEAST < left < _EXACT:
                return compare(left, right)
            raise OverflowError("rounded before it is compared by CEL")
        return _of_texts(left, right, compare)

    return compared


def _texts(ask: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda text, part: _of_texts(text, part, ask)


def _of_texts(left: Any, right: Any, ask: Callable[[Any, Any], bool]) -> bool:
    if left.__class__ is not str or right.__class__ is not str:
        raise TypeError("these do not go together")
    return ask(left, right)


def _double(value: Any) -> float:
    if value.__class__ is float or value.__class__ is int or _is_whole(value):
        return float(value)
    raise TypeError("only CEL converts this")


def _int(value: Any) -> int:
    if value.__class__ is int or _is_whole(value):
        return _whole(int(value))
    raise TypeError("only CEL converts this")


def _is_whole(value: Any) -> bool:
    """Whether it is text of digits alone."""
    return value.__class__ is str and value.isascii() and value.isdigit()


def _string(value: Any) -> str:
    if value.__class__ is str:
        return str(value)
    if value.__class__ is not int:
        raise TypeError("only CEL converts this")
    return str(_whole(value))


def _size(value: Any) -> int:
    return len(items(value))


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": _sum,
    "-": _calculation(operator.sub),
    "*": _calculation(_product),
    "/": _calculation(_quotient),
    "%": _calculation(_remainder),
}
RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": _order(operator.lt),
    "<=": _order(operator.le),
    ">": _order(operator.gt),
    ">=": _order(operator.ge),
    "in": within,
    "==": same,
    "!=": same,
}
METHODS: dict[str, Callable[[Any, Any], bool]] = {
    "startsWith": _texts(str.startswith),
    "endsWith": _texts(str.endswith),
    "contains": _texts(operator.contains),
}
CONVERSIONS: dict[str, Callable[[Any], Any]] = {"double": _double, "int": _int, "string": _string, "size": _size}
