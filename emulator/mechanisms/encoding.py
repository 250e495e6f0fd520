"""JSON in and out: strict reading, and writing with a provider's separators and escapes."""

import json
from typing import Any, Literal

import orjson

from emulator.mechanisms.records import record

Separators = Literal["compact", "spaced"]


class MalformedJSON(ValueError):
    """The bytes are not JSON. `position` counts bytes from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


def loads(data: bytes) -> Any:
    """Parse JSON. Raises MalformedJSON, also for what no client means: NaN, lone surrogates, 1,000 levels."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedJSON(error.msg, error.pos) from None


@record
class Encoding:
    """How a provider writes JSON."""

    separators: Separators = "compact"
    ascii: bool = False
    escape_slashes: bool = False

    def dumps(self, value: Any) -> bytes:
        if self.separators == "compact" and not self.ascii and not self.escape_slashes:
            try:
                return orjson.dumps(value)
            except TypeError:  # an integer over 64 bits, which JSON allows
                pass
        pair = (",", ":") if self.separators == "compact" else (", ", ": ")
        text = json.dumps(value, separators=pair, ensure_ascii=self.ascii)
        return (text.replace("/", "\\/") if self.escape_slashes else text).encode("utf-8", "replace")
