"""Expressions at the leaves, templates around them."""

from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.mechanisms.codegen import Code
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import Expression, ExpressionError, Scope, Variable
from emulator.mechanisms.templates import Template, as_text

NAMES = get_args(Variable)
REQUEST = {"model": "m", "n": 3, "zero": 0, "nothing": None, "list": ["a", {"b": "c"}], "pi": 3.5, "yes": True}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
)


def scope(**variables: Any) -> Scope:
    return Scope(Entropy(0), {"request": REQUEST, "models": [{"id": "a"}, {"id": "b"}], **variables})


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("request.model", "m"),
        ("request.nothing", None),
        ("request.missing", None),
        ("request.missing.deeper.still", None),
        ("request.model.deeper", None),
        ("request.list.0", "a"),
        ("request.list.1.b", "c"),
        ("request.list.7", None),
        ("request.list.b", None),
        ("usage.total", None),
        ("usage", None),
        ("17", 17),
        ("-1.5", -1.5),
        ("'text'", "text"),
        ('"text"', "text"),
        ("true", True),
        ("null", None),
        (17, 17),
        (True, True),
        ("request.n + 1", 4),
        ("request.n > 2 ? 'many' : 'few'", "many"),
        ("has(request.missing) ? 1 : 2", 2),
        ("has(request.zero) ? 1 : 2", 1),
        ("first(request.nothing, request.n)", 3),
        ("first(request.missing, 'none')", "none"),
        ("first(request.missing, request.list).1.b", "c"),
        ("first(request.missing).deeper.still", None),
        ("first(request.list, 'none')[request.zero]", "a"),
        ("find('disk', request.model).size", None),
        ("request.list.exists(item, item == 'a')", True),
        ("join(['a', 'b'], ', ')", "a, b"),
        ("lower('ABC')", "abc"),
        ("left('abcdef', 4)", "abcd"),
        ("snake_case(' Support-Agent (EU)!')", "support_agent_eu"),
        ("counts([{'a': ['x', 'y']}, {'a': 'x'}, {'a': []}], 'a')", {"x": 2, "y": 1}),
        ("counts([{'a': 'y'}, {'a': 'x'}, {'a': 'x'}], 'a')", {"y": 1, "x": 2}),
        ("mode([{'a': 'y'}, {'a': 'x'}, {'a': 'x'}], 'a')", "x"),
        ("mode([], 'a')", None),
        ("last([1, 2])", 2),
        ("last([])", None),
        ("numbers(3)", [1, 2, 3]),
        ("ceil(1.2)", 2),
        ("iso8601(0)", "1970-01-01T00:00:00Z"),
        ("iso8601_micros(1782892800.000001)", "2026-07-01T08:00:00.000001"),
        ("iso8601_micros(1782892800)", "2026-07-01T08:00:00.000000"),
        ("iso8601_micros(1782892800.5)", "2026-07-01T08:00:00.500000"),
        ("replace('my_first_agent', '_', '-')", "my-first-agent"),
        ("replace('abc', 'd', '')", "abc"),
        ("http_date(0)", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("size(request.list)", 2),
        ("request.list.size() + size('a')", 3),
        ("['a', 'b'].join(', ')", "a, b"),
        ("lower( 'A,(B' )", "a,(b"),
        ("lower(r'A\\') + \"hex(\"", "a\\hex("),
        ('lower("""A"B,""") // hex(', 'a"b,'),
        ("[1, 2].map(x, x > 1, x + 1)", [3]),
        ("max(1, 2, (3), [4, 5].size())", 3),
    ],
)
def test_values(source: str | int | bool, value: object) -> None:
    assert Expression(source, NAMES)(scope()) == value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("plan.requests", "`plan.requests` uses `plan`, which does not exist; there are account, "),
        ("plan == 1", "`plan == 1` uses `plan`, which does not exist; there are account, "),
        ("request.n +", "`request.n +` is not an expression: "),
        ("hexx(4)", "`hexx(4)` calls `hexx`, which does not exist; there are alnum, ceil, "),
        ("", "`` is not an expression: "),
        ("join(request.list)", "`join(request.list)` gives `join` 1 argument, which takes 2 to 3"),
        ("1 + ceil(1, (2), [3, 4])", "`1 + ceil(1, (2), [3, 4])` gives `ceil` 3 arguments, which takes 1"),
        ("{'a': uuid(3)}", "`{'a': uuid(3)}` gives `uuid` 1 argument, which takes 0"),
        ("min() > 1", "`min() > 1` gives `min` 0 arguments, which takes at least 1"),
        ("request.list.map(x, hex())", "`request.list.map(x, hex())` gives `hex` 0 arguments, which takes 1"),
        ("request.list.all(x)", "`request.list.all(x)` gives `all` 1 argument, which takes 2"),
        ("request.list.join()", "`request.list.join()` gives `join` 0 arguments, which takes 1 to 2"),
        ("size(1, 2)", "`size(1, 2)` gives `size` 2 arguments, which takes 1"),
        ("contains('a', 'b')", "`contains('a', 'b')` calls `contains` on no value: `value.contains(…)`"),
        ("request.n.int()", "`request.n.int()` calls `int` as a method, which it is not: `int(…)`"),
        ("bool(1)", "`bool(1)` calls `bool`, which does not exist; there are alnum, ceil, "),
    ],
)
def test_what_does_not_compile(source: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Expression(source, NAMES)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("source", ["request.missing + 1", "request.model + 1", "1 / request.zero", "join(1, 2)"])
def test_what_fails_on_a_request_says_which_and_why(source: str) -> None:
    with pytest.raises(ExpressionError, match="failed: "):
        Expression(source, NAMES)(scope())


def test_a_changed_variable_is_seen() -> None:
    expression, changing = Expression("choice + 1", NAMES), scope(choice=1)
    assert expression(changing) == 2
    changing["choice"] = 5
    assert expression(changing) == 6


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain", "plain"),
        (17, 17),
        (None, None),
        ("${request.n}", 3),
        ("n is ${request.n}", "n is 3"),
        ("${request.n}${request.model}", "3m"),
        ("${request.nothing}!", "null!"),
        ("${request.yes} ${request.pi}", "true 3.5"),
        ("${request.list}", ["a", {"b": "c"}]),
        ("in ${request.list}", 'in ["a",{"b":"c"}]'),
        ({"a": "${request.missing}", "b?": "${request.missing}", "c?": 1}, {"a": None, "c": 1}),
        ({"b?": None, "c?": 0, "d?": ""}, {"c": 0, "d": ""}),
        ({"$each": "model in models", "$give": {"id": "${model.id}"}}, [{"id": "a"}, {"id": "b"}]),
        ({"$each": "model in request.nothing", "$give": 1}, None),
        ({"x?": {"$each": "model in request.nothing", "$give": 1}}, {}),
        (
            {"$each": "model in models", "$key": "${model.id}", "$give": {"id": "${model.id}"}},
            {"a": {"id": "a"}, "b": {"id": "b"}},
        ),
        (
            {
                "$each": "m in models",
                "$key": "of-${m.id}",
                "$give": {"$each": "n in models", "$key": "${n.id}", "$give": "${m.id}"},
            },
            {"of-a": {"a": "a", "b": "a"}, "of-b": {"a": "b", "b": "b"}},
        ),
        ({"$each": "model in request.nothing", "$key": "${model.id}", "$give": 1}, None),
        ([1, "${request.n}", {"a": "${request.model}"}], [1, 3, {"a": "m"}]),
        ({17: "${request.n}"}, {"17": 3}),
        ("$request.n", "$request.n"),
        ("a } b", "a } b"),
    ],
)
def test_templates(template: object, value: object) -> None:
    assert Template(template, NAMES)(scope()) == value


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"a": ["${nothing.at.all}"]}, "uses `nothing`"),
        ({"$each": "models", "$give": 1}, "a list is written"),
        ({"$each": "m in models"}, "a list is written"),
        ({"$each": "m in models", "$give": 1, "more": 2}, "a list is written"),
        ({"$each": "m in models", "$key": "${m.id}"}, "a list is written"),
        ({"$each": "m in models", "$key": "${nothing.id}", "$give": 1}, "uses `nothing`"),
        ({"$each": "m in nothing", "$give": 1}, "uses `nothing`"),
        ("${request.n", "opens a hole and does not close it"),
        ("${request.n} and ${", "opens a hole and does not close it"),
    ],
)
def test_templates_that_do_not_compile(template: object, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        Template(template, NAMES)


def test_the_name_of_a_list_item_ends_with_the_list() -> None:
    template = Template(
        {"list": {"$each": "model in models", "$give": "${model.id}"}, "after": "${model.id}"}, (*NAMES, "model")
    )
    assert template(scope(model={"id": "outer"})) == {"list": ["a", "b"], "after": "outer"}
    with pytest.raises(ExpressionError, match="uses `entry`"):
        Template({"list": {"$each": "entry in models", "$give": 1}, "after": "${entry}"}, NAMES)


def test_key_order_is_the_order_written() -> None:
    value = Template({"z": 1, "a": "${request.n}", "m?": 2}, NAMES)(scope())
    assert list(value) == ["z", "a", "m"]


@given(JSON.filter(lambda value: not (isinstance(value, str) and "${" in value)))
@settings(deadline=None)
def test_a_hole_gives_the_value_itself(value: object) -> None:
    assert Template("${fact}", NAMES)(scope(fact=value)) == value
    assert Template({"a": ["${fact}"]}, NAMES)(scope(fact=value)) == {"a": [value]}


@given(st.text())
@settings(deadline=None)
def test_text_is_spliced_as_it_is(text: str) -> None:
    assert Template("<${fact}>", NAMES)(scope(fact=text)) == f"<{text}>"
    assert as_text(text) == text


def test_a_tree_may_be_deep() -> None:
    tree: object = "${request.model}"
    for level in range(200):
        tree = [tree] if level % 2 else {"deeper?": tree}
    value = Template(tree, NAMES)(scope())
    for level in reversed(range(200)):
        value = value[0] if level % 2 else value["deeper"]
    assert value == REQUEST["model"]


PATHS = st.sampled_from(["fact", "fact.a", "fact.a.b", "fact.b.a", "error.a", "error.b.a.b", "value"])
HOLES = st.one_of(
    PATHS,
    st.sampled_from(["fact.a.1", "error.a.b.0", "fact[error.a].b"]),
    PATHS.map("first({}, 'none')".format),
    PATHS.map("join({}, '-')".format),
    PATHS.map("{} == 'a' ? fact.a : error.b".format),
    PATHS.map("{} + 1".format),
    PATHS.map("size({})".format),
    st.sampled_from(["has(fact.a)", "has(error.a.b)", "fact.a.matches('^a')", "[1, 2].exists(x, x == fact.a)"]),
)
TREES = st.recursive(
    HOLES.map("${{{}}}".format) | HOLES.map("<${{{}}}>".format),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b?"]), below)
        | st.builds(
            lambda name, give: {"$each": f"value in {name}", "$give": {"one": "${value.a}", "more": give}},
            st.sampled_from(["fact", "items"]),
            below,
        )
    ),
    max_leaves=4,
)
FACTS = st.one_of(JSON, st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys("ab", JSON))))
NAMED = st.dictionaries(st.sampled_from(["a", "b"]), st.dictionaries(st.sampled_from(["a", "b"]), JSON) | JSON)


@given(TREES, FACTS | NAMED, NAMED | JSON)
@settings(max_examples=500, deadline=None)
def test_the_plain_way_gives_what_the_careful_one_gives(tree: object, fact: object, error: object) -> None:
    def outcome(render: Callable[[Scope], Any]) -> Any:
        variables = scope(fact=fact, items=fact, error=error, value={"a": "outer"})
        try:
            return render(variables), variables.get("value")
        except ExpressionError as failure:
            return str(failure)
        except TypeError:
            return "not to be repeated"  # what a list is made of is none

    template, code = Template(tree, NAMES), Code()
    assert outcome(template) == outcome(code.function(template.written(code)))
