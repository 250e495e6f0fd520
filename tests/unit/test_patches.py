"""The closed list of quirk operations: each does what it says, and there are no others."""

import copy
import re
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from emulator.catalog.language import quirks
from emulator.mechanisms import patches
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.events import Event, Timeline, patch_timeline
from emulator.mechanisms.expressions import ExpressionError, Scope
from emulator.mechanisms.patches import Headers, Patch
from emulator.mechanisms.templates import Template

COUNTS = {"body": 7, "headers": 4, "status": 1, "stream": 7, "request": 4}
DECLARED = {
    "body": patches.BodyOp,
    "headers": patches.HeaderOp,
    "status": patches.StatusOp,
    "stream": patches.StreamOp,
    "request": patches.RequestOp,
}
NAMES = ("parent", "value", "request")


def op(target: Any, operation: str, value: Any = None, /, **arguments: Any) -> Patch:
    return Patch(target, operation, arguments, None if value is None else Template(value, NAMES))


def scope() -> Scope:
    return Scope(Entropy(0), {"request": {"model": "m"}})


def written(target: str) -> set[str]:
    """The operations that a fixture may write for a target."""
    models = get_args(get_args(quirks.Quirk)[0])
    schema = next(m for m in models if get_args(m.model_fields["target"].annotation) == (target,)).model_json_schema()
    known = [d for d in schema["$defs"].values() if "op" in d.get("properties", {})]
    ops = [d["properties"]["op"] for d in known]
    return {name for o in ops for name in ([o["const"]] if "const" in o else o["enum"])}


def test_the_language_grows_by_a_decision() -> None:
    assert set(get_args(patches.Target)) == {*COUNTS, "fault"}
    assert {target: len(get_args(ops)) for target, ops in DECLARED.items()} == COUNTS
    for target, ops in DECLARED.items():
        assert written(target) == set(get_args(ops))


@pytest.mark.parametrize("target", COUNTS)
def test_an_unknown_operation_is_refused(target: str) -> None:
    quirk = {"id": "q", "target": target, "source": "s", "do": [{"op": "explode"}]}
    with pytest.raises(ValidationError):
        TypeAdapter[Any](quirks.Quirk).validate_python(quirk)


BODY: dict[str, Any] = {
    "id": 1,
    "n": None,
    "choices": [{"message": {"text": "a", "x": None}, "i": "0"}, {"i": "1"}, 7],
    "usage": {},
    "on": True,
    "off": "false",
    "money": "10.50",
    "vectors": [{"v": [1, -2.0]}],
}


@pytest.mark.parametrize(
    ("patch", "path", "expected"),
    [
        (op("body", "add", "new", path="added"), (), {**BODY, "added": "new"}),
        (op("body", "add", "${request.model}", path="usage.m"), ("usage",), {"m": "m"}),
        (op("body", "add", "${parent.i}!", path="choices.*.j", after="i"), ("choices", 1), {"i": "1", "j": "1!"}),
        (op("body", "remove", path="n"), (), {k: v for k, v in BODY.items() if k != "n"}),
        (op("body", "remove", path="choices.*.message"), ("choices", 0), {"i": "0"}),
        (op("body", "replace", "${value} or two", path="id"), ("id",), "1 or two"),
        (op("body", "replace", "${value}!", path="choices.*.i"), ("choices", 1, "i"), "1!"),
        (op("body", "replace", "x", path="missing"), (), BODY),
        (op("body", "move", path="choices.*.message", to="error"), ("choices", 1), {"i": "1"}),
        (op("body", "retype", path="choices.*.i", to="integer"), ("choices", 1, "i"), 1),
        (op("body", "retype", path="id", to="integer"), ("id",), 1),
        (op("body", "retype", path="id", to="string"), ("id",), "1"),
        (op("body", "retype", path="id", to="number"), ("id",), 1.0),
        (op("body", "retype", path="id", to="boolean"), ("id",), True),
        (op("body", "retype", path="n", to="string"), ("n",), "null"),
        (op("body", "retype", path="on", to="string"), ("on",), "true"),
        (op("body", "retype", path="usage", to="string"), ("usage",), "{}"),
        (
            op("body", "retype", path="choices.*.message", to="string"),
            ("choices", 0, "message"),
            '{"text":"a","x":null}',
        ),
        (op("body", "retype", path="off", to="boolean"), ("off",), False),
        (op("body", "retype", path="money", to="number"), ("money",), 10.5),
        (op("body", "scale", path="id", factor=2.5), ("id",), 2.5),
        (op("body", "scale", path="vectors.*.v", factor=2), ("vectors", 0, "v"), [2, -4.0]),
        (op("body", "omit_null"), (), {k: v for k, v in BODY.items() if k != "n"}),
        (op("body", "omit_null", path="choices.*.message"), ("choices", 0, "message"), {"text": "a"}),
        (op("body", "remove", path="choices.message"), (), BODY),
        (op("body", "remove", path="id.deeper"), (), BODY),
        (op("body", "add", "x", path="nowhere.deeper"), (), BODY),
    ],
)
def test_body(patch: Patch, path: tuple[Any, ...], expected: Any) -> None:
    body: Any = copy.deepcopy(BODY)
    patches.patch_body(body, patch, scope())
    for step in path:
        body = body[step]
    assert body == expected
    assert type(body) is type(expected)


