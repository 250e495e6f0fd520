"""The journal entry: what was asked, what was answered, and why."""

from emulator.exchange import Exchange
from emulator.mechanisms import journal


def record(ex: Exchange) -> None:
    """Append the entry and let the store keep what the exchange changed."""
    ex.entry = journal.append(
        ex.tenant,
        {
            "at": ex.now,
            "method": ex.method,
            "path": ex.local_path,
            "provider": ex.provider.id,
            "operation": ex.operation.id if ex.operation else None,
            "matched": ex.operation is not None,
            "status": ex.reply.status,
            "refusal": ex.refusal.name if ex.refusal else None,
            "streamed": ex.streaming,
            "principal": {k: v for k, v in ex.principal.items() if k != "id"},
            "request": {"headers": journal.shown_headers(ex.headers), "body": journal.shown_body(ex.body)},
            "usage": ex.scope["usage"],
            "charged": ex.charged,
            "notices": ex.notices,
            "trace": ex.trace,
            "client": None,
        },
    )
    ex.runtime.store.commit(ex.tenant)


def record_unaddressed(ex: Exchange, tenant_name: str, path: str) -> None:
    """An entry for a request that named no provider there is."""
    tenant = ex.runtime.store.tenant(tenant_name)
    unknown = dict.fromkeys(("provider", "operation", "refusal", "usage", "charged", "client"))
    request = {"headers": journal.shown_headers(ex.headers), "body": journal.shown_body(ex.body)}
    now = ex.runtime.clock(tenant).now()
    told = {"at": now, "method": ex.method, "path": path, "matched": False, "status": 404, "streamed": False}
    journal.append(tenant, {**told, **unknown, "principal": {}, "request": request, "notices": [], "trace": []})
    ex.runtime.store.commit(tenant)
