"""Every test on one pair of models, on the table of who is right on which image.

The largest p decides:

====================  =============================================================================
one split             exact McNemar where each model has one seed and no image has a group, else the
                      swap of groups of the difference, mean over seeds
... several seeds     and a t-test whose variance is that over groups of images plus s^2 / S of each
                      model (`seed_aware_t`): other seeds would give other models
two folds of several  nothing: two folds cannot tell what other training parts would give, and a model
                      on two folds must not have an easier test than one on five
three folds or more   the swap of groups and the corrected resampled t-test: the t-test knows that
                      other training parts give other models, the swap how few images differ
====================  =============================================================================

A model of which all seeds predict the same counts as one seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukbench.errors import require_number
from leukbench.score import ALPHAS
from leukbench.score.arrays import FloatArray, Groups, IntArray, group_codes
from leukbench.score.intervals import (
    Interval,
    TTest,
    clusters,
    corrected_resampled_interval,
    corrected_resampled_t,
    few_groups,
    seed_aware_t,
    widened,
    with_seed_spread,
)
from leukbench.score.members import MIN_FOLDS, MIN_SEEDS, ModelTrials
from leukbench.score.paired import (
    bootstrap_accuracies,
    mcnemar_over_seeds,
    smallest_mcnemar_difference,
    smallest_t_difference,
    swap_p,
    swapped_sums,
)

MCNEMAR = "exact McNemar"
SWAP = "swap of groups"
SEEDS = "swap of groups and t over seeds"
CORRECTED_T = "corrected resampled t and swap of groups"
TOO_FEW_FOLDS = "none: fewer than three folds"

Folds = frozenset[int]
_BOUNDS = (-1.0, 1.0)


@dataclass(frozen=True)
class Outcomes:
    """One column for each image of each fold, one row a model.

    Attributes
    ----------
    models : list of ModelTrials
    fold, image, group : numpy.ndarray of int64, shape (columns,)
        Numbers of the fold, the image (the same in every fold that tests it) and its group.
    right, wrong : list of numpy.ndarray of float32, shape (seeds, columns), one a model
        One where that seed has the image right (wrong); zero in both where it did not test it.
    mean : numpy.ndarray, shape (models, columns)
        Share of a model's seeds that have the image right; NaN where none tested it.
    """

    models: list[ModelTrials]
    fold: IntArray
    image: IntArray
    group: IntArray
    right: list[NDArray[np.float32]]
    wrong: list[NDArray[np.float32]]
    mean: FloatArray

    def covered(self, model: int) -> Folds:
        """Folds on which the model was tested."""
        return frozenset(m.fold for m in self.models[model].members)

    def columns(self, folds: Folds) -> NDArray[np.intp]:
        """Columns of these folds."""
        return np.flatnonzero(np.isin(self.fold, list(folds)))

    def per_fold(self, model: int, folds: Folds) -> FloatArray:
        """Accuracy on each of `folds`, mean over seeds."""
        return np.array([self.mean[model, self.fold == fold].mean() for fold in sorted(folds)])

    @property
    def n_folds(self) -> int:
        """Folds on which any model was tested."""
        return len(np.unique(self.fold))

    def seeds(
        self, model: int, at: NDArray[np.intp]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Right and wrong on the columns `at`, one row a seed; one row where all seeds agree."""
        right, wrong = self.right[model][:, at], self.wrong[model][:, at]
        tested = (right + wrong).any(axis=1)
        right, wrong = right[tested], wrong[tested]
        if (right == right[0]).all() and (wrong == wrong[0]).all():
            return right[:1], wrong[:1]
        return right, wrong

    def by_seed(self, model: int, at: NDArray[np.intp]) -> list[float]:
        """Accuracy with each seed that was tested on all columns `at`."""
        right, wrong = self.seeds(model, at)
        return [float(row.mean()) for row in right[((right + wrong) > 0).all(axis=1)]]


