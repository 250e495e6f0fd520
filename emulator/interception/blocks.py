"""Which interceptions are open, which is meant where, and what it has to say to an address."""

import ipaddress
from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import urlsplit

from emulator.exchange import Runtime

_PORTS = {"https": 443, "http": 80}


class BlockedConnection(RuntimeError):
    """A connection that `intercept(only=True)` refuses. No OSError: no client takes it for a network that failed."""


@dataclass(eq=False, slots=True)
class Block:
    """One interception, from its beginning to its end."""

    runtime: Runtime
    tenant: str | None
    only: bool
    outer: "Block | None"
    open: bool = True

    def answers(self, origin: tuple[str, str, int | None]) -> bool:
        return any(_origin(family.base.origin) == origin for family in self.runtime.providers.values())


_opened: list[Block] = []  # what is open in the process, the latest last
_here: ContextVar[Block | None] = ContextVar("interception", default=None)


def begin(runtime: Runtime, tenant: str | None, *, only: bool) -> Block:
    """Open a block. Inside of one that refuses other connections, it refuses them, too."""
    outer = current()
    block = Block(runtime, tenant, only or (outer is not None and outer.only), outer)
    _opened.append(block)
    _here.set(block)
    return block


def end(block: Block) -> None:
    """Close a block, in whatever order and thread."""
    block.open = False
    _opened.remove(block)
    if _here.get() is block:  # a generator may be closed in another context than it was opened in
        _here.set(block.outer)


def current() -> Block | None:
    """The innermost open block of this thread or task; elsewhere (a thread that a test starts) the latest."""
    return _still_open(_here.get()) or (_opened[-1] if _opened else None)


def _still_open(block: Block | None) -> Block | None:
    while block is not None and not block.open:
        block = block.outer
    return block


def find(url: str) -> Block | None:
    """The block that answers for the address of a URL, None where the real one may be asked.

    Raises BlockedConnection where neither is.
    """
    origin = _origin(url)
    block = innermost = current()
    while block is not None:
        if block.answers(origin):
            return block
        block = _still_open(block.outer)
    scheme, host, port = origin
    if innermost is not None and innermost.only and not is_local(host):
        answered = ", ".join(family.base.origin for family in innermost.runtime.providers.values())
        raise BlockedConnection(
            f"intercept(only=True) refuses a connection to {scheme}://{host}:{port}: "
            f"only loopback addresses are open, and what the emulator answers: {answered}"
        )
    return None


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme)


def is_local(host: str) -> bool:
    """Whether a host name or address is of this machine."""
    if host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)
