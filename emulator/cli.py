"""The command line: `emulator serve | check | list | explain | schema | contract`."""

import errno
import json
import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from signal import SIGTERM
from typing import Any, NoReturn

import click

from emulator.catalog import LoadError
from emulator.commands import CommandError
from emulator.terminal import Commands, give_up, given, one_each, pairs, show_tables


def _show_problems(error: LoadError, code: int = 1) -> NoReturn:
    for problem in error.problems:
        click.echo(str(problem), err=True)
    count = len(error.problems)
    told = "each line names file, line, path and what would be right; `emulator schema` has the language"
    give_up(f"{count} problem{'s' if count > 1 else ''} in the data", told, code)


def _nobody(error: KeyError) -> NoReturn:
    give_up(f"no provider is called `{error.args[0]}`", "`emulator list` shows them all; `--data DIR` adds your own")


def _families(providers: Sequence[str], data: Sequence[str], *, broken: int = 1) -> Any:
    from emulator import catalog

    try:
        return catalog.load(data, providers)
    except LoadError as error:
        _show_problems(error, broken)
    except KeyError as error:
        _nobody(error)


def _state_errors() -> tuple[type[Exception], ...]:
    """What a file for the state can raise; SQLite is imported where there is one."""
    import sqlite3

    return OSError, sqlite3.Error


_DATA = click.option(
    "--data",
    multiple=True,
    metavar="DIR",
    type=click.Path(),
    callback=given,
    help="A folder with fixtures/ and specs/ of your own; may be repeated.",
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="emulator")
def main() -> None:
    """Emulate real AI-provider APIs on this machine.

    Start with `emulator serve`, and point your client at the address it prints. Everything is offline,
    deterministic, and any failure can be had on demand.
    """


