"""Connections where there is no socket: where they come in, and what is heard of one that came to no request."""

import errno
import os
import ssl

from emulator.exchange import Runtime
from emulator.mechanisms.entrances import Entrance

_UNTRUSTED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "


def entrance(runtime: Runtime, host: str, port: int | None) -> Entrance:
    """Where a connection to an address comes in: with a provider's host by its own entrance, if it has one."""
    provider = runtime.hosts.get(host) or runtime.hosts.get(f"{host}:{port}")
    shared, *others = runtime.entrances
    return next((own for own in others if own.provider == provider), shared)


def complaint(fault: str, host: str) -> OSError | None:
    """What the operating system or TLS says to a client of `host`; None where nothing is ever heard."""
    if fault == "refuse":
        return ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    if fault == "tls_expired":
        return ssl.SSLCertVerificationError(1, f"{_UNTRUSTED}certificate has expired")
    if fault == "tls_wrong_host":
        return ssl.SSLCertVerificationError(1, f"{_UNTRUSTED}Hostname mismatch, certificate is not valid for {host!r}.")
    return None
