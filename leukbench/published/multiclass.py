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

from leukbench.published.rounding import Interval

Matrix = tuple[tuple[int, ...], ...]
CLASS_METRICS = ("precision", "recall", "f1")

#: Steps of the search before it gives up counting.
STEPS = 400_000
#: Matrices listed one by one.
LISTED = 1000


@dataclass(frozen=True)
class ReportConstraints:
    """Intervals, within 0..1, of what a report prints.

    Attributes
    ----------
    supports : tuple of int
        Images of each class.
    classes : tuple of mapping
        For each class, the intervals of precision, recall and f1 where printed.
    accuracy : Interval or None
    macro, weighted : mapping
        Intervals of the two averages, by metric.
    """

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
    """Find every confusion matrix that prints a report.

    Parameters
    ----------
    report : ReportConstraints

    Returns
    -------
    Matrices
        Empty and complete if the report cannot be true.
    """
    search = _Search(report)
    found: list[Matrix] = []
    try:
        for margins in search.margins():
            for matrix in _fill(report.supports, margins, search.step):
                found.append(matrix)
                if len(found) >= LISTED:
                    return Matrices(tuple(found), False)
    except _Stopped:
        return Matrices(tuple(found), False)
    return Matrices(tuple(found), True)


def any_matrix(supports: tuple[int, ...], margins: list[tuple[int, int]]) -> Matrix | None:
    """One matrix with these supports and (correct, predicted) images a class; None if none has them."""
    return next(_fill(supports, margins, lambda: None), None)


def shares(matrix: Matrix) -> dict[str, list[Fraction]]:
    """Exact one-vs-rest precision, recall, f1, specificity and npv of each class."""
    n = sum(map(sum, matrix))
    out: dict[str, list[Fraction]] = {m: [] for m in (*CLASS_METRICS, "specificity", "npv")}
    for i, row in enumerate(matrix):
        hit, true, predicted = row[i], sum(row), sum(other[i] for other in matrix)
        rest = n - true - predicted + hit
        out["precision"].append(_ratio(hit, predicted))
        out["recall"].append(_ratio(hit, true))
        out["f1"].append(_ratio(2 * hit, true + predicted))
        out["specificity"].append(_ratio(rest, n - true))
        out["npv"].append(_ratio(rest, n - predicted))
    return out


def _ratio(top: int, bottom: int) -> Fraction:
    return Fraction(top, bottom) if bottom else Fraction(0)


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
        accuracy = report.accuracy or (Fraction(0), Fraction(1))
        # What is summed over the classes, and where each sum must end.
        self.goals: list[Interval] = [
            (accuracy[0] * self.n, accuracy[1] * self.n),
            (Fraction(self.n), Fraction(self.n)),
        ]
        self.goals += [_times(report.macro.get(m), k) for m in CLASS_METRICS]
        self.goals += [_times(report.weighted.get(m), self.n) for m in CLASS_METRICS]
        self.terms = [
            [_terms(d, c, s) for d, c in options]
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
        totals = [Fraction(0)] * len(self.goals)
        for (d, c), s in zip(margins, supports, strict=True):
            p, r, f = _ratio(d, c), Fraction(d, s), Fraction(2 * d, s + c)
            parts = (Fraction(d), Fraction(c), p, r, f, p * s, r * s, f * s)
            totals = [a + b for a, b in zip(totals, parts, strict=True)]
        return all(low <= x <= high for x, (low, high) in zip(totals, self.goals, strict=True))


def _class_options(s: int, n: int, cells: Mapping[str, Interval]) -> Iterator[tuple[int, int]]:
    """Every (correct, predicted) that prints a class' precision, recall and F1."""
    whole = (Fraction(0), Fraction(1))
    recall, precision, f1 = (cells.get(m, whole) for m in ("recall", "precision", "f1"))
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


def _terms(d: int, c: int, s: int) -> tuple[float, ...]:
    p, r, f = d / c if c else 0.0, d / s, 2 * d / (s + c)
    return (float(d), float(c), p, r, f, p * s, r * s, f * s)


def _times(interval: Interval | None, factor: int) -> Interval:
    low, high = interval or (Fraction(0), Fraction(1))
    return low * factor, high * factor


def _fill(
    supports: tuple[int, ...], margins: list[tuple[int, int]], step: Callable[[], None]
) -> Iterator[Matrix]:
    """Every matrix with these supports, diagonal and predicted totals."""
    missed = [s - d for s, (d, _) in zip(supports, margins, strict=True)]
    false = [c - d for d, c in margins]

    def rows(i: int, left: list[int]) -> Iterator[list[list[int]]]:
        if i == len(supports):
            yield []
            return
        for row in _spread(missed[i], i, left, missed[i + 1 :]):
            step()
            rest = [a - b for a, b in zip(left, row, strict=True)]
            for below in rows(i + 1, rest):
                yield [row, *below]

    for off in rows(0, false):
        yield tuple(
            tuple(margins[i][0] if i == j else x for j, x in enumerate(row))
            for i, row in enumerate(off)
        )


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
