"""The registry of metrics: one entry says everything about a score, and every table follows from it.

A metric of the confusion matrix is a `CountMetric`, a mean of one value an image an `ImageMetric`,
and anything else a small class with `Metric.of_trial`. Each gives a trial's value and its value
under resamples. With every class in the test part all values equal scikit-learn's, which is imported
for AUROC and average precision alone: it takes a second, and a gate on counts needs none of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.score.arrays import Arrays, FloatArray, arrays_of
from leukbench.score.calibration import (
    BINS,
    bin_of,
    confidence_and_hit,
    expected_calibration_error,
)
from leukbench.score.counts import confusion_matrix, mean_over_classes, per_class_scores, ratio
from leukbench.score.resampling import Resampled


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """A score of one trial.

    Attributes
    ----------
    name, title : str
        In files, and for people.
    definition : str
        Formula, average over classes, and source, for the reference pages.
    low, high : float
        The values that it can take.
    higher_is_better : bool
    in_comparison : bool
        Whether it is a column of ``comparison.csv``.
    """

    name: str
    title: str
    definition: str
    low: float = 0.0
    high: float = 1.0
    higher_is_better: bool = True
    in_comparison: bool = False
    needs_probabilities: ClassVar[bool] = True

    @property
    def bounds(self) -> tuple[float, float]:
        """`low` and `high`."""
        return self.low, self.high

    @abstractmethod
    def of_trial(self, a: Arrays) -> float:
        """The value for one trial."""

    def of_resamples(self, sample: Resampled) -> FloatArray:
        """The value under each resample, shape (resamples,)."""
        return np.array([self.of_trial(a) for a in sample.samples()])


@dataclass(frozen=True, kw_only=True)
class CountMetric(Metric):
    """A function of the confusion matrix.

    Attributes
    ----------
    score : callable
        Takes counts of shape (k, k, ...), true class, predicted class, then resamples, and keeps the
        trailing axes.
    """

    score: Callable[[FloatArray], FloatArray]
    needs_probabilities: ClassVar[bool] = False

    def of_trial(self, a: Arrays) -> float:
        return float(self.score(confusion_matrix(a).astype(np.float64)))

    def of_resamples(self, sample: Resampled) -> FloatArray:
        return self.score(sample.counts)


@dataclass(frozen=True, kw_only=True)
class ImageMetric(Metric):
    """A mean over images of `value`, which takes a trial and gives an array of shape (n,)."""

    value: Callable[[Arrays], FloatArray]

    def of_trial(self, a: Arrays) -> float:
        return float(self.value(a).mean())

    def of_resamples(self, sample: Resampled) -> FloatArray:
        return sample.mean(self.value(sample.a))


class Auroc(Metric):
    """Area under the ROC curve, one against the rest."""

    def of_trial(self, a: Arrays) -> float:
        from sklearn.metrics import roc_auc_score

        support = np.bincount(a.truth, minlength=len(a.classes))
        return _mean_of_classes(a, roc_auc_score, (support > 0) & (support < len(a.truth)))

    def of_resamples(self, sample: Resampled) -> FloatArray:
        return sample.ranking[0]


class AveragePrecision(Metric):
    """Area under the precision-recall curve as a sum of steps, one against the rest."""

    def of_trial(self, a: Arrays) -> float:
        from sklearn.metrics import average_precision_score

        present = np.bincount(a.truth, minlength=len(a.classes)) > 0
        return _mean_of_classes(a, average_precision_score, present)

    def of_resamples(self, sample: Resampled) -> FloatArray:
        return sample.ranking[1]


class CalibrationError(Metric):
    """Expected calibration error."""

    def of_trial(self, a: Arrays) -> float:
        return expected_calibration_error(a.distribution, a.truth)

    def of_resamples(self, sample: Resampled) -> FloatArray:
        confidence, hit = confidence_and_hit(sample.a.distribution, sample.a.truth)
        gaps = sample.sums(bin_of(confidence), hit - confidence, BINS)
        total = sample.weights[sample.groups].sum(axis=0, dtype=np.float64)
        errors: FloatArray = np.abs(gaps).sum(axis=0, dtype=np.float64) / total
        return errors


def _mean_of_classes(a: Arrays, score: Callable[..., float], exists: NDArray[np.bool_]) -> float:
    """Average a binary ranking score over the classes for which it exists."""
    from sklearn import config_context

    if not exists.any():
        return float("nan")
    truth = (a.truth[:, None] == np.flatnonzero(exists)).astype(np.int64)
    shown = a.ranking[:, exists]
    if truth.shape[1] == 1:
        truth, shown = truth[:, 0], shown[:, 0]
    # the arrays were checked when they were made: scikit-learn need not look again, trial by trial
    with config_context(assume_finite=True, skip_parameter_validation=True):
        return float(score(truth, shown, average="macro"))


def _accuracy(counts: FloatArray) -> FloatArray:
    return ratio(np.einsum("kk...->...", counts), counts.sum(axis=(0, 1)))


def _macro(name: str, counts: FloatArray) -> FloatArray:
    scores = per_class_scores(counts)
    return mean_over_classes(np.where(scores["support"] > 0, scores[name], np.nan))


def _mcc(counts: FloatArray) -> FloatArray:
    support, called, total = counts.sum(axis=1), counts.sum(axis=0), counts.sum(axis=(0, 1))
    spread = (total**2 - (support**2).sum(axis=0)) * (total**2 - (called**2).sum(axis=0))
    trace = np.einsum("kk...->...", counts)
    return ratio(trace * total - (support * called).sum(axis=0), np.sqrt(spread), 0.0)


def _log_loss(a: Arrays) -> FloatArray:
    of_truth = a.distribution[np.arange(len(a.truth)), a.truth]
    losses: FloatArray = -np.log(np.maximum(of_truth, np.finfo(np.float64).eps))
    return losses


def _brier(a: Arrays) -> FloatArray:
    squares: FloatArray = ((a.distribution - np.eye(len(a.classes))[a.truth]) ** 2).sum(axis=1)
    return squares


_BUILT_IN: tuple[Metric, ...] = (
    CountMetric(
        name="accuracy", title="Accuracy", score=_accuracy, in_comparison=True,
        definition="Images predicted right over all images.",
    ),
    CountMetric(
        name="precision", title="Precision", score=partial(_macro, "precision"), in_comparison=True,
        definition="TP/(TP+FP), macro; 0 for a class that is never predicted.",
    ),
    CountMetric(
        name="recall", title="Recall", score=partial(_macro, "recall"), in_comparison=True,
        definition="TP/(TP+FN), macro.",
    ),
    CountMetric(
        name="specificity", title="Specificity", score=partial(_macro, "specificity"),
        in_comparison=True,
        definition="TN/(TN+FP), macro; none for a class that every test image belongs to.",
    ),
    CountMetric(
        name="f1", title="F1", score=partial(_macro, "f1"), in_comparison=True,
        definition="2TP/(2TP+FP+FN), macro; 0 for a class that is never predicted.",
    ),
    CountMetric(
        name="balanced_accuracy", title="Balanced accuracy", score=partial(_macro, "recall"),
        in_comparison=True,
        definition="Mean recall of the classes (Brodersen et al. 2010, doi:10.1109/ICPR.2010.764): "
        "what macro recall is too.",
    ),
    CountMetric(
        name="mcc", title="MCC", score=_mcc, low=-1.0, in_comparison=True,
        definition="Matthews correlation of any number of classes (Gorodkin 2004, "
        "doi:10.1016/j.compbiolchem.2004.09.006); 0 where its denominator is 0, as in scikit-learn.",
    ),
    Auroc(
        name="auroc", title="AUROC", in_comparison=True,
        definition="Area under the ROC curve, each class against the rest, macro, ties counting half "
        "(Hand and Till 2001, doi:10.1023/A:1010920819831); of two classes that of the log-odds.",
    ),
    AveragePrecision(
        name="average_precision", title="Average precision",
        definition="Sum of precision times gain in recall over all thresholds, each class against "
        "the rest, macro.",
    ),
    ImageMetric(
        name="log_loss", title="Log-loss", value=_log_loss, high=np.inf, higher_is_better=False,
        definition="Mean negative natural logarithm of the true class's probability, in nats, "
        "clipped at machine precision as in scikit-learn.",
    ),
    ImageMetric(
        name="brier", title="Brier score", value=_brier, high=2.0, higher_is_better=False,
        in_comparison=True,
        definition="Mean over images of the squared differences between probability and truth, "
        "summed over all classes (Brier 1950, Monthly Weather Review 78:1-3): for two classes twice "
        "what is often printed.",
    ),
    CalibrationError(
        name="ece", title="ECE", higher_is_better=False, in_comparison=True,
        definition="Expected calibration error, 15 bins of equal width over the highest probability "
        "(Guo et al. 2017, arXiv:1706.04599, eq. 3).",
    ),
)  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in _BUILT_IN}
"""All metrics by name, in the order of the tables."""

Chosen = Mapping[str, Metric] | Iterable[str]
"""Metrics by name, or names of some of `METRICS`."""


def chosen(metrics: Chosen) -> dict[str, Metric]:
    """Look up metrics that are given by name alone."""
    if isinstance(metrics, Mapping):
        return dict(metrics)
    return {name: METRICS[name] for name in metrics}


def comparison_metrics() -> tuple[str, ...]:
    """Names of the scores that are columns of ``comparison.csv``, in its order."""
    return tuple(name for name, metric in METRICS.items() if metric.in_comparison)


def scores_of(a: Arrays, metrics: Chosen = METRICS) -> dict[str, float]:
    """Score one trial; NaN where a score does not exist or needs probabilities that are missing."""
    return {
        name: float("nan")
        if a.probabilities is None and metric.needs_probabilities
        else metric.of_trial(a)
        for name, metric in chosen(metrics).items()
    }


def resampled_scores(sample: Resampled, metrics: Chosen) -> dict[str, FloatArray]:
    """Score one trial under every resample: an array of shape (resamples,) a metric."""
    return {
        name: np.full(sample.weights.shape[1], np.nan)
        if sample.a.probabilities is None and metric.needs_probabilities
        else metric.of_resamples(sample)
        for name, metric in chosen(metrics).items()
    }


def trial_scores(frame: pd.DataFrame, metrics: Chosen = METRICS) -> dict[str, float]:
    """Score a prediction frame (see `leukbench.score.arrays.TrialPredictions`).

    Raises
    ------
    leukbench.errors.DataError
        Where the frame is not what it should be; see `leukbench.score.arrays.arrays_of`.
    """
    return scores_of(arrays_of(frame), metrics)
