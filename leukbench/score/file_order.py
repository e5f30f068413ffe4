"""Does it matter which files stand side by side? Errors along the order of files, class by class.

Files that were photographed one after the other are alike although no group says so: their errors come
together, intervals that count images are too narrow, and a leader may owe its place to one slide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from leukbench.score.arrays import FloatArray, IntArray, TrialPredictions
from leukbench.score.comparisons import Comparison
from leukbench.score.intervals import CONFIDENCE, clusters, proportion_interval
from leukbench.score.members import ModelTrials, models_of, rankable
from leukbench.score.paired import SWAPS, holm, swap_p, swapped_sums

LENGTHS = (5, 10, 20, 40)
"""Neighbouring files that are taken for one group."""

Key = Callable[[str], Any]
"""Sort key of file names, such as `leukbench.data.splits.natural_key`: numbers by their value."""

WINDOW = 10
PERMUTATIONS = 999


@dataclass(frozen=True)
class FileOrder:
    """What the order of files says.

    Attributes
    ----------
    dependence : pandas.DataFrame
        ``model``, ``p`` of the permutation test, ``p_holm`` over the ranked models.
    intervals : pandas.DataFrame
        ``model``, ``length`` (files in a group), ``design_effect``, ``low``, ``high`` of accuracy.
    leaders : dict of int to tuple of str
        By length: the best model and those that cannot be told apart from it, where neighbours are one
        group besides what the comparison counts as one.
    alpha : float
    """

    dependence: pd.DataFrame
    intervals: pd.DataFrame
    leaders: dict[int, tuple[str, ...]]
    alpha: float

    @property
    def dependent(self) -> bool:
        """Whether any model's errors depend on the order of files."""
        return bool((self.dependence["p_holm"] < self.alpha).any())

    def changes(self, leaders: Sequence[str]) -> int | None:
        """The shortest length at which other models lead too; None where none do, or order is free."""
        if not self.dependent:
            return None
        return next((n for n, own in self.leaders.items() if set(own) - set(leaders)), None)


def runs_of(order: IntArray, labels: IntArray, length: int) -> IntArray:
    """Number groups of `length` neighbouring files within each class; `order` is that of `in_order`."""
    group = np.empty(len(order), dtype=np.int64)
    start = 0
    for label in np.unique(labels):
        members = order[labels[order] == label]
        # a last run of less than half a length joins the one before it
        runs = max(1, round(len(members) / length))
        group[members] = start + np.minimum(np.arange(len(members)) // length, runs - 1)
        start += runs
    return group


def in_order(images: Sequence[str], labels: IntArray, key: Key) -> IntArray:
    """Positions of the images class by class, in the order that `key` gives their names."""
    order = sorted(range(len(images)), key=lambda i: (labels[i], key(images[i])))
    return np.array(order, dtype=np.int64)


def dependence_p(
    values: FloatArray, labels: IntArray, permutations: int = PERMUTATIONS, seed: int = 0
) -> float:
    """Test whether values of neighbouring files are alike.

    The statistic is the sum of squares of moving sums over `WINDOW` neighbours of a class, each value
    less its class's mean; images are exchanged at random within their class (p with the observed one
    counted, Phipson and Smyth 2010, doi:10.2202/1544-6115.1585).

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
        One number an image, in the order of files.
    labels : numpy.ndarray of int64, shape (n,)
    """
    rng = np.random.default_rng(seed)
    statistic = np.zeros(permutations + 1)
    for label in np.unique(labels):
        own = values[labels == label]
        own = own - own.mean()
        if len(own) <= WINDOW:
            continue
        drawn = np.vstack([own, rng.permuted(np.tile(own, (permutations, 1)), axis=1)])
        total = np.cumsum(np.pad(drawn, ((0, 0), (1, 0))), axis=1)
        statistic += ((total[:, WINDOW:] - total[:, :-WINDOW]) ** 2).sum(axis=1)
    return float(np.mean(statistic >= statistic[0] - 1e-9))


def file_order(
    trials: Iterable[TrialPredictions],
    comparison: Comparison,
    key: Key,
    *,
    lengths: Sequence[int] = LENGTHS,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> FileOrder | None:
    """Look at the ranked models that were tested on most folds; None where there are fewer than two.

    `comparison` is that of the same trials: a pair differs where it does so there and where runs of
    neighbours are swapped whole, after Holm.
    """
    models = rankable(models_of(trials))
    most = max((len(model.by_fold) for model in models), default=0)
    models = [model for model in models if len(model.by_fold) == most]
    if len(models) < 2:
        return None
    images = models[0].mean_over_trials()[0]
    values = np.array([model.mean_over_trials()[1] for model in models])
    labels = _labels(models[0], images)
    names = [model.model for model in models]
    order = in_order(images, labels, key)
    p = np.array([dependence_p(row[order], labels[order], seed=seed) for row in values])
    rows, leaders = [], {}
    for length in lengths:
        runs = runs_of(order, labels, length)
        for name, row in zip(names, values, strict=True):
            bounds = proportion_interval(row, runs, confidence, labels)
            effect = clusters(row, runs, labels).design_effect
            rows.append((name, length, effect, bounds.low, bounds.high))
        leaders[length] = _leaders(names, values, runs, comparison, seed)
    return FileOrder(
        pd.DataFrame({"model": names, "p": p, "p_holm": holm(p)}),
        pd.DataFrame(rows, columns=["model", "length", "design_effect", "low", "high"]),
        leaders,
        comparison.alpha,
    )


def _labels(model: ModelTrials, images: Sequence[str]) -> IntArray:
    truth: dict[str, int] = {}
    for member in model.members:
        truth |= dict(zip(member.arrays.images.tolist(), member.arrays.truth.tolist(), strict=True))
    return np.array([truth[image] for image in images], dtype=np.int64)


def _leaders(
    names: Sequence[str], values: FloatArray, runs: IntArray, comparison: Comparison, seed: int
) -> tuple[str, ...]:
    swapped = swapped_sums(values, runs, SWAPS, seed)
    decided = {
        frozenset((a, b)): p
        for a, b, p in comparison.pairs[["model_a", "model_b", "p"]].itertuples(index=False)
    }
    pairs = list(combinations(range(len(names)), 2))
    p = [
        max(
            swap_p(swapped[:, a], swapped[:, b], float((values[a] - values[b]).sum())),
            float(decided.get(frozenset((names[a], names[b])), 1.0)),
        )
        for a, b in pairs
    ]
    adjusted = dict(zip(pairs, holm(np.array(p)), strict=True))
    best = int(values.mean(axis=1).argmax())
    same = [m for (a, b), q in adjusted.items() if best in (a, b) and q >= comparison.alpha
            for m in (a, b) if m != best]  # fmt: skip
    return tuple(names[m] for m in sorted({best, *same}, key=lambda m: -values[m].mean()))
