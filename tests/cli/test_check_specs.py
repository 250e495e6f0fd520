"""`emulator check` on the OpenAPI document: which one it is, and where it stands."""

from pathlib import Path

import pytest

from . import acme
from .conftest import Run

JOBS = """\
  /jobs:
    post:
      operationId: createJob
      requestBody:
        content:
          application/json:
            schema:
              properties:
                webhook:
                  type: string
                  nullable: true
                nullable: true
            example: {nullable: true}
"""


def _told(run: Run, folder: Path) -> list[str]:
    result = run("check", folder)
    assert result.exit_code == 1
    return result.stderr.splitlines()[:-2]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            "openapi: 3.0.3",
            "1 openapi: 3.0.3 is not read; make it `openapi: 3.1.0`, in which null is a type, "
            '`type: [string, "null"]` for `nullable: true`, and `exclusiveMinimum:` a number',
        ),
        (
            'swagger: "2.0"',
            "1 swagger: 2.0 is not read; make it `openapi: 3.1.0`, in which bodies stand in `requestBody:`, "
            "schemas in `components:`, the address in `servers:`",
        ),
        ("title: Acme", "1 openapi: is missing; say which OpenAPI it is: `openapi: 3.1.0`"),
    ],
)
def test_another_version_of_openapi(run: Run, tmp_path: Path, wrong: str, told: str) -> None:
    files = {"specs/acme.yaml": acme.SPEC.replace("openapi: 3.1.0", wrong)}
    assert _told(run, acme.write(tmp_path, files)) == [f"{tmp_path}/specs/acme.yaml:{told}"]


def test_a_part_of_another_version(run: Run, tmp_path: Path) -> None:
    """A file that is no whole document need not say which OpenAPI it is; one that does is of 3.1."""
    spec = acme.SPEC.replace('"openai_compatible.yaml#/paths/~1models"', '"parts.yaml#/models"')
    part = "models: {get: {operationId: listModels, responses: RESPONSES}}\n"
    part = part.replace("RESPONSES", '{"200": {description: ok}, "500": {description: no}, "401": {description: no}}')
    acme.write(tmp_path, {"specs/acme.yaml": spec, "specs/parts.yaml": f"swagger: 2.0\n{part}"})
    (told,) = _told(run, tmp_path)
    assert told.startswith(f"{tmp_path}/specs/parts.yaml:1 swagger: 2.0 is not read; ")
    acme.write(tmp_path, {"specs/acme.yaml": spec, "specs/parts.yaml": part})
    assert "swagger" not in run("check", tmp_path).stderr


def test_null_in_the_words_of_an_older_openapi(run: Run, tmp_path: Path) -> None:
    folder = acme.write(tmp_path, {"specs/acme.yaml": acme.SPEC + JOBS})
    at = "paths./jobs.post.requestBody.content.application/json.schema.properties.webhook.nullable"
    assert _told(run, folder) == [
        f'{folder}/specs/acme.yaml:18 {at}: is no word of OpenAPI 3.1; write `type: [string, "null"]`'
    ]


def test_a_spec_of_elsewhere(run: Run, tmp_path: Path) -> None:
    """It may be named by its path, and what is wrong with it is told by that."""
    file = tmp_path / "elsewhere.yaml"
    file.write_text(acme.SPEC, encoding="utf-8")
    provider = acme.PROVIDER.replace("spec: acme.yaml", f"spec: {file}")
    folder = acme.write(tmp_path / "data", {"fixtures/acme/provider.yaml": provider})
    assert run("check", folder).stderr == ""
    file.write_text("openapi: 3.1.0\n", encoding="utf-8")
    assert _told(run, folder) == [f"{file}:1 paths: is missing; an OpenAPI document maps paths to operations"]
