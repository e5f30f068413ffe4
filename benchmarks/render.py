"""Results as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from benchmarks.result import Line, Outcome

HEADER = "| what | median | least | most | target | reached | detail |"
RULE = "|---|--:|--:|--:|---|---|---|"
VERDICTS = {True: "yes", False: "**no**", None: ""}


def render(results: Mapping[str, Any]) -> str:
    """The machine, then one table a benchmark, in the order in which they are listed.

    Parameters
    ----------
    results : mapping
        What `benchmarks.suite.measure` gives.
    """
    from benchmarks.suite import BENCHMARKS

    parts = [_machine(results["environment"])]
    for benchmark in BENCHMARKS:
        row = results["rows"].get(benchmark.name)
        if row is not None:
            parts.append(_section(row))
    return "\n\n".join(parts) + "\n"


def _machine(environment: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    features = ", ".join(environment.get("cpu_features", ())) or "none of note"
    return (
        f"Machine: {environment['cpu']}, {environment['cores']} cores ({features}), "
        f"{environment['memory_gb']:.0f} GiB, {environment['os']}, Python {environment['python']}; "
        f"{versions}."
    )


def _section(row: Mapping[str, Any]) -> str:
    settings = row["settings"]
    head = f"### {row['title']}\n\n`{settings['command']}`"
    remarks = [f"{row['started'][:10]}", f"commit {row['commit'][:10]}" if row["commit"] else ""]
    remarks += [f"load before {row['load']}", f"{row['seconds'] / 60:.1f} min"]
    if settings.get("synthetic"):
        remarks.append("SYNTHETIC smears")
    if settings.get("quick"):
        remarks.append("quick: the shape of the table, not its figures")
    head += f" ({', '.join(text for text in remarks if text)})"
    if row["status"] != "ok":
        return f"{head}\n\n{row['status'].capitalize()}: {row['reason']}."
    outcome = Outcome.from_json(row)
    table = "\n".join([HEADER, RULE, *(_line(line) for line in outcome.lines)])
    return "\n\n".join([head, table, *outcome.notes])


def _line(line: Line) -> str:
    figures = [number(value, line.unit) for value in _spread(line)]
    if len(line.values) == 1:
        figures[1:] = ["", ""]
    target = "" if line.target is None else f"{line.target.sense} {line.target.value:g}"
    cells = [line.what, *figures, target, VERDICTS[line.reached], line.detail]
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _spread(line: Line) -> tuple[float, float, float]:
    return median(line.values), min(line.values), max(line.values)


def number(value: float, unit: str) -> str:
    """A figure with its unit, to three digits.

    >>> number(1.2345, "x"), number(287.6, "MiB"), number(0.012345, "s")
    ('1.23x', '288 MiB', '0.0123 s')
    """
    if unit == "power":
        return f"{value:.2f}"
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text}x" if unit == "x" else f"{text} {unit}".strip()