@pytest.mark.parametrize(
    ("patch", "reason"),
    [
        (op("body", "retype", path="money", to="integer"), "retype of money failed: '10.50' is no integer"),
        (op("body", "retype", path="n", to="integer"), "null is no integer"),
        (op("body", "retype", path="usage", to="number"), "{} is no number"),
        (op("body", "retype", path="inf", to="number"), "'inf' is no number"),
        (op("body", "retype", path="huge", to="number"), "JSON has no such number"),
        (op("body", "retype", path="money", to="boolean"), "'10.50' is no boolean"),
        (op("body", "scale", path="money", factor=2.0), "'10.50' is no number, nor a list of such"),
        (op("body", "scale", path="n", factor=2.0), "null is no number, nor a list of such"),
        (op("body", "scale", path="vectors.*.v", factor=1e308), "JSON has no such number"),
    ],
)
def test_a_value_that_does_not_fit_is_told(patch: Patch, reason: str) -> None:
    body: dict[str, Any] = {
        "money": "10.50",
        "n": None,
        "usage": {},
        "inf": "inf",
        "huge": "1e999",
        "vectors": [{"v": [1, 1e300]}],
    }
    with pytest.raises(ExpressionError, match=re.escape(reason)):
        patches.patch_body(body, patch, scope())


def test_what_lies_below_a_body_is_another_ones_too_and_stays() -> None:
    kept: dict[str, Any] = {"choices": [{"message": {"text": "a", "x": None}}]}
    body = {**kept}
    patches.patch_body(body, op("body", "remove", path="choices.*.message.text"), scope())
    assert body == {"choices": [{"message": {"x": None}}]}
    assert kept == {"choices": [{"message": {"text": "a", "x": None}}]}


def test_move_and_add_keep_the_key_order() -> None:
    body = {"index": 0, "message": "hi", "finish": "stop"}
    patches.patch_body(body, op("body", "move", path="message", to="error"), scope())
    assert list(body.items()) == [("index", 0), ("error", "hi"), ("finish", "stop")]
    patches.patch_body(body, op("body", "add", "${parent.error}", path="message", after="error"), scope())
    assert list(body.items()) == [("index", 0), ("error", "hi"), ("message", "hi"), ("finish", "stop")]
    patches.patch_body(body, op("body", "add", "bye", path="message", after="index"), scope())
    assert list(body.items()) == [("index", 0), ("message", "bye"), ("error", "hi"), ("finish", "stop")]


@pytest.mark.parametrize("body", [None, "text", 7, [], [1], {}])
def test_a_path_that_leads_nowhere_changes_nothing(body: Any) -> None:
    before = copy.deepcopy(body)
    for name in ("remove", "replace", "move", "retype"):
        patches.patch_body(body, op("body", name, "x", path="a.*.b", to="string"), scope())
    assert body == before


