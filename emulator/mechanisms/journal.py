"""The journal: one entry of plain data an exchange, the newest thousand a tenant, each in a cell of its own."""

from typing import Any

from emulator.mechanisms.store import Tenant

MOST_ENTRIES = 1000
_MOST_BODY = 65536
_SECRET = frozenset({"authorization", "api-token", "x-api-key", "api_key", "cookie", "proxy-authorization"})


def append(tenant: Tenant, entry: dict[str, Any]) -> dict[str, Any]:
    """Add an entry, numbered from 1; the oldest leaves when there are too many."""
    counter = tenant.cell("journal_count", "", dict)
    number = counter["count"] = counter.get("count", 0) + 1
    if number > MOST_ENTRIES:
        tenant.forget("journal", str(number - MOST_ENTRIES))
    cell: dict[str, Any] = tenant.cell("journal", str(number), dict)
    cell.update(number=number, **entry)
    return cell


def entries(tenant: Tenant) -> list[dict[str, Any]]:
    """The entries still held, oldest first."""
    count = (tenant.peek("journal_count", "") or {}).get("count", 0)
    held = (tenant.peek("journal", str(n)) for n in range(max(1, count - MOST_ENTRIES + 1), count + 1))
    return [entry for entry in held if entry is not None]


def shown_headers(headers: dict[str, str]) -> dict[str, str]:
    """Request headers with every credential hidden but its last four characters."""
    return {k: f"…{v[-4:]}" if k in _SECRET else v for k, v in headers.items()}


def shown_body(body: bytes) -> str:
    """A request body as text, at most 64 KiB of it."""
    return body[:_MOST_BODY].decode("utf-8", "replace")
