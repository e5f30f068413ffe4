"""The confusion matrices behind a classification report (precision, recall, F1 and support a
class).

Class i enters a report only through its correct images d_i and its predicted images c_i. So the
search runs over these margins first, class by class, pruned by what the other classes can still
add to the sums; then the off-diagonal counts are filled in. Such a filling exists if and only if
no class has more misses and false positives together than there are errors (Hall's condition,
the diagonal forbidden).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from leukbench.published.binary import Ints, Table, bottom_range, every_integer
from leukbench.published.rounding import ONE, WHOLE, Interval

Floats = npt.NDArray[np.float64]
Matrix = tuple[tuple[int, ...], ...]
Number = TypeVar("Number", Floats, Fraction)
CLASS_METRICS = ("precision", "recall", "f1")

#: Steps of the search before it gives up counting; one in pure Python counts as many array elements.
STEPS, PYTHON = 20_000_000, 50
#: Choices laid out at once, and options of one class.
BLOCK, OPTIONS = 500_000, 500_000
#: Wider than the error of sums in floats, for each image; what passes is checked in fractions.
SLACK = 1e-12
#: Matrices listed one by one.
LISTED = 1000


@dataclass(frozen=True)
class ReportConstraints:
    """Intervals, within 0..1, of what a report prints for its classes and their averages."""

    supports: tuple[int, ...]
    classes: tuple[Mapping[str, Interval], ...]
    accuracy: Interval | None
    macro: Mapping[str, Interval]
    weighted: Mapping[str, Interval]


@dataclass(frozen=True)
class Matrices:
    """Confusion matrices that print a report; rows are true classes, columns predicted ones.

    `complete` is False where the search stopped early: then more may fit.
    """

    matrices: tuple[Matrix, ...]
    complete: bool


class _Stopped(Exception):
    """The search has used up its steps."""


def find_matrices(report: ReportConstraints) -> Matrices:
    """Find every confusion matrix that prints a report; empty and complete if there is none."""
    matrices: list[Matrix] = []
    try:
        search = _Search(report)
        for margins in search.margins():
            for matrix in _fill(report.supports, margins, search.step):
                matrices.append(matrix)
                if len(matrices) >= LISTED:
                    return Matrices(tuple(matrices), False)
    except _Stopped:
        return Matrices(tuple(matrices), False)
    return Matrices(tuple(matrices), True)


def any_matrix(supports: tuple[int, ...], margins: list[tuple[int, int]]) -> Matrix | None:
    """One matrix with these supports and (correct, predicted) images a class; None if none has them."""
    return next(_fill(supports, margins, lambda: None), None)


def derived(matrix: Matrix, names: tuple[str, ...]) -> dict[str, Fraction]:
    """Every share that a report could have taken from a confusion matrix, by its name.

    Specificity is one-vs-rest. "With X as the negative class" is the binary view in which all
    other classes are positive: its specificity is the recall of X.
    """
    k, n = len(matrix), sum(map(sum, matrix))
    tables = []
    for i, row in enumerate(matrix):
        tp, fp = row[i], sum(other[i] for other in matrix) - row[i]
        tables.append(Table(tp, fp, sum(row) - tp, n - sum(row) - fp))
    out = {"accuracy": Fraction(sum(t.tp for t in tables), n)}
    for metric in (*CLASS_METRICS, "specificity", "npv"):
        values = [t.share(metric) or Fraction(0) for t in tables]
        out[f"macro {metric}"] = sum(values, Fraction(0)) / k
        weighted = (v * t.positives for v, t in zip(values, tables, strict=True))
        out[f"weighted {metric}"] = sum(weighted, Fraction(0)) / n
        out |= {f"{metric} of {name}": v for name, v in zip(names, values, strict=True)}
    for name in names:
        out[f"specificity with {name} as the negative class"] = out[f"recall of {name}"]
    return out


class _Search:
    """All (correct, predicted) images a class, class by class, pruned by what the others can add."""

    def __init__(self, report: ReportConstraints) -> None:
        self.supports, self.steps = report.supports, 0
        k, n = len(report.supports), sum(report.supports)
        # What is summed over the classes, and where each sum must end.
        means: list[tuple[Interval | None, int]] = [((ONE, ONE), n), (report.accuracy, n)]
        means += [(report.macro.get(m), k) for m in CLASS_METRICS]
        means += [(report.weighted.get(m), n) for m in CLASS_METRICS]
        self.goals = [(low * m, high * m) for given, m in means for low, high in [given or WHOLE]]
        self.options = [
            _class_options(s, n, cells)
            for s, cells in zip(report.supports, report.classes, strict=True)
        ]
        self.terms = [
            np.stack(_terms(d.astype(float), c.astype(float), s), axis=1)
            for (d, c), s in zip(self.options, report.supports, strict=True)
        ]
        self.order = sorted(range(k), key=lambda i: len(self.terms[i]))
        ends = np.array([[float(end) for end in goal] for goal in self.goals]).T
        ends += np.array([[-1.0], [1.0]]) * SLACK * (1000 + n)
        self.windows: list[Floats] = []
        for i in reversed(self.order) if all(map(len, self.terms)) else ():
            self.windows.insert(0, ends)
            ends = ends - np.stack([self.terms[i].max(axis=0), self.terms[i].min(axis=0)])

    def step(self, count: int = PYTHON) -> None:
        """Count steps; raise when they are used up."""
        self.steps += count
        if self.steps > STEPS:
            raise _Stopped

    def margins(self) -> Iterator[list[tuple[int, int]]]:
        """Yield (correct, predicted) images for all classes, in the order of the classes."""
        if not self.windows:
            return
        goals = len(self.goals)
        for chosen in self._extend(np.zeros((1, 0), dtype=np.int64), np.zeros((1, goals))):
            at = dict(zip(self.order, chosen.tolist(), strict=True))
            self.step()
            margins = [(int(d[at[i]]), int(c[at[i]])) for i, (d, c) in enumerate(self.options)]
            if self._exact(margins):
                yield margins

    def _extend(self, chosen: Ints, sums: Floats) -> Iterator[Ints]:
        """Extend blocks of choices (one option for each class so far) by the next class."""
        depth = chosen.shape[1]
        if depth == len(self.order):
            yield from chosen
            return
        terms, (low, high) = self.terms[self.order[depth]], self.windows[depth]
        # The options are sorted by the predicted images, whose sum is known.
        first = np.searchsorted(terms[:, 0], low[0] - sums[:, 0])
        last = np.searchsorted(terms[:, 0], high[0] - sums[:, 0], side="right") - 1
        blocks = np.cumsum(np.maximum(last - first + 1, 0)) // BLOCK
        for block in np.split(np.arange(len(sums)), np.flatnonzero(np.diff(blocks)) + 1):
            laid = every_integer(first[block], last[block])
            if laid is None:
                raise _Stopped
            at, option = laid
            self.step(len(at))
            new = sums[block[at]] + terms[option]
            keep = ((new >= low) & (new <= high)).all(axis=1)
            at, option = block[at[keep]], option[keep]
            yield from self._extend(np.column_stack([chosen[at], option]), new[keep])

    def _exact(self, margins: list[tuple[int, int]]) -> bool:
        """Check the sums in fractions, and that the off-diagonal counts can be filled in."""
        errors = sum(self.supports) - sum(d for d, _ in margins)
        if any(s - d + c - d > errors for (d, c), s in zip(margins, self.supports, strict=True)):
            return False
        parts = [
            _terms(Fraction(d), Fraction(c), s)
            for (d, c), s in zip(margins, self.supports, strict=True)
        ]
        totals = (sum(column) for column in zip(*parts, strict=True))
        return all(low <= x <= high for x, (low, high) in zip(totals, self.goals, strict=True))


def _class_options(s: int, n: int, cells: Mapping[str, Interval]) -> tuple[Ints, Ints]:
    """Every (correct, predicted) that prints a class' precision, recall and F1, by predicted."""
    recall, precision, f1 = (cells.get(m, WHOLE) for m in ("recall", "precision", "f1"))
    d = np.arange(ceil(recall[0] * s), floor(recall[1] * s) + 1)
    low, high = bottom_range(np.zeros_like(d), d + n - s, d, np.zeros_like(d), precision)
    low, high = bottom_range(low, high, 2 * d, np.full_like(d, s), f1)
    low = np.maximum(low, d if precision[0] == 0 else np.maximum(d, 1))
    laid = every_integer(low, high, OPTIONS)
    if laid is None:
        raise _Stopped
    at, c = laid
    order = np.argsort(c, kind="stable")
    return d[at[order]], c[order]


