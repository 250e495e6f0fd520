"""The fields of a resource, computed together or one after the other: the same."""

from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import ExpressionError, Scope, Variable
from emulator.mechanisms.resources import Fields
from emulator.mechanisms.templates import Template

NAMES = get_args(Variable)
KEYS = ("a", "b", "c")
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-3, 9), st.sampled_from(KEYS))
VALUES = st.one_of(LEAVES, st.dictionaries(st.sampled_from(KEYS), LEAVES | st.fixed_dictionaries({"a": LEAVES})))
PATHS = st.builds(
    ".".join,
    st.tuples(st.sampled_from(["item", "body"]), *[st.sampled_from(KEYS)] * 2) | st.just(("item", "a", "b", "c")),
)
EXPRESSIONS = st.one_of(
    PATHS,
    PATHS.map(lambda path: path.rpartition(".")[0]),
    st.builds("find('kind', {}).a".format, PATHS),
    st.builds("find('kind', {}).b.c".format, PATHS),
    st.builds("first(item.a, {})".format, PATHS),
    st.builds("find('kind', item.b).a == {} ? item.a : body.b".format, PATHS),
    st.builds("body[item.a].{}".format, st.sampled_from(KEYS)),
    st.builds("item.{} + 1".format, st.sampled_from(KEYS)),
    st.just("digits(3)"),
)
TREES = st.one_of(EXPRESSIONS.map("${{{}}}".format), EXPRESSIONS.map("<${{{}}}>".format))


class Shelf:
    """Resources of one kind: under each key what the body has there."""

    def __init__(self, items: dict[str, Any]) -> None:
        self.items = items

    def find(self, name: str, identity: Any) -> dict[str, Any] | None:
        found = self.items.get(identity) if isinstance(identity, str) else None
        return found if isinstance(found, dict) else None

    def referring(self, name: str, field: str, target: str) -> list[dict[str, Any]]:
        return []


def scope(body: dict[str, Any]) -> Scope:
    made = Scope(Entropy(0), {"body": body})
    made.owner = Shelf(body)
    return made


def one_by_one(trees: dict[str, str], item: dict[str, Any], body: dict[str, Any]) -> dict[str, Any] | str:
    item, variables = dict(item), scope(body)
    variables["item"] = item
    for name, tree in trees.items():
        try:
            item[name] = Template(tree, NAMES)(variables)
        except ExpressionError:
            return name
    return item


@given(
    st.dictionaries(st.sampled_from(KEYS), TREES, min_size=1),
    st.dictionaries(st.sampled_from(KEYS), VALUES),
    st.dictionaries(st.sampled_from(KEYS), VALUES),
)
@settings(max_examples=600, deadline=None)
@example({"b": "${find('kind', item.a).a}", "a": "${body.c.a}", "c": "${find('kind', item.a).a}"}, {"a": "b"}, {})
@example({"b": "${item.a.b.c}", "a": "${body.a}", "c": "${item.a.b.c}"}, {"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}})
def test_together_as_one_by_one(trees: dict[str, str], item: dict[str, Any], body: dict[str, Any]) -> None:
    fields = Fields({name: Template(tree, NAMES) for name, tree in trees.items()})
    expected, before = one_by_one(trees, item, body), dict(item)
    try:
        assert fields.compute(item, scope(body)) == expected
    except ExpressionError as error:
        assert str(error).startswith(f"{expected}: ")
    assert item == before


def test_an_item_is_found_once() -> None:
    asked: list[Any] = []

    class Asked(Shelf):
        def find(self, name: str, identity: Any) -> dict[str, Any] | None:
            asked.append(identity)
            return super().find(name, identity)

    trees = {"a": "${body.b.a}", "b": "${find('kind', item.a).a}", "c": "${find('kind', item.a).b}"}
    fields, variables = Fields({name: Template(tree, NAMES) for name, tree in trees.items()}), scope({})
    variables["body"] = {"b": {"a": "c"}, "c": {"a": 1, "b": 2}}
    variables.owner = shelf = Asked(variables["body"])
    assert fields.compute({}, variables) == {"a": "c", "b": 1, "c": 2}
    assert asked == ["c"] and shelf.items


@pytest.mark.parametrize("tree", ["${item.a + item.b}", "x${item.a}"])
def test_what_cannot_be_computed_is_named(tree: str) -> None:
    fields = Fields(
        {"a": Template("${body}", NAMES), "c": Template("${item.a + 1}", NAMES), "b": Template(tree, NAMES)}
    )
    with pytest.raises(ExpressionError, match=r"^c: "):
        fields.compute({}, scope({}))
