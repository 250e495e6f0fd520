"""The journal entry: what was asked, what was answered, and why."""

from sys import intern

from emulator.exchange import Exchange
from emulator.mechanisms import journal
from emulator.mechanisms.journal import SENT_WHOLE, Entry, Facts


def record(ex: Exchange) -> None:
    """Append the entry and let the store keep what the exchange changed."""
    operation, refusal, reply = ex.operation, ex.refusal, ex.reply
    facts = Facts(
        at=ex.now,
        method=ex.method,
        path=intern(ex.local_path),
        matched=operation is not None,
        status=reply.status,
        provider=ex.provider.id,
        operation=operation.id if operation is not None else None,
        refusal=refusal.name if refusal is not None else None,
        streamed=ex.streaming,
        principal=ex.principal,
        usage=ex.scope.get("usage"),
        charged=ex.charged,
        notices=tuple(ex.notices),
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
