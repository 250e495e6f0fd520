"""From raw HTTP to a finished exchange and back: what the socket server and the in-process transport share."""

from sys import intern
from urllib.parse import parse_qsl

from emulator import pipeline
from emulator.exchange import Exchange, Reply, Runtime, Unaddressed
from emulator.mechanisms.tenants import DEFAULT_TENANT, TENANT_NAMES, fit_tenant, split_tenant
from emulator.stages.record import record_unaddressed
from emulator.wire.own import failure, own_reply
from emulator.wire.reading import MOST_BODY, Request


def answer(
    runtime: Runtime, request: Request, mount: str | None = None, tenant: str | None = None
) -> tuple[Reply, Exchange | None]:
    """The reply to one request, and its exchange unless the emulator itself had to answer.

    The exchange is in flight until `release`, which is to be called when the reply is sent or not wanted any more.
    `mount` is the provider that owns the port, `tenant` the one to use when the path names none. Raises nothing.
    """
    body = request.body
    if len(body) > MOST_BODY:
        return own_reply(413, f"the body is larger than {MOST_BODY} bytes", "send less"), None
    query = dict(parse_qsl(request.query, keep_blank_values=True)) if request.query else {}
    method = intern(request.method)
    exchange = Exchange(runtime, method, request.path, query, request.headers, body, mount, tenant)
    try:
        pipeline.run(exchange)
    except Unaddressed as missing:
        return _unaddressed(exchange, str(missing)), None
    except Exception:
        exchange.release()
        return failure(f"{method} {request.path}"), None
    return exchange.reply, exchange


def _unaddressed(exchange: Exchange, head: str) -> Reply:
    """What the emulator says where no provider is meant; a mistyped one is for the tenant's journal, too."""
    known = ", ".join(f"/{name}/" for name in exchange.runtime.providers)
    hint = f"put a provider's id first in the path: {known}"
    if not head:
        return own_reply(200, "this is the emulator, not a provider", hint)
    with exchange.runtime.store.lock:
        tenant, path = split_tenant(exchange.path)
        record_unaddressed(exchange, tenant or exchange.tenant_name or DEFAULT_TENANT, path)
    if head.startswith("~"):
        name = head[1:81]
        return own_reply(404, f"no tenant can be called {name!r}", f"names have {TENANT_NAMES}: /~{fit_tenant(name)}/")
    return own_reply(404, f"no provider is called {head[:80]!r}", hint)
