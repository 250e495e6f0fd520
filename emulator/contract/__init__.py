"""The contract suite: a provider's spec against whatever answers at an address.

    fuzz       schemathesis: examples, coverage, fuzzing and stateful, with every check that applies
    calls      the requests of these phases: bounded in time, the last one known
    streams    each event of a stream against its schema, framing and terminator
    statuses   every documented status, asked for with `Prefer` (only of an emulator started here)

schemathesis runs in this process, through `schemathesis.engine`, and not as a command: its hooks can then
give every case fresh limits and judge refusals that no schema can foresee, the events carry requests as they were
sent (the command's reports mask fields such as `max_tokens`, so their curl lines do not reproduce), and a key never
leaves the process. The engine's events are not a documented interface, so `fuzz` is the only module that reads them.

It is a large import and stays inside the functions that need it.
"""

from emulator.contract.report import Finding, Report
from emulator.contract.suite import run
from emulator.contract.target import CannotRun

__all__ = ["CannotRun", "Finding", "Report", "run"]
