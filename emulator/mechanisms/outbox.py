"""The outbox: what a provider would have sent to people outside, as e-mails are, kept for a test to read."""

from typing import Any

from emulator.mechanisms.store import Tenant

MOST_MESSAGES = 1000
_KIND = "outbox"


def put(tenant: Tenant, provider: str, message: dict[str, Any]) -> None:
    """Add a message; the oldest leaves when there are too many."""
    kept: list[dict[str, Any]] = tenant.cell(_KIND, provider, list)
    kept.append(message)
    del kept[:-MOST_MESSAGES]


def messages(tenant: Tenant, provider: str) -> list[dict[str, Any]]:
    """The messages still held, oldest first."""
    return list(tenant.peek(_KIND, provider) or ())
