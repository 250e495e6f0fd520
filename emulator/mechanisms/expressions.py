"""Expressions of the fixture language: plain paths natively, everything else in CEL.

A plain path (`request.model`, `plans[principal.plan].requests`) is a dictionary walk in which a missing step
gives null; so are the arguments of a function of ours (`find('disk', body.id).size`). A literal is a constant. What is
left is compiled as CEL; there a missing key is an error, so `has(...)` comes first.
The CEL package is touched in this module only.
"""

import importlib.util
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from typing import Any, Literal, Protocol

from emulator.mechanisms.clock import http_date, iso8601
from emulator.mechanisms.entropy import Entropy

Variable = Literal[
    # the request as it came
    "method", "url", "path", "headers", "query", "params", "body",
    # what stages made of it
    "operation", "principal", "request", "model", "models", "plans", "limits", "account", "tenant",
    "item", "items", "page", "totals", "other",
    # the reply
    "completion", "embeddings", "usage", "choice", "piece", "call", "id", "created", "clock",
    # refusals
    "fact", "error", "violations", "errors_by_field", "violation",
    # patches
    "parent", "value",
]  # fmt: skip

_NAME = r"[A-Za-z_]\w*(?:\.\w+)*"
_PATH = re.compile(rf"{_NAME}(?:\[{_NAME}\](?:\.\w+)*)*")
_PLAIN = rf"{_PATH.pattern}|-?\d+(?:\.\d+)?|'[^'\\]*'"
_CALL = re.compile(rf"(\w+)\(((?:{_PLAIN})(?:, (?:{_PLAIN}))*)\)((?:\.\w+|\[{_NAME}\])*)")
_STEP = re.compile(rf"\.?(\w+)|\[({_NAME})\]")
_MACRO = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_STRING = re.compile(r"'([^'\\]*)'|\"([^\"\\]*)\"")
_MOST_NUMBERS = 1000
_CONSTANTS = {"true": True, "false": False, "null": None}


def _load_cel() -> Any:
    """The compiled part of the package, without its command line, which costs 0.15 s to import."""
    loaded = sys.modules.get("cel.cel")
    if loaded is not None:
        return loaded
    package = importlib.util.find_spec("cel")
    for folder in (package.submodule_search_locations or []) if package else []:
        for suffix in EXTENSION_SUFFIXES:
            file = Path(folder, "cel" + suffix)
            if file.exists():
                spec = importlib.util.spec_from_file_location(
                    "cel.cel", file, loader=ExtensionFileLoader("cel.cel", str(file))
                )
                assert spec is not None and spec.loader is not None
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                sys.modules["cel.cel"] = module  # a later `import cel` must not load it a second time
                return module
    import cel  # pragma: no cover - a package laid out differently

    return cel  # pragma: no cover


