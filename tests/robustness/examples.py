"""The request that an operation's example makes."""

import json
from typing import Any

from emulator.operation import Operation
from emulator.provider import Provider
from emulator.wire.reading import Request, by_name


def example(provider: Provider, operation: Operation, key: str, **more: Any) -> Request:
    """With a key, and `more` fields where it takes JSON."""
    body = operation.examples.body
    sent = json.dumps({**body, **more}).encode() if isinstance(body, dict) else b""
    headers = by_name({**provider.headers(key), "content-type": "application/json"}.items())
    return Request(operation.method, f"/{provider.id}{operation.example_path}", "", headers, sent)
