"""Faults that meet connections before any request, whoever they are of: a part of the catalogue."""

from emulator.mechanisms.faults import FaultKind

LISTENER = (
    FaultKind(
        "refuse",
        "listener",
        "the connection is refused: nothing listens at the port",
        "a service that is down or being deployed, a port that is closed by mistake",
    ),
    FaultKind(
        "accept_and_hang",
        "listener",
        "the connection is accepted, nothing is ever read from it, and nothing comes",
        "a process that hangs, a host whose accept queue is all that is left of it",
    ),
)

HANDSHAKE = (
    FaultKind(
        "tls_stall",
        "handshake",
        "the TLS handshake is begun by the client and never answered",
        "an overloaded TLS terminator, a middlebox that swallows what it does not know",
    ),
    FaultKind(
        "tls_expired",
        "handshake",
        "the certificate expired years ago; all else about it is right",
        "a renewal that nobody noticed had stopped",
    ),
    FaultKind(
        "tls_wrong_host",
        "handshake",
        "the certificate is for another host; all else about it is right",
        "a load balancer's default certificate, a proxy in between, a wrong DNS entry",
    ),
)
