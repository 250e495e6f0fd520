"""What a fault is: a name, a layer, arguments. `fault_catalogue` has them all.

What a fault does is done where its layer is: `faulty_content` and `faulty_streams` beside this module,
`wire/spoiling` for replies that stay HTTP, `wire/breaking` for those that do not. Those of listeners and handshakes
come before any request: `entrances` has them in store, `wire/listeners` does them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from emulator.mechanisms.records import record

Layer = Literal["listener", "handshake", "connection", "framing", "stream", "content"]
ArgumentKind = Literal["count", "duration", "moment", "wait", "text", "flag", "refusal", "event", "form"]
RetryForm = Literal["seconds", "date", "milliseconds", "nonsense", "absent"]


@record
class Argument:
    """What can be said of a fault. Without a default it is left open; `most` bounds a count.

    A `duration` passes while a client waits, a `wait` is only told to it.
    """

    kind: ArgumentKind
    says: str
    default: Any = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One named fault: what a client sees of it, and which real incident it stands for."""

    name: str
    layer: Layer
    seen: str
    incident: str
    arguments: Mapping[str, Argument] = field(default_factory=dict)

    @property
    def before_requests(self) -> bool:
        """Whether it meets connections, whoever they are of, and not requests."""
        return self.layer in ("listener", "handshake")


@record
class Fault:
    """A fault as it was asked for, with every argument that has a value."""

    kind: FaultKind
    arguments: Mapping[str, Any]
    paced: bool = False
    """Its durations follow the pace of the server, as all of the data do; those a test asks for are meant."""

    def at_pace(self, pace: float) -> "Fault":
        """The fault with the durations it has at a pace."""
        if not self.paced:
            return self
        lasting = {name for name, argument in self.kind.arguments.items() if argument.kind == "duration"}
        scaled = {k: v * pace if k in lasting else v for k, v in self.arguments.items()}
        return Fault(self.kind, scaled)

    @property
    def name(self) -> str:
        return self.kind.name

    @property
    def layer(self) -> Layer:
        return self.kind.layer

    def __getitem__(self, argument: str) -> Any:
        """The value of an argument; None for one that is left open."""
        return self.arguments.get(argument)
