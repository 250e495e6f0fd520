"""The journal: one entry an exchange, the newest thousand a tenant, each in a cell of its own."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from emulator.mechanisms.store import Tenant

Note = tuple[str, str, Mapping[str, Any]]
"""What a stage did: its name, what it was, details."""

SENT_WHOLE: Mapping[str, Any] = {"frames_sent": 0, "hung_up": False}
"""What becomes of a reply that is no stream."""
MOST_ENTRIES = 1000
_MOST_BODY = 65536
_SECRET = frozenset({"authorization", "api-token", "x-api-key", "api_key", "cookie", "proxy-authorization"})


class Facts(NamedTuple):
    """The moment (Unix seconds), address and outcome of an exchange."""

    at: float
    method: str
    path: str
    matched: bool
    status: int
    provider: str | None = None
    operation: str | None = None
    refusal: str | None = None
    streamed: bool = False
    principal: Mapping[str, Any] = {}
    usage: Any = None
    charged: Mapping[str, str] | None = None
    notices: Sequence[str] = ()


class Entry:
    """One exchange, kept as it was; most are never read, so plain data is made of it when somebody does."""

    __slots__ = ("_body", "_facts", "_headers", "_trace", "client", "number")

    def __init__(self, facts: Facts, headers: Mapping[str, str], body: bytes, trace: Iterable[Note] = ()) -> None:
        self.number = 0
        self._facts = facts
        self._headers = headers
        self._body = body[:_MOST_BODY]
        self._trace = tuple(trace)
        self.client: Mapping[str, Any] | None = None
        """What became of the reply at the client's end."""

    def shown(self) -> dict[str, Any]:
        """The entry as plain data. Of the request it has the headers, credentials hidden, and 64 KiB of the body."""
        facts = self._facts
        return {
            "number": self.number,
            **facts._asdict(),
            "principal": {name: fact for name, fact in facts.principal.items() if name != "id"},
            "notices": list(facts.notices),
            "request": {"headers": _shown_headers(self._headers), "body": self._body.decode("utf-8", "replace")},
            "trace": [{"stage": stage, "what": what, **details} for stage, what, details in self._trace],
            "client": None if self.client is None else dict(self.client),
        }


def append(tenant: Tenant, entry: Entry) -> None:
    """Add an entry, numbered from 1; the oldest leaves when there are too many."""
    counter = tenant.cell("journal_count", "", dict)
    number = entry.number = counter["count"] = counter.get("count", 0) + 1
    if number > MOST_ENTRIES:
        tenant.forget("journal", str(number - MOST_ENTRIES))
    tenant.put("journal", str(number), entry)


def entries(tenant: Tenant) -> list[dict[str, Any]]:
    """The entries still held as plain data, oldest first."""
    count = (tenant.peek("journal_count", "") or {}).get("count", 0)
    held = (tenant.peek("journal", str(n)) for n in range(max(1, count - MOST_ENTRIES + 1), count + 1))
    return [entry.shown() if isinstance(entry, Entry) else entry for entry in held if entry is not None]


def _shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Request headers with every credential hidden but its last four characters."""
    return {k: f"…{v[-4:]}" if k in _SECRET else v for k, v in headers.items()}
