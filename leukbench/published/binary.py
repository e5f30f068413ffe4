"""Binary rows: which counts TP, FP, FN, TN print them.

Accuracy, precision, recall, specificity, negative predictive value and F1 are quotients of two
linear forms in the four counts. ``low <= num/den <= high`` is therefore a pair of half-spaces
through the origin, and the tables of any size that print a row form a polyhedral cone, found with
the double description method (Fukuda and Prodon 1996, doi:10.1007/3-540-61576-8_77) in integers:
no tolerance, no false alarm. `find_tables` then lists the tables up to a size: true positives are
laid out from the recall, false positives from precision and F1, true negatives from the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from leukbench.published.rounding import Interval

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Vector = tuple[int, ...]

#: metric -> (numerator, denominator), coefficients of TP, FP, FN, TN.
FORMS: dict[str, tuple[Vector, Vector]] = {
    "accuracy": ((1, 0, 0, 1), (1, 1, 1, 1)),
    "precision": ((1, 0, 0, 0), (1, 1, 0, 0)),
    "recall": ((1, 0, 0, 0), (1, 0, 1, 0)),
    "specificity": ((0, 0, 0, 1), (0, 1, 0, 1)),
    "npv": ((0, 0, 0, 1), (0, 0, 1, 1)),
    "f1": ((2, 0, 0, 0), (2, 1, 1, 0)),
}
#: The same for the share of positive images, and of images that are predicted positive.
PARTS = {"positive": ((1, 0, 1, 0), (1, 1, 1, 1)), "predicted": ((1, 1, 0, 0), (1, 1, 1, 1))}
#: Candidates held in memory at once; a wider search is narrowed to smaller test sets.
BUDGET = 3_000_000
#: Tables listed one by one; more than these are only counted.
LISTED = 20_000


class Table(NamedTuple):
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
        return sum(self)

    def share(self, metric: str) -> Fraction | None:
        """Exact value of a metric of `FORMS`; None where its denominator is zero."""
        top, bottom = (_dot(form, self) for form in FORMS[metric])
        return Fraction(top, bottom) if bottom else None

    def __str__(self) -> str:
        return "/".join(map(str, tuple(self)))


@dataclass(frozen=True)
class Fits:
    """How many tables of up to `limit` images print a row; `complete` if that is as far as asked.

    `tables`, shape (m, 4), holds TP, FP, FN, TN by growing size: all, or the smallest of many.
    """

    count: int
    limit: int
    complete: bool
    tables: Ints

    @property
    def smallest(self) -> Table | None:
        """The table of the smallest test set, if any fits."""
        return Table(*(int(x) for x in self.tables[0])) if len(self.tables) else None


def extreme_rays(constraints: Mapping[str, Interval]) -> list[Vector]:
    """Return the extreme rays (TP, FP, FN, TN) of the cone of tables that print a row.

    `constraints` holds the closed interval, within 0..1, of each printed metric of `FORMS`. The
    list is empty if no table of any size fits.

    >>> half = (Fraction(1, 2), Fraction(1, 2))
    >>> extreme_rays({"precision": half, "recall": half, "f1": (Fraction(3, 5), Fraction(1))})
    []
    """
    rays: list[Vector] = [tuple(int(i == j) for j in range(4)) for i in range(4)]
    seen: list[Vector] = list(rays)
    for metric, (low, high) in constraints.items():
        top, bottom = FORMS[metric]
        for space in (_minus(top, bottom, low), tuple(-a for a in _minus(top, bottom, high))):
            rays = _cut(rays, seen, space)
            seen.append(space)
    # Every metric must have a denominator, but for 0/0 printed as 0 or 1.
    for metric, given in constraints.items():
        may_be_undefined = metric in ("precision", "npv") and _may_be_undefined(given)
        if not may_be_undefined and not any(_dot(FORMS[metric][1], ray) for ray in rays):
            return []
    return rays


def bounds(rays: list[Vector], metric: str) -> Interval | None:
    """Smallest and largest value of a metric of `FORMS` or `PARTS` over a cone; None if undefined.

    A quotient of two linear forms takes its extremes over a cone on the cone's extreme rays.
    """
    top, bottom = (FORMS | PARTS)[metric]
    values = [Fraction(_dot(top, r), _dot(bottom, r)) for r in rays if _dot(bottom, r)]
    return (min(values), max(values)) if values else None


def find_tables(
    constraints: Mapping[str, Interval],
    limit: int = 1000,
    total: int | None = None,
    positives: int | None = None,
) -> Fits:
    """Find every binary table, with at least one image of each class, that prints a row.

    Up to `limit` images, or of exactly `total` images, `positives` of them of the positive class,
    where those are printed. The one table of 63 images from two decimals of a percent:

    >>> cells = {"precision": (Fraction(8947, 10000), Fraction(8948, 10000)),
    ...          "recall": (Fraction(5312, 10000), Fraction(5313, 10000)),
    ...          "accuracy": (Fraction(7301, 10000), Fraction(7302, 10000))}
    >>> str(find_tables(cells, total=63).smallest)
    '17/2/15/29'
    """
    size = wanted = total or limit
    while True:
        tables = _search(constraints, size, total, positives)
        if tables is not None:
            return Fits(tables[0], size, size == wanted, tables[1])
        if size <= 32 or total is not None:
            return Fits(0, 0, False, np.empty((0, 4), dtype=np.int64))
        size //= 2


def every_integer(low: Ints, high: Ints, most: int = BUDGET) -> tuple[Ints, Ints] | None:
    """All integers of many ranges: their range's index and their value; None beyond `most`."""
    lengths = np.maximum(high - low + 1, 0)
    size = int(lengths.sum())
    if size > most:
        return None
    at = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
    return at, np.arange(size, dtype=np.int64) - (np.cumsum(lengths) - lengths)[at] + low[at]


