"""Numbers that data fix for every request, and that can be none: a price or a cost below zero, an endless vector."""

from collections.abc import Iterator

from emulator.catalog.language.document import Document
from emulator.catalog.owned import Finding
from emulator.catalog.source import DocumentPath
from emulator.mechanisms.embeddings import MOST_DIMENSIONS

Source = str | int | float | bool


def constants(document: Document) -> Iterator[Finding]:
    """Findings of limits, prices and vectors."""
    for path, source in (*_limits(document), *_prices(document)):
        if (value := constant(source)) is not None and value < 0:
            yield path, f"{source} is below zero"
    for name, operation in document.operations.items():
        size = None if operation.embed is None else constant(operation.embed.dimensions)
        if size is not None and not 1 <= size <= MOST_DIMENSIONS:
            told = f"{size:g} is no size of a vector, which has 1 to {MOST_DIMENSIONS} numbers"
            yield ("operations", name, "embed", "dimensions"), told


def constant(source: Source) -> float | None:
    """The number that an expression is for every request, if it is one."""
    try:
        return None if isinstance(source, bool) else float(source)
    except ValueError:
        return None


def _limits(document: Document) -> Iterator[tuple[DocumentPath, Source]]:
    for i, rule in enumerate(document.limits.rules):
        path: DocumentPath = ("limits", "rules", i)
        yield (*path, "cost"), rule.cost
        yield (*path, "settle"), rule.settle or 0
        yield (*path, "capacity"), rule.capacity
        if rule.pool is not None:
            yield (*path, "pool", "capacity"), rule.pool.capacity


def _prices(document: Document) -> Iterator[tuple[DocumentPath, Source]]:
    prices = document.prices
    for operation, lines in prices.charges.items() if prices else ():
        for i, line in enumerate(lines):
            yield ("prices", "charges", operation, i, "quantity"), line.quantity
            yield ("prices", "charges", operation, i, "price"), line.price
    for name, meter in prices.meters.items() if prices else ():
        for i, rate in enumerate(meter.rates):
            yield ("prices", "meters", name, "rates", i, "quantity"), rate.quantity
            yield ("prices", "meters", name, "rates", i, "price"), rate.price
