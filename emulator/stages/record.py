"""The journal entry: what was asked, what was answered, and why."""

from functools import lru_cache

from emulator.exchange import Exchange
from emulator.mechanisms import journal
from emulator.mechanisms.journal import SENT_WHOLE, Entry


def record(ex: Exchange) -> None:
    """Append the entry and let the store keep what the exchange changed."""
    operation, refusal, reply = ex.operation, ex.refusal, ex.reply
    matched, path = operation is not None, _shared(ex.local_path)
    ex.entry = entry = Entry(ex.now, ex.method, path, ex.headers, ex.body, reply.status, matched)
    entry.secret = ex.provider.secret_headers
    entry.provider = ex.provider.id
    entry.operation = operation.id if operation is not None else None
    entry.refusal = refusal.name if refusal is not None else None
    entry.streamed = ex.streaming
    entry.principal = ex.principal
    entry.usage = ex.scope.get("usage")
    entry.charged = ex.charged
    entry.notices = tuple(ex.notices)
    entry.trace = tuple(ex.trace)
    if reply.frames is None and reply.breakage is None:
        entry.client = SENT_WHOLE
    journal.append(ex.tenant, entry)
    ex.runtime.store.commit(ex.tenant)


def record_unaddressed(ex: Exchange, tenant_name: str, path: str) -> None:
    """An entry for a request that named no provider there is."""
    tenant = ex.runtime.store.tenant(tenant_name)
    entry = Entry(ex.runtime.now(tenant), ex.method, path, ex.headers, ex.body, status=404, matched=False)
    entry.secret = entry.secret.union(*(family.base.secret_headers for family in ex.runtime.providers.values()))
    journal.append(tenant, entry)
    ex.runtime.store.commit(tenant)


@lru_cache(journal.MOST_ENTRIES)  # what is interned, Python 3.12 keeps for ever
def _shared(path: str) -> str:
    """One string for all that are equal."""
    return path
