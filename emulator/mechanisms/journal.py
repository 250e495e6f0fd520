"""The journal: one entry an exchange, the newest thousand a tenant, each in a cell of its own.

What met no operation is told however long ago it was, and how many exchanges a provider had is known.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from emulator.mechanisms.store import CellKey, Tenant

Note = tuple[str, str, Mapping[str, Any]]
"""What a stage did: its name, what it was, details."""

SENT_WHOLE: Mapping[str, Any] = {"frames_sent": 0, "hung_up": False}
"""What becomes of a reply that is no stream."""
MOST_ENTRIES = 1000
MOST_TOLD = 100
"""Requests of one provider that met no operation and are told each; the others are counted."""
SHORT = 65536
"""Bytes of a body that is kept whole as long as its entry."""
MOST_LONG = 64 * 1024 * 1024
"""Bytes that the longer bodies of one tenant may have together; the newest is kept whatever it has."""
_MOST_PATH = 1000  # characters of a path that is told
_NOBODY: Mapping[str, Any] = MappingProxyType({})
SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Headers that carry credentials of any provider."""


class LongHead(dict[str, str]):
    """Headers that have more than `SHORT` characters together, of which the journal keeps the beginning.

    Whoever reads a request from a socket tells: to count those of every request would cost more than to keep them.
    """

    def beginning(self) -> dict[str, str]:
        """As much as is kept; of a value that is cut the end, and of headers that are left out the number, is told."""
        kept: dict[str, str] = {}
        room = SHORT
        for name, value in self.items():
            room -= len(name)
            if room <= 0:
                return {**kept, "…": f"{len(self) - len(kept)} more"}
            kept[name] = value if len(value) <= room else f"{value[:room]}…"
            room -= len(value)
        return kept


class Entry:
    """One exchange, kept as it was; most are never read, so plain data is made of it when somebody does."""

    __slots__ = (
        "at", "body", "charged", "client", "headers", "matched", "method", "notices", "number", "operation", "path",
        "principal", "provider", "refusal", "secret", "size", "status", "streamed", "trace", "usage",
    )  # fmt: skip

    def __init__(
        self,
        at: float,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        status: int,
        matched: bool,
    ) -> None:
        """What was asked at a moment (Unix seconds), and what came of it as far as every request has it."""
        self.number = 0
        self.at = at
        self.method = method
        self.path = path
        self.headers = headers.beginning() if headers.__class__ is LongHead else headers
        self.secret = SECRET
        """The headers, in lower case, that are not to be shown."""
        self.body = body
        self.size = len(body)
        """Bytes of the body as it came."""
        self.status = status
        self.matched = matched
        self.provider: str | None = None
        self.operation: str | None = None
        self.refusal: str | None = None
        self.streamed = False
        self.principal = _NOBODY
        self.usage: Any = None
        self.charged: Mapping[str, str] | None = None
        self.notices: tuple[str, ...] = ()
        self.trace: tuple[Note, ...] = ()
        self.client: Mapping[str, Any] | None = None
        """What became of the reply at the client's end."""

    def shown(self) -> dict[str, Any]:
        """The entry as plain data. Credentials among the headers are hidden; of a long body it may be the beginning."""
        return {
            "number": self.number,
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "matched": self.matched,
            "status": self.status,
            "provider": self.provider,
            "operation": self.operation,
            "refusal": self.refusal,
            "streamed": self.streamed,
            "principal": {name: fact for name, fact in self.principal.items() if name != "id"},
            "usage": self.usage,
            "charged": self.charged,
            "notices": list(self.notices),
            "request": {
                "headers": _shown_headers(self.headers, self.secret),
                "body": self.body.decode("utf-8", "replace"),
                "size": self.size,
                "cut": len(self.body) < self.size,
            },
            "trace": [{"stage": stage, "what": what, **details} for stage, what, details in self.trace],
            "client": None if self.client is None else dict(self.client),
        }


def place(number: int) -> CellKey:
    """The cell of an entry, which is that of the one so many entries before it."""
    return ("journal", str(number % MOST_ENTRIES))


