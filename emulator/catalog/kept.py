"""Compiled providers in the cache: what was made of the very same files once is taken without being checked again.

That a provider is there says that everything of it was checked and compiled. Mistakes are never kept.
"""

from collections.abc import Mapping, Sequence, Set
from functools import lru_cache, partial
from hashlib import blake2b

import orjson

from emulator.catalog import cache
from emulator.catalog.places import DataRoot, data_files
from emulator.catalog.source import LoadError, Problem
from emulator.catalog.stored import NotStorableError, lines_of, provider_of
from emulator.mechanisms.records import record
from emulator.mechanisms.scenarios import Scenario
from emulator.provider import Provider, ProviderFamily

_SERVED = "_served"
"""Holds the ids of all providers there are; an id begins with a letter."""
_APART = "+apart"
"""Ends the name of what few ask for of a provider."""


@record
class Kept:
    """What is kept of data roots whose files are what they were when this was made."""

    roots: tuple[DataRoot, ...]
    shelf: cache.Shelf

    def names(self) -> list[str] | None:
        """The ids of all providers there are; None when they are not kept."""
        lines = self.shelf.read(_SERVED)
        return None if lines is None else list(orjson.loads(lines[0]))

    def families(self, only: Sequence[str]) -> dict[str, ProviderFamily] | None:
        """The wanted providers (all, when none is named); None unless every one is kept.

        Raises KeyError for a wanted provider that does not exist.
        """
        served = self.names()
        if served is None:
            return None
        families = {}
        for name in only or served:
            if name not in served:
                raise KeyError(name)
            provider = self._provider(name)
            if provider is None:
                return None
            families[name] = ProviderFamily(provider, partial(self._with_variants, name))
        return families

    def keep(self, families: Mapping[str, ProviderFamily], served: Sequence[str], files: Set[str]) -> None:
        """Keep what was made of `files`, if they all are in the data roots and still are what they were."""
        if self._outdated() or not files <= {file for root in self.roots for file in data_files(root)}:
            return
        for name, family in families.items():
            self._keep(name, family.base)
        self.shelf.write(_SERVED, [orjson.dumps(list(served))])
        self.shelf.prune()

    def _outdated(self) -> bool:
        now = kept_of(self.roots)
        return now is None or now.shelf != self.shelf

    def _keep(self, title: str, provider: Provider) -> None:
        """That a provider is kept says that all of it is."""
        try:
            lines, apart = lines_of(provider)
        except NotStorableError as error:
            cache.log.debug("%s is not cached: %s", title, error)
        else:
            self.shelf.write(title + _APART, apart)
            self.shelf.write(title, lines)

    def _provider(self, name: str, variants: tuple[str, ...] = ()) -> Provider | None:
        lines = self.shelf.read(_title(name, variants))
        if lines is None:
            return None
        return provider_of(lines, partial(self._apart, name, variants), lru_cache(maxsize=256)(_compile_steps))

    def _apart(self, name: str, variants: tuple[str, ...]) -> list[bytes]:
        """Raises LoadError when it is gone, and the files are not what they were."""
        kept = self.shelf.read(_title(name, variants) + _APART)
        return lines_of(self._compiled(name, variants))[1] if kept is None else kept

    def _with_variants(self, name: str, variants: tuple[str, ...]) -> Provider:
        """Raises LoadError when the files, which are needed now, are not what they were."""
        return self._provider(name, variants) or self._compiled(name, variants)

    def _compiled(self, name: str, variants: tuple[str, ...]) -> Provider:
        """The provider, made of its files and kept. Raises LoadError when they are not what they were."""
        from emulator.catalog import library

        if self._outdated():
            place, message = self.roots[-1].shown or "fixtures", "changed since it was loaded; start anew"
            raise LoadError([Problem(place, "", message)])
        families, _ = library.load(self.roots, [name])
        provider = families[name].with_variants(variants)
        self._keep(_title(name, variants), provider)
        return provider


def _title(name: str, variants: tuple[str, ...]) -> str:
    return f"{name}+{blake2b(orjson.dumps(variants), digest_size=10).hexdigest()}" if variants else name


def kept_of(roots: tuple[DataRoot, ...]) -> Kept | None:
    """What is kept of the data roots as their files are now; None where nothing is to be cached."""
    folder = cache.folder()
    if folder is None:
        return None
    files = (file for root in roots for file in data_files(root))
    try:
        title = cache.fingerprint(files, *(root.shown for root in roots))
    except OSError:
        return None
    return Kept(roots, cache.Shelf(folder / title))


def _compile_steps(name: str, text: str) -> Scenario:
    from emulator.catalog.steps import scenario_from_text  # which imports the language

    return scenario_from_text(name, text)
