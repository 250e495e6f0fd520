"""What a row needs beside the emulator, installed or built on demand into `.bench/`, or why it is not there."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from .machine import CACHE, PYTHON, Missing

AIMOCK = "@copilotkit/aimock@1.43.0"
RESPX = ("respx==0.22.0", "httpx==0.28.1")


def _run(command: Sequence[str], folder: Path, what: str) -> None:
    """Run an installer quietly. Raises Missing."""
    program = shutil.which(command[0])
    if program is None:
        raise Missing(f"{what} needs {command[0]}, which is not here")
    try:
        subprocess.run([program, *command[1:]], cwd=folder, check=True, capture_output=True, timeout=300)  # noqa: S603
    except (subprocess.SubprocessError, OSError) as error:
        raise Missing(f"{what} could not be had: {' '.join(command[:2])} failed ({type(error).__name__})") from None


@cache
def wrk() -> tuple[str, dict[str, str]]:
    """wrk and the environment it runs in: the machine's own, or the distribution's package unpacked. Raises Missing."""
    if found := shutil.which("wrk"):
        return found, {}
    folder = CACHE / "wrk"
    binary = folder / "usr" / "bin" / "wrk"
    if not binary.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _run(["apt-get", "download", "wrk", "libluajit-5.1-2"], folder, "wrk")
        for package in folder.glob("*.deb"):
            _run(["dpkg-deb", "-x", str(package), str(folder)], folder, "wrk")
    libraries = os.pathsep.join(str(path.parent) for path in folder.glob("usr/lib/*/libluajit-5.1.so.2"))
    return str(binary), {"LD_LIBRARY_PATH": libraries}


@cache
def sseload() -> str:
    """The load generator for streams, built from the source beside this file. Raises Missing."""
    source = Path(__file__).with_name("sseload.c")
    binary = CACHE / "sseload"
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        _run([os.environ.get("CC", "cc"), "-O2", "-o", str(binary), str(source)], CACHE, "sseload")
    return str(binary)


@cache
def aimock() -> str:
    """The command of aimock, from the npm registry. Raises Missing."""
    folder = CACHE / "aimock"
    command = folder / "node_modules" / ".bin" / "llmock"
    if not command.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _run(["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", AIMOCK], folder, "aimock")
    return str(command)


@cache
def respx() -> str:
    """The Python of an environment with respx and httpx, from PyPI. Raises Missing."""
    folder = CACHE / "respx"
    python, installed = folder / "bin" / "python", folder / "installed"
    if not installed.exists():
        _run([PYTHON, "-m", "venv", str(folder)], CACHE, "respx")
        _run([str(python), "-m", "pip", "install", "--quiet", *RESPX], folder, "respx")
        installed.touch()
    return str(python)