def append(tenant: Tenant, entry: Entry) -> None:
    """Add an entry, numbered from 1, in place of the oldest when there are too many."""
    counter = tenant.cell("journal_count", "", dict)
    number = entry.number = counter["count"] = counter.get("count", 0) + 1
    by_provider = counter.get("of") or counter.setdefault("of", {})
    provider = entry.provider or ""
    by_provider[provider] = by_provider.get(provider, 0) + 1
    tenant.put(place(number), entry)
    if not entry.matched:
        _remember(tenant, entry)
    if entry.size > SHORT:
        _make_room(tenant, entry)


def entries(tenant: Tenant, provider: str | None = None) -> list[dict[str, Any]]:
    """The entries still held as plain data, oldest first, of one provider or all."""
    count = (tenant.peek("journal_count", "") or {}).get("count", 0)
    held = (tenant.peek(*place(number)) for number in range(max(1, count - MOST_ENTRIES + 1), count + 1))
    wanted = (entry for entry in held if entry is not None and provider in (None, _provider(entry)))
    return [entry.shown() if isinstance(entry, Entry) else entry for entry in wanted]


def exchanges(tenant: Tenant, provider: str) -> int:
    """How many entries of a provider there were, those that left included."""
    by_provider = (tenant.peek("journal_count", "") or {}).get("of", {})
    return int(by_provider.get(provider, 0))


def unmatched(tenant: Tenant) -> list[str]:
    """The requests that met no operation, one line each, oldest first; of many of a provider, how many more."""
    first: list[tuple[int, str]] = []
    more = []
    for kind, key in tenant.cells:
        provider, _, what = key.partition(":")
        if (kind, what) == ("journal", "unmatched"):
            told = tenant.peek(kind, key)
            first += map(tuple, told["first"])
            if told["count"] > len(told["first"]):
                more.append(f"{provider or 'no provider'}: and {told['count'] - len(told['first'])} more")
    return [*(line for _, line in sorted(first)), *more]


def forget(tenant: Tenant, provider: str) -> None:
    """Forget a provider's entries, and that there were any."""
    for entry in entries(tenant, provider):
        tenant.forget(*place(entry["number"]))
    tenant.cell("journal_count", "", dict).get("of", {}).pop(provider, None)


def _provider(entry: Entry | dict[str, Any]) -> str | None:
    found: str | None = entry.provider if isinstance(entry, Entry) else entry["provider"]
    return found


def _remember(tenant: Tenant, entry: Entry) -> None:
    """Keep a line about a request that met no operation, for when its entry has left."""
    told = tenant.cell("journal", f"{entry.provider or ''}:unmatched", lambda: {"count": 0, "first": []})
    told["count"] += 1
    if len(told["first"]) < MOST_TOLD:
        why = entry.refusal or "unknown address"
        line = f"{entry.provider or 'no provider'}: {entry.method} {entry.path[:_MOST_PATH]} -> {entry.status} {why}"
        told["first"].append([entry.number, line])


def _make_room(tenant: Tenant, entry: Entry) -> None:
    """Note that an entry has a long body, and cut the oldest of those held when they are too long together."""
    long = tenant.cell("journal", ":long", list)
    long[:] = [[number, size] for number, size in long if number > entry.number - MOST_ENTRIES]
    long.append([entry.number, entry.size])
    while len(long) > 1 and sum(size for _, size in long) > MOST_LONG:
        _cut(tenant, long.pop(0)[0])


def _cut(tenant: Tenant, number: int) -> None:
    """Keep no more than the beginning of a long body."""
    held = tenant.peek(*place(number))
    if isinstance(held, Entry):
        held.body = held.body[:SHORT]
        tenant.put(place(number), held)
    elif held is not None:
        request = held["request"]
        tenant.put(place(number), {**held, "request": {**request, "body": request["body"][:SHORT], "cut": True}})


def _shown_headers(headers: Mapping[str, str], secret: frozenset[str]) -> dict[str, str]:
    """Request headers with every credential hidden but its last four characters."""
    return {k: f"…{v[-4:]}" if k in secret else v for k, v in headers.items()}
