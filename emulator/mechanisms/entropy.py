"""Chance that repeats: every draw follows from the seed and the request."""

import random
import string
from collections.abc import Sequence
from functools import cached_property
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")
_ALPHANUMERIC = string.ascii_letters + string.digits
_BLOCK = 512  # bits of one digest
_OF_NOTHING = blake2b(digest_size=8).hexdigest()


class Entropy:
    """Random draws for one exchange, all from one key: the digests of the key and a counter, bit by bit."""

    def __init__(self, *parts: object) -> None:
        self._key = "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")
        self._blocks = self._bits = self._left = 0

    def bits(self, count: int) -> int:
        """A number of so many random bits."""
        while self._left < count:
            block = blake2b(self._key, salt=self._blocks.to_bytes(16, "big")).digest()
            self._bits |= int.from_bytes(block, "big") << self._left
            self._blocks += 1
            self._left += _BLOCK
        drawn = self._bits & ((1 << count) - 1)
        self._bits >>= count
        self._left -= count
        return drawn

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1; every one as likely, but for one part in 2**32."""
        return self.bits(limit.bit_length() + 32) % limit

    def choice(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """So many different items, in random order."""
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(count)]

    @cached_property
    def random(self) -> random.Random:
        """The same chance for what asks for the standard library's."""
        return random.Random(self.bits(64))

    def fork(self, name: str) -> "Entropy":
        """Chance of its own for one purpose: what is drawn here and there leaves the other as it is."""
        return Entropy(self._key, name)

    def hex(self, length: int) -> str:
        return f"{self.bits(4 * length):0{length}x}" if length > 0 else ""

    def digits(self, length: int) -> str:
        length = max(length, 0)
        drawn = self.bits(4 * length + 32)
        return f"{drawn % 10**length:0{length}}"[::-1] if length else ""

    def alnum(self, length: int) -> str:
        text = ""
        drawn = self.bits(6 * max(length, 0) + 32)
        for _ in range(length):
            drawn, index = divmod(drawn, len(_ALPHANUMERIC))
            text += _ALPHANUMERIC[index]
        return text

    def uuid(self) -> str:
        """A UUID of version 4."""
        drawn = self.hex(30)
        variant = "89ab"[self.bits(2)]
        return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[12:15]}-{variant}{drawn[15:18]}-{drawn[18:]}"


def fingerprint(data: bytes) -> str:
    """Sixteen hex characters that stand for a request body."""
    return blake2b(data, digest_size=8).hexdigest() if data else _OF_NOTHING
