"""A model's scores over all of its seeds and folds, with intervals that count each image once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from leukbench.score.arrays import FloatArray, Groups, IntArray, group_codes
from leukbench.score.intervals import (
    CONFIDENCE,
    Interval,
    corrected_resampled_interval,
    percentile_interval,
    proportion_interval,
    with_seed_spread,
)
from leukbench.score.members import MIN_FOLDS, Member, ModelTrials, fold_mean, models_of, per_fold
from leukbench.score.metrics import METRICS, RANGES, scores_of
from leukbench.score.resampling import RESAMPLES, Weights, resampled_scores, weight_chunks
from leukbench.score.trials import TrialPredictions

COMPARISON_METRICS = (
    "accuracy", "precision", "recall", "specificity", "f1", "balanced_accuracy", "mcc", "auroc",
    "brier", "ece",
)  # fmt: skip
"""The scores of ``comparison.csv``, in its order."""

UNFINISHED = ("failed", "timeout", "out-of-memory")
"""Statuses of trials that left no predictions."""

_KEPT_CELLS = 8_000_000


def standing(family: str, status: str) -> int:
    """Sort key of a table's rows: ranked models, controls, degenerate, failed ones, probes."""
    if family == "probe":
        return 4
    if status in UNFINISHED:
        return 3
    if status == "degenerate":
        return 2
    return 1 if family == "control" else 0


