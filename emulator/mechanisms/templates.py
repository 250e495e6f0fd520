"""Templates: JSON trees with `${expression}` holes.

A string that is one hole becomes the expression's own value; a hole inside a longer string is spliced
as text. A key that ends in `?` is left out when its value is null. A mapping
`{$each: "name in expression", $give: template}` is a list, one item a value; null stays null.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from emulator.mechanisms.encoding import Encoding
from emulator.mechanisms.expressions import Expression, ExpressionError, Scope

_HOLE = re.compile(r"\$\{([^}]*)\}")
_EACH = re.compile(r"([a-z_]\w*) in (.+)")
_PATH = re.compile(r"[\w.]+")
_MARK = "\x00here\x00"
_JSON = Encoding()

Render = Callable[[Scope], Any]


class Template:
    """One compiled template; call it with a scope. `constant` says that no request changes it."""

    __slots__ = ("constant", "holes", "render")

    def __init__(self, tree: Any, names: Iterable[str]) -> None:
        """Raises ExpressionError for a hole that does not compile or names an unknown variable."""
        self.holes: list[str] = []
        """The sources of its expressions."""
        self.render, self.constant = _compile(tree, tuple(names), self.holes)

    def __call__(self, scope: Scope) -> Any:
        return self.render(scope)

    def around(self, scope: Scope, variable: str, dumps: Callable[[Any], bytes]) -> tuple[bytes, bytes] | None:
        """What is written before and after the one place where a variable stands; None when more depends on it.

        Many values of the variable can then be rendered at the price of their own bytes.
        """
        others = [hole for hole in self.holes if hole != variable]
        if not all(_PATH.fullmatch(hole) and hole.partition(".")[0] not in (variable, "timing") for hole in others):
            return None
        scope[variable] = _MARK
        parts = dumps(self.render(scope)).split(dumps(_MARK))
        return (parts[0], parts[1]) if len(parts) == 2 else None


def _compile(tree: Any, names: tuple[str, ...], holes: list[str]) -> tuple[Render, bool]:
    if isinstance(tree, str) and "${" in tree:
        return _compile_text(tree, names, holes)
    if isinstance(tree, dict) and "$each" in tree:
        return _compile_each(tree, names, holes)
    if isinstance(tree, dict):
        return _compile_mapping(tree, names, holes)
    if isinstance(tree, list):
        items = [_compile(item, names, holes)[0] for item in tree]
        return (lambda scope: [item(scope) for item in items]), False
    return (lambda scope: tree), True


def _compile_text(text: str, names: tuple[str, ...], holes: list[str]) -> tuple[Render, bool]:
    whole = _HOLE.fullmatch(text)
    if whole:
        expression = Expression(whole[1], names)
        holes.append(whole[1])
        return expression.evaluate, expression.constant
    between: list[str] = []
    values: list[Render] = []
    position = 0
    for hole in _HOLE.finditer(text):
        between.append(text[position : hole.start()])
        values.append(Expression(hole[1], names).evaluate)
        holes.append(hole[1])
        position = hole.end()
    rest = text[position:]
    if "${" in rest:
        raise ExpressionError(f"`{rest}` opens a hole and does not close it")
    pairs = list(zip(between, values, strict=True))

    def render(scope: Scope) -> str:
        spliced = ""
        for before, evaluate in pairs:
            value = evaluate(scope)
            spliced += before + (value if value.__class__ is str else as_text(value))
        return spliced + rest

    return render, False


def _compile_mapping(tree: dict[Any, Any], names: tuple[str, ...], holes: list[str]) -> tuple[Render, bool]:
    fields = [
        (str(key).removesuffix("?"), str(key).endswith("?"), _compile(value, names, holes)[0])
        for key, value in tree.items()
    ]
    if not any(optional for _, optional, _ in fields):
        always = [(key, field) for key, _, field in fields]
        return (lambda scope: {key: field(scope) for key, field in always}), False

    def render(scope: Scope) -> dict[str, Any]:
        rendered = {}
        for key, optional, field in fields:
            value = field(scope)
            if value is not None or not optional:
                rendered[key] = value
        return rendered

    return render, False


def _compile_each(tree: dict[Any, Any], names: tuple[str, ...], holes: list[str]) -> tuple[Render, bool]:
    match = _EACH.fullmatch(str(tree["$each"]))
    if not match or set(tree) != {"$each", "$give"}:
        raise ExpressionError('a list is written {$each: "name in expression", $give: template}')
    name, items = match[1], Expression(match[2], names)
    holes.append(match[2])
    give, _ = _compile(tree["$give"], (*names, name), holes)

    def render(scope: Scope) -> list[Any] | None:
        values, outer = items.evaluate(scope), scope[name]
        if values is None:
            return None
        rendered = []
        for item in values:
            scope[name] = item
            rendered.append(give(scope))
        scope[name] = outer
        return rendered

    return render, False


def as_text(value: Any) -> str:
    """A value as it reads inside a longer string: text as it is, the rest as JSON would write it."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return repr(value)
    return _JSON.dumps(value).decode()
