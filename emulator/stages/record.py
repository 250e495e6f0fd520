"""The journal entry: what was asked, what was answered, and why."""

from emulator.exchange import Exchange
from emulator.mechanisms import journal


def record(ex: Exchange) -> None:
    """Append the entry and let the store keep what the exchange changed."""
    ex.entry = journal.append(
        ex.tenant,
        {
            "at": ex.clock.now(),
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
            "usage": ex.completion["usage"] if ex.completion else None,
            "charged": ex.charged,
            "notices": ex.notices,
            "trace": ex.trace,
            "client": None,
        },
    )
    ex.runtime.store.commit(ex.tenant)
