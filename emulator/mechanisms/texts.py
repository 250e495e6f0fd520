"""Text that a schema's format, pattern and lengths accept, and that suits the name of its property."""

import random
import re
import string
from collections.abc import Callable
from functools import cache
from re import _parser
from typing import Any

from emulator.mechanisms.clock import iso8601

_MOST_LENGTH = 10000
_MOST_MATCHED = 5000  # a pattern's text costs more to make than words do
_MOST_EXTRA = 8  # how far open-ended repetitions go beyond what they must
_PLACES = ("city", "location", "place", "country")
# property name (or schema format) -> the Faker provider whose values look like it
_LOOKS = {
    "name": "name", "full_name": "name", "first_name": "first_name", "last_name": "last_name", "email": "email",
    "city": "city", "location": "city", "country": "country", "address": "street_address", "company": "company",
    "phone": "phone_number", "title": "job", "uri": "url",
    "url": "url", "iri": "url", "uri-reference": "url", "iri-reference": "url", "idn-email": "email",
    "idn-hostname": "hostname", "uuid": "uuid4", "ipv4": "ipv4", "ipv6": "ipv6", "hostname": "hostname",
    "currency": "currency_code", "color": "color_name", "language": "language_name", "username": "user_name",
}  # fmt: skip
_SAMPLES = {
    "json-pointer": "/items/0",
    "relative-json-pointer": "1/items",
    "regex": "^[a-z]+$",
    "uri-template": "https://example.com/{id}",
}
# format -> its shortest readable text, for a `maxLength` that the usual one exceeds
_SHORT = {
    "email": "a@b.co", "idn-email": "a@b.co", "hostname": "a.co", "idn-hostname": "a.co", "uri": "a:b", "iri": "a:b",
    "url": "a:b", "uri-reference": "a", "iri-reference": "a", "uri-template": "a", "ipv4": "1.1.1.1", "ipv6": "::1",
    "json-pointer": "", "relative-json-pointer": "0", "regex": "a", "duration": "P1D", "time": "00:00:00Z",
    "date-time": "2025-01-01T00:00:00Z",
}  # fmt: skip
_GROWS_IN_FRONT = ("email", "idn-email", "hostname", "idn-hostname")
_READABLE = string.ascii_letters + string.digits
_OTHERS = string.punctuation + " " + "".join(map(chr, range(0xA1, 0x180))) + "\t\n"
_CLASSES = {
    "category_digit": string.digits,
    "category_not_digit": string.ascii_letters + string.punctuation,
    "category_space": " ",
    "category_not_space": _READABLE + string.punctuation,
    "category_word": _READABLE + "_",
    "category_not_word": " " + string.punctuation.replace("_", ""),
}


def text(schema: dict[str, Any], name: str, chance: random.Random, words: list[str]) -> str:
    """Text for a string schema whose property is called `name`; `words` fill what nothing else rules.

    Look-arounds, and a pattern beside a format, are met by luck only: the caller checks, and asks again.
    Raises what `re` does for a pattern it cannot read, ValueError for one that asks for too long a text.
    """
    pattern, form = schema.get("pattern"), str(schema.get("format", "")).lower()
    least, most = min(int(schema.get("minLength", 0)), _MOST_LENGTH), schema.get("maxLength")
    most = None if most is None else max(int(most), 0)
    if isinstance(pattern, str) and not (form and chance.random() < 0.9):
        return matching(pattern, chance, least, most)
    likely = _likely(form, name.lower(), chance, words)
    if form in _SHORT:
        return _resized(form, likely, least, most)
    while len(likely) < least:
        likely += " " + chance.choice(words)
    return likely[:most]


def _resized(form: str, likely: str, least: int, most: int | None) -> str:
    """Text of a format, made to fit its lengths without leaving the format where that can be."""
    if most is not None and len(likely) > most:
        likely = _SHORT[form]
    missing = least - len(likely)
    if missing <= 0:
        return likely
    if form in _GROWS_IN_FRONT:
        return "x" * missing + likely
    return likely + ("/" if form == "json-pointer" else "x") + "x" * (missing - 1)


def _likely(form: str, name: str, chance: random.Random, words: list[str]) -> str:
    """Text that suits a format or a property's name; else words of the prompt."""
    named = [word for word in words if word[:1].isupper()]
    if not form and name in _PLACES and named:  # "weather in Paris" asks about Paris
        return named[-1]
    if form == "duration":
        return f"PT{chance.randint(1, 59)}M"
    if form in _SAMPLES:
        return _SAMPLES[form]
    if (form or name) in ("date", "date-time", "time"):  # Faker's own dates depend on today
        moment = iso8601(chance.randrange(2**31))
        return {"date": moment[:10], "time": moment[11:] if form else moment[11:19]}.get(form or name, moment)
    looks = _LOOKS.get(form) or _LOOKS.get(name)
    if looks is None:
        return " ".join(words[:4])
    _faker().seed_instance(chance.getrandbits(64))
    return str(getattr(_faker(), looks)())


