"""What a two-class model is worth to a reader: likelihood ratios, net benefit, sensitivity at a price.

All take the view of `leukbench.score.benign_malignant`: class 0 is benign, class 1 malignant.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from leukbench.score.arrays import Arrays, FloatArray, Groups, TrialPredictions
from leukbench.score.intervals import CONFIDENCE, Interval
from leukbench.score.members import models_of
from leukbench.score.metrics import ImageMetric, Metric
from leukbench.score.resampling import RESAMPLES, Resampled
from leukbench.score.summary import summarise

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))


def ratio_interval(
    top: tuple[float, Interval], bottom: tuple[float, Interval]
) -> tuple[float, Interval]:
    """Return the ratio of two independent proportions with its interval.

    The method of variance estimates recovery (Donner and Zou 2012, doi:10.1177/0962280210383082), which
    takes any intervals of the two: here those that know of groups, seeds and folds. Infinite where the
    lower proportion may be zero.
    """
    (a, over), (b, under) = top, bottom
    value = a / b if b > 0 else (np.inf if a > 0 else np.nan)
    middle = a * b
    low = middle - np.sqrt(
        max(0.0, middle**2 - over.low * under.high * (2 * a - over.low) * (2 * b - under.high))
    )
    high = middle + np.sqrt(
        max(0.0, middle**2 - over.high * under.low * (2 * a - over.high) * (2 * b - under.low))
    )
    low_scale = under.high * (2 * b - under.high)
    high_scale = under.low * (2 * b - under.low)
    lower = low / low_scale if low_scale > 0 else over.low / under.high
    upper = high / high_scale if high_scale > 0 else np.inf
    return value, Interval(max(0.0, float(lower)), float(upper), "MOVER")


def predictive_interval(ratio: Interval, prevalence: float, *, negative: bool = False) -> Interval:
    """Bounds of the positive (negative) predictive value that those of a likelihood ratio give."""
    odds = prevalence / (1 - prevalence) if prevalence < 1 else np.inf

    def of(bound: float) -> float:
        after = bound * odds
        return 1.0 if np.isinf(after) else after / (1 + after)

    if negative:
        return Interval(1 - of(ratio.high), 1 - of(ratio.low), ratio.method)
    return Interval(of(ratio.low), of(ratio.high), ratio.method)


def net_benefit(threshold: float) -> ImageMetric:
    """Net benefit of calling malignant from a probability of `threshold` on.

    Found cases less false alarms at the exchange rate of the threshold, an image: TP/n - FP/n t/(1-t)
    (Vickers and Elkin 2006, doi:10.1177/0272989X06295361). Calling nothing malignant is worth 0.
    """
    rate = threshold / (1 - threshold)

    def value(a: Arrays) -> FloatArray:
        malignant = a.distribution[:, 1]
        worth = np.where(malignant >= threshold, np.where(a.truth == 1, 1.0, -rate), 0.0)
        return np.where(np.isnan(malignant), np.nan, worth)

    return ImageMetric(
        name="net_benefit", title="Net benefit", value=value, low=-rate,
        definition=f"TP/n - FP/n t/(1-t) at a threshold t of {threshold:g}.",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SensitivityAt(Metric):
    """Share of malignant images found at the threshold where `specificity` of the benign are passed."""

    specificity: float

    def of_trial(self, a: Arrays) -> float:
        ones = np.ones((len(a.truth), 1), dtype=np.float32)
        return float(self.of_resamples(Resampled(a, np.arange(len(a.truth)), ones))[0])

    def of_resamples(self, sample: Resampled) -> FloatArray:
        score, malignant = sample.a.ranking[:, 1], sample.a.truth == 1
        weights = sample.weights[sample.groups].astype(np.float64)
        passed, found = np.flatnonzero(~malignant), np.flatnonzero(malignant)
        passed, found = passed[np.argsort(-score[passed])], found[np.argsort(-score[found])]
        if not len(passed) or not len(found):
            return np.full(weights.shape[1], np.nan)
        alarms = np.cumsum(weights[passed], axis=0)
        allowed = (1 - self.specificity) * alarms[-1] + 1e-9
        limit = score[passed][(alarms > allowed).argmax(axis=0)]
        hits = np.vstack([np.zeros((1, weights.shape[1])), np.cumsum(weights[found], axis=0)])
        above = np.searchsorted(-score[found], -limit, side="left")
        total = hits[-1]
        shares: FloatArray = np.divide(
            hits[above, np.arange(len(total))], total,
            out=np.full(len(total), np.nan), where=(total > 0) & (alarms[-1] > 0),
        )  # fmt: skip
        return shares


def sensitivity_at(specificity: float) -> SensitivityAt:
    """The metric for one specificity."""
    return SensitivityAt(
        name="sensitivity_at", title=f"Sensitivity at {100 * specificity:g} % specificity",
        definition="Malignant images found at the threshold that passes so many of the benign ones.",
        specificity=specificity,
    )  # fmt: skip


def decision_curve(
    trials: Iterable[TrialPredictions],
    groups: Groups | None = None,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Return net benefit over thresholds, of each model and of calling all images malignant.

    `trials` are those of `leukbench.score.benign_malignant.binary_trials`. Columns ``model``,
    ``threshold``, ``net_benefit``, ``low``, ``high`` (point by point, as `summarise` takes them),
    ``all_malignant``; NaN where a trial left no probabilities.
    """
    models = models_of(trials)
    metrics = {f"{t:g}": replace(net_benefit(t), name=f"{t:g}") for t in THRESHOLDS}
    found = summarise(
        [member for model in models for member in model.members], groups, metrics=metrics,
        confidence=confidence, resamples=resamples,
    )  # fmt: skip
    threshold = found["metric"].astype(float)
    share = {m.model: m.mean([float((t.arrays.truth == 1).mean()) for t in m.members])
             for m in models}  # fmt: skip
    malignant = found["model"].map(share)
    return pd.DataFrame(
        {
            "model": found["model"],
            "threshold": threshold,
            "net_benefit": found["value"],
            "low": found["low"],
            "high": found["high"],
            "all_malignant": malignant - (1 - malignant) * threshold / (1 - threshold),
        }
    )
