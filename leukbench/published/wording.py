"""Verdicts as plain text, for a reader who checks them by hand."""

from __future__ import annotations

from leukbench.published.binary import Table
from leukbench.published.binary_readings import Reading
from leukbench.published.report_search import derived
from leukbench.published.reports import ReportVerdict
from leukbench.published.rounding import show, show_range
from leukbench.published.rows import CONSISTENT, IMPOSSIBLE, OPEN, RowVerdict
from leukbench.published.tables import METRICS
from leukbench.score.intervals import wilson

STATUS = {CONSISTENT: "consistent", OPEN: "not decided", IMPOSSIBLE: "CANNOT BE TRUE"}
NAMES = {"npv": "negative predictive value", "f1": "F1"}


def row_lines(verdict: RowVerdict) -> list[str]:
    """One row: its verdict, then the reasons, indented."""
    printed = ", ".join(f"{m} {t}" for m, t in verdict.row.cells.items())
    lines = [f"printed: {printed}", *verdict.hints]
    reading, table = verdict.reading, verdict.table
    if reading is not None and table is not None:
        lines += _reading_lines(verdict, reading, table)
    elif verdict.status != CONSISTENT and verdict.kind == "binary":
        lines.append("no reading with one misprinted cell explains it")
    if verdict.matrix is not None:
        images = "/".join(str(sum(line)) for line in verdict.matrix)
        lines += [
            f"one matrix that prints it, {images} images a class (rows true, columns predicted):",
            f"{[list(line) for line in verdict.matrix]}",
        ]
    for metric, (low, high) in verdict.ranges.items():
        lines.append(f"{metric}, not printed, lies in {show(low)} to {show(high)} %")
    head = f"{verdict.row.name} ({verdict.kind}): {STATUS[verdict.status]}"
    return [head, *(f"    {line}" for line in lines)]


def _reading_lines(verdict: RowVerdict, reading: Reading, table: Table) -> list[str]:
    lines = []
    if verdict.status != CONSISTENT:
        lines.append(f"probably: {explanation(verdict, reading, table)}")
    noun = "table fits" if reading.fits.count == 1 else "tables fit"
    low, high = wilson(table.tp + table.tn, table.n)
    true = [f"{NAMES.get(m, m)} {_shown(table, m)}" for m in (*METRICS, "npv")]
    true[0] += f" (Wilson 95 %: {100 * low:.1f} to {100 * high:.1f})"
    lines += [
        f"{reading.fits.count} {noun} up to {reading.fits.limit} images; smallest TP/FP/FN/TN {table}: "
        f"{table.n} images, {table.positives} positive, {table.negatives} negative",
        f"true values there: {', '.join(true)}",
    ]
    skip = {reading.dropped}
    if reading.f1_of_printed and "f1" in verdict.cells:
        skip.add("f1")
        lines.append(
            f"F1 {verdict.cells['f1'].text} is that of the printed precision and recall; the counts "
            f"give {_shown(table, 'f1')}"
        )
    cut = []
    for metric, cell in verdict.cells.items():
        value = table.share("npv" if reading.npv and metric == "specificity" else metric)
        if metric not in skip and value is not None and cell.style_of(value) == "cut":
            cut.append(f"{metric} {cell.text} ({show(value, cell.unit)})")
    return [*lines, *([f"cut off, not rounded: {', '.join(cut)}"] if cut else [])]


def explanation(verdict: RowVerdict, reading: Reading, table: Table) -> str:
    """Say what the impossible cells probably are, with the values they should have."""
    parts = []
    if reading.npv:
        parts.append(
            f"the specificity {verdict.cells['specificity'].text} is the negative predictive value; "
            f"the specificity would be {_shown(table, 'specificity')}"
        )
    if reading.misprint is not None:
        would = _shown(table, reading.dropped)
        parts.append(
            f"{reading.dropped} {reading.misprint.text} is misprinted: it would be {would}"
        )
    if left := [m for m in METRICS if m not in verdict.cells]:
        parts.append(f"not printed: {', '.join(f'{m} {_shown(table, m)}' for m in left)}")
    return "; ".join(parts) or "every cell as printed"


def report_lines(verdict: ReportVerdict) -> list[str]:
    """One classification report: its verdict, the matrices, and what they say beyond it."""
    lines = list(verdict.hints)
    for style, fits in verdict.fits.items():
        how = {"rounded": "all numbers rounded", "cut": "all cut off"}.get(style, "each either")
        more = "" if fits.complete else " or more"
        lines.append(f"confusion matrices that print it, {how}: {len(fits.matrices)}{more}")
    for matrix in verdict.matrices[:3]:
        lines.append(f"{[list(row) for row in matrix]} (rows true, columns predicted)")
    values = [derived(m, verdict.names) for m in verdict.matrices]
    for name in ("accuracy", "macro recall", "macro specificity") if values else ():
        lines.append(f"{name}: {show_range([v[name] for v in values])} %")
    head = f"{verdict.table.title}: {STATUS[verdict.status]}"
    return [head, *(f"    {line}" for line in lines)]


def _shown(table: Table, metric: str) -> str:
    value = table.share(metric)
    return "undefined" if value is None else show(value)
