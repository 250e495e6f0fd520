"""Items that every account begins with: each by itself, and all of a kind together."""

from collections.abc import Iterator

from emulator.catalog.language.document import Document
from emulator.catalog.language.resources import Resource
from emulator.catalog.owned import Finding, names_of, unknown
from emulator.catalog.source import DocumentPath


def seeds(document: Document) -> Iterator[Finding]:
    """Findings of the seeds in resources.yaml."""
    for name, resource in document.resources.items():
        path: DocumentPath = ("resources", name)
        yield from _alone(resource, path)
        yield from _together(document, resource, path)


def _alone(resource: Resource, path: DocumentPath) -> Iterator[Finding]:
    """A seed says itself what a request would have computed."""
    states = resource.states.names() if resource.states else []
    ids = [seed.get("id") for seed in resource.seed]
    references = [reference.field for reference in resource.references]
    for i, seed in enumerate(resource.seed):
        at: DocumentPath = (*path, "seed", i)
        for field in ("id", *resource.unique, *(("status",) if states else ())):
            if field not in seed and field in names_of(resource):
                yield at, f"needs `{field}`"
        for field in references:
            value = seed.get(field)
            if not all(isinstance(one, str) for one in (value if isinstance(value, list) else [value or ""])):
                yield (*at, field), f"{value!r} is neither an id nor a list of ids"
        if states and seed.get("status", states[0]) not in states:
            yield (*at, "status"), unknown(seed["status"], states)
        if not isinstance(seed.get("id", ""), str):
            yield (*at, "id"), f"{seed['id']!r} is no text"
        elif "id" in seed and seed["id"] in ids[:i]:
            yield (*at, "id"), f'"{seed["id"]}" is used twice'


def _together(document: Document, resource: Resource, path: DocumentPath) -> Iterator[Finding]:
    """Seeds are no more than there may be, each with a value of its own where that is unique, and refer to seeds."""
    if resource.most is not None and len(resource.seed) > resource.most:
        yield (*path, "seed"), f"has {len(resource.seed)} items, and there may be {resource.most}"
    for field in resource.unique:
        values = [seed.get(field) for seed in resource.seed]
        for i, value in enumerate(values):
            if value is not None and value in values[:i]:
                yield (*path, "seed", i, field), f'"{value}" is used twice'
    for reference in resource.references:
        other = document.resources.get(reference.resource)
        known = [seed.get("id") for seed in other.seed] if other is not None else [None]
        if all(isinstance(identity, str) for identity in known):  # what is none is told already
            yield from _referring(resource, reference.field, [str(identity) for identity in known], path)


def _referring(resource: Resource, field: str, known: list[str], path: DocumentPath) -> Iterator[Finding]:
    for i, seed in enumerate(resource.seed):
        value = seed.get(field)
        for one in value if isinstance(value, list) else [value or None]:
            if isinstance(one, str) and one not in known:
                yield (*path, "seed", i, field), unknown(one, known)
