"""Latency profiles: the names that must exist, and the compiled plan."""

from collections.abc import Iterator, Mapping
from functools import partial

from emulator.catalog.language.document import Document
from emulator.catalog.language.latency import Draw
from emulator.catalog.language.latency import Profile as Declared
from emulator.catalog.leaves import Leaves
from emulator.catalog.owned import Finding, unknown
from emulator.catalog.source import DocumentPath
from emulator.mechanisms.latency import Choice, Draws, Load, Profile, fixed, log_normal, recorded, uniform
from emulator.operation import Source
from emulator.provider import LatencyPlan, LatencyProfile


def latency(document: Document) -> Iterator[Finding]:
    """Profiles that rules, the default and steps of scenarios speak of, and that there are not."""
    declared = document.latency
    named: list[tuple[DocumentPath, str | None]] = [
        (("latency", "default"), declared.default),
        *((("latency", "rules", i, "profile"), rule.profile) for i, rule in enumerate(declared.rules)),
        *(
            (("scenarios", name, i, "latency"), step.latency)
            for name, scenario in document.scenarios.items()
            for i, step in enumerate(scenario.steps)
        ),
    ]
    for path, profile in named:
        if profile is not None and profile not in declared.profiles:
            yield path, unknown(profile, declared.profiles)


def latency_plan(document: Document, leaves: Leaves, sources: Mapping[str, Source]) -> LatencyPlan:
    """The plan of a document whose names are checked."""
    profiles = {
        name: LatencyProfile(name, p.summary, _profile(p), sources[p.source], leaves.tree.place(_at(name)))
        for name, p in document.latency.profiles.items()
    }
    rules = tuple(
        Choice(
            None if rule.operations is None else tuple(rule.operations),
            leaves.optional(rule.when, ("latency", "rules", i, "when")),
            rule.profile,
        )
        for i, rule in enumerate(document.latency.rules)
    )
    return LatencyPlan(profiles, rules, document.latency.default)


def _at(name: str) -> DocumentPath:
    return ("latency", "profiles", name)


def _profile(declared: Declared) -> Profile:
    load = Load() if declared.load is None else Load(declared.load.free, declared.load.slower)
    return Profile(_draws(declared.first_token), _draws(declared.gap), _draws(declared.reply), declared.prefill, load)


def _draws(declared: Draw) -> Draws:
    if declared.uniform is not None:
        return partial(uniform, least=declared.uniform[0], most=declared.uniform[1])
    if declared.log_normal is not None:
        return partial(log_normal, median=declared.log_normal.median, sigma=declared.log_normal.sigma)
    if declared.recorded is not None:
        return partial(recorded, durations=tuple(declared.recorded))
    return partial(fixed, seconds=declared.fixed or 0.0)