@cache
def _faker() -> Any:
    """Made once, seeded before each use; 0.2 s to import, so only when a value is wanted."""
    from faker import Faker

    return Faker("en_US")


def matching(pattern: str, chance: random.Random, least: int = 0, most: int | None = None) -> str:
    """Text that a regular expression finds, of a length between the two where the pattern has such texts."""
    tree = _parser.parse(_as_python(pattern))
    shortest, longest = tree.getwidth()
    if max(shortest, least) > _MOST_MATCHED:
        raise ValueError("the pattern asks for a longer text than a reply should hold")
    looked_at = _looked_at(tree)
    looked_at += shortest if looked_at and not (_begins(tree) and _ends(tree)) else 0
    least = max(least, shortest, looked_at if most is None else min(looked_at, most))
    low, high = min(least, longest), min(longest, least + _MOST_EXTRA)
    high = high if most is None else max(min(high, most), low)
    sample = _Sample(chance)
    sample.add(tree, (chance.randint(low, high) if high > low else low) - shortest)
    sample.pad(least - len(sample.text), tree)
    sample.look_ahead()
    return "".join(chance.choice(characters or string.ascii_lowercase) for characters in sample.text)


def _as_python(pattern: str) -> str:
    """A pattern in the spelling of Python: named groups, Unicode classes, and no doubtful character in a set."""
    pattern = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", pattern)
    spelled, inside = [], False
    for part in re.findall(r"\\[pP]\{[^}]*\}|\\.|.", pattern, re.DOTALL):
        if part[:2] in (r"\p", r"\P"):
            letters = {"Lu": "A-Z", "Ll": "a-z", "N": "0-9", "Nd": "0-9"}.get(part[3:-1], "A-Za-z")
            letters = "!-/" if part[1] == "P" else letters
            spelled.append(letters if inside else f"[{letters}]")
        elif inside and part in "[&~|":
            spelled.append("\\" + part)
        else:
            inside = part == "[" or (inside and part != "]")
            spelled.append(part)
    return "".join(spelled)


