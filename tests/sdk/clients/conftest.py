"""No client leaves this machine, or looks for anything but the emulator."""

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

# Before the first import of any of them: several read these only once.
os.environ |= {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_TELEMETRY": "False",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "HF_HUB_OFFLINE": "1",
}

_LOCAL = {"127.0.0.1", "::1", "localhost", None, ""}


class _Watch:
    """Notes and refuses names and addresses of other machines, while it is on: an audit hook stays for ever."""

    def __init__(self) -> None:
        self.on = False
        self.foreign: list[str] = []
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event == "socket.getaddrinfo":
            host = arguments[0]
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        else:
            return
        host = host.decode() if isinstance(host, bytes) else host
        if host not in _LOCAL:
            self.foreign.append(str(host))
            raise OSError(f"a client looked for {host}")


@pytest.fixture(scope="session")
def _watch() -> _Watch:
    return _Watch()


@pytest.fixture(autouse=True)
def nobody_else_is_asked(_watch: _Watch) -> Iterator[None]:
    _watch.foreign.clear()
    _watch.on = True
    yield
    _watch.on = False
    assert _watch.foreign == []