class _Late:
    """The package, loaded when first asked for something: a server that starts compiles nothing."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(_load_cel(), name)
        setattr(self, name, found)
        return found


_cel: Any = _Late()


Path_ = tuple[str | tuple[str, ...], ...]
_FAILURES = (
    KeyError, ValueError, TypeError, AttributeError, RuntimeError, ZeroDivisionError, OverflowError, InvalidOperation,
)  # fmt: skip


class ExpressionError(ValueError):
    """An expression that does not compile, or failed on a request. The text says which and why."""


class Owner(Protocol):
    """Whoever owns the resources that expressions look up."""

    def find(self, name: str, identity: Any) -> dict[str, Any] | None: ...

    def referring(self, name: str, field: str, target: str) -> list[dict[str, Any]]: ...


class Scope:
    """The variables one exchange offers to expressions, its chance, and whose resources it is about."""

    __slots__ = ("_context", "_fresh", "entropy", "owner", "variables")

    def __init__(self, entropy: Entropy, variables: Mapping[str, Any]) -> None:
        self.entropy = entropy
        self.owner: Owner | None = None
        self.variables: dict[str, Any] = dict(variables)
        self._context: Any = None
        self._fresh: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        return self.variables.get(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.variables[name] = value
        self._fresh.discard(name)

    def context(self, names: Iterable[str]) -> Any:
        """A CEL context that holds the named variables; built once an exchange, filled as needed."""
        if self._context is None:
            self._context = _cel.Context()
            for name, make in FUNCTIONS.items():
                self._context.add_function(name, make(self))
        for name in names:
            if name not in self._fresh:
                self._context.add_variable(name, self.variables.get(name))
                self._fresh.add(name)
        return self._context


def _find(scope: Scope) -> Callable[[str, Any], Any]:
    """A resource of a kind by its id, or null."""
    return lambda name, identity: scope.owner.find(name, identity) if scope.owner else None


def _referring(scope: Scope) -> Callable[[str, str, str], Any]:
    """The resources of a kind whose indexed field is, or holds, a value."""
    return lambda name, field, target: scope.owner.referring(name, field, target) if scope.owner else []


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _sum(items: list[Any], path: str) -> int | float:
    """The sum of a field over items, in decimals; amounts may be text."""
    return _plain(sum((Decimal(str(walk(item, path.split(".")) or 0)) for item in items), Decimal(0)))


def _counts(items: list[Any], path: str) -> dict[str, int]:
    """How often each value of a field occurs among items."""
    return dict(Counter(str(walk(item, path.split("."))) for item in items))


def _mode(items: list[Any], path: str) -> str | None:
    """The most common value of a field among items, the first of several; null without any items."""
    counts = _counts(items, path)
    return max(counts, key=lambda value: counts[value], default=None)


def _numbers(count: float) -> list[int]:
    """1, 2, 3, … so many of them."""
    return list(range(1, min(int(count), _MOST_NUMBERS) + 1))


def _snake_case(text: str) -> str:
    """`Support Agent (EU)` -> `support_agent_eu`."""
    return re.sub(r"\W+", "_", str(text)).strip("_").lower()


def _round(amount: str | float, digits: int) -> int | float:
    """A decimal amount, text or number, rounded half up."""
    return _plain(Decimal(str(amount)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def _masked(address: str) -> str:
    """An e-mail address of which only two letters and the domain are seen."""
    name, _, domain = address.rpartition("@")
    return f"{name[:2]}***@{domain}"


def _plain(amount: Decimal) -> int | float:
    return int(amount) if amount == int(amount) else float(amount)


FUNCTIONS: dict[str, Callable[[Scope], Callable[..., Any]]] = {
    # drawn from the exchange's chance
    "hex": lambda scope: scope.entropy.hex,
    "digits": lambda scope: scope.entropy.digits,
    "alnum": lambda scope: scope.entropy.alnum,
    "uuid": lambda scope: scope.entropy.uuid,
    # of the account's resources
    "find": _find,
    "referring": _referring,
    # pure
    "iso8601": lambda _: iso8601,
    "iso8601_without_zone": lambda _: lambda seconds: iso8601(seconds).removesuffix("Z"),
    "http_date": lambda _: http_date,
    "ceil": lambda _: math.ceil,
    "min": lambda _: min,
    "max": lambda _: max,
    "first": lambda _: _first,
    "join": lambda _: lambda items, separator: separator.join(map(str, items)),
    "json": lambda _: lambda value: json.dumps(value, separators=(",", ":")),
    "sum": lambda _: _sum,
    "counts": lambda _: _counts,
    "mode": lambda _: _mode,
    "round": lambda _: _round,
    "last": lambda _: lambda items: items[-1] if items else None,
    "numbers": lambda _: _numbers,
    "lower": lambda _: lambda text: str(text).lower(),
    "left": lambda _: lambda text, count: str(text)[: int(count)],
    "masked": lambda _: _masked,
    "snake_case": lambda _: _snake_case,
}
_BUILT_IN = {
    "size", "has", "startsWith", "endsWith", "contains", "matches", "int", "uint", "double", "string", "bool",
    "bytes", "timestamp", "duration", "type", "dyn", "all", "exists", "exists_one", "map", "filter",
}  # fmt: skip


class Expression:
    """One compiled expression; call it with a scope."""

    __slots__ = ("_arguments", "_constant", "_function", "_names", "_path", "_program", "source")
    _path: Path_

    def __init__(self, source: str | int | float | bool, names: Iterable[str]) -> None:
        """`names` are the variables that will be there. Raises ExpressionError for anything else."""
        self.source = str(source)
        self._path = ()
        self._function: str | None = None
        self._arguments: tuple[Expression, ...] = ()
        self._program: Any = None
        self._names: tuple[str, ...] = ()
        self._constant: Any = None
        text = self.source.strip()
        if not isinstance(source, str):
            self._constant = source
        elif text in _CONSTANTS:
            self._constant = _CONSTANTS[text]
        elif _NUMBER.fullmatch(text):
            self._constant = float(text) if "." in text else int(text)
        elif match := _STRING.fullmatch(text):
            self._constant = match[1] if match[1] is not None else match[2]
        elif _PATH.fullmatch(text):
            self._take_path(text, names)
        elif (call := _CALL.fullmatch(text)) and call[1] in FUNCTIONS:
            self._function = call[1]
            self._arguments = tuple(Expression(plain[0], names) for plain in re.finditer(_PLAIN, call[2]))
            self._take_path(call[3], names)
        else:
            self._compile(text, names)

    def _take_path(self, text: str, names: Iterable[str]) -> None:
        self._path = tuple(name or tuple(key.split(".")) for name, key in _STEP.findall(text))
        roots = [step[0] for step in self._path if isinstance(step, tuple)]
        _known(self.source, roots if self._function else [str(self._path[0]), *roots], names)

    def _compile(self, text: str, names: Iterable[str]) -> None:
        try:
            self._program = _cel.compile(text)
        except ValueError as error:
            reason = str(error).splitlines()[0].split("ERROR: ")[-1]
            raise ExpressionError(f"`{self.source}` is not an expression: {reason}") from None
        own = set(_MACRO.findall(text))  # `items.exists(i, …)` brings its own variable
        self._names = tuple(name for name in self._program.variables() if name not in own)
        _known(self.source, self._names, names)
        for function in self._program.functions():
            if function[0].isalpha() and function not in FUNCTIONS and function not in _BUILT_IN:
                known = ", ".join(sorted(FUNCTIONS))
                raise ExpressionError(f"`{self.source}` calls `{function}`, which does not exist; there are {known}")

    @property
    def constant(self) -> bool:
        """Whether the value is the same for every request."""
        return self._program is None and self._function is None and not self._path

    def __call__(self, scope: Scope) -> Any:
        """The value for this exchange. Raises ExpressionError when CEL cannot compute it."""
        if self._path and self._function is None:
            return _follow(scope.variables, self._path)
        try:
            if self._function is not None:
                value = FUNCTIONS[self._function](scope)(*(argument(scope) for argument in self._arguments))
                return value if value is None else _follow(scope.variables, self._path, value)
            if self._program is None:
                return self._constant
            return self._program.execute(scope.context(self._names))
        except _FAILURES as error:
            reason = str(error).split(". ")[0]  # the rest is a lesson on the language
            raise ExpressionError(f"`{self.source}` failed: {reason}") from None

    def holds(self, scope: Scope) -> bool:
        """The value as a condition; one that cannot be computed from this request does not hold."""
        try:
            return bool(self(scope))
        except ExpressionError:
            return False

    def decimal(self, scope: Scope) -> Decimal:
        """The value as an amount, exact where it is written so. Raises ExpressionError when it is none."""
        value = self(scope)
        try:
            return Decimal(str(value))
        except InvalidOperation:
            raise ExpressionError(f"`{self.source}` gave {value!r} where an amount is needed") from None

    def number(self, scope: Scope) -> float:
        """The value as a number. Raises ExpressionError when it is none."""
        value = self(scope)
        if not isinstance(value, (int, float)):
            raise ExpressionError(f"`{self.source}` gave {value!r} where a number is needed")
        return float(value)


def _known(source: str, used: Iterable[str], names: Iterable[str]) -> None:
    known = set(names)
    for name in used:
        if name not in known:
            raise ExpressionError(
                f"`{source}` uses `{name}`, which does not exist; there are {', '.join(sorted(known))}"
            )


def _follow(variables: Mapping[str, Any], path: Path_, data: Any = None) -> Any:
    """A path from the variables, or from a value; a bracket holds a path of its own, whose value is the key."""
    data = variables if data is None else data
    for step in path:
        key = str(walk(variables, step)) if isinstance(step, tuple) else step
        data = data.get(key) if isinstance(data, dict) else walk(data, (key,))
    return data


def walk(data: Any, path: Iterable[str]) -> Any:
    """Follow a path through dicts (by key) and lists (by index); null where a step is missing."""
    for step in path:
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and step.isdigit() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data
