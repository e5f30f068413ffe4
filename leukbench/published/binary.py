"""The integer tables TP, FP, FN, TN that print a given binary row.

Everything is integer arithmetic on whole arrays: positives and true positives are laid out from
the recall, false positives from precision and F1, true negatives from accuracy, specificity and
negative predictive value. No candidate is tried twice, and none that a printed number already
excludes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from leukbench.published.cone import FORMS
from leukbench.published.rounding import Interval

Ints = npt.NDArray[np.int64]

#: Candidates held in memory at once; a wider search is narrowed to smaller test sets.
BUDGET = 3_000_000
#: Tables listed one by one; more than these are only counted.
LISTED = 20_000


@dataclass(frozen=True)
class Table:
    """A binary confusion matrix; all four counts are images."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def positives(self) -> int:
        """Images of the positive class."""
        return self.tp + self.fn

    @property
    def negatives(self) -> int:
        """Images of the negative class."""
        return self.fp + self.tn

    @property
    def n(self) -> int:
        """Images in the test set."""
        return self.positives + self.negatives

    def share(self, metric: str) -> Fraction | None:
        """Exact value of a metric of `FORMS`; None where its denominator is zero."""
        top, bottom = FORMS[metric]
        counts = (self.tp, self.fp, self.fn, self.tn)
        below = sum(a * b for a, b in zip(bottom, counts, strict=True))
        return (
            Fraction(sum(a * b for a, b in zip(top, counts, strict=True)), below) if below else None
        )

    def __str__(self) -> str:
        return f"{self.tp}/{self.fp}/{self.fn}/{self.tn}"


@dataclass(frozen=True)
class Fits:
    """All tables that print a row, up to a size.

    Attributes
    ----------
    count : int
        How many tables fit.
    limit : int
        Largest test set that was searched.
    complete : bool
        False if the row says so little that the search was narrowed to `limit`.
    tables : ndarray of int64, shape (m, 4)
        TP, FP, FN, TN by growing size; all of them if there are few, else the smallest ones.
    """

    count: int
    limit: int
    complete: bool
    tables: Ints

    @property
    def smallest(self) -> Table | None:
        """The table of the smallest test set, if any fits."""
        return Table(*(int(x) for x in self.tables[0])) if len(self.tables) else None


def find_tables(
    constraints: Mapping[str, Interval],
    limit: int = 1000,
    total: int | None = None,
    positives: int | None = None,
) -> Fits:
    """Find every binary table, with at least one image of each class, that prints a row.

    Parameters
    ----------
    constraints : mapping of str to (Fraction, Fraction)
        Closed interval, within 0..1, of each printed metric; names as in `cone.FORMS`.
    limit : int, default 1000
        Largest test set to search, in images.
    total : int, optional
        The size of the test set where it is known; replaces `limit`.
    positives : int, optional
        Images of the positive class where that is known.

    Returns
    -------
    Fits

    Examples
    --------
    The one table of 63 images with 17/19 precision and 17/32 recall, from two decimals of a percent:

    >>> cells = {"precision": (Fraction(8947, 10000), Fraction(8948, 10000)),
    ...          "recall": (Fraction(5312, 10000), Fraction(5313, 10000)),
    ...          "accuracy": (Fraction(7301, 10000), Fraction(7302, 10000))}
    >>> str(find_tables(cells, total=63).smallest)
    '17/2/15/29'
    """
    wanted = total or limit
    size = wanted
    while True:
        found = _search(constraints, size, total, positives)
        if found is not None:
            count, tables = found
            return Fits(count, size, size == wanted, tables)
        if size <= 32 or total is not None:
            return Fits(0, 0, False, np.empty((0, 4), dtype=np.int64))
        size //= 2


