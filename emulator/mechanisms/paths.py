"""Paths through JSON data."""

from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote


def walk(data: Any, path: Iterable[str]) -> Any:
    """Follow a path through dicts (by key) and lists (by index); null where a step is missing."""
    for step in path:
        if data.__class__ is dict or isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and step.isdigit() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data


@lru_cache(1024)  # a schema refers to the same few
def pointer(ref: str) -> tuple[str, ...]:
    """The steps of the JSON pointer in a `$ref` (RFC 6901): `#/paths/~1chat` -> (`paths`, `/chat`)."""
    steps = unquote(ref).partition("#")[2].split("/")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in steps if step)


def reference(steps: Iterable[Any]) -> str:
    """The `$ref` whose pointer has these steps."""
    return "#/" + "/".join(str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def pointed(document: Any, ref: str) -> Any:
    """What a `$ref` names within the document; null if nothing."""
    for step in pointer(ref):
        document = document.get(step) if isinstance(document, dict) else None
    return document


class Lookup(dict[str, Any]):
    """A mapping of known keys whose values are made when a path asks for them."""

    def __init__(self, keys: Collection[str], make: Callable[[str], Any]) -> None:
        self._keys = keys
        self._make = make

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self._keys else default

    def __missing__(self, key: str) -> Any:
        value = self[key] = self._make(key)
        return value

    def whole(self) -> dict[str, Any]:
        """The mapping with every value made."""
        return {key: self.get(key) for key in self._keys}
