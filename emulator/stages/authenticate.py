"""Who is it? The first rule that matches the key gives a principal or a refusal."""

from emulator.exchange import Exchange, Refused
from emulator.mechanisms.journal import Note

_KNOWN: Note = ("authenticate", "principal", {})


def authenticate(ex: Exchange) -> None:
    """May refuse with missing_credentials, or whatever a credential rule names."""
    if not ex.active.secured:
        return
    if ex.credential is None:
        raise Refused("missing_credentials")
    found = ex.provider.identify(ex.credential.key, ex.runtime.strict_auth)
    if isinstance(found, str):
        raise Refused(found, key=ex.credential.key)
    ex.principal = found
    ex.scope["principal"] = found
    ex.trace.append(_KNOWN)
