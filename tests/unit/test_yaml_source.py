"""YAML with its places, stricter than YAML 1.1."""

from pathlib import Path
from typing import Any

import pytest

from emulator.catalog import LoadError
from emulator.catalog.reading import read_yaml
from emulator.catalog.source import Tree, merge


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def read(text: str) -> Tree:
        file = tmp_path / "some.yaml"
        file.write_text(text, encoding="utf-8")
        return read_yaml(file, "some.yaml")

    return read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("yes", "yes"),
        ("off", "off"),
        ("True", "True"),
        ("2024-01-01", "2024-01-01"),
        ("12:30", "12:30"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("17", 17),
        ("-17", -17),
        ("+17", 17),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (str(2**64 - 1), 2**64 - 1),
        ("-.5", -0.5),
        ("'17'", "17"),
        ('"true"', "true"),
    ],
)
def test_scalars(load: Any, text: str, value: object) -> None:
    found = load(f"on: {text}\n").data
    assert found == {"on": value}
    assert type(found["on"]) is type(value)


def test_every_value_knows_its_line(load: Any) -> None:
    tree = load("a:\n  - x\n  - b: 1\n    c:\n      d: 2\n")
    assert tree.place(("a",)) == "some.yaml:1"
    assert tree.place(("a", 0)) == "some.yaml:2"
    assert tree.place(("a", 1, "b")) == "some.yaml:3"
    assert tree.place(("a", 1, "c")) == "some.yaml:4"
    assert tree.place(("a", 1, "c", "d")) == "some.yaml:5"
    assert tree.place(("a", 1, "c", "d", "nothing", 7)) == "some.yaml:5"
    assert tree.place(("nothing",)) == "some.yaml:1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "some.yaml:3 a: duplicate key; keep one of the two"),
        ("a:\n  - {b: 1, b: 2}\n", "some.yaml:2 a[0].b: duplicate key; keep one of the two"),
        ("a: [\n", "some.yaml:2 not YAML: "),
        ("a:\n\tb: 1\n", "some.yaml:2 not YAML: "),
        ("a: *b\n", "some.yaml:1 not YAML: found undefined alias"),
        ("a: 1\n---\nb: 1\n", "some.yaml:2 not YAML: but found another document"),
        ("a: &a [*a]\n", "some.yaml:1 an alias (*) stands inside what it names"),
        ("a: 1\nb: &b\n  <<: *b\n", "some.yaml:2 an alias (*) stands inside what it names"),
        (f"a: 1\nb: {'[' * 3000}{']' * 3000}\n", "some.yaml:2 b: is nested more than 100 levels deep"),
        (f"a:\n  b: {'9' * 5000}\n", "some.yaml:2 a.b: is too large a number; put it in quotes if it is text"),
        (f"a: {2**64}\n", "some.yaml:1 a: is too large a number"),
        (f"a: {-(2**63) - 1}\n", "some.yaml:1 a: is too large a number"),
        ("a: [1e999]\n", "some.yaml:1 a[0]: is too large a number"),
        ("a:\n  <<: 5\n", "some.yaml:2 a.<<: merges mappings only"),
        ("? [a]\n: 1\n", "some.yaml:1 a key is text"),
    ],
)
def test_what_is_refused(load: Any, text: str, message: str) -> None:
    with pytest.raises(LoadError) as caught:
        load(text)
    assert str(caught.value).startswith(message)


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    file = tmp_path / "some.yaml"
    file.write_bytes(b"a: \xff\n")
    with pytest.raises(LoadError, match=r"^some.yaml cannot be read: "):
        read_yaml(file, "some.yaml")


def test_an_empty_file_is_an_empty_mapping(load: Any) -> None:
    assert load("").data == {}
    assert load("# only a comment\n").data == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{<<: *x, b: 9}", {"a": 1, "b": 9}),
        ("{b: 9, <<: *x}", {"b": 9, "a": 1}),
        ("{<<: [*x, *y]}", {"a": 1, "b": 2, "c": 4}),
        ("{<<: [*y, *x], c: 5}", {"b": 3, "c": 5, "a": 1}),
    ],
)
def test_merge_keys(load: Any, text: str, value: dict[str, int]) -> None:
    found = load(f"x: &x {{a: 1, b: 2}}\ny: &y {{b: 3, c: 4}}\nmerged: {text}\n")
    assert found.data["merged"] == value
    assert list(found.data["merged"]) == list(value)
    assert found.place(("merged",)) == "some.yaml:3"
    assert found.place(("merged", "a")) == "some.yaml:1"


def test_maps_merge_and_everything_else_replaces() -> None:
    base = Tree({"a": {"x": 1, "y": [1, 2]}, "b": [1], "c": 1}, {("b", 0): "base:2", ("a", "x"): "base:1"})
    over = Tree({"a": {"y": [3]}, "b": [], "d": 2}, {("b",): "over:1"})
    merged = merge(base, over)
    assert merged.data == {"a": {"x": 1, "y": [3]}, "b": [], "c": 1, "d": 2}
    assert merged.place(("a", "x")) == "base:1"
    assert merged.place(("b", 0)) == "over:1"
    assert base.data["a"]["y"] == [1, 2]


@pytest.mark.parametrize("path", ["shapes.reply", "errors.envelope", "streams.chunk.events.content"])
def test_a_template_is_never_merged_into_another(path: str) -> None:
    def at(value: object) -> Any:
        for key in reversed(path.split(".")):
            value = {key: value}
        return value

    assert merge(Tree(at({"a": 1})), Tree(at({"b": 2}))).data == at({"b": 2})