class _Sample:
    """A text under construction: for each place the characters it may be, None where that is any.

    They are drawn last, when look-aheads have had their say.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.text: list[str | None] = []
        self.groups: dict[int, range] = {}
        self.ahead: list[tuple[int, Any]] = []

    def add(self, tree: Any, extra: int) -> None:
        """Text for a sequence, longer by `extra` than it must be, as far as its parts can be."""
        widths = [_width(part) for part in tree]
        room = sum(high - low for low, high in widths)
        for part, (low, high) in zip(tree, widths, strict=True):
            room -= high - low
            share = min(extra, high - low)
            least = min(max(extra - room, 0), share)
            share = self.chance.randint(least, share) if least < share else share
            extra -= share
            opcode, value = part
            _ADDERS.get(str(opcode), _Sample.nothing)(self, value, share)

    def nothing(self, value: Any, extra: int) -> None:
        """Anchors and negative look-arounds take no room."""

    def literal(self, value: int, extra: int) -> None:
        self.text.append(chr(value))

    def anything(self, value: Any, extra: int) -> None:
        self.text.append(None)

    def another(self, value: int, extra: int) -> None:
        self.text.append(_READABLE.replace(chr(value), ""))

    def one_of(self, value: list[tuple[Any, Any]], extra: int) -> None:
        named = "".join(_members(opcode, below) for opcode, below in value)
        if str(value[0][0]) == "NEGATE":
            named = "".join(c for c in _READABLE if c not in named) or "".join(c for c in _OTHERS if c not in named)
        self.text.append(named)

    def branch(self, value: tuple[Any, list[Any]], extra: int) -> None:
        branches = value[1]
        wanted = min(branch.getwidth()[0] for branch in branches) + extra
        fitting = [branch for branch in branches if branch.getwidth()[0] <= wanted <= branch.getwidth()[1]]
        branch = self.chance.choice(fitting or branches)
        self.add(branch, max(wanted - branch.getwidth()[0], 0))

    def group(self, value: tuple[Any, ...], extra: int) -> None:
        start = len(self.text)
        self.add(value[-1], extra)
        if value[0]:
            self.groups[value[0]] = range(start, len(self.text))

    def atomic(self, value: Any, extra: int) -> None:
        self.add(value, extra)

    def same(self, value: int, extra: int) -> None:
        """A group's text once more, so what it may be is settled here."""
        for place in self.groups.get(value, ()):
            self.text[place] = self.chance.choice(self.text[place] or string.ascii_lowercase)
            self.text.append(self.text[place])

    def repeat(self, value: tuple[int, int, Any], extra: int) -> None:
        low, high, body = value
        shortest, longest = body.getwidth()
        whole = low * shortest + extra
        fewest = max(low, -(-whole // longest) if longest else low)
        most = min(high, whole // shortest if shortest else fewest)
        times = self.chance.randint(fewest, max(fewest, most))
        rest = max(whole - times * shortest, 0)
        for left in range(times, 0, -1):
            share = min(-(-rest // left), longest - shortest)
            rest -= share
            self.add(body, share)

    def assertion(self, value: tuple[int, Any], extra: int) -> None:
        direction, body = value
        if direction > 0:
            self.ahead.append((len(self.text), body))

    def pad(self, missing: int, tree: Any) -> None:
        """Grow a text at a side that its pattern leaves open."""
        if missing <= 0:
            return
        if not _ends(tree):
            self.text += [None] * missing
        elif not _begins(tree):
            self.text[:0] = [None] * missing

    def look_ahead(self) -> None:
        """Write what look-aheads want over the text they look at."""
        for start, body in self.ahead:  # grows by the look-aheads within look-aheads
            shortest, longest = body.getwidth()
            space = min(max(len(self.text) - start - shortest, 0), longest - shortest)
            wanted = _Sample(self.chance)
            wanted.add(body, space if _ends(body) else self.chance.randint(0, space))
            self.ahead += [(start + inner, below) for inner, below in wanted.ahead]
            for place, characters in enumerate(wanted.text[: len(self.text) - start], start):
                self.text[place] = _common(self.text[place], characters)


def _common(known: str | None, wanted: str | None) -> str | None:
    """What a place may be that had its characters and is looked at; where they share none, what is wanted."""
    if known is None or wanted is None:
        return known or wanted
    return "".join(character for character in wanted if character in known) or wanted


_ADDERS: dict[str, Callable[[_Sample, Any, int], None]] = {
    "LITERAL": _Sample.literal,
    "NOT_LITERAL": _Sample.another,
    "ANY": _Sample.anything,
    "IN": _Sample.one_of,
    "BRANCH": _Sample.branch,
    "SUBPATTERN": _Sample.group,
    "ATOMIC_GROUP": _Sample.atomic,
    "GROUPREF": _Sample.same,
    "MAX_REPEAT": _Sample.repeat,
    "MIN_REPEAT": _Sample.repeat,
    "POSSESSIVE_REPEAT": _Sample.repeat,
    "ASSERT": _Sample.assertion,
}


def _looked_at(tree: Any) -> int:
    """How many characters the look-aheads of a sequence want to see, each its own."""
    bodies = [value[1] for opcode, value in tree if str(opcode) == "ASSERT"]
    return sum(body.getwidth()[0] + _looked_at(body) for body in bodies)


def _begins(tree: Any) -> bool:
    """Whether a pattern is tied to the beginning of the text."""
    return len(tree) > 0 and str(tree[0][1]).startswith("AT_BEGINNING")


def _ends(tree: Any) -> bool:
    """Whether a pattern is tied to the end of the text."""
    if not len(tree):
        return False
    opcode, value = tree[-1]
    return str(value).startswith("AT_END") or (str(opcode) == "SUBPATTERN" and _ends(value[-1]))


def _width(part: tuple[Any, Any]) -> tuple[int, int]:
    """The fewest and the most characters that one element of a pattern takes."""
    opcode, value = part
    name = str(opcode)
    if name in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
        return 1, 1
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high = value[2].getwidth()
        return value[0] * low, value[1] * high
    if name in ("SUBPATTERN", "ATOMIC_GROUP"):
        shortest, longest = (value if name == "ATOMIC_GROUP" else value[-1]).getwidth()
        return shortest, longest
    if name == "BRANCH":
        widths = [branch.getwidth() for branch in value[1]]
        return min(low for low, _ in widths), max(high for _, high in widths)
    return 0, 0


def _members(opcode: Any, value: Any) -> str:
    """The characters that one element of a set names."""
    name = str(opcode)
    if name == "RANGE":
        return "".join(map(chr, range(value[0], min(value[1], value[0] + 1000) + 1)))
    if name == "CATEGORY":
        return _CLASSES[str(value).lower()]
    return chr(value) if name == "LITERAL" else ""
