"""Intervals equal published examples and hand computations, and cover what they claim."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import norm, ttest_1samp
from scipy.stats import t as student

from leukbench.score.intervals import (
    Clusters,
    Interval,
    clusters,
    corrected_resampled_interval,
    corrected_resampled_t,
    few_groups,
    percentile_interval,
    proportion_interval,
    proportion_with_seed_spread,
    seed_aware_t,
    shared_by_seeds,
    widened,
    wilson,
    with_seed_spread,
)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_equals_newcombes_first_table(
    successes: int, n: int, low: float, high: float
) -> None:
    """Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3."""
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_of_the_papers_accuracy() -> None:
    assert wilson(637, 652) == pytest.approx((0.962, 0.986), abs=5e-4)


def test_independent_images_have_no_design_effect_and_copies_have_their_number() -> None:
    values = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    assert clusters(values, np.arange(8)).design_effect == 1.0
    # every image three times in its group: 24 images carry the information of 8
    cost = clusters(np.repeat(values, 3), np.repeat(np.arange(8), 3))
    assert cost.design_effect == pytest.approx(3 * 8 / 7)
    # two of eight groups wrong: e is 0.25 or 0.75, so 2 (6 / 16 + 18 / 16)^2 / (6 / 256 + 162 / 256)
    assert cost.freedom == pytest.approx(2 * (24 / 16) ** 2 / (168 / 256) - 1)
    tripled = proportion_interval(np.repeat(values, 3), np.repeat(np.arange(8), 3))
    assert (tripled.low, tripled.high) == pytest.approx(wilson(0.75 * 7, 7, t_level(cost.freedom)))
    assert "design effect" in tripled.method


def t_level(freedom: float) -> float:
    """The confidence at which z is as large as t at 95 %."""
    return float(1 - 2 * norm.sf(student.ppf(0.975, freedom)))


def test_perfect_groups_count_as_groups() -> None:
    found = proportion_interval(np.ones(60), np.repeat(np.arange(20), 3))
    assert (found.low, found.high) == pytest.approx(wilson(20, 20, t_level(19)))


def test_groups_of_unlike_size_count_by_kish() -> None:
    """One group of 30 and thirty of 1: (60)^2 / (30^2 + 30) groups."""
    groups = np.concatenate([np.zeros(30, int), np.arange(1, 31)])
    assert clusters(np.ones(60), groups).freedom == pytest.approx(3600 / 930 - 1)
    expected = student.ppf(0.975, 3600 / 930 - 1) / norm.ppf(0.975) * np.sqrt(31 / 30)
    assert few_groups(groups) == pytest.approx(expected)
    assert few_groups(np.arange(9)) == 1.0
    wide = widened(Interval(0.8, 0.95, ""), 0.9, 2.0)
    assert (wide.low, wide.high) == pytest.approx((0.7, 1.0))


def test_one_group_tells_nothing() -> None:
    found = proportion_interval(np.array([1.0, 0.0, 1.0]), np.zeros(3, int))
    assert (found.low, found.high) == (0.0, 1.0)


def test_one_patient_with_most_errors_is_one_patient() -> None:
    """Twelve patients of whom one holds all errors: about one degree of freedom, not eleven."""
    values = np.ones(120)
    values[:6] = 0
    assert clusters(values, np.repeat(np.arange(12), 10)).freedom < 1.6


def test_one_error_is_no_patient_and_balanced_groups_cost_nothing() -> None:
    values = np.ones(600)
    values[0] = 0
    groups = np.repeat(np.arange(200), 3)
    assert clusters(values, groups).freedom == pytest.approx(199)
    found = proportion_interval(values, groups)
    assert (found.low, found.high) == pytest.approx(wilson(599, 600), abs=2e-4)
    half = np.tile([0.0, 1.0], 50)
    assert clusters(half, np.repeat(np.arange(50), 2)) == Clusters(25 / 100**2, 1.0, np.inf)


def test_seed_aware_t_by_hand() -> None:
    """Seeds 0.90 and 0.94 give s^2 / S = 0.0004, the other model's one seed nothing."""
    values = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], 400)
    cost = clusters(values, np.arange(400))
    assert cost.variance == pytest.approx(values.var(ddof=1) / 400, rel=1e-6)
    found = seed_aware_t(0.05, cost, [[0.90, 0.94], [0.87]])
    variance = cost.variance + 0.0008 / 2
    freedom = variance**2 / (cost.variance**2 / cost.freedom + 0.0004**2 / 1)
    assert found.standard_error == pytest.approx(np.sqrt(variance))
    assert found.p == pytest.approx(2 * student.sf(0.05 / np.sqrt(variance), freedom))


