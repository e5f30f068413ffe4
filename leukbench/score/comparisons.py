"""All models of a run, or of two runs, against each other: what the data can tell apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
import pandas as pd

from leukbench.errors import DataError
from leukbench.score.arrays import Groups, TrialPredictions
from leukbench.score.members import ModelTrials, models_of, rankable
from leukbench.score.pair_tests import (
    Draws,
    Folds,
    Outcomes,
    PairTest,
    Settings,
    draw,
    outcomes_of,
    pair_test,
)
from leukbench.score.paired import SWAPS, holm
from leukbench.score.ranking import letters_of_equals, rank_models
from leukbench.score.resampling import RESAMPLES

ALPHA = 0.05
POWER = 0.8

PAIR_COLUMNS = (
    "model_a", "model_b", "ranked", "accuracy_a", "accuracy_b", "difference", "low", "high",
    "bootstrap_low", "bootstrap_high", "n_images", "n_folds", "only_a", "only_b", "discordance",
    "mcnemar_p", "swap_p", "t", "t_p", "test", "p", "p_holm", "different", "smallest_difference",
    "seeds_p", "trained",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """What the data can tell apart, and what it could have, at the two-sided level `alpha`.

    Attributes
    ----------
    pairs : pandas.DataFrame
        One row a pair, the better model first; columns `PAIR_COLUMNS`. ``difference`` is accuracy
        of a minus b over the folds that both have; ``bootstrap_low`` and ``bootstrap_high`` are the
        bounds of the paired cluster bootstrap, ``low`` and ``high`` the same joined with the spread
        over seeds, or from three folds on no narrower than the corrected resampled t interval.
        ``test`` names what gave ``p`` (`leukbench.score.pair_tests.pair_test`); the single tests
        stand in ``mcnemar_p``, ``swap_p``, ``t_p`` and ``seeds_p``. ``trained`` says that the
        verdict holds for these trained models alone: one has fewer than three seeds. ``only_a`` and
        ``only_b`` are images that only the one has right, mean over pairs of seeds. ``p_holm`` is
        Holm's over all pairs of ranked models, and apart from those over all pairs with a probe, a
        control or a degenerate model (``ranked`` false); ``different`` says whether it lies below alpha.
        ``smallest_difference`` is what ``test`` would have found on these images with the stated
        power at alpha, for this pair alone; NaN where nothing was tested.
    groups : pandas.DataFrame
        Models that `rankable` takes, best first: ``model``, ``title``, ``accuracy``, ``letters``,
        ``leads`` (cannot be told apart from the first). Models with a letter in common cannot be
        told apart.
        Empty where two runs are compared.
    friedman, ranks, nemenyi : pandas.DataFrame
        Over the folds, of the ranked models that have all folds; see
        `leukbench.score.ranking.rank_models`. Empty for a single fold, two models or two runs.
    smallest_difference : pandas.DataFrame
        ``basis``, ``test``, ``n_images`` (effective where there are groups), ``discordance``
        (median over the pairs), ``alpha``, ``power``, ``smallest_difference``: in a row for one
        planned pair, and one for the first step of Holm over all pairs.
    """

    pairs: pd.DataFrame
    groups: pd.DataFrame
    friedman: pd.DataFrame
    ranks: pd.DataFrame
    nemenyi: pd.DataFrame
    smallest_difference: pd.DataFrame
    alpha: float
    power: float

    @property
    def trained(self) -> bool:
        """Whether verdicts hold for the trained models alone: one has fewer than three seeds."""
        ranked = self.pairs[self.pairs["ranked"].astype(bool)]
        return bool((ranked if len(ranked) else self.pairs)["trained"].any())

    @property
    def leaders(self) -> tuple[str, ...]:
        """The best ranked model and those that cannot be told apart from it."""
        return tuple(self.groups.loc[self.groups["leads"].astype(bool), "model"])


def _adjusted(pairs: pd.DataFrame, alpha: float) -> pd.DataFrame:
    """Adjust within the ranked pairs and within the others."""
    adjusted = pairs.groupby("ranked")["p"].transform(lambda p: holm(p.to_numpy()))
    return pairs.assign(p_holm=adjusted, different=adjusted < alpha)


def _equals(models: list[ModelTrials], pairs: pd.DataFrame, alpha: float) -> pd.DataFrame:
    ranked = rankable(models)
    names = [m.model for m in ranked]
    p = pd.DataFrame(1.0, index=names, columns=names)
    for a, b, adjusted in pairs.loc[pairs["ranked"], ["model_a", "model_b", "p_holm"]].to_numpy():
        p.loc[a, b] = p.loc[b, a] = adjusted
    letters = letters_of_equals(names, p, alpha)
    return pd.DataFrame(
        {
            "model": names,
            "title": [m.title for m in ranked],
            "accuracy": [float(m.accuracies.mean()) for m in ranked],
            "letters": letters,
            "leads": [bool(p.iloc[0][name] >= alpha) for name in names],
        }
    )


def _by_fold(models: list[ModelTrials]) -> pd.DataFrame:
    """Accuracy of each ranked model that has all folds: folds as rows."""
    folds = sorted({m.fold for model in models for m in model.members})
    complete = [m for m in rankable(models) if sorted(m.by_fold) == folds]
    return pd.DataFrame({m.model: m.accuracies for m in complete}, index=folds)


def _smallest(tested: list[PairTest], how: Settings) -> pd.DataFrame:
    """What the median pair could have shown, alone and at the first step of Holm."""
    chosen = [t for t in tested if t.row["ranked"]] or tested
    n = float(np.median([t.effective for t in chosen]))
    discordance = float(np.median([t.row["discordance"] for t in chosen]))
    common = Counter(str(t.row["test"]) for t in chosen).most_common(1)[0][0]
    rows = []
    for basis, level in (("one planned pair", how.alpha), ("all pairs", how.alpha / len(chosen))):
        smallest = float(np.median([t.smallest(level, how.power) for t in chosen]))
        rows.append((basis, common, n, discordance, level, how.power, smallest))
    columns = ["basis", "test", "n_images", "discordance", "alpha", "power", "smallest_difference"]
    return pd.DataFrame(rows, columns=columns)


def _two_runs(
    trials_a: Iterable[TrialPredictions],
    trials_b: Iterable[TrialPredictions],
    labels: tuple[str, str],
) -> tuple[list[ModelTrials], list[tuple[int, int]]]:
    """Put both runs' models side by side; pairs are namesakes, or all where there are none."""
    sides = [
        [replace(t, model=f"{label}: {t.model}") for t in trials]
        for label, trials in zip(labels, (trials_a, trials_b), strict=True)
    ]
    models = models_of(sides[0] + sides[1])
    first, second = (
        {m.model.removeprefix(f"{label}: "): i for i, m in enumerate(models)
         if m.model.startswith(f"{label}: ")}
        for label in labels
    )  # fmt: skip
    namesakes = [(first[name], second[name]) for name in first if name in second]
    return models, namesakes or list(product(first.values(), second.values()))


