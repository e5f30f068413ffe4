"""Judges one classification report: the confusion matrices behind it, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from leukbench.published.binary import extreme_rays
from leukbench.published.macro_bounds import contradictions
from leukbench.published.report_search import (
    Matrices,
    Matrix,
    ReportConstraints,
    find_matrices,
    share_values,
)
from leukbench.published.rounding import (
    WHOLE,
    Cell,
    Interval,
    Style,
    Unit,
    no_share,
    show_range,
    units_of,
)
from leukbench.published.rows import CONSISTENT, IMPOSSIBLE, OPEN
from leukbench.published.tables import ClassRow, PublishedTable

STYLES: tuple[Style, ...] = ("rounded", "cut", "either")
#: Averages that scikit-learn prints of a part of the classes, or of images with several classes.
PARTIAL = {"micro avg", "samples avg"}
NO_SUPPORTS = (
    "the supports are not all printed: no confusion matrix was looked for; nothing contradicts F1, "
    "the averages and the accuracy"
)
NOT_CLOSED = (
    "it cannot be true if every image has one of these classes and gets one of them; of a part of "
    "the classes, or of images with several classes, it can"
)
AS_MEAN = "on one test set it cannot be true, but a mean over runs may print it: state its kind"
STOPPED = "the search was stopped: too many margins fit its classes to try them all"


@dataclass(frozen=True)
class ReportVerdict:
    """The verdict on one classification report: consistent, open or impossible.

    `fits` holds the confusion matrices under each style; `style` is the first of rounded (as
    scikit-learn prints), cut, either that any matrix fits, else empty; `hints` are sentences.
    """

    table: PublishedTable
    status: str
    style: str = ""
    fits: Mapping[str, Matrices] = field(default_factory=dict)
    hints: tuple[str, ...] = ()

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """The confusion matrices that fit under `style`, rows true and columns predicted."""
        return self.fits[self.style].matrices if self.style else ()

    @property
    def names(self) -> tuple[str, ...]:
        """The classes."""
        return tuple(c.name for c in self.table.classes)


def judge_report(table: PublishedTable, accuracy: Cell | None = None) -> ReportVerdict:
    """Judge a table of classes, or state what a printed confusion matrix says.

    `accuracy` is the same model's accuracy as printed elsewhere, usually with more digits.
    """
    if table.matrix:
        matrix = np.array(table.matrix)
        margins = np.diag(matrix)[None], matrix.sum(axis=0)[None]
        values = share_values(*margins, tuple(matrix.sum(axis=1).tolist()))
        ranges = {name: (float(v[0]), float(v[0])) for name, v in values.items()}
        given = Matrices((table.matrix,), True, 1, ranges)
        return ReportVerdict(table, CONSISTENT, "printed", {"printed": given})
    rows = [*table.classes, *table.averages.values()]
    cells = [(f"{row.name}: {m}", text) for row in rows for m, text in row.cells.items()]
    faults = [fault for name, text in cells if (fault := no_share(name, text))]
    total = sum(table.supports)
    faults = faults or [
        f"{row.name}: support {row.support}, but the classes add up to {total}"
        for row in table.averages.values()
        if total and row.support not in (None, total)
    ]
    if faults:
        return ReportVerdict(table, IMPOSSIBLE, hints=tuple(faults))
    fractions = all("fraction" in units_of(text) for _, text in cells)
    units: tuple[Unit, ...] = ("fraction",) if fractions else ("percent", "fraction")
    judged = [
        _judge(table, unit, accuracy) if total else _judge_classes(table, unit) for unit in units
    ]
    order = {CONSISTENT: 0, OPEN: 1, IMPOSSIBLE: 2}
    best = min(judged, key=lambda v: order[v.status])
    if (
        best.status == IMPOSSIBLE
        and not table.one_run
        and not all(_mean_faults(table, u) for u in units)
    ):
        return replace(best, status=OPEN, hints=(AS_MEAN, *best.hints))
    return best


def _judge(table: PublishedTable, unit: Unit, accuracy: Cell | None) -> ReportVerdict:
    """Try the readings: all classes listed or not, 0/0 printed as 0 or as 1."""
    full = not PARTIAL & table.averages.keys()
    named = full and ("accuracy" in table.averages or accuracy is not None)
    hints: tuple[str, ...] = ()
    fits: dict[str, Matrices] = {}
    for closed in (True, False) if full and not named else (full,):
        for undefined in (0, 1):
            given = [_constraints(table, unit, s, accuracy) for s in STYLES]
            given = [replace(g, closed=closed, undefined=undefined) for g in given]
            either = find_matrices(given[-1])
            if either.margins:
                others = map(find_matrices, given[:-1])
                fits = dict(zip(map(str, STYLES), [*others, either], strict=True))
                style = next(s for s in STYLES if fits[s].margins)
                if full and not closed:
                    return ReportVerdict(table, OPEN, style, fits, (NOT_CLOSED,))
                return ReportVerdict(table, CONSISTENT, style, fits)
            if not either.ranges_complete:
                hints = (STOPPED,)
            fits = fits or dict.fromkeys(map(str, STYLES), either)
    if hints:
        return ReportVerdict(table, OPEN, "", fits, hints)
    return ReportVerdict(table, IMPOSSIBLE, "", fits, tuple(_misprints(table, unit, accuracy)))


def _judge_classes(table: PublishedTable, unit: Unit) -> ReportVerdict:
    """What holds without the supports: F1 of each class, and the averages between the classes."""
    classes = [_intervals(row, unit, "either") for row in table.classes]
    hints = [
        f"{row.name}: no precision and recall as printed give f1 {row.cells['f1']}"
        for row, cells in zip(table.classes, classes, strict=True)
        if "f1" in cells and not extreme_rays(cells) and not _never_seen(cells)
    ]
    for kind, row in table.averages.items():
        for metric, given in _intervals(row, unit, "either").items():
            for of in ("recall", "precision") if kind == "accuracy" else (metric,):
                listed = [cells[of] for cells in classes if of in cells]
                if len(listed) < len(classes) or kind == "samples avg":
                    continue
                (low, high), name = (
                    _between(kind, listed),
                    metric if kind == metric else f"{kind}: {metric}",
                )
                if given[1] < low or given[0] > high:
                    limits = show_range((low, high), _read(row.cells[metric], unit).unit)
                    text = f"{name} {row.cells[metric]} does not fit the classes' {of}"
                    hints.append(f"{text}: it would lie in {limits}")
    weighted, accuracy = (table.averages.get(kind) for kind in ("weighted avg", "accuracy"))
    if weighted and accuracy and "recall" in weighted.cells:
        one, other = _read(weighted.cells["recall"], unit), _read(accuracy.cells["accuracy"], unit)
        if one.interval()[1] < other.interval()[0] or other.interval()[1] < one.interval()[0]:
            hints.append(f"weighted recall {one.text} is the accuracy, which is {other.text}")
    if hints:
        return ReportVerdict(table, IMPOSSIBLE, hints=tuple(hints))
    return ReportVerdict(table, OPEN, hints=(NO_SUPPORTS,))


def _mean_faults(table: PublishedTable, unit: Unit) -> bool:
    """Whether a report contradicts what holds for means over runs too: F1's bounds, macro averages."""
    rows = [*table.classes, *table.averages.values()]
    if any(contradictions(_intervals(row, unit, "either"), kind="mean") for row in rows):
        return True
    classes = [_intervals(row, unit, "either") for row in table.classes]
    for metric, (low, high) in _intervals(table.averages.get("macro avg"), unit, "either").items():
        listed = [cells[metric] for cells in classes if metric in cells]
        if len(listed) == len(classes):
            least, most = _between("macro avg", listed)
            if high < least or low > most:
                return True
    return False