def _search(
    constraints: Mapping[str, Interval], size: int, total: int | None, stated: int | None
) -> tuple[int, Ints] | None:
    """Count and tables up to `size`, or None if that takes more than the budget."""
    positives = np.arange(1, size, dtype=np.int64)
    if stated is not None:
        positives = positives[positives == stated]
    low, high = np.zeros_like(positives), positives
    if (given := constraints.get("recall")) is not None:
        (a, b), (c, d) = (end.as_integer_ratio() for end in given)
        low, high = _ceil(positives * a, b), positives * c // d
    rows = every_integer(low, high)
    if rows is None:
        return None
    at, tp = rows
    fn = positives[at] - tp

    low, high = np.zeros_like(tp), size - tp - fn
    for metric, top, base in (("precision", tp, tp), ("f1", 2 * tp, 2 * tp + fn)):
        if (given := constraints.get(metric)) is not None:
            low, high = bottom_range(low, high, top, base, given)
    rows = every_integer(low, high)
    if rows is None:
        return None
    at, fp = rows
    tp, fn = tp[at], fn[at]
    if (given := constraints.get("precision")) is not None and not _may_be_undefined(given):
        tp, fp, fn = (x[tp + fp > 0] for x in (tp, fp, fn))
    low, high = _true_negatives(constraints, tp, fp, fn, size, total)
    keep = high >= low
    tp, fp, fn, low, high = (x[keep] for x in (tp, fp, fn, low, high))
    count = int((high - low + 1).sum())
    at, tn = every_integer(low, low if count > LISTED else high) or (low[:0], low[:0])
    tables = np.stack([tp[at], fp[at], fn[at], tn], axis=1)
    tables = tables[np.lexsort((tables[:, 2], tables[:, 1], tables.sum(axis=1)))]
    return count, tables[:LISTED]


def _true_negatives(
    constraints: Mapping[str, Interval], tp: Ints, fp: Ints, fn: Ints, size: int, total: int | None
) -> tuple[Ints, Ints]:
    """Fewest and most true negatives with which each (TP, FP, FN) prints the row."""
    rest = tp + fp + fn
    low, high = np.where(fp == 0, 1, 0), size - rest
    if total is not None:
        low = np.maximum(low, total - rest)
    for metric, top, base in (
        ("accuracy", tp, rest),
        ("specificity", np.zeros_like(fp), fp),
        ("npv", np.zeros_like(fn), fn),
    ):
        if (given := constraints.get(metric)) is not None:
            low, high = _both_range(low, high, top, base, given)
    if (given := constraints.get("npv")) is not None and not _may_be_undefined(given):
        low = np.where(fn == 0, np.maximum(low, 1), low)
    return low, high


def _may_be_undefined(given: Interval) -> bool:
    """Whether a printed share may stand for 0/0, which software prints as 0 or 1."""
    return given[0] == 0 or given[1] == 1


def _ceil(top: Ints, bottom: int) -> Ints:
    return -((-top) // bottom)


def bottom_range(
    low: Ints, high: Ints, top: Ints, base: Ints, given: Interval
) -> tuple[Ints, Ints]:
    """Narrow x by ``given[0] <= top / (base + x) <= given[1]``."""
    (a, b), (c, d) = given[0].as_integer_ratio(), given[1].as_integer_ratio()
    if a > 0:
        high = np.minimum(high, top * b // a - base)
    if c > 0:
        return np.maximum(low, _ceil(top * d, c) - base), high
    return low, np.where(top > 0, -1, high)


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


def _minus(top: Vector, bottom: Vector, bound: Fraction) -> Vector:
    """The half-space ``top / bottom >= bound`` as integers."""
    a, b = bound.as_integer_ratio()
    return tuple(b * t - a * u for t, u in zip(top, bottom, strict=True))


def _dot(a: Vector, b: Vector) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _cut(rays: list[Vector], seen: list[Vector], space: Vector) -> list[Vector]:
    """One step of the double description method: keep what lies on the right side of `space`."""
    sides = [(_dot(space, ray), ray) for ray in rays]
    kept = [ray for side, ray in sides if side >= 0]
    if len(kept) == len(rays):
        return kept
    tight = {ray: frozenset(i for i, k in enumerate(seen) if not _dot(k, ray)) for ray in rays}
    inside = [(side, ray) for side, ray in sides if side > 0]
    outside = [(side, ray) for side, ray in sides if side < 0]
    for up, ray in inside:
        for down, other in outside:
            common = tight[ray] & tight[other]
            if any(common <= tight[r] for r in rays if r not in (ray, other)):
                continue
            new = tuple(up * o - down * i for i, o in zip(ray, other, strict=True))
            kept.append(tuple(x // gcd(*new) for x in new))
    return kept
