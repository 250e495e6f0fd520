"""A provider's words for what a request body breaks."""

from collections.abc import Mapping
from typing import Any

from emulator.mechanisms.expressions import Scope
from emulator.mechanisms.templates import Template
from emulator.mechanisms.violations import Violation


class Wording:
    """Message templates by violation, the most specific key first.

    For a string where an integer belongs the keys are `type.integer.string`, `type.integer`, `type`,
    `default`; for a missing `function` they are `required.function`, `required`, `default`.
    """

    __slots__ = ("_messages",)

    def __init__(self, messages: Mapping[str, Template]) -> None:
        self._messages = dict(messages)

    @property
    def keys(self) -> frozenset[str]:
        """What the provider has words for."""
        return frozenset(self._messages)

    def tell(self, violations: list[Violation], scope: Scope) -> list[dict[str, Any]]:
        """The violations with the provider's fields (`message`, and whatever else its entries hold) added.

        `wording` is the key whose words they are.
        """
        told = []
        for violation in violations:
            scope["violation"] = violation
            key = next((key for key in _keys(violation) if key in self._messages), None)
            words = self._messages[key](scope) if key is not None else {}
            told.append({"message": "invalid", **violation, "wording": key, **words})
        return told


def by_field(violations: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Messages grouped by dotted path, each once, in order."""
    grouped: dict[str, list[str]] = {}
    for violation in violations:
        messages = grouped.setdefault(violation["dotted"], [])
        if violation["message"] not in messages:
            messages.append(violation["message"])
    return grouped


def _keys(violation: Violation) -> list[str]:
    keyword, detail, received = (
        violation["keyword"],
        violation["expected"] or violation["property"],
        violation["received"],
    )
    if detail is None:
        return [f"{keyword}.{received}", keyword, "default"]
    return [f"{keyword}.{detail}.{received}", f"{keyword}.{detail}", keyword, "default"]
