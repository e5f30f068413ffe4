"""Judges one printed row: is it true of some confusion matrix, and if not, what is wrong with it.

"Impossible" is said only under the reading that the row names (binary, a macro, weighted or micro
average, a mean over runs), or where all readings share the contradiction. A mean over folds, seeds
or datasets can be nearly anything: of its readings only what is linear or concave is left.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil, floor

from leukbench.published.agreement import bounded, disagreements
from leukbench.published.binary import Table, bounds, extreme_rays
from leukbench.published.binary_extras import outside, printed_range, with_extras
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
from leukbench.published.macro_bounds import contradictions
from leukbench.published.macro_decision import decide
from leukbench.published.report_search import Matrix
from leukbench.published.rounding import ONE, WHOLE, Cell, Interval, no_share
from leukbench.published.tables import METRICS, PublishedRow

CONSISTENT, OPEN, IMPOSSIBLE = "consistent", "open", "impossible"
#: The kind of a row that is not binary, and may be an average over classes or a mean over runs.
UNSETTLED = "not binary"
UNDECIDED = "not decided: no contradiction, but no confusion matrix that prints it was found either"
#: Boxes searched to see whether a row without one of its cells could be true.
SHORT = 10


@dataclass(frozen=True)
class RowVerdict:
    """The verdict on one row.

    Attributes
    ----------
    kind : str
        As what it was judged: binary, macro, weighted, micro, mean, or "not binary" (not stated).
    status : {"consistent", "open", "impossible"}
        "consistent": a matrix that prints it is attached. "impossible": it is proven that there is
        none. "open": neither, within the budget of the search.
    reading : Reading or None
        For a binary row: the reading that fits, or the likeliest explanation of an impossible one.
    hints : tuple of str
        One sentence each: broken bounds, cells that cannot be, units.
    ranges : dict of str to Interval
        For a binary row, what its cells leave of the metrics that it does not print, over matrices
        of every size.
    matrix : Matrix or None
        For a consistent row of averages, a matrix that prints it; rows are true classes.
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

    A row that does not state its kind is tried as binary, or as each average over the classes whose
    supports it states. `classes` is the number of classes of a macro-averaged row without supports;
    `limit` the largest binary test set to search, in images, where the row does not state its size
    (a test set for a row of averages is looked for up to there first).
    """
    faults = tuple(fault for m, text in row.cells.items() if (fault := no_share(m, text)))
    if faults:
        return RowVerdict(row, row.kind, IMPOSSIBLE, {}, hints=faults)
    stated = row.kind not in ("auto", "mean")
    kinds = [row.kind] if stated else ["binary"] * (len(row.supports) < 3)
    kinds += ["macro", "weighted", "micro"] * (not stated and len(row.supports) > 1)
    verdicts = []
    for kind in kinds:
        for cells in unit_readings(row):
            verdicts.append(_judge(kind, row, cells, classes, limit))
            if verdicts[-1].status == CONSISTENT:
                return _not_checked(verdicts[-1], kind)
    if row.mean or not stated:
        return _not_checked(_judge_mean(row, verdicts), "mean")
    left = next((v for v in verdicts if v.status == OPEN), verdicts[0])
    if left.kind == "binary" and left.status == IMPOSSIBLE:
        return _explain(left, limit)
    return _not_checked(left, left.kind)


def _judge(
    kind: str, row: PublishedRow, cells: dict[str, Cell], classes: int | None, limit: int
) -> RowVerdict:
    if kind == "binary":
        return _judge_binary(row, cells, limit)
    if kind == "micro":
        return _judge_micro(row, cells, classes)
    return _judge_average(kind, row, cells, classes, limit)


def _judge_mean(row: PublishedRow, verdicts: list[RowVerdict]) -> RowVerdict:
    """Judge a row that is a mean over runs, or may be one: what contradicts every reading of it."""
    kind = row.kind if row.kind != "auto" or not row.mean else "mean"
    faults = []
    for cells in unit_readings(row):
        faults.append(_broken_bounds(cells, None, kind))
        if faults[-1]:
            continue
        excluded = [v for v in verdicts if v.cells == cells and v.status == IMPOSSIBLE]
        left = next((v for v in verdicts if v.cells == cells and v.status == OPEN), None)
        if left is not None and not row.mean:
            return left
        names = " or ".join(dict.fromkeys(v.kind for v in excluded))
        reasons = [hint for v in excluded for hint in v.hints]
        hints = [f"on one test set, as {names}, it would be impossible"] if excluded else []
        if not row.mean:
            hints = [
                "no binary confusion matrix prints it; an average over classes or a mean over runs "
                "may: state its kind"
                if names == "binary"
                else f"as a {names} average it would be impossible; a mean over runs may print it"
            ]
        kind = kind if row.mean or row.kind != "auto" else UNSETTLED
        return RowVerdict(row, kind, OPEN, cells, hints=(*hints, *dict.fromkeys(reasons)))
    return RowVerdict(row, kind, IMPOSSIBLE, verdicts[0].cells, hints=tuple(faults[0]))


def _judge_binary(row: PublishedRow, cells: dict[str, Cell], limit: int) -> RowVerdict:
    status, ranges, faults = IMPOSSIBLE, {}, []
    extras = {} if row.mean else row.extras
    for of_printed in f1_choices(cells):
        given = constraints(cells, False, of_printed)
        rays = extreme_rays(given)
        if not rays:
            continue
        faults = outside(rays, extras)
        if faults:
            continue
        fits = tables_of(row, given, limit)
        fits = with_extras(fits, extras) if extras else fits
        limits = {m: bounds(rays, m) for m in METRICS if m not in cells}
        ranges = {m: v for m, v in limits.items() if v is not None}
        if fits.count:
            reading = Reading(False, "", None, of_printed, fits)
            units = mixed_units(cells)
            return RowVerdict(row, "binary", CONSISTENT, cells, reading, units, ranges)
        if not (row.supports and fits.complete):
            status = OPEN
    hints = (*faults, *mixed_units(cells))
    if status == OPEN:
        no_table = f"no contradiction, but no confusion matrix of up to {limit} images prints it"
        hints = (no_table, *hints)
    elif row.supports:
        hints = (f"no confusion matrix of {sum(row.supports)} images prints it", *hints)
    return RowVerdict(row, "binary", status, cells, None, hints, ranges)


def _judge_micro(row: PublishedRow, cells: dict[str, Cell], classes: int | None) -> RowVerdict:
    """Counts pooled over the classes: of one class an image, the accuracy is all there is to them."""
    given = {m: c.interval() for m, c in cells.items()}
    k = len(row.supports) if len(row.supports) > 1 else classes
    n, units = sum(row.supports), mixed_units(cells)
    same = [given[m] for m in ("precision", "recall", "f1") if m in given]
    low, high = max(e[0] for e in [*same, WHOLE]), min(e[1] for e in [*same, WHOLE])
    right = range(ceil(low * n), floor(high * n) + 1) if n else range(0)
    fitting = [t for t in right if _micro_fits(Fraction(t, n), given, k)]
    several = len(row.supports) > 1 and not row.mean
    odd = disagreements(row.extras, fitting, row.supports) if several else []
    if odd:
        return RowVerdict(row, "micro", IMPOSSIBLE, cells, hints=(*odd, *units))
    if fitting:
        hint = f"{fitting[0]} of {n} images right print it"
        return RowVerdict(row, "micro", CONSISTENT, cells, hints=(hint, *units))
    if n:
        hint = f"no number of {n} images right prints it; micro averages of one class an image are equal"
        return RowVerdict(row, "micro", IMPOSSIBLE, cells, hints=(hint, *units))
    pooled = {m: v for m, v in given.items() if m not in ("accuracy", "npv")}
    if not extreme_rays(pooled):
        hint = "no counts pooled over the classes print precision, recall, F1 and specificity"
        return RowVerdict(row, "micro", IMPOSSIBLE, cells, hints=(hint, *units))
    return RowVerdict(row, "micro", OPEN, cells, hints=(UNDECIDED, *units))


def _micro_fits(right: Fraction, given: dict[str, Interval], k: int | None) -> bool:
    """Whether a share of right images prints the specificity, and the accuracy, pooled or not."""
    accuracies, specificities = [right], [right]
    if k:
        specificities = [ONE - (ONE - right) / (k - 1)]
        accuracies.append(ONE - 2 * (ONE - right) / k)
    return all(
        any(low <= v <= high for v in values)
        for metric, values in (("accuracy", accuracies), ("specificity", specificities))
        for low, high in [given.get(metric, WHOLE)]
    )


def _judge_average(
    kind: str, row: PublishedRow, cells: dict[str, Cell], classes: int | None, limit: int
) -> RowVerdict:
    units, weighted = mixed_units(cells), kind == "weighted"
    hints = _average_faults(kind, row, cells, classes)
    if not hints:
        if len(row.supports) > 1 and not min(row.supports):
            return RowVerdict(row, kind, OPEN, cells, None, (UNDECIDED, *units))
        outcome = decide(cells, row.supports, classes, limit, weighted=weighted)
        if outcome.matrix is not None:
            return RowVerdict(row, kind, CONSISTENT, cells, None, units, matrix=outcome.matrix)
        if not outcome.impossible:
            return RowVerdict(row, kind, OPEN, cells, None, (UNDECIDED, *units))
        images = "/".join(map(str, row.supports))
        hints = [f"no confusion matrix with {images} images a class prints it"]
    for metric in cells if len(cells) >= ENOUGH else ():
        rest = {m: c for m, c in cells.items() if m != metric}
        if _average_faults(kind, row, rest, classes):
            continue
        short = len(row.supports) < 2 or not min(row.supports)
        if short or not decide(rest, row.supports, boxes=SHORT, weighted=weighted).impossible:
            hints.append(f"without {metric} {cells[metric].text} nothing contradicts it")
    return RowVerdict(row, kind, IMPOSSIBLE, cells, None, (*hints, *units))


def _average_faults(
    kind: str, row: PublishedRow, cells: dict[str, Cell], classes: int | None
) -> list[str]:
    several = len(row.supports) > 1
    classes = (len(row.supports) if several else classes) if kind == "macro" else None
    faults = _broken_bounds(cells, classes, kind)
    if row.supports and "accuracy" in cells:
        n, (low, high) = sum(row.supports), cells["accuracy"].interval()
        counts = range(ceil(low * n), floor(high * n) + 1)
        if not counts:
            faults.append(f"accuracy {cells['accuracy'].text} is no count out of {n} images")
        elif several and not row.mean:
            faults += disagreements(row.extras, counts, row.supports)
    balanced = printed_range("balanced_accuracy", row.extras.get("balanced_accuracy", ""))
    if kind == "macro" and balanced and "recall" in cells and not row.mean:
        low, high = cells["recall"].interval()
        if balanced[1] < low or high < balanced[0]:
            faults.append("balanced accuracy is the macro recall")
    return faults


def _broken_bounds(cells: dict[str, Cell], classes: int | None, kind: str) -> list[str]:
    skip = "f1" if f1_of_printed_cells(cells) else ""
    return contradictions({m: c.interval() for m, c in cells.items() if m != skip}, classes, kind)


def _not_checked(verdict: RowVerdict, kind: str) -> RowVerdict:
    """Name the cells that the verdict's reading does not check."""
    row = verdict.row
    checked = {"binary": (*row.extras, "npv"), "macro": ("balanced_accuracy",)}.get(kind, ())
    cells = [*row.extras, *(m for m in row.cells if m not in METRICS)]
    left = [m for m in cells if m not in checked or row.mean]
    if verdict.status == IMPOSSIBLE:
        return verdict
    whole = kind in ("macro", "weighted", "micro") and len(row.supports) > 1 and not row.mean
    ends = bounded(left, row.supports) if whole and "accuracy" in row.cells else []
    lists = {
        "not checked": [m for m in left if m not in ends],
        "checked against the bounds that accuracy and supports leave": ends,
    }
    hints = [f"{how}: {', '.join(m).replace('_', ' ')}" for how, m in lists.items() if m]
    return replace(verdict, hints=(*verdict.hints, *hints))


def _explain(verdict: RowVerdict, limit: int) -> RowVerdict:
    """Attach the likeliest reading to an impossible binary row."""
    readings = explanations(verdict.row, verdict.cells, limit)
    best = min(readings, key=lambda reading: reading.bits_alone, default=None)
    return replace(verdict, reading=best)
