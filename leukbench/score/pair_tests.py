"""Every test on one pair of models, and which of them decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leukbench.score.intervals import (
    CorrectedT,
    Interval,
    corrected_resampled_interval,
    corrected_resampled_t,
    design_effect,
    with_seed_spread,
)
from leukbench.score.members import MIN_FOLDS
from leukbench.score.outcomes import Draws, Folds, Outcomes
from leukbench.score.paired import (
    mcnemar_over_seeds,
    smallest_mcnemar_difference,
    smallest_t_difference,
    swap_p,
)

MCNEMAR = "exact McNemar"
SWAP = "swap of groups"
CORRECTED_T = "corrected resampled t and swap of groups"

_BOUNDS = (-1.0, 1.0)


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

    Attributes
    ----------
    row : dict of str to object
    t_test : CorrectedT or None
        Where there are folds enough.
    effective : float
        Images over the design effect of the difference.
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

    Parameters
    ----------
    outcomes : Outcomes
    a, b : int
        Rows of the two models.
    folds : frozenset of int
        Folds in common.
    draws : Draws
        Of these folds.
    how : Settings
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
