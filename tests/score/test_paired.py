"""Each paired test equals an independent computation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from leukbench.score.intervals import corrected_resampled_t
from leukbench.score.paired import (
    bootstrap_accuracies,
    combine_dependent,
    mcnemar_exact,
    mcnemar_over_seeds,
    smallest_mcnemar_difference,
    smallest_t_difference,
    swap_p,
    swapped_sums,
)


@pytest.mark.parametrize(("b", "c"), [(8, 1), (0, 6), (5, 5), (40, 21), (1, 0)])
def test_mcnemar_is_the_binomial_test_of_the_discordant_images(b: int, c: int) -> None:
    assert mcnemar_exact(b, c) == pytest.approx(binomtest(b, b + c, 0.5).pvalue)
    assert mcnemar_exact(c, b) == mcnemar_exact(b, c)


def test_mcnemar_by_hand_and_without_discordance() -> None:
    assert mcnemar_exact(0, 6) == pytest.approx(2 / 64)
    assert mcnemar_exact(0, 0) == 1.0


def test_dependent_p_values_are_joined_by_twice_the_median() -> None:
    assert combine_dependent(np.array([0.04])) == 0.04
    assert combine_dependent(np.array([0.01, 0.3, 0.02, 0.2])) == pytest.approx(2 * 0.02)
    assert combine_dependent(np.array([0.8, 0.9])) == 1.0


def test_joined_p_values_keep_the_level_when_they_are_copies_or_independent() -> None:
    rng = np.random.default_rng(0)
    p = rng.random((4000, 5))
    assert np.mean([combine_dependent(row) <= 0.05 for row in p]) <= 0.05
    assert np.mean([combine_dependent(np.repeat(x, 5)) <= 0.05 for x in p[:, 0]]) <= 0.055


def test_seeds_are_tested_in_every_pairing_and_images_counted_once() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.random((3, 80)) < 0.9, rng.random((2, 80)) < 0.7
    only_a, only_b, p = mcnemar_over_seeds(*(x.astype("float32") for x in (a, ~a, b, ~b)))
    cells = [(int((x & ~y).sum()), int((~x & y).sum())) for x, y in product(a, b)]
    assert (only_a, only_b) == pytest.approx(tuple(np.mean(cells, axis=0)))
    ordered = sorted(binomtest(x, x + y, 0.5).pvalue for x, y in cells)
    assert p == pytest.approx(6 / 3 * ordered[2])


def test_copies_of_a_seed_do_not_sharpen_the_test() -> None:
    a, b = np.arange(60) < 55, np.arange(60) < 48
    parts = [np.repeat(x[None].astype("float32"), 5, axis=0) for x in (a, ~a, b, ~b)]
    p = mcnemar_over_seeds(*parts)[2]
    assert p >= mcnemar_exact(7, 0)


def test_equally_good_models_are_called_different_no_more_than_the_level_allows() -> None:
    """Images of unequal difficulty, three fits of each of two models that are alike."""
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(400):
        difficulty = rng.random(150)
        a, b = rng.random((2, 3, 150)) > difficulty
        parts = (x.astype("float32") for x in (a, ~a, b, ~b))
        found += mcnemar_over_seeds(*parts)[2] < 0.05
    assert found / 400 < 0.06


def test_swapping_single_images_is_mcnemars_test() -> None:
    a = np.array([1.0] * 9 + [0.0] * 3 + [1.0] * 50)
    b = np.array([0.0] * 9 + [1.0] * 3 + [1.0] * 50)
    swapped = swapped_sums(np.array([a, b]), np.arange(62), 20000, seed=0)
    p = swap_p(swapped[:, 0], swapped[:, 1], float((a - b).sum()))
    assert p == pytest.approx(mcnemar_exact(9, 3), abs=0.01)


def test_swapping_groups_enumerated() -> None:
    """Differences of 4, 3 and 1 images in three groups: 2 of 8 swaps reach 8."""
    a = np.ones(8)
    b = np.zeros(8)
    swapped = swapped_sums(np.array([a, b]), np.array([0] * 4 + [1] * 3 + [2]), 20000, seed=0)
    assert swap_p(swapped[:, 0], swapped[:, 1], 8.0) == pytest.approx(2 / 8, abs=0.01)


def test_groups_that_stick_together_do_not_fool_the_swap() -> None:
    """Two equal models, each of which fails whole patients: McNemar cries wolf, the swap does not."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 12)
    wolf = swap = 0
    for trial in range(200):
        a, b = (rng.random((2, 30)) < 0.8).astype(float)[:, groups]
        wolf += (
            mcnemar_exact(int(((a == 1) & (b == 0)).sum()), int(((a == 0) & (b == 1)).sum())) < 0.05
        )
        table = swapped_sums(np.array([a, b]), groups, 400, seed=trial)
        swap += swap_p(table[:, 0], table[:, 1], float((a - b).sum())) < 0.05
    assert wolf / 200 > 0.3
    assert swap / 200 < 0.1


def test_the_paired_bootstrap_keeps_the_pairs() -> None:
    """Two equal models differ in no resample; independent resamples would differ."""
    right = (np.random.default_rng(0).random(300) < 0.8).astype(float)
    found = bootstrap_accuracies(np.array([right, right, 1 - right]), np.arange(300), 500, 0)
    assert (found[:, 0] == found[:, 1]).all()
    np.testing.assert_allclose(found[:, 0] + found[:, 2], 1, atol=1e-6)
    expected = np.sqrt(right.mean() * (1 - right.mean()) / 300)
    assert found[:, 0].std() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(("n", "psi"), [(652, 0.1), (300, 0.3)])
def test_the_smallest_difference_is_found_four_times_in_five(n: int, psi: float) -> None:
    """Simulated: McNemar's test without correction has the power that the formula promises."""
    d = smallest_mcnemar_difference(n, psi)
    rng = np.random.default_rng(1)
    cells = rng.multinomial(n, [(psi + d) / 2, (psi - d) / 2, 1 - psi], size=20000)
    b, c = cells[:, 0], cells[:, 1]
    found = np.abs(b - c) / np.sqrt(np.maximum(b + c, 1)) > norm.ppf(0.975)
    assert found.mean() == pytest.approx(0.8, abs=0.02)


def test_the_smallest_difference_solves_connors_equation() -> None:
    d = smallest_mcnemar_difference(400, 0.2, alpha=0.01, power=0.9)
    z_alpha, z_beta = norm.ppf(0.995), norm.ppf(0.9)
    n = (z_alpha * np.sqrt(0.2) + z_beta * np.sqrt(0.2 - d**2)) ** 2 / d**2
    assert n == pytest.approx(400)


def test_without_discordance_a_difference_must_bring_its_own() -> None:
    d = smallest_mcnemar_difference(652, 0.0)
    assert 0.005 < d < 0.02
    assert np.isnan(smallest_mcnemar_difference(3, 0.0))


def test_the_smallest_difference_over_folds() -> None:
    test = corrected_resampled_t(np.array([0.02, 0.03, 0.01, 0.04, 0.0]), 0.25)
    assert smallest_t_difference(test) == pytest.approx((2.776445 + 0.940965) * test.standard_error)