def _never_seen(cells: Mapping[str, Interval]) -> bool:
    """Whether a class may have no image, its recall 0/0 printed as 1."""
    return cells.get("precision", WHOLE)[0] == 0 and cells.get("recall", WHOLE)[1] == 1


def _between(kind: str, listed: list[Interval]) -> Interval:
    """Where an average of the classes' shares lies: a mean, or between smallest and largest."""
    lows, highs = zip(*listed, strict=True)
    if kind == "macro avg":
        return sum(lows, Fraction(0)) / len(listed), sum(highs, Fraction(0)) / len(listed)
    return min(lows), max(highs)


def _misprints(table: PublishedTable, unit: Unit, accuracy: Cell | None) -> Iterator[str]:
    """Name each cell without which the report could be true, and what it would then be."""
    kinds = {id(row): kind.removesuffix(" avg") for kind, row in table.averages.items()}
    for i, row in enumerate([*table.classes, *table.averages.values()]):
        kind = kinds.get(id(row), "")
        for metric, text in row.cells.items():
            less = replace(row, cells={m: t for m, t in row.cells.items() if m != metric})
            rest = replace(
                table,
                classes=tuple(less if c is row else c for c in table.classes),
                averages={k: less if c is row else c for k, c in table.averages.items()},
            )
            fits = find_matrices(_constraints(rest, unit, "either", accuracy))
            key = "accuracy" if kind == "accuracy" else f"{kind or i} {metric}"
            if key not in fits.ranges:
                continue
            would = show_range(fits.ranges[key], _read(text, unit).unit)
            more = "" if fits.ranges_complete else " or more"
            name = metric if row.name.lower() == metric else f"{row.name}: {metric}"
            yield f"{name} {text} is probably misprinted: the other cells make it {would}{more}"


def _read(text: str, unit: Unit) -> Cell:
    """A cell in `unit` if it can be read so."""
    return Cell.read(text, unit if unit in units_of(text) else None)


def _intervals(row: ClassRow | None, unit: Unit, style: Style) -> dict[str, Interval]:
    cells = row.cells if row else {}
    return {m: _read(text, unit).interval(style) for m, text in cells.items()}


def _constraints(
    table: PublishedTable, unit: Unit, style: Style, accuracy: Cell | None
) -> ReportConstraints:
    averages = {k: _intervals(row, unit, style) for k, row in table.averages.items()}
    given = averages.get("accuracy", {}).get("accuracy")
    if accuracy is not None:
        # The other place may have cut off what this one rounds.
        low, high = accuracy.interval("either")
        given = (max(low, given[0]), min(high, given[1])) if given else (low, high)
    classes = tuple(_intervals(row, unit, style) for row in table.classes)
    # A class whose share is not printed (0/0) may be left out of the averages too.
    whole = {m for cells in classes for m in cells if all(m in other for other in classes)}
    macro, weighted, micro = (
        {m: v for m, v in averages.get(kind, {}).items() if m in whole or kind == "micro avg"}
        for kind in ("macro avg", "weighted avg", "micro avg")
    )
    return ReportConstraints(table.supports, classes, given, macro, weighted, micro)
