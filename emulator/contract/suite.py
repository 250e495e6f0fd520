"""The run: each provider's streams, statuses and generated cases, one after the other."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext

from emulator.contract import fuzz, statuses, streams
from emulator.contract.report import Report
from emulator.contract.target import CannotRun, Target, at_address, started
from emulator.provider import ProviderFamily


def run(
    families: Mapping[str, ProviderFamily],
    *,
    url: str | None = None,
    max_examples: int = 25,
    seed: int = 0,
    progress: Callable[[str], object] = lambda line: None,
) -> Report:
    """Hold providers against their specs, at `url` or at an emulator started for the run.

    The same seed sends the same requests. Raises CannotRun; what ends a run behind its first finding is noted in the
    report.
    """
    report = Report(seed=seed, served=url is None)
    reached = started(families, seed) if url is None else nullcontext([at_address(families, url)])
    try:
        with reached as targets:
            for target in targets:
                _test(target, report, max_examples, progress)
    except KeyboardInterrupt:
        if not report.findings:
            raise CannotRun("interrupted") from None
        report.note("all that was to come: interrupted")
    return report


def _test(target: Target, report: Report, max_examples: int, progress: Callable[[str], object]) -> None:
    for operation in target.provider.operations.values():
        report.operation(target.provider.id, f"{operation.method} {operation.path}")
    streams.check(target, report, progress)  # first, while a provider's limits still admit it
    schema = fuzz.load(target, report, max_examples=max_examples)
    if target.own:
        statuses.check(target, schema, report, progress)
    fuzz.check(target, schema, report, progress)
