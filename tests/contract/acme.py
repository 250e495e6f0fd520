"""A provider of our own, so that a server can differ from what the suite expects of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import folders
import yaml

from emulator import catalog
from emulator.provider import ProviderFamily

KEY = "ACME_API_KEY"
_PROVIDER = {
    "id": "acme",
    "extends": "openai_compatible",
    "title": "Acme",
    "spec": "acme.yaml",
    "origin": "https://api.acme.test",
    "env": {"base_url": "ACME_BASE_URL", "api_key": KEY},
}
_CHAT = {"/chat/completions": {"$ref": "openai_compatible.yaml#/paths/~1chat~1completions"}}
BEARER = {"type": "http", "scheme": "bearer"}
MODELS = {"/models": {"$ref": "openai_compatible.yaml#/paths/~1models"}}


def write(
    folder: Path, *, paths: Mapping[str, Any] | None = None, scheme: Mapping[str, Any] = BEARER, **sections: Any
) -> Path:
    """A `--data` folder: Acme as its dialect has it, with other sections where given."""
    spec: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Acme", "version": "1"},
        "servers": [{"url": "https://api.acme.test/v1"}],
        "security": [{"bearer": []}],
        "paths": {**_CHAT, **MODELS} if paths is None else dict(paths),
        "components": {"securitySchemes": {"bearer": dict(scheme)}},
    }
    files = {"specs/acme.yaml": spec, "fixtures/acme/provider.yaml": {**_PROVIDER, **sections}}
    return folders.write(folder, {file: yaml.safe_dump(it, sort_keys=False) for file, it in files.items()})


def load(folder: Path) -> dict[str, ProviderFamily]:
    """Acme as `folder` has it."""
    return catalog.load([folder], ["acme"])
