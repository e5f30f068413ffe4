"""Whether a macro-averaged row can come from a test set whose images a class are known.

Class i is described by its correct images d and its false positives f. Its share of every
average is a function of (d, f) alone: d/s, d/(d + f), 2d/(s + d + f), 1 - f/(n - s). The row is
impossible if no mixture of such points, class by class, reaches the printed averages: a linear
programme over the convex hulls of the classes' points (the Dantzig-Wolfe relaxation, Operations
Research 8(1):101-111, 1960). Where the points are too many, they are taken together in blocks
with the lowest and highest value in each, so that the answer "impossible" is always safe.
"Possible" means that the row is not contradicted.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

from leukbench.validity.published.rounding import Interval

Floats = npt.NDArray[np.float64]

#: Wider than the solver's own tolerance, so that no true row is lost to rounding.
SLACK = 1e-6
#: Blocks along each axis of (d, f).
BLOCKS = 32
METRICS = ("accuracy", "precision", "recall", "specificity", "f1")


def can_be_macro(
    cells: Mapping[str, Interval], supports: tuple[int, ...], harmonic_f1: bool = False
) -> bool:
    """Return False only if no confusion matrix with these supports prints the row.

    Parameters
    ----------
    cells : mapping of str to (Fraction, Fraction)
        Interval, within 0..1, of the accuracy and of each printed macro average.
    supports : tuple of int
        Images of each class in the test set, at least two classes.
    harmonic_f1 : bool, default False
        Ignore F1 because it is the harmonic mean of the printed precision and recall.

    Returns
    -------
    bool
    """
    used = {m: cells[m] for m in METRICS if m in cells and not (m == "f1" and harmonic_f1)}
    n, k = sum(supports), len(supports)
    low, high = used.get("accuracy", (0, 1))
    fewest, most = ceil(n * (1 - high)), int(n * (1 - low))
    if "recall" in used:
        most = min(most, int((1 - used["recall"][0]) * k * max(supports)))
    if fewest > most:
        return False
    columns, lows, highs = [], [], []
    for i, s in enumerate(supports):
        below, above = _class_points(s, n, k, most)
        lows.append(below)
        highs.append(above)
        columns.append(np.full(below.shape[1], i))
    below, above, owner = np.hstack(lows), np.hstack(highs), np.concatenate(columns)
    # rows of `below`/`above`: the five averages, then correct images plus false positives (= n).
    bounds = [(float(used[m][0]), float(used[m][1]), j) for j, m in enumerate(METRICS) if m in used]
    bounds.append((1.0, 1.0, len(METRICS)))
    matrix = np.vstack([side[j] for _, _, j in bounds for side in (below, -above)])
    limits = np.array([v for lo, hi, _ in bounds for v in (hi + SLACK, -lo + SLACK)])
    choose = (owner[None, :] == np.arange(k)[:, None]).astype(float)
    answer = linprog(
        np.zeros(matrix.shape[1]),
        A_ub=matrix,
        b_ub=limits,
        A_eq=choose,
        b_eq=np.ones(k),
        bounds=(0, None),
        method="highs",
    )
    return bool(answer.status != 2)


def _class_points(s: int, n: int, k: int, most: int) -> tuple[Floats, Floats]:
    """Lowest and highest contribution of one class over blocks of (errors, false positives).

    Returns two arrays of shape (6, blocks): accuracy, precision, recall, specificity and F1 (each as
    its part of the average), and (d + f) / n.
    """
    missed_low, missed_high = _blocks(min(s, most))
    false_low, false_high = _blocks(min(n - s, most))
    ml, fl = (x.ravel() for x in np.meshgrid(missed_low, false_low))
    mh, fh = (x.ravel() for x in np.meshgrid(missed_high, false_high))
    keep = ml + fl <= most
    ml, fl, mh, fh = (x[keep] for x in (ml, fl, mh, fh))
    worst = _shares(s, n, k, s - mh, fh)
    best = _shares(s, n, k, s - ml, fl)
    size_low, size_high = (s - mh + fl) / n, (s - ml + fh) / n
    # Precision without any prediction is printed as 0 or as 1: both are allowed for.
    best[1] = np.where((s - mh + fl) == 0, 1.0 / k, best[1])
    return np.vstack([worst, size_low]), np.vstack([best, size_high])


def _shares(s: int, n: int, k: int, d: Floats, f: Floats) -> Floats:
    predicted = np.maximum(d + f, 1.0)
    return np.vstack(
        [d / n, d / predicted / k, d / s / k, (1 - f / (n - s)) / k, 2 * d / (s + d + f) / k]
    )


def _blocks(top: int) -> tuple[Floats, Floats]:
    """Cut 0..top into at most BLOCKS ranges of integers, finer near 0."""
    if top < BLOCKS:
        edges = np.arange(top + 2, dtype=float)
    else:
        edges = np.unique(np.round((top + 1) * np.linspace(0, 1, BLOCKS + 1) ** 1.5))
    return edges[:-1], edges[1:] - 1
