"""`results.json` as docs/CLIENTS.md, which `tests/freshness.py` keeps fresh."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from emulator.provider import ProviderFamily

from . import matrix
from .libraries.node import FOLDER, Node

_PYPROJECT = Path(__file__).resolve().parents[3] / "pyproject.toml"
_INTRODUCTION = """\
# Clients

What client libraries make of the providers, over real sockets, with their own retries off. `make test-clients` holds
every word of it to be true; `make fresh` writes this page from `tests/sdk/clients/results.json`.

✓ works, synchronously and asynchronously where the client has both; an empty field is not something the client has;
numbers point to what is known to break, or to be odd, because the provider or its own package really is that way.
"""


def markdown(families: Mapping[str, ProviderFamily]) -> str:
    """The page. `families` have the titles of providers, and the grades of the sources of what breaks."""
    reasons = _Reasons(families)
    parts = [
        _INTRODUCTION,
        "## What works\n",
        *_features(families, reasons),
        "\n## What each raises\n",
        "The status that the exception carries follows its class. A status without a row is never answered by the",
        "provider; cut is a stream whose connection breaks after two events.",
        *_errors(families, reasons),
        "\n## Providers of another convention\n",
        "What `openai` makes of providers that are not OpenAI-compatible:\n",
        *_strangers(families, reasons),
        "\n## Reasons\n",
        *reasons.lines,
    ]
    return "\n".join(parts) + "\n"


class _Reasons:
    """Numbered footnotes, the same number for the same text."""

    def __init__(self, families: Mapping[str, ProviderFamily]) -> None:
        self._families = families
        self._numbers: dict[str, int] = {}

    def mark(self, provider: str, note: Mapping[str, Any]) -> str:
        source = self._families[provider].base.sources[note["source"]]
        text = f"{note['because']} ({source.grade}: {source.ref})"
        return f"[{self._numbers.setdefault(text, len(self._numbers) + 1)}]"

    def marks(self, provider: str, written: Mapping[str, Any], case: str) -> str:
        found = "".join(self.mark(provider, note) for note in written["notes"] if case in note["cases"])
        return f" {found}" if found else ""

    @property
    def lines(self) -> list[str]:
        return [f"{number}. {text}" for text, number in self._numbers.items()]


def _features(families: Mapping[str, ProviderFamily], reasons: _Reasons) -> Iterator[str]:
    titles = [case.replace("_stream", ", streamed") for case in matrix.FEATURES]
    yield from _head(["client", "version", "provider", "ways", *titles])
    for client, providers in matrix.RESULTS.items():
        for provider, written in providers.items():
            ways = dict.fromkeys(c.way.split()[0] for c in matrix.cells() if c.client == client)
            outcomes = [
                _symbol(written["outcomes"].get(case)) + reasons.marks(provider, written, case)
                for case in matrix.FEATURES
            ]
            yield _row([_code(client), _version(client), _title(families, provider), ", ".join(ways), *outcomes])


def _title(families: Mapping[str, ProviderFamily], provider: str) -> str:
    """With where it is asked, if that is not where its clients are by default."""
    path = matrix.PROVIDERS[provider].path
    return families[provider].base.title + (f" at {_code(path)}" if path else "")


def _symbol(outcome: Any) -> str:
    if outcome is None:
        return ""
    return "✓" if outcome == matrix.PASSES else _spelled(outcome)


def _errors(families: Mapping[str, ProviderFamily], reasons: _Reasons) -> Iterator[str]:
    for client, providers in matrix.RESULTS.items():
        for provider, written in providers.items():
            yield f"\n### {_code(client)} on {_title(families, provider)}\n"
            yield from _head(["asked for", "raises"])
            for case in (*matrix.STATUSES, matrix.CUT):
                if case in written["outcomes"]:
                    yield _row([case, _spelled(written["outcomes"][case]) + reasons.marks(provider, written, case)])


def _strangers(families: Mapping[str, ProviderFamily], reasons: _Reasons) -> Iterator[str]:
    yield from _head(["provider", "outcome"])
    for provider, note in matrix.STRANGERS.items():
        yield _row([families[provider].base.title, f"{_code(note['outcome'])} {reasons.mark(provider, note)}"])


def _spelled(outcome: str | Mapping[str, str]) -> str:
    if isinstance(outcome, str):
        return _code(outcome)
    return ", ".join(f"{_code(what)} ({way})" for way, what in outcome.items())


def _version(client: str) -> str:
    """The version that the environments of `make test-clients` pin."""
    library = matrix.CLIENTS[client]
    if issubclass(library, Node):
        pinned = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))["dependencies"]
        return str(pinned[client.removesuffix(" (npm)")])
    wanted = Requirement(library.requires[0])
    groups = tomllib.loads(_PYPROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for requirement in (Requirement(line) for name, lines in groups.items() if "clients" in name for line in lines):
        version = next((s.version for s in requirement.specifier if s.operator == "=="), "")
        if requirement.name == wanted.name and version in wanted.specifier:
            return version
    raise LookupError(f"no group of clients in pyproject.toml pins {wanted}")


def _code(text: str) -> str:
    return f"`{text}`"


def _head(titles: list[str]) -> Iterator[str]:
    yield _row(titles)
    yield _row(["---"] * len(titles))


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
