"""Providers -> lines of JSON -> providers. What compiles is kept as it is written, and compiled when first used.

A list says by its first item what it stands for: a class of ours with its fields, a tuple, a mapping of such things, or
plain data. Nothing else can come of a line. Sources, kinds of resources and streams, of which several things speak,
stand in a table of their own. The first line is the provider, then comes an operation a line. What only some ask for
has lines apart: the OpenAPI document, places in files, where fields come from.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache, partial
from typing import Any, TypeVar

import orjson

from emulator.mechanisms.account_rules import AccountRules
from emulator.mechanisms.completions import Script
from emulator.mechanisms.credentials import Place, Rule
from emulator.mechanisms.deferred import KINDS
from emulator.mechanisms.encoding import Encoding
from emulator.mechanisms.fault_catalogue import FAULTS
from emulator.mechanisms.faults import Fault, FaultKind
from emulator.mechanisms.forms import FormSchema
from emulator.mechanisms.latency import Choice, Load, Profile, fixed, log_normal, recorded, uniform
from emulator.mechanisms.limits import Pool
from emulator.mechanisms.meters import Meter, Rate
from emulator.mechanisms.patches import Patch
from emulator.mechanisms.resources import Fields, Hold, Paging, Reference, ResourceType
from emulator.mechanisms.router import Router
from emulator.mechanisms.scenarios import Scenario, Step
from emulator.mechanisms.states import Call, StateMachine, Timed
from emulator.mechanisms.tokens import TokenRatio
from emulator.mechanisms.violations import RequestSchema
from emulator.operation import Act, ContextPolicy, Guard, Message, Operation, Part, RequestExamples, Source, StreamPlan
from emulator.provider import (
    BodyPolicy,
    ChargeLine,
    ErrorEntry,
    LatencyPlan,
    LatencyProfile,
    LimitRule,
    Prices,
    Provider,
    Quirk,
    Variant,
)

K = TypeVar("K")
T = TypeVar("T")
_SHARED = (Source, ResourceType, StreamPlan)
RECORDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        AccountRules, Script, Place, Rule, Encoding, Fault, FormSchema, Meter, Rate, Patch, Fields, Hold, Paging,
        Reference, ResourceType, Scenario, Step, Call, StateMachine, Timed, TokenRatio, RequestSchema, Act, BodyPolicy,
        ChargeLine, ContextPolicy, ErrorEntry, Guard, LatencyPlan, LatencyProfile, Choice, LimitRule, Load, Message,
        Part, Pool, Prices, Profile, Quirk, RequestExamples, Source, StreamPlan, Variant,
    )
}  # fmt: skip
_FUNCTIONS = {function.__name__: function for function in (fixed, log_normal, recorded, uniform)}
_DEFERRED = {kind.__name__: kind for kind in KINDS}
_NAMES = {once: kind.__name__ for kind in KINDS for once in (kind, kind.MADE)}
_APART = {Provider: ("operations", "read_document", "read_places", "compile_steps"), Operation: ("groups",)}
"""Fields that have lines of their own, or are no data."""
_LATE = ("errors", "scenarios")
"""Fields of a provider whose entries are made when they are asked for."""
_WRITTEN: tuple[Any, ...] = (*RECORDS.values(), Operation, Provider)
_FIELDS: dict[type[Any], list[str]] = {
    kind: [name for name in kind.__match_args__ if name not in _APART.get(kind, ())] for kind in _WRITTEN
}
_DOCUMENT, _PLACES, _GROUPS = 0, 1, 2


class NotStorableError(ValueError):
    """A value that lines cannot hold. The text says which."""


def lines_of(provider: Provider) -> tuple[list[bytes], list[bytes]]:
    """What `provider_of` makes the provider of again, and the lines apart. Raises NotStorableError."""
    writer = _Writer()
    operations = [writer.fields(operation) for operation in provider.operations.values()]
    own = writer.fields(provider)
    groups = {
        operation.id: {name: [writer.written(source), place] for name, (source, place) in operation.groups().items()}
        for operation in provider.operations.values()
    }
    places = [[*path, place] for path, place in provider.locations.items()]
    try:
        return (
            [orjson.dumps([writer.shared, own, list(provider.operations)]), *map(orjson.dumps, operations)],
            [orjson.dumps(provider.document), orjson.dumps(places), orjson.dumps(groups)],
        )
    except TypeError as error:
        raise NotStorableError(str(error)) from None


def provider_of(
    lines: list[bytes], apart: Callable[[], list[bytes]], compile_steps: Callable[[str, str], Scenario]
) -> Provider:
    """The provider of such lines; each operation is made when it is first looked at, as are the lines apart read."""
    shared, own, ids = orjson.loads(lines[0])
    reader = _Reader(shared)
    groups = cache(lambda: orjson.loads(apart()[_GROUPS]))

    def sources(operation: str) -> dict[str, tuple[Source, str]]:
        return {name: (reader.read(source), place) for name, (source, place) in groups()[operation].items()}

    def operation(name: str, line: bytes) -> Operation:
        return Operation(**reader.fields(Operation, orjson.loads(line)), groups=partial(sources, name))

    operations = zip(ids, lines[1:], strict=True)
    return Provider(
        **reader.fields(Provider, own),
        operations=Lazily({name: partial(operation, name, line) for name, line in operations}),
        read_document=lambda: orjson.loads(apart()[_DOCUMENT]),
        compile_steps=compile_steps,
        read_places=lambda: {tuple(path): place for *path, place in orjson.loads(apart()[_PLACES])},
    )


class Lazily(Mapping[K, T]):
    """A mapping whose values are made when they are first asked for, each once whoever asks."""

    def __init__(self, makers: Mapping[K, Callable[[], T]]) -> None:
        self._makers = makers
        self._made: dict[K, T] = {}

    def __getitem__(self, key: K) -> T:
        if key not in self._made:
            self._made.setdefault(key, self._makers[key]())
        return self._made[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class _Writer:
    """Values as lists that say what they are; `shared` is the table."""

    def __init__(self) -> None:
        self.shared: list[Any] = []
        self._places: dict[int, int] = {}

    def fields(self, record: Any) -> list[Any]:
        return [self.written(getattr(record, name)) for name in _FIELDS[type(record)]]

    def written(self, value: Any) -> Any:
        """Raises NotStorableError."""
        if isinstance(value, _SHARED):
            if id(value) not in self._places:
                self.shared.append([type(value).__name__, *self.fields(value)])
                self._places[id(value)] = len(self.shared) - 1
            return ["#", self._places[id(value)]]
        if _plain(value):
            return ["=", value] if isinstance(value, (dict, list)) else value
        if type(value) in _NAMES:
            return [_NAMES[type(value)], self.written(value.made_of)]
        return self._composed(value)

    def _composed(self, value: Any) -> list[Any]:
        if type(value) in _FIELDS:
            return [type(value).__name__, *self.fields(value)]
        if isinstance(value, FaultKind):
            return ["fault", value.name]
        if isinstance(value, partial) and value.func in _FUNCTIONS.values():
            return ["partial", value.func.__name__, self.written(value.keywords)]
        if isinstance(value, Router):
            return ["router", value.routes, value.either_slash]
        if isinstance(value, Decimal):
            return ["decimal", str(value)]
        if isinstance(value, Mapping):
            return ["map", {key: self.written(item) for key, item in value.items()}]
        for kind, name in ((tuple, "tuple"), (frozenset, "set"), (list, "list")):
            if isinstance(value, kind):
                items = sorted(value) if kind is frozenset else value
                return [name, *map(self.written, items)]
        raise NotStorableError(f"{type(value).__name__} {value!r}")


def _plain(value: Any) -> bool:
    """Whether JSON gives back just this value."""
    kind = type(value)
    if kind is dict:
        return all(type(key) is str for key in value) and all(map(_plain, value.values()))
    if kind is list:
        return all(map(_plain, value))
    return value is None or kind in (str, bool, int) or (kind is float and math.isfinite(value))


class _Reader:
    """The way back."""

    def __init__(self, shared: list[Any]) -> None:
        self._shared = Lazily({place: partial(self.read, stored) for place, stored in enumerate(shared)})
        self._ways: dict[str, Callable[[list[Any]], Any]] = {
            "=": lambda stored: stored[1],
            "#": lambda stored: self._shared[stored[1]],
            "map": lambda stored: {key: self.read(item) for key, item in stored[1].items()},
            "tuple": lambda stored: tuple(map(self.read, stored[1:])),
            "set": lambda stored: frozenset(stored[1:]),
            "list": lambda stored: list(map(self.read, stored[1:])),
            "decimal": lambda stored: Decimal(stored[1]),
            "fault": lambda stored: FAULTS[stored[1]],
            "partial": lambda stored: partial(_FUNCTIONS[stored[1]], **self.read(stored[2])),
            "router": lambda stored: Router([tuple(route) for route in stored[1]], either_slash=stored[2]),
        }

    def read(self, stored: Any) -> Any:
        if stored.__class__ is not list:
            return stored
        way = self._ways.get(stored[0])
        if way is not None:
            return way(stored)
        if stored[0] in _DEFERRED:
            return _DEFERRED[stored[0]](self.read(stored[1]))
        return RECORDS[stored[0]](*map(self.read, stored[1:]))

    def fields(self, kind: type[Any], stored: list[Any]) -> dict[str, Any]:
        late = _LATE if kind is Provider else ()
        named = zip(_FIELDS[kind], stored, strict=True)
        return {name: (self._lazily if name in late else self.read)(value) for name, value in named}

    def _lazily(self, stored: list[Any]) -> Mapping[str, Any]:
        return Lazily({key: partial(self.read, item) for key, item in stored[1].items()})
