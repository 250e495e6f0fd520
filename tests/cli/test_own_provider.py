"""A provider of the user's own, in the few lines of YAML that the README prints."""

import re
from pathlib import Path

import pytest
from openai import OpenAI

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
