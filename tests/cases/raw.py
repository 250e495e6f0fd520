"""Raw HTTP over a real socket: exactly the headers a test names, and nothing a client library would add."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class RawReply:
    """A reply as it came over the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        """The body, parsed; a key that stands twice in one object is a mistake."""
        return json.loads(self.body, object_pairs_hook=_once)

    @property
    def events(self) -> list[str]:
        """What follows `data: ` in each event of a stream."""
        blocks = self.text.split("\n\n")
        assert blocks.pop() == ""
        assert all(block.startswith("data: ") for block in blocks)
        return [block.removeprefix("data: ") for block in blocks]

    def header(self, name: str) -> str | None:
        found = self.all(name)
        assert len(found) <= 1, f"{name} came {len(found)} times"
        return found[0] if found else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    assert len(found) == len(pairs), f"a key stands twice among {[key for key, _ in pairs]}"
    return found


def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> RawReply:
    """One request on a connection of its own. Only Host and Content-Length are added."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.putrequest(
            method, parts.path + (f"?{parts.query}" if parts.query else ""), skip_accept_encoding=True
        )
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return RawReply(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


def key_order(value: Any) -> Any:
    """The keys of every object, in the order they stand, and nothing else."""
    if isinstance(value, dict):
        return [(key, key_order(below)) for key, below in value.items()]
    if isinstance(value, list):
        return [key_order(below) for below in value]
    return None
