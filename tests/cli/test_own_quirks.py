"""Quirks of one's own: what they are about, and what they leave alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from emulator import Emulation, make_runtime
from emulator.handles import Handle

from . import acme

HELLO = {"model": "acme-large", "messages": [{"role": "user", "content": "Hello"}]}
CHAT = "/chat/completions"


@contextmanager
def _served(folder: Path, quirk: str, *, more: str = "") -> Iterator[tuple[Handle, httpx.Client]]:
    """Acme with one quirk, and a client of it."""
    own = (
        "sources: {ours: {ref: a guess, grade: assumed}}\nquirks:\n  - {id: odd, source: ours, " + quirk + "}\n" + more
    )
    data = acme.write(folder, {"fixtures/acme/own.yaml": own})
    emulation = Emulation(make_runtime(["acme"], data=[data], pace=0), "default", None, {})
    authorization = {"authorization": "Bearer key"}
    with httpx.Client(
        transport=emulation.transport(), base_url="http://acme.localhost/v1", headers=authorization
    ) as client:
        yield emulation["acme"], client


def test_a_status_is_that_of_a_reply_and_not_of_a_refusal(tmp_path: Path) -> None:
    with _served(tmp_path, "target: status, do: [{op: replace, status: 203}]") as (handle, client):
        assert client.post(CHAT, json=HELLO).status_code == 203
        assert client.post(CHAT, json=HELLO | {"model": "none"}).status_code == 404
        assert client.post(CHAT, json=HELLO, headers={"authorization": ""}).status_code == 401
        assert client.post(CHAT, json=HELLO, headers={"prefer": "code=500"}).status_code == 500
        assert [(entry.status, entry.refusal) for entry in handle.journal] == [
            (203, None), (404, "unknown_model"), (401, "missing_credentials"), (500, "server_error")
        ]  # fmt: skip


def test_a_status_without_operations_is_as_it_was(tmp_path: Path) -> None:
    with _served(tmp_path, "target: status, do: []") as (_, client):
        assert client.post(CHAT, json=HELLO).status_code == 200


@pytest.mark.parametrize(("value", "expected"), [("${headers.absent}", None), ("${body.n > 0}", "true")])
def test_a_header_is_text_or_is_not_there(tmp_path: Path, value: str, expected: str | None) -> None:
    with _served(tmp_path, f'target: headers, do: [{{op: set, name: x-odd, value: "{value}"}}]') as (_, client):
        assert client.post(CHAT, json=HELLO | {"n": 1}).headers.get("x-odd") == expected


def test_what_a_reply_shows_of_other_things_is_changed_in_the_reply_alone(tmp_path: Path) -> None:
    operations = "{op: scale, path: models.*.context, factor: 2}, {op: remove, path: usage.total_tokens}"
    shape = 'shapes: {chat.completion: {models: "${models}", usage: "${usage}"}}\n'
    with _served(tmp_path, f"target: body, do: [{operations}]", more=shape) as (handle, client):
        for _ in range(2):
            reply = client.post(CHAT, json=HELLO).json()
            assert reply["models"][0]["context"] == 262144
            assert "total_tokens" not in reply["usage"]
            assert "total_tokens" in handle.journal[-1].raw["usage"]
