"""A curl line sends what the suite sent: method, path, headers and body, through a real shell."""

import os
import subprocess

import pytest

from emulator import Emulation, catalog
from emulator.contract import curl
from emulator.contract.target import Target

KEY = "sk-a'b\"c$d`e\\f"
BODIES = [
    None,
    b"",
    b'{"text": "it\'s $HOME, `id` and \\"quotes\\""}',
    b"@/etc/hostname",
    b'{"a": 1}\r\n{"b": 2}\n',
    b"\x00\xff\xfe %s \\n",
    '{"text": "Zürich é ∑ 👋"}'.encode(),
    f'{{"key": "{KEY}"}}'.encode(),
]


def _send(command: str) -> None:
    environment = {**os.environ, "ACME_API_KEY": KEY}
    subprocess.run(["bash", "-c", command], capture_output=True, env=environment, check=True)  # noqa: S603, S607


def _target(origin: str, variable: str | None) -> Target:
    return Target(catalog.load((), ["generalcompute"])["generalcompute"], origin, KEY, variable)


@pytest.mark.emulator(allow_unmatched=True)
@pytest.mark.parametrize("variable", [None, "ACME_API_KEY"])
@pytest.mark.parametrize("body", BODIES)
def test_line_sends_the_same_request(emulator: Emulation, body: bytes | None, variable: str | None) -> None:
    handle = emulator["generalcompute"]
    headers = {"Authorization": f"Bearer {KEY}", "X-Odd": "a 'b' $c", "X-Empty": "", "User-Agent": "left out"}
    line = curl.line(_target(handle.origin, variable), "POST", f"{handle.origin}/v1/a%20b?q=[1]", headers, body)
    assert "\n" not in line
    assert variable is None or KEY not in line
    _send(line)
    (entry,) = handle.journal
    sent = entry.raw["request"]
    assert (entry.method, entry.path) == ("POST", "/v1/a b")
    assert sent["body"] == (body or b"").decode("utf-8", "replace")
    assert {"x-odd": "a 'b' $c", "x-empty": ""}.items() <= sent["headers"].items()
    assert sent["headers"]["authorization"].endswith(KEY[-4:])
    assert "content-type" not in sent["headers"]


@pytest.mark.emulator(allow_unmatched=True)
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PATCH", "TRACE"])
def test_line_uses_the_method(emulator: Emulation, method: str) -> None:
    handle = emulator["generalcompute"]
    _send(curl.line(_target(handle.origin, None), method, f"{handle.origin}/v1/models", {"Accept": "text/html"}, None))
    (entry,) = handle.journal
    assert (entry.method, entry.raw["request"]["headers"]["accept"]) == (method, "text/html")
