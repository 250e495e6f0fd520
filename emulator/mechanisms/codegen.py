"""Python source for what the fixture language says plainly: one function, where each of its parts would be a call."""

from collections.abc import Callable, Sequence
from typing import Any

from emulator.mechanisms.paths import Lookup, walk

Step = str | tuple[str, ...]
"""A key, or in brackets a path of its own, whose value is the key."""
Write = Callable[["Code"], str]
"""Gives the text of an expression of Python."""
Function = Callable[..., Any]
"""Of a scope, and of the value of its own variable if it has one."""

FAILURES = (LookupError, ValueError, TypeError, AttributeError, RuntimeError, ArithmeticError)
"""What an expression may raise on a request that it was not written for."""
TOO_LARGE = (SyntaxError, RecursionError, MemoryError)
"""What Python says to more brackets than its parser takes."""
Otherwise = tuple[tuple[type[Exception], ...], Callable[[Any, Exception], Any]]
"""What may be raised, and who then gives the value, or raises: called with the scope and the error."""


class Code:
    """Writes the body of one function of a scope, and keeps the objects that its text names.

    A `plain` text takes for granted that variables with members are mappings and that nothing it calls fails.
    """

    def __init__(self, *, plain: bool = False, own: str | None = None, whole: bool = False) -> None:
        """`own` is the variable whose value comes with each call; a `whole` one usually has all members asked for."""
        self.plain = plain
        self.own = own
        self.whole = whole
        self.fallible = False
        """Whether something that is called may fail."""
        self.statements: list[str] = []
        """What is done before the value is computed."""
        self._known: dict[str, Any] = {"walk": walk, "Lookup": Lookup, "NUMBERS": (int, float)}
        self._names: dict[int, str] = {}
        """The objects that are known, by their identity."""
        self._roots: dict[str, str] = {}
        """Variables of the scope that the text uses -> what they are called there."""
        self._with_members: dict[str, None] = {}
        """Those of which it uses members, as they are called there."""
        self._values: dict[str, str] = {}
        """What is computed once -> what it is called."""
        self._asks = False
        """Whether functions of the scope are called, which look for the own variable there."""

    def named(self, thing: Any) -> str:
        """An object of any kind, as the text calls it."""
        if thing is None or thing.__class__ in (bool, int, str):
            return repr(thing)
        name = self._names.setdefault(id(thing), f"known_{len(self._known)}")
        self._known[name] = thing
        return name

    def called(self, function: Callable[..., Any]) -> str:
        """What a function of the scope gives."""
        self._asks = True
        return f"{self.named(function)}(scope)"

    def path(self, steps: Sequence[Step]) -> str:
        """What a path of at least one step leads to from the variables; null where a step is missing."""
        name = str(steps[0])
        root = "own" if name == self.own else self._roots.setdefault(name, f"root_{len(self._roots)}")
        if len(steps) == 1:
            return root
        self._with_members[root] = None
        key = self._key(steps[1])
        if not self.plain:
            text = f"({root}.get({key}) if {root}_has else walk({root}, ({key},)))"
        elif root == "own" and self.whole:
            text, self.fallible = f"own[{key}]", True
        else:
            text = f"{root}.get({key})"
        return self.following(text, steps[2:])

    def kept(self, text: str) -> str:
        """The value of `text` for a plain function, which computes it once however often it is used."""
        if not self.plain or text in self._values.values():
            return text
        if text not in self._values:
            self._values[text] = f"value_{len(self.statements)}"
            self.statements.append(f"{self._values[text]} = {text}")
        return self._values[text]

    def assign(self, name: str, text: str) -> None:
        """Let a member of the own variable be what `text` gives; what was computed from another value is so no more."""
        self.statements.append(f"own[{name!r}] = {text}")
        changed = {f"[{name!r}]", f"({name!r})", "str("}
        for kept, value in [*self._values.items()]:
            if any(part in kept for part in changed):
                del self._values[kept]
                changed.add(value)

    def following(self, text: str, steps: Sequence[Step]) -> str:
        """What a path leads to from the value of `text`."""
        for step in steps:
            first, key = self.kept(text), self._key(step)
            name, first = (first, first) if first.isidentifier() else ("it", f"(it := {first})")
            text = f"({name}.get({key}) if {first}.__class__ is dict else walk({name}, ({key},)))"
        return text

    def _key(self, step: Step) -> str:
        return repr(step) if isinstance(step, str) else f"str({self.path(step)})"

    def function(self, text: str, otherwise: Otherwise | None = None) -> Function:
        """The function of a scope whose value is the expression `text`, which is not plain."""
        has = [f"{root}_has = {_is_mapping(root)}" for root in self._with_members]
        if otherwise is None:
            return self._defined([*has, *self.statements, f"return {text}"])
        kinds, instead = map(self.named, otherwise)
        guarded = ["try:", f"    return {text}", f"except {kinds} as error:", f"    return {instead}(scope, error)"]
        return self._defined([*has, *guarded])

    def plain_function(self, text: str, careful: Callable[[], Function]) -> Function:
        """The same of a plain text; what `careful` makes gives the value where it takes too much for granted."""
        lines = [*self.statements, f"return {text}"]
        if self.fallible:
            lines = ["try:", *(f"    {line}" for line in lines), f"except {self.named(FAILURES)}:", "    pass"]
        if self._with_members:
            usual = " and ".join(map(_is_mapping, self._with_members))
            lines = [f"if {usual}:", *(f"    {line}" for line in lines)]
        if len(lines) > 1:
            lines.append(f"return careful(scope{', own' if self.own else ''})")

        def first(*given: Any) -> Any:
            self._known["careful"] = made = careful()
            return made(*given)

        self._known["careful"] = first
        return self._defined(lines)

    def _defined(self, lines: list[str]) -> Function:
        roots = [f"{root} = scope.get({name!r})" for name, root in self._roots.items()]
        if self.own is not None and self._asks:
            roots.insert(0, f"scope[{self.own!r}] = own")
        head = f"def generated(scope{', own' if self.own else ''}):"
        exec("\n    ".join([head, *roots, *lines]), self._known)  # noqa: S102 - our own text
        generated: Function = self._known["generated"]
        return generated


def _is_mapping(name: str) -> str:
    return f"({name}.__class__ is dict or {name}.__class__ is Lookup)"


def compiled(
    write: Write, own: str | None = None, careful: Callable[[], Function] | None = None, *, whole: bool = False
) -> Function:
    """The function that `write` writes: plainly for the usual request, and with care for any other.

    `careful` makes the function for the others, if it is not to be written in the same way; chance that was drawn
    before stays drawn. A function whose `own` variable has its value from each call may leave that in the scope.
    """

    def written_with_care() -> Function:
        code = Code(own=own)
        return code.function(write(code))

    careful = careful or written_with_care
    code = Code(plain=True, own=own, whole=whole)
    try:
        return code.plain_function(write(code), careful)
    except TOO_LARGE:
        return careful()
