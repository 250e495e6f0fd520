"""The cache knows each class that a provider can be made of: one it does not know would make every start slow."""

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

from emulator.catalog.stored import RECORDS
from emulator.mechanisms.faults import FaultKind
from emulator.operation import Operation
from emulator.provider import Provider


def classes(hint: Any) -> Iterator[type[Any]]:
    """The classes of named fields that a type speaks of."""
    if isinstance(hint, type) and hasattr(hint, "__match_args__"):
        yield hint
    for part in get_args(hint):
        yield from classes(part) if not isinstance(part, list) else ()


def reachable(kind: type[Any], seen: set[type[Any]]) -> set[type[Any]]:
    """A class and all those that its fields are of."""
    if kind not in seen and kind is not FaultKind:  # a fault is kept by its name
        seen.add(kind)
        for hint in get_type_hints(kind).values():
            for found in classes(hint):
                reachable(found, seen)
    return seen


def test_everything_that_a_provider_holds_can_be_kept() -> None:
    needed = reachable(Provider, set()) - {Provider, Operation}
    assert len(needed) > 40
    assert {kind.__name__ for kind in needed} <= set(RECORDS)
