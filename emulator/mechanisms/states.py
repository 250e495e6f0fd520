"""State machines of resources: states that follow by time, and states that a call leads to."""

from collections.abc import Iterable, Mapping

from emulator.mechanisms.expressions import Expression, Scope
from emulator.mechanisms.records import record


@record
class Timed:
    """What follows a state by itself, after some seconds."""

    after: float
    to: str | None
    """None: the resource is gone."""
    when: Expression | None


@record
class Call:
    """What a client may ask for: the states it may ask in, and the state it leads to."""

    sources: tuple[str, ...]
    to: str


@record
class StateMachine:
    """Every way from one state to another. Nothing else changes a state."""

    first: str
    timed: Mapping[str, tuple[Timed, ...]]
    """By the state that is left; the first whose condition holds on entry."""
    calls: Mapping[str, Call]

    def follows(self, state: str, scope: Scope) -> Timed | None:
        """What will follow a state that is being entered; the resource stands in the scope as `item`."""
        for timed in self.timed.get(state, ()):
            if timed.when is None or timed.when.holds(scope):
                return timed
        return None

    def rest(self, scope: Scope) -> str:
        """The state that a new resource comes to by itself; it stands in the scope as `item`."""
        state = self.first
        while (timed := self.follows(state, scope)) and timed.to:
            state = timed.to
        return state

    def names(self) -> Iterable[str]:
        """Every state there is, the first one first."""
        timed = ((source, way.to) for source, ways in self.timed.items() for way in ways)
        called = ((*call.sources, call.to) for call in self.calls.values())
        states = (state for states in (*timed, *called) for state in states if state is not None)
        return dict.fromkeys((self.first, *states))