def _tested(outcomes: Outcomes, pairs: list[tuple[int, int]], how: Settings) -> Iterator[PairTest]:
    """Test the pairs that have a fold in common; draws are shared by pairs of the same folds."""
    # enough swaps for the smallest p to pass Holm's first step
    swaps = max(SWAPS, math.ceil(4 * len(pairs) / how.alpha))
    draws: dict[Folds, Draws] = {}
    for a, b in pairs:
        folds = outcomes.covered(a) & outcomes.covered(b)
        if folds:
            if folds not in draws:
                draws[folds] = draw(outcomes, folds, how.resamples, swaps, how.seed)
            yield pair_test(outcomes, a, b, folds, draws[folds], how)


def compare(
    trials_a: Iterable[TrialPredictions],
    trials_b: Iterable[TrialPredictions] | None = None,
    *,
    groups: Groups | None = None,
    alpha: float = ALPHA,
    power: float = POWER,
    resamples: int = RESAMPLES,
    seed: int = 0,
    labels: tuple[str, str] = ("A", "B"),
) -> Comparison:
    """Compare the models of a run with each other, or two runs model by model.

    Parameters
    ----------
    trials_b : iterable of TrialPredictions, optional
        Of another run on the same test images. Then each model is compared with its namesake (or,
        where the runs share no name, every model with every one of the other run), under the names
        ``"A: model"`` and ``"B: model"``.
    alpha, power : float
        Two-sided level after Holm, and the power for the smallest difference.
    resamples, seed : int
        Of the bootstrap; the seed also of the swaps.
    labels : tuple of str
        What the two runs are called.

    Raises
    ------
    leukbench.errors.DataError
        Where the models do not test the same images of a fold, or there is no pair to compare.
    """
    how = Settings(alpha, power, resamples, seed)
    if trials_b is None:
        models = models_of(trials_a)
        first = {m.model for m in rankable(models)}
        models.sort(key=lambda m: (m.model not in first, -m.accuracies.mean()))
        chosen = list(combinations(range(len(models)), 2))
    else:
        models, chosen = _two_runs(trials_a, trials_b, labels)
    ranked = {m.model for m in rankable(models)}
    tested = list(_tested(outcomes_of(models, groups), chosen, how))
    for test in tested:
        test.row["ranked"] = {test.row["model_a"], test.row["model_b"]} <= ranked
    if not tested:
        raise DataError(
            "There are no two models with a fold in common: run at least two models on one split."
        )
    pairs = _adjusted(pd.DataFrame([t.row for t in tested]), alpha)[list(PAIR_COLUMNS)]
    alone = trials_b is None
    ranks = rank_models(_by_fold(models) if alone else pd.DataFrame(), alpha)
    return Comparison(
        pairs=pairs,
        groups=_equals(models if alone else [], pairs, alpha),
        friedman=ranks.friedman,
        ranks=ranks.average,
        nemenyi=ranks.nemenyi,
        smallest_difference=_smallest(tested, how),
        alpha=alpha,
        power=power,
    )
