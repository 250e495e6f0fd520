"""Every cell of the matrix comes out as `results.json` says."""

import asyncio
import inspect
from typing import Any

import pytest

from emulator import Emulation, Handle, catalog
from emulator.commands import CommandError

from . import matrix
from .libraries.base import Place
from .libraries.openai_python import OpenAI

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own


def skip_without(library: Any) -> None:
    if missing := library.missing():
        pytest.skip(f"{missing} is not installed: make test-clients")


def parameter(cell: matrix.Cell) -> Any:
    return pytest.param(cell, id=str(cell), marks=pytest.mark.emulator(allow_unmatched=cell.operation is None))


@pytest.mark.parametrize("cell", [parameter(cell) for cell in matrix.cells()])
def test_the_outcome_is_the_one_written_down(emulator: Emulation, cell: matrix.Cell) -> None:
    handle, library = emulator[cell.provider], matrix.CLIENTS[cell.client]
    if cell.expected is None:
        with pytest.raises(CommandError, match="never answers"):
            matrix.prepare(handle, cell.case, cell.operation)
        return
    skip_without(library)
    matrix.prepare(handle, cell.case, cell.operation)
    client = library(handle, matrix.PROVIDERS[cell.provider])
    assert outcome(client, cell.method, handle, cell.case) == cell.expected
    assert [entry.operation for entry in handle.journal] == [cell.operation] * (2 if cell.case == "tools" else 1)


def outcome(client: Any, method: str, handle: Handle, case: str) -> str:
    try:
        value = getattr(client, method)()
        value = asyncio.run(value) if inspect.iscoroutine(value) else value
    except Exception as error:
        return matrix.described(error)
    return matrix.judged(handle, case, value)


@pytest.mark.emulator(allow_unmatched=True)
@pytest.mark.parametrize("provider", matrix.STRANGERS)
def test_a_provider_of_another_convention_is_not_reached(emulator: Emulation, provider: str) -> None:
    skip_without(OpenAI)
    handle = emulator[provider]
    found = outcome(OpenAI(handle, Place(handle.models[0], {})), "chat", handle, "chat")
    assert found == matrix.STRANGERS[provider]["outcome"]


def test_everything_written_down_is_asked() -> None:
    asked = {(cell.client, cell.provider, cell.case) for cell in matrix.cells()}
    for client, providers in matrix.RESULTS.items():
        for provider, written in providers.items():
            assert {(client, provider, case) for case in written["outcomes"]} <= asked
    assert list(matrix.RESULTS) == list(matrix.CLIENTS)


def test_what_breaks_has_a_source() -> None:
    families = catalog.load()
    notes = [(p, n) for providers in matrix.RESULTS.values() for p, w in providers.items() for n in w["notes"]]
    for provider, note in [*notes, *matrix.STRANGERS.items()]:
        assert note["source"] in families[provider].base.sources
        assert note["because"]
    for client, providers in matrix.RESULTS.items():
        for provider, written in providers.items():
            told = {case for note in written["notes"] for case in note["cases"]}
            assert told <= set(written["outcomes"]), (client, provider)
            broken = {c for c in matrix.FEATURES if written["outcomes"].get(c, matrix.PASSES) != matrix.PASSES}
            assert broken <= told, f"{client} on {provider}: say why, with a source"
