"""What a request asks for in large numbers where the spec has no bound: refused, and nobody waits for it."""

from pathlib import Path
from typing import Any

import folders
import httpx
import pytest

from emulator import make_runtime, make_transport
from emulator.mechanisms.embeddings import MOST_DIMENSIONS, MOST_NUMBERS

SPEC = """\
openapi: 3.1.0
info: {title: Acme, version: "1"}
servers: [{url: https://api.acme.test/v1}]
paths:
  /embeddings:
    post:
      operationId: embed
      requestBody: {required: true, content: {application/json: {schema: {type: object, properties: {size: {}}}}}}
      responses: {"200": {description: ok}, "400": {description: no}, "500": {description: no}}
"""
PROVIDER = """\
id: acme
extends: openai_compatible
spec: acme.yaml
origin: https://api.acme.test
shapes: {vectors: {$each: e in embeddings, $give: "${e.vector}"}}
read: {text: {prompt: body.text}}
operations:
  embed: {source: convention, read: text, embed: {dimensions: "first(body.size, 4)"}, shape: vectors}
"""


def _asked(folder: Path, **body: Any) -> httpx.Response:
    data = folders.write(folder, {"fixtures/acme/provider.yaml": PROVIDER, "specs/acme.yaml": SPEC})
    transport = make_transport(make_runtime(["acme"], data=[data]), None)
    with httpx.Client(transport=transport, base_url="http://acme.localhost/v1") as client:
        return client.post("/embeddings", json={"text": "Hello", **body})


@pytest.mark.parametrize("size", [10**8, 1e300, MOST_DIMENSIONS + 1])
def test_a_vector_of_too_many_numbers_is_an_invalid_request(tmp_path: Path, size: float) -> None:
    reply = _asked(tmp_path, size=size)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "size")
    assert reply.json()["error"]["message"] == f"Invalid 'size': must be at most {MOST_DIMENSIONS}."


@pytest.mark.parametrize("size", [1, MOST_DIMENSIONS])
def test_a_vector_of_as_many_numbers_as_can_be(tmp_path: Path, size: int) -> None:
    assert [len(vector) for vector in _asked(tmp_path, size=size).json()] == [size]


@pytest.mark.parametrize("size", [MOST_DIMENSIONS, 4096])
def test_vectors_of_too_many_numbers_together_are_an_invalid_request(tmp_path: Path, size: int) -> None:
    most = MOST_NUMBERS // size
    reply = _asked(tmp_path, text=["a"] * (most + 1), size=size)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "text")
    assert reply.json()["error"]["message"] == "Invalid value for 'text'."