def test_grouped_interval_covers_where_the_naive_one_does_not() -> None:
    """Patients of ten images that are mostly right or wrong together; 90 % is right on average."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 10)
    covered = naive = 0
    for _ in range(400):
        p = rng.beta(0.9, 0.1, 60)
        values = (rng.random(600) < p[groups]).astype(float)
        honest, plain = proportion_interval(values, groups), wilson(values.sum(), 600)
        covered += honest.low <= 0.9 <= honest.high
        naive += plain[0] <= 0.9 <= plain[1]
    assert covered / 400 > 0.91
    assert naive / 400 < 0.75


def test_percentiles_leave_out_what_does_not_exist() -> None:
    values = np.concatenate([np.arange(101.0), [np.nan] * 5])
    found = percentile_interval(values, 0.9)
    assert (found.low, found.high) == pytest.approx((5, 95))


def test_no_spread_is_no_certainty() -> None:
    assert np.isnan(percentile_interval(np.ones(10)).low)
    nothing = corrected_resampled_interval(np.ones(5), 0.25, (0, 1))
    assert np.isnan(nothing.low)
    assert "no interval" in nothing.method


def test_spread_over_seeds_by_hand() -> None:
    """Seeds 0.90, 0.92, 0.94: s^2 / S = 0.0004 / 3; images' half width 0.0196 (variance 0.0001)."""
    z = norm.ppf(0.975)
    images = Interval(0.92 - 0.01 * z, 0.92 + 0.01 * z, "Wilson")
    found = with_seed_spread(0.92, images, [[0.90, 0.92, 0.94]], (0, 1))
    of_seeds = 0.0004 / 3
    freedom = (0.0001 + of_seeds) ** 2 / (of_seeds**2 / 2)
    half = student.ppf(0.975, freedom) * np.sqrt(0.0001 + of_seeds)
    assert (found.low, found.high) == pytest.approx((0.92 - half, 0.92 + half))
    assert found.method == "Wilson + spread over 3 seeds"


def test_one_seed_or_equal_seeds_change_nothing_and_bounds_are_kept() -> None:
    images = Interval(0.9, 0.99, "Wilson")
    for seeds in ([[0.95]], [[0.95, 0.95]], [[0.95], [0.9]]):
        found = with_seed_spread(0.95, images, seeds, (0, 1))
        assert (found.low, found.high) == pytest.approx((0.9, 0.99))
    wide = with_seed_spread(0.95, images, [[0.85, 1.0, 1.0]], (0, 1))
    assert wide.high == 1.0
    assert wide.low < 0.9


def test_corrected_t_by_hand() -> None:
    """Mean 0.02, s^2 = 0.00025, variance (1/5 + 1/4) s^2 = 0.0001125, t = 1.885618."""
    values = np.array([0.02, 0.03, 0.01, 0.04, 0.0])
    found = corrected_resampled_t(values, 0.25)
    assert found.standard_error == pytest.approx(np.sqrt(0.0001125))
    assert found.t == pytest.approx(1.885618, abs=1e-6)
    assert found.freedom == 4
    assert found.p == pytest.approx(0.132419, abs=1e-6)
    bounds = corrected_resampled_interval(values, 0.25, (-1, 1))
    assert bounds.high == pytest.approx(0.02 + 2.776445 * np.sqrt(0.0001125), abs=1e-7)


def test_without_the_correction_it_is_the_ordinary_t_test() -> None:
    values = np.random.default_rng(1).normal(size=10)
    assert corrected_resampled_t(values, 0.0).p == pytest.approx(ttest_1samp(values, 0).pvalue)


def test_folds_that_do_not_differ_have_a_p_all_the_same() -> None:
    assert corrected_resampled_t(np.zeros(5), 0.25).p == 1.0
    assert corrected_resampled_t(np.full(5, 0.1), 0.25).p == 0.0


def test_seeds_that_share_no_image_noise_count_alone_for_the_freedom() -> None:
    images = Interval(0.9, 0.94, "Wilson")
    seeds = [0.90, 0.92, 0.94]
    alone = with_seed_spread(0.92, images, [seeds], (0, 1), shared=0.0)
    half = student.ppf(0.975, 2) * np.sqrt((0.02 / norm.ppf(0.975)) ** 2 + 0.0004 / 3)
    assert alone.high == pytest.approx(0.92 + half)
    assert with_seed_spread(0.92, images, [seeds], (0, 1)).high < alone.high


def test_what_seeds_share_of_the_images_variance() -> None:
    rng = np.random.default_rng(0)
    image = rng.random(20000)
    assert shared_by_seeds((image > 0.4).astype(float), 3) == 1.0
    # a right answer by chance alone: nothing is shared; half of the images fixed: of the variance of
    # the means, 0.25 fixed images / 2 against 0.25 / 3 / 2 of the noisy ones, three quarters are
    noise = (rng.random((3, 20000)) < 0.5).mean(axis=0)
    assert shared_by_seeds(noise, 3) == pytest.approx(0.0, abs=0.05)
    half = np.where(np.arange(20000) % 2, noise, (image > 0.5).astype(float))
    assert shared_by_seeds(half, 3) == pytest.approx(0.75, abs=0.02)


def test_a_proportion_over_seeds_is_joined_on_the_scale_of_logits() -> None:
    """Without spread it is Wilson's; with it, the two bounds are as far from the logit's centre."""
    wide = proportion_interval(np.repeat([1.0, 0.0], [90, 10]), np.arange(100))
    same = proportion_with_seed_spread(0.9, wide, [0.9, 0.9, 0.9], 1.0)
    assert (same.low, same.high) == pytest.approx((wide.low, wide.high))
    found = proportion_with_seed_spread(0.9, wide, [0.8, 0.9, 1.0], 1.0)
    of_images = ((logit(wide.high) - logit(0.9)) / norm.ppf(0.975)) ** 2
    of_seeds = 0.01 / 3 / 0.09**2
    freedom = (of_images + of_seeds) ** 2 / (of_seeds**2 / 2)
    half = student.ppf(0.975, freedom) * np.sqrt(of_images + of_seeds)
    assert logit(found.high) == pytest.approx(logit(0.9) + half)
    assert logit(found.low) == pytest.approx(logit(0.9) - half)
    perfect = proportion_with_seed_spread(1.0, Interval(0.96, 1.0, ""), [1.0, 1.0], 1.0)
    assert (perfect.low, perfect.high) == (0.96, 1.0)
