"""Judges one classification report: the confusion matrices behind it, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from leukbench.published.binary import extreme_rays
from leukbench.published.report_search import (
    CLASS_METRICS,
    Matrices,
    Matrix,
    ReportConstraints,
    derived,
    find_matrices,
)
from leukbench.published.rounding import Cell, Interval, Style, Unit, no_share, show_range, units_of
from leukbench.published.rows import CONSISTENT, IMPOSSIBLE, OPEN
from leukbench.published.tables import ClassRow, PublishedTable

STYLES: tuple[Style, ...] = ("rounded", "cut", "either")


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
    """Judge a table of classes; without supports only F1 against precision and recall can be.

    `accuracy` is the same model's accuracy as printed elsewhere, usually with more digits.
    """
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
    return min(judged, key=lambda v: order[v.status])


def _judge(table: PublishedTable, unit: Unit, accuracy: Cell | None) -> ReportVerdict:
    fits: dict[str, Matrices] = {}
    for style in STYLES:
        fits[style] = find_matrices(_constraints(table, unit, style, accuracy))
    shown = next((s for s in STYLES if fits[s].matrices), "")
    if shown:
        return ReportVerdict(table, CONSISTENT, shown, fits)
    if not fits["either"].complete:
        hint = "the search was stopped: too many margins fit its classes to try them all"
        return ReportVerdict(table, OPEN, "", fits, (hint,))
    return ReportVerdict(table, IMPOSSIBLE, "", fits, tuple(_misprints(table, unit, accuracy)))


def _judge_classes(table: PublishedTable, unit: Unit) -> ReportVerdict:
    hints = [
        f"{row.name}: no precision and recall as printed give f1 {row.cells['f1']}"
        for row in table.classes
        if "f1" in row.cells and not extreme_rays(_intervals(row, unit, "either"))
    ]
    if hints:
        return ReportVerdict(table, IMPOSSIBLE, hints=tuple(hints))
    hint = "no supports are printed: only F1 was checked against precision and recall"
    return ReportVerdict(table, CONSISTENT, hints=(hint,))


def _misprints(table: PublishedTable, unit: Unit, accuracy: Cell | None) -> Iterator[str]:
    """Name each cell without which the report could be true, and what it would then be."""
    names = tuple(c.name for c in table.classes)
    kinds = {id(row): kind for kind, row in table.averages.items()}
    for row in (*table.classes, *table.averages.values()):
        kind = kinds.get(id(row), "")
        for metric, text in row.cells.items():
            less = replace(row, cells={m: t for m, t in row.cells.items() if m != metric})
            rest = replace(
                table,
                classes=tuple(less if c is row else c for c in table.classes),
                averages={k: less if c is row else c for k, c in table.averages.items()},
            )
            matrices = find_matrices(_constraints(rest, unit, "either", accuracy)).matrices
            if not matrices:
                continue
            of = f"{kind.removesuffix(' avg')} {metric}" if kind else f"{metric} of {row.name}"
            key = "accuracy" if kind == "accuracy" else of
            would = show_range([derived(m, names)[key] for m in matrices], _read(text, unit).unit)
            name = metric if row.name.lower() == metric else f"{row.name}: {metric}"
            yield f"{name} {text} is probably misprinted: the other cells make it {would}"


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
    macro, weighted = (
        {m: v for m, v in averages.get(kind, {}).items() if m in CLASS_METRICS}
        for kind in ("macro avg", "weighted avg")
    )
    classes = tuple(_intervals(row, unit, style) for row in table.classes)
    return ReportConstraints(table.supports, classes, given, macro, weighted)
