"""OpenAPI routing: exact paths first, then templated ones, the most literal first."""

import re
from typing import Any, NamedTuple


class Match(NamedTuple):
    """What an address led to. `operation` is None when the path exists and the method does not."""

    operation: str | None
    params: dict[str, str]
    allowed: tuple[str, ...]
    """The methods the path has, when it has not the one that was asked for."""


class Router:
    """Path templates (`/v1/files/{id}`) and methods to operation ids."""

    def __init__(self, routes: list[tuple[str, str, str]], *, either_slash: bool) -> None:
        """`routes` are (method, path template, operation id). `either_slash` serves `/a` and `/a/` alike."""
        self._either_slash = either_slash
        self._exact: dict[str, dict[str, str]] = {}
        patterns: dict[str, dict[str, str]] = {}
        for method, path, operation in routes:
            table = patterns if "{" in path else self._exact
            table.setdefault(self._key(path), {})[method.upper()] = operation
        ranked = sorted(patterns, key=_literalness)
        self._patterns = [(*_pattern(path), patterns[path]) for path in ranked]

    def _key(self, path: str) -> str:
        return path.rstrip("/") or "/" if self._either_slash else path

    def match(self, method: str, path: str) -> Match | None:
        """The match for a decoded path, or None where no path item answers."""
        key = self._key(path)
        methods = self._exact.get(key)
        params: dict[str, str] = {}
        if methods is None:
            for pattern, names, candidate in self._patterns:
                if found := pattern.fullmatch(key):
                    methods, params = candidate, dict(zip(names, found.groups(), strict=True))
                    break
        if methods is None:
            return None
        operation = methods.get(method.upper())
        return Match(operation, params, () if operation is not None else tuple(sorted(methods)))


def _literalness(path: str) -> tuple[Any, ...]:
    return tuple("{" in segment for segment in path.split("/")), path


def _pattern(path: str) -> tuple[re.Pattern[str], list[str]]:
    """A pattern for the paths of a template, and the names of its groups in order."""
    parts = re.split(r"\{([^{}]+)\}", path)
    return re.compile("".join(re.escape(p) if i % 2 == 0 else "([^/]+)" for i, p in enumerate(parts))), parts[1::2]
