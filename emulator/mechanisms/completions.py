"""Completions: readable, related to the prompt, the same for the same seed and prompt.

Nothing here is a model. The text takes up the words of the last user message, so that a person reading
a log sees which question an answer belongs to; tool calls and structured output obey their schemas.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.records import record
from emulator.mechanisms.tokens import TokenRatio

_WORD = re.compile(r"[^\W_][\w'-]*", re.UNICODE)
_COMMON_WORDS = """
a about all an and any are as at be by can could describe do does explain for from give has have hello help hi how i in
is it its just like list make me my of on or our please say she should so some tell than that the their them then there
these they this to us was we were what when where which who why will with would write you your
"""
COMMON_WORDS = frozenset(_COMMON_WORDS.split())
"""Words that tell nothing of what a text is about."""
_MOST_READ = 1000  # characters of a prompt in which its topic is looked for
_OPENINGS = (
    "You asked about {topic}.",
    "Here is a short answer about {topic}.",
    "Let us look at {topic}.",
    "A few words on {topic}.",
)
_MIDDLES = (
    "The main point of {topic} is easier to see with an example.",
    "Most questions about {topic} come down to how its parts work together.",
    "In practice, {topic} is best approached one step at a time.",
    "It helps to separate what {topic} does from how it is used.",
    "A good first check is whether {topic} behaves as expected on a small case.",
    "Two things matter here: what goes into {topic} and what is expected to come out.",
    "Many people meet {topic} first in a simple form and add detail later.",
)
_THOUGHTS = (
    "The question is about {topic}. A short answer will do.",
    "This asks about {topic}; first what it is, then what it is for.",
    "So {topic}. One thing at a time, and no more than is needed.",
)
_CLOSINGS = (
    "That is the essence of {topic}.",
    "From here, a concrete question about {topic} would be a good next step.",
    "This answer about {topic} is simulated.",
)


@record
class Script:
    """What a scenario says the completion is; what it leaves out is generated."""

    text: str | None = None
    tool_calls: tuple[dict[str, Any], ...] | None = None
    finish_reason: str | None = None
    usage: dict[str, int] | None = None


_NO_SCRIPT = Script()


def complete(
    request: dict[str, Any], entropy: Entropy, tokens: TokenRatio, script: Script | None, model: Mapping[str, Any]
) -> dict[str, Any]:
    """The completion of a neutral request by a model's entry (empty: by any model).

    Gives `model` (its name in replies), `choices` (each with index, text, tool_calls, finish_reason) and `usage`.
    Each of several prompts has its choices, all of one before those of the next.
    """
    script = script or _NO_SCRIPT
    thinking = model.get("thinking")
    asked = [text for text in request["asked"] for _ in range(request["n"] or 1)]
    choices = [_choice(index, request, text, entropy, tokens, script, thinking) for index, text in enumerate(asked)]
    completion_tokens = sum([_size(choice, tokens) for choice in choices])
    usage = {"prompt_tokens": request["prompt_tokens"], "completion_tokens": completion_tokens, **(script.usage or {})}
    usage.setdefault("total_tokens", usage["prompt_tokens"] + usage["completion_tokens"])
    return {"model": model.get("answers_as") or request["model"], "choices": choices, "usage": usage}


def _choice(
    index: int,
    request: dict[str, Any],
    asked: str,
    entropy: Entropy,
    tokens: TokenRatio,
    script: Script,
    thinking: Mapping[str, str] | None,
) -> dict[str, Any]:
    words = topic_words(asked) if script.text is None else []  # what is said already needs no topic
    calls = _tool_calls(request, entropy, words, script)
    text, reason = script.text, "stop"
    if text is None:
        whole = "" if calls else _text(request, entropy, words, thinking)
        text, reason = _stopped(whole, request["stop"]), "tool_calls" if calls else "stop"
        needed = tokens.count(text) + (text == whole)  # a text that ends by itself needs a token to say so
        if not calls and request["max_tokens"] is not None and needed > request["max_tokens"]:
            text, reason = tokens.cut(text, request["max_tokens"]), "length"
    elif calls:
        reason = "tool_calls"
    return {
        "index": index,
        "text": text,
        "tool_calls": calls or None,
        "finish_reason": script.finish_reason or reason,
    }


def _size(choice: dict[str, Any], tokens: TokenRatio) -> int:
    size = tokens.count(choice["text"])
    for call in choice["tool_calls"] or ():
        size += tokens.count(call["name"] + call["arguments"])
    return size


def _tool_calls(request: dict[str, Any], entropy: Entropy, words: list[str], script: Script) -> list[dict[str, Any]]:
    if script.tool_calls is not None:
        return [_call(call["name"], call.get("arguments", {}), entropy) for call in script.tool_calls]
    function = _chosen(request, words) if script.text is None else None
    if function is None:
        return []
    from emulator.mechanisms.instances import instance  # only where tools are

    arguments = instance(function.get("parameters") or {"type": "object"}, entropy.random, words)
    return [_call(str(function.get("name")), {} if arguments is None else arguments, entropy)]


def _call(name: str, arguments: Any, entropy: Entropy) -> dict[str, Any]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {"id": entropy.hex(18), "name": name, "arguments": text}


def _chosen(request: dict[str, Any], words: list[str]) -> dict[str, Any] | None:
    """The function to call, or None: `tool_choice` rules, and an answer to a tool's result is text."""
    functions = [
        tool["function"]
        for tool in request["tools"] or []
        if isinstance(tool, dict) and isinstance(tool.get("function"), dict)
    ]
    choice = request["tool_choice"]
    if isinstance(choice, dict):
        named = choice["function"] if isinstance(choice.get("function"), dict) else choice
        return next((f for f in functions if f.get("name") == named.get("name")), None)
    if not functions or choice == "none" or (request["last_role"] == "tool" and choice != "required"):
        return None
    best: dict[str, Any] = max(functions, key=lambda function: _kinship(function, words))
    return best


