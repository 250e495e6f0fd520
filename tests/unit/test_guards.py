"""Which guard of an operation refuses: the first whose condition holds."""

from typing import Any

import pytest

from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import Expression, Scope
from emulator.mechanisms.resources import Fields
from emulator.operation import Act, Guard

NOTHING = Fields({})


def act(conditions: list[str]) -> Act:
    guards = tuple(Guard(Expression(when, ("body", "item")), "conflict", {}, NOTHING) for when in conditions)
    none: dict[str, Any] = dict.fromkeys(("resource", "book", "item", "call", "each", "paging"))
    empty: dict[str, Any] = {name: {} for name in ("others", "by", "filter")} | {"parts": (), "sends": ()}
    states: frozenset[str] = frozenset()
    return Act(verb="get", guards=guards, states=states, fields=NOTHING, newest_first=False, **none, **empty)


@pytest.mark.parametrize(
    ("conditions", "body", "refuses"),
    [
        ([], {}, None),
        (["body.x == 'n'", "body.x == 'y'", "true"], {"x": "y"}, 1),
        (["body.a.b > 1", "body.x == 'y'"], {"x": "y"}, 1),  # what cannot be computed does not hold
        (["body.a == 'q'", "body.x['z'] == 1", "true"], {"x": {}}, 2),
        (["body.x.matches('[')", "body.x.matches('^y')"], {"x": "y"}, 1),
        (["body.a"], {"a": []}, None),
        (["body.a"], {"a": 1}, 0),
        (["body.n + 1 == 2"], {"n": 1}, 0),
        (["body.n + 1 == 2"], {"n": "1"}, None),
        (["body.a", "true"], [], 1),
    ],
)
def test_the_first_that_holds(conditions: list[str], body: object, refuses: int | None) -> None:
    asked, scope = act(conditions), Scope(Entropy(0), {"body": body})
    for _ in range(2):
        assert asked.guard(scope) is (None if refuses is None else asked.guards[refuses])