def outcomes_of(models: list[ModelTrials], groups: Groups | None) -> Outcomes:
    """Lay the trials of models from one call of `models_of` side by side."""
    names = {m.fold: m.arrays.images for model in models for m in model.members}
    folds = sorted(names)
    start = dict(zip(folds, np.cumsum([0] + [len(names[f]) for f in folds])[:-1], strict=True))
    images = np.concatenate([names[f] for f in folds])
    right, wrong = [], []
    mean = np.full((len(models), len(images)), np.nan)
    for row, model in enumerate(models):
        seeds = {s: i for i, s in enumerate(sorted({m.seed for m in model.members}))}
        yes = np.zeros((len(seeds), len(images)), dtype=np.float32)
        no = np.zeros_like(yes)
        for fold, members in model.by_fold.items():
            at = slice(start[fold], start[fold] + len(names[fold]))
            for member in members:
                yes[seeds[member.seed], at] = member.arrays.correct
                no[seeds[member.seed], at] = 1 - member.arrays.correct
            mean[row, at] = np.mean([m.arrays.correct for m in members], axis=0)
        right.append(yes)
        wrong.append(no)
    return Outcomes(
        models,
        np.concatenate([np.full(len(names[f]), f) for f in folds]),
        np.unique(images, return_inverse=True)[1].astype(np.int64),
        group_codes(images.tolist(), groups),
        right,
        wrong,
        mean,
    )


@dataclass(frozen=True)
class Draws:
    """Resamples of the images of some folds, shared by all pairs of models that have these folds.

    `at` are the folds' columns in `Outcomes`, `group` their groups numbered from zero, `column` a
    model's column in the two tables of shape (resamples, models): `bootstrap_accuracies` and
    `swapped_sums` of `leukbench.score.paired`.
    """

    column: dict[int, int]
    at: NDArray[np.intp]
    group: IntArray
    bootstrap: FloatArray
    swapped: FloatArray


def draw(outcomes: Outcomes, folds: Folds, resamples: int, swaps: int, seed: int) -> Draws:
    """Resample the images of `folds` for every model that was tested on all of them."""
    at = outcomes.columns(folds)
    rows = [m for m in range(len(outcomes.models)) if folds <= outcomes.covered(m)]
    group = np.unique(outcomes.group[at], return_inverse=True)[1].astype(np.int64)
    mean = outcomes.mean[np.ix_(np.array(rows, dtype=np.intp), at)]
    return Draws(
        {m: column for column, m in enumerate(rows)},
        at,
        group,
        bootstrap_accuracies(mean, group, resamples, seed),
        swapped_sums(mean, group, swaps, seed),
    )


@dataclass(frozen=True)
class Settings:
    """Two-sided level, power, and how much is drawn."""

    alpha: float
    power: float
    resamples: int
    seed: int

    def __post_init__(self) -> None:
        require_number("alpha", self.alpha, *ALPHAS)
        require_number("power", self.power, 0.01, 0.9999)


@dataclass(frozen=True)
class PairTest:
    """One row of the table of pairs, and what the smallest detectable difference depends on.

    `effective` counts images over the design effect of the difference.
    """

    row: dict[str, Any]
    over_seeds: TTest | None
    over_folds: TTest | None
    effective: float

    def smallest(self, alpha: float, power: float) -> float:
        """The smallest difference that the deciding test would find with this power at `alpha`."""
        if self.row["test"] == TOO_FEW_FOLDS:
            return float("nan")
        if self.over_folds:
            return smallest_t_difference(self.over_folds, alpha, power)
        discordance = self.row["discordance"]
        by_images = smallest_mcnemar_difference(self.effective, discordance, alpha, power)
        if self.over_seeds:
            return max(by_images, smallest_t_difference(self.over_seeds, alpha, power))
        return by_images


