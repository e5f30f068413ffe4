"""The confusion matrices behind a classification report (precision, recall, F1 and support a class).

Class i enters a report only through its correct images d_i and its predicted images c_i. So the
search runs over these margins first, class by class, pruned by what the other classes can still
add to the sums; then the off-diagonal counts are filled in. Such a filling exists if and only if
no class has more misses and false positives together than there are errors (Hall's condition,
the diagonal forbidden). A report is *closed* if every image has one true and one predicted class,
both listed; one of a part of the classes, or of images with several classes, has margins alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor, inf
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from leukbench.published.binary import Floats, Ints, Table, bottom_range, every_integer
from leukbench.published.rounding import ONE, WHOLE, Interval

Matrix = tuple[tuple[int, ...], ...]
Number = TypeVar("Number", Floats, Fraction)
CLASS_METRICS = ("precision", "recall", "f1", "specificity")
#: Shares that count images of no listed class too.
NEGATIVES = ("specificity", "accuracy", "kappa", "mcc")

#: Steps of the search before it gives up counting; one in pure Python counts as many array elements.
STEPS, PYTHON = 2_000_000, 10
#: Choices laid out at once, and options of one class.
BLOCK, OPTIONS = 200_000, 500_000
#: Wider than the error of sums in floats, for each image; what is that near is checked in fractions.
SLACK = 1e-12
#: For what the margins of a report that is not closed do not tell.
ANYTHING: Interval = (Fraction(-(10**12)), Fraction(10**12))
#: Matrices listed one by one.
LISTED = 1000


@dataclass(frozen=True)
class ReportConstraints:
    """Intervals, within 0..1, of what a report prints for its classes and their averages.

    `undefined` is what stands for 0/0; see the module for `closed`.
    """

    supports: tuple[int, ...]
    classes: tuple[Mapping[str, Interval], ...]
    accuracy: Interval | None
    macro: Mapping[str, Interval]
    weighted: Mapping[str, Interval]
    micro: Mapping[str, Interval] = field(default_factory=dict)
    undefined: int = 0
    closed: bool = True


@dataclass(frozen=True)
class Matrices:
    """Confusion matrices that print a report; rows are true classes, columns predicted ones.

    `complete` is False where the search stopped early: then more may fit. `ranges` are the lowest
    and highest value of each share over all `margins` (how many fit), over those seen if
    `ranges_complete` is False.
    """

    matrices: tuple[Matrix, ...]
    complete: bool
    margins: int = 0
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    ranges_complete: bool = True


class _Stopped(Exception):
    """The search has used up its steps."""


def find_matrices(report: ReportConstraints) -> Matrices:
    """Find every confusion matrix that prints a report; empty and complete if there is none."""
    matrices: list[Matrix] = []
    ranges: dict[str, tuple[float, float]] = {}
    count, complete, seen = 0, True, True
    try:
        search = _Search(report)
        for d, c in search.margins():
            count += len(d)
            for name, values in share_values(d, c, report.supports, report.undefined).items():
                if not report.closed and name.split()[-1] in NEGATIVES:
                    continue
                low, high = ranges.get(name, (inf, -inf))
                ranges[name] = (min(low, values.min()), max(high, values.max()))
            # What is not closed has no matrices; of the others the first are listed.
            rest = LISTED - len(matrices) + 1 if report.closed and complete else 0
            for margins in zip(d[:rest].tolist(), c[:rest].tolist(), strict=True):
                for matrix in _fill(report.supports, list(zip(*margins, strict=True)), search.step):
                    matrices.append(matrix)
                    complete = len(matrices) < LISTED
                    if not complete:
                        break
                if not complete:
                    break
    except _Stopped:
        complete = seen = False
    return Matrices(tuple(matrices), complete, count, ranges, seen)


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
    for metric in (*CLASS_METRICS, "npv"):
        values = [t.share(metric) or Fraction(0) for t in tables]
        out[f"macro {metric}"] = sum(values, Fraction(0)) / k
        weighted = (v * t.positives for v, t in zip(values, tables, strict=True))
        out[f"weighted {metric}"] = sum(weighted, Fraction(0)) / n
        out |= {f"{metric} of {name}": v for name, v in zip(names, values, strict=True)}
    for name in names:
        out[f"specificity with {name} as the negative class"] = out[f"recall of {name}"]
    return out


def share_values(
    d: Ints, c: Ints, supports: tuple[int, ...], undefined: int = 0
) -> dict[str, Floats]:
    """Shares of many margins, arrays of shape (margins, k): each an array of shape (margins,).

    Those of class i are called "precision" and so on after its number, as in "0 precision".

    Cohen's kappa (1960) and Matthews' coefficient over classes (Gorodkin 2004,
    doi:10.1016/j.compbiolchem.2004.09.006) are functions of the margins too.
    """
    s, n, right = np.array(supports, dtype=float), sum(supports), d.sum(axis=1)
    terms = [
        np.stack(_terms(x.astype(float), y.astype(float), size, n, undefined))
        for x, y, size in zip(d.T, c.T, supports, strict=True)
    ]
    sums = np.sum(terms, axis=0)
    chance, predicted = (c * s).sum(axis=1), (c.astype(float) ** 2).sum(axis=1)
    spread = (n**2 - predicted) * (n**2 - (s**2).sum())
    out = {"accuracy": right / n}
    for j, metric in enumerate(CLASS_METRICS, 2):
        out |= {f"macro {metric}": sums[j] / len(supports), f"weighted {metric}": sums[j + 4] / n}
        out |= {f"{i} {metric}": term[j] for i, term in enumerate(terms)}
    out["kappa"] = (n * right - chance) / np.maximum(n**2 - chance, 1)
    out["mcc"] = np.where(spread > 0, (n * right - chance) / np.sqrt(np.maximum(spread, 1)), 0.0)
    return out


class _Search:
    """All (correct, predicted) images a class, class by class, pruned by what the others can add."""

    def __init__(self, report: ReportConstraints) -> None:
        self.report, self.supports, self.steps = report, report.supports, 0
        k, n = len(report.supports), sum(report.supports)
        # What is summed over the classes, and where each sum must end.
        predicted, right = (ONE, ONE), report.accuracy or WHOLE
        if not report.closed:
            right = report.micro.get("recall", WHOLE)
            low, high = report.micro.get("precision", WHOLE)
            # Of the micro averages, what can be said class by class; `_fits` checks them in full.
            predicted = (
                right[0] / high if high else Fraction(0),
                right[1] / low if low else Fraction(n * k + OPTIONS),
            )
        means: list[tuple[Interval, int]] = [(predicted, n), (right, n)]
        for average, m in ((report.macro, k), (report.weighted, n)):
            means += [(average.get(metric, WHOLE), m) for metric in CLASS_METRICS[:3]]
            means.append((average.get("specificity", WHOLE) if report.closed else ANYTHING, m))
        self.goals = [(low * m, high * m) for (low, high), m in means]
        self.options = [self._class_options(i) for i in range(k)]
        self.terms = [
            np.stack(_terms(d.astype(float), c.astype(float), s, n, report.undefined), axis=1)
            for (d, c), s in zip(self.options, report.supports, strict=True)
        ]
        self.order = sorted(range(k), key=lambda i: len(self.terms[i]))
        self.ends = np.array([[float(end) for end in goal] for goal in self.goals]).T
        self.slack = SLACK * (1000 + n)
        ends = self.ends + np.array([[-1.0], [1.0]]) * self.slack
        self.windows: list[Floats] = []
        for i in reversed(self.order) if all(map(len, self.terms)) else ():
            self.windows.insert(0, ends)
            ends = ends - np.stack([self.terms[i].max(axis=0), self.terms[i].min(axis=0)])

    def step(self, count: int = PYTHON) -> None:
        """Count steps; raise when they are used up."""
        self.steps += count
        if self.steps > STEPS:
            raise _Stopped

    def margins(self) -> Iterator[tuple[Ints, Ints]]:
        """Yield blocks of correct and of predicted images, each of shape (margins, k)."""
        k, sums = len(self.supports), np.zeros((1, len(self.goals)))
        for chosen, totals in (
            self._extend(np.zeros((1, 0), dtype=np.int64), sums) if self.windows else ()
        ):
            d, c = np.empty((2, len(chosen), k), dtype=np.int64)
            for i, option in zip(self.order, chosen.T, strict=True):
                d[:, i], c[:, i] = (x[option] for x in self.options[i])
            keep = np.ones(len(d), dtype=bool)
            if self.report.closed:
                errors = sum(self.supports) - d.sum(axis=1, keepdims=True)
                keep = (np.array(self.supports) + c - 2 * d <= errors).all(axis=1)
            edges = np.abs(totals[:, None] - self.ends).min(axis=1) <= 2 * self.slack
            exact = (self.ends[0] == self.ends[1]) & (np.arange(len(self.goals)) < 2)
            for row in np.flatnonzero(keep & (edges & ~exact).any(axis=1)):
                self.step()
                keep[row] = self._exact(d[row].tolist(), c[row].tolist())
            if self.report.micro and not self.report.closed:
                keep &= self._micro(d.sum(axis=1), c.sum(axis=1))
            if keep.any():
                yield d[keep], c[keep]

    def _extend(self, chosen: Ints, sums: Floats) -> Iterator[tuple[Ints, Floats]]:
        """Extend blocks of choices (one option for each class so far) by the next class."""
        depth = chosen.shape[1]
        if depth == len(self.order):
            yield chosen, sums
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
            if len(at):
                yield from self._extend(np.column_stack([chosen[at], option]), new[keep])

    def _exact(self, d: list[int], c: list[int]) -> bool:
        """Check the sums in fractions."""
        n, zero = sum(self.supports), self.report.undefined
        parts = [
            _terms(Fraction(x), Fraction(y), s, n, zero)
            for x, y, s in zip(d, c, self.supports, strict=True)
        ]
        totals = (sum(column) for column in zip(*parts, strict=True))
        return all(low <= x <= high for x, (low, high) in zip(totals, self.goals, strict=True))

    def _micro(self, right: Ints, predicted: Ints) -> npt.NDArray[np.bool_]:
        """Whether the counts pooled over the classes print the micro averages."""
        keep = np.ones(len(right), dtype=bool)
        for metric, whole in (
            ("precision", predicted),
            ("f1", (predicted + sum(self.supports)) / 2),
        ):
            low, high = (float(end) for end in self.report.micro.get(metric, WHOLE))
            share = right / np.maximum(whole, 1)
            keep &= (share >= low - self.slack) & (share <= high + self.slack)
        return keep

    def _class_options(self, i: int) -> tuple[Ints, Ints]:
        """Every (correct, predicted) that prints a class' shares, by predicted images."""
        s, n, zero = self.supports[i], sum(self.supports), self.report.undefined
        cells = self.report.classes[i]
        precision, recall, f1, specificity = (cells.get(m, WHOLE) for m in CLASS_METRICS)
        d = np.arange(ceil(recall[0] * s), floor(recall[1] * s) + 1)
        if not s:
            d = d[:1] if recall[0] <= zero <= recall[1] else d[:0]
        others = n - s if self.report.closed else 100 * n
        low, high = bottom_range(np.maximum(d, 1), d + others, d, np.zeros_like(d), precision)
        low, high = bottom_range(low, high, 2 * d, np.full_like(d, s), f1)
        if self.report.closed and others:
            low = np.maximum(low, d + ceil((1 - specificity[1]) * others))
            high = np.minimum(high, d + floor((1 - specificity[0]) * others))
        laid = every_integer(low, high, OPTIONS)
        if laid is None or (not self.report.closed and (high == d + others).any()):
            raise _Stopped
        at, c = laid
        order = np.argsort(c, kind="stable")
        d, c, nothing = d[at[order]], c[order], d[:1]
        never = {"precision": zero, "f1": 0 if s else zero, "specificity": 1}
        fits = (lo <= v <= hi for m, v in never.items() for lo, hi in [cells.get(m, WHOLE)])
        if len(nothing) and nothing[0] == 0 and all(fits):
            return np.concatenate([nothing, d]), np.concatenate([nothing, c])
        return d, c


def _terms(d: Number, c: Number, s: int, n: int, undefined: int) -> tuple[Number, ...]:
    """What a class adds to the sums, its predicted images first."""
    p = d / (c + (c == 0)) + undefined * (c == 0)
    r = d / s if s else d * 0 + undefined
    f = 2 * d / (s + c) if s else undefined * (c == 0) + d * 0
    t = 1 - (c - d) / max(n - s, 1)
    return (c, d, p, r, f, t, p * s, r * s, f * s, t * s)


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
