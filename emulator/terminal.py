"""What commands share at a terminal: giving up, output that cannot be written, tables."""

import errno
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import click


def give_up(message: str, hint: str = "", code: int = 2) -> NoReturn:
    """End the process with what is wrong and the way out."""
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
    sys.exit(code)


class Commands(click.Group):
    """Commands that end in words where they are interrupted, or where their output cannot be written."""

    def main(self, *arguments: Any, **options: Any) -> Any:
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
