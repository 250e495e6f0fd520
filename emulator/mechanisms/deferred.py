"""Compiled things that remember what they are made of: made when first used, or at once where mistakes must show.

Each is what its base class is. `made_of` is what a store keeps of it.
"""

from threading import RLock
from typing import Any, Self, get_args

from emulator.mechanisms.expressions import Expression, Variable
from emulator.mechanisms.requests import Reader
from emulator.mechanisms.templates import Template
from emulator.mechanisms.wording import Wording

NAMES: tuple[str, ...] = get_args(Variable)
_MAKING = RLock()  # emulators in several threads share what is made


class Deferred:
    """Before the base class: an attribute that is not there yet makes the thing.

    What looks for such attributes is slow to give those that are there, so a thing that is made is of a class without.
    """

    __slots__ = ()
    made_of: Any
    MADE: type[Any]
    _NAMES: tuple[Any, ...] = ()

    def __init__(self, made_of: Any) -> None:
        self.made_of = made_of

    def made(self) -> Self:
        """The same, made now. Raises what its base class raises."""
        super().__init__(self.made_of, *self._NAMES)  # type: ignore[call-arg]
        self.__class__ = self.MADE
        return self

    def __getattr__(self, name: str) -> Any:
        with _MAKING:
            if isinstance(self, Deferred):  # nobody else made it meanwhile
                self.made()
        return getattr(self, name)


class MadeExpression(Expression):
    __slots__ = ("made_of",)


class LateExpression(Deferred, Expression):
    """Of its source."""

    __slots__ = ("made_of",)
    MADE = MadeExpression
    _NAMES = (NAMES,)


class MadeTemplate(Template):
    __slots__ = ("made_of",)


class LateTemplate(Deferred, Template):
    """Of its tree."""

    __slots__ = ("made_of",)
    MADE = MadeTemplate
    _NAMES = (NAMES,)


class MadeReader(Reader):
    __slots__ = ("made_of",)


class LateReader(Deferred, Reader):
    """Of expressions by neutral field."""

    __slots__ = ("made_of",)
    MADE = MadeReader


class MadeWording(Wording):
    __slots__ = ("made_of",)


class LateWording(Deferred, Wording):
    """Of templates by violation."""

    __slots__ = ("made_of",)
    MADE = MadeWording


KINDS: tuple[type[Deferred], ...] = (LateExpression, LateTemplate, LateReader, LateWording)
