"""Embeddings that mean a little: equal texts are equal, and texts that share words lie closer than others.

Nothing here is a model. Words and parts of words are hashed into as many dimensions as are asked for (feature
hashing with signs), so that kinship of texts is kinship of their words: `glacier` is near `glaciers`, and what
common words they share hardly counts.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b

from emulator.mechanisms.completions import COMMON_WORDS

_UNSPACED = "\u3040-\u30ff\u3400-\u9fff"  # scripts without spaces between words: each character counts as one
_WORD = rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+"
_PART = 3
_COMMON_WEIGHT, _WORD_WEIGHT, _PART_WEIGHT = 0.1, 1.0, 0.25
_SPREAD = 8
"""How many dimensions a feature is spread over, so that two features seldom meet in all of theirs."""

MOST_DIMENSIONS = 16_384
"""A request may ask for more: no vector is so large, and everybody would wait for it."""
MOST_NUMBERS = 2**23
"""Of all vectors of one request together: 2048 of 4096 take seconds already."""


def embed(prompt: str | list[int], dimensions: int) -> list[float]:
    """A vector of length 1 for a text, or for a list of tokens. `dimensions` below 1 counts as 1."""
    size = max(dimensions, 1)
    vector = [0.0] * size
    for feature, weight in _features(prompt).items():
        digest = blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=4 * _SPREAD).digest()
        for start in range(0, len(digest), 4):
            drawn = int.from_bytes(digest[start : start + 4], "big")
            vector[(drawn >> 1) % size] += weight if drawn & 1 else -weight
    length = math.sqrt(math.fsum(value * value for value in vector))
    if length == 0.0:  # no word at all, or words that cancel out
        return [1.0] + [0.0] * (size - 1)
    return [value / length for value in vector]


def _features(prompt: str | list[int]) -> dict[str, float]:
    """What a text is made of, with how much it counts. A word that comes often counts less each time."""
    weights = _token_weights(prompt) if isinstance(prompt, list) else _text_weights(prompt)
    found: dict[str, float] = {}
    for feature, weight in weights:
        found[feature] = found.get(feature, 0.0) + weight
    return found


def _token_weights(tokens: list[int]) -> Iterator[tuple[str, float]]:
    for token, count in Counter(tokens).items():
        yield f"#{token}", math.sqrt(count)


def _text_weights(text: str) -> Iterator[tuple[str, float]]:
    for word, count in Counter(re.findall(_WORD, text.casefold())).items():
        weight = math.sqrt(count) * (_COMMON_WEIGHT if word in COMMON_WORDS else _WORD_WEIGHT)
        yield word, weight
        whole = f"<{word}>"
        for start in range(len(whole) - _PART + 1):
            yield f"{whole[start : start + _PART]}~", weight * _PART_WEIGHT
