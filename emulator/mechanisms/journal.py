"""The journal: one entry an exchange, the newest thousand a tenant, each in a cell of its own."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from emulator.mechanisms.store import CellKey, Tenant

Note = tuple[str, str, Mapping[str, Any]]
"""What a stage did: its name, what it was, details."""

SENT_WHOLE: Mapping[str, Any] = {"frames_sent": 0, "hung_up": False}
"""What becomes of a reply that is no stream."""
MOST_ENTRIES = 1000
_MOST_BODY = 65536
_NOBODY: Mapping[str, Any] = MappingProxyType({})
SECRET = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Headers that carry credentials of any provider."""


class Entry:
    """One exchange, kept as it was; most are never read, so plain data is made of it when somebody does."""

    __slots__ = (
        "at", "body", "charged", "client", "headers", "matched", "method", "notices", "number", "operation", "path",
        "principal", "provider", "refusal", "secret", "status", "streamed", "trace", "usage",
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
        self.headers = headers
        self.secret = SECRET
        """The headers, in lower case, that are not to be shown."""
        self.body = body[:_MOST_BODY]
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
        """The entry as plain data. Of the request it has the headers, credentials hidden, and 64 KiB of the body."""
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
    tenant.put(place(number), entry)


def entries(tenant: Tenant) -> list[dict[str, Any]]:
    """The entries still held as plain data, oldest first."""
    count = (tenant.peek("journal_count", "") or {}).get("count", 0)
    held = (tenant.peek(*place(number)) for number in range(max(1, count - MOST_ENTRIES + 1), count + 1))
    return [entry.shown() if isinstance(entry, Entry) else entry for entry in held if entry is not None]


def _shown_headers(headers: Mapping[str, str], secret: frozenset[str]) -> dict[str, str]:
    """Request headers with every credential hidden but its last four characters."""
    return {k: f"…{v[-4:]}" if k in secret else v for k, v in headers.items()}
