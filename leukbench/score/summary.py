"""A model's scores over all of its seeds and folds, with intervals that count each image once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from leukbench.score.arrays import FloatArray, Groups, IntArray, TrialPredictions, group_codes
from leukbench.score.calibration import calibration_test
from leukbench.score.intervals import (
    CONFIDENCE,
    Interval,
    corrected_resampled_interval,
    few_groups,
    percentile_interval,
    proportion_interval,
    proportion_with_seed_spread,
    shared_by_seeds,
    widened,
    with_seed_spread,
)
from leukbench.score.members import MIN_FOLDS, ModelTrials, models_of
from leukbench.score.metrics import (
    METRICS,
    Chosen,
    Metric,
    chosen,
    comparison_metrics,
    resampled_scores,
)
from leukbench.score.resampling import RESAMPLES, Resampled, Weights, weight_chunks

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
    values : sequence of float
        The proportion in each of the model's trials; NaN where it does not exist.
    image_values : tuple
        The distinct images that the proportion is of, and in what share of trials each counted.
    """
    images, shares = image_values
    if not len(images):
        return Interval(np.nan, np.nan, "no image")
    over_images = proportion_interval(shares, group_codes(images, groups), confidence)
    folds = model.per_fold(values)
    folds = folds[~np.isnan(folds)]
    by_seed = model.by_seed(values)
    shared = shared_by_seeds(shares, len(by_seed))
    return joined(folds, over_images, by_seed, model.test_to_train, shared, confidence)


