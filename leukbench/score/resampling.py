"""Cluster bootstrap: whole groups drawn with replacement, all scores of all resamples at once.

The images of one patient or slide are alike, so that the group, not the image, is what another
sample would have drawn anew (Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x). A
resample is a vector of how often each group was drawn; every score is written in terms of weighted
counts, so that 2,000 resamples are a few sparse products instead of 2,000 calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from leukbench.score.arrays import Arrays, FloatArray, IntArray
from leukbench.score.counts import mean_over_classes, ratio

RESAMPLES = 2000
_CELLS_AT_ONCE = 4_000_000

Weights = NDArray[np.float32]


def weight_chunks(n_groups: int, resamples: int, seed: int) -> Iterator[Weights]:
    """Draw `n_groups` groups with replacement, in chunks that keep memory bounded.

    Yields
    ------
    numpy.ndarray of float32, shape (n_groups, resamples in this chunk)
        How often each group was drawn; the same seed gives the same resamples.
    """
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS_AT_ONCE // n_groups)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, n_groups, size=(n_groups, size))
        cells = drawn * size + np.arange(size)
        counts = np.bincount(cells.ravel(), minlength=n_groups * size)
        yield counts.reshape(n_groups, size).astype(np.float32)


@dataclass(frozen=True)
class Resampled:
    """One trial's predictions under many resamples: what metrics are computed from.

    Attributes
    ----------
    a : Arrays
    groups : numpy.ndarray of int64, shape (n,)
        Group number of each image.
    weights : numpy.ndarray of float32, shape (groups, resamples)
        From `weight_chunks`.
    """

    a: Arrays
    groups: IntArray
    weights: Weights

    def sums(self, rows: IntArray, values: FloatArray, n_rows: int) -> Weights:
        """Sum one value an image by row, weighted: shape (n_rows, resamples)."""
        return _weighted_sums(rows, self.groups, values, n_rows, self.weights)

    def mean(self, values: FloatArray) -> FloatArray:
        """Mean of one value an image, shape (resamples,)."""
        return self._total(values) / self._total(np.ones(len(values)))

    def _total(self, values: FloatArray) -> FloatArray:
        by_group = np.bincount(self.groups, weights=values, minlength=len(self.weights))
        return np.asarray(by_group.astype(np.float32) @ self.weights, dtype=np.float64)

    def samples(self) -> Iterator[Arrays]:
        """Each resample image by image: slow, for metrics that know no faster way."""
        for weights in self.weights.T:
            times = weights[self.groups].astype(np.int64)
            yield self.a.take(np.repeat(np.arange(len(times)), times))

    @cached_property
    def counts(self) -> FloatArray:
        """Confusion matrices, shape (classes, classes, resamples)."""
        k = len(self.a.classes)
        cells = self.sums(self.a.truth * k + self.a.predicted, np.ones(len(self.a.truth)), k * k)
        return cells.reshape(k, k, -1).astype(np.float64)

    @cached_property
    def ranking(self) -> tuple[FloatArray, FloatArray]:
        """Macro AUROC and macro average precision, each of shape (resamples,)."""
        pairs = [
            _ranking_scores(self.a.ranking[:, c], self.a.truth == c, self.groups, self.weights)
            for c in np.unique(self.a.truth)
        ]
        areas, precisions = (np.array(scores) for scores in zip(*pairs, strict=True))
        return mean_over_classes(areas), mean_over_classes(precisions)


def _weighted_sums(
    rows: IntArray, groups: IntArray, values: FloatArray, n_rows: int, weights: Weights
) -> Weights:
    table = coo_array((values, (rows, groups)), shape=(n_rows, weights.shape[0]))
    sums: Weights = table.tocsr().astype(np.float32) @ weights
    return sums


def _accumulate(rows: Weights) -> Weights:
    """Add up rows from the top, in place: several times faster than ``cumsum`` over long rows."""
    for above, row in pairwise(rows):
        row += above
    return rows


def _ranking_scores(
    score: FloatArray, positive: NDArray[np.bool_], groups: IntArray, weights: Weights
) -> tuple[FloatArray, FloatArray]:
    """AUROC and average precision of one class against the rest, each of shape (resamples,).

    Images are put in falling order of their score. Only thresholds at which a positive stands
    matter: the area counts, for each positive, the negatives below it and half of those beside it
    (Mann and Whitney); average precision adds up the precision at each. NaN where a resample has
    no positive (both) or no negative (area).
    """
    order = np.argsort(-score, kind="stable")
    ordered, is_positive, group = score[order], positive[order], groups[order]
    tie = np.concatenate([[0], np.cumsum(ordered[1:] != ordered[:-1])])
    holds_positive = np.bincount(tie, weights=is_positive) > 0
    thresholds = int(holds_positive.sum())
    # a tie without positives goes to the next threshold, or to the row after the last one
    row_of_tie: IntArray = np.cumsum(holds_positive) - holds_positive
    row: IntArray = row_of_tie[tie]
    beside = holds_positive[tie] & ~is_positive
    above = ~holds_positive[tie]

    def sums(mask: NDArray[np.bool_]) -> Weights:
        ones = np.ones(int(mask.sum()))
        return _weighted_sums(row[mask], group[mask], ones, thresholds + 1, weights)

    gained, tied = sums(is_positive)[:-1], sums(beside)
    false_so_far = _accumulate(sums(above) + tied)
    negatives, below = false_so_far[-1], tied[:-1] * np.float32(0.5)
    true_so_far = _accumulate(gained.copy())
    concordant = (gained * (negatives - false_so_far[:-1] + below)).sum(axis=0, dtype=np.float64)
    positives = true_so_far[-1].astype(np.float64)
    area = ratio(concordant, positives * negatives)
    called = np.maximum(true_so_far + false_so_far[:-1], np.float32(1))
    precision = np.einsum("ij,ij->j", gained, true_so_far / called, dtype=np.float64)
    return area, ratio(precision, positives)
