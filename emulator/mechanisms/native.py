"""CEL as Python source, as far as both say the same: comparisons, conditions, sums, calls, lists.

What is written here gives what CEL gives, or raises; then CEL has the last word (a missing key that `&&` passes over,
values of kinds that do not go together). What is not known here is not written at all: `parse` gives None.
"""

import re
from collections.abc import Callable, Collection
from typing import Any, Literal, NamedTuple

from emulator.mechanisms import operators
from emulator.mechanisms.codegen import Code, Write
from emulator.mechanisms.functions import BOUND, FUNCTIONS, LOOKING, PURE

Kind = Literal["bool", "text", "number", "list", "null", "any"]
"""What is known of a value before there is one."""
_LITERAL = ("text", "number", "list")
"""Of these nobody means to ask for a member, or whether they are null; Python warns who does."""

_TOKEN = re.compile(
    r"[ \t\n\r\f]*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>'[^'\\\r\n]*'|\"[^\"\\\r\n]*\")|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/%<>!?:.,()\[\]]))",
    re.ASCII,
)
_MACROS: dict[str, tuple[str, Kind]] = {
    "exists": ("any({part} for {one} in {items})", "bool"),
    "all": ("all({part} for {one} in {items})", "bool"),
    "filter": ("[{one} for {one} in {items} if {part}]", "any"),
    "map": ("[{part} for {one} in {items}]", "any"),
}
_WORDS: dict[str, tuple[str, Kind]] = {"true": ("True", "bool"), "false": ("False", "bool"), "null": ("None", "null")}
_SYNTAX = frozenset({"in", *_WORDS})
"""What is no name in CEL, not even of a member."""
_RESERVED = _SYNTAX | {
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "namespace",
    "package", "return", "var", "void", "while",
}  # fmt: skip
"""What no variable may be called."""


class Written(NamedTuple):
    """An expression that can be written, and what it is about."""

    write: Write
    variables: Collection[str]
    plain: bool
    """Whether it may stand in a larger function: a macro would make a closure of that."""


class _Unknown(Exception):
    """It is for CEL."""


class _Node(NamedTuple):
    write: Write
    kind: Kind = "any"
    member: "tuple[_Node, str] | None" = None
    """Of a member: whose, and its name."""


def parse(text: str) -> Written | None:
    """The expression, or None for one that only CEL knows."""
    parser = _Parser(text)
    try:
        node = parser.condition()
        parser.take("")
    except (_Unknown, RecursionError):
        return None
    return Written(node.write, parser.variables, plain=not parser.macros)


def call(code: Code, name: str, given: list[str]) -> str:
    """A function of ours with arguments that are written already."""
    function = BOUND.get(name) or PURE[name]
    text = f"{code.named(function)}({', '.join(['scope', *given] if name in BOUND else given)})"
    return code.kept(text) if name in LOOKING else text


