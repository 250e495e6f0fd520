"""Who is measured: the emulator on its real data, raw uvicorn, aimock; and the request that all of them answer."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import tools
from .machine import CACHE, PYTHON, Call, Failed, Server, free_port

_NAMES = ("alpha", "bravo", "delta", "hotel", "india", "limas", "oscar", "romeo", "tango", "zulus")
WORDS = 99
"""With the role, the finish, the usage and the end they make a stream of 103 events."""
TEXT = " ".join(_NAMES[i % len(_NAMES)] for i in range(WORDS))
KEY = "gc_enterprise_bench"
HEADERS = (("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json"))
MODEL = "gpt-oss-120b"
CHAT: dict[str, Any] = {
    "model": MODEL,
    "messages": [
        {"role": "system", "content": "You are a helpful assistant that answers in short sentences."},
        {"role": "user", "content": "Please write one hundred words about the phonetic alphabet, in order."},
    ],
    "temperature": 0.7,
    "max_tokens": 128,
    "user": "bench-user-1",
}
PREFIX = "/generalcompute"
PATH = "/v1/chat/completions"


def chat(prefix: str = "") -> Call:
    return Call(prefix + PATH, json.dumps(CHAT).encode(), HEADERS)


def streamed(call: Call) -> Call:
    """A chat request that asks for a stream."""
    return replace(call, body=json.dumps({**json.loads(call.body), "stream": True}).encode())


def told(server: Server, command: str, body: dict[str, Any]) -> None:
    """Give an emulator a command of its control API. Raises Failed."""
    reply = server.ask(Call(f"/_emulator/{command}", json.dumps(body).encode(), HEADERS))
    if reply[9:10] != b"2":
        raise Failed(reply[-300:].decode(errors="replace"))


def emulator(*arguments: str, scripted: bool = True) -> Server:
    """The checkout's emulator with all its data and its defaults; `scripted`, each completion is TEXT."""
    port = free_port()
    command = [PYTHON, "-m", "emulator", "serve", "--port", str(port), *arguments]
    server = Server(command, port, chat(PREFIX))
    if scripted:
        steps = [{"reply": {"text": TEXT}, "times": 1_000_000_000}]
        told(server, "scenario", {"provider": PREFIX[1:], "steps": steps})
    return server


def raw(like: Server, gap: float = 0) -> Server:
    """uvicorn with uvloop and httptools, and the bytes that an emulator answers as constants."""
    files = {"BENCH_REPLY": CACHE / "reply", "BENCH_EVENTS": CACHE / "events"}
    files["BENCH_REPLY"].write_bytes(body(like.ask(like.ready)))
    files["BENCH_EVENTS"].write_bytes(body(like.ask(streamed(like.ready))))
    port = free_port()
    command = [PYTHON, "-m", "uvicorn", "--host", "127.0.0.1", "--port", str(port), "--log-level", "critical"]
    command += ["--no-access-log", "--backlog", "4096", "--loop", "uvloop", "--http", "httptools"]
    command += ["--app-dir", str(Path(__file__).parent), "reference:app"]
    env = {name: str(file) for name, file in files.items()}
    return Server(command, port, chat(), {**env, "BENCH_GAP": str(gap)})


def aimock() -> Server:
    """aimock with three rules that do not match before the one that does. Raises Missing."""
    others = ("zebra crossing", "quarterly report", "weather in paris")
    rules = [{"match": {"userMessage": text}, "response": {"content": "no"}} for text in others]
    rules.append({"match": {"userMessage": "phonetic"}, "response": {"content": TEXT}})
    folder = CACHE / "aimock-rules"
    folder.mkdir(exist_ok=True)
    (folder / "fixtures.json").write_text(json.dumps({"fixtures": rules}), encoding="utf-8")
    port = free_port()
    command = [tools.aimock(), "-p", str(port), "-h", "127.0.0.1", "-f", str(folder)]
    return Server([*command, "--log-level", "silent", "-c", "6", "-l", "0"], port, chat())


def body(reply: bytes) -> bytes:
    """The body of a raw reply, chunks put together."""
    head, _, body = reply.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head.lower():
        return body
    parts = []
    while body:
        size, _, body = body.partition(b"\r\n")
        parts.append(body[: int(size, 16)])
        body = body[int(size, 16) + 2 :]
    return b"".join(parts)
