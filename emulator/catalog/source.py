"""YAML with its places: every value knows the file and line it came from.

Stricter than YAML 1.1: duplicate keys are errors, and only `true`, `false`, `null` and numbers are
anything but text (no `on`, `no`, dates or octals).
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Path_ = tuple[str | int, ...]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Composes nodes; what a plain scalar is, `_scalar` says, so nobody has to guess at tags."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        return ""


_INTEGER = re.compile(r"[-+]?\d+")
_FLOAT = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?")
_PLAIN = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: where, at which path in the data, what is wrong and what would be right."""

    place: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.place} {self.path}: {self.message}" if self.path else f"{self.place} {self.message}"


class LoadError(ValueError):
    """Data that cannot be used. `problems` holds every finding."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(slots=True)
class Tree:
    """Data, and a `file:line` for each path in it."""

    data: Any
    marks: dict[Path_, str] = field(default_factory=dict)

    def place(self, path: Path_) -> str:
        """Where the value at `path` stands, or the nearest value around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.marks:
                return self.marks[path[:length]]
        return "?"


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
    tree = Tree(None, {(): f"{shown}:1"})
    if node is None:
        tree.data = {}
        return tree
    problems: list[Problem] = []
    try:
        tree.data = _construct(node, (), shown, tree.marks, problems)
    except RecursionError:
        raise LoadError([Problem(f"{shown}:1", "", "an alias (*) stands inside what it names")]) from None
    if problems:
        raise LoadError(problems)
    return tree


def _construct(node: Any, path: Path_, shown: str, marks: dict[Path_, str], problems: list[Problem]) -> Any:
    marks[path] = f"{shown}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.ScalarNode):
        return node.value if node.style else _scalar(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*path, i), shown, marks, problems) for i, item in enumerate(node.value)]
    mapping: dict[str, Any] = {}
    own: set[str] = set()
    for key_node, value_node in node.value:
        key, place = str(key_node.value), f"{shown}:{key_node.start_mark.line + 1}"
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append(Problem(place, show_path(path), "a key is text"))
            continue
        if key == "<<":
            for source in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                merged = Tree(None)
                merged.data = _construct(source, path, shown, merged.marks, problems)
                if not isinstance(merged.data, dict):
                    problems.append(Problem(place, show_path((*path, key)), "merges mappings only"))
                    continue
                mapping = {**mapping, **{k: v for k, v in merged.data.items() if k not in mapping}}
                marks.update({p: m for p, m in merged.marks.items() if p not in marks})
            continue
        if key in own:
            problems.append(Problem(place, show_path((*path, key)), "duplicate key; keep one of the two"))
        own.add(key)
        mapping[key] = _construct(value_node, (*path, key), shown, marks, problems)
        marks[(*path, key)] = place
    return mapping


def _scalar(text: str) -> Any:
    if text in _PLAIN:
        return _PLAIN[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def merge(base: Tree, over: Tree) -> Tree:
    """`over` laid on `base`: maps merge, everything else replaces; a template is never merged into another."""
    marks = dict(base.marks)
    data = _merge(base.data, over.data, (), marks)
    marks.update(over.marks)
    return Tree(data, marks)


def _merge(base: Any, over: Any, path: Path_, marks: dict[Path_, str]) -> Any:
    if isinstance(base, dict) and isinstance(over, dict) and not _is_template(path):
        merged = dict(base)
        for key, value in over.items():
            merged[key] = _merge(base[key], value, (*path, key), marks) if key in base else value
        return merged
    if isinstance(base, (dict, list)):
        for stale in [p for p in marks if p[: len(path)] == path]:
            del marks[stale]
    return over


def _is_template(path: Path_) -> bool:
    """Whether a path is where a section keeps one template."""
    return (
        (path[:1] == ("shapes",) and len(path) == 2)
        or (path[:1] == ("streams",) and path[2:3] == ("events",) and len(path) == 4)
        or path == ("errors", "envelope")
    )


def show_path(path: Path_) -> str:
    """`limits.rules[0].per`"""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
