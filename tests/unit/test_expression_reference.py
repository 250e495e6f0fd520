"""docs/EXPRESSIONS.md names every function and every variable, and its examples are true."""

import re
from pathlib import Path
from typing import Any

import pytest

from emulator.mechanisms.deferred import NAMES
from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.expressions import Expression, Scope
from emulator.mechanisms.functions import FUNCTIONS

TEXT = (Path(__file__).parents[2] / "docs" / "EXPRESSIONS.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if line.startswith("| `")]
EXAMPLE = re.compile(r"`([^`]+)`(?: is `([^`]+)`)?")
BODY: dict[str, Any] = {
    "names": ["a", "b", "c"],
    "words": [{"kind": "noun", "n": 1}, {"kind": "verb", "n": 2}, {"kind": "noun", "n": 3}],
}


def _table(heading: str) -> list[list[str]]:
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [row for row in ROWS if f"| {' | '.join(row)} |" in section]


def test_every_function_and_every_variable_has_its_row() -> None:
    functions = {name for row in _table("Functions") for name in re.findall(r"`(\w+)\(", row[0])}
    variables = {name for row in _table("Variables") for name in re.findall(r"`(\w+)`", row[0])}
    assert functions == FUNCTIONS
    assert variables == set(NAMES)


@pytest.mark.parametrize("example", [row[2] for row in _table("Functions")])
def test_the_examples_are_true(example: str) -> None:
    found = EXAMPLE.fullmatch(example)
    assert found is not None
    value = Expression(found[1], NAMES)(Scope(Entropy(7), {"body": BODY}))
    assert found[2] is None or str(value) == found[2]
