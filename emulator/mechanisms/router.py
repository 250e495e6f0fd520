"""OpenAPI routing: exact paths first, then templated ones, the most literal first.

An exact path is one look into a dict; a templated one is a walk down a tree of segments, so that what it costs is
told by the path and not by how many others there are.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

Route = tuple[str, str, str]
_HOLE = re.compile(r"\{([^{}]+)\}")


class Match(NamedTuple):
    """What an address led to. `operation` is None when the path exists and the method does not."""

    operation: str | None
    params: dict[str, str]
    allowed: tuple[str, ...]
    """The methods the path has, when it has not the one that was asked for."""
    path: str = ""
    """The path or template that answers."""


@dataclass(slots=True)
class _Template:
    """A templated path: where it ranks, the names of its holes in order, and its methods."""

    rank: tuple[Any, ...]
    names: list[str]
    methods: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Method -> operation id, and the template as it was written."""


@dataclass(slots=True)
class _Segment:
    """A node of the tree: what may follow, literally or as a template of one segment, and what ends here."""

    literal: "dict[str, _Segment]" = field(default_factory=dict)
    templated: "dict[str, tuple[re.Pattern[str], _Segment]]" = field(default_factory=dict)
    ends: list[_Template] = field(default_factory=list)


class Router:
    """Path templates (`/v1/files/{id}`) and methods to operation ids."""

    def __init__(self, routes: list[Route], *, either_slash: bool) -> None:
        """`routes` are (method, path template, operation id). `either_slash` serves `/a` and `/a/` alike."""
        self.routes = routes
        self.either_slash = either_slash

    def match(self, method: str, path: str) -> Match | None:
        """The match for a decoded path, or None where no path item answers."""
        key = self._key(path)
        exact, tree = self._tables
        if (matches := exact.get(key)) is not None:
            return matches.get(method.upper()) or Match(None, {}, tuple(sorted(matches)))
        found = _ends(tree, key.split("/"), 0, ())
        if not found:
            return None
        template, values = min(found, key=lambda end: end[0].rank) if len(found) > 1 else found[0]
        params = dict(zip(template.names, values, strict=True))
        if (known := template.methods.get(method.upper())) is None:
            return Match(None, params, tuple(sorted(template.methods)))
        operation, written = known
        return Match(operation, params, (), written)

    def _key(self, path: str) -> str:
        return path.rstrip("/") or "/" if self.either_slash else path

    @cached_property
    def _tables(self) -> tuple[dict[str, dict[str, Match]], _Segment]:
        """Exact paths, and the tree of the others; made when a request first asks."""
        exact: dict[str, dict[str, Match]] = {}
        templates: dict[str, _Template] = {}
        tree = _Segment()
        for method, path, operation in self.routes:
            key = self._key(path)
            if "{" not in path:
                exact.setdefault(key, {})[method.upper()] = Match(operation, {}, (), path)
                continue
            if key not in templates:
                templates[key] = _Template(_literalness(key), _HOLE.findall(key))
                _node(tree, key).ends.append(templates[key])
            templates[key].methods[method.upper()] = operation, path
        return exact, tree


def _node(tree: _Segment, path: str) -> _Segment:
    """Where a templated path ends in the tree; what is missing on the way there is made."""
    for segment in path.split("/"):
        if "{" not in segment:
            tree = tree.literal.setdefault(segment, _Segment())
        else:
            shape = _HOLE.sub("{}", segment)
            if shape not in tree.templated:
                tree.templated[shape] = _pattern(segment), _Segment()
            tree = tree.templated[shape][1]
    return tree


def _ends(
    node: _Segment, segments: list[str], depth: int, values: tuple[str, ...]
) -> list[tuple[_Template, tuple[str, ...]]]:
    """Every templated path that the segments from `depth` on fit, with the values of its holes."""
    if depth == len(segments):
        return [(end, values) for end in node.ends]
    segment, found = segments[depth], []
    if segment in node.literal:
        found += _ends(node.literal[segment], segments, depth + 1, values)
    for pattern, below in node.templated.values():
        if match := pattern.fullmatch(segment):
            found += _ends(below, segments, depth + 1, (*values, *match.groups()))
    return found


def _literalness(path: str) -> tuple[Any, ...]:
    return tuple("{" in segment for segment in path.split("/")), path


def _pattern(segment: str) -> re.Pattern[str]:
    """A pattern for what a segment with holes stands for, one group a hole."""
    parts = _HOLE.split(segment)
    return re.compile("".join(re.escape(p) if i % 2 == 0 else "([^/]+)" for i, p in enumerate(parts)))