def joined(
    folds: FloatArray,
    over_images: Interval,
    by_seed: Sequence[float],
    test_to_train: float,
    shared: float,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Join the interval of a proportion over images with the spread over seeds, or over folds."""
    if len(folds) < MIN_FOLDS:
        value = float(folds.mean())
        return proportion_with_seed_spread(value, over_images, by_seed, shared, confidence)
    over_folds = corrected_resampled_interval(folds, test_to_train, (0.0, 1.0), confidence)
    return Interval(
        float(np.fmin(over_folds.low, over_images.low)),
        float(np.fmax(over_folds.high, over_images.high)),
        f"{over_folds.method}, at least {over_images.method}",
    )


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

    def means(self, model: ModelTrials, metrics: Mapping[str, Metric]) -> dict[str, FloatArray]:
        """Mean over seeds, then folds, of every score under every resample of the groups.

        All seeds of a fold see the same resample. Folds are drawn one by one: they share no image.
        """
        by_fold: list[dict[str, FloatArray]] = []
        for fold, members in model.by_fold.items():
            codes, chunks = self.draws(fold, members[0].arrays.images.tolist())
            parts: dict[str, list[FloatArray]] = {name: [] for name in metrics}
            for weights in chunks:
                samples = [Resampled(m.arrays, codes, weights) for m in members]
                of_seeds = [resampled_scores(sample, metrics) for sample in samples]
                for name in metrics:
                    parts[name].append(np.mean([scores[name] for scores in of_seeds], axis=0))
            by_fold.append({name: np.concatenate(chunks) for name, chunks in parts.items()})
        return {name: np.mean([fold[name] for fold in by_fold], axis=0) for name in metrics}


def _intervals(
    model: ModelTrials,
    metrics: Mapping[str, Metric],
    scores: Mapping[str, Sequence[float]],
    confidence: float,
    bootstrap: _Bootstrap,
) -> dict[str, Interval]:
    intervals = {}
    if "accuracy" in scores:
        intervals["accuracy"] = proportion_over_trials(
            model, scores["accuracy"], model.mean_over_trials(), bootstrap.groups, confidence
        )
    others = {name: values for name, values in scores.items() if name != "accuracy"}
    if len(model.by_fold) >= MIN_FOLDS:
        for name, values in others.items():
            intervals[name] = corrected_resampled_interval(
                model.per_fold(values), model.test_to_train, metrics[name].bounds, confidence
            )
    elif others:
        means = bootstrap.means(model, {name: metrics[name] for name in others})
        widen = few_groups(group_codes(model.mean_over_trials()[0], bootstrap.groups), confidence)
        for name, values in others.items():
            value, by_seed = model.mean(values), [model.by_seed(values)]
            over_images = widened(percentile_interval(means[name], confidence), value, widen)
            intervals[name] = with_seed_spread(
                value, over_images, by_seed, metrics[name].bounds, confidence
            )
    return intervals


def summarise(
    trials: Iterable[TrialPredictions],
    groups: Groups | None = None,
    *,
    metrics: Chosen = METRICS,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Score every model over its seeds and folds.

    The value is the mean over trials (`ModelTrials.mean`). The interval depends on what was run, and
    in no case counts seeds times images as independent:

    ===================  ==========================================================================
    one split            accuracy: Wilson on the distinct test images, each with its mean over
                         seeds, their number divided by the design effect and t for z where there are
                         groups (`clusters`); other scores: percentile cluster bootstrap of the mean
                         over seeds, groups drawn whole, wider for few groups
    ... several seeds    the same, joined with the spread over seeds (`with_seed_spread`; accuracy on
                         the scale of logits, `proportion_with_seed_spread`)
    two folds            as one split, over the images of both
    three folds or more  corrected resampled t over the folds' means (Nadeau and Bengio 2003); for
                         accuracy never narrower than Wilson on the distinct images
    ===================  ==========================================================================

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
    metrics = chosen(metrics)
    rows = []
    for model in models_of(trials):
        scores = model.scores(metrics)
        intervals = _intervals(model, metrics, scores, confidence, bootstrap)
        n_images = len(model.mean_over_trials()[0])
        for name, values in scores.items():
            bounds = intervals[name]
            rows.append(
                (model.model, name, model.mean(values), bounds.low, bounds.high, bounds.method,
                 len(model.members), n_images)
            )  # fmt: skip
    columns = ["model", "metric", "value", "low", "high", "method", "n_trials", "n_images"]
    return pd.DataFrame(rows, columns=columns)


def calibration_table(trials: Iterable[TrialPredictions]) -> pd.DataFrame:
    """Return each model's calibration error beside that of perfect calibration, mean over trials.

    Columns ``model``, ``ece``, ``ece_if_calibrated``, ``ece_debiased`` and ``p``, the last being the
    median over trials (`leukbench.score.calibration.calibration_test`).
    """
    rows = []
    for model in models_of(trials):
        arrays = [m.arrays for m in model.members]
        if any(a.probabilities is None for a in arrays):
            continue
        tests = [calibration_test(a.distribution, a.truth) for a in arrays]
        ece, null, debiased = (
            model.mean([getattr(test, name) for test in tests])
            for name in ("ece", "null", "debiased")
        )
        rows.append((model.model, ece, null, debiased, float(np.median([t.p for t in tests]))))
    columns = ["model", "ece", "ece_if_calibrated", "ece_debiased", "p"]
    return pd.DataFrame(rows, columns=columns)


def comparison_scores(
    trials: Iterable[TrialPredictions],
    groups: Groups | None = None,
    *,
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """Return what ``comparison.csv`` says about each model's predictions.

    Values and bounds of accuracy are those of `summarise`.

    Returns
    -------
    pandas.DataFrame
        One row a model, in the order of `standing`, then of accuracy: ``model``, ``title``,
        ``family``, ``status``, ``trials``, ``accuracy``, ``accuracy_low``, ``accuracy_high``, then
        the other scores of `leukbench.score.metrics.comparison_metrics`.
    """
    rows = []
    for model in models_of(trials):
        scores = model.scores(comparison_metrics())
        means = {name: model.mean(values) for name, values in scores.items()}
        bounds = proportion_over_trials(
            model, scores["accuracy"], model.mean_over_trials(), groups, confidence
        )
        accuracy = means.pop("accuracy")
        row = {
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