HEADERS: Headers = [("content-type", "a"), ("X-Id", "1"), ("x-id", "2")]


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        (op("headers", "set", "${request.model}", name="x-new"), [*HEADERS, ("x-new", "m")]),
        (op("headers", "set", "3", name="x-ID"), [("content-type", "a"), ("x-ID", "3")]),
        (op("headers", "drop", name="X-ID"), [("content-type", "a")]),
        (op("headers", "drop", name="missing"), HEADERS),
        (op("headers", "duplicate", name="Content-Type"), [*HEADERS, ("content-type", "a")]),
        (op("headers", "duplicate", "b", name="content-type"), [*HEADERS, ("content-type", "b")]),
        (op("headers", "case", name="Content-TYPE"), [("Content-TYPE", "a"), *HEADERS[1:]]),
        (op("headers", "case", name="X-ID"), [("content-type", "a"), ("X-ID", "1"), ("X-ID", "2")]),
    ],
)
def test_headers(patch: Patch, expected: Headers) -> None:
    before = list(HEADERS)
    assert patches.patch_headers(HEADERS, patch, scope()) == expected
    assert before == HEADERS


@pytest.mark.parametrize(
    ("patch", "found", "expected"),
    [
        (op("request", "reject_field", path="user"), True, {"user": "u", "messages": [{"name": "n"}, {}]}),
        (op("request", "reject_field", path="nothing"), False, {"user": "u", "messages": [{"name": "n"}, {}]}),
        (op("request", "ignore_field", path="user"), True, {"messages": [{"name": "n"}, {}]}),
        (op("request", "ignore_field", path="messages.*.name"), True, {"user": "u", "messages": [{}, {}]}),
        (op("request", "alias_field", path="user", to="who"), True, {"who": "u", "messages": [{"name": "n"}, {}]}),
        (op("request", "alias_field", path="user", to="messages"), True, {"messages": [{"name": "n"}, {}]}),
    ],
)
def test_request_fields(patch: Patch, found: bool, expected: Any) -> None:
    body = {"user": "u", "messages": [{"name": "n"}, {}]}
    assert patches.take_fields(body, patch) is found
    assert body == expected


def bent(name: str, value: Any = None, **arguments: Any) -> Timeline:
    """A stream of role, three contents and done, after one operation."""
    events = [Event("role", "r", 1.0), *(Event("content", f"c{i}", 1.0) for i in range(3)), Event("done", "[DONE]")]
    timeline = Timeline(events)
    patch_timeline(timeline, op("stream", name, value, **arguments), scope())
    return timeline


def shown(timeline: Timeline) -> list[Any]:
    return [event.data if event.comment is None else f": {event.comment}" for event in timeline.events]


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("comment", {"at": 0, "text": "hi"}, [": hi", "r", "c0", "c1", "c2", "[DONE]"]),
        ("comment", {"at": "content", "text": ""}, ["r", ": ", "c0", ": ", "c1", ": ", "c2", "[DONE]"]),
        ("insert", {"at": 1, "value": {"a": "${request.model}"}}, ["r", {"a": "m"}, "c0", "c1", "c2", "[DONE]"]),
        ("insert", {"at": -1, "side": "after", "value": "x"}, ["r", "c0", "c1", "c2", "[DONE]", "x"]),
        ("drop", {"at": "content"}, ["r", "[DONE]"]),
        ("drop", {"at": "done"}, ["r", "c0", "c1", "c2"]),
        ("drop", {"at": -1}, ["r", "c0", "c1", "c2"]),
        ("drop", {"at": 99}, ["r", "c0", "c1", "c2", "[DONE]"]),
        ("drop", {}, []),
        ("repeat", {"at": "role", "times": 2}, ["r", "r", "r", "c0", "c1", "c2", "[DONE]"]),
    ],
)
def test_stream(name: str, arguments: dict[str, Any], expected: list[Any]) -> None:
    assert shown(bent(name, **arguments)) == expected


def test_stream_times_and_writes() -> None:
    assert [e.delay for e in bent("delay", at="content", duration=2.0).events] == [1.0, 3.0, 3.0, 3.0, 0.0]
    assert [e.delay for e in bent("repeat", at=0).events] == [1.0, 0.0, 1.0, 1.0, 1.0, 0.0]
    assert [e.merged for e in bent("merge").events] == [False, True, True, True, True]
    assert [e.split for e in bent("split", at=1, bytes=[3, 5]).events] == [(), (3, 5), (), (), ()]
