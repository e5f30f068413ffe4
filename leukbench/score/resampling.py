"""Cluster bootstrap: whole groups drawn with replacement, all scores of all resamples at once.

The images of one patient or slide are alike, so that the group, not the image, is what another
sample would have drawn anew (Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x). A
resample is a vector of how often each group was drawn; every score is written in terms of weighted
counts, so that 2,000 resamples are a few sparse products instead of 2,000 calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from leukbench.score.arrays import Arrays, FloatArray, IntArray
from leukbench.score.calibration import BINS, bin_of, confidence_and_hit
from leukbench.score.metrics import COUNT_METRICS, mean_over_classes, ratio, scores_from_counts

RESAMPLES = 2000
_CELLS_AT_ONCE = 4_000_000

Weights = NDArray[np.float32]


def weight_chunks(n_groups: int, resamples: int, seed: int) -> Iterator[Weights]:
    """Draw groups with replacement, in chunks that keep memory bounded.

    Parameters
    ----------
    n_groups : int
        Groups to draw from; each resample draws that many.
    resamples : int
        How many resamples in all.
    seed : int
        Of the random generator: the same seed gives the same resamples.

    Yields
    ------
    numpy.ndarray of float32, shape (n_groups, resamples in this chunk)
        How often each group was drawn.
    """
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS_AT_ONCE // n_groups)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, n_groups, size=(n_groups, size))
        cells = drawn * size + np.arange(size)
        counts = np.bincount(cells.ravel(), minlength=n_groups * size)
        yield counts.reshape(n_groups, size).astype(np.float32)


def _weighted_sums(
    rows: IntArray, groups: IntArray, values: FloatArray, n_rows: int, weights: Weights
) -> Weights:
    """Sum `values` by row with each image weighing what its group weighs: (n_rows, resamples)."""
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

    gained = sums(is_positive)[:-1]
    false = sums(above)
    if beside.any():
        tied = sums(beside)
        false_so_far = _accumulate(false + tied)
        negatives, below = false_so_far[-1], tied[:-1] * np.float32(0.5)
    else:
        false_so_far = _accumulate(false)
        negatives, below = false_so_far[-1], np.zeros(1, dtype=np.float32)
    found = _accumulate(gained.copy())
    concordant = (gained * (negatives - false_so_far[:-1] + below)).sum(axis=0, dtype=np.float64)
    positives = found[-1].astype(np.float64)
    area = ratio(concordant, positives * negatives)
    called = found + false_so_far[:-1]
    np.maximum(called, np.float32(1), out=called)
    precision = np.einsum("ij,ij->j", gained, found / called, dtype=np.float64)
    return area, ratio(precision, positives)


def resampled_scores(
    a: Arrays, groups: IntArray, weights: Weights, metrics: Sequence[str]
) -> dict[str, FloatArray]:
    """Score one trial under every resample.

    Parameters
    ----------
    a : Arrays
        The trial's predictions.
    groups : numpy.ndarray of int64, shape (n,)
        Group number of each image of `a`.
    weights : numpy.ndarray of float32, shape (number of groups, resamples)
        From `weight_chunks`.
    metrics : sequence of str
        Which of `leukbench.score.metrics.METRICS`.

    Returns
    -------
    dict of str to numpy.ndarray, shape (resamples,)
        The definitions are those of `leukbench.score.metrics.trial_scores`.
    """
    k, asked, resamples = len(a.classes), set(metrics), weights.shape[1]
    scores: dict[str, FloatArray] = {}
    ones = np.ones(len(a.truth))
    if asked & set(COUNT_METRICS):
        cells = _weighted_sums(a.truth * k + a.predicted, groups, ones, k * k, weights)
        scores |= scores_from_counts(cells.reshape(k, k, resamples))
    p, q = a.probabilities, a.distribution
    if p is None or q is None:
        nothing = np.full(resamples, np.nan)
        return {name: scores.get(name, nothing) for name in metrics}

    def sum_of(values: FloatArray) -> FloatArray:
        by_group = np.bincount(groups, weights=values, minlength=len(weights)).astype(np.float32)
        return np.asarray(by_group @ weights, dtype=np.float64)

    images = sum_of(ones)

    if "brier" in asked:
        scores["brier"] = sum_of(((q - np.eye(k)[a.truth]) ** 2).sum(axis=1)) / images
    if "log_loss" in asked:
        of_truth = q[np.arange(len(q)), a.truth]
        clipped = np.maximum(of_truth, np.finfo(np.float64).eps)
        scores["log_loss"] = sum_of(-np.log(clipped)) / images
    if "ece" in asked:
        confidence, hit = confidence_and_hit(q, a.truth)
        gaps = _weighted_sums(bin_of(confidence), groups, hit - confidence, BINS, weights)
        scores["ece"] = np.abs(gaps).sum(axis=0, dtype=np.float64) / images
    if asked & {"auroc", "average_precision"}:
        present = np.unique(a.truth)
        pairs = [_ranking_scores(p[:, c], a.truth == c, groups, weights) for c in present]
        scores["auroc"] = mean_over_classes(np.array([area for area, _ in pairs]))
        scores["average_precision"] = mean_over_classes(np.array([ap for _, ap in pairs]))
    return {name: scores[name] for name in metrics}
