"""Files -> frozen providers. Every mistake in data surfaces here, with file, line and the remedy."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from emulator.catalog.kept import kept_of
from emulator.catalog.places import DataRoot, Signature, own, packaged, signature
from emulator.catalog.source import LoadError, Problem
from emulator.provider import ProviderFamily

__all__ = ["LoadError", "Problem", "changes", "check", "load", "names", "schema"]


def load(folders: Sequence[str | Path] = (), only: Sequence[str] = ()) -> dict[str, ProviderFamily]:
    """Every provider of the packaged data and of `folders` (each with `fixtures/` and `specs/`, or with `resources/`).

    `only` names the providers wanted; all of them when empty. What this or another process made of the very same files
    is taken as it is. Raises LoadError with every problem found, KeyError for a wanted provider that does not exist.
    """
    roots = _roots(folders)
    return dict(_loaded(roots, tuple(only), signature(roots)))


def check(folders: Sequence[str | Path] = ()) -> dict[str, ProviderFamily]:
    """The providers that `folders` have something of, or without any the packaged ones, with each variant.

    They are made from the files, whatever was made of these before. Raises LoadError.
    """
    from emulator.catalog import library

    with _uncollected():
        return library.checked(_roots(folders))


def names(folders: Sequence[str | Path] = ()) -> list[str]:
    """The ids of all providers there are, usable or not."""
    roots = _roots(folders)
    before = kept_of(roots)
    served = None if before is None else before.names()
    if served is None:
        from emulator.catalog import library

        served = library.Library(roots).concrete()
    return served


def changes(folders: Sequence[str | Path] = ()) -> Signature:
    """Something that is another whenever a data file was changed."""
    return signature(_roots(folders))


def schema() -> dict[str, Any]:
    """The JSON Schema of the fixture language, for editors: every file holds some of these keys."""
    from emulator.catalog.language.document import Document

    described = Document.model_json_schema()
    _leave_to_dialects(described, described, set())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Fixture language", **described}


def _leave_to_dialects(node: Any, described: dict[str, Any], seen: set[str]) -> None:
    """Require nothing where maps merge: what one leaves out, the dialect may give. Members of lists replace others."""
    if not isinstance(node, dict):
        return
    node.pop("required", None)
    for below in (*node.get("properties", {}).values(), node.get("additionalProperties"), *node.get("anyOf", ())):
        _leave_to_dialects(below, described, seen)
    name = node.get("$ref", "").rsplit("/", 1)[-1]
    if name and name not in seen:
        seen.add(name)
        _leave_to_dialects(described["$defs"][name], described, seen)


def _roots(folders: Sequence[str | Path]) -> tuple[DataRoot, ...]:
    return (packaged(), *map(own, folders))


@lru_cache(maxsize=4)
def _loaded(roots: tuple[DataRoot, ...], only: tuple[str, ...], changed: Signature) -> Mapping[str, ProviderFamily]:
    """The providers, which are frozen: several servers of a process can share them."""
    with _uncollected():
        before = kept_of(roots)
        families = None if before is None else before.families(only)
        if families is None:
            from emulator.catalog import library  # and with it all that files and their language need

            families, source = library.load(roots, only)
            if before is not None:
                before.keep(families, source.concrete(), source.files)
        return families


@contextmanager
def _uncollected() -> Iterator[None]:
    """Garbage is not looked for meanwhile: all that is loaded stays, and looking takes a sixth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
