"""Data with its places, and the problems found in it."""

from dataclasses import dataclass, field
from typing import Any

from emulator.mechanisms.records import record

DocumentPath = tuple[str | int, ...]


@record
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
    marks: dict[DocumentPath, str] = field(default_factory=dict)

    def place(self, path: DocumentPath) -> str:
        """Where the value at `path` stands, or the nearest value around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.marks:
                return self.marks[path[:length]]
        return "?"


def merge(base: Tree, over: Tree) -> Tree:
    """`over` laid on `base`: maps merge, everything else replaces; a template is never merged into another."""
    marks = dict(base.marks)
    data = _merge(base.data, over.data, (), marks)
    marks.update(over.marks)
    return Tree(data, marks)


def _merge(base: Any, over: Any, path: DocumentPath, marks: dict[DocumentPath, str]) -> Any:
    if isinstance(base, dict) and isinstance(over, dict) and not _is_template(path):
        merged = dict(base)
        for key, value in over.items():
            merged[key] = _merge(base[key], value, (*path, key), marks) if key in base else value
        return merged
    if isinstance(base, (dict, list)):
        for stale in [p for p in marks if p[: len(path)] == path]:
            del marks[stale]
    return over


def _is_template(path: DocumentPath) -> bool:
    """Whether a path is where a section keeps one template."""
    return (
        (path[:1] == ("shapes",) and len(path) == 2)
        or (path[:1] == ("streams",) and path[2:3] == ("events",) and len(path) == 4)
        or path == ("errors", "envelope")
    )


def show_path(path: DocumentPath) -> str:
    """`limits.rules[0].per`"""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text
