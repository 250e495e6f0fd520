"""Expressions of the fixture language: plain paths and calls, and everything else in CEL.

A plain path (`request.model`, `plans[principal.plan].requests`) is a dictionary walk in which a missing step
gives null; so are the arguments of a function of ours (`find('disk', body.id).size`). A literal is a constant. What is
left is compiled as CEL; there a missing key is an error, so `has(...)` comes first.
The CEL package is touched in this module only.
"""

import importlib.util
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache, partial
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from threading import Lock
from typing import Any, Literal, NoReturn, cast

from emulator.mechanisms import native
from emulator.mechanisms.arguments import miscounted
from emulator.mechanisms.codegen import FAILURES, TOO_LARGE, Code, Step, Write, compiled
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.functions import BOUND, BUILT_IN, FUNCTIONS, PURE, Owner
from emulator.mechanisms.native import Written
from emulator.mechanisms.operators import number
from emulator.mechanisms.paths import Lookup

Variable = Literal[
    # the request as it came
    "method", "url", "path", "headers", "query", "params", "body",
    # what stages made of it
    "operation", "principal", "request", "model", "models", "plans", "limits", "account", "tenant",
    "item", "items", "page", "totals", "other",
    # the reply
    "completion", "embeddings", "usage", "choice", "piece", "call", "id", "created", "clock", "timing",
    # refusals
    "fact", "error", "violations", "errors_by_field", "violation",
    # patches
    "parent", "value",
]  # fmt: skip

Evaluate = Callable[["Scope"], Any]

_NAME = r"[A-Za-z_]\w*(?:\.\w+)*"
_PATH = re.compile(rf"{_NAME}(?:\[{_NAME}\](?:\.\w+)*)*")
_PLAIN = rf"{_PATH.pattern}|-?\d+(?:\.\d+)?|'[^'\\]*'"
_CALL = re.compile(rf"(\w+)\(((?:{_PLAIN})(?:, (?:{_PLAIN}))*)\)((?:\.\w+|\[{_NAME}\])*)")
_HAS = re.compile(rf"has\(({_NAME})\.(\w+)\)")
_STEP = re.compile(rf"\.?(\w+)|\[({_NAME})\]")
_MACRO = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_STRING = re.compile(r"'([^'\\]*)'|\"([^\"\\]*)\"")
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

    def __init__(self) -> None:
        self.lock = Lock()  # two threads must not load it at once

    def __getattr__(self, name: str) -> Any:
        with self.lock:
            found = getattr(_load_cel(), name)
        setattr(self, name, found)
        return found


_cel: Any = _Late()


class ExpressionError(ValueError):
    """An expression that does not compile, or failed on a request. The text says which and why."""


class Scope(dict[str, Any]):
    """The variables one exchange offers to expressions, its chance, and whose resources it is about.

    A variable that is not there is null.
    """

    __slots__ = ("__weakref__", "entropy", "owner")

    def __init__(self, entropy: Entropy, variables: Mapping[str, Any]) -> None:
        dict.__init__(self, variables)
        self.entropy = entropy
        self.owner: Owner | None = None

    def __missing__(self, name: str) -> None:
        return None


