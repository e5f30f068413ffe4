"""One printed classification report: the confusion matrices behind it, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from leukbench.published.cone import extreme_rays
from leukbench.published.multiclass import (
    CLASS_METRICS,
    Matrices,
    Matrix,
    ReportConstraints,
    find_matrices,
    shares,
)
from leukbench.published.rounding import Cell, Interval, Style, Unit, units_of
from leukbench.published.rows import CONSISTENT, IMPOSSIBLE, OPEN
from leukbench.published.tables import ClassRow, PublishedTable

STYLES: tuple[Style, ...] = ("rounded", "cut", "either")


@dataclass(frozen=True)
class ReportVerdict:
    """What came out for one classification report.

    Attributes
    ----------
    table : PublishedTable
    status : {"consistent", "open", "impossible"}
    style : str
        The first of rounded (as scikit-learn prints), cut, either that any matrix fits; else empty.
    found : dict of str to Matrices
        The confusion matrices that fit under each style.
    hints : tuple of str
        One sentence each.
    """

    table: PublishedTable
    status: str
    style: str = ""
    found: dict[str, Matrices] | None = None
    hints: tuple[str, ...] = ()

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """The confusion matrices that fit under `style`, rows true and columns predicted."""
        return self.found[self.style].matrices if self.found and self.style else ()


def judge_report(table: PublishedTable, accuracy: Cell | None = None) -> ReportVerdict:
    """Judge one classification report.

    Parameters
    ----------
    table : PublishedTable
        A table of classes. Without supports only F1 against precision and recall can be judged.
    accuracy : Cell, optional
        The same model's accuracy as printed elsewhere, usually with more digits.

    Returns
    -------
    ReportVerdict
    """
    rows = [*table.classes, *table.averages.values()]
    hopeless = [
        f"{row.name}: {m} {text} is no share: it is negative or above 100"
        for row in rows
        for m, text in row.cells.items()
        if not units_of(text)
    ]
    if hopeless:
        return ReportVerdict(table, IMPOSSIBLE, hints=tuple(hopeless))
    totals = _total_faults(table)
    if totals:
        return ReportVerdict(table, IMPOSSIBLE, hints=tuple(totals))
    verdicts = [_judge(table, unit, accuracy) for unit in _table_units(rows)]
    order = {CONSISTENT: 0, OPEN: 1, IMPOSSIBLE: 2}
    return min(verdicts, key=lambda v: order[v.status])


def derived(matrix: Matrix, names: tuple[str, ...]) -> dict[str, Fraction]:
    """Every share that a report could have taken from a confusion matrix, by its name.

    Specificity is one-vs-rest. "With X as the negative class" is the binary view in which all
    other classes are positive: its specificity is the recall of X.
    """
    supports = [sum(row) for row in matrix]
    n, k = sum(supports), len(matrix)
    out = {"accuracy": Fraction(sum(row[i] for i, row in enumerate(matrix)), n)}
    for metric, values in shares(matrix).items():
        out[f"macro {metric}"] = sum(values, Fraction(0)) / k
        weighted = sum((v * s for v, s in zip(values, supports, strict=True)), Fraction(0))
        out[f"weighted {metric}"] = weighted / n
        for name, value in zip(names, values, strict=True):
            out[f"{metric} of {name}"] = value
    for i, name in enumerate(names):
        out[f"specificity with {name} as the negative class"] = Fraction(matrix[i][i], supports[i])
    return out


def _judge(table: PublishedTable, unit: Unit, accuracy: Cell | None) -> ReportVerdict:
    if not table.supports:
        return _judge_classes(table, unit)
    found: dict[str, Matrices] = {
        s: find_matrices(_constraints(table, unit, s, accuracy)) for s in STYLES
    }
    style = next((s for s in STYLES if found[s].matrices), "")
    if style:
        return ReportVerdict(table, CONSISTENT, style, found)
    if not found["either"].complete:
        hint = "the search was stopped: too many margins fit its classes to try them all"
        return ReportVerdict(table, OPEN, "", found, (hint,))
    return ReportVerdict(table, IMPOSSIBLE, "", found, tuple(_culprits(table, unit, accuracy)))


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


def _culprits(table: PublishedTable, unit: Unit, accuracy: Cell | None) -> Iterator[str]:
    """Name each cell without which the report could be true, and what it would then be."""
    for row in (*table.classes, *table.averages.values()):
        for metric, text in row.cells.items():
            less = replace(row, cells={m: t for m, t in row.cells.items() if m != metric})
            found = find_matrices(_constraints(_swap(table, row, less), unit, "either", accuracy))
            if not found.matrices:
                continue
            name = metric if row.name.lower() == metric else f"{row.name}: {metric}"
            key = _share_name(row, table, metric)
            names = tuple(c.name for c in table.classes)
            values = sorted({derived(m, names)[key] for m in found.matrices})
            cell = Cell.read(text, unit if unit in units_of(text) else units_of(text)[0])
            low, high = cell.show(values[0]), cell.show(values[-1])
            would = low if low == high else f"{low} to {high}"
            yield f"{name} {text} is probably misprinted: the other cells make it {would}"


def _share_name(row: ClassRow, table: PublishedTable, metric: str) -> str:
    kind = next((k for k, average in table.averages.items() if average is row), None)
    if kind == "accuracy":
        return "accuracy"
    return f"{kind.removesuffix(' avg')} {metric}" if kind else f"{metric} of {row.name}"


def _swap(table: PublishedTable, old: ClassRow, new: ClassRow) -> PublishedTable:
    return replace(
        table,
        classes=tuple(new if c is old else c for c in table.classes),
        averages={k: new if c is old else c for k, c in table.averages.items()},
    )


def _total_faults(table: PublishedTable) -> list[str]:
    total = sum(table.supports)
    return [
        f"{row.name}: support {row.support}, but the classes add up to {total}"
        for row in table.averages.values()
        if table.supports and row.support is not None and row.support != total
    ]


def _table_units(rows: list[ClassRow]) -> tuple[Unit, ...]:
    texts = [text for row in rows for text in row.cells.values()]
    if all("fraction" in units_of(text) for text in texts):
        return ("fraction",)
    return ("percent", "fraction")


def _intervals(row: ClassRow | None, unit: Unit, style: Style) -> dict[str, Interval]:
    """Intervals of a line's cells, read in `unit` wherever a cell can be."""
    out = {}
    for metric, text in (row.cells if row else {}).items():
        units = units_of(text)
        out[metric] = Cell.read(text, unit if unit in units else units[0]).interval(style)
    return out


def _constraints(
    table: PublishedTable, unit: Unit, style: Style, accuracy: Cell | None
) -> ReportConstraints:
    averages = {k: _intervals(row, unit, style) for k, row in table.averages.items()}
    given = averages.get("accuracy", {}).get("accuracy")
    if accuracy is not None:
        # The other place may have cut off what this one rounds.
        low, high = accuracy.interval("either")
        given = (max(low, given[0]), min(high, given[1])) if given else (low, high)
    only = {
        k: {m: v for m, v in cells.items() if m in CLASS_METRICS} for k, cells in averages.items()
    }
    return ReportConstraints(
        table.supports,
        tuple(_intervals(row, unit, style) for row in table.classes),
        given,
        only.get("macro avg", {}),
        only.get("weighted avg", {}),
    )