def proportion_over_trials(
    model: ModelTrials,
    values: Sequence[float],
    image_values: tuple[Sequence[str], FloatArray],
    groups: Groups | None,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the interval of a proportion: Wilson joined with seeds; over folds no narrower.

    Parameters
    ----------
    model : ModelTrials
    values : sequence of float
        The proportion in each of the model's trials; NaN where it does not exist.
    image_values : sequence of str and numpy.ndarray
        The distinct images that the proportion is of, and in what share of trials each counted.
    groups, confidence
        As in `summarise`.
    """
    bounds = (0.0, 1.0)
    images, shares = image_values
    if not len(images):
        return Interval(np.nan, np.nan, "no image")
    over_images = proportion_interval(shares, group_codes(images, groups), confidence)
    folds = per_fold(values, model.members)
    folds = folds[~np.isnan(folds)]
    if len(folds) < MIN_FOLDS:
        by_seed = [_by_seed(values, model.members)]
        return with_seed_spread(float(folds.mean()), over_images, by_seed, bounds, confidence)
    over_folds = corrected_resampled_interval(folds, model.test_to_train, bounds, confidence)
    return Interval(
        float(np.fmin(over_folds.low, over_images.low)),
        float(np.fmax(over_folds.high, over_images.high)),
        f"{over_folds.method}, at least {over_images.method}",
    )


def _by_seed(values: Sequence[float], members: Sequence[Member]) -> list[float]:
    """Mean over folds with each seed that has a value on as many folds as any other."""
    by_seed: dict[int, list[float]] = {}
    for value, member in zip(values, members, strict=True):
        if not np.isnan(value):
            by_seed.setdefault(member.seed, []).append(value)
    full = max(map(len, by_seed.values()), default=0)
    return [float(np.mean(v)) for v in by_seed.values() if len(v) == full]


@dataclass(frozen=True)
class _Bootstrap:
    """Draws of groups, the same for all models; one fold's are kept for the next model."""

    groups: Groups | None
    resamples: int
    seed: int
    kept: dict[int, tuple[IntArray, list[Weights]]] = field(default_factory=dict)

    def draws(self, fold: int, images: Sequence[str]) -> tuple[IntArray, Iterable[Weights]]:
        """Return each image's group number, and the weights of the groups, chunk by chunk."""
        if fold not in self.kept:
            codes = group_codes(images, self.groups)
            n_groups = int(codes.max()) + 1
            chunks = weight_chunks(n_groups, self.resamples, self.seed + fold)
            if n_groups * self.resamples > _KEPT_CELLS:
                return codes, chunks
            self.kept[fold] = codes, list(chunks)
        return self.kept[fold]


def _resampled_means(
    model: ModelTrials, metrics: Sequence[str], bootstrap: _Bootstrap
) -> dict[str, FloatArray]:
    """Mean over seeds, then folds, of every score under every resample of the groups.

    All seeds of a fold see the same resample. Folds are drawn one by one: they share no image.
    """
    by_fold: list[dict[str, FloatArray]] = []
    for fold, members in model.by_fold.items():
        codes, chunks = bootstrap.draws(fold, members[0].arrays.images.tolist())
        parts: dict[str, list[FloatArray]] = {name: [] for name in metrics}
        for weights in chunks:
            of_seeds = [resampled_scores(m.arrays, codes, weights, metrics) for m in members]
            for name in metrics:
                parts[name].append(np.mean([scores[name] for scores in of_seeds], axis=0))
        by_fold.append({name: np.concatenate(chunks) for name, chunks in parts.items()})
    return {name: np.mean([fold[name] for fold in by_fold], axis=0) for name in metrics}


def _intervals(
    model: ModelTrials,
    scores: Sequence[dict[str, float]],
    metrics: Sequence[str],
    confidence: float,
    bootstrap: _Bootstrap,
) -> dict[str, Interval]:
    values = {name: [s[name] for s in scores] for name in metrics}
    intervals = {}
    if "accuracy" in metrics:
        intervals["accuracy"] = proportion_over_trials(
            model, values["accuracy"], model.mean_over_trials(), bootstrap.groups, confidence
        )
    others = [name for name in metrics if name != "accuracy"]
    if len(model.by_fold) >= MIN_FOLDS:
        for name in others:
            folds = per_fold(values[name], model.members)
            intervals[name] = corrected_resampled_interval(
                folds, model.test_to_train, RANGES[name], confidence
            )
    elif others:
        means = _resampled_means(model, others, bootstrap)
        for name in others:
            over_images = percentile_interval(means[name], confidence)
            intervals[name] = with_seed_spread(
                fold_mean(values[name], model.members),
                over_images,
                [_by_seed(values[name], model.members)],
                RANGES[name],
                confidence,
            )
    return intervals


def summarise(
    trials: Iterable[TrialPredictions],
    groups: Groups | None = None,
    *,
    metrics: Sequence[str] = METRICS,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Score every model over its seeds and folds.

    The value is the mean over trials (`leukbench.score.members.fold_mean`). The interval depends on
    what was run, and in no case counts seeds times images as independent:

    ===================  ==========================================================================
    one split            accuracy: Wilson on the distinct test images, each with its mean over
                         seeds, their number divided by the design effect where there are groups;
                         other scores: percentile cluster bootstrap of the mean over seeds, groups
                         drawn whole
    ... several seeds    the same, joined with the spread over seeds (`with_seed_spread`)
    two folds            as one split, over the images of both
    three folds or more  corrected resampled t over the folds' means (Nadeau and Bengio 2003); for
                         accuracy never narrower than Wilson on the distinct images
    ===================  ==========================================================================

    Parameters
    ----------
    trials : iterable of TrialPredictions
        Of one run, statuses ok and degenerate.
    groups : mapping of str to str, optional
        Patient, slide or proxy group of an image; images that it lacks are groups of one. See
        `leukbench.score.arrays.groups_from_split`.
    metrics : sequence of str
        Which of `leukbench.score.metrics.METRICS`.
    confidence : float
        Between 0 and 1.
    resamples : int
        Of the bootstrap.
    seed : int
        Of the bootstrap: the same seed, the same bounds.

    Returns
    -------
    pandas.DataFrame
        One row a model and metric: ``model``, ``metric``, ``value``, ``low``, ``high`` (NaN where
        no interval can be given), ``method``, ``n_trials``, ``n_images`` (distinct).

    Raises
    ------
    leukbench.errors.DataError
        Where trials of one fold differ in their images, labels or classes.
    """
    bootstrap = _Bootstrap(groups, resamples, seed)
    rows = []
    for model in models_of(trials):
        scores = [scores_of(m.arrays, metrics) for m in model.members]
        found = _intervals(model, scores, metrics, confidence, bootstrap)
        n_images = len(np.unique(np.concatenate([m.arrays.images for m in model.members])))
        for name in metrics:
            value = fold_mean([s[name] for s in scores], model.members)
            bounds = found[name]
            rows.append(
                (model.model, name, value, bounds.low, bounds.high, bounds.method,
                 len(model.members), n_images)
            )  # fmt: skip
    columns = ["model", "metric", "value", "low", "high", "method", "n_trials", "n_images"]
    return pd.DataFrame(rows, columns=columns)


def comparison_scores(
    trials: Iterable[TrialPredictions],
    groups: Groups | None = None,
    *,
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """Return what ``comparison.csv`` says about each model's predictions.

    Parameters
    ----------
    trials, groups, confidence
        As in `summarise`, whose values and whose bounds of accuracy these are.

    Returns
    -------
    pandas.DataFrame
        One row a model: ``model``, ``title``, ``family``, ``status``, ``trials``, ``accuracy``,
        ``accuracy_low``, ``accuracy_high``, then the other scores of `COMPARISON_METRICS`. Ranked
        models come first, in falling order of accuracy; below them degenerate ones, controls and
        probes.

    Raises
    ------
    leukbench.errors.DataError
        As in `summarise`.
    """
    rows = []
    for model in models_of(trials):
        scores = [scores_of(m.arrays, COMPARISON_METRICS) for m in model.members]
        means = {
            name: fold_mean([s[name] for s in scores], model.members) for name in COMPARISON_METRICS
        }
        bounds = proportion_over_trials(
            model, [s["accuracy"] for s in scores], model.mean_over_trials(), groups, confidence
        )
        accuracy = means.pop("accuracy")
        row: dict[str, object] = {
            "model": model.model,
            "title": model.title,
            "family": model.family,
            "status": model.status,
            "trials": len(model.members),
            "accuracy": accuracy,
            "accuracy_low": bounds.low,
            "accuracy_high": bounds.high,
        }
        rows.append((standing(model.family, model.status), -accuracy, row | means))
    rows.sort(key=lambda entry: entry[:2])
    return pd.DataFrame([row for _, _, row in rows])
