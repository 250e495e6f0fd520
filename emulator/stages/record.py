"""The journal entry: what was asked, what was answered, and why."""

from sys import intern

from emulator.exchange import Exchange
from emulator.mechanisms import journal
from emulator.mechanisms.journal import SENT_WHOLE, Entry, Facts


def record(ex: Exchange) -> None:
    """Append the entry and let the store keep what the exchange changed."""
    operation, refusal, reply = ex.operation, ex.refusal, ex.reply
    facts = Facts(
        ex.now,
        ex.method,
        intern(ex.local_path),
        operation is not None,
        reply.status,
        ex.provider.id,
        operation.id if operation is not None else None,
        refusal.name if refusal is not None else None,
        ex.streaming,
        ex.principal,
        ex.scope.get("usage"),
        ex.charged,
        tuple(ex.notices),
    )
    ex.entry = entry = Entry(facts, ex.headers, ex.body, ex.trace)
    if reply.frames is None and reply.breakage is None:
        entry.client = SENT_WHOLE
    journal.append(ex.tenant, entry)
    ex.runtime.store.commit(ex.tenant)


def record_unaddressed(ex: Exchange, tenant_name: str, path: str) -> None:
    """An entry for a request that named no provider there is."""
    tenant = ex.runtime.store.tenant(tenant_name)
    facts = Facts(ex.runtime.now(tenant), ex.method, path, matched=False, status=404)
    journal.append(tenant, Entry(facts, ex.headers, ex.body))
    ex.runtime.store.commit(tenant)
