"""What CEL's operators and conversions do, in Python: the same value, or an error where CEL has one, or other rules.

JSON values come in: None, bool, int, float, str, list, dict.
"""

from collections.abc import Callable
from typing import Any

_MOST = 2**63 - 1
_WHOLE, _REAL, _TEXT, _LIST = frozenset({int}), frozenset({float}), frozenset({str}), frozenset({list})
_SIMPLE = frozenset({str, int, float, bool, type(None)})
_NUMBERS = _WHOLE | _REAL


def boolean(value: Any) -> bool:
    if value.__class__ is not bool:
        raise TypeError("not a truth value")
    found: bool = value
    return found


def same(left: Any, right: Any) -> bool:
    """Raises TypeError for what may hold a truth value that Python takes for a number."""
    if left.__class__ not in _SIMPLE or right.__class__ not in _SIMPLE:
        raise TypeError("only CEL compares these")
    return bool(left == right) and (left.__class__ is bool) == (right.__class__ is bool)


def has(mapping: Any, key: str) -> bool:
    if not isinstance(mapping, dict):
        raise TypeError("not a mapping")
    return key in mapping


def element(items: Any, index: int) -> Any:
    return items(items)[index]


def items(value: Any) -> list[Any]:
    if value.__class__ is not list:
        raise TypeError("not a list")
    found: list[Any] = value
    return found


def within(value: Any, whole: Any) -> bool:
    if isinstance(whole, dict) and value.__class__ is str:
        return value in whole
    return any(same(value, item) for item in items(whole))


def _alike(*kinds: frozenset[type]) -> Callable[[Callable[[Any, Any], Any]], Callable[[Any, Any], Any]]:
    """An operation on two values that are both of one of the kinds. Raises TypeError for others."""

    def decorate(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def checked(left: Any, right: Any) -> Any:
            for kind in kinds:
                if left.__class__ in kind and right.__class__ in kind:
                    return operation(left, right)
            raise TypeError("these do not go together")

        return checked

    return decorate


def _bounded(operation: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """An operation whose whole numbers have 64 bits. Raises OverflowError."""

    def checked(left: Any, right: Any) -> Any:
        value = operation(left, right)
        if value.__class__ is int and not -_MOST - 1 <= value <= _MOST:
            raise OverflowError("more than 64 bits")
        return value

    return checked


def _divided(left: Any, right: Any) -> Any:
    if left.__class__ is float:
        return left / right
    if left < 0 or right < 0:
        raise ValueError("rounded another way by CEL")
    return left // right


def _remainder(left: int, right: int) -> int:
    if left < 0 or right < 0:
        raise ValueError("rounded another way by CEL")
    return left % right


def _double(value: Any) -> float:
    if value.__class__ is not float and value.__class__ is not int:
        raise TypeError("only CEL converts this")
    return float(value)


def _int(value: Any) -> int:
    if value.__class__ is int or (value.__class__ is str and value.isascii() and value.isdigit()):
        return int(value)
    raise TypeError("only CEL converts this")


def _string(value: Any) -> str:
    if value.__class__ is not int and value.__class__ is not str:
        raise TypeError("only CEL converts this")
    return str(value)


def _size(value: Any) -> int:
    return len(items(value))


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": _alike(_WHOLE, _REAL, _TEXT, _LIST)(_bounded(lambda a, b: a + b)),
    "-": _alike(_WHOLE, _REAL)(_bounded(lambda a, b: a - b)),
    "*": _alike(_WHOLE, _REAL)(_bounded(lambda a, b: a * b)),
    "/": _alike(_WHOLE, _REAL)(_divided),
    "%": _alike(_WHOLE)(_remainder),
}
RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": _alike(_NUMBERS, _TEXT)(lambda a, b: a < b),
    "<=": _alike(_NUMBERS, _TEXT)(lambda a, b: a <= b),
    ">": _alike(_NUMBERS, _TEXT)(lambda a, b: a > b),
    ">=": _alike(_NUMBERS, _TEXT)(lambda a, b: a >= b),
    "in": within,
    "==": same,
    "!=": same,
}
METHODS: dict[str, Callable[[Any, Any], bool]] = {
    "startsWith": _alike(_TEXT)(str.startswith),
    "endsWith": _alike(_TEXT)(str.endswith),
    "contains": _alike(_TEXT)(lambda text, part: part in text),
}
CONVERSIONS: dict[str, Callable[[Any], Any]] = {"double": _double, "int": _int, "string": _string, "size": _size}
