"""The table, the page of the docs and its plot, made of the results as they stand in JSON."""

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from .measures import QUIET

Line = dict[str, Any]


def figure(value: float, unit: str = "") -> str:
    """A number with about three digits that count, and its unit."""
    digits = 0 if abs(value) >= 100 or unit == "failures" else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}{' ' * (unit not in ('', '/s'))}{unit}"


def verdict(line: Line) -> str:
    if line["goal"] is None:
        return ""
    value, bound, unit = line["value"], line["goal"]["bound"], line["unit"]
    if line["met"]:
        return "met"
    if not bound:
        return f"missed: {figure(value, unit)}"
    if value > 2 * bound:
        return f"missed: {figure(value / bound)} times the goal"
    return f"missed by {100 * abs(value - bound) / bound:.0f} %"


def cells(line: Line) -> list[str]:
    """A line of the table: row, what, its figure and spread, by CPU time, goal, verdict, both sides, noise."""
    if "skipped" in line:
        return [str(line["row"]), f"not measured: {line['skipped']}", *[""] * 7]
    unit, shown = line["unit"], line["shown"]
    spread = f"{figure(line['low'])} to {figure(line['high'])}" if len(line["samples"]) > 1 else ""
    signs, bound = {">=": "≥", "<=": "≤"}, line["goal"]
    goal = f"{signs[bound['sense']]} {figure(bound['bound'], unit)}" if bound else ""
    beside = "" if line["beside"] is None else f" | {line['reference']} {figure(line['beside'], shown or unit)}"
    sides = f"{figure(line['tested'], shown or unit)}{beside}"
    cpu = "" if line["cpu"] is None else figure(line["cpu"], unit)
    remarks = ["noisy"] if line["foreign"] > QUIET else []
    remarks += [f"{len(line['samples'])} pairs"] if 1 < len(line["samples"]) < 5 else []
    noise = f"{line['foreign']:.0f} %" + (f" ({', '.join(remarks)})" if remarks else "")
    return [str(line["row"]), line["what"], figure(line["value"], unit), spread, cpu, goal, verdict(line), sides, noise]


_HEADS = ("#", "work", "figure", "spread", "by CPU time", "goal", "", "emulator | beside", "CPU of others")


def text(lines: Sequence[Line]) -> str:
    """The table for a terminal."""
    rows = [list(_HEADS), *map(cells, lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
    widths[1] = min(widths[1], 60)
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def table(lines: Sequence[Line]) -> str:
    """The table in Markdown."""
    rows = [[cell.replace(" | ", "; ") for cell in row] for row in (list(_HEADS), *map(cells, lines))]
    rows.insert(1, ["---"] * len(_HEADS))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


_LEFT, _WIDTH, _STEP, _TOP = 390, 400, 22, 64
_FURTHEST = 16.0


def _score(line: Line, value: float) -> float:
    """How many times better than its goal a figure is; below 1 it is worse."""
    bound: float = line["goal"]["bound"]
    if line["goal"]["sense"] == ">=":
        return value / bound
    return bound / value if value > 0 else math.inf


def _x(score: float) -> float:
    """The place of a score, on a logarithmic scale that ends somewhere."""
    kept = min(max(score, 1 / _FURTHEST), _FURTHEST)
    return _LEFT + _WIDTH * (0.5 + math.log(kept) / math.log(_FURTHEST) / 2)


def plot(results: dict[str, Any]) -> str:
    """Each figure against its goal as SVG: a bar to the right is better, one to the left is worse."""
    lines = [line for line in results["lines"] if line.get("goal") and line["goal"]["bound"]]
    height = _TOP + _STEP * len(lines) + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 90} {height}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<text x="12" y="20" font-size="14" font-weight="600">Each figure against its goal</text>',
        f'<text x="12" y="37" fill="#555555">{escape(results["machine"]["cpu"])}, {results["date"]}</text>',
    ]
    for times in (1 / 16, 1 / 4, 1, 4, 16):
        x, label = _x(times), f"{times:g} x" if times >= 1 else f"1/{1 / times:g}"
        colour, name = ("#333333", "goal") if times == 1 else ("#dddddd", label)
        parts.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{_TOP - 8}" y2="{height - 28}" stroke="{colour}"/>')
        parts.append(f'<text x="{x:.0f}" y="{height - 12}" text-anchor="middle" fill="#555555">{name}</text>')
    for i, line in enumerate(lines):
        y = _TOP + i * _STEP
        middle, *ends = (_x(_score(line, line[name])) for name in ("value", "low", "high"))
        colour = "#2e8b57" if line["met"] else "#c0504d"
        start, length = min(middle, _x(1)), abs(middle - _x(1))
        label = f"{line['row']}  {line['what']}"
        parts += [
            f'<text x="{_LEFT - 10}" y="{y + 10}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{start:.1f}" y="{y}" width="{max(length, 1):.1f}" height="13" fill="{colour}"/>',
            f'<line x1="{min(ends):.1f}" x2="{max(ends):.1f}" y1="{y + 6.5}" y2="{y + 6.5}" stroke="#222222"/>',
            f'<text x="{_LEFT + _WIDTH + 8}" y="{y + 10}" fill="#333333">{figure(line["value"], line["unit"])}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def page(results: dict[str, Any]) -> str:
    """What the docs say between the comments: machine, table and plot."""
    machine = results["machine"]
    met = [line["met"] for line in results["lines"] if line.get("goal")]
    noisy = sum(line.get("foreign", 0) > QUIET for line in results["lines"])
    busy = f" Other programs used the machine meanwhile: {noisy} lines are noisy." if noisy else ""
    return f"""Measured on {results["date"]} by `make bench` in {results["minutes"]:.0f} minutes: {machine["cpu"]},
{machine["system"]}, {machine["python"]}; {machine["pinned"]}. {sum(met)} of {len(met)} goals are met.{busy}

![Each figure against its goal](performance.svg)

{table(results["lines"])}
"""