def _terms(d: Number, c: Number, s: int) -> tuple[Number, ...]:
    """What a class adds to the sums, its predicted images first."""
    p, r, f = d / (c + (c == 0)), d / s, 2 * d / (s + c)
    return (c, d, p, r, f, p * s, r * s, f * s)


def _fill(
    supports: tuple[int, ...], margins: list[tuple[int, int]], step: Callable[[], None]
) -> Iterator[Matrix]:
    """Every matrix with these supports, diagonal and predicted totals."""
    missed = [s - d for s, (d, _) in zip(supports, margins, strict=True)]
    false = [c - d for d, c in margins]

    def rows(i: int, left: list[int]) -> Iterator[Matrix]:
        if i == len(supports):
            yield ()
            return
        for row in _spread(missed[i], i, left, missed[i + 1 :]):
            step()
            whole = tuple(margins[i][0] if i == j else x for j, x in enumerate(row))
            for below in rows(i + 1, [a - b for a, b in zip(left, row, strict=True)]):
                yield (whole, *below)

    yield from rows(0, false)


def _spread(total: int, own: int, left: list[int], later: list[int]) -> Iterator[list[int]]:
    """Spread one row's errors over the other classes so that the rows below can finish."""

    def place(j: int, rest: int) -> Iterator[list[int]]:
        if j == len(left):
            if rest == 0:
                yield []
            return
        most = 0 if j == own else min(rest, left[j])
        room = sum(left[j + 1 :]) - (left[own] if own > j else 0)
        for x in range(max(0, rest - room), most + 1):
            # Column j is filled up by later rows other than row j itself.
            others = sum(later) - (later[j - own - 1] if j > own else 0)
            if left[j] - x <= others:
                for tail in place(j + 1, rest - x):
                    yield [x, *tail]

    yield from place(0, total)
