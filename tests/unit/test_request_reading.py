"""What a body breaks, and what a neutral request makes of a body: bounded, and for any types."""

import json
from typing import Any

import pytest

from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import Expression, Scope
from emulator.mechanisms.requests import Reader
from emulator.mechanisms.tokens import TokenRatio
from emulator.mechanisms.violations import RequestSchema, Violation

SCHEMA = {
    "type": "object",
    "required": ["model"],
    "properties": {
        "items": {"type": "array", "maxItems": 2000, "items": {"type": "object", "required": ["role"]}},
        "model": {"type": "string"},
    },
}


def broken(body: Any) -> list[Violation]:
    return RequestSchema.compile(SCHEMA, {}, required=True).violations(body)


def nested(depth: int) -> list[Any]:
    whole: list[Any] = []
    for _ in range(depth):
        whole = [whole]
    return whole


def test_violations_come_in_the_order_of_the_schema() -> None:
    assert [v["dotted"] for v in broken({"items": [{}, 1]})] == ["items.0.role", "items.1", "model"]


def test_the_body_itself_has_a_name() -> None:
    [violation] = broken([])
    assert (violation["keyword"], violation["bracketed"], violation["path"]) == ("type", "body", [])


@pytest.mark.parametrize("depth", [100, 300, 900])
def test_deep_bodies_are_told_like_others(depth: int) -> None:
    assert [v["dotted"] for v in broken({"model": 1, "other": nested(depth)})] == ["model"]


def test_long_lists_are_told_in_part() -> None:
    found = broken({"items": [{}] * 1_000_000})
    assert len(found) == 50
    assert found[0]["dotted"] == "items.0.role"


def test_a_mistake_at_the_far_end_of_a_list_is_found() -> None:
    assert [v["dotted"] for v in broken({"model": "m", "items": [{"role": 1}] * 1500 + [{}]})] == ["items.1500.role"]
    assert [v["keyword"] for v in broken({"model": "m", "items": [{"role": 1}] * 2001})] == ["maxItems"]


@pytest.mark.parametrize(
    ("kind", "given", "coerced"),
    [
        ("integer", "7", 7),
        ("integer", " -7 ", -7),
        ("integer", "7.5", "7.5"),
        ("integer", "seven", "seven"),
        ("integer", True, True),
        ("number", "7.5", 7.5),
        ("number", "1e3", 1000.0),
        ("number", "", ""),
        ("boolean", "True", True),
        ("boolean", "no", "no"),
        (["integer", "null"], "7", 7),
        (["null", "boolean"], "false", False),
        (["integer", "string"], "7", "7"),
        ("string", "7", "7"),
        (None, "7", "7"),
    ],
)
def test_text_is_read_as_what_its_schema_asks_for(kind: Any, given: Any, coerced: Any) -> None:
    field = {"type": kind} if kind else {}
    inner = {"type": "object", "properties": {"x": field}}
    schema = {"type": "object", "properties": {"x": field, "xs": {"type": "array", "items": inner}}}
    sent = {"x": given, "xs": [{"x": given}], "y": "7"}
    body = RequestSchema.compile(schema, {}, required=True).coerced(sent, json.dumps(sent).encode(), texts=True)
    assert body == {"x": coerced, "xs": [{"x": coerced}], "y": "7"}
    assert type(body["x"]) is type(coerced)


@pytest.mark.parametrize("texts", [True, False])
@pytest.mark.parametrize(
    ("kind", "given", "read"),
    [
        ("integer", "2.0", 2),
        ("integer", "-2.00", -2),
        ("integer", "2.5", 2.5),
        ("integer", "1e300", 1e300),
        (["integer", "null"], "2.0", 2),
        (["integer", "number"], "2.0", 2.0),
        ("number", "2.0", 2.0),
        (None, "2.0", 2.0),
    ],
)
def test_a_whole_number_is_an_integer_however_it_is_written(kind: Any, given: str, read: Any, *, texts: bool) -> None:
    schema = {"type": "object", "properties": {"x": {"type": kind} if kind else {}}}
    raw = f'{{"x": {given}}}'.encode()
    body = RequestSchema.compile(schema, {}, required=True).coerced(json.loads(raw), raw, texts=texts)
    assert (body, type(body["x"])) == ({"x": read}, type(read))


def read(**body: Any) -> dict[str, Any]:
    fields = {name: [Expression(f"body.{name}", ["body"])] for name in ("n", "max_tokens", "tools", "messages", "stop")}
    fields["max_tokens"].insert(0, Expression("body.limit", ["body"]))
    return Reader(fields).read(Scope(Entropy(0), {"body": body}), TokenRatio())


@pytest.mark.parametrize(
    ("given", "n"), [(None, 1), (0, 1), (-3, 1), (0.5, 1), (2, 2), (2.0, 2), (1e300, 128), (True, 1), ("2", 1), ([], 1)]
)
def test_how_many_choices(given: Any, n: int) -> None:
    assert read(n=given)["n"] == n


@pytest.mark.parametrize("wrong", ["5", [], {}, True])
def test_a_value_of_a_wrong_type_is_as_good_as_none(wrong: Any) -> None:
    assert read(max_tokens=wrong)["max_tokens"] is None
    assert read(limit=wrong, max_tokens=7)["max_tokens"] == 7
    assert read(tools="t")["tools"] is None
    assert read(messages="m")["messages"] is None


def test_the_first_that_is_there_counts() -> None:
    assert read(limit=5, max_tokens=7)["max_tokens"] == 5
    assert read(limit=None, max_tokens=7.0)["max_tokens"] == 7


@pytest.mark.parametrize(
    ("messages", "role", "text"),
    [
        ([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "assistant", "a"),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}], "user", "a"),
        ([{"role": "tool", "content": "t"}], "tool", "t"),
        ([{"role": "system", "content": "s"}], "system", "s"),
        ([7, None, {"content": 5}], None, ""),
        ([], None, ""),
    ],
)
def test_what_follows_from_the_messages(messages: list[Any], role: str | None, text: str) -> None:
    request = read(messages=messages)
    assert (request["last_role"], request["last_text"]) == (role, text)


def prompted(prompt: Any, **fields: Any) -> dict[str, Any]:
    reader = Reader({"prompt": [Expression("body.prompt", ["body"])]})
    return reader.read(Scope(Entropy(0), {"body": {"prompt": prompt, **fields}}), TokenRatio(4, per_message=3))


@pytest.mark.parametrize(
    ("prompt", "prompts", "tokens", "longest", "asked"),
    [
        ("abcde", ["abcde"], 2, 2, ["abcde"]),
        (["abcde", "a"], ["abcde", "a"], 3, 2, ["abcde", "a"]),
        ([7, 8, 9], [[7, 8, 9]], 3, 3, [""]),
        ([[7, 8], [], "a"], [[7, 8], [], "a"], 3, 2, ["", "", "a"]),
        ([], [[]], 0, 0, [""]),
        (["a", 7], ["a", []], 1, 1, ["a", ""]),
    ],
)
def test_what_follows_from_prompts(prompt: Any, prompts: Any, tokens: int, longest: int, asked: list[str]) -> None:
    """They are counted without what a message costs beside its text."""
    request = prompted(prompt)
    assert (request["prompts"], request["asked"], request["last_text"]) == (prompts, asked, asked[-1])
    assert (request["prompt_tokens"], request["longest_prompt"]) == (tokens, longest)
