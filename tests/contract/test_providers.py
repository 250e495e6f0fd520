"""Every provider against its own spec, in every phase and with every check."""

from pathlib import Path

import pytest
from schemathesis.checks import CHECKS, load_all_checks

from emulator import Emulation, catalog, contract
from emulator.contract.report import EXCLUDED

from . import acme

FAMILIES = catalog.load()
_VARIABLES = {
    name: next(v for v, template in family.base.env.items() if template == "{api_key}")
    for name, family in FAMILIES.items()
}
_WITHOUT_EFFECT = {"max_response_time"}


@pytest.mark.parametrize("name", FAMILIES)
def test_provider_keeps_its_contract(name: str) -> None:
    report = contract.run({name: FAMILIES[name]}, max_examples=15)
    assert not report.findings, report.summary()
    assert not report.notes, report.summary()
    _assert_every_check_ran(name, report)


def _assert_every_check_ran(name: str, report: contract.Report) -> None:
    load_all_checks()
    ran = {check for _, _, check in report.checks}
    assert {*CHECKS.get_all_names()} - _WITHOUT_EFFECT <= ran
    assert set(EXCLUDED) >= _WITHOUT_EFFECT
    for operation in FAMILIES[name].base.operations.values():
        label = f"{operation.method} {operation.path}"
        assert report.checks[name, label, "documented_status"] == len(operation.statuses)
        assert report.checks[name, label, "response_schema_conformance"] > 0
        assert (report.checks[name, label, "stream_event_schema"] > 1) == (operation.stream is not None)


@pytest.mark.parametrize("name", ["generalcompute", "peakprivacy"])
@pytest.mark.emulator(allow_unmatched=True)
def test_provider_keeps_its_contract_at_an_address(
    name: str, emulator: Emulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(_VARIABLES[name], emulator[name].api_key)
    report = contract.run({name: FAMILIES[name]}, url=emulator[name].origin, max_examples=3)
    assert not report.findings, report.summary()
    assert report.excused["ignored_auth"], "an emulator that takes any key ignores what the spec demands"
    assert {entry.status for entry in emulator[name].journal} >= {200, 405}


def test_the_same_seed_sends_the_same_requests() -> None:
    def sent(seed: int) -> list[object]:
        report = contract.run({"generalcompute": FAMILIES["generalcompute"]}, max_examples=5, seed=seed)
        return [report.cases, report.checks, report.statuses]

    assert sent(7) == sent(7) != sent(8)


def test_a_key_may_stand_in_the_query(tmp_path: Path) -> None:
    place = {"in": "query", "name": "key"}
    data = acme.write(tmp_path, paths=acme.MODELS, scheme={"type": "apiKey", **place}, auth={"accept": [place]})
    report = contract.run(acme.load(data), max_examples=2)
    assert not report.findings, report.summary()
    statuses = {status for _, _, status in report.statuses}
    assert statuses >= {200, 401}, "with the key, and without it for ignored_auth"