def _kinship(function: dict[str, Any], words: list[str]) -> int:
    """How many telling words of the prompt a function's name and description share."""
    described = f"{function.get('name')} {function.get('description')}".replace("_", " ")
    return len({w.lower() for w in words} & {w.lower() for w in topic_words(described)})


def _text(request: dict[str, Any], entropy: Entropy, words: list[str], thinking: Mapping[str, str] | None) -> str:
    """Structured output is nothing else; any other text begins with the thoughts of a model that writes them down."""
    wanted = request["response_format"]
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        from emulator.mechanisms.instances import instance

        declared = wanted.get("json_schema")
        schema = declared.get("schema") if isinstance(declared, dict) else None
        return json.dumps(instance(schema or {"type": "object"}, entropy.random, words), ensure_ascii=False)
    topic = " ".join(words[:4]) or "your message"
    if isinstance(wanted, dict) and wanted.get("type") == "json_object":
        return json.dumps(
            {"topic": topic, "answer": entropy.choice(_OPENINGS).replace("{topic}", topic)}, ensure_ascii=False
        )
    thoughts = ""
    if thinking is not None:
        thoughts = thinking["before"] + entropy.choice(_THOUGHTS).replace("{topic}", topic) + thinking["after"]
    if request["last_role"] == "tool":
        return f"{thoughts}The tool answered: {request['last_text'][:200]}"
    middles = entropy.sample(_MIDDLES, 2 + entropy.below(2))
    sentences = [entropy.choice(_OPENINGS), *middles, entropy.choice(_CLOSINGS)]
    return thoughts + " ".join(sentences).replace("{topic}", topic)


def _stopped(text: str, stop: Any) -> str:
    """The text before the first stop sequence."""
    for sequence in [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []:
        if isinstance(sequence, str) and sequence:
            text = text.split(sequence, 1)[0]
    return text


def topic_words(text: str) -> list[str]:
    """The telling words of a prompt, each once, in order, at most eight, none longer than 40 characters."""
    telling: list[str] = []
    for found in _WORD.findall(text[:_MOST_READ]):
        word = found.rstrip("'-")
        if word.lower() not in COMMON_WORDS and len(word) <= 40 and word not in telling:
            telling.append(word)
            if len(telling) == 8:
                break
    return telling
