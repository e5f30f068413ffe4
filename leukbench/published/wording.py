"""Verdicts as plain text, for a reader who checks them by hand."""

from __future__ import annotations

from leukbench.published.binary import Table
from leukbench.published.binary_readings import Reading
from leukbench.published.report_search import CLASS_METRICS
from leukbench.published.reports import ReportVerdict
from leukbench.published.rounding import show, show_range
from leukbench.published.rows import CONSISTENT, IMPOSSIBLE, OPEN, RowVerdict
from leukbench.published.tables import METRICS
from leukbench.score.intervals import wilson

STATUS = {CONSISTENT: "consistent", OPEN: "not decided", IMPOSSIBLE: "CANNOT BE TRUE"}
HOW = {"rounded": "all numbers rounded", "cut": "all cut off", "either": "each either"}
NAMES = {"npv": "negative predictive value", "f1": "F1"}


def row_lines(verdict: RowVerdict) -> list[str]:
    """One row: its verdict, then the reasons, indented."""
    row = verdict.row
    printed = ", ".join(f"{m} {t}" for m, t in (row.cells | row.extras).items()).replace("_", " ")
    lines = [f"printed: {printed}", *verdict.hints]
    reading, table = verdict.reading, verdict.table
    if reading is not None and table is not None:
        lines += _reading_lines(verdict, reading, table)
    elif verdict.status == IMPOSSIBLE and verdict.kind == "binary":
        lines.append("no reading with one misprinted cell explains it")
    if verdict.matrix is not None:
        images = "/".join(str(sum(line)) for line in verdict.matrix)
        lines += [
            f"one matrix that prints it, {images} images a class (rows true, columns predicted):",
            f"{[list(line) for line in verdict.matrix]}",
        ]
    for metric, (low, high) in verdict.ranges.items():
        limits = show_range([low, high])
        lines.append(f"{metric}, not printed, lies in {limits} % over test sets of every size")
    head = f"{verdict.row.name} ({verdict.kind}): {STATUS[verdict.status]}"
    return [head, *(f"    {line}" for line in lines)]


def _reading_lines(verdict: RowVerdict, reading: Reading, table: Table) -> list[str]:
    lines = []
    if verdict.status != CONSISTENT and (reading.npv or reading.misprint is not None):
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
        more = "" if fits.complete else " or more"
        if style == "printed":
            lines.append("the confusion matrix itself is printed")
        elif fits.margins and not fits.matrices:
            lines.append(
                f"counts of right and predicted images that print it, {HOW[style]}: {fits.margins}{more}"
            )
        else:
            lines.append(
                f"confusion matrices that print it, {HOW[style]}: {len(fits.matrices)}{more}"
            )
    for matrix in verdict.matrices[:3]:
        lines.append(f"{[list(row) for row in matrix]} (rows true, columns predicted)")
    if verdict.style:
        lines += _range_lines(verdict)
    if verdict.table.unread:
        lines.append(f"columns that are not checked: {', '.join(verdict.table.unread)}")
    head = f"{verdict.table.title}: {STATUS[verdict.status]}"
    return [head, *(f"    {line}" for line in lines)]


def _range_lines(verdict: ReportVerdict) -> list[str]:
    """Ranges of the shares over all matrices, under the style that fits and rounded or cut off."""
    chosen, wide = verdict.fits[verdict.style], list(verdict.fits.values())[-1]
    n = sum(verdict.table.supports)
    lines = []
    for name in ("accuracy", *(f"macro {m}" for m in CLASS_METRICS), "kappa", "mcc"):
        if name not in chosen.ranges:
            continue
        scale, unit = (1, "") if name in ("kappa", "mcc") else (100, " %")
        low, high = (f"{scale * x:.{2 if unit else 4}f}" for x in chosen.ranges[name])
        line = f"{name}: {low if low == high else f'{low} to {high}'}{unit}"
        also = tuple(f"{scale * x:.{2 if unit else 4}f}" for x in wide.ranges[name])
        if also != (low, high):
            line += f" (rounded or cut off: {' to '.join(also)}{unit})"
        if name == "accuracy":
            ends = [wilson(round(x * n), n) for x in wide.ranges[name]]
            line += f" (Wilson 95 %: {100 * ends[0][0]:.1f} to {100 * ends[1][1]:.1f})"
        lines.append(line)
    if not (chosen.ranges_complete and wide.ranges_complete):
        lines.append(
            f"these ranges are partial: the search stopped after {wide.margins} sets of counts"
        )
    return lines


def _shown(table: Table, metric: str) -> str:
    value = table.share(metric)
    return "undefined" if value is None else show(value)
