"""What is written as Python gives what CEL gives: the same value, or it raises and CEL is asked."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.mechanisms.codegen import Code
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import Expression, ExpressionError, Scope
from emulator.mechanisms.native import parse

NAMES = ("a", "b", "c")
NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, -1, 7, 2**62, 0.0, 1.0, 2.5, -3.5]), st.integers(-9, 9), st.floats(-9, 9, width=16)
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.sampled_from(["", "a", "b", "ab", "12"]))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)),
    max_leaves=5,
)
ATOMS = st.one_of(
    st.sampled_from([*NAMES, "a.x", "b.y", "c.x.y", "a['x']", "b[0]", "c[1]", "null", "true", "false", "has(a.x)"]),
    st.sampled_from(["0", "1", "7", "2.5", "1.0", "'a'", '"b"', "''", "[1, 'a', null]", "[]", "has(b.x.y)"]),
)

PARTS = st.sampled_from(["m", "!m", "m == 1", "m.x == 'a'", "m > b", "m in c", "has(m.x)", "m == a && true", "m + 1"])
"""What a macro asks of each item."""


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "&&", "||", "+", "-", "*", "/", "%", "in"])
    functions = st.sampled_from(["size", "string", "double", "int", "ceil", "first", "lower"])
    methods = st.sampled_from(["startsWith", "endsWith", "contains"])
    macros = st.sampled_from(["exists", "all", "filter", "map"])
    return st.one_of(
        st.tuples(inner, signs, inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, signs, inner, signs, inner).map(" ".join),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} ? {t[1]} : {t[2]})"),
        inner.map(lambda one: f"!{one}"),
        st.tuples(functions, inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, methods, inner).map(lambda t: f"({t[0]}).{t[1]}({t[2]})"),
        st.tuples(inner, macros, PARTS).map(lambda t: f"({t[0]}).{t[1]}(m, {t[2]})"),
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
    except Exception:
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
    ],
)
def test_cel_has_the_last_word(text: str, variables: dict[str, Any], value: Any) -> None:
    assert kinds(Expression(text, NAMES)(scope(variables))) == kinds(value)


@pytest.mark.parametrize("text", ["a.x == 1", "1 + 1.5", "a < 'b'", "!b", "b ? 1 : 2", "size(1)", "a[7]", "7 % 0"])
def test_an_error_of_both_is_one(text: str) -> None:
    with pytest.raises(ExpressionError, match="failed"):
        Expression(text, NAMES)(scope({"a": {}, "b": 3}))


@pytest.mark.parametrize(
    "text", ["{'a': 1}.a", "a.matches('x')", "'a\\n'", "a.b(c)", "-a", "a ? 1", "1 2", "has(a)", "5 == null", "'a'.b"]
)
def test_what_only_cel_knows_is_left_to_it(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("text", [" + ".join(["a"] * 400), "(" * 90 + "a" + " + 1)" * 90, "!" * 300 + "b"])
def test_what_is_too_long_for_python_is_left_to_cel(text: str) -> None:
    variables = {"a": 1, "b": True}
    by_cel = Expression(f"{{'value': {text}}}.value", NAMES)(scope(variables))
    assert kinds(Expression(text, NAMES)(scope(variables))) == kinds(by_cel)
