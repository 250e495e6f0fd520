"""What is heard of a connection that came to no request, where there is no socket to see it on."""

import errno
import os
import ssl

_UNTRUSTED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "


def complaint(fault: str, host: str) -> OSError | None:
    """What the operating system or TLS says to a client of `host`; None where nothing is ever heard."""
    if fault == "refuse":
        return ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    if fault == "tls_expired":
        return ssl.SSLCertVerificationError(1, f"{_UNTRUSTED}certificate has expired")
    if fault == "tls_wrong_host":
        return ssl.SSLCertVerificationError(1, f"{_UNTRUSTED}Hostname mismatch, certificate is not valid for {host!r}.")
    return None