@main.command(short_help="Serve providers until interrupted.")
@click.argument("providers", nargs=-1)
@click.option("--host", default="127.0.0.1", show_default=True, callback=given, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port of all providers; a single one is at its root.")
@click.option("--ports", is_flag=True, help="Give each provider a port of its own as well, counting up from --port.")
@click.option("--seed", default=0, show_default=True, help="Seed of all chance: with one seed, only times differ.")
@click.option("--scenario", multiple=True, metavar="PROVIDER=NAME", help="Play a scenario for every tenant.")
@click.option("--variant", multiple=True, metavar="PROVIDER=NAME", help="Serve a variant of a provider.")
@click.option("--latency", multiple=True, metavar="PROVIDER=NAME", help="Use a latency profile for every tenant.")
@click.option(
    "--connections", metavar="FAULT", help="Let every connection meet a fault, such as refuse or tls_expired."
)
@click.option(
    "--pace",
    type=click.FloatRange(min=0, max=1e9),
    callback=given,
    default=1.0,
    show_default=True,
    help="Scale of all delays of the data: streams, latency; 0 sends at once.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True, max=1e6),
    callback=given,
    default=1.0,
    show_default=True,
    help="How many times faster time runs: clock, windows, delays, and the waits that clients are told.",
)
@click.option("--strict-auth", is_flag=True, help="Accept declared keys only, not any key.")
@click.option(
    "--state",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    callback=given,
    help="Keep state in this SQLite file.",
)
@click.option("--tls", is_flag=True, help="Serve https, with a certificate made at the start.")
@click.option(
    "--tls-ca",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    callback=given,
    help="Keep what clients have to trust in this file, and find it there again; serves https.",
)
@click.option("--reload", is_flag=True, help="Take in changed data while serving; state is kept.")
@_DATA
def serve(
    providers: tuple[str, ...],
    host: str,
    port: int,
    ports: bool,
    seed: int,
    scenario: tuple[str, ...],
    variant: tuple[str, ...],
    latency: tuple[str, ...],
    connections: str | None,
    pace: float,
    speed: float,
    strict_auth: bool,
    state: str | None,
    tls: bool,
    tls_ca: str | None,
    reload: bool,
    data: tuple[str, ...],
) -> None:
    """Serve PROVIDERS (all, when none is named) until interrupted.

    A single provider answers at the root of its port; several answer under /<provider>/.
    """
    if state is not None and speed != 1:
        give_up("--state and --speed do not go together: at a new start, it would be of the future", "leave one out")
    variants: dict[str, list[str]] = {}
    for name, chosen in pairs(variant, "--variant"):
        variants.setdefault(name, []).append(chosen)
    runtime = _made(
        providers,
        data=data,
        seed=seed,
        pace=pace,
        speed=speed,
        strict_auth=strict_auth,
        state=state,
        scenarios=one_each(scenario, "--scenario"),
        latency=one_each(latency, "--latency"),
        variants=variants,
    )
    from emulator.server import ended_by

    with closing(runtime.store), suppress(KeyboardInterrupt), ended_by(SIGTERM), ExitStack() as stack:
        running = _listen(runtime, host, port, own_ports=ports, tls=tls_ca or tls)
        stack.callback(running.stop)
        if connections is not None:
            _disturb(running, connections)
        _greet(running)
        running.run(reload_from=list(data) if reload else None)


def _made(providers: Sequence[str], *, state: str | None, **wishes: Any) -> Any:
    """A runtime as it is asked for; what cannot be had is told, with what can."""
    from emulator import server

    try:
        return server.make_runtime(providers, state=state, **wishes)
    except LoadError as error:
        _show_problems(error)
    except KeyError as error:
        _nobody(error)
    except CommandError as error:
        give_up(str(error), "`emulator list PROVIDER` shows its scenarios, variants and latency profiles")
    except _state_errors() as error:
        give_up(f"cannot keep state in {state}: {error}", getattr(error, "hint", "choose a file you can write to"))


def _listen(runtime: Any, host: str, port: int, *, own_ports: bool, tls: bool | str) -> Any:
    """A server on its sockets: one provider at the root of the port, several below it and on ports of their own."""
    from emulator.server import EmulatorServer
    from emulator.wire.certificates import AuthorityError

    wanted = port
    try:
        running = EmulatorServer(runtime, host, port, tls=tls)
        if len(runtime.providers) == 1:
            running.mount(next(iter(runtime.providers)))
        for i, name in enumerate(runtime.providers if own_ports and len(runtime.providers) > 1 else (), start=1):
            wanted = port + i if port else 0
            running.own_port(name, wanted)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            another = port + 100 if port + 200 < 65536 else port - 200
            give_up(f"port {wanted} on {host} is in use", f"choose another: emulator serve --port {another}")
        give_up(f"cannot listen on {host}:{wanted}: {error.strerror}", "try --host 127.0.0.1 and a port over 1023")
    except AuthorityError as error:
        give_up(f"nothing to trust can be kept: {error}", "give --tls-ca a new file in a folder you can write to")
    except OverflowError:
        give_up(f"{wanted} is no port", "choose one from 1 to 65535, or 0 for any that is free")
    return running


def _disturb(running: Any, fault: str) -> None:
    from emulator import commands

    try:
        commands.connections(running.runtime, fault)
    except CommandError as error:
        give_up(str(error), "`emulator explain fault` shows the faults")


def _greet(running: Any) -> None:
    from emulator import overview
    from emulator.wire.certificates import TRUST

    click.echo(f"emulator on {running.url}  (Ctrl+C stops it)\n")
    trusted = None if running.ca_file is None else str(running.ca_file)
    if trusted is not None:
        click.echo(f"Its certificate is trusted by clients that are told of {trusted}")
        for variable in TRUST:
            click.echo(f"  export {variable}={shlex.quote(trusted)}")
        click.echo()
    for name in running.runtime.providers:
        found = running.runtime.providers[name].base
        origin = running.root(name) if running.has_root(name) else f"{running.url}/{name}"
        lines = overview.greeting(found, origin, ca_file=trusted, strict=running.runtime.strict_auth)
        click.echo("\n".join(lines) + "\n")


@main.command(short_help="Check data, yours or the packaged.")
@click.argument("folders", nargs=-1, type=click.Path(), callback=given)
def check(folders: tuple[str, ...]) -> None:
    """Check the data of FOLDERS (each with fixtures/ and specs/, or resources/), or without any the packaged data.

    Exit status: 0 clean, 1 findings.
    """
    from emulator import catalog

    try:
        families = catalog.check(folders)
    except LoadError as error:
        _show_problems(error)
    operations = sum(len(family.base.operations) for family in families.values())
    click.echo(f"{len(families)} provider{'s' * (len(families) != 1)}, {operations} operations: no findings")


@main.command("list", short_help="List operations, statuses, grades, scenarios.")
@click.argument("provider", required=False)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="An array of {provider, operation_id, method, path, statuses, grade, source}.",
)
@click.option("--markdown", is_flag=True, help="A Markdown table, as in the README.")
@click.option("--scenarios", is_flag=True, help="The ready scenarios instead, one a line.")
@_DATA
def list_(provider: str | None, as_json: bool, markdown: bool, scenarios: bool, data: tuple[str, ...]) -> None:
    """List operations with their statuses and grades; for one PROVIDER also what can be asked of it."""
    from emulator import overview

    chosen = [f"--{n}" for n, on in (("json", as_json), ("markdown", markdown), ("scenarios", scenarios)) if on]
    if len(chosen) > 1:
        give_up(f"{chosen[0]} and {chosen[1]} are two outputs", "choose one")
    families = _families([provider] if provider else (), data)
    if scenarios:
        click.echo("\n".join(overview.scenario_lines(families)))
        return
    if as_json:
        click.echo(json.dumps(overview.rows(families), indent=2))
        return
    if markdown:
        click.echo(overview.markdown(families))
        return
    operations = [
        [
            row["provider"],
            row["operation_id"],
            row["method"],
            row["path"],
            " ".join(map(str, row["statuses"])),
            row["grade"],
        ]
        for row in overview.rows(families)
    ]
    columns = ["provider", "operation", "method", "path", "statuses", "grade"]
    show_tables([(columns, operations), *(overview.tables(families[provider].base) if provider else ())])


