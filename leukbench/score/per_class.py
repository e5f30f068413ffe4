"""Scores of each class: the classification report, and predictive values at a stated prevalence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from leukbench.errors import UsageError, require_number
from leukbench.score.arrays import Arrays, FloatArray, Groups, TrialPredictions
from leukbench.score.counts import (
    confusion_matrix,
    labelled,
    mean_over_classes,
    per_class_scores,
)
from leukbench.score.intervals import CONFIDENCE
from leukbench.score.members import ModelTrials, models_of
from leukbench.score.summary import proportion_over_trials

_SCORES = ("precision", "recall", "f1", "specificity", "npv")


def predictive_values(
    sensitivity: float, specificity: float, prevalence: float
) -> tuple[float, float]:
    """Return positive and negative predictive value where `prevalence` of all images are positive.

    Bayes' theorem (Altman and Bland 1994, doi:10.1136/bmj.309.6947.102).

    NaN where nothing would be called positive (negative); UsageError for a prevalence outside 0..1.

    Examples
    --------
    >>> [round(value, 3) for value in predictive_values(0.9, 0.9, 0.01)]
    [0.083, 0.999]
    """
    require_number("prevalence", prevalence, 0, 1)
    called = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    passed = specificity * (1 - prevalence) + (1 - sensitivity) * prevalence
    ppv = sensitivity * prevalence / called if called else float("nan")
    npv = specificity * (1 - prevalence) / passed if passed else float("nan")
    return ppv, npv


def confusion_counts(trials: Iterable[TrialPredictions]) -> dict[str, pd.DataFrame]:
    """Return each model's confusion matrix, summed over folds and averaged over seeds.

    By model: rows true, columns predicted classes; the cells add up to the tested images.
    """
    matrices = {}
    for model in models_of(trials):
        counts = sum(
            np.mean([confusion_matrix(m.arrays) for m in members], axis=0)
            for members in model.by_fold.values()
        )
        matrices[model.model] = labelled(np.asarray(counts), model.classes)
    return matrices


def _average(values: Sequence[float], model: ModelTrials) -> float:
    """Mean over seeds, then over the folds in which the number exists; NaN where it never does."""
    return float(mean_over_classes(model.per_fold(values)))


def _class_rows(
    model: ModelTrials, scores: list[dict[str, FloatArray]], groups: Groups | None, level: float
) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for k, label in enumerate(model.classes):
        by_trial = {name: [float(s[name][k]) for s in scores] for name in _SCORES}

        def found(a: Arrays, k: int = k) -> FloatArray:
            return np.where(a.truth == k, a.correct, np.nan)

        def passed(a: Arrays, k: int = k) -> FloatArray:
            return np.where(a.truth != k, (a.predicted != k).astype(np.float64), np.nan)

        positives, negatives = model.mean_over_trials(found), model.mean_over_trials(passed)
        recall = proportion_over_trials(model, by_trial["recall"], positives, groups, level)
        specificity = proportion_over_trials(
            model, by_trial["specificity"], negatives, groups, level
        )
        row: dict[str, object] = {"model": model.model, "class": label}
        row |= {name: _average(values, model) for name, values in by_trial.items()}
        row |= {"support": len(positives[0])}
        row |= {"recall_low": recall.low, "recall_high": recall.high}
        row |= {"specificity_low": specificity.low, "specificity_high": specificity.high}
        rows.append(row)
    return rows


def _average_rows(
    model: ModelTrials, scores: list[dict[str, FloatArray]], images: int
) -> list[dict[str, object]]:
    """Accuracy, then macro and support-weighted averages over the classes of each test part."""
    accuracy = [float(m.arrays.correct.mean()) for m in model.members]
    macro: dict[str, list[float]] = {name: [] for name in _SCORES}
    weighted: dict[str, list[float]] = {name: [] for name in _SCORES}
    for trial in scores:
        here = trial["support"] > 0
        for name in _SCORES:
            values, weights = trial[name][here], trial["support"][here]
            exists = ~np.isnan(values)
            macro[name].append(float(mean_over_classes(values)))
            weighted[name].append(
                float(np.average(values[exists], weights=weights[exists]))
                if exists.any()
                else float("nan")
            )
    head = {"model": model.model, "support": images}
    return [
        head | {"class": "accuracy", "f1": _average(accuracy, model)},
        head | {"class": "macro avg"} | {n: _average(v, model) for n, v in macro.items()},
        head | {"class": "weighted avg"} | {n: _average(v, model) for n, v in weighted.items()},
    ]


def classification_report(
    trials: Iterable[TrialPredictions],
    groups: Groups | None = None,
    *,
    prevalence: Mapping[str, float] | None = None,
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """Report each class of each model, and the averages, in the form that scikit-learn prints.

    Parameters
    ----------
    prevalence : mapping of str to float, optional
        Share of a class, by name, where the model would be used, in 0..1. Adds the columns
        ``prevalence``, ``ppv_at_prevalence`` and ``npv_at_prevalence`` (`predictive_values`).

    Returns
    -------
    pandas.DataFrame
        Means over seeds and folds: one row a model and class, then the rows ``accuracy`` (its
        value under ``f1``, where scikit-learn prints it), ``macro avg`` and ``weighted avg``. Columns
        ``model``, ``class``,
        ``precision`` (the positive predictive value), ``recall`` (the sensitivity), ``f1``,
        ``support`` (distinct test images), ``specificity``, ``npv`` (both against the rest),
        ``recall_low``, ``recall_high``, ``specificity_low``, ``specificity_high`` (as the bounds of
        accuracy in `leukbench.score.summary.summarise`). Definitions, also for a class without a
        test image: `leukbench.score.counts.per_class_scores`.

    Raises
    ------
    leukbench.errors.UsageError
        Where `prevalence` names no class of the predictions, or a value outside 0..1.
    """
    rows: list[dict[str, object]] = []
    for model in models_of(trials):
        scores = [per_class_scores(confusion_matrix(m.arrays)) for m in model.members]
        of_classes = _class_rows(model, scores, groups, confidence)
        images = len(model.mean_over_trials()[0])
        rows += of_classes + _average_rows(model, scores, images)
    report = pd.DataFrame(rows, columns=[
        "model", "class", "precision", "recall", "f1", "support", "specificity", "npv",
        "recall_low", "recall_high", "specificity_low", "specificity_high",
    ])  # fmt: skip
    return report if prevalence is None else _at_prevalence(report, prevalence)


def _at_prevalence(report: pd.DataFrame, prevalence: Mapping[str, float]) -> pd.DataFrame:
    unknown = sorted(set(prevalence) - set(report["class"]))
    if unknown:
        raise UsageError(
            f"The prevalence is given for {unknown[0]!r}, which is no class: name one of them."
        )
    stated = report["class"].map(dict(prevalence)).astype(np.float64)
    rows = zip(report["recall"], report["specificity"], stated, strict=True)
    values = [(np.nan, np.nan) if np.isnan(p) else predictive_values(r, s, p) for r, s, p in rows]
    ppv, npv = zip(*values, strict=True)
    return report.assign(prevalence=stated, ppv_at_prevalence=ppv, npv_at_prevalence=npv)
