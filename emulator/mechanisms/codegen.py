"""Python source for what the fixture language says plainly: one function, where each of its parts would be a call."""

from collections.abc import Callable, Sequence
from typing import Any

from emulator.mechanisms.paths import Lookup, walk

Step = str | tuple[str, ...]
"""A key, or in brackets a path of its own, whose value is the key."""

_MAPPINGS = (dict, Lookup)
Otherwise = tuple[tuple[type[Exception], ...], Callable[[Any, Exception], Any]]
"""What may be raised, and who then gives the value, or raises: called with the scope and the error."""


class Code:
    """Writes the body of one function of a scope, and keeps the objects that its text names."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {"walk": walk, "MAPPINGS": _MAPPINGS}
        self._roots: dict[str, str] = {}
        """Variables of the scope that the text uses -> what they are called there."""

    def named(self, thing: Any) -> str:
        """An object of any kind, as the text calls it."""
        if thing is None or thing.__class__ in (bool, int, str):
            return repr(thing)
        name = f"known_{len(self._known)}"
        self._known[name] = thing
        return name

    def called(self, function: Callable[..., Any]) -> str:
        """What a function of the scope gives."""
        return f"{self.named(function)}(scope)"

    def path(self, steps: Sequence[Step]) -> str:
        """What a path of at least one step leads to from the variables; null where a step is missing."""
        name = str(steps[0])
        root = self._roots.setdefault(name, f"root_{len(self._roots)}")
        if len(steps) == 1:
            return root
        key = self._key(steps[1])
        return self.following(f"({root}.get({key}) if {root}_has else walk({root}, ({key},)))", steps[2:])

    def following(self, text: str, steps: Sequence[Step]) -> str:
        """What a path leads to from the value of `text`."""
        for step in steps:
            key = self._key(step)
            text = f"(it.get({key}) if (it := {text}).__class__ is dict else walk(it, ({key},)))"
        return text

    def _key(self, step: Step) -> str:
        return repr(step) if isinstance(step, str) else f"str({self.path(step)})"

    def function(self, text: str, otherwise: Otherwise | None = None) -> Callable[[Any], Any]:
        """The function of a scope whose value is the expression `text`."""
        if otherwise is None:
            lines = [f"return {text}"]
        else:
            kinds, instead = map(self.named, otherwise)
            lines = ["try:", f"    return {text}", f"except {kinds} as error:", f"    return {instead}(scope, error)"]
        roots = (
            f"{root} = scope.get({name!r}); {root}_has = {root}.__class__ in MAPPINGS"
            for name, root in self._roots.items()
        )
        exec("\n    ".join(["def generated(scope):", *roots, *lines]), self._known)  # noqa: S102 - our own text
        generated: Callable[[Any], Any] = self._known["generated"]
        return generated
