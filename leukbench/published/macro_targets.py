"""What a confusion matrix must print to be behind a row averaged over classes, in exact fractions.

Class i enters every average through its missed images m_i and its false positives f_i alone. A
matrix with these margins exists if and only if both add up to the same number of errors and no
class has m_i + f_i above it (Hall's condition; the diagonal is forbidden). F1 has two definitions
in use: the mean of the classes' F1 (scikit-learn's), and the harmonic mean of the averaged
precision and recall (Opitz and Burst 2019, arXiv:1911.03347). Either is accepted. A class that is
never predicted has precision 0/0, which software prints as 0 or as 1. A weighted average counts
every class by its images, a macro average counts all alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from leukbench.published.binary import Floats, Ints, every_integer
from leukbench.published.macro_bounds import harmonic
from leukbench.published.rounding import WHOLE, Cell, Interval
from leukbench.published.tables import METRICS

#: Wider than the error of sums in floats; what passes is checked in fractions.
SLACK = 1e-9
#: Pairs of lists held in memory at once.
CHUNK = 500_000


@dataclass(frozen=True)
class Targets:
    """The interval of every metric of `METRICS`, 0..1 where it is not printed.

    With `f1_of_averages` F1 is the harmonic mean of the averaged precision and recall, not the mean
    over classes; with `f1_printed` that of the printed two, whatever the counts give.
    """

    cells: dict[str, Interval]
    f1_of_averages: bool = False
    f1_printed: bool = False
    weighted: bool = False

    def weights(self, supports: Ints) -> Floats:
        """How much each class counts in the averages."""
        return (
            supports / supports.sum()
            if self.weighted
            else np.full(len(supports), 1 / len(supports))
        )

    def window(self, metric: str) -> tuple[float, float]:
        """The interval of a metric in floats; 0..1 for an F1 that the classes' F1 do not make."""
        if metric == "f1" and self.f1_of_averages:
            return 0.0, 1.0
        low, high = self.cells[metric]
        return float(low), float(high)

    def errors(self, n: int) -> range:
        """Every number of errors out of `n` images that prints the accuracy."""
        low, high = self.cells["accuracy"]
        return range(ceil(n * (1 - high)), floor(n * (1 - low)) + 1)

    def printed_by(
        self, supports: Sequence[int], missed: Sequence[int], false: Sequence[int]
    ) -> bool:
        """Whether a matrix with these supports, misses and false positives a class prints the row."""
        n, errors = sum(supports), sum(missed)
        counts = supports if self.weighted else [1] * len(supports)
        classes = [(s, s - m, f) for s, m, f in zip(supports, missed, false, strict=True)]
        if any(s - h + f > errors for s, h, f in classes):
            return False

        def mean(values: Iterator[Fraction]) -> Fraction:
            parts = (v * w for v, w in zip(values, counts, strict=True))
            return sum(parts, Fraction(0)) / sum(counts)

        never = mean(Fraction(h + f == 0) for _, h, f in classes)
        precision = mean(Fraction(h, h + f or 1) for _, h, f in classes)
        shares = {
            "accuracy": Fraction(n - errors, n),
            "recall": mean(Fraction(h, s) for s, h, _ in classes),
            "specificity": 1 - mean(Fraction(f, n - s) for s, _, f in classes),
            "f1": mean(Fraction(2 * h, s + h + f) for s, h, f in classes),
        }
        for share in {precision, precision + never}:
            if self.f1_of_averages:
                shares["f1"] = harmonic(share, shares["recall"])
            if all(self._fits(m, v) for m, v in (shares | {"precision": share}).items()):
                return True
        return False

    def _fits(self, metric: str, share: Fraction) -> bool:
        low, high = self.cells[metric]
        return (metric == "f1" and self.f1_printed) or low <= share <= high


def readings_of_f1(cells: Mapping[str, Cell], weighted: bool = False) -> Iterator[Targets]:
    """The ways to read a row's F1; a row is impossible only if no matrix prints any of them.

    F1 of the printed precision and recall alone if it is that: then its cell says nothing about
    the counts. Else the mean over classes, then the harmonic mean of the averages where their
    intervals allow it.
    """
    given = {m: cells[m].interval() if m in cells else WHOLE for m in METRICS}
    mean = Targets(given, weighted=weighted)
    if not {"precision", "recall", "f1"} <= cells.keys():
        yield mean
        return
    precision, recall, f1 = given["precision"], given["recall"], given["f1"]
    if cells["f1"].fits(harmonic(cells["precision"].value, cells["recall"].value)):
        yield replace(mean, f1_of_averages=True, f1_printed=True)
        return
    yield mean
    if harmonic(precision[0], recall[0]) <= f1[1] and f1[0] <= harmonic(precision[1], recall[1]):
        yield replace(mean, f1_of_averages=True)


