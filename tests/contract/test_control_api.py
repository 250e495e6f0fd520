"""The control API against its own OpenAPI document."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import httpx
import pytest
import schemathesis
from jsonschema_rs import Draft202012Validator
from schemathesis.engine import events, from_schema

from emulator import EmulatorServer, make_runtime
from emulator.mechanisms.fault_catalogue import OF_CONNECTIONS
from emulator.refusals import REFUSALS

_NAMES_ARE_CHECKED = "400"
"""A schema cannot know which scenarios, operations and variants a provider has; what names another is refused."""


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    running = EmulatorServer(make_runtime(pace=0))
    for provider in running.runtime.providers:  # ports that can be disturbed while the control API is in use
        running.own_port(provider)
    with running:
        yield running


@pytest.fixture
def address(server: EmulatorServer, request: pytest.FixtureRequest) -> str:
    return f"{server.url}/~{request.node.name.split('[')[0]}/_emulator"


@pytest.fixture
def document(address: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{address}/openapi.json").json()
    return found


def test_document_is_served_as_it_is_packaged(document: dict[str, Any]) -> None:
    assert document == json.loads(files("emulator").joinpath("control.openapi.json").read_text())


def test_document_names_every_refusal(document: dict[str, Any]) -> None:
    assert document["components"]["schemas"]["Refusal"]["enum"] == list(REFUSALS)


def test_document_names_every_fault_of_connections(document: dict[str, Any]) -> None:
    assert document["components"]["schemas"]["ConnectionFault"]["properties"]["fault"]["enum"] == OF_CONNECTIONS


def test_document_has_every_path(address: str, document: dict[str, Any]) -> None:
    told = httpx.get(f"{address}/nothing").json()["error"]
    assert {path.removeprefix("/_emulator") for path in told.split("there are ")[1].split(", ")} == set(
        document["paths"]
    )
    for path, item in document["paths"].items():
        allowed = httpx.request("PATCH", address + path).headers["allow"]
        assert set(allowed.split(", ")) == {method.upper() for method in item}


def _about(document: dict[str, Any], providers: list[str]) -> dict[str, Any]:
    """The document for an emulator that has these providers, so that requests reach beyond their names."""
    text = json.dumps(document).replace('"acme"', json.dumps(providers[0])).replace('"flaky"', '"upstream_down"')
    narrowed: dict[str, Any] = json.loads(text)
    for name in ("Failure", "Variants", "Latency", "Payment", "Resources", "ConnectionFault"):
        narrowed["components"]["schemas"][name]["properties"]["provider"]["enum"] = providers
    narrowed["components"]["schemas"]["ConnectionFault"]["required"].append("provider")
    for play in narrowed["components"]["schemas"]["Play"]["oneOf"]:
        play["properties"]["provider"]["enum"] = providers
    return narrowed


def test_control_api_keeps_its_contract(server: EmulatorServer, address: str, document: dict[str, Any]) -> None:
    accepted = ["2xx", _NAMES_ARE_CHECKED]
    config = schemathesis.Config.from_dict(
        {
            "seed": 0,
            "generation": {"max-examples": 40, "database": "none"},
            "cache": {"enabled": False},
            "checks": {"positive_data_acceptance": {"expected-statuses": accepted}},
        }
    )
    config.projects.default.update(base_url=address)
    schema = schemathesis.openapi.from_dict(_about(document, list(server.runtime.providers)), config=config)
    found, operations = [], set()
    for event in from_schema(schema).execute():
        assert not isinstance(event, (events.NonFatalError, events.FatalError)), event
        if isinstance(event, events.ScenarioFinished):
            operations.add(event.recorder.label)
            checks = [check for outcomes in event.recorder.checks.values() for check in outcomes]
            found += [
                f"{c.name}: {c.failure_info.failure}\n{c.failure_info.code_sample}" for c in checks if c.failure_info
            ]
    assert not found, "\n\n".join(found)
    assert operations == {f"{m.upper()} {path}" for path, item in document["paths"].items() for m in item}


def test_journal_entries_fit_their_schema(server: EmulatorServer, address: str, document: dict[str, Any]) -> None:
    tenant = address.removesuffix("/_emulator")
    for provider in server.runtime.providers.values():
        for operation in provider.base.operations.values():
            httpx.request(operation.method, f"{tenant}/{provider.base.id}{operation.path}", json={})
    entries = httpx.get(f"{address}/journal").json()
    assert len(entries) == sum(len(p.base.operations) for p in server.runtime.providers.values())
    schema = {"$ref": "#/components/schemas/JournalEntry", "components": document["components"]}
    validator = Draft202012Validator(schema)
    for entry in entries:
        validator.validate(entry)
