"""Chance that repeats: every draw follows from the seed and the request."""

import random
import string
import uuid
from hashlib import blake2b

_ALPHANUMERIC = string.ascii_letters + string.digits


class Entropy:
    """Random draws for one exchange, all from one key."""

    __slots__ = ("_key", "_random")

    def __init__(self, *parts: object) -> None:
        self._key = "\x1f".join(map(str, parts))
        self._random: random.Random | None = None

    @property
    def random(self) -> random.Random:
        if self._random is None:
            digest = blake2b(self._key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            self._random = random.Random(int.from_bytes(digest, "big"))
        return self._random

    def fork(self, name: str) -> "Entropy":
        """Chance of its own for one purpose: what is drawn here and there leaves the other as it is."""
        return Entropy(self._key, name)

    def hex(self, length: int) -> str:
        return f"{self.random.getrandbits(4 * length):0{length}x}" if length > 0 else ""

    def digits(self, length: int) -> str:
        return "".join(self.random.choices(string.digits, k=length))

    def alnum(self, length: int) -> str:
        return "".join(self.random.choices(_ALPHANUMERIC, k=length))

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))


def fingerprint(data: bytes) -> str:
    """Sixteen hex characters that stand for a request body."""
    return blake2b(data, digest_size=8).hexdigest()
