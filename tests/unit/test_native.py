"""What is written as Python gives what CEL gives: the same value, or it raises and CEL is asked."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.mechanisms.codegen import FAILURES, Code
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import Expression, ExpressionError, Scope
from emulator.mechanisms.native import parse

NAMES = ("a", "b", "c")
NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, -1, 7, 0.0, 1.0, 2.5, -3.5]),
    st.sampled_from([2**53 - 1, 2**53, 2**53 + 1, -(2**53), 2**62, 2**63 - 1, -(2**63), 2**63, 2**64 - 1]),
    st.sampled_from([2.0**53, -(2.0**53), 2.0**62, 2.0**63, 2.0**64, 1e200, -1e200]),
    st.integers(-9, 9),
    st.floats(-9, 9, width=16),
)
"""What JSON of a client can hold: larger whole numbers are doubles when they are read."""
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.sampled_from(["", "a", "b", "ab", "12"]))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)),
    max_leaves=5,
)
ATOMS = st.one_of(
    st.sampled_from([*NAMES, "a.x", "b.y", "c.x.y", "a['x']", "b[0]", "c[1]", "null", "true", "false", "has(a.x)"]),
    st.sampled_from(
        ["a.in", "b.null", "c.if", "in", "if", "has(a['x'])", "a[9223372036854775808]", "'a\rb'", "[1,\v2]"]
    ),
    st.sampled_from(["9007199254740993", "9007199254740992.0", "9223372036854775807", "9223372036854775808"]),
    st.sampled_from(["0", "1", "7", "2.5", "1.0", "'a'", '"b"', "''", "[1, 'a', null]", "[]", "has(b.x.y)"]),
)

PARTS = st.sampled_from(["m", "!m", "m == 1", "m.x == 'a'", "m > b", "m in c", "has(m.x)", "m == a && true", "m + 1"])
"""What a macro asks of each item."""
OWN = st.sampled_from(["m", "m", "a", "b", "c", "size", "in", "if", "true", "package"])
"""What it calls the item: perhaps as a variable is called, or as nothing may be."""


def _macro(items: str, name: str, own: str, part: str) -> str:
    return f"({items}).{name}({own}, {re.sub('m', own, part)})"


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "&&", "||", "+", "-", "*", "/", "%", "in"])
    functions = st.sampled_from(["size", "string", "double", "int", "ceil", "first", "lower"])
    methods = st.sampled_from(["startsWith", "endsWith", "contains"])
    macros = st.sampled_from(["exists", "all", "filter", "map"])
    return st.one_of(
        st.tuples(inner, signs, inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, signs, inner, signs, inner).map(" ".join),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} ? {t[1]} : {t[2]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"{t[0]} ? {t[1]} : {t[2]}"),
        inner.map(lambda one: f"!{one}"),
        st.tuples(functions, inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, methods, inner).map(lambda t: f"({t[0]}).{t[1]}({t[2]})"),
        st.tuples(inner, macros, OWN, PARTS).map(lambda t: _macro(*t)),
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
    )


TEXTS = st.recursive(ATOMS, _larger, max_leaves=6)


def scope(variables: dict[str, Any]) -> Scope:
    return Scope(Entropy(0), dict(variables))


def kinds(value: Any) -> Any:
    """The value with its types, all the way down."""
    if isinstance(value, list):
        return [kinds(one) for one in value]
    if isinstance(value, dict):
        return {key: kinds(one) for key, one in value.items()}
    return type(value).__name__, value


@given(TEXTS, st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)))
@settings(max_examples=1500, deadline=None)
def test_the_same_value_or_none(text: str, variables: dict[str, Any]) -> None:
    native, code = parse(text), Code()
    if native is None:
        return
    try:
        given = code.function(native.write(code))(scope(variables))
    except FAILURES:
        return
    # the same with a part that only CEL knows, so that nothing else is
    by_cel = Expression(f"{{'value': {text}}}.value", NAMES)(scope(variables))
    assert kinds(by_cel) == kinds(given)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a[1]", 2),
        ("a[0] + 1 <= 2 && b.x.startsWith('y')", True),
        ("b['x'] in ['no', 'yes'] ? size(a) * 2 : null", 4),
        ("!has(b.y) || 7 % 4 == 3", True),
        ("a.filter(m, m > 1) + [double(3)]", [2, 3.0]),
        ("a.map(m, string(m)).exists(m, m == '2')", True),
        ("ceil(2.5) - 7 / 2", 0),
    ],
)
def test_ordinary_values_need_no_cel(text: str, value: Any) -> None:
    """What raised would be right all the same, and slow."""
    native, code = parse(text), Code()
    assert native is not None
    given = code.function(native.write(code))(scope({"a": [1, 2], "b": {"x": "yes"}}))
    assert kinds(given) == kinds(value)


@pytest.mark.parametrize(
    ("text", "variables", "value"),
    [
        ("a.x == 1 && false", {"a": {}}, False),
        ("a.x == 1 || b", {"a": {}, "b": True}, True),
        ("7 / a", {"a": -2}, -3),
        ("a == b", {"a": [True], "b": [1]}, False),
        ("string(a)", {"a": 1.5}, "1.5"),
        ("string(a)", {"a": 2**70}, "1180591620717411300000"),
        ("a == b", {"a": 2**53 + 1, "b": 2.0**53}, True),
        ("a > b", {"a": 2**53 + 1, "b": 2.0**53}, False),
        ("a in [b]", {"a": 2**53 + 1, "b": 2.0**53}, True),
        ("a - a", {"a": 2**70}, 0.0),
    ],
)
def test_cel_has_the_last_word(text: str, variables: dict[str, Any], value: Any) -> None:
    assert kinds(Expression(text, NAMES)(scope(variables))) == kinds(value)


@pytest.mark.parametrize("text", ["a.x == 1", "1 + 1.5", "a < 'b'", "!b", "b ? 1 : 2", "size(1)", "a[7]", "7 % 0",
     "c[7]", "c[7].x == 1", "int(d)", "int(e)", "e * 0", "f * f - f * f > 1.0"])  # fmt: skip
def test_an_error_of_both_is_one(text: str) -> None:
    with pytest.raises(ExpressionError, match="failed"):
        Expression(text, (*NAMES, "d", "e", "f"))(
            scope({"a": {}, "b": 3, "c": [], "d": "9" * 20, "e": 2**63, "f": 1e200})
        )


@pytest.mark.parametrize(
    "text",
    [
        "{'a': 1}.a",
        "a.matches('x')",
        "'a\\n'",
        "a.b(c)",
        "-a",
        "a ? 1",
        "1 2",
        "has(a)",
        "5 == null",
        "'a'.b",
        "a ? b ? 1 : 2 : 3",
        "[9223372036854775808]",
        f"[{'9' * 400}.0]",
        f"[{'9' * 5000}]",
        "a[9223372036854775808]",
        "a.in == 1",
        "has((a).null)",
        "has(a['x'])",
        "a.exists(in, true)",
        "a.map(if, if)",
        "[\u0663]",
        "[1,\u00a02]",
    ],
)
def test_what_only_cel_knows_is_left_to_it(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.exists(a, a == 1)", True),
        ("a.exists(b, b == 1) && b == 5", True),
        ("b == 5 && a.all(b, b < 3)", True),
        ("a.map(a, a + 1)", [2, 3]),
        ("a.map(a, [a].map(a, a + 1))", [[2], [3]]),
    ],
)
def test_a_macro_may_hide_a_variable(text: str, value: Any) -> None:
    for written in (text, f"{{'value': {text}}}.value"):
        assert Expression(written, NAMES)(scope({"a": [1, 2], "b": 5})) == value


@pytest.mark.parametrize(
    "text", ["9223372036854775808", "-9223372036854775809", "9" * 5000, "9" * 400 + ".0", "\u0663"]
)
def test_a_number_that_cel_has_not_is_no_expression(text: str) -> None:
    with pytest.raises(ExpressionError, match="is not an expression"):
        Expression(text, NAMES)


def test_the_largest_numbers_are_constants() -> None:
    texts = ["9223372036854775807", "-9223372036854775808", "1" * 300 + ".0"]
    assert [Expression(text, NAMES)(scope({})) for text in texts] == [2**63 - 1, -(2**63), float("1" * 300)]


@pytest.mark.parametrize("text", [" + ".join(["a"] * 400), "(" * 90 + "a" + " + 1)" * 90, "!" * 300 + "b"])
def test_what_is_too_long_for_python_is_left_to_cel(text: str) -> None:
    variables = {"a": 1, "b": True}
    by_cel = Expression(f"{{'value': {text}}}.value", NAMES)(scope(variables))
    assert kinds(Expression(text, NAMES)(scope(variables))) == kinds(by_cel)