@main.command(short_help="Say which line supplies what; what a fault does.")
@click.argument("method")
@click.argument("path", required=False, metavar="[PATH|NAME]")
@_DATA
def explain(method: str, path: str | None, data: tuple[str, ...]) -> None:
    """Say which file and line supplies what of METHOD PATH, or what a fault does, for example:

    \b
    emulator explain POST /PROVIDER/v1/chat/completions
    emulator explain fault
    emulator explain fault reset
    """
    from emulator import overview

    try:
        if method == "fault":
            click.echo("\n".join(overview.explain_fault(path) if path else overview.fault_lines()))
            return
        if path is None:
            told = "for example: emulator explain GET /PROVIDER/v1/models; emulator explain fault reset"
            give_up(f"{method} of which path?", told)
        provider, operation, known = overview.find_operation(_families((), data), method.upper(), path)
    except LookupError as error:
        give_up(str(error), "`emulator list` shows every method and path, `emulator explain fault` the faults")
    lines = overview.explain(provider, operation, known)
    width = max(len(line.what) for line in lines)
    for line in lines:
        click.echo(f"{line.part:<11} {line.what:<{width}}  {line.grade:<11} {line.where}")


@main.command()
def schema() -> None:
    """Print the JSON Schema of the fixture language, for editors."""
    from emulator import catalog

    click.echo(json.dumps(catalog.schema(), indent=2))


@main.command(short_help="Hold providers against their specs.")
@click.argument("providers", nargs=-1)
@click.option(
    "--url", help="Test this address instead of an emulator started for the run: the provider's scheme and host."
)
@click.option(
    "--max-examples",
    type=click.IntRange(min=1),
    default=25,
    show_default=True,
    help="Generated cases per operation and phase.",
)
@click.option("--seed", default=0, show_default=True, help="Seed of the generated cases.")
@click.option("--junit", metavar="FILE", type=click.Path(dir_okay=False), callback=given, help="Write a JUnit report.")
@_DATA
def contract(
    providers: tuple[str, ...], url: str | None, max_examples: int, seed: int, junit: str | None, data: tuple[str, ...]
) -> None:
    """Hold PROVIDERS (all, when none is named) against their specs: examples, coverage, fuzzing, stateful, streams.

    With --url, give one provider; its key is read from the provider's own environment variable and is
    never printed. Exit status: 0 clean, 1 findings, 2 could not run.
    """
    from tempfile import TemporaryDirectory

    from emulator import contract as suite

    families = _families(providers, data, broken=2)
    if junit is not None and not os.access(junit if Path(junit).exists() else Path(junit).parent, os.W_OK):
        give_up(f"cannot write {junit}", "choose a file in a folder that exists and that you can write to")
    try:
        with TemporaryDirectory() as notes:  # of hypothesis, which else go to the working directory
            os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", notes)
            report = suite.run(families, url=url, max_examples=max_examples, seed=seed, progress=click.echo)
    except suite.CannotRun as error:
        give_up(str(error), error.hint)
    click.echo(report.summary())
    if junit is not None:
        try:
            Path(junit).write_text(report.junit(), encoding="utf-8")
        except OSError as error:
            give_up(f"cannot write {junit}: {error.strerror}", "choose a file in a folder that exists")
    sys.exit(1 if report.findings else 0)
