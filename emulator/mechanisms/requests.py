"""From a provider's body to a neutral request: the few facts every completion API asks for."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, get_args

from emulator.mechanisms.codegen import Code, compiled
from emulator.mechanisms.expressions import Expression, Scope
from emulator.mechanisms.tokens import TokenRatio

NeutralField = Literal[
    "model", "messages", "prompt", "stream", "include_usage", "max_tokens", "truncate_to", "n", "stop", "tools",
    "tool_choice", "response_format",
]  # fmt: skip
FIELDS: tuple[str, ...] = get_args(NeutralField)
_MOST_CHOICES = 128
_FITS = {
    **dict.fromkeys(("messages", "tools"), ".__class__ is list"),
    **dict.fromkeys(("n", "max_tokens", "truncate_to"), ".__class__ in NUMBERS"),
}


class Reader:
    """One expression, or the first that is not null of several, for each neutral field."""

    __slots__ = ("_fields", "_values")

    def __init__(self, fields: Mapping[str, list[Expression]]) -> None:
        self._fields = fields
        self._values: Callable[[Scope], Any] = self._first_values

    def read(self, scope: Scope, tokens: TokenRatio) -> dict[str, Any]:
        """The neutral request: every field of `NeutralField`, and what follows from the messages.

        Derived are `prompt_tokens` and `longest_prompt` (tokens), `prompts` (of a request without messages, each a
        text or a list of tokens), `last_role` (str or None), `last_text`, and `asked` (the texts to be answered).
        """
        request: dict[str, Any] = self._values(scope)
        request["n"] = int(max(1, min(request["n"] or 1, _MOST_CHOICES)))
        if isinstance(request["max_tokens"], float):
            request["max_tokens"] = int(request["max_tokens"])
        return measured(request, tokens)

    def _first_values(self, scope: Scope) -> Any:
        """The function for all fields is made when the first request is read."""
        self._values = compiled(self._written)
        return self._values(scope)

    def _written(self, code: Code) -> str:
        values = (f"{name!r}: {_first(name, self._fields.get(name, ()), code)}" for name in FIELDS)
        return f"{{{', '.join(values)}}}"


def _first(name: str, expressions: Iterable[Expression], code: Code) -> str:
    """The first value that the field can have, of several; a schema need not declare it."""
    text, fits = "None", _FITS.get(name, " is not None")
    for expression in reversed([*expressions]):
        text = f"(it if (it := {expression.written(code)}){fits} else {text})"
    return text


def measured(request: dict[str, Any], tokens: TokenRatio) -> dict[str, Any]:
    """The request with what follows from its messages or prompts, computed anew."""
    if request["messages"] is None and request["prompt"] is not None:
        return _of_prompts(request, tokens)
    texts: list[str] = []
    role, spoken = None, None
    for message in request["messages"] or ():
        if isinstance(message, dict):
            role, content = message.get("role"), message.get("content")
            texts.append(content if content.__class__ is str else content_text(content))
            if role == "user" or role == "tool":
                spoken = texts[-1]
    last = spoken if spoken is not None else texts[-1] if texts else ""
    request["prompts"] = []
    request["prompt_tokens"] = request["longest_prompt"] = tokens.prompt(texts)
    request["last_role"], request["last_text"], request["asked"] = role, last, [last]
    return request


def _of_prompts(request: dict[str, Any], tokens: TokenRatio) -> dict[str, Any]:
    """Prompts are bare text: no message is counted around them, and each fits the context or not by itself."""
    request["prompts"] = prompts(request["prompt"])
    sizes = [tokens.count(p) if isinstance(p, str) else len(p) for p in request["prompts"]]
    request["prompt_tokens"], request["longest_prompt"] = sum(sizes), max(sizes, default=0)
    request["last_role"] = None
    request["asked"] = [p if isinstance(p, str) else "" for p in request["prompts"]]
    request["last_text"] = "".join(request["asked"][-1:])
    return request


def prompts(prompt: Any) -> list[str | list[int]]:
    """The prompts of a field that takes a text, a list of texts, a list of tokens or a list of such lists."""
    if isinstance(prompt, list) and any(isinstance(part, (str, list)) for part in prompt):
        return [part if isinstance(part, str) else _tokens(part) for part in prompt]
    return [_tokens(prompt)] if isinstance(prompt, list) else [str(prompt)]


def _tokens(prompt: Any) -> list[int]:
    return [token for token in prompt if isinstance(token, int)] if isinstance(prompt, list) else []


def content_text(content: Any) -> str:
    """The text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") if isinstance(part, dict) else part for part in content)
        return " ".join(str(part) for part in parts if isinstance(part, (str, int)))
    return ""


def evict(request: dict[str, Any], tokens: TokenRatio, limit: int, roles: tuple[str, ...]) -> int:
    """Drop the oldest messages of the given roles, never the last one, until the prompt fits `limit` tokens.

    Gives the number of messages dropped.
    """
    kept, dropped, size = [], 0, request["prompt_tokens"]
    messages = list(request["messages"] or [])
    for index, message in enumerate(messages):
        last = index == len(messages) - 1
        if size > limit and not last and isinstance(message, dict) and message.get("role") in roles:
            size -= tokens.count(content_text(message.get("content"))) + tokens.per_message
            dropped += 1
        else:
            kept.append(message)
    if dropped:
        request["messages"] = kept
        measured(request, tokens)
    return dropped
