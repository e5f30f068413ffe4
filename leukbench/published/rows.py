"""Judges one printed row: is it true of some confusion matrix, and if not, what is wrong with it.

A row whose kind is not stated may be binary or an average over classes. The rows of its table tell
(`settle_kinds`): the two identities of a binary row hold by chance in few macro averages. Each row
multiplies an e-value (Vovk and Wang 2021, doi:10.1214/20-AOS2020) by a factor whose mean is at most
1 if the row is a macro average; a product of `THRESHOLD` therefore occurs in at most one in
`THRESHOLD` tables of macro averages (Markov's inequality).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil, floor, prod

from leukbench.published.binary import Table, bounds, extreme_rays
from leukbench.published.binary_readings import (
    ENOUGH,
    Reading,
    constraints,
    explanations,
    f1_choices,
    f1_of_printed_cells,
    mixed_units,
    tables_of,
    unit_readings,
)
from leukbench.published.macro_bounds import contradictions, weighted_possible
from leukbench.published.macro_decision import decide
from leukbench.published.report_search import Matrix
from leukbench.published.rounding import Cell, Interval, no_share
from leukbench.published.tables import METRICS, PublishedRow

CONSISTENT, OPEN, IMPOSSIBLE = "consistent", "open", "impossible"
#: The kind of a row that is not binary, and may be an average over classes.
UNSETTLED = "not binary"
UNDECIDED = "not decided: no contradiction, but no confusion matrix that prints it was found either"
#: Boxes searched to see whether a row without one of its cells could be true.
SHORT = 10
THRESHOLD = 1000.0
#: step of the coarsest cell -> factor of a row that is binary, that is binary but for precision,
#: recall or F1, that is so but for accuracy or specificity, and of any other row. They follow how
#: often random macro tables of 3 to 6 classes pass as binary: about 1 % as a whole, under 1 % but for
#: precision, recall or F1. That F1 fits precision and recall says nothing (it nearly always does
#: where a macro-averaged model is good), and neither do rows printed coarser than a thousandth.
FACTORS = {
    Fraction(1, 10_000): (30.0, 40.0, 0.5, 0.05),
    Fraction(1, 1_000): (20.0, 20.0, 0.5, 0.05),
}
LEFT_OUT = (("precision", "recall", "f1"), ("accuracy", "specificity"))


@dataclass(frozen=True)
class RowVerdict:
    """The verdict on one row.

    Attributes
    ----------
    kind : str
        As what it was judged: binary, macro, or "not binary" (auto, where only an average can be).
    status : {"consistent", "open", "impossible"}
        "consistent": a matrix that prints it is attached. "impossible": it is proven that there is
        none. "open": neither, within the budget of the search.
    reading : Reading or None
        For a binary row: the reading that fits, or the likeliest explanation of an impossible one.
    hints : tuple of str
        One sentence each: broken bounds, cells that cannot be, units.
    ranges : dict of str to Interval
        For a binary row, what its cells leave of the metrics that it does not print.
    matrix : Matrix or None
        For a consistent macro-averaged row, a matrix that prints it; rows are true classes.
    """

    row: PublishedRow
    kind: str
    status: str
    cells: dict[str, Cell]
    reading: Reading | None = None
    hints: tuple[str, ...] = ()
    ranges: dict[str, Interval] = field(default_factory=dict)
    matrix: Matrix | None = None

    @property
    def table(self) -> Table | None:
        """The smallest binary table under `reading`."""
        return self.reading.fits.smallest if self.reading else None


def judge_row(row: PublishedRow, classes: int | None = None, limit: int = 1000) -> RowVerdict:
    """Judge one row of shares.

    A row of kind "auto" is tried as binary; then it is asked whether an average over classes could
    print it: the row is "impossible" only if neither could. `classes` is the number of classes of a
    macro-averaged row without supports; `limit` the largest binary test set to search, in images,
    where the row does not state its size (a test set for a macro-averaged row is looked for up to
    there first).
    """
    kind = "macro" if row.kind == "auto" and len(row.supports) > 2 else row.kind
    faults = tuple(fault for m, text in row.cells.items() if (fault := no_share(m, text)))
    if faults:
        return RowVerdict(row, kind, IMPOSSIBLE, {}, hints=faults)
    verdicts = []
    for cells in unit_readings(row):
        if kind == "macro":
            verdicts.append(_judge_macro(row, cells, classes, limit))
        else:
            verdicts.append(_judge_binary(row, cells, limit))
        if verdicts[-1].status == CONSISTENT:
            return verdicts[-1]
    for verdict in verdicts:
        if verdict.status == OPEN:
            return verdict
    for cells in unit_readings(row) if kind == "auto" else ():
        intervals = {m: c.interval() for m, c in cells.items()}
        if not _broken_bounds(cells, classes) or weighted_possible(intervals):
            hint = (
                "no binary confusion matrix prints it; an average over classes may: state its kind"
            )
            return RowVerdict(row, UNSETTLED, OPEN, cells, hints=(hint, *mixed_units(cells)))
    return verdicts[0] if kind == "macro" else _explain(verdicts[0], limit)


def settle_kinds(verdicts: Sequence[RowVerdict], limit: int) -> list[RowVerdict]:
    """Call the rows that no binary matrix prints impossible if their table shows that it is binary.

    Rows of a stated kind are left alone and give no evidence.
    """
    if not any(v.kind == UNSETTLED for v in verdicts):
        return list(verdicts)
    if prod(_evidence(v) for v in verdicts if v.row.kind == "auto") < THRESHOLD:
        return list(verdicts)
    hint = "no binary confusion matrix prints it, and the table's rows are binary"
    return [
        _explain(replace(v, hints=(hint, *mixed_units(v.cells))), limit)
        if v.kind == UNSETTLED
        else v
        for v in verdicts
    ]


def _judge_binary(row: PublishedRow, cells: dict[str, Cell], limit: int) -> RowVerdict:
    status, ranges = IMPOSSIBLE, {}
    for of_printed in f1_choices(cells):
        given = constraints(cells, False, of_printed)
        rays = extreme_rays(given)
        if not rays:
            continue
        fits = tables_of(row, given, limit)
        if fits.count:
            reading = Reading(False, "", None, of_printed, fits)
            return RowVerdict(row, "binary", CONSISTENT, cells, reading, mixed_units(cells))
        if not (row.supports and fits.complete):
            status = OPEN
            limits = {m: bounds(rays, m) for m in METRICS if m not in cells}
            ranges = {m: v for m, v in limits.items() if v is not None}
    hints: tuple[str, ...] = mixed_units(cells)
    if status == OPEN:
        no_table = f"no contradiction, but no confusion matrix of up to {limit} images prints it"
        hints = (no_table, *hints)
    elif row.supports:
        hints = (f"no confusion matrix of {sum(row.supports)} images prints it", *hints)
    return RowVerdict(row, "binary", status, cells, None, hints, ranges)


def _judge_macro(
    row: PublishedRow, cells: dict[str, Cell], classes: int | None, limit: int
) -> RowVerdict:
    units = mixed_units(cells)
    hints = _macro_faults(row, cells, classes)
    if not hints:
        outcome = decide(cells, row.supports, classes, limit)
        if outcome.matrix is not None:
            return RowVerdict(row, "macro", CONSISTENT, cells, None, units, matrix=outcome.matrix)
        if not outcome.impossible:
            return RowVerdict(row, "macro", OPEN, cells, None, (UNDECIDED, *units))
        images = "/".join(map(str, row.supports))
        hints = [f"no confusion matrix with {images} images a class prints it"]
    for metric in cells if len(cells) >= ENOUGH else ():
        rest = {m: c for m, c in cells.items() if m != metric}
        if _macro_faults(row, rest, classes):
            continue
        if len(row.supports) < 2 or not decide(rest, row.supports, boxes=SHORT).impossible:
            hints.append(f"without {metric} {cells[metric].text} nothing contradicts it")
    return RowVerdict(row, "macro", IMPOSSIBLE, cells, None, (*hints, *units))


def _macro_faults(row: PublishedRow, cells: dict[str, Cell], classes: int | None) -> list[str]:
    faults = _broken_bounds(cells, len(row.supports) if len(row.supports) > 1 else classes)
    if row.supports and "accuracy" in cells:
        n, (low, high) = sum(row.supports), cells["accuracy"].interval()
        if ceil(low * n) > floor(high * n):
            faults.append(f"accuracy {cells['accuracy'].text} is no count out of {n} images")
    return faults


def _broken_bounds(cells: dict[str, Cell], classes: int | None) -> list[str]:
    skip = "f1" if f1_of_printed_cells(cells) else ""
    return contradictions({m: c.interval() for m, c in cells.items() if m != skip}, classes)


def _explain(verdict: RowVerdict, limit: int) -> RowVerdict:
    """Attach the likeliest reading to an impossible binary row."""
    readings = explanations(verdict.row, verdict.cells, limit)
    best = min(readings, key=lambda reading: reading.bits_alone, default=None)
    return replace(verdict, kind="binary", status=IMPOSSIBLE, reading=best)


def _evidence(verdict: RowVerdict) -> float:
    """The factor by which one row of unstated kind supports that its table is binary."""
    cells = verdict.cells
    if len(cells) < len(METRICS) or verdict.status == IMPOSSIBLE:
        return 1.0
    coarsest = max(cell.step for cell in cells.values())
    factors = next((f for step, f in sorted(FACTORS.items()) if coarsest <= step), (1.0,) * 4)
    if verdict.kind == "binary":
        return factors[0]
    for factor, metrics in zip(factors[1:3], LEFT_OUT, strict=True):
        for metric in metrics:
            kept = {m: c for m, c in cells.items() if m != metric}
            if extreme_rays(constraints(kept, False, f1_of_printed_cells(kept))):
                return factor
    return factors[3]