class Expression:
    """One compiled expression; call it with a scope."""

    __slots__ = ("_inline", "_make", "_path", "constant", "evaluate", "source")

    def __init__(self, source: str | int | float | bool, names: Iterable[str]) -> None:
        """`names` are the variables that will be there. Raises ExpressionError for anything else.

        Another thread may look meanwhile: each attribute is set once, and `evaluate` when all others are.
        """
        self.source = str(source)
        text = self.source.strip()
        fixed = _fixed(source, text)
        self.constant = fixed is not None
        """Whether the value is the same for every request."""
        self._path: tuple[Step, ...] | None = None
        self._inline: Write | None = None
        """How it is written as a part of a plain function; what raises there is evaluated by itself."""
        self._make: Callable[[], Evaluate] | None = None
        self.evaluate: Evaluate = fixed or self._compile(text, frozenset(names))
        """The value for an exchange. Raises ExpressionError when it cannot be computed."""

    def _compile(self, text: str, names: frozenset[str]) -> Evaluate:
        if "(" in text and (wrong := miscounted(text)):
            raise ExpressionError(f"`{self.source}` {wrong}")
        if _PATH.fullmatch(text):
            path = _steps(text)
            _check_names(self.source, [str(path[0]), *_roots(path)], names)
            self._path, self._make = path, partial(compiled, lambda code: code.path(path))
        elif (call := _CALL.fullmatch(text)) and call[1] in FUNCTIONS:
            inline = self._inline = _call(self.source, call, names)
            self._make = partial(_called, self.source, inline)
        elif has := _HAS.fullmatch(text):
            inline = self._inline = _held(self.source, has[1].split("."), has[2], names)
            self._make = partial(_called, self.source, inline)
        elif written := native.parse(text):
            _check_names(self.source, written.variables, names)
            self._inline = written.write if written.plain else None
            self._make = partial(_natively, self.source, text, written, names)
        else:
            return _programmed(self.source, text, names)
        return self._evaluate_first

    def _evaluate_first(self, scope: Scope) -> Any:
        """Most expressions are never evaluated, or as a part of another function; this one is made when it is."""
        return self._made()(scope)

    def _made(self) -> Evaluate:
        make = self._make
        if make is not None:
            self.evaluate = make() if self._inline is None else compiled(self._inlined, careful=make)
            self._make = None  # not before: another thread may ask meanwhile, and makes it as well
        return self.evaluate

    def _inlined(self, code: Code) -> str:
        assert self._inline is not None
        code.fallible = True
        return self._inline(code)

    def written(self, code: Code) -> str:
        """The expression as a part of a larger function."""
        if self.constant:
            return code.named(self.evaluate(_NOBODY))
        if self._path is not None:
            return code.path(self._path)
        return self._inlined(code) if code.plain and self._inline is not None else code.called(self._made())

    def written_number(self, code: Code, missing: float | None = None) -> str:
        """The same where a number is needed, see `number`."""
        number = code.called(self.number if missing is None else partial(self.number, missing=missing))
        return f"(it if (it := {self.written(code)}).__class__ in NUMBERS else {number})"

    def __call__(self, scope: Scope) -> Any:
        """The value for this exchange. Raises ExpressionError when it cannot be computed."""
        return self.evaluate(scope)

    def holds(self, scope: Scope) -> bool:
        """The value as a condition; one that cannot be computed from this request does not hold."""
        try:
            return bool(self.evaluate(scope))
        except ExpressionError:
            return False

    def decimal(self, scope: Scope, missing: Decimal | None = None) -> Decimal:
        """The value as an amount, exact where it is written so; null as `missing`.

        Raises ExpressionError when it is no finite amount.
        """
        value = self.evaluate(scope)
        if value is None and missing is not None:
            return missing
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            amount = _NO_AMOUNT
        if not amount.is_finite():
            raise ExpressionError(f"`{self.source}` gave {value!r} where an amount is needed")
        return amount

    def number(self, scope: Scope, missing: float | None = None) -> float:
        """The value as a number, also when it is written as text; null as `missing`.

        Raises ExpressionError when it is no finite number.
        """
        value = self.evaluate(scope)
        if value.__class__ is int or value.__class__ is float:
            return cast("float", value)
        if value is None and missing is not None:
            return missing
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise ExpressionError(f"`{self.source}` gave {value!r} where a number is needed")
        return number


def _fixed(source: str | int | float | bool, text: str) -> Evaluate | None:
    """Of what is written as a value; None for what is to be computed."""
    if not isinstance(source, str):
        return _constant(source)
    if text in _CONSTANTS:
        return _constant(_CONSTANTS[text])
    if _NUMBER.fullmatch(text):
        try:
            return _constant(number(text))
        except ValueError:
            return None
    match = _STRING.fullmatch(text)
    return _constant(match[1] if match[1] is not None else match[2]) if match else None


