"""`python -m tests.benchmarks [ROW …] [--pairs N]`: measure rows of the table, or without any the docs' page."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click

from . import cloud, inprocess, plain, report, starts, streaming
from .machine import CACHE, ROOT, Failed, Missing, described, to_load_cpu
from .measures import Measure, Plan, Skipped

ROWS: dict[int, Callable[[Plan], list[Measure]]] = {
    1: plain.rate,
    2: plain.rate_beside_aimock,
    3: plain.latency,
    4: plain.crowd,
    5: streaming.singly,
    6: streaming.joined,
    7: streaming.first_event,
    8: streaming.five_hundred,
    9: streaming.thousands,
    10: starts.first_answer,
    11: starts.memory,
    12: inprocess.transport,
    13: inprocess.fixtures,
    14: starts.unused_plugin,
    15: starts.many_providers,
    16: cloud.cloud,
}
_PLACE = re.compile(r"(?<=<!-- results -->\n).*(?=<!-- /results -->)", re.DOTALL)


def measured(row: int, plan: Plan) -> list[dict[str, Any]]:
    """The lines of a row, or why there are none."""
    try:
        return [line.as_json() for line in ROWS[row](plan)]
    except Missing as reason:
        return [Skipped(row, str(reason)).as_json()]
    except (Failed, OSError, subprocess.SubprocessError) as reason:
        return [Skipped(row, f"failed, {reason}").as_json()]


def as_text(results: dict[str, Any]) -> str:
    """JSON with a line of the table on each line."""
    lines = ",\n".join(json.dumps(line) for line in results["lines"])
    head = json.dumps({name: value for name, value in results.items() if name != "lines"}, indent=1)
    return f'{head[:-2]},\n "lines": [\n{lines}\n]}}\n'


def publish(results: dict[str, Any]) -> None:
    """Write the results into the docs: as JSON, as a table and as a plot."""
    docs = ROOT / "docs"
    docs.joinpath("performance.json").write_text(as_text(results), encoding="utf-8")
    docs.joinpath("performance.svg").write_text(report.plot(results), encoding="utf-8")
    page = docs / "PERFORMANCE.md"
    text = page.read_text(encoding="utf-8")
    text, pages = _PLACE.subn(lambda _: report.page(results), text)
    assert pages == 1, "docs/PERFORMANCE.md has lost the comments around its results"
    page.write_text(text, encoding="utf-8")


@click.command()
@click.argument("rows", nargs=-1, type=click.Choice([str(row) for row in ROWS]))
@click.option("--pairs", type=click.IntRange(min=1), default=5, show_default=True, help="Pairs that count, a row.")
def main(rows: tuple[str, ...], pairs: int) -> None:
    """Measure ROWS beside their references. All of them, when none is named, are written into the docs."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # servers are ended on the way out
    CACHE.mkdir(exist_ok=True)
    to_load_cpu()
    began = time.monotonic()
    results: dict[str, Any] = {"date": datetime.now(UTC).date().isoformat(), "machine": described(), "lines": []}
    for row in sorted(map(int, rows)) or ROWS:
        at = time.monotonic()
        found = measured(row, Plan(pairs))
        results["lines"] += found
        results["minutes"] = round((time.monotonic() - began) / 60, 1)
        CACHE.joinpath("results.json").write_text(as_text(results), encoding="utf-8")
        click.echo(f"{report.text(found).partition(chr(10))[2]}   [{time.monotonic() - at:.0f} s]", err=True)
    click.echo(report.text(results["lines"]))
    if not rows:
        publish(results)


if __name__ == "__main__":
    main()
