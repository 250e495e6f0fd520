"""The journal entry: what was asked, what was answered, and why."""

from emulator.exchange import Exchange
from emulator.mechanisms import journal
from emulator.mechanisms.journal import Entry


def record(ex: Exchange) -> None:
    """Append the entry and let the store keep what the exchange changed."""
    facts = {
        "at": ex.now,
        "method": ex.method,
        "path": ex.local_path,
        "provider": ex.provider.id,
        "operation": ex.operation.id if ex.operation else None,
        "matched": ex.operation is not None,
        "status": ex.reply.status,
        "refusal": ex.refusal.name if ex.refusal else None,
        "streamed": ex.streaming,
        "principal": ex.principal,
        "usage": ex.scope["usage"],
        "charged": ex.charged,
        "notices": ex.notices,
    }
    ex.entry = Entry(facts, ex.headers, ex.body, ex.trace)
    if ex.reply.frames is None and ex.reply.breakage is None:
        ex.entry.client = {"frames_sent": 0, "hung_up": False}  # it comes as a whole, or not if it has to wait
    journal.append(ex.tenant, ex.entry)
    ex.runtime.store.commit(ex.tenant)


def record_unaddressed(ex: Exchange, tenant_name: str, path: str) -> None:
    """An entry for a request that named no provider there is."""
    tenant = ex.runtime.store.tenant(tenant_name)
    unknown = dict.fromkeys(("provider", "operation", "refusal", "usage", "charged"))
    now = ex.runtime.clock(tenant).now()
    told = {"at": now, "method": ex.method, "path": path, "matched": False, "status": 404, "streamed": False}
    facts = {**told, **unknown, "principal": {}, "notices": []}
    journal.append(tenant, Entry(facts, ex.headers, ex.body, []))
    ex.runtime.store.commit(tenant)
