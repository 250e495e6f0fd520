"""How long an answer may take as a whole, however it trickles in."""

import time
from collections.abc import Iterable, Iterator


def within(seconds: float, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks as they arrive. Raises TimeoutError when one arrives later than `seconds` after the first was due."""
    deadline = time.monotonic() + seconds
    for chunk in chunks:
        if time.monotonic() > deadline:
            raise TimeoutError(f"no end after {seconds:g} seconds")
        yield chunk
