"""A provider of the user's own, in the few lines of YAML that the README prints."""

import json
import re
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from emulator import Emulation, make_runtime

from . import acme
from .conftest import Run, Serve

README = Path(__file__).parents[2] / "README.md"
MOST_LINES = 15


@pytest.fixture
def printed(tmp_path: Path) -> Path:
    """The README's provider, written where its comments say."""
    blocks = re.findall(r"```yaml\n# (acme/\S+\.yaml)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert [name for name, _ in blocks] == ["acme/fixtures/acme/provider.yaml", "acme/specs/acme.yaml"]
    for name, text in blocks:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "acme"


def test_it_is_short(printed: Path) -> None:
    assert sum(len(file.read_text().splitlines()) for file in printed.rglob("*.yaml")) <= MOST_LINES


def test_it_is_clean(run: Run, printed: Path) -> None:
    result = run("check", printed)
    assert (result.exit_code, result.stderr) == (0, "")


def test_it_serves_the_openai_client(serve: Serve, printed: Path) -> None:
    served = serve("acme", "--data", printed, "--pace", "0")
    variables = dict(line.split("=", 1) for line in served.starting("export"))
    with OpenAI(base_url=variables["ACME_BASE_URL"], api_key=variables["ACME_API_KEY"], max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["acme-large"]
        chat = client.chat.completions.create(model="acme-large", messages=[{"role": "user", "content": "Hello"}])
        assert chat.choices[0].message.content
        assert chat.usage is not None
        assert chat.usage.total_tokens == chat.usage.prompt_tokens + chat.usage.completion_tokens
        stream = client.chat.completions.create(
            model="acme-large", messages=[{"role": "user", "content": "Hello"}], stream=True
        )
        chunks = [chunk.choices[0] for chunk in stream if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in chunks)
    assert chunks[-1].finish_reason == "stop"


def test_it_stands_beside_the_packaged_ones(serve: Serve, printed: Path) -> None:
    served = serve("--data", printed)
    assert set(served.control("health").json()["providers"]) > {"acme", "nugen"}
    assert [served.get(path).status_code for path in ("/acme/v1/models", "/generalcompute/v1/models")] == [200, 200]


def test_a_key_is_hidden_wherever_it_stands(serve: Serve, tmp_path: Path) -> None:
    auth = "auth: {accept: [{in: header, name: X-Acme-Token}], credentials: [{match: '*', principal: {plan: free}}]}\n"
    served = serve("acme", "nugen", "--data", acme.write(tmp_path / "data", {"fixtures/acme/auth.yaml": auth}))
    for path in ("/acme/v1/models", "/acne/v1/models"):
        httpx.get(served.url + path, headers={"X-Acme-Token": "acme-secret-key-1234"})
    shown = [entry["request"]["headers"]["x-acme-token"] for entry in served.control("journal").json()]
    assert shown == ["…1234", "…1234"]


REFERRING = """\
openapi: 3.1.0
info: {title: Acme, version: "1"}
servers: [{url: https://api.acme.test/v1}]
paths:
  /jobs:
    post:
      operationId: createJob
      requestBody: {$ref: "#/components/requestBodies/job~1new"}
      responses:
        "200": {description: Done, content: {application/json: {example: {done: true}}}}
        "400": {description: No}
        "422": {description: Wrong}
        "500": {description: Sorry}
components:
  requestBodies:
    job/new:
      required: true
      content:
        application/json:
          schema: {$ref: "#/components/schemas/job~1new"}
          examples: {hello: {$ref: "#/components/examples/hello"}}
  examples: {hello: {value: {name: first, size: 2}}}
  schemas: {job/new: {type: object, required: [name, size], properties: {name: {type: string}, size: {type: integer}}}}
"""
OWN = """\
id: acme
extends: openai_compatible
spec: acme.yaml
origin: https://api.acme.test
sources: {guess: {ref: a guess, grade: assumed}}
body: {coerce: true}
operations: {createJob: {source: guess}}
errors: {catalog: {invalid_request: {status: 422, source: guess, body: {wrong: "${violations.0.dotted}"}}}}
"""


def test_a_spec_may_refer_wherever_openapi_lets_it(run: Run, serve: Serve, tmp_path: Path) -> None:
    """To bodies, examples and schemas, also of names that a pointer has to escape."""
    files = {"fixtures/acme/provider.yaml": OWN, "specs/acme.yaml": REFERRING}
    folder = acme.write(tmp_path / "data", files)
    assert run("check", folder).stderr == ""
    served = serve("acme", "--data", folder)
    assert """-d '{"name": "first", "size": 2}'""" in served.starting("curl")[0]
    assert httpx.post(f"{served.url}/v1/jobs", json={"name": "a", "size": "3"}).status_code == 200
    wrong = httpx.post(f"{served.url}/v1/jobs", json={"size": "x"})
    assert (wrong.status_code, wrong.json()) == (422, {"wrong": "name"})


def test_any_status_that_is_declared_may_be_preferred(tmp_path: Path) -> None:
    """Also of a refusal that no request to the operation can meet; not of one that others alone answer."""
    spec = REFERRING.replace(
        '"422"', '"201": &other {description: Other}\n        "409": *other\n        "410": *other\n        "422"'
    )
    errors = (
        "conflict: {status: 409, source: guess, body: {gone: false}},"
        " in_use: {status: 410, source: guess, operations: [], body: {gone: true}}"
    )
    own = OWN.replace("catalog: {", f"catalog: {{{errors}, ")
    data = acme.write(tmp_path, {"fixtures/acme/provider.yaml": own, "specs/acme.yaml": spec})
    emulation = Emulation(make_runtime(["acme"], data=[data]), "default", None, {})
    with httpx.Client(transport=emulation.transport(), base_url="http://acme.localhost/v1") as client:
        reply, none = (client.post("/jobs", headers={"Prefer": f"code={code}"}, json={}) for code in (409, 410))
    assert (reply.status_code, reply.json(), reply.headers["preference-applied"]) == (409, {"gone": False}, "code=409")
    assert none.headers["x-emulator-notice"] == (
        "Prefer: code=410 has no reply in createJob; there are 200, 400, 409, 422, 500"
    )


@pytest.mark.parametrize(
    ("servers", "base"),
    [
        ("servers: [{url: https://api.acme.test/v1}]\n", "/v1"),
        ("servers: [{url: https://api.acme.test/openai/v1}]\n", "/openai/v1"),
        ("", ""),
    ],
)
def test_a_dialects_base_path_gives_way_to_the_servers(tmp_path: Path, servers: str, base: str) -> None:
    """What the greeting prints leads somewhere."""
    spec = acme.SPEC.replace("servers: [{url: https://api.acme.test/v1}]\n", servers)
    handle = Emulation(make_runtime(["acme"], data=[acme.write(tmp_path, {"specs/acme.yaml": spec})]), "t", None, {})
    assert handle["acme"].base_url == f"https://api.acme.test{base}"
    with httpx.Client(transport=handle.transport(), headers=handle["acme"].headers) as client:
        assert client.get(f"{handle['acme'].base_url}/models").status_code == 200


def test_an_alias_tells_its_source_or_is_assumed(run: Run, tmp_path: Path) -> None:
    aliases = "aliases: {/models: /v1/models, /v0/models: {to: /v1/models, source: convention}}\n"
    folder = acme.write(tmp_path, {"fixtures/acme/provider.yaml": acme.PROVIDER + aliases})
    for path, grade in (("/models", "assumed"), ("/v0/models", "assumed"), ("/v1/models", None)):
        lines = run("explain", "GET", f"/acme{path}", "--data", folder).stdout.splitlines()
        told = [line.split() for line in lines if line.startswith("alias")]
        assert [line[1] for line in told] == ([path] if grade else [])
        assert all(grade in line for line in told)
    wrong = acme.write(tmp_path, {"fixtures/acme/provider.yaml": acme.PROVIDER + aliases.replace("convention", "page")})
    assert '7 aliases./v0/models.source: "page" does not exist; there are convention' in run("check", wrong).stderr


def test_an_event_of_the_dialect_that_is_null_is_not_sent(tmp_path: Path) -> None:
    own = "streams: {chat.completion.chunk: {events: {role: null}, terminator: null}}\n"
    data = acme.write(tmp_path, {"fixtures/acme/streams.yaml": own})
    emulation = Emulation(make_runtime(["acme"], data=[data], pace=0), "default", None, {})
    hello = {"model": "acme-large", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    headers = {"Authorization": "Bearer k"}
    with httpx.Client(transport=emulation.transport(), base_url="http://acme.localhost/v1", headers=headers) as client:
        sent = [line for line in client.post("/chat/completions", json=hello).text.splitlines() if line]
    chunks = [json.loads(line.removeprefix("data: ")) for line in sent]
    assert all(chunks)
    assert not any("role" in chunk["choices"][0]["delta"] for chunk in chunks)
