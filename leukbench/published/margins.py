"""The margins of confusion matrices that print a macro-averaged row, listed exhaustively.

Class i enters every average through its missed images m_i and its false positives f_i alone.
Recall is linear in the misses and specificity in the false positives, so both are listed apart,
each from its own cell; only pairs of lists are then held against precision and F1. A matrix with
margins (m, f) exists if and only if both add up to the same number of errors and no class has
m_i + f_i above it (Hall's condition for a transportation problem whose diagonal is forbidden).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from leukbench.published.targets import Targets

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Wider than the error of the sums below; what passes is checked in fractions.
SLACK = 1e-9
#: Pairs of lists held in memory at once.
CHUNK = 500_000


def misses(low: Ints, high: Ints, errors: int, supports: Ints, targets: Targets, most: int) -> Ints:
    """List the misses a class, within bounds, that print the recall.

    Parameters
    ----------
    low, high : ndarray of int, shape (k,)
        Bounds, inclusive, of each class' misses.
    errors : int
        Their sum.
    supports : ndarray of int, shape (k,)
        Images of each class.
    targets : Targets
    most : int
        Vectors listed at most.

    Returns
    -------
    ndarray of int, shape (vectors, k)

    Raises
    ------
    OverflowError
        If there are more than `most`.
    """
    bottom, top = targets.window("recall")
    high = np.minimum(high, np.minimum(supports, errors))
    window = ((1 - top) * len(supports), (1 - bottom) * len(supports))
    return _vectors(np.maximum(low, 0), high, errors, 1 / supports, window, most)


def false_positives(
    low: Ints, high: Ints, errors: int, supports: Ints, targets: Targets, most: int
) -> Ints:
    """List the false positives a class that print the specificity; as `misses`."""
    bottom, top = targets.window("specificity")
    others = supports.sum() - supports
    high = np.minimum(high, np.minimum(others, errors))
    window = ((1 - top) * len(supports), (1 - bottom) * len(supports))
    return _vectors(np.maximum(low, 0), high, errors, 1 / others, window, most)


def fitting(
    missed: Ints, false: Ints, errors: int, supports: Ints, targets: Targets
) -> Iterator[tuple[Ints, Ints]]:
    """Yield every pair out of two lists that prints the whole row, checked in fractions.

    Parameters
    ----------
    missed, false : ndarray of int, shapes (a, k) and (b, k)
        From `misses` and `false_positives`.
    errors : int
        Their common sum.
    supports : ndarray of int, shape (k,)
    targets : Targets
    """
    if not len(missed) or not len(false):
        return
    k, whole = len(supports), [int(s) for s in supports]
    (p_low, p_high), (f_low, f_high) = targets.window("precision"), targets.window("f1")
    extra = false.astype(float)
    step = max(1, CHUNK // len(false))
    for start in range(0, len(missed), step):
        block = missed[start : start + step].astype(float)
        hits = supports - block
        total, never = np.zeros((len(block), len(false))), 0.0
        for i in range(k):
            called = hits[:, i, None] + extra[None, :, i]
            if not hits[:, i].min():
                never = never + (called == 0)
                called = np.maximum(called, 1.0)
            total += hits[:, i, None] / called
        # All classes that are never predicted count 0, or all count 1.
        keep = _inside(total, p_low * k, p_high * k) | _inside(total + never, p_low * k, p_high * k)
        at, beside = np.nonzero(keep)
        fits = (block[at] + extra[beside] <= errors).all(axis=1)
        f1 = (2 * hits[at] / (supports + hits[at] + extra[beside])).sum(axis=1)
        fits &= _inside(f1, f_low * k, f_high * k)
        for i, j in zip(at[fits] + start, beside[fits], strict=True):
            if targets.printed_by(whole, missed[i].tolist(), false[j].tolist()):
                yield missed[i], false[j]


def _inside(values: Floats, low: float, high: float) -> npt.NDArray[np.bool_]:
    return (values >= low - SLACK) & (values <= high + SLACK)


def _vectors(
    low: Ints, high: Ints, total: int, weights: Floats, window: tuple[float, float], most: int
) -> Ints:
    """Whole vectors within bounds, of a given sum, whose weighted sum lies in a window.

    All coordinates but two are laid out one after the other; the last two, of the most different
    weights, follow from the sum and the window.
    """
    k = len(low)
    ranked = np.argsort(weights, kind="stable")
    order = np.array([*ranked[1:-1], ranked[0], ranked[-1]])
    low, high, weights = low[order], high[order], weights[order]
    if (low > high).any():
        return np.empty((0, k), dtype=np.int64)
    below, above = np.cumsum(low[::-1])[::-1], np.cumsum(high[::-1])[::-1]
    rows = np.zeros((1, 0), dtype=np.int64)
    left, value = np.array([total], dtype=np.int64), np.zeros(1)
    for j in range(k - 2):
        at, x = _spread(
            np.maximum(low[j], left - above[j + 1]),
            np.minimum(high[j], left - below[j + 1]),
            most,
        )
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
        ends = np.clip(
            [(w - value) / slope for w in (window[1] + SLACK, window[0] - SLACK)], -1, total + 1
        )
        first = np.maximum(first, np.ceil(ends[0]).astype(np.int64))
        last = np.minimum(last, np.floor(ends[1]).astype(np.int64))
    at, x = _spread(first, last, most)
    vectors = np.empty((len(x), k), dtype=np.int64)
    vectors[:, order] = np.column_stack([rows[at], x, left[at] - x])
    return vectors


def _spread(first: Ints, last: Ints, most: int) -> tuple[Ints, Ints]:
    """All whole numbers of many ranges: the range's index and the number."""
    lengths = np.maximum(last - first + 1, 0)
    size = int(lengths.sum())
    if size > most:
        raise OverflowError(f"{size} vectors are more than {most}")
    at = np.repeat(np.arange(len(lengths)), lengths)
    return at, np.arange(size) - (np.cumsum(lengths) - lengths)[at] + first[at]
