"""YAML with its places: every value knows the file and line it came from.

Stricter than YAML 1.1: duplicate keys are errors, and only `true`, `false`, `null` and numbers are
anything but text (no `on`, `no`, dates or octals).
"""

import re
from pathlib import Path
from typing import Any

import yaml

from emulator.catalog.source import LoadError, Path_, Problem, Tree, show_path


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Composes nodes; what a plain scalar is, `_scalar` says, so nobody has to guess at tags."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        return ""


_INTEGER = re.compile(r"[-+]?\d+")
_FLOAT = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+)([eE][-+]?\d+)?")
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
