"""Verdicts as plain text, for a reader who checks them by hand."""

from __future__ import annotations

from fractions import Fraction

from leukbench.published.binary import Table
from leukbench.published.readings import Hypothesis
from leukbench.published.reports import ReportVerdict, derived
from leukbench.published.rounding import show
from leukbench.published.rows import CONSISTENT, OPEN, RowVerdict
from leukbench.published.tables import METRICS

STATUS = {CONSISTENT: "consistent", OPEN: "not decided", "impossible": "CANNOT BE TRUE"}
NAMES = {"npv": "negative predictive value", "f1": "F1"}


def wilson(k: int, n: int) -> tuple[float, float]:
    """Wilson score interval of k out of n, 95 %, both ends within 0..1.

    Wilson EB (1927), "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22:209-212, as in statsmodels.

    Examples
    --------
    >>> low, high = wilson(61, 63)
    >>> f"{low:.3f} {high:.3f}"
    '0.891 0.991'
    """
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(k, n, alpha=0.05, method="wilson")
    return float(low), float(high)


def row_lines(verdict: RowVerdict) -> list[str]:
    """One row: its verdict, then what was found, indented."""
    printed = ", ".join(f"{m} {t}" for m, t in verdict.row.cells.items())
    lines = [
        f"{verdict.row.name} ({verdict.kind}): {STATUS[verdict.status]}",
        f"    printed: {printed}",
    ]
    lines += [f"    {hint}" for hint in verdict.hints]
    reading, table = verdict.reading, verdict.table
    if reading is not None and table is not None:
        if verdict.status != CONSISTENT:
            lines.append(f"    probably: {explanation(verdict, reading)}")
        fits = reading.fits
        noun = "table fits" if fits.count == 1 else "tables fit"
        lines.append(
            f"    {fits.count} {noun} up to {fits.limit} images; smallest TP/FP/FN/TN {table}: "
            f"{table.n} images, {table.positives} positive, {table.negatives} negative"
        )
        lines.append(f"    true values there: {true_values(table)}")
        if reading.f1_of_printed and "f1" in verdict.cells:
            lines.append(f"    {of_printed(verdict, table)}")
        if cut := cut_off(verdict, reading, table):
            lines.append(f"    cut off, not rounded: {', '.join(cut)}")
    elif verdict.status != CONSISTENT and verdict.kind == "binary":
        lines.append("    no reading with one misprinted cell explains it")
    if verdict.matrix is not None:
        images = "/".join(str(sum(line)) for line in verdict.matrix)
        lines.append(
            f"    one matrix that prints it, {images} images a class (rows true, columns predicted):"
        )
        lines.append(f"    {[list(line) for line in verdict.matrix]}")
    for metric, (low, high) in verdict.ranges.items():
        lines.append(f"    {metric}, not printed, lies in {show(low)} to {show(high)} %")
    return lines


def explanation(verdict: RowVerdict, reading: Hypothesis, table: Table | None = None) -> str:
    """Say what the impossible cells probably are, with the values they should have."""
    table = table or reading.fits.smallest
    parts = []
    if reading.npv and table is not None:
        cell = verdict.cells["specificity"]
        parts.append(
            f"the specificity {cell.text} is the negative predictive value; "
            f"the specificity would be {_shown(table, 'specificity')}"
        )
    if reading.misprint is not None and table is not None:
        would = _shown(table, reading.dropped)
        parts.append(
            f"{reading.dropped} {reading.misprint.text} is misprinted: it would be {would}"
        )
    if table is not None and (left := [m for m in METRICS if m not in verdict.cells]):
        shown = ", ".join(f"{m} {_shown(table, m)}" for m in left)
        parts.append(f"not printed: {shown}")
    return "; ".join(parts) or "every cell as printed"


def of_printed(verdict: RowVerdict, table: Table) -> str:
    """Say that F1 was computed from rounded numbers, and what the counts give."""
    text = verdict.cells["f1"].text
    return f"F1 {text} is that of the printed precision and recall; the counts give {_shown(table, 'f1')}"


def cut_off(verdict: RowVerdict, reading: Hypothesis, table: Table) -> list[str]:
    """The cells whose last digit was cut off rather than rounded."""
    out = []
    for metric, cell in verdict.cells.items():
        if metric == reading.dropped or (metric == "f1" and reading.f1_of_printed):
            continue
        value = table.share("npv" if reading.npv and metric == "specificity" else metric)
        if value is not None and cell.style_of(value) == "cut":
            out.append(f"{metric} {cell.text} ({cell.show(value)})")
    return out


def true_values(table: Table) -> str:
    """All shares of a table, in percent, with the accuracy's Wilson interval."""
    low, high = wilson(table.tp + table.tn, table.n)
    shown = [f"{NAMES.get(m, m)} {_shown(table, m)}" for m in (*METRICS, "npv")]
    shown[0] += f" (Wilson 95 %: {100 * low:.1f} to {100 * high:.1f})"
    return ", ".join(shown)


def report_lines(verdict: ReportVerdict) -> list[str]:
    """One classification report: its verdict, the matrices, and what they say beyond it."""
    lines = [f"{verdict.table.title}: {STATUS[verdict.status]}"]
    lines += [f"    {hint}" for hint in verdict.hints]
    for style, found in (verdict.found or {}).items():
        how = {"rounded": "all numbers rounded", "cut": "all cut off"}.get(style, "each either")
        more = "" if found.complete else " or more"
        lines.append(f"    confusion matrices that print it, {how}: {len(found.matrices)}{more}")
    names = tuple(c.name for c in verdict.table.classes)
    for matrix in verdict.matrices[:3]:
        lines.append(f"    {[list(row) for row in matrix]} (rows true, columns predicted)")
    if verdict.matrices:
        values = [derived(m, names) for m in verdict.matrices]
        for name in ("accuracy", "macro recall", "macro specificity"):
            lines.append(f"    {name}: {_range([v[name] for v in values])} %")
    return lines


def _range(values: list[Fraction]) -> str:
    low, high = show(min(values)), show(max(values))
    return low if low == high else f"{low} to {high}"


def _shown(table: Table, metric: str) -> str:
    value = table.share(metric)
    return "undefined" if value is None else show(value)
