"""Every test on one pair of models, on the table of who is right on which image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukbench.score.arrays import FloatArray, Groups, IntArray, group_codes
from leukbench.score.intervals import (
    CorrectedT,
    Interval,
    corrected_resampled_interval,
    corrected_resampled_t,
    design_effect,
    with_seed_spread,
)
from leukbench.score.members import MIN_FOLDS, ModelTrials
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
CORRECTED_T = "corrected resampled t and swap of groups"

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

    def by_seed(self, model: int, at: NDArray[np.intp]) -> list[float]:
        """Accuracy with each seed that was tested on all columns `at`."""
        right, tested = self.right[model][:, at], self.tested(model, at)
        return [float(row.mean()) for row in right[tested.all(axis=1)]]

    def tested(self, model: int, at: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether each seed (rows) was tested on each of the columns `at`."""
        return (self.right[model][:, at] + self.wrong[model][:, at]) > 0


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


@dataclass(frozen=True)
class PairTest:
    """One row of the table of pairs, with what the smallest difference is computed from.

    `t_test` is None below three folds; `effective` counts images over the design effect.
    """

    row: dict[str, object]
    t_test: CorrectedT | None
    effective: float


def pair_test(
    outcomes: Outcomes, a: int, b: int, folds: Folds, draws: Draws, how: Settings
) -> PairTest:
    """Test model `a` against model `b` on the folds that both have.

    From three folds on, both the corrected resampled t-test and the swap of groups must find the
    difference, so the larger p counts: the t-test knows that other training parts give other
    models, but on a handful of folds that happen to agree it finds anything; the swap knows how few
    images differ. Below three folds it is exact McNemar, or the swap of groups where images come in
    groups.
    """
    model_a, model_b = outcomes.models[a], outcomes.models[b]
    at, images = draws.at, outcomes.image[draws.at]
    seeds_a, seeds_b = (outcomes.tested(m, at).any(axis=1) for m in (a, b))
    only_a, only_b, mcnemar_p = mcnemar_over_seeds(
        outcomes.right[a][seeds_a][:, at], outcomes.wrong[a][seeds_a][:, at],
        outcomes.right[b][seeds_b][:, at], outcomes.wrong[b][seeds_b][:, at],
    )  # fmt: skip
    n_images = len(np.unique(images))
    if n_images < len(at):
        mcnemar_p = np.nan  # repeated folds test an image several times: no independent pairs
    gap = outcomes.mean[a, at] - outcomes.mean[b, at]
    column_a, column_b = draws.column[a], draws.column[b]
    swapped = swap_p(draws.swapped[:, column_a], draws.swapped[:, column_b], float(gap.sum()))
    resampled = draws.bootstrap[:, column_a] - draws.bootstrap[:, column_b]
    tails = (how.alpha / 2, 1 - how.alpha / 2)
    lower, upper = np.quantile(resampled, tails)
    boot = Interval(float(lower), float(upper), "paired cluster bootstrap")
    accuracy_a, accuracy_b = outcomes.per_fold(a, folds), outcomes.per_fold(b, folds)
    gaps = accuracy_a - accuracy_b
    difference = float(gaps.mean())
    discordance = (only_a + only_b) / len(at)
    effective = len(at) / design_effect(gap, draws.group)
    t_test = None
    if len(folds) >= MIN_FOLDS:
        share = (model_a.test_to_train + model_b.test_to_train) / 2
        t_test = corrected_resampled_t(gaps, share)
        test, p = CORRECTED_T, max(t_test.p, swapped)
        over_folds = corrected_resampled_interval(gaps, share, _BOUNDS, 1 - how.alpha)
        low = float(np.fmin(over_folds.low, boot.low))
        high = float(np.fmax(over_folds.high, boot.high))
        smallest = smallest_t_difference(t_test, how.alpha, how.power)
    else:
        test, p = (SWAP, swapped) if draws.group.max() + 1 < len(at) else (MCNEMAR, mcnemar_p)
        by_seed = [outcomes.by_seed(m, at) for m in (a, b)]
        joined = with_seed_spread(difference, boot, by_seed, _BOUNDS, 1 - how.alpha)
        low, high = joined.low, joined.high
        smallest = smallest_mcnemar_difference(effective, discordance, how.alpha, how.power)
    row: dict[str, object] = {
        "model_a": model_a.model,
        "model_b": model_b.model,
        "ranked": model_a.ranked and model_b.ranked,
        "accuracy_a": float(accuracy_a.mean()),
        "accuracy_b": float(accuracy_b.mean()),
        "difference": difference,
        "low": low,
        "high": high,
        "bootstrap_low": boot.low,
        "bootstrap_high": boot.high,
        "n_images": n_images,
        "n_folds": len(folds),
        "only_a": only_a,
        "only_b": only_b,
        "discordance": discordance,
        "mcnemar_p": mcnemar_p,
        "swap_p": swapped,
        "t": np.nan if t_test is None else t_test.t,
        "t_p": np.nan if t_test is None else t_test.p,
        "test": test,
        "p": p,
        "smallest_difference": smallest,
    }
    return PairTest(row, t_test, effective)