_NO_AMOUNT = Decimal("nan")
_NOBODY: Any = None
"""The scope of what no request changes."""


def _constant(value: Any) -> Evaluate:
    return lambda scope: value


def _steps(text: str) -> tuple[Step, ...]:
    return tuple(name or tuple(key.split(".")) for name, key in _STEP.findall(text))


def _roots(path: tuple[Step, ...]) -> list[str]:
    """The variables that the brackets of a path look at."""
    return [step[0] for step in path if isinstance(step, tuple)]


def _check_names(source: str, used: Iterable[str], names: frozenset[str]) -> None:
    for name in used:
        if name not in names:
            there = ", ".join(sorted(names))
            raise ExpressionError(f"`{source}` uses `{name}`, which does not exist; there are {there}")


def _held(source: str, parent: list[str], key: str, names: frozenset[str]) -> Write:
    """Whether a mapping has a key; one that is not there has none."""
    _check_names(source, parent[:1], names)
    return lambda code: f"{code.named(_has)}({code.path(parent)}, {key!r})"


def _has(mapping: Any, key: str) -> bool:
    return isinstance(mapping, dict) and key in mapping


def _call(source: str, call: re.Match[str], names: frozenset[str]) -> Write:
    """A function of ours with plain arguments, and perhaps a path from what it gives."""
    function, path = call[1], _steps(call[3])
    arguments = [Expression(plain[0], names) for plain in re.finditer(_PLAIN, call[2])]
    _check_names(source, _roots(path), names)

    def write(code: Code) -> str:
        return code.following(native.call(code, function, [argument.written(code) for argument in arguments]), path)

    return write


def _called(source: str, write: Write) -> Evaluate:
    code = Code()
    return code.function(write(code), (FAILURES, partial(_fail, source)))


def _natively(source: str, text: str, written: Written, names: frozenset[str]) -> Evaluate:
    """A function of Python, and CEL where that raises."""
    code, program = Code(), cache(lambda: _programmed(source, text, names))
    try:
        return code.function(written.write(code), (FAILURES, lambda scope, error: program()(scope)))
    except TOO_LARGE:
        return program()


def _programmed(source: str, text: str, names: frozenset[str]) -> Evaluate:
    try:
        program = _cel.compile(text)
    except ValueError as error:
        reason = str(error).splitlines()[0].split("ERROR: ")[-1]
        raise ExpressionError(f"`{source}` is not an expression: {reason}") from None
    own = set(_MACRO.findall(text))  # `items.exists(i, …)` brings its own variable, which may hide one of the scope
    variables = tuple(name for name in program.variables() if name in names or name not in own)
    _check_names(source, variables, names)
    functions = tuple(name for name in program.functions() if name in FUNCTIONS)
    for function in program.functions():
        if function[0].isalpha() and function not in FUNCTIONS and function not in BUILT_IN:
            known = ", ".join(sorted(FUNCTIONS))
            raise ExpressionError(f"`{source}` calls `{function}`, which does not exist; there are {known}")

    def executed(scope: Scope) -> Any:
        context = _cel.Context()
        for name in functions:
            context.add_function(name, PURE[name] if name in PURE else partial(BOUND[name], scope))
        try:
            for name in variables:
                value = scope[name]
                context.add_variable(name, value.whole() if isinstance(value, Lookup) else value)
            return program.execute(context)
        except FAILURES as error:
            raise _failed(source, error) from None

    return executed


def _fail(source: str, scope: Scope, error: Exception) -> NoReturn:
    raise _failed(source, error) from None


def _failed(source: str, error: Exception) -> ExpressionError:
    reason = str(error).split(". ")[0]  # the rest is a lesson on the language
    return ExpressionError(f"`{source}` failed: {reason}")
