"""A request as one curl line that sends the same bytes."""

import re
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from emulator.contract.target import Target

if TYPE_CHECKING:
    from requests import PreparedRequest

_OF_CLIENT = re.compile(r"(accept-encoding|connection|content-length|host|transfer-encoding|user-agent)$|x-schem", re.I)
"""Headers that every client writes for itself."""


def line(target: Target, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> str:
    """The command; a secret key stands in it as its environment variable."""
    words = ["curl", "-sS", "-i"]
    if method == "HEAD":
        words.append("--head")
    elif method != "GET" or body is not None:
        words += ["-X", shlex.quote(method)]
    if any(c in url for c in "[]{}"):
        words.append("-g")
    if "/." in url:
        words.append("--path-as-is")
    words.append(_quoted(url.replace(target.origin, target.shown_origin), target))
    for name, value in _headers(headers, body):
        words += ["-H", _quoted(f"{name}: {value}" if value else f"{name};", target)]
    if body is not None and "content-type" not in {name.lower() for name in headers}:
        words += ["-H", "Content-Type:"]
    return _with_body(words, body, target)


def prepared(target: Target, request: "PreparedRequest") -> str:
    """The command for a request as the `requests` library sent it."""
    headers = {str(name): str(value) for name, value in request.headers.items()}
    body = request.body.encode() if isinstance(request.body, str) else request.body
    return line(target, str(request.method), str(request.url), headers, body)


def _headers(headers: Mapping[str, str], body: bytes | None) -> list[tuple[str, str]]:
    kept = [(name, value) for name, value in headers.items() if not _OF_CLIENT.match(name)]
    return [(name, value) for name, value in kept if (name.lower(), value) != ("accept", "*/*")]


def _with_body(words: list[str], body: bytes | None, target: Target) -> str:
    if body is None:
        return " ".join(words)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = "\n"
    if any(c in text for c in "\0\r\n"):  # what one line of shell cannot hold
        octal = "".join(f"\\{byte:03o}" for byte in body)
        return " ".join(["printf", f"'{octal}'", "|", *words, "--data-binary", "@-"])
    return " ".join([*words, "--data-raw", _quoted(text, target)])


def _quoted(text: str, target: Target) -> str:
    if target.variable is None or target.key not in text:
        return shlex.quote(text)
    parts = (_escaped(part) for part in text.split(target.key))
    return '"' + f"${{{target.variable}}}".join(parts) + '"'


def _escaped(text: str) -> str:
    """Text between double quotes of a shell."""
    return "".join(f"\\{c}" if c in '\\"$`' else c for c in text)
