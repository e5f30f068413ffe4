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

from leukbench.published.binary import Table
from leukbench.published.rounding import ONE, WHOLE, Interval

Matrix = tuple[tuple[int, ...], ...]
Number = TypeVar("Number", float, Fraction)
CLASS_METRICS = ("precision", "recall", "f1")

#: Steps of the search before it gives up counting.
STEPS = 400_000
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
    search = _Search(report)
    every = (
        m for margins in search.margins() for m in _fill(report.supports, margins, search.step)
    )
    matrices: list[Matrix] = []
    try:
        for matrix in every:
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
    """Depth-first search over (d_i, c_i), with bounds on what the classes to come can add."""

    def __init__(self, report: ReportConstraints) -> None:
        self.report = report
        self.n = sum(report.supports)
        self.steps = 0
        self.options = [
            list(_class_options(s, self.n, cells))
            for s, cells in zip(report.supports, report.classes, strict=True)
        ]
        k = len(report.supports)
        # What is summed over the classes, and where each sum must end.
        means: list[tuple[Interval | None, int]] = [(report.accuracy, self.n), ((ONE, ONE), self.n)]
        means += [(report.macro.get(m), k) for m in CLASS_METRICS]
        means += [(report.weighted.get(m), self.n) for m in CLASS_METRICS]
        self.goals = [(low * m, high * m) for given, m in means for low, high in [given or WHOLE]]
        self.terms = [
            [_terms(float(d), c, s) for d, c in options]
            for options, s in zip(self.options, report.supports, strict=True)
        ]
        self.order = sorted(range(k), key=lambda i: -len(self.options[i]))
        self.least, self.most = self._suffixes()

    def step(self) -> None:
        """Count one step; raise when they are used up."""
        self.steps += 1
        if self.steps > STEPS:
            raise _Stopped

    def margins(self) -> Iterator[list[tuple[int, int]]]:
        """Yield (correct, predicted) images for all classes, in the order of the classes."""
        if all(self.options):
            yield from self._descend(0, [0.0] * len(self.goals), [])

    def _suffixes(self) -> tuple[list[list[float]], list[list[float]]]:
        least, most = [[0.0] * len(self.goals)], [[0.0] * len(self.goals)]
        for i in reversed(self.order):
            columns = list(zip(*self.terms[i], strict=True)) or [(0.0,)] * len(self.goals)
            least.insert(0, [a + min(col) for a, col in zip(least[0], columns, strict=True)])
            most.insert(0, [a + max(col) for a, col in zip(most[0], columns, strict=True)])
        return least, most

    def _descend(
        self, depth: int, sums: list[float], chosen: list[tuple[int, int]]
    ) -> Iterator[list[tuple[int, int]]]:
        if depth == len(self.order):
            margins = [chosen[self.order.index(i)] for i in range(depth)]
            if self._exact(margins):
                yield margins
            return
        i, least, most = self.order[depth], self.least[depth + 1], self.most[depth + 1]
        for option, terms in zip(self.options[i], self.terms[i], strict=True):
            self.step()
            new = [a + b for a, b in zip(sums, terms, strict=True)]
            if all(
                x + more >= low - 1e-9 and x + less <= high + 1e-9
                for x, less, more, (low, high) in zip(new, least, most, self.goals, strict=True)
            ):
                yield from self._descend(depth + 1, new, [*chosen, option])

    def _exact(self, margins: list[tuple[int, int]]) -> bool:
        """Check the sums in fractions, and that the off-diagonal counts can be filled in."""
        supports = self.report.supports
        errors = self.n - sum(d for d, _ in margins)
        if any(s - d + c - d > errors for (d, c), s in zip(margins, supports, strict=True)):
            return False
        parts = [_terms(Fraction(d), c, s) for (d, c), s in zip(margins, supports, strict=True)]
        totals = (sum(column) for column in zip(*parts, strict=True))
        return all(low <= x <= high for x, (low, high) in zip(totals, self.goals, strict=True))


def _class_options(s: int, n: int, cells: Mapping[str, Interval]) -> Iterator[tuple[int, int]]:
    """Every (correct, predicted) that prints a class' precision, recall and F1."""
    recall, precision, f1 = (cells.get(m, WHOLE) for m in ("recall", "precision", "f1"))
    for d in range(ceil(recall[0] * s), floor(recall[1] * s) + 1):
        low, high = d, d + n - s
        if precision[0] > 0:
            high = min(high, floor(d / precision[0]))
        if f1[0] > 0:
            high = min(high, floor(2 * d / f1[0]) - s)
        if d and precision[1] > 0 and f1[1] > 0:
            low = max(low, ceil(d / precision[1]), ceil(2 * d / f1[1]) - s)
        elif d:
            continue
        for c in range(low, high + 1):
            if c or precision[0] == 0:
                yield d, c


def _terms(d: Number, c: int, s: int) -> tuple[Number, ...]:
    """What a class adds to the sums: exact where `d` is a fraction."""
    p, r, f = d / (c or 1), d / s, 2 * d / (s + c)
    return (d, d * 0 + c, p, r, f, p * s, r * s, f * s)


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
