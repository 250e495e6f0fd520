"""Token counts by a declared ratio of characters per token: nothing is downloaded, ever."""

import math
import re
from typing import Literal

from emulator.mechanisms.records import record

_PIECES = {"before": re.compile(r"\s*\S+"), "after": re.compile(r"\S+\s*")}


@record
class TokenRatio:
    """Characters per token, and the tokens a chat prompt costs beside its text."""

    characters: float = 4.0
    per_message: int = 0
    per_request: int = 0

    def count(self, text: str) -> int:
        return math.ceil(len(text) / self.characters)

    def cut(self, text: str, tokens: float) -> str:
        """The longest beginning of `text` that counts at most `tokens`."""
        return text[: int(min(max(tokens * self.characters, 0), len(text)))]

    def prompt(self, texts: list[str]) -> int:
        """Tokens of a chat prompt made of one text a message."""
        if not texts:
            return 0
        return sum(map(self.count, texts)) + self.per_message * len(texts) + self.per_request


def pieces(text: str, spaces: Literal["before", "after"] = "before", blanks: int | None = None) -> list[str]:
    """The text in the pieces a stream sends: one word each, with the space that stands before or after it.

    Joined, the pieces are the text. With `blanks`, an empty piece stands between so many words and the next.
    """
    if not text:
        return []
    if text.split(" ") != text.split():
        found = _spaced_words(text, spaces)
    else:  # there is no other space in it that could end a line
        found = text.replace(" ", "\n " if spaces == "before" else " \n").split("\n")
    if blanks is None:
        return found
    return [piece for i, word in enumerate(found) for piece in (["", word] if i and i % blanks == 0 else [word])]


def _spaced_words(text: str, spaces: Literal["before", "after"]) -> list[str]:
    """Words with whatever space there is on that side; what has no word there goes with the one on the other."""
    words: list[str] = _PIECES[spaces].findall(text.rstrip() if spaces == "before" else text)  # blanks begin no word
    if not words:
        return [text]
    if spare := len(text) - sum(map(len, words)):
        words[-1] += text[-spare:] if spaces == "before" else ""
        words[0] = text[:spare] + words[0] if spaces == "after" else words[0]
    return words
