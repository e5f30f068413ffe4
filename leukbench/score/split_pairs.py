"""What leakage adds: models trained on two splits of the same images, tested on the same images."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from leukbench.errors import DataError
from leukbench.score.arrays import FloatArray, Groups, IntArray, TrialPredictions, group_codes
from leukbench.score.intervals import CONFIDENCE, Clusters, clusters, seed_aware_t
from leukbench.score.members import MIN_SEEDS, ModelTrials, models_of
from leukbench.score.paired import SWAPS, holm, swap_p, swapped_sums

Partners = Mapping[int, Collection[str]]
"""Images of each fold's test part that have a partner in its training."""

PARTS = {
    "all": "all images that both runs tested",
    "leaked": "images with a partner in training in the first run alone",
    "clean": "images without a partner in either run (a control: no leakage there)",
}
"""Name of a part of the images, and what it is."""

COLUMNS = (
    "part", "model", "family", "images", "accuracy", "accuracy_other", "difference", "low", "high",
    "p", "p_holm", "trained",
)  # fmt: skip


def leakage_between(
    first: Iterable[TrialPredictions],
    second: Iterable[TrialPredictions],
    partners: tuple[Partners, Partners],
    groups: Groups | None = None,
    *,
    confidence: float = CONFIDENCE,
    swaps: int = SWAPS,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare each model of the run on the leakier split with its namesake on the other.

    The same images are the pairs, so that neither difficulty nor class mix enters. The variance is that
    over whole groups of the difference, image by image, plus ``s^2 / S`` over the seeds of each side
    (`seed_aware_t`), with half an image more each way (Agresti and Min 2005, doi:10.1002/sim.1781),
    since a few images without a difference are no certainty. The p is the larger of its t-test's and
    that of swapping the two runs on whole groups.

    Parameters
    ----------
    partners : tuple of mappings
        For the first and the second run. An image that stands in several test parts of a run counts as
        partnered where it is so in all of them.
    swaps, seed : int
        Of the swap test.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, one row a part of `PARTS` that has images and model that both runs have;
        ``difference`` is first less second, in -1..1; ``p_holm`` is Holm's over the models of a part;
        ``trained`` says that one side has fewer than three seeds, so that the verdict is one on the
        trained models.

    Raises
    ------
    leukbench.errors.DataError
        Where the runs have no model, or no test image, in common.
    """
    others = {model.model: model for model in models_of(second)}
    pairs = [(m, others[m.model]) for m in models_of(first) if m.model in others]
    if not pairs:
        raise DataError("The two runs have no model in common: run one model on both splits.")
    rows = [row for pair in pairs for row in _rows(pair, partners, groups, confidence, swaps, seed)]
    if not rows:
        raise DataError("The two runs tested no image in common: take splits that share some.")
    frame = pd.DataFrame(rows)
    frame["p_holm"] = frame.groupby("part")["p"].transform(lambda p: holm(p.to_numpy()))
    order = {name: number for number, name in enumerate(PARTS)}
    frame = frame.sort_values("part", key=lambda part: part.map(order), kind="stable")
    return frame[list(COLUMNS)].reset_index(drop=True)


def _rows(
    pair: tuple[ModelTrials, ModelTrials],
    partners: tuple[Partners, Partners],
    groups: Groups | None,
    confidence: float,
    swaps: int,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """One row a part that has images."""
    images, right = _side_by_side(pair)
    leaky, other = (_partnered(m, p, images) for m, p in zip(pair, partners, strict=True))
    parts = {
        "all": np.ones(len(images), dtype=bool),
        "leaked": (leaky == 1) & (other == 0),
        "clean": (leaky == 0) & (other == 0),
    }
    for name, chosen in parts.items():
        if chosen.any():
            codes = group_codes(images[chosen].tolist(), groups)
            seeds = [_by_seed(model, images[chosen]) for model in pair]
            swapped = swapped_sums(right[:, chosen], codes, swaps, seed)
            side = {"part": name, "model": pair[0].model, "family": pair[0].family}
            found = _difference(right[:, chosen], codes, seeds, swapped, confidence)
            yield side | {"images": int(chosen.sum())} | found


def _side_by_side(pair: tuple[ModelTrials, ModelTrials]) -> tuple[np.ndarray, FloatArray]:
    """Images that both tested, and the share of trials that has each right: shape (2, images)."""
    (names, right), (others, right_there) = (model.mean_over_trials() for model in pair)
    images, here, there = np.intersect1d(np.array(names), np.array(others), return_indices=True)
    return images, np.array([right[here], right_there[there]])


def _partnered(model: ModelTrials, partners: Partners, images: np.ndarray) -> FloatArray:
    """Share of the test parts of a run in which each image has a partner in training."""
    times, found = np.zeros(len(images)), np.zeros(len(images))
    for fold, members in model.by_fold.items():
        tested = np.isin(images, members[0].arrays.images)
        times += tested
        found += tested & np.isin(images, list(partners.get(fold, ())))
    return found / times


def _by_seed(model: ModelTrials, images: np.ndarray) -> list[float]:
    """Accuracy on some images with each seed that tested all of them; one number where all agree."""
    right: dict[int, list[FloatArray]] = {}
    for member in model.members:
        own = member.arrays
        right.setdefault(member.seed, []).append(own.correct[np.isin(own.images, images)])
    joined = [np.concatenate(parts) for parts in right.values()]
    most = max(map(len, joined))
    scores = [float(values.mean()) for values in joined if len(values) == most]
    return scores[:1] if len(set(scores)) == 1 else scores


def _difference(
    right: FloatArray,
    group: IntArray,
    seeds: list[list[float]],
    swapped: FloatArray,
    confidence: float,
) -> dict[str, float | bool]:
    gap = right[0] - right[1]
    value, n = float(gap.mean()), len(gap)
    test = seed_aware_t(value * n / (n + 2), _half_an_image_more(clusters(gap, group), n), seeds)
    low, high = -1.0, 1.0
    if test.freedom > 0:
        half = float(student.ppf((1 + confidence) / 2, test.freedom)) * test.standard_error
        low, high = max(test.mean - half, -1.0), min(test.mean + half, 1.0)
    by_swap = swap_p(swapped[:, 0], swapped[:, 1], float(gap.sum()))
    return {
        "accuracy": float(right[0].mean()),
        "accuracy_other": float(right[1].mean()),
        "difference": value,
        "low": min(low, value),
        "high": max(high, value),
        "p": max(test.p, by_swap),
        "trained": min(map(len, seeds)) < MIN_SEEDS,
    }


def _half_an_image_more(cost: Clusters, n: int) -> Clusters:
    return replace(cost, variance=(cost.variance * n**2 + cost.design_effect) / (n + 2) ** 2)
