"""Pages by cursor: each page names its neighbours by a place in the list, whatever is added or deleted meanwhile.

A cursor is text that clients hand back as it is. It holds the number of an item, which no other item ever gets.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import Any

from emulator.mechanisms.resources import Item, Items

_PLACE = re.compile(rb"(after|before):(-?\d{1,18})")


def page(
    items: Items, numbers: Mapping[str, int], size: int, cursor: Any, *, newest_first: bool = False
) -> tuple[list[Item], dict[str, Any]]:
    """The items of the page asked for, and `{size, total, next, previous}`: cursors, null where nothing is.

    `items` come in the order of their numbers. A cursor that is none leads to the first page.
    """
    ordered = list(reversed(items)) if newest_first else list(items)
    keys = [-numbers[item["id"]] if newest_first else numbers[item["id"]] for item in ordered]
    side, key = _place(cursor)
    last = bisect_left(keys, key) if side == "before" else len(keys)
    first = max(last - size, 0) if side == "before" else bisect_right(keys, key) if side == "after" else 0
    shown = slice(first, min(first + size, last))
    facts = {
        "size": size,
        "total": len(keys),
        "next": _cursor("after", keys[shown.stop - 1]) if first < shown.stop < len(keys) else None,
        "previous": _cursor("before", keys[first]) if 0 < first < shown.stop else None,
    }
    return ordered[shown], facts


def _cursor(side: str, key: int) -> str:
    return urlsafe_b64encode(f"{side}:{key}".encode()).decode().rstrip("=")


def _place(cursor: Any) -> tuple[str, int]:
    """The side of an item that the page is on, and the item's key."""
    try:
        text = urlsafe_b64decode(str(cursor).encode() + b"==")
    except ValueError:
        return "", 0
    found = _PLACE.fullmatch(text)
    return (found[1].decode(), int(found[2])) if found else ("", 0)
