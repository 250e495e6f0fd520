"""Client x provider x case x way, and what comes of it: `results.json` says, `test_clients.py` holds it to be true.

A provider is one more entry in PROVIDERS, a client one more class in CLIENTS; both get their part of `results.json`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator import Handle

from .libraries import (
    generalcompute_sdk,
    instructor_sdk,
    langchain,
    litellm_sdk,
    llamaindex,
    node,
    openai_python,
    peakprivacy_sdk,
    pydantic_ai_sdk,
)
from .libraries.base import Library, Place
from .questions import ANSWER, TEXTS, WEATHER, WEATHER_ANSWER, Trip

CLIENTS: dict[str, type[Library]] = {
    "openai": openai_python.OpenAI,
    "openai 2": openai_python.OpenAI2,
    "generalcompute": generalcompute_sdk.GeneralCompute,
    "peakprivacy": peakprivacy_sdk.PeakPrivacy,
    "langchain-openai": langchain.LangChain,
    "litellm": litellm_sdk.LiteLLM,
    "pydantic-ai": pydantic_ai_sdk.PydanticAI,
    "instructor": instructor_sdk.Instructor,
    "llama-index-llms-openai-like": llamaindex.LlamaIndex,
    "openai (npm)": node.NodeOpenAI,
    "@ai-sdk/openai-compatible (npm)": node.AISDK,
}
PROVIDERS = {
    "generalcompute": Place("gpt-oss-120b", {"chat": "createChatCompletion"}),
    "nugen": Place(
        "llama-v3p2-3b-reasoning",
        {"chat": "createChatCompletionV3", "completion": "createCompletionV3", "embeddings": "createEmbeddingsV3"},
        path="/api/v3/inference",
        embedder="qwen3-embedding-8b",
        dimensions=4096,
    ),
    "peakprivacy": Place("mistral-swiss", {"chat": "createCompletion"}),
}

FEATURES = ("chat", "stream", "tools", "structured", "structured_stream", "completion", "embeddings")
STATUSES = ("400", "401", "402", "403", "404", "422", "429", "500", "502", "503", "504", "530")
CUT = "cut"
CASES = (*FEATURES, *STATUSES, CUT)

PASSES = "passes"
_WRITTEN = json.loads((Path(__file__).parent / "results.json").read_text(encoding="utf-8"))
RESULTS: dict[str, dict[str, Any]] = _WRITTEN["clients"]
"""Client -> provider -> {outcomes: case -> outcome, or way -> outcome where ways differ; notes on what breaks}."""
STRANGERS: dict[str, dict[str, str]] = _WRITTEN["strangers"]
"""Provider that does not speak the chat completions convention -> what the openai package makes of it, and why."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One question of one client to one provider, in one way (synchronous or not, whole or streamed)."""

    client: str
    provider: str
    case: str
    way: str
    method: str

    def __str__(self) -> str:
        return f"{self.client}-{self.provider}-{self.case}-{self.way}".replace(" ", "_")

    @property
    def operation(self) -> str | None:
        """What answers; None: the provider has nothing of the kind."""
        return PROVIDERS[self.provider].operations.get(
            self.case if self.case in ("completion", "embeddings") else "chat"
        )

    @property
    def expected(self) -> str | None:
        """The outcome that `results.json` has; None: it has nothing."""
        found = RESULTS[self.client][self.provider]["outcomes"].get(self.case)
        return found.get(self.way) if isinstance(found, dict) else found


def cells() -> list[Cell]:
    """Every question that can be asked, also those that have no outcome."""
    return [
        Cell(client, provider, case, way, method)
        for client, providers in RESULTS.items()
        for provider in providers
        for case in CASES
        for way, method in _ways(CLIENTS[client], case).items()
    ]


def _ways(client: Any, case: str) -> dict[str, str]:
    """Way -> the client's method for the case, of those it has."""
    whole, streamed = _first(client, "chat", "structured"), _first(client, "stream", "structured_stream")
    if case in FEATURES:
        methods = {"sync": case, "async": f"a{case}"}
    elif case == CUT:
        methods = {"sync": streamed, "async": f"a{streamed}"}
    else:
        methods = {"sync": whole, "async": f"a{whole}", "sync stream": streamed, "async stream": f"a{streamed}"}
    return {way: method for way, method in methods.items() if hasattr(client, method)}


def _first(client: Any, *features: str) -> str:
    return next(name for name in features if hasattr(client, name) or hasattr(client, f"a{name}"))


def prepare(handle: Handle, case: str, operation: str | None) -> None:
    """Let the provider answer as the case wants. Raises CommandError for a status that the operation never answers."""
    if operation is None:
        return
    if case in ("chat", "stream", "completion"):
        handle.play([{"reply": {"text": ANSWER}}])
    elif case == "tools":
        call = {"name": "get_weather", "arguments": {"city": "Zurich"}}
        handle.play([{"reply": {"tool_calls": [call]}}, {"reply": {"text": WEATHER_ANSWER}}])
    elif case == CUT:
        handle.fail(fault={"cut": {"after_events": 2}})
    elif case in STATUSES:
        handle.fail(int(case), operation=operation)


def judged(handle: Handle, case: str, value: Any) -> str:
    """The outcome of a question that raised nothing."""
    if case not in FEATURES:
        return "no error"
    if case in ("chat", "completion"):
        good = value == ANSWER
    elif case == "stream":
        good = "".join(value) == ANSWER and len([piece for piece in value if piece]) > 1
    elif case == "tools":
        good = value == WEATHER_ANSWER and WEATHER in str(handle.journal[-1].json["messages"][-1])
    elif case == "embeddings":
        good = [len(vector) for vector in value] == [PROVIDERS[handle.id].dimensions] * len(TEXTS)
    else:
        good = Trip.model_validate(value).city != ""
    return PASSES if good else f"gives {value!r}"


def described(error: BaseException) -> str:
    """An exception as outcome: `package.Class`, the status it carries, and what it wraps where that alone has one."""
    name = error.name if isinstance(error, node.NodeError) else f"{_package(error)}.{type(error).__qualname__}"
    if status := _status(error):
        return f"{name} {status}"
    cause = error.__cause__
    return f"{name} from {described(cause)}" if cause and _status(cause) else name


def _package(error: BaseException) -> str:
    return type(error).__module__.split(".")[0]


def _status(error: BaseException) -> int | None:
    carried = (getattr(error, attribute, None) for attribute in ("status_code", "status"))
    return next((value for value in carried if isinstance(value, int)), None)
