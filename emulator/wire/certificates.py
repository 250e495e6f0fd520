"""Certificates for https on this machine: an authority of the emulator's own, and what it signs."""

import os
import re
import ssl
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

from emulator.mechanisms.clock import utc

if TYPE_CHECKING:
    import trustme

_LOCAL = ("localhost", "127.0.0.1", "::1", "*.localhost")
_LABEL = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ELSEWHERE = "elsewhere.test"
_YEAR_2020 = utc(1_577_836_800), utc(1_609_459_200)

TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""The variables that tell clients which authorities to trust: OpenSSL's, those of requests and Node."""


class AuthorityError(Exception):
    """An authority can be neither kept nor found where it should be. The text says why."""


class Authority:
    """Signs certificates of servers; `file` is what clients are told to trust."""

    def __init__(self, file: str | Path | None, hosts: Iterable[str]) -> None:
        """Keep the authority in `file` (and its key beside it), or find it there; without one, for as long as it lives.

        `hosts` are the names of its servers, beside those of any machine for itself. Wildcards would not be enough:
        OpenSSL takes none right below the top. Raises AuthorityError for files that cannot be read or written, or
        are something else.
        """
        self._names = list(dict.fromkeys([*_LOCAL, *hosts]))
        self._folder = TemporaryDirectory(prefix="emulator-") if file is None else None
        self.file = (Path(self._folder.name) / "ca.pem" if self._folder else Path(str(file))).absolute()
        self.context = lru_cache(self._context)
        """What a server of these names needs, or by a fault's name one whose certificate is expired or elsewhere's."""
        try:
            self._authority = self._found() if self.file.exists() else self._made()
        except OSError as error:
            raise AuthorityError(f"{error.filename}: {error.strerror}") from None
        except ValueError:
            raise AuthorityError(f"{self.file} and {self._key_file.name} are no certificate and its key") from None

    def _context(self, fault: str | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        first, last = _YEAR_2020 if fault == "tls_expired" else (None, None)
        names = [_ELSEWHERE] if fault == "tls_wrong_host" else self._names
        self._authority.issue_cert(*names, not_before=first, not_after=last).configure_cert(context)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def close(self) -> None:
        """Forget an authority that is not kept."""
        if self._folder is not None:
            self._folder.cleanup()

    @property
    def _key_file(self) -> Path:
        return self.file.with_name(self.file.name + ".key")

    def _found(self) -> "trustme.CA":
        import trustme

        return trustme.CA.from_pem(self.file.read_bytes(), self._key_file.read_bytes())

    def _made(self) -> "trustme.CA":
        if self._folder is not None:
            authority = _new()
            self.file.write_bytes(authority.cert_pem.bytes())
            return authority
        self._key_file.touch(mode=0o600)
        with self._key_file.open("r+b") as key:
            _alone(key)
            if self.file.exists():  # somebody else was first
                return self._found()
            authority = _new()
            key.truncate()
            key.write(authority.private_key_pem.bytes())
            key.flush()
            unfinished = self.file.with_name(f"{self.file.name}.{os.getpid()}")
            unfinished.write_bytes(authority.cert_pem.bytes())
            unfinished.replace(self.file)
            return authority


def _new() -> "trustme.CA":
    import trustme

    return trustme.CA(organization_name="emulator, for tests on this machine")


def _alone(file: BinaryIO) -> None:
    """Wait until nobody else has the file, and have it until it is closed: servers may start at once."""
    with suppress(ImportError, OSError):  # Windows, and file systems without locks
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def own_hosts(host: str, providers: Iterable[str]) -> list[str]:
    """The names a server goes by: the address it listens on, and a name a provider."""
    return [host, *(f"{name}.localhost" for name in providers if _LABEL.fullmatch(name))]
