"""Likelihood ratios, predictive values, net benefit and sensitivity at a specificity, with bounds."""

from __future__ import annotations

import numpy as np
import pytest

from leukbench.score.arrays import arrays_of
from leukbench.score.benign_malignant import benign_malignant, binary_frame, binary_trials
from leukbench.score.decisions import (
    decision_curve,
    net_benefit,
    predictive_interval,
    ratio_interval,
    sensitivity_at,
)
from leukbench.score.intervals import Interval, wilson
from leukbench.score.resampling import Resampled, weight_chunks
from tests.score.made import from_confusion, random_frame, trial
from tests.score.test_metrics import TABLE_2


def proportion(k: int, n: int) -> tuple[float, Interval]:
    return k / n, Interval(*wilson(k, n), "")


def test_the_ratio_of_two_proportions_has_its_nominal_coverage() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        _, bounds = ratio_interval(
            proportion(rng.binomial(80, 0.9), 80), proportion(rng.binomial(60, 0.2), 60)
        )
        covered += bounds.low <= 4.5 <= bounds.high
    assert 0.93 < covered / 1000 < 0.975


def test_no_false_alarm_leaves_the_ratio_without_an_upper_bound() -> None:
    value, bounds = ratio_interval(proportion(40, 50), proportion(0, 60))
    assert np.isinf(value)
    assert np.isinf(bounds.high)
    assert 5 < bounds.low < 20
    ppv = predictive_interval(bounds, 0.5)
    assert ppv.high == 1.0
    assert ppv.low == pytest.approx(bounds.low / (1 + bounds.low))


def test_the_published_second_table_has_ratios_and_bounds() -> None:
    row = benign_malignant([trial(from_confusion(TABLE_2))], resamples=50).iloc[0]
    assert row["lr_positive"] == pytest.approx((543 / 546) / (10 / 106))
    assert row["lr_negative"] == pytest.approx((3 / 546) / (96 / 106))
    for name in ("ppv", "npv", "lr_positive", "lr_negative"):
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"], name
    # at equal costs the threshold is one half: (TP - FP) / n
    assert row["net_benefit"] == pytest.approx((543 - 10) / 652)


def test_net_benefit_by_hand_and_over_thresholds() -> None:
    trials = binary_trials([trial(random_frame(300, seed=2))])
    a = trials[0].arrays
    called = a.distribution[:, 1] >= 0.2
    expected = (called & (a.truth == 1)).sum() - (called & (a.truth == 0)).sum() * 0.2 / 0.8
    assert net_benefit(0.2).of_trial(a) == pytest.approx(expected / 300)
    curve = decision_curve(trials, resamples=200).set_index("threshold")
    assert curve.loc[0.2, "net_benefit"] == pytest.approx(expected / 300)
    share = (a.truth == 1).mean()
    assert curve.loc[0.5, "all_malignant"] == pytest.approx(share - (1 - share))
    # at 0.2 an image counts 1, -0.25 or 0: the bootstrap's bounds are near those of the normal one
    value = np.where(called, np.where(a.truth == 1, 1.0, -0.25), 0.0)
    half = 1.96 * value.std() / np.sqrt(300)
    assert curve.loc[0.2, "high"] - curve.loc[0.2, "low"] == pytest.approx(2 * half, rel=0.15)


def test_without_probabilities_there_is_no_net_benefit() -> None:
    """A network whose loss became NaN is not worth zero: what it is worth is not known."""
    frame = random_frame(50, seed=2)
    probabilities = [name for name in frame if name.startswith("p_")]
    curve = decision_curve(
        binary_trials([trial(frame.assign(**dict.fromkeys(probabilities, np.nan)))]), resamples=20
    )
    assert curve[["net_benefit", "low", "high"]].isna().all(axis=None)


def by_hand(score: np.ndarray, malignant: np.ndarray, specificity: float) -> float:
    for cut in np.sort(np.unique(score[~malignant])):
        if (score[~malignant] <= cut).mean() >= specificity - 1e-9:
            return float((score[malignant] > cut).mean())
    raise AssertionError


@pytest.mark.parametrize("rounded", [None, 1])
@pytest.mark.parametrize("specificity", [0.5, 0.9, 0.95])
def test_sensitivity_at_a_specificity_by_hand_and_resampled(
    specificity: float, rounded: int | None
) -> None:
    frame = binary_frame(random_frame(150, seed=3, rounded=rounded), "Benign")
    a = arrays_of(frame)
    metric = sensitivity_at(specificity)
    assert metric.of_trial(a) == pytest.approx(by_hand(a.ranking[:, 1], a.truth == 1, specificity))
    (weights,) = weight_chunks(150, 20, seed=1)
    values = metric.of_resamples(Resampled(a, np.arange(150), weights))
    for r in range(20):
        drawn = a.take(np.repeat(np.arange(150), weights[:, r].astype(int)))
        assert values[r] == pytest.approx(metric.of_trial(drawn), abs=1e-6)


def test_one_area_for_two_classes_where_one_column_is_rounded_to_one() -> None:
    """A confident model's column for one class is 1.0 throughout; the other column still ranks."""
    small = np.array([1e-30, 1e-25, 1e-20, 1e-3, 0.3, 0.9])
    frame = random_frame(6, ("a", "b"), seed=0).assign(
        y_true=["a", "a", "b", "a", "b", "b"], p_b=small, p_a=1 - small
    )
    frame["y_pred"] = np.where(small > 0.5, "b", "a")
    a = arrays_of(frame)
    assert a.stored[0, 0] == a.stored[1, 0] == 1.0
    from leukbench.score.metrics import scores_of

    assert scores_of(a, ("auroc",))["auroc"] == pytest.approx(8 / 9)
