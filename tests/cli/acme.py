"""A small OpenAI-compatible provider in a folder, whole or with files of it replaced."""

from pathlib import Path

import folders

PROVIDER = """\
id: acme
extends: openai_compatible
spec: acme.yaml
origin: https://api.acme.test
env: {base_url: ACME_BASE_URL, api_key: ACME_API_KEY}
models: [{id: acme-large, context: 131072}]
"""
SPEC = """\
openapi: 3.1.0
info: {title: Acme, version: "1"}
servers: [{url: https://api.acme.test/v1}]
security: [{bearer: []}]
paths:
  /chat/completions: {$ref: "openai_compatible.yaml#/paths/~1chat~1completions"}
  /models: {$ref: "openai_compatible.yaml#/paths/~1models"}
"""


def write(folder: Path, files: dict[str, str] | None = None) -> Path:
    """A `--data` folder with Acme, `files` (by path) laid over it."""
    whole = {"fixtures/acme/provider.yaml": PROVIDER, "specs/acme.yaml": SPEC, **(files or {})}
    return folders.write(folder, whole)
