"""The journal entry: what was asked, what was answered, and why."""

from sys import intern

from emulator.exchange import Exchange
from emulator.mechanisms import journal
from emulator.mechanisms.journal import SENT_WHOLE, Entry


def record(ex: Exchange) -> None:
    """Append the entry and let the store keep what the exchange changed."""
    operation, refusal, reply = ex.operation, ex.refusal, ex.reply
    ex.entry = entry = Entry(
        ex.now,
        ex.method,
        intern(ex.local_path),
        ex.headers,
        ex.body,
        reply.status,
        operation is not None,
        ex.provider.id,
        operation.id if operation is not None else None,
        refusal.name if refusal is not None else None,
        ex.streaming,
        ex.principal,
        ex.scope.get("usage"),
        ex.charged,
        ex.notices,
        ex.trace,
    )
    if reply.frames is None and reply.breakage is None:
        entry.client = SENT_WHOLE
    journal.append(ex.tenant, entry)
    ex.runtime.store.commit(ex.tenant)


def record_unaddressed(ex: Exchange, tenant_name: str, path: str) -> None:
    """An entry for a request that named no provider there is."""
    tenant = ex.runtime.store.tenant(tenant_name)
    entry = Entry(ex.runtime.now(tenant), ex.method, path, ex.headers, ex.body, status=404, matched=False)
    journal.append(tenant, entry)
    ex.runtime.store.commit(tenant)
