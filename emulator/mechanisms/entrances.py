"""Where connections come in, and the faults that the next of them meet before any request is known.

An entrance is a port, or where there is none the process itself. It belongs to no tenant and so has no clock:
what is set for some time is set for real time.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType

from emulator.mechanisms.faults import FaultKind

FAULTS = (
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


@dataclass(eq=False, slots=True)
class Setting:
    """A fault that is set on an entrance, and how many connections it is still for (None: for all)."""

    fault: str
    left: int | None
    lifted: bool = False
    timer: threading.Timer | None = None


class Entrance:
    """One way in, used from any thread. The latest setting is in force."""

    def __init__(self, port: int = 0, provider: str | None = None, *, tls: bool = True) -> None:
        """`port` is 0 where there is none, `provider` whose alone it is, `tls` whether clients speak TLS to it."""
        self.port = port
        self.provider = provider
        self.tls = tls
        self.settings: list[Setting] = []
        self._lock = threading.Lock()

    @property
    def fault(self) -> str | None:
        """The fault that the next connection meets."""
        settings = self.settings
        return settings[-1].fault if settings else None

    def set(self, fault: str, times: int | None = None, seconds: float | None = None) -> Setting:
        """Let connections meet a fault: so many, so long, or until it is lifted."""
        setting = Setting(fault, times)
        with self._lock:
            self.settings = [*self.settings, setting]
        self.changed()
        if seconds is not None:
            setting.timer = threading.Timer(seconds, self.lift, [setting])
            setting.timer.daemon = True
            setting.timer.start()
        return setting

    def lift(self, setting: Setting | None = None) -> None:
        """Undo one setting, or all; what hangs because of one ends."""
        with self._lock:
            undone = self.settings if setting is None else [setting]
            self.settings = [kept for kept in self.settings if kept not in undone]
        for one in undone:
            one.lifted = True
            if one.timer is not None:
                one.timer.cancel()
        self.changed()

    def take(self) -> Setting | None:
        """What a connection that just came meets, counted."""
        if not self.settings:
            return None
        with self._lock:
            setting = self.settings[-1]
            if setting.left is not None:
                setting.left -= 1
            used_up = setting.left == 0
            if used_up:
                self.settings = self.settings[:-1]
        if used_up:
            self.changed()
        return setting

    def changed(self) -> None:
        """Something was set or lifted: for those who have a socket to change."""


class Disturbance:
    """A fault that was set on some entrances, until it is lifted. A context manager."""

    def __init__(self, settings: Iterable[tuple[Entrance, Setting]]) -> None:
        self._settings = list(settings)

    def lift(self) -> None:
        """Let connections come in as before."""
        for entrance, setting in self._settings:
            entrance.lift(setting)

    def __enter__(self) -> "Disturbance":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lift()
