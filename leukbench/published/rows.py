"""One printed row: is it true of some confusion matrix, and if not, what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil, floor

from leukbench.published.averages import decide
from leukbench.published.binary import Table
from leukbench.published.cone import bounds, extreme_rays
from leukbench.published.macro import contradictions, weighted_possible
from leukbench.published.multiclass import Matrix
from leukbench.published.readings import (
    ENOUGH,
    Hypothesis,
    constraints,
    f1_of_printed_cells,
    hypotheses,
    mixed_units,
    search,
    solo_bits,
    unit_readings,
)
from leukbench.published.rounding import Cell, Interval, units_of
from leukbench.published.tables import METRICS, PublishedRow

CONSISTENT, OPEN, IMPOSSIBLE = "consistent", "open", "impossible"
#: The kind of a row that is not binary, and may be an average over classes.
UNSETTLED = "not binary"
UNDECIDED = "not decided: no contradiction, but no confusion matrix that prints it was found either"
#: Boxes searched to see whether a row without one of its cells could be true.
SHORT = 10


@dataclass(frozen=True)
class RowVerdict:
    """What came out for one row.

    Attributes
    ----------
    row : PublishedRow
    kind : str
        As what it was judged: binary, macro, or "not binary" (auto, where only an average can be).
    status : {"consistent", "open", "impossible"}
        "consistent": a matrix that prints it is attached. "impossible": it is proven that there is
        none. "open": neither, within the budget of the search.
    cells : dict of str to Cell
    reading : Hypothesis or None
        For a binary row: the reading that fits, or the likeliest explanation of an impossible one.
    hints : tuple of str
        One sentence each: broken bounds, cells that cannot be, units.
    ranges : dict of str to Interval
        For a binary row, what its cells leave of the metrics that it does not print.
    matrix : Matrix or None
        For a consistent macro-averaged row, a confusion matrix that prints it; rows are true classes.
    """

    row: PublishedRow
    kind: str
    status: str
    cells: dict[str, Cell]
    reading: Hypothesis | None = None
    hints: tuple[str, ...] = ()
    ranges: dict[str, Interval] = field(default_factory=dict)
    matrix: Matrix | None = None

    @property
    def table(self) -> Table | None:
        """The smallest binary table under `reading`."""
        return self.reading.fits.smallest if self.reading else None


def judge_row(
    row: PublishedRow, kind: str | None = None, classes: int | None = None, limit: int = 1000
) -> RowVerdict:
    """Judge one row of shares.

    Parameters
    ----------
    row : PublishedRow
    kind : {"auto", "binary", "macro"}, optional
        Overrides the row's own kind. "auto" tries binary, then asks whether an average over classes
        could print the row: it is "impossible" only if neither could.
    classes : int, optional
        Number of classes of a macro-averaged row, where its supports are not printed.
    limit : int, default 1000
        Largest binary test set to search, in images, where the row does not state its size; a test
        set for a macro-averaged row is looked for up to there first.

    Returns
    -------
    RowVerdict
    """
    kind = kind or row.kind
    if kind == "auto" and len(row.supports) > 2:
        kind = "macro"
    hopeless = [m for m, text in row.cells.items() if not units_of(text)]
    if hopeless:
        said = tuple(
            f"{m} {row.cells[m]} is no share: it is negative or above 100" for m in hopeless
        )
        return RowVerdict(row, kind, IMPOSSIBLE, {}, hints=said)
    choices = list(unit_readings(row))
    verdicts = []
    for cells in choices:
        judge = _judge_macro if kind == "macro" else _judge_binary
        verdict = judge(row, cells, classes, limit)
        if verdict.status == CONSISTENT:
            return verdict
        verdicts.append(verdict)
    best = next((v for v in verdicts if v.status == OPEN), None)
    if best is not None:
        return best
    if kind == "auto":
        for cells in choices:
            intervals = {m: c.interval() for m, c in cells.items()}
            if not _broken(cells, intervals, classes) or weighted_possible(intervals):
                hint = "no binary confusion matrix prints it; an average over classes may: state its kind"
                return RowVerdict(row, UNSETTLED, OPEN, cells, hints=(hint, *mixed_units(cells)))
    if kind == "macro":
        return verdicts[0]
    return _explain(verdicts[0], limit)


def _judge_binary(
    row: PublishedRow, cells: dict[str, Cell], classes: int | None, limit: int
) -> RowVerdict:
    status, ranges = IMPOSSIBLE, {}
    for of_printed in (False, True) if f1_of_printed_cells(cells) else (False,):
        given = constraints(cells, False, of_printed)
        rays = extreme_rays(given)
        if not rays:
            continue
        fits = search(row, given, limit)
        if fits.count:
            reading = Hypothesis(False, "", None, of_printed, fits)
            return RowVerdict(row, "binary", CONSISTENT, cells, reading, mixed_units(cells))
        if not (row.supports and fits.complete):
            status = OPEN
            found = {m: bounds(rays, m) for m in METRICS if m not in cells}
            ranges = {m: v for m, v in found.items() if v is not None}
    hints: tuple[str, ...] = mixed_units(cells)
    if status == OPEN:
        hints = (
            f"no contradiction, but no confusion matrix of up to {limit} images prints it",
            *hints,
        )
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
        hints = [_no_matrix(row)]
    for metric in cells if len(cells) >= ENOUGH else ():
        rest = {m: c for m, c in cells.items() if m != metric}
        if not _macro_faults(row, rest, classes) and not _ruled_out(row, rest):
            hints.append(f"without {metric} {cells[metric].text} nothing contradicts it")
    return RowVerdict(row, "macro", IMPOSSIBLE, cells, None, (*hints, *units))


def _macro_faults(row: PublishedRow, cells: dict[str, Cell], classes: int | None) -> list[str]:
    supports = row.supports if len(row.supports) > 1 else ()
    intervals = {m: c.interval() for m, c in cells.items()}
    faults = _broken(cells, intervals, len(supports) or classes)
    if row.supports and "accuracy" in cells:
        n, (low, high) = sum(row.supports), intervals["accuracy"]
        if ceil(low * n) > floor(high * n):
            faults.append(f"accuracy {cells['accuracy'].text} is no count out of {n} images")
    return faults


def _ruled_out(row: PublishedRow, cells: dict[str, Cell]) -> bool:
    """Whether a short search proves that known supports do not print the cells."""
    return len(row.supports) > 1 and decide(cells, row.supports, boxes=SHORT).impossible


def _no_matrix(row: PublishedRow) -> str:
    images = "/".join(map(str, row.supports))
    return f"no confusion matrix with {images} images a class prints it"


def reject(verdict: RowVerdict, limit: int) -> RowVerdict:
    """Call a row of unsettled kind impossible, its table being one of binary rows."""
    hint = "no binary confusion matrix prints it, and the table's rows are binary"
    return _explain(replace(verdict, hints=(hint, *mixed_units(verdict.cells))), limit)


def binary_without(cells: dict[str, Cell], metric: str) -> bool:
    """Whether all cells but one are those of some binary table, of any size."""
    kept = {m: c for m, c in cells.items() if m != metric}
    return bool(extreme_rays(constraints(kept, False, f1_of_printed_cells(kept))))


def _explain(verdict: RowVerdict, limit: int) -> RowVerdict:
    """Attach the likeliest reading to an impossible binary row."""
    found = list(hypotheses(verdict.row, verdict.cells, limit))
    best = min(found, key=solo_bits, default=None)
    return replace(verdict, kind="binary", status=IMPOSSIBLE, reading=best)


def _broken(cells: dict[str, Cell], intervals: dict[str, Interval], k: int | None) -> list[str]:
    used = dict(intervals)
    if f1_of_printed_cells(cells):
        del used["f1"]
    return contradictions(used, k)
