"""What `serve` prints of a provider of one's own: it works when pasted, wherever keys stand and whatever a body is."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from . import acme
from .conftest import Serve
from .serving import Served

SPEC = """\
openapi: 3.1.0
info: {title: Acme, version: "1"}
servers: [{url: https://api.acme.test/v1}]
security: [{key: []}]
paths:
  /jobs:
    METHOD:
      operationId: jobs
      BODY
      responses: {"200": &any {description: ""}, "400": *any, "401": *any, "500": *any}
"""
PROVIDER = """\
id: acme
extends: openai_compatible
spec: acme.yaml
origin: https://api.acme.test
env: {base_url: {name: ACME_URL, value: "{base_url}/?a=1&b=2"}, api_key: ACME_KEY}
api_key: emu ok&1
auth:
  accept: [ACCEPT]
  credentials: [{match: "emu ok*", principal: {}}, {match: "*", OTHERS}]
shapes: {seen: {query: "${url}", body: "${body}"}}
operations: {jobs: {source: convention, shape: seen}}
"""
HEADER, QUERY = "{in: header, name: X-Key}", "{in: query, name: api_key}"
FORM = (
    "requestBody: {required: true, content: {multipart/form-data: {schema: {type: object, required: [name, files],"
    " properties: {name: {type: string}, size: {type: integer}, files: {type: array, items: {type: string,"
    " format: binary}}}}, encoding: {files: {contentType: text/csv}},"
    """ example: {name: '@me;"x"', size: 3, files: ['a;"b"', c]}}}}"""
)
JSON = "requestBody: {required: true, content: {application/json: {schema: {type: object}, example: {a: it's}}}}"


def _served(
    serve: Serve,
    folder: Path,
    *,
    accept: str = HEADER,
    others: str = "principal: {}",
    method: str = "get",
    body: str = "",
) -> Served:
    files = {
        "specs/acme.yaml": SPEC.replace("METHOD", method).replace("BODY", body),
        "fixtures/acme/provider.yaml": PROVIDER.replace("ACCEPT", accept).replace("OTHERS", others),
    }
    return serve("acme", "--data", acme.write(folder / "data", files))


def _pasted(served: Served) -> tuple[str, Any]:
    line = f"curl {served.starting('curl')[0]} -w '\\n%{{http_code}}'"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=True)  # noqa: S602
    body, status = done.stdout.rsplit("\n", 1)
    return status, json.loads(body)


@pytest.mark.parametrize("accept", [HEADER, QUERY, f"{QUERY}, {HEADER}"])
def test_the_key_stands_where_it_is_accepted(serve: Serve, tmp_path: Path, accept: str) -> None:
    assert _pasted(_served(serve, tmp_path, accept=accept, others="refuse: invalid_credentials"))[0] == "200"


@pytest.mark.parametrize(
    ("method", "body", "seen"),
    [
        ("post", "", {}),
        ("put", JSON, {"a": "it's"}),
        ("post", FORM, {"name": '@me;"x"', "size": 3, "files": [5, 1]}),
    ],
    ids=["none", "json", "form"],
)
def test_the_body_is_of_its_kind(serve: Serve, tmp_path: Path, method: str, body: str, seen: dict[str, Any]) -> None:
    status, told = _pasted(_served(serve, tmp_path, method=method, body=body))
    assert status == "200", told
    found = told["body"]
    if "files" in found:
        found = {**found, "files": [file["size"] for file in found["files"]]}
    assert found == seen


@pytest.mark.parametrize(
    ("others", "told"),
    [("principal: {}", "any key works"), ("refuse: invalid_credentials", "others: `emulator list acme`")],
)
def test_any_key_is_said_to_work_where_it_does(serve: Serve, tmp_path: Path, others: str, told: str) -> None:
    assert told in _served(serve, tmp_path, others=others).starting("API key")[0]


def test_variables_are_quoted_for_the_shell(serve: Serve, tmp_path: Path) -> None:
    served = _served(serve, tmp_path)
    exports = "; ".join(f"export {line}" for line in served.starting("export"))
    command = f"{exports}; echo $ACME_URL; echo $ACME_KEY"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)  # noqa: S602
    assert done.stdout.splitlines() == [f"{served.url}/v1/?a=1&b=2", "emu ok&1"]
