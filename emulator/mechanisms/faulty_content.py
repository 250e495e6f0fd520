"""Faults of content: each changes a completion before it is rendered, so that it shows in every provider's format."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from emulator.mechanisms.entropy import Entropy
from emulator.mechanisms.faults import Fault

Choice = dict[str, Any]
_MOST_PLACES = 200  # of a large value, so that a fault never takes long
_OTHERS: tuple[Any, ...] = (None, "", "unexpected", -1, 10**9, True, [], {})


def spoil(completion: dict[str, Any], request: dict[str, Any], fault: Fault, entropy: Entropy) -> bool:
    """Apply a fault to a completion in place; say whether it found what it aims at.

    Of the stream's faults only `split_character` has something to do here: an answer without any character
    of several bytes gets one.
    """
    if fault.name == "no_choices":
        completion["choices"] = []
        return True
    if fault.name not in _FAULTS:
        return True
    found = [_FAULTS[fault.name](choice, request, fault, entropy) for choice in completion["choices"]]
    return any(found)


def _truncated_json(choice: Choice, request: dict[str, Any], fault: Fault, entropy: Entropy) -> bool:
    text = choice["text"] or ""
    cut = next((text[:end] for end in range(len(text) // 2, 0, -1) if not _is_json(text[:end])), None)
    if not _wanted(request) or cut is None:
        return False
    choice["text"], choice["finish_reason"] = cut, fault["finish_reason"]
    return True


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _wanted(request: dict[str, Any]) -> dict[str, Any] | None:
    """What structured output was asked for: the request's `response_format`, unless it is plain text."""
    wanted = request["response_format"]
    structured = isinstance(wanted, dict) and wanted.get("type") in ("json_schema", "json_object")
    return wanted if structured else None


def _schema_violation(choice: Choice, request: dict[str, Any], fault: Fault, entropy: Entropy) -> bool:
    declared = (_wanted(request) or {}).get("json_schema")
    schema = declared.get("schema") if isinstance(declared, dict) else None
    broken = _violating(choice["text"] or "", schema, fault["rule"], entropy)
    if broken is None:
        return False
    choice["text"] = broken
    return True


def _unknown_tool(choice: Choice, request: dict[str, Any], fault: Fault, entropy: Entropy) -> bool:
    return _each_call(choice, lambda call: {**call, "name": fault["name"]})


def _unparsable_arguments(choice: Choice, request: dict[str, Any], fault: Fault, entropy: Entropy) -> bool:
    return _each_call(choice, lambda call: {**call, "arguments": call["arguments"][:-1]})


def _arguments_violate_schema(choice: Choice, request: dict[str, Any], fault: Fault, entropy: Entropy) -> bool:
    def spoilt(call: dict[str, Any]) -> dict[str, Any] | None:
        broken = _violating(call["arguments"], _parameters(request, call["name"]), fault["rule"], entropy)
        return None if broken is None else {**call, "arguments": broken}

    return _each_call(choice, spoilt)


def _each_call(choice: Choice, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> bool:
    changed = [change(call) for call in choice["tool_calls"] or []]
    if not changed or None in changed:
        return False
    choice["tool_calls"] = changed
    return True


def _parameters(request: dict[str, Any], name: str) -> Any:
    """The schema of a tool's arguments."""
    functions = [tool.get("function") for tool in request["tools"] or [] if isinstance(tool, dict)]
    return next((f.get("parameters") for f in functions if isinstance(f, dict) and f.get("name") == name), None)


def _null_content(choice: Choice, request: dict[str, Any], fault: Fault, entropy: Entropy) -> bool:
    choice["text"] = None
    return True


def _refusal(choice: Choice, request: dict[str, Any], fault: Fault, entropy: Entropy) -> bool:
    choice.update(text=fault["text"], tool_calls=None, finish_reason="stop")
    return True


def _content_filter(choice: Choice, request: dict[str, Any], fault: Fault, entropy: Entropy) -> bool:
    words = (choice["text"] or "").split(" ")[: fault["words"]]
    choice.update(text=" ".join(words), tool_calls=None, finish_reason="content_filter")
    return True


def _split_character(choice: Choice, request: dict[str, Any], fault: Fault, entropy: Entropy) -> bool:
    calls = "".join(call["arguments"] for call in choice["tool_calls"] or [])
    text = choice["text"] or ""
    if (text + calls).isascii() and not calls:
        choice["text"] = f"{text} ✓"
    return True


_FAULTS: dict[str, Callable[[Choice, dict[str, Any], Fault, Entropy], bool]] = {
    "truncated_json": _truncated_json,
    "schema_violation": _schema_violation,
    "unknown_tool": _unknown_tool,
    "unparsable_arguments": _unparsable_arguments,
    "arguments_violate_schema": _arguments_violate_schema,
    "null_content": _null_content,
    "refusal": _refusal,
    "content_filter": _content_filter,
    "split_character": _split_character,
}


def _violating(text: str, schema: Any, rule: str | None, entropy: Entropy) -> str | None:
    """The JSON text changed in one place, so that it breaks one rule of its schema; None when nothing does.

    Changes are tried rather than derived from the schema: the validator is the judge of what is broken.
    """
    import jsonschema_rs  # not before a value is wanted

    try:
        value = json.loads(text)
        validator = jsonschema_rs.Draft202012Validator(schema, offline=True)  # it is a client's: nobody is asked
        broken = [c for c in _changed(value) if _breaks(validator, c, rule)]
    except (ValueError, TypeError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return None
    return json.dumps(entropy.random.choice(broken), ensure_ascii=False) if broken else None


def _breaks(validator: Any, value: Any, rule: str | None) -> bool:
    errors = list(validator.iter_errors(value))
    return len(errors) == 1 and rule in (None, errors[0].kind.name)


def _changed(value: Any) -> Iterator[Any]:
    """The value with one change at a time: a key gone, a key too many, another value in a place."""
    for place in _places(value)[:_MOST_PLACES]:
        here = _at(value, place)
        if isinstance(here, dict):
            yield from (_with(value, place, {k: v for k, v in here.items() if k != gone}) for gone in here)
            yield _with(value, place, {**here, "unexpected": True})
        if isinstance(here, list):
            yield _with(value, place, [])
            yield _with(value, place, here * 20)
        yield from (_with(value, place, other) for other in _OTHERS)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in below for place in _places(item, (*path, key)))]


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy of the value with something else in one place."""
    if not path:
        return new
    if isinstance(value, dict):
        return {k: _with(v, path[1:], new) if k == path[0] else v for k, v in value.items()}
    return [_with(v, path[1:], new) if i == path[0] else v for i, v in enumerate(value)]
