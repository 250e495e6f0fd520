"""YAML with its places: every value knows the file and line it came from.

Stricter than YAML 1.1: duplicate keys are errors, and only `true`, `false`, `null` and numbers are
anything but text (no `on`, `no`, dates or octals).
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from emulator.catalog.source import DocumentPath, LoadError, Problem, Tree, show_path


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Composes nodes; what a plain scalar is, `_scalar` says, so nobody has to guess at tags."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        return ""


_INTEGER = re.compile(r"[-+]?\d+")
_FLOAT = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?")
_MOST_DIGITS = 100
_LEAST, _MOST = -(2**63), 2**64 - 1
"""What writes JSON knows no integers beyond these."""
_ENDLESS = (math.inf, -math.inf)
_DEEPEST = 100
_TOO_DEEP = f"is nested more than {_DEEPEST} levels deep"
_PLAIN = {"true": True, "false": False, "null": None, "~": None, "": None}


def read_yaml(file: Path, shown: str | None = None) -> Tree:
    """Read one file. `shown` is how problems name it. Raises LoadError."""
    shown = shown or str(file)
    try:
        node = yaml.compose(file.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise LoadError([Problem(f"{shown}:{line}", "", f"not YAML: {error.problem}")]) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LoadError([Problem(shown, "", f"cannot be read: {error}")]) from None
    except RecursionError:
        raise LoadError([Problem(shown, "", _TOO_DEEP)]) from None
    reader = _Reader(shown)
    tree = Tree({} if node is None else reader.value(node, (), ()), reader.marks)
    if reader.problems:
        raise LoadError(reader.problems)
    return tree


class _Reader:
    """Makes data of nodes, and keeps the place of each value, and every problem."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.marks: dict[DocumentPath, str] = {(): f"{shown}:1"}
        self.problems: list[Problem] = []

    def value(self, node: Any, path: DocumentPath, around: tuple[Any, ...]) -> Any:
        """What a node says. `around` are the nodes that it stands in. Raises LoadError where there is no end to it."""
        self.marks[path] = place = f"{self.shown}:{node.start_mark.line + 1}"
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.style else self._plain(node.value, path)
        if node in around:
            raise LoadError([Problem(place, "", "an alias (*) stands inside what it names")])
        if len(around) == _DEEPEST:
            raise LoadError([Problem(place, show_path(path[:1]), _TOO_DEEP)])
        around = (*around, node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i), around) for i, item in enumerate(node.value)]
        return self._mapping(node, path, around)

    def _mapping(self, node: Any, path: DocumentPath, around: tuple[Any, ...]) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        own: set[str] = set()
        for key_node, value_node in node.value:
            key, place = str(key_node.value), f"{self.shown}:{key_node.start_mark.line + 1}"
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(place, show_path(path), "a key is text"))
                continue
            if key == "<<":
                for source in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                    mapping = {**mapping, **self._merged(source, path, around, place, mapping)}
                continue
            if key in own:
                self.problems.append(Problem(place, show_path((*path, key)), "duplicate key; keep one of the two"))
            own.add(key)
            mapping[key] = self.value(value_node, (*path, key), around)
            self.marks[(*path, key)] = place
        return mapping

    def _merged(
        self, source: Any, path: DocumentPath, around: tuple[Any, ...], place: str, known: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What `<<` adds to the keys that are known, with the places it has there."""
        other = _Reader(self.shown)
        merged = other.value(source, path, around)
        self.problems += other.problems
        if not isinstance(merged, dict):
            self.problems.append(Problem(place, show_path((*path, "<<")), "merges mappings only"))
            return {}
        self.marks.update({p: mark for p, mark in other.marks.items() if p not in self.marks})
        return {key: value for key, value in merged.items() if key not in known}

    def _plain(self, text: str, path: DocumentPath) -> Any:
        value = _scalar(text)
        if value in _ENDLESS or (isinstance(value, int) and not _LEAST <= value <= _MOST):
            message = "is too large a number; put it in quotes if it is text"
            self.problems.append(Problem(self.marks[path], show_path(path), message))
        return value


def _scalar(text: str) -> Any:
    if text in _PLAIN:
        return _PLAIN[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= _MOST_DIGITS else math.inf
    return float(text) if _FLOAT.fullmatch(text) else text
