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
CLIPS = """\
  /clips:
    post:
      operationId: createClip
      requestBody:
        required: true
        content: {multipart/form-data: {schema: {properties: {seconds: {type: integer}}, required: [seconds]}}}
      responses:
        {"200": &any {description: any}, "400": *any, "401": *any, "500": *any}
"""


@contextmanager
def _served(
    folder: Path, quirk: str, *, more: str = "", spec: str = acme.SPEC
) -> Iterator[tuple[Handle, httpx.Client]]:
    """Acme with one quirk, and a client of it."""
    own = (
        "sources: {ours: {ref: a guess, grade: assumed}}\nquirks:\n  - {id: odd, source: ours, " + quirk + "}\n" + more
    )
    data = acme.write(folder, {"fixtures/acme/own.yaml": own, "specs/acme.yaml": spec})
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


@pytest.mark.parametrize(
    ("operation", "blamed"),
    [
        ("{op: require_header, name: X-Need}", ("Missing required parameter: 'X-Need'.", "X-Need")),
        ("{op: reject_field, path: user}", ("Invalid value for 'user'.", "user")),
        ("{op: reject_field, path: messages.*.name}", ("Invalid value for 'messages[1].name'.", "messages[1].name")),
    ],
)
def test_what_it_refuses_is_what_the_error_names(tmp_path: Path, operation: str, blamed: tuple[str, str]) -> None:
    said = [{"role": "user", "content": "Hello"}, {"role": "user", "content": "Hi", "name": "me"}]
    with _served(tmp_path, f"target: request, do: [{operation}]") as (_, client):
        reply = client.post(CHAT, json=HELLO | {"user": "me", "messages": said})
        error = reply.json()["error"]
        assert (reply.status_code, error["message"], error["param"]) == (400, *blamed)


def test_what_it_refuses_has_its_place_in_the_reply(tmp_path: Path) -> None:
    body = "errors: {catalog: {invalid_request: {status: 400, source: ours, body: {BODY}}}}\n"
    body = body.replace("BODY", 'at: "${violations.0.loc}", by: "${errors_by_field}", fact: "${fact.header}"')
    quirk = "target: request, do: [{op: require_header, name: X-Need}]"
    with _served(tmp_path, quirk, more=body) as (_, client):
        told = {"X-Need": ["Missing required parameter: 'X-Need'."]}
        assert client.post(CHAT, json=HELLO).json() == {"at": ["header", "X-Need"], "by": told, "fact": "X-Need"}


def test_a_field_with_another_name_is_read_like_the_one_it_stands_for(tmp_path: Path) -> None:
    quirk = "target: request, do: [{op: alias_field, path: most, to: max_tokens}]"
    with _served(tmp_path, quirk, more="body: {coerce: true}\n") as (_, client):
        for name, value in (("max_tokens", "7"), ("most", "7"), ("most", 7.0)):
            reply = client.post(CHAT, json=HELLO | {name: value})
            assert (reply.status_code, reply.json()["usage"]["completion_tokens"]) == (200, 7)


def test_so_is_one_of_a_form(tmp_path: Path) -> None:
    quirk = "target: request, do: [{op: alias_field, path: length, to: seconds}]"
    more = 'operations: {createClip: {source: ours, shape: clip}}\nshapes: {clip: {seconds: "${body.seconds}"}}\n'
    with _served(tmp_path, quirk, more=more, spec=acme.SPEC + CLIPS) as (_, client):
        for name in ("seconds", "length"):
            reply = client.post("/clips", files={name: (None, "7")})
            assert (reply.status_code, reply.text) == (200, '{"seconds":7}')