def pair_test(
    outcomes: Outcomes, a: int, b: int, folds: Folds, draws: Draws, how: Settings
) -> PairTest:
    """Test model `a` against model `b` on the folds that both have, as the module says."""
    at = draws.at
    gap = outcomes.mean[a, at] - outcomes.mean[b, at]
    accuracies = [outcomes.per_fold(model, folds) for model in (a, b)]
    gaps = accuracies[0] - accuracies[1]
    difference = float(gaps.mean())
    cost = clusters(gap, draws.group)
    by_seed = [outcomes.by_seed(model, at) for model in (a, b)]
    share = (outcomes.models[a].test_to_train + outcomes.models[b].test_to_train) / 2
    over_folds = corrected_resampled_t(gaps, share) if len(folds) >= MIN_FOLDS else None
    over_seeds = seed_aware_t(difference, cost, by_seed) if max(map(len, by_seed)) > 1 else None
    images = _image_tests(outcomes, a, b, draws, float(gap.sum()))
    boot = _bootstrap(draws, a, b, difference, how.alpha)
    if over_folds:
        wide = corrected_resampled_interval(gaps, share, _BOUNDS, 1 - how.alpha)
        low, high = float(np.fmin(wide.low, boot.low)), float(np.fmax(wide.high, boot.high))
        test, p = CORRECTED_T, max(over_folds.p, images["swap_p"])
    else:
        joined = with_seed_spread(difference, boot, by_seed, _BOUNDS, 1 - how.alpha)
        low, high = joined.low, joined.high
        test, p = _on_one_split(images, over_seeds, draws)
        if outcomes.n_folds > 1:
            test, p = TOO_FEW_FOLDS, 1.0
    row = {
        "model_a": outcomes.models[a].model,
        "model_b": outcomes.models[b].model,
        "ranked": outcomes.models[a].ranked and outcomes.models[b].ranked,
        "accuracy_a": float(accuracies[0].mean()),
        "accuracy_b": float(accuracies[1].mean()),
        "difference": difference,
        "low": low,
        "high": high,
        "bootstrap_low": boot.low,
        "bootstrap_high": boot.high,
        "n_folds": len(folds),
        "t": over_folds.t if over_folds else np.nan,
        "t_p": over_folds.p if over_folds else np.nan,
        "test": test,
        "p": p,
        "seeds_p": over_seeds.p if over_seeds else np.nan,
        "trained": not over_folds and min(len(outcomes.right[m]) for m in (a, b)) < MIN_SEEDS,
    }
    tested = PairTest(row | images, over_seeds, over_folds, len(at) / cost.design_effect)
    tested.row["smallest_difference"] = tested.smallest(how.alpha, how.power)
    return tested


def _image_tests(
    outcomes: Outcomes, a: int, b: int, draws: Draws, observed: float
) -> dict[str, float]:
    at = draws.at
    swapped_a, swapped_b = (draws.swapped[:, draws.column[model]] for model in (a, b))
    only_a, only_b, p = mcnemar_over_seeds(*outcomes.seeds(a, at), *outcomes.seeds(b, at))
    n_images = len(np.unique(outcomes.image[at]))
    return {
        "n_images": n_images,
        "only_a": only_a,
        "only_b": only_b,
        "discordance": (only_a + only_b) / len(at),
        # repeated folds test an image several times: no independent pairs
        "mcnemar_p": p if n_images == len(at) else np.nan,
        "swap_p": swap_p(swapped_a, swapped_b, observed),
    }


def _bootstrap(draws: Draws, a: int, b: int, difference: float, alpha: float) -> Interval:
    resampled = draws.bootstrap[:, draws.column[a]] - draws.bootstrap[:, draws.column[b]]
    low, high = np.quantile(resampled, (alpha / 2, 1 - alpha / 2))
    bounds = Interval(float(low), float(high), "paired cluster bootstrap")
    return widened(bounds, difference, few_groups(draws.group, 1 - alpha))


def _on_one_split(
    images: dict[str, float], over_seeds: TTest | None, draws: Draws
) -> tuple[str, float]:
    """Name and p of the test that decides."""
    if over_seeds:
        return SEEDS, max(images["swap_p"], over_seeds.p)
    if draws.group.max() + 1 < len(draws.at):
        return SWAP, images["swap_p"]
    return MCNEMAR, images["mcnemar_p"]
