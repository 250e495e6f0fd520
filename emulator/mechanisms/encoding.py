"""JSON in and out: strict reading, and writing with a provider's separators and escapes."""

import json
from typing import Any, Literal

import orjson

from emulator.mechanisms.records import record

Separators = Literal["compact", "spaced"]
MOST_LEVELS = 200
"""How deep JSON of a client may be nested: what is written later, a store's cell or a reply, nests it further."""


class MalformedJSON(ValueError):
    """The bytes are not JSON. `position` counts bytes from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


def loads(data: bytes) -> Any:
    """Parse JSON. Raises MalformedJSON, also for what no client means: NaN, lone surrogates, 201 levels."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedJSON(error.msg, error.pos) from None
    if data.count(b"[") + data.count(b"{") > MOST_LEVELS and nested(value, MOST_LEVELS):
        raise MalformedJSON(f"nested deeper than {MOST_LEVELS} levels", 0)
    return value


def nested(value: Any, levels: int) -> bool:
    """Whether lists and mappings stand in each other deeper than so many levels."""
    layer = [value] if isinstance(value, (list, dict)) else []
    while layer and levels:
        items = (item for node in layer for item in (node.values() if isinstance(node, dict) else node))
        layer, levels = [item for item in items if isinstance(item, (list, dict))], levels - 1
    return bool(layer)


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
