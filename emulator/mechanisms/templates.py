"""Templates: JSON trees with `${expression}` holes.

A string that is one hole becomes the expression's own value; a hole inside a longer string is spliced
as text. A key that ends in `?` is left out when its value is null. A mapping
`{$each: "name in expression", $give: template}` is a list, one item a value, and with a `$key: template` a mapping;
null stays null.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any

from emulator.mechanisms.codegen import Code, Function, Write, compiled
from emulator.mechanisms.encoding import Encoding
from emulator.mechanisms.expressions import Expression, ExpressionError, Scope

_HOLE = re.compile(r"\$\{([^}]*)\}")
_EACH = re.compile(r"([a-z_]\w*) in (.+)")
_PATH = re.compile(r"[\w.]+")
_MARK = "\x00here\x00"
_MOST_NESTED = 16  # levels of a tree in one function: Python's parser takes 200 brackets
_JSON = Encoding()

Render = Callable[[Scope], Any]


class Template:
    """One compiled template; call it with a scope."""

    __slots__ = ("_write", "holes", "render")

    def __init__(self, tree: Any, names: Iterable[str]) -> None:
        """Raises ExpressionError for a hole that does not compile or names an unknown variable."""
        holes: list[str] = []
        self._write = _compile(tree, tuple(names), holes)
        self.holes = tuple(holes)
        """The sources of its expressions."""
        self.render: Render = self._render_first

    def __call__(self, scope: Scope) -> Any:
        return self.render(scope)

    def written(self, code: Code) -> str:
        """The template as a part of a larger function."""
        return self._write(code)

    def _render_first(self, scope: Scope) -> Any:
        """Most templates are never rendered, so that the function is made when one is."""
        self.render = compiled(self._write)
        return self.render(scope)

    def around(self, scope: Scope, variable: str, dumps: Callable[[Any], bytes]) -> tuple[bytes, bytes] | None:
        """What is written before and after the one place where a variable stands; None when more depends on it.

        Many values of the variable can then be rendered at the price of their own bytes.
        """
        if not _stays(self.holes, variable):
            return None
        scope[variable] = _MARK
        parts = dumps(self.render(scope)).split(dumps(_MARK))
        return (parts[0], parts[1]) if len(parts) == 2 else None


@lru_cache(1024)
def _stays(holes: tuple[str, ...], variable: str) -> bool:
    """Whether all that expressions give beside a variable itself is the same while only the variable changes."""
    others = [hole for hole in holes if hole != variable]
    return all(_PATH.fullmatch(hole) and hole.partition(".")[0] not in (variable, "timing") for hole in others)


def _compile(tree: Any, names: tuple[str, ...], holes: list[str], depth: int = 0) -> Write:
    """How the tree is written; the sources of its expressions are added to `holes`."""
    if isinstance(tree, str) and "${" in tree:
        return _compile_text(tree, names, holes)
    if not isinstance(tree, (dict, list)):
        return lambda code: code.named(tree)
    if isinstance(tree, list):
        write = _compile_list(tree, names, holes, depth)
    elif "$each" in tree:
        write = _compile_each(tree, names, holes)
    else:
        write = _compile_mapping(tree, names, holes, depth)
    if depth % _MOST_NESTED == _MOST_NESTED - 1:
        return lambda code: code.called(compiled(write))
    return write


def _compile_list(tree: list[Any], names: tuple[str, ...], holes: list[str], depth: int) -> Write:
    items = [_compile(item, names, holes, depth + 1) for item in tree]
    return lambda code: f"[{', '.join(item(code) for item in items)}]"


def _compile_text(text: str, names: tuple[str, ...], holes: list[str]) -> Write:
    whole = _HOLE.fullmatch(text)
    if whole:
        expression = Expression(whole[1], names)
        holes.append(whole[1])
        return expression.written
    parts: list[str | Expression] = []
    position = 0
    for hole in _HOLE.finditer(text):
        parts += [text[position : hole.start()], Expression(hole[1], names)]
        holes.append(hole[1])
        position = hole.end()
    rest = text[position:]
    if "${" in rest:
        raise ExpressionError(f"`{rest}` opens a hole and does not close it")

    def write(code: Code) -> str:
        spliced = [repr(part) if isinstance(part, str) else _spliced(part, code) for part in [*parts, rest] if part]
        return f"({' + '.join(spliced)})"

    return write


def _spliced(hole: Expression, code: Code) -> str:
    return f"(it if (it := {hole.written(code)}).__class__ is str else {code.named(as_text)}(it))"


def _compile_mapping(tree: dict[Any, Any], names: tuple[str, ...], holes: list[str], depth: int) -> Write:
    fields = [
        (str(key).removesuffix("?"), str(key).endswith("?"), _compile(value, names, holes, depth + 1))
        for key, value in tree.items()
    ]

    def write(code: Code) -> str:
        written = ((repr(key), optional, field(code)) for key, optional, field in fields)
        return f"{{{', '.join(_optional(key, value) if o else f'{key}: {value}' for key, o, value in written)}}}"

    return write


def _optional(key: str, value: str) -> str:
    return f"**({{{key}: it}} if (it := {value}) is not None else {{}})"


def _compile_each(tree: dict[Any, Any], names: tuple[str, ...], holes: list[str]) -> Write:
    match = _EACH.fullmatch(str(tree["$each"]))
    if not match or set(tree) - {"$key"} != {"$each", "$give"}:
        raise ExpressionError(
            'a list is written {$each: "name in expression", $give: template}, a mapping with `$key: template` as well'
        )
    name, items = match[1], Expression(match[2], names)
    holes.append(match[2])
    give = _compile(tree["$give"], (*names, name), holes)
    whole = match[2].strip() == "items"  # resources and entries of books have all their fields
    made = partial(compiled, own=name, whole=whole)
    if "$key" not in tree:
        return lambda code: code.called(_each(name, compiled(items.written), made(give)))
    key = _compile(tree["$key"], (*names, name), holes)
    return lambda code: code.called(_each_keyed(name, compiled(items.written), made(key), made(give)))


def _each(name: str, items: Render, give: Function) -> Render:
    """One value of a list after the other, each as the variable `name`."""

    def render(scope: Scope) -> list[Any] | None:
        values, outer = items(scope), scope.get(name)
        if values is None:
            return None
        rendered = [give(scope, item) for item in values]
        scope[name] = outer
        return rendered

    return render


def _each_keyed(name: str, items: Render, key: Function, give: Function) -> Render:
    """A mapping by what `key` gives; of several with one key the last."""

    def render(scope: Scope) -> dict[str, Any] | None:
        values, outer = items(scope), scope.get(name)
        if values is None:
            return None
        rendered = {as_text(key(scope, item)): give(scope, item) for item in values}
        scope[name] = outer
        return rendered

    return render


def as_text(value: Any) -> str:
    """A value as it reads inside a longer string: text as it is, the rest as JSON would write it."""
    if isinstance(value, str):
        return value
    if value.__class__ is int or isinstance(value, float):
        return repr(value)
    return _JSON.dumps(value).decode()
