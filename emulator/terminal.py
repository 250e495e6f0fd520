"""What commands share at a terminal: giving up, values of options, output that cannot be written, tables."""

import errno
import os
import sys
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from typing import Any, NoReturn

import click


def give_up(message: str, hint: str = "", code: int = 2) -> NoReturn:
    """End the process with what is wrong and the way out."""
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
    sys.exit(code)


def pairs(values: Sequence[str], option: str) -> list[tuple[str, str]]:
    """What is chosen for providers, as PROVIDER=NAME says it."""
    found = [tuple(value.split("=", 1)) for value in values]
    for value, pair in zip(values, found, strict=True):
        if len(pair) != 2 or not all(pair):
            give_up(f"`{option} {value}` is not PROVIDER=NAME", f"for example {option} acme=flaky")
    return [(pair[0], pair[1]) for pair in found]


def one_each(values: Sequence[str], option: str) -> dict[str, str]:
    """What is chosen for each provider, once."""
    found = pairs(values, option)
    chosen = dict(found)
    if len(chosen) < len(found):
        twice = next(name for name, _ in found if [first for first, _ in found].count(name) > 1)
        give_up(f"`{option}` names {twice} more than once", "choose one; tests can ask for others, one after another")
    return chosen


def given(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """A value that is neither empty nor `nan`."""
    for one in value if isinstance(value, tuple) else (value,):
        if one == "" or one != one:
            raise click.BadParameter(
                "it is empty; leave it out, or give it a value" if one == "" else "it is no number"
            )
    return value


class Commands(click.Group):
    """Commands that end in words where they are interrupted, or where their output cannot be written."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        if isinstance(sys.stdout, TextIOWrapper):  # what its encoding lacks is written as on stderr
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().main(*arguments, **options)
        except OSError as error:
            if error.errno != errno.ENOSPC or error.filename is not None:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to be flushed
            give_up(f"the output cannot be written: {error.strerror}", code=1)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # click would exit with 1, which means findings
            give_up("interrupted")


def show_tables(tables: Iterable[tuple[Sequence[str], Sequence[Sequence[str]]]]) -> None:
    """Print tables of columns and rows; at a terminal, what is too wide goes on in the next line of its cell."""
    from rich.console import Console
    from rich.table import Column, Table

    console = Console(soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 300)
    for number, (columns, rows) in enumerate((columns, rows) for columns, rows in tables if rows):
        table = Table(*(Column(name, overflow="fold") for name in columns), box=None)
        for row in rows:
            table.add_row(*row)
        if number:
            console.print()
        console.print(table)
