"""What every account of a provider is made of: its resources, what they cost, and what follows when credit is gone."""

from collections.abc import Iterator, Mapping
from functools import cached_property

from emulator.mechanisms.expressions import Expression
from emulator.mechanisms.meters import Meter
from emulator.mechanisms.records import record
from emulator.mechanisms.resources import Item, Reference, ResourceType


@record
class AccountRules:
    """Of one provider; whoever owns an account begins with these."""

    owner: Expression
    """Requests with the same value share the account."""
    opening_balance: Expression
    currency: Expression
    kinds: Mapping[str, ResourceType]
    meters: Mapping[str, Meter]
    """By the kind of resource they measure."""
    depletion: Mapping[str, str]
    """What resources are called to do when the balance is used up: kind -> call."""
    initial: Mapping[str, tuple[Item, ...]]
    """What a user's own data adds to a new account, as bodies of requests would say it: kind -> fields."""

    def pointing_at(self, name: str) -> Iterator[tuple[ResourceType, Reference]]:
        """The kinds that refer to a kind."""
        for kind in self.kinds.values():
            for reference in kind.references:
                if reference.resource == name:
                    yield kind, reference

    @cached_property
    def freeing(self) -> frozenset[str]:
        """The kinds whose resources, when they go, may change what others cost."""
        found: frozenset[str] = frozenset()
        while more := {name for name in self.kinds if name not in found and self._frees(name, found)}:
            found |= more
        return found

    def _frees(self, name: str, found: frozenset[str]) -> bool:
        return any(
            (reference.call is not None and kind.name in self.meters)
            or (reference.on_delete == "delete" and kind.name in found)
            for kind, reference in self.pointing_at(name)
        )
