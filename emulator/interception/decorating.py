"""An interception as its users write it: a `with` block, or a decorator with a block around each call."""

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from types import TracebackType
from typing import Any, Generic, TypeVar

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
_LATER = "{} runs after the call that `@emulator.intercept()` is around; write `with emulator.intercept():` within it"


class Interception(Generic[T]):
    """A block, begun anew each time it is entered; or a decorator of functions, coroutine functions among them.

    `begin` makes a block that gives what `with … as` names; it is told whether other connections are refused.
    """

    def __init__(self, begin: Callable[[bool], AbstractContextManager[T]], only: bool) -> None:
        """Raises TypeError where `only` is the function that a decorator without parentheses gets."""
        if callable(only):
            raise TypeError("write `@emulator.intercept()`, with parentheses")
        self._begin = begin
        self._only = only
        self._open: list[AbstractContextManager[T]] = []

    def __enter__(self) -> T:
        block = self._begin(self._only)
        given = block.__enter__()
        self._open.append(block)
        return given

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.pop().__exit__(kind, error, trace)

    def __call__(self, function: F) -> F:
        """The function within a block of its own each call. Raises TypeError for one whose body runs later."""
        if inspect.isclass(function):
            raise TypeError(_LATER.format("what a class does"))
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(_LATER.format("a generator"))
        return self._awaited(function) if inspect.iscoroutinefunction(function) else self._called(function)

    def _called(self, function: F) -> F:
        @wraps(function)
        def within(*arguments: Any, **named: Any) -> Any:
            with self._begin(self._only):
                return function(*arguments, **named)

        return within  # type: ignore[return-value]

    def _awaited(self, function: F) -> F:
        @wraps(function)
        async def within(*arguments: Any, **named: Any) -> Any:
            with self._begin(self._only):
                return await function(*arguments, **named)

        return within  # type: ignore[return-value]
