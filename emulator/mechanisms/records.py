"""Frozen classes of named fields: what `dataclass(frozen=True, slots=True)` makes, defined in a fifth of the time.

Every start of a server defines half a hundred of them, and a dataclass writes and compiles six functions for each.
"""

from functools import cached_property
from typing import Any, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def record(plain: type[T]) -> type[T]:
    """The class with its annotated names as fields, which values in the class are the defaults of."""
    names = tuple(plain.__annotations__)
    given = {name: vars(plain)[name] for name in names if name in vars(plain)}
    inherited = ("__dict__", "__weakref__", *names)
    members = {name: member for name, member in vars(plain).items() if name not in inherited}
    kept = ("__dict__",) if any(isinstance(member, cached_property) for member in members.values()) else ()
    members = {**_SHARED, **members, "__slots__": (*names, *kept), "__match_args__": names}
    made: Any = type(plain.__name__, plain.__bases__, members)
    made.__init__ = _initializer(made, names, given)
    frozen: type[T] = made
    return frozen


def _initializer(made: type[Any], names: tuple[str, ...], given: dict[str, Any]) -> Any:
    arguments = [f"{name}=given[{name!r}]" if name in given else name for name in names]
    steps = [f"    set_{name}(self, {name})" for name in names]
    known = {f"set_{name}": vars(made)[name].__set__ for name in names}
    scope: dict[str, Any] = {"given": given, **known}
    exec("\n".join([f"def __init__(self, {', '.join(arguments)}):", *steps]), scope)  # noqa: S102 - names of fields
    return scope["__init__"]


def _values(one: Any) -> tuple[Any, ...]:
    return tuple(getattr(one, name) for name in one.__match_args__)


def _repr(self: Any) -> str:
    told = ", ".join(f"{name}={value!r}" for name, value in zip(self.__match_args__, _values(self), strict=True))
    return f"{type(self).__qualname__}({told})"


def _equal(self: Any, other: object) -> Any:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _frozen(self: Any, name: str, *_: Any) -> NoReturn:
    raise AttributeError(f"{type(self).__qualname__}.{name} cannot be changed")


def _reduced(self: Any) -> tuple[type[Any], tuple[Any, ...]]:
    """How it is copied and pickled: made anew, since nothing can be set."""
    return type(self), _values(self)


_SHARED = {
    "__repr__": _repr, "__eq__": _equal, "__hash__": _hash, "__setattr__": _frozen, "__delattr__": _frozen,
    "__reduce__": _reduced,
}  # fmt: skip
