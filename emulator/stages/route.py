"""Address -> tenant, provider, operation."""

from functools import lru_cache
from urllib.parse import quote

from emulator.exchange import Exchange, Refused, Unaddressed, new_scope
from emulator.mechanisms import credentials
from emulator.mechanisms.entropy import Entropy, fingerprint
from emulator.mechanisms.expressions import Scope
from emulator.mechanisms.journal import Note
from emulator.mechanisms.tenants import DEFAULT_TENANT, TENANT_NAMES, split_tenant
from emulator.operation import Operation
from emulator.provider import Provider

_NO_TENANT = (
    f"what follows the `~` of the key is no name of a tenant, which has {TENANT_NAMES}:"
    f" the key is taken whole, and the tenant is `{DEFAULT_TENANT}`"
)
_MOST_BODIES = 16  # of those whose fingerprints begin alike: 4096 of an operation


def route(ex: Exchange) -> None:
    """May refuse with unknown_route and method_not_allowed; raises Unaddressed without a provider."""
    runtime, (tenant, path) = ex.runtime, split_tenant(ex.path)
    provider_id, ex.local_path = _provider(ex, path)
    places = runtime.providers[provider_id].base.places
    ex.credential = credential = credentials.find(places, ex.headers, ex.query)
    named = tenant or ex.tenant_name or (credential.tenant if credential is not None else None)
    if named is None and credential is not None and "~" in credential.key:
        ex.notices.append(_NO_TENANT)
    ex.tenant = runtime.store.tenant(named or DEFAULT_TENANT)
    ex.provider = provider = runtime.provider(ex.tenant, provider_id)
    match = provider.router.match(ex.method, ex.local_path)
    ex.now = runtime.now(ex.tenant)
    found = match.operation if match is not None else None
    ex.quirks_at = provider.quirks_of[found]
    ex.scope = _scope(ex, found or "")
    if match is None:
        raise Refused("unknown_route", path=ex.local_path)
    if found is None:
        raise Refused("method_not_allowed", path=ex.local_path, method=ex.method, allowed=list(match.allowed))
    ex.operation = ex.active = operation = provider.operations[found]
    ex.scope["params"] = match.params
    ex.trace.append(operation.routed if match.path == operation.path else _by_alias(provider, operation, match.path))


def _by_alias(provider: Provider, operation: Operation, path: str) -> Note:
    """What the trace says of a request that came to an operation by another path than its own."""
    return "route", operation.id, {"alias": path, "grade": provider.aliases[path].grade}


def _provider(ex: Exchange, path: str) -> tuple[str, str]:
    """The provider's id and the path below it: by Host, by port, or by the first path segment."""
    host, name = _names(ex.headers.get("host", ""))
    if provider_id := ex.runtime.hosts.get(host) or ex.runtime.hosts.get(name):
        return provider_id, path
    head, _, rest = path.lstrip("/").partition("/")
    if ex.mount is not None and head != ex.mount:
        return ex.mount, path
    if head not in ex.runtime.providers:
        raise Unaddressed(head)
    return head, f"/{rest}"


@lru_cache(1024)
def _names(host: str) -> tuple[str, str]:
    """A Host header with and without its port."""
    host = host.lower()
    return host, host.rsplit(":", 1)[0] if not host.endswith("]") else host


def _scope(ex: Exchange, operation: str) -> Scope:
    known = {
        "method": ex.method,
        "url": _url(ex),
        "path": ex.local_path.lstrip("/"),
        "headers": ex.headers,
        "query": ex.query,
        "operation": operation,
        "tenant": "" if ex.tenant.name == DEFAULT_TENANT else f"~{ex.tenant.name}",
    }
    return new_scope(ex.provider, _entropy(ex, operation), ex.now, ex.provider.anonymous, known)


def _url(ex: Exchange) -> str:
    """The address as the client called it, without the query."""
    host = ex.headers.get("host") or ex.provider.host
    scheme = "https" if host == ex.provider.host else ex.runtime.scheme
    return f"{scheme}://{host}{_quoted(ex.path)}"


@lru_cache(1024)
def _quoted(path: str) -> str:
    return quote(path)


def _entropy(ex: Exchange, operation: str) -> Entropy:
    """Chance from seed, tenant, provider, operation, body, and how often that body was seen."""
    provider, body = ex.provider.id, fingerprint(ex.body)
    seen = ex.tenant.cell("occurrences", f"{provider}:{operation}:{body[:2]}", dict)  # small, so quickly kept
    seen[body] = occurrence = seen.pop(body, 0) + 1
    if len(seen) > _MOST_BODIES:
        del seen[next(iter(seen))]  # the body not seen for longest
    return Entropy(ex.runtime.seed, ex.tenant.name, provider, operation, body, occurrence)