def _search(
    constraints: Mapping[str, Interval], size: int, total: int | None, known: int | None
) -> tuple[int, Ints] | None:
    """Count and tables up to `size`, or None if that takes more than the budget."""
    positives = np.arange(1, size, dtype=np.int64)
    if known is not None:
        positives = positives[positives == known]
    low, high = _within(np.zeros_like(positives), positives, constraints.get("recall"), positives)
    rows = _spread(low, high)
    if rows is None:
        return None
    at, tp = rows
    fn = positives[at] - tp

    low, high = np.zeros_like(tp), size - 1 - tp - fn
    if (given := constraints.get("precision")) is not None:
        low, high = _bottom_range(low, high, tp, tp, given)
    if (given := constraints.get("f1")) is not None:
        low, high = _bottom_range(low, high, 2 * tp, 2 * tp + fn, given)
    rows = _spread(low, high)
    if rows is None:
        return None
    at, fp = rows
    tp, fn = tp[at], fn[at]
    if "precision" in constraints:
        keep = (tp + fp > 0) | _degenerate(constraints["precision"])
        tp, fp, fn = tp[keep], fp[keep], fn[keep]

    rest = tp + fp + fn
    low, high = np.where(fp == 0, 1, 0), size - rest
    if total is not None:
        low = np.maximum(low, total - rest)
    for metric, top, bottom in (
        ("accuracy", tp, rest),
        ("specificity", np.zeros_like(fp), fp),
        ("npv", np.zeros_like(fn), fn),
    ):
        if (given := constraints.get(metric)) is not None:
            low, high = _both_range(low, high, top, bottom, given)
    if "npv" in constraints and not _degenerate(constraints["npv"]):
        low = np.where(fn == 0, np.maximum(low, 1), low)
    counts = np.maximum(high - low + 1, 0)
    keep = counts > 0
    tp, fp, fn, low, high, counts = (x[keep] for x in (tp, fp, fn, low, high, counts))
    count = int(counts.sum())
    if count > LISTED:
        high = low
    at, tn = _spread(low, high) or (np.empty(0, np.int64), np.empty(0, np.int64))
    tables = np.stack([tp[at], fp[at], fn[at], tn], axis=1)
    tables = tables[np.lexsort((tables[:, 2], tables[:, 1], tables.sum(axis=1)))]
    return count, tables[:LISTED]


def _degenerate(given: Interval) -> bool:
    """Whether a printed share may stand for 0/0, which software prints as 0 or 1."""
    return given[0] == 0 or given[1] == 1


def _ceil(top: Ints, bottom: int) -> Ints:
    return -((-top) // bottom)


def _within(low: Ints, high: Ints, given: Interval | None, whole: Ints) -> tuple[Ints, Ints]:
    """Narrow ``low <= x <= high`` by ``given[0] <= x / whole <= given[1]``."""
    if given is None:
        return low, high
    (a, b), (c, d) = given[0].as_integer_ratio(), given[1].as_integer_ratio()
    return np.maximum(low, _ceil(whole * a, b)), np.minimum(high, whole * c // d)


def _bottom_range(
    low: Ints, high: Ints, top: Ints, base: Ints, given: Interval
) -> tuple[Ints, Ints]:
    """Narrow x by ``given[0] <= top / (base + x) <= given[1]``."""
    (a, b), (c, d) = given[0].as_integer_ratio(), given[1].as_integer_ratio()
    if a > 0:
        high = np.minimum(high, top * b // a - base)
    if c > 0:
        low = np.maximum(low, _ceil(top * d, c) - base)
    else:
        high = np.where(top > 0, -1, high)
    return low, high


def _both_range(low: Ints, high: Ints, top: Ints, base: Ints, given: Interval) -> tuple[Ints, Ints]:
    """Narrow x by ``given[0] <= (top + x) / (base + x) <= given[1]``, where ``top <= base``."""
    (a, b), (c, d) = given[0].as_integer_ratio(), given[1].as_integer_ratio()
    if a < b:
        low = np.maximum(low, _ceil(a * base - b * top, b - a))
    else:
        high = np.where(top < base, -1, high)
    if c < d:
        high = np.minimum(high, (c * base - d * top) // (d - c))
    return low, high


def _spread(low: Ints, high: Ints) -> tuple[Ints, Ints] | None:
    """All integers of many ranges: their range's index and their value; None beyond the budget."""
    lengths = np.maximum(high - low + 1, 0)
    size = int(lengths.sum())
    if size > BUDGET:
        return None
    at = np.repeat(np.arange(len(low), dtype=np.int64), lengths)
    start = np.cumsum(lengths) - lengths
    return at, np.arange(size, dtype=np.int64) - start[at] + low[at]
