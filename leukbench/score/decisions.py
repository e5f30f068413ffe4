"""What a two-class model is worth to a reader: likelihood ratios, net benefit, sensitivity at a price.

All take the view of `leukbench.score.benign_malignant`: class 0 is benign, class 1 malignant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from leukbench.score.arrays import Arrays, FloatArray
from leukbench.score.intervals import Interval
from leukbench.score.members import ModelTrials
from leukbench.score.metrics import ImageMetric, Metric
from leukbench.score.resampling import Resampled

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
        called = a.distribution[:, 1] >= threshold
        return np.where(called, np.where(a.truth == 1, 1.0, -rate), 0.0)

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


def decision_curve(models: list[ModelTrials]) -> pd.DataFrame:
    """Return net benefit over thresholds, of each model and of calling all images malignant.

    Columns ``model``, ``threshold``, ``net_benefit``, ``all_malignant``.
    """
    rows = []
    for model in models:
        share = model.mean([float((m.arrays.truth == 1).mean()) for m in model.members])
        for threshold in THRESHOLDS:
            metric = net_benefit(threshold)
            value = model.mean_scores({metric.name: metric})[metric.name]
            everything = share - (1 - share) * threshold / (1 - threshold)
            rows.append((model.model, threshold, value, everything))
    return pd.DataFrame(rows, columns=["model", "threshold", "net_benefit", "all_malignant"])
