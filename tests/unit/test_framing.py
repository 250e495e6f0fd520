"""Events to bytes: whatever the text, an SSE parser reads it back."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.mechanisms.encoding import Encoding
from emulator.mechanisms.events import Event
from emulator.wire.framing import ndjson, sse

LINES = st.text(alphabet="ab:\r\n\t \u2028\u0085\x00é", max_size=30)
TEXTS = st.one_of(st.text(max_size=40), LINES)
ENCODINGS = st.builds(Encoding, st.sampled_from(["compact", "spaced"]), st.booleans(), st.booleans())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXTS, below, max_size=3),
)


def parsed(data: bytes) -> list[tuple[str | None, str]]:
    """(event, data) of a stream, after the algorithm of the HTML standard, "event stream interpretation"."""
    text = data.decode().replace("\r\n", "\n").replace("\r", "\n")
    events: list[tuple[str | None, str]] = []
    name: str | None = None
    lines: list[str] = []
    for line in text.split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line and lines:
            events.append((name, "\n".join(lines)))
        if not line:
            name, lines = None, []
        elif field == "event":
            name = value
        elif field == "data":
            lines.append(value)
        else:
            assert field == "", f"{line!r} is no field"
    return events


@given(TEXTS, st.none() | st.text(alphabet="abc", min_size=1))
@settings(deadline=None)
def test_any_text_parses_back(text: str, name: str | None) -> None:
    data = sse(Event("inserted", text, name=name), Encoding())
    assert parsed(data) == [(name, text.replace("\r\n", "\n").replace("\r", "\n"))]


@given(JSON.filter(lambda value: not isinstance(value, str)), ENCODINGS)
@settings(deadline=None)
def test_any_json_parses_back(value: Any, encoding: Encoding) -> None:
    [(_, data)] = parsed(sse(Event("content", value), encoding))
    assert json.loads(data) == value


@given(st.lists(st.tuples(TEXTS, st.none() | TEXTS), max_size=5))
@settings(deadline=None)
def test_comments_never_become_events(events: list[tuple[str, str | None]]) -> None:
    data = b"".join(sse(Event("x", text, comment=comment), Encoding()) for text, comment in events)
    assert len(parsed(data)) == sum(comment is None for _, comment in events)


def test_the_bytes_of_an_event() -> None:
    assert sse(Event("content", {"a": "é/"}), Encoding()) == 'data: {"a":"é/"}\n\n'.encode()
    assert sse(Event("done", "[DONE]"), Encoding()) == b"data: [DONE]\n\n"
    assert sse(Event("error", {"a": 1}, name="error"), Encoding()) == b'event: error\ndata: {"a":1}\n\n'
    assert sse(Event("comment", comment="ping"), Encoding()) == b": ping\n\n"


@given(st.lists(JSON.filter(lambda value: not isinstance(value, str)), max_size=4), ENCODINGS)
@settings(deadline=None)
def test_ndjson_is_one_value_a_line(values: list[Any], encoding: Encoding) -> None:
    data = b"".join(ndjson(Event("content", value), encoding) for value in values)
    lines = data.decode().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == values


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        (Encoding(), '{"a":["é","/",1.0,null]}'),
        (Encoding("spaced"), '{"a": ["é", "/", 1.0, null]}'),
        (Encoding(ascii=True), '{"a":["\\u00e9","/",1.0,null]}'),
        (Encoding(escape_slashes=True), '{"a":["é","\\/",1.0,null]}'),
    ],
)
def test_how_providers_write_json(encoding: Encoding, expected: str) -> None:
    assert encoding.dumps({"a": ["é", "/", 1.0, None]}).decode() == expected
