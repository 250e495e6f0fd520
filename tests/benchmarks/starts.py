"""Rows 10, 11, 14 and 15: the first answer, memory, an unused plugin, and what many providers cost."""

import json
import tempfile
from collections.abc import Iterable
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

from . import copies, targets
from .loads import streams
from .machine import PYTHON, Call, Failed, Server, Watch, timed
from .measures import Goal, Measure, Pair, Plan, Sample, difference, in_turn, paired
from .plain import load

IMPORT = [PYTHON, "-c", "import starlette, uvicorn"]


def first_answer(plan: Plan) -> list[Measure]:
    """All four providers loaded, from the start of the process to a chat completion."""
    timed(IMPORT)  # both once before, so that what Python compiles is there
    started()
    pairs = paired(plan, lambda: timed(IMPORT), started)
    samples = [pair.time(lambda ms: ms) for pair in pairs]
    return [Measure(10, "first answer after start", "import starlette, uvicorn", Goal("<=", 1.6), samples, shown="ms")]


def started(*arguments: str) -> float:
    """Milliseconds until an emulator answers."""
    with targets.emulator(*arguments, scripted=False) as server:
        return server.started * 1000


def memory(plan: Plan) -> list[Measure]:
    """Resident megabytes: at start, and what 10,000 and then 100,000 requests add, or as many as there is time for."""
    with targets.emulator() as server:
        sizes, made = [server.memory()], []
        watch = Watch(server)
        for count in (10_000, 100_000):
            done = streams(server, server.ready, 32, count, seconds=plan.seconds)
            if done.failures:
                raise Failed(f"{done.failures} of the replies are no 2xx")
            made.append(count - done.late)
            sizes.append(server.memory())
        use = watch.use()
    start, some, many = sizes

    def line(what: str, bound: float, value: float) -> Measure:
        sample = Sample(value, value, foreign=use.foreign)
        return Measure(11, f"memory {what}", "", Goal("<=", bound), [sample], unit="MB")

    return [
        line("at start", 60, start),
        line(f"that {made[0]:,} requests add", 5, max(some - start, 0)),
        line(f"that the next {made[1]:,} add", 2, max(many - some, 0)),
    ]


_PLUGIN = "emulator.pytest_plugin"
_BROUGHT = ("anyio", "faker", "hypothesis", "schemathesis")
"""Packages that the emulator needs and that bring plugins of their own."""


def _options(names: Iterable[str]) -> list[str]:
    return [option for name in names for option in ("-p", name)]


def unused_plugin(plan: Plan) -> list[Measure]:
    """pytest with one empty test and no plugins, beside the same with ours; and with those of packages it needs."""
    found = [point for point in entry_points(group="pytest11") if point.dist and point.dist.name.lower() in _BROUGHT]
    brought = _options(point.value.partition(":")[0] for point in found)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")
        plain = [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, folder]
        ours = [*plain, *_options([_PLUGIN])]
        every = [*ours, *brought]
        for command in (plain, every):
            alone(command)
        mine = paired(plan.times(5), partial(alone, plain), partial(alone, ours))
        theirs = paired(plan, partial(alone, ours), partial(alone, every))
    own, others = ([pair.time(lambda ms: ms, difference) for pair in pairs] for pairs in (mine, theirs))
    what = f"the same with those of {', '.join(_BROUGHT)}"
    return [
        Measure(14, "pytest with the plugin unused", "without", Goal("<=", 10), own, unit="ms", shown="ms"),
        Measure(14, what, "without", Goal("<=", 10), others, unit="ms", shown="ms"),
    ]


def alone(command: list[str]) -> float:
    """Milliseconds of pytest with the plugins of its command line only."""
    return timed(command, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")


def many_providers(plan: Plan) -> list[Measure]:
    """Starting and answering with fifty providers, beside the four."""
    with copies.fifty() as folder:
        data = ("--data", str(folder))
        started(*data)
        starts: list[Pair[float]] = paired(plan.at_most(3), started, lambda: started(*data))
        with targets.emulator() as four, targets.emulator(*data) as fifty:
            rates = in_turn(plan, four, fifty, lambda server: load(server, 32, 2))
            operations = _operations(fifty)
    what = f"{copies.PROVIDERS} providers, {operations:,} operations"
    samples = [pair.time(lambda ms: ms) for pair in starts]
    routed = [pair.rate(lambda done: done.rate, lambda done: done.count) for pair in rates]
    return [
        Measure(15, f"{what}: start", "four providers", Goal("<=", 3), samples, shown="ms"),
        Measure(15, f"{what}: requests/s", "four providers", Goal(">=", 0.95), routed, shown="/s"),
    ]


def _operations(server: Server) -> int:
    """How many operations a server has."""
    reply = server.ask(Call("/_emulator/providers", method="GET"))
    found = json.loads(targets.body(reply))
    return sum(len(provider["operations"]) for provider in found)
