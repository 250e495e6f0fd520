"""How many arguments the calls of an expression have, and how many their functions take: known before any request."""

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from inspect import Parameter, signature

from emulator.mechanisms.functions import BOUND, PURE

_PART = re.compile(
    r"""(?P<comment>//[^\n]*)
    |(?P<raw>(?:[rR][bB]?|[bB][rR])(?:'''.*?'''|\"\"\".*?\"\"\"|'[^']*'|"[^"]*"))
    |(?P<text>'''.*?'''|\"\"\".*?\"\"\"|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<dot>\.\s*)?\b(?P<call>[A-Za-z_]\w*)\s*\(
    |(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<comma>,)|(?P<other>\w+|\S)""",
    re.DOTALL | re.VERBOSE,
)
_FUNCTIONS_OF_CEL = dict.fromkeys(
    ("size", "has", "int", "uint", "double", "string", "bytes", "timestamp", "duration", "type", "dyn"), (1, 1)
)
_METHODS_OF_CEL = {
    **dict.fromkeys(("startsWith", "endsWith", "contains", "matches"), (1, 1)),
    **dict.fromkeys(("all", "exists", "exists_one", "filter"), (2, 2)),
    "map": (2, 3),
    "size": (0, 0),
}


@dataclass(slots=True)
class _Bracket:
    """An open one: whose arguments stand in it, if a value and a dot come before that, and how many they are so far."""

    function: str = ""
    method: bool = False
    count: int = 0


def miscounted(text: str) -> str | None:
    """What is wrong with the first call that has too few arguments, or too many; None where each has what it takes."""
    brackets = [_Bracket()]
    for part in _PART.finditer(text):
        if part["comment"]:
            continue
        if part["close"]:
            if len(brackets) > 1 and (wrong := _wrong(brackets.pop())):
                return wrong
            continue
        brackets[-1].count = max(brackets[-1].count, 1) + (part["comma"] is not None)
        if part["call"] or part["open"]:
            brackets.append(_Bracket(part["call"] or "", part["dot"] is not None))
    return None


def _wrong(call: _Bracket) -> str | None:
    name, count, taken = call.function, call.count, _taken(call.function, method=call.method)
    if taken is None:
        other = _taken(name, method=not call.method)
        known = f"as a method, which it is not: `{name}(…)`" if call.method else f"on no value: `value.{name}(…)`"
        return None if other is None else f"calls `{name}` {known}"
    least, most = taken
    if least <= count <= most:
        return None
    wanted = f"{least}" if least == most else f"at least {least}" if most == math.inf else f"{least} to {most}"
    return f"gives `{name}` {count} argument{'' if count == 1 else 's'}, which takes {wanted}"


@lru_cache(256)
def _taken(name: str, *, method: bool) -> tuple[int, float] | None:
    """The least and the most arguments; None for what is no function, or no method, which has the value before it."""
    function = BOUND.get(name) or PURE.get(name)
    if function is None:
        return (_METHODS_OF_CEL if method else _FUNCTIONS_OF_CEL).get(name)
    before = method + (name in BOUND)
    if function in (min, max):  # Python tells nothing of theirs
        return 1 - before, math.inf
    parameters = signature(function).parameters.values()
    endless = any(p.kind is Parameter.VAR_POSITIONAL for p in parameters)
    least = sum(p.default is Parameter.empty and p.kind is not Parameter.VAR_POSITIONAL for p in parameters)
    most = math.inf if endless else len(parameters) - before
    return None if most < 0 else (max(least - before, 0), most)