def misses(
    low: Ints, high: Ints, errors: int, supports: Ints, targets: Targets, most: int
) -> Ints | None:
    """List the misses a class, shape (vectors, k), that print the recall; None for too many.

    `low` and `high` bound each class' misses, inclusive; `errors` is their sum, `supports` the
    images of each class, `most` how many vectors are listed at most.
    """
    weights, window = targets.weights(supports) / supports, targets.window("recall")
    return _margins(low, np.minimum(high, supports), errors, weights, window, most)


def false_positives(
    low: Ints, high: Ints, errors: int, supports: Ints, targets: Targets, most: int
) -> Ints | None:
    """List the false positives a class that print the specificity; as `misses`."""
    others, window = supports.sum() - supports, targets.window("specificity")
    weights = targets.weights(supports) / others
    return _margins(low, np.minimum(high, others), errors, weights, window, most)


def fitting(
    missed: Ints, false: Ints, errors: int, supports: Ints, targets: Targets
) -> Iterator[tuple[Ints, Ints]]:
    """Yield every pair out of two lists of one sum that prints the whole row, checked in fractions.

    `missed` and `false` have shapes (a, k) and (b, k); they come from `misses` and
    `false_positives`.
    """
    if not len(missed) or not len(false):
        return
    weights, whole = targets.weights(supports), [int(s) for s in supports]
    (p_low, p_high), (f_low, f_high) = targets.window("precision"), targets.window("f1")
    extra = false.astype(float)
    step = max(1, CHUNK // len(false))
    for start in range(0, len(missed), step):
        block = missed[start : start + step].astype(float)
        hits = supports - block
        total, never = np.zeros((len(block), len(false))), 0.0
        for i, weight in enumerate(weights):
            called = hits[:, i, None] + extra[None, :, i]
            if not hits[:, i].min():
                never = never + weight * (called == 0)
                called = np.maximum(called, 1.0)
            total += weight * hits[:, i, None] / called
        # All classes that are never predicted count 0, or all count 1.
        keep = _inside(total, p_low, p_high) | _inside(total + never, p_low, p_high)
        at, beside = np.nonzero(keep)
        fits = (block[at] + extra[beside] <= errors).all(axis=1)
        f1 = (2 * hits[at] / (supports + hits[at] + extra[beside])) @ weights
        fits &= _inside(f1, f_low, f_high)
        for i, j in zip(at[fits] + start, beside[fits], strict=True):
            if targets.printed_by(whole, missed[i].tolist(), false[j].tolist()):
                yield missed[i], false[j]


def _inside(values: Floats, low: float, high: float) -> npt.NDArray[np.bool_]:
    return (values >= low - SLACK) & (values <= high + SLACK)


def _margins(
    low: Ints, high: Ints, total: int, weights: Floats, share: tuple[float, float], most: int
) -> Ints | None:
    """Whole vectors within bounds, of sum `total`, with 1 - weights @ vector in a window.

    All coordinates but two are laid out one after the other; the last two, of the most different
    weights, follow from the sum and the window.
    """
    k, window = len(low), (1 - share[1], 1 - share[0])
    ranked = np.argsort(weights, kind="stable")
    order = np.array([*ranked[1:-1], ranked[0], ranked[-1]])
    low, high = np.maximum(low, 0)[order], np.minimum(high, total)[order]
    weights = weights[order]
    if (low > high).any():
        return np.empty((0, k), dtype=np.int64)
    below, above = np.cumsum(low[::-1])[::-1], np.cumsum(high[::-1])[::-1]
    rows = np.zeros((1, 0), dtype=np.int64)
    left, value = np.array([total], dtype=np.int64), np.zeros(1)
    for j in range(k - 2):
        first = np.maximum(low[j], left - above[j + 1])
        laid = every_integer(first, np.minimum(high[j], left - below[j + 1]), most)
        if laid is None:
            return None
        at, x = laid
        rows, left = np.column_stack([rows[at], x]), left[at] - x
        value = value[at] + weights[j] * x
        least = value + (weights[j + 1 :] * low[j + 1 :]).sum()
        free = left - below[j + 1]
        keep = least + free * weights[j + 1 :].min() <= window[1] + SLACK
        keep &= least + free * weights[j + 1 :].max() >= window[0] - SLACK
        rows, left, value = rows[keep], left[keep], value[keep]
    first, last = np.maximum(low[-2], left - high[-1]), np.minimum(high[-2], left - low[-1])
    value = value + weights[-1] * left
    slope = weights[-2] - weights[-1]
    if slope > -1e-15:
        last = np.where(_inside(value, *window), last, first - 1)
    else:
        # At most the sum lies between the ends, so the cast cannot overflow after clipping.
        ends = [(w - value) / slope for w in (window[1] + SLACK, window[0] - SLACK)]
        ends = np.clip(ends, -1, total + 1)
        first = np.maximum(first, np.ceil(ends[0]).astype(np.int64))
        last = np.minimum(last, np.floor(ends[1]).astype(np.int64))
    laid = every_integer(first, last, most)
    if laid is None:
        return None
    at, x = laid
    vectors = np.empty((len(x), k), dtype=np.int64)
    vectors[:, order] = np.column_stack([rows[at], x, left[at] - x])
    return vectors
