"""`python -m emulator serve …` as a process of its own."""

import shlex
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

CHAT = {"model": "gpt-oss-120b", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}


@dataclass
class Served:
    """A running server: its address, the lines it greeted with, and a file with what it complains of."""

    process: subprocess.Popen[str]
    errors: Path
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.lines[0].split()[2]

    def starting(self, start: str) -> list[str]:
        """What follows `start` in the greeting's lines that begin with it."""
        return [line.strip().removeprefix(start).strip() for line in self.lines if line.strip().startswith(start)]

    @property
    def trust(self) -> ssl.SSLContext | bool:
        """What the greeting says is to be trusted."""
        files = self.starting("export SSL_CERT_FILE=")
        return ssl.create_default_context(cafile=shlex.split(files[0])[0]) if files else True

    def get(self, path: str, key: str = "any-key", **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers={"Authorization": f"Bearer {key}", **headers}, verify=self.trust)

    def chat(self, path: str = "/generalcompute/v1/chat/completions", **body: Any) -> httpx.Response:
        return httpx.post(
            self.url + path, headers={"Authorization": "Bearer any-key"}, json={**CHAT, **body}, verify=self.trust
        )

    def control(self, command: str, body: object = None, tenant: str = "") -> httpx.Response:
        """GET a command of the control API, or POST it with a body."""
        address = f"{self.url}{f'/~{tenant}' if tenant else ''}/_emulator/{command}"
        if body is None:
            return httpx.get(address, verify=self.trust)
        return httpx.post(address, json=body, verify=self.trust)

    def journal(self, tenant: str = "") -> list[tuple[str, str, int]]:
        entries = self.control("journal", tenant=tenant).json()
        return [(entry["provider"], entry["path"], entry["status"]) for entry in entries]

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the process; gives its exit status."""
        with self.process:
            if self.process.poll() is None:
                self.process.send_signal(how)
            return self.process.wait(10)


def start(arguments: tuple[object, ...], errors: Path) -> Served:
    """Start a server on any free port and read its greeting: up to a curl line a provider."""
    command = [sys.executable, "-m", "emulator", "serve", "--port", "0", *map(str, arguments)]
    with errors.open("w") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)  # noqa: S603
    served = Served(process, errors)
    assert process.stdout is not None
    served.lines.append(process.stdout.readline().rstrip("\n"))
    assert served.lines[0], errors.read_text()
    while served.url.startswith("https") and not served.starting("export NODE_EXTRA_CA_CERTS="):
        served.lines.append(process.stdout.readline().rstrip("\n"))
    try:
        providers = served.control("health").json()["providers"]
    except httpx.TransportError:
        served.stop()
        raise
    while len(served.starting("curl")) < len(providers):
        served.lines.append(process.stdout.readline().rstrip("\n"))
    return served


def until(condition: Callable[[], bool]) -> bool:
    """Whether a condition comes true in a bounded number of looks."""
    pause = threading.Event()
    return any(condition() or pause.wait(0.05) for _ in range(200))
