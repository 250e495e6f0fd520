"""Servers on one CPU, the load on another, and what else the machine did meanwhile."""

import os
import platform
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".bench"
"""What is installed and built on demand, and the files of a run."""

_CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
PINNED = len(_CPUS) > 1
_LINUX = Path("/proc/stat").exists()
_TICK = os.sysconf("SC_CLK_TCK")


class Missing(Exception):
    """What a row needs and this machine does not have."""


class Failed(Exception):
    """A server that did not start, or replies that are no 2xx where none may be."""


def to_load_cpu() -> None:
    """This process, and the load it starts, run there from now on."""
    if PINNED:
        os.sched_setaffinity(0, _CPUS[-1:])


@contextmanager
def on_server_cpu() -> Iterator[None]:
    """What is started within runs on the servers' CPU: a process inherits where it may run."""
    if PINNED:
        os.sched_setaffinity(0, _CPUS[:1])
    try:
        yield
    finally:
        to_load_cpu()


def environment(**more: str) -> dict[str, str]:
    """The environment of what is started: this checkout's emulator, whatever else is installed.

    Python keeps what it compiles, as it does for users, or each start would compile all of it again.
    """
    own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**own, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(CACHE / "bytecode"), **more}


def timed(command: Sequence[str], **env: str) -> float:
    """Milliseconds of a command on the servers' CPU. Raises Failed."""
    with on_server_cpu():
        began = time.perf_counter()
        done = subprocess.run(command, env=environment(**env), cwd=ROOT, capture_output=True, timeout=120)  # noqa: S603
    if done.returncode:
        raise Failed(f"{' '.join(command[:4])} … ended with {done.returncode}: {done.stderr[-300:].decode()}")
    return (time.perf_counter() - began) * 1000


@dataclass(frozen=True)
class Call:
    """One request: what it asks, and of which path."""

    path: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "POST"

    def raw(self, port: int) -> bytes:
        """The request as bytes; the connection closes behind it."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Server:
    """A process on the servers' CPU that answers on a port of 127.0.0.1. A context manager that ends it."""

    def __init__(self, command: Sequence[str], port: int, ready: Call, env: Mapping[str, str] | None = None) -> None:
        """Start it; `started` seconds later it has answered `ready` with 2xx. Raises Failed."""
        self.port = port
        self.ready = ready
        self.notes = CACHE / f"server-{port}.log"
        with on_server_cpu(), self.notes.open("wb") as notes:
            began = time.monotonic()
            self.process = subprocess.Popen(  # noqa: S603
                command, env=environment(**(env or {})), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=notes, stderr=notes
            )
        try:
            self._wait(ready, began + 60)
        except BaseException:
            self.stop()
            raise
        self.started = time.monotonic() - began

    def _wait(self, ready: Call, until: float) -> None:
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                if self.ask(ready)[9:10] == b"2":
                    return
            except OSError:
                time.sleep(0.001)
        raise Failed(f"no reply: {self.notes.read_text(errors='replace')[-300:]}")

    def ask(self, call: Call) -> bytes:
        """The whole reply to one request, head and body. Raises OSError."""
        parts = []
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as sock:
            sock.sendall(call.raw(self.port))
            while part := sock.recv(65536):
                parts.append(part)
        return b"".join(parts)

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        if not _LINUX or self.process.poll() is not None:
            return 0.0
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def memory(self) -> float:
        """Resident megabytes. Raises Missing."""
        if not _LINUX:
            raise Missing("memory is read from /proc, which is not here")
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.notes.unlink(missing_ok=True)

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@dataclass(frozen=True)
class Use:
    """Of the CPUs since a moment: the seconds of the measured, and the percentage of others."""

    cpu: float
    foreign: float


class Watch:
    """Around a measurement: what the measured used of all CPUs, and what neither they did, nor the load, nor this."""

    def __init__(self, *servers: Server) -> None:
        """The measured are servers; without any, the processes that are begun and ended meanwhile."""
        self._servers = servers
        self._at = self._now()

    def _now(self) -> tuple[float, float, float]:
        """Seconds so far: of the measured, of everything else that is not idle, and of all CPUs."""
        own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        served = sum(server.cpu() for server in self._servers)
        loaded = children.ru_utime + children.ru_stime
        measured = served if self._servers else loaded
        if not _LINUX:
            return measured, 0.0, 0.0
        with Path("/proc/stat").open() as stat:
            ticks = [int(field) for field in stat.readline().split()[1:9]]
        user, nice, system, _idle, _waiting, irq, softirq, steal = ticks
        busy = (user + nice + system + irq + softirq + steal) / _TICK
        return measured, busy - served - loaded - own.ru_utime - own.ru_stime, sum(ticks) / _TICK

    def use(self) -> Use:
        """Since the start."""
        measured, others, total = (now - at for now, at in zip(self._now(), self._at, strict=True))
        return Use(measured, 100 * max(others, 0.0) / total if total > 0 else 0.0)


def described() -> dict[str, str]:
    """The machine, for the page of results."""
    model = platform.processor() or platform.machine()
    if _LINUX:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), model)
    pinned = (
        f"servers on CPU {_CPUS[0]}, load on CPU {_CPUS[-1]}" if PINNED else "nothing pinned: one CPU, or no affinity"
    )
    return {
        "cpu": f"{os.cpu_count()} x {model}",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "pinned": pinned,
    }


PYTHON = sys.executable