class _Parser:
    def __init__(self, text: str) -> None:
        self.variables: dict[str, None] = {}
        self.macros = False
        self._own: list[str] = []
        """Variables of macros that are open."""
        self._words: list[tuple[str, str]] = []
        position = 0
        while match := _TOKEN.match(text, position):
            self._words.append((str(match.lastgroup), match[str(match.lastgroup)]))
            position = match.end()
        self._words.append(("sign", "") if not text[position:].strip() else ("unknown", text[position:]))
        self._at = 0

    def peek(self, *signs: str) -> bool:
        """Whether one of some signs, or the word `in`, comes next."""
        kind, word = self._words[self._at]
        return word in signs and (kind == "sign" or word == "in")

    def next(self) -> tuple[str, str]:
        self._at += 1
        return self._words[self._at - 1]

    def take(self, sign: str) -> None:
        if self.next() != ("sign", sign):
            raise _Unknown

    def condition(self) -> _Node:
        chosen = self.either()
        if not self.peek("?"):
            return chosen
        self.take("?")
        yes = self.either()
        self.take(":")
        no = self.condition()
        kind: Kind = yes.kind if yes.kind == no.kind else "any"
        return _Node(lambda code: f"({yes.write(code)} if {_truth(chosen, code)} else {no.write(code)})", kind)

    def either(self) -> _Node:
        return self._joined("||", "or", self.both)

    def both(self) -> _Node:
        return self._joined("&&", "and", self.relation)

    def _joined(self, sign: str, word: str, part: Callable[[], _Node]) -> _Node:
        parts = [part()]
        while self.peek(sign):
            self.take(sign)
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        return _Node(lambda code: f"({f' {word} '.join(_truth(one, code) for one in parts)})", "bool")

    def relation(self) -> _Node:
        left = self.sum()
        while self.peek(*operators.RELATIONS):
            sign = self.next()[1]
            left = _compared(sign, left, self.sum())
        return left

    def sum(self) -> _Node:
        return self._operated(("+", "-"), self.product)

    def product(self) -> _Node:
        return self._operated(("*", "/", "%"), self.negation)

    def _operated(self, signs: tuple[str, ...], part: Callable[[], _Node]) -> _Node:
        left = part()
        while self.peek(*signs):
            left = _applied(operators.OPERATIONS[self.next()[1]], left, part())
        return left

    def negation(self) -> _Node:
        if not self.peek("!"):
            return self.value()
        self.take("!")
        of = self.negation()
        return _Node(lambda code: f"(not {_truth(of, code)})", "bool")

    def value(self) -> _Node:
        node = self.primary()
        while self.peek(".", "["):
            if self.next()[1] == "[":
                node = self.element(node)
                self.take("]")
                continue
            kind, name = self.next()
            if kind != "name" or name in _SYNTAX:
                raise _Unknown
            node = self.method(node, name) if self.peek("(") else _member(node, name)
        return node

    def primary(self) -> _Node:
        kind, word = self.next()
        if kind == "number":
            return _number(word)
        if kind == "text":
            return _literal(word[1:-1], "text")
        if kind == "name" and self.peek("("):
            return self.call(word)
        if kind == "name":
            return self.variable(word)
        if (kind, word) == ("sign", "("):
            node = self.condition()
            self.take(")")
            return node
        if (kind, word) == ("sign", "["):
            items = self.items("]")
            return _Node(lambda code: f"[{', '.join(item.write(code) for item in items)}]", "list")
        raise _Unknown

    def items(self, end: str) -> list[_Node]:
        """What stands up to a bracket, which is taken, too."""
        found: list[_Node] = []
        while not self.peek(end):
            if found:
                self.take(",")
            found.append(self.condition())
        self.take(end)
        return found

    def variable(self, name: str) -> _Node:
        if name in _WORDS:
            written, kind = _WORDS[name]
            return _Node(lambda code: written, kind)
        if name in self._own:
            return _Node(lambda code: f"one_{name}")
        if name in _RESERVED:
            raise _Unknown
        self.variables[name] = None
        return _Node(lambda code: code.path([name]))

    def call(self, name: str) -> _Node:
        self.take("(")
        given = self.items(")")
        if name == "has":
            if len(given) != 1 or given[0].member is None:
                raise _Unknown
            whose, key = given[0].member
            return _Node(lambda code: f"{code.named(operators.has)}({whose.write(code)}, {key!r})", "bool")
        if name in operators.CONVERSIONS:
            return _applied(operators.CONVERSIONS[name], *given)
        if name not in FUNCTIONS:
            raise _Unknown
        return _Node(lambda code: call(code, name, [one.write(code) for one in given]))

    def element(self, whose: _Node) -> _Node:
        kind, word = self.next()
        if kind == "text":
            return _member(whose, word[1:-1])._replace(member=None)
        if kind == "number" and "." not in word:
            return _applied(operators.element, whose, _number(word))
        raise _Unknown

    def method(self, whose: _Node, name: str) -> _Node:
        self.take("(")
        if name not in _MACROS:
            given = self.items(")")
            if name not in operators.METHODS or len(given) != 1:
                raise _Unknown
            return _applied(operators.METHODS[name], whose, given[0], kind="bool")
        self.macros = True
        kind, own = self.next()
        if kind != "name" or own in _RESERVED:
            raise _Unknown
        self.take(",")
        self._own.append(own)
        part = self.condition()
        self._own.pop()
        self.take(")")
        form, known = _MACROS[name]
        return _Node(
            lambda code: form.format(
                part=part.write(code) if name == "map" else _truth(part, code),
                one=f"one_{own}",
                items=f"{code.named(operators.items)}({whose.write(code)})",
            ),
            known,
        )


def _literal(value: Any, kind: Kind) -> _Node:
    return _Node(lambda code: repr(value), kind)


def _number(word: str) -> _Node:
    try:
        return _literal(operators.number(word), "number")
    except ValueError:
        raise _Unknown from None


def _member(whose: _Node, name: str) -> _Node:
    if whose.kind in _LITERAL:
        raise _Unknown
    return _Node(lambda code: f"{whose.write(code)}[{name!r}]", member=(whose, name))


def _truth(node: _Node, code: Code) -> str:
    return node.write(code) if node.kind == "bool" else f"{code.named(operators.boolean)}({node.write(code)})"


def _applied(function: Callable[..., Any], *given: _Node, kind: Kind = "any") -> _Node:
    return _Node(lambda code: f"{code.named(function)}({', '.join(one.write(code) for one in given)})", kind)


def _compared(sign: str, left: _Node, right: _Node) -> _Node:
    if sign not in ("==", "!="):
        return _applied(operators.RELATIONS[sign], left, right, kind="bool")
    negated = sign == "!="
    if "null" in (left.kind, right.kind):
        if left.kind in _LITERAL or right.kind in _LITERAL:
            raise _Unknown
        word = "is not" if negated else "is"
        return _Node(lambda code: f"({left.write(code)} {word} {right.write(code)})", "bool")
    if "text" in (left.kind, right.kind):  # nothing else equals a text, in either language
        return _Node(lambda code: f"({left.write(code)} {sign} {right.write(code)})", "bool")
    same = _applied(operators.same, left, right, kind="bool")
    return _Node(lambda code: f"(not {same.write(code)})", "bool") if negated else same
