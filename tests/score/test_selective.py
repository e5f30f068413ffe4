"""Risk over coverage: right orders, wrong orders and no order give the known areas."""

from __future__ import annotations

import numpy as np
import pytest

from leukbench.score.selective import at_coverage, aurc, best_risk_coverage, risk_coverage


def of_confidence(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Risk of two-class answers with these confidences."""
    probabilities = np.column_stack([confidence, 1 - confidence])
    return risk_coverage(probabilities, np.where(right, 0, 1))


def drawn(n: int = 400, wrong: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    right = rng.permutation(np.arange(n) >= wrong)
    return np.sort(rng.uniform(0.51, 0.99, n)), right


def test_perfect_order_reaches_the_optimum() -> None:
    confidence, right = drawn()
    risk = of_confidence(confidence, np.sort(right))
    np.testing.assert_allclose(risk, best_risk_coverage(400, 60))
    # no error up to coverage 0.85, then i errors in 340 + i answers
    assert aurc(risk) == pytest.approx(sum(i / (340 + i) for i in range(1, 61)) / 400)
    # Geifman, Uziel and El-Yaniv 2019, equation for many images: r + (1 - r) ln(1 - r)
    assert aurc(risk) == pytest.approx(0.15 + 0.85 * np.log(0.85), abs=5e-4)


def test_no_order_gives_the_error_rate_everywhere() -> None:
    confidence, right = drawn()
    np.testing.assert_allclose(of_confidence(np.full(400, 0.7), right), 0.15)
    areas = []
    rng = np.random.default_rng(1)
    for _ in range(200):
        areas.append(aurc(of_confidence(confidence, rng.permutation(right))))
    assert np.mean(areas) == pytest.approx(0.15, abs=0.005)


def test_ties_are_the_mean_over_every_order_of_the_tied() -> None:
    """Four images, the middle two alike: both orders, by hand."""
    tied = of_confidence(np.array([0.9, 0.8, 0.8, 0.6]), np.array([1, 0, 1, 1]) == 1)
    first = of_confidence(np.array([0.9, 0.81, 0.8, 0.6]), np.array([1, 0, 1, 1]) == 1)
    second = of_confidence(np.array([0.9, 0.81, 0.8, 0.6]), np.array([1, 1, 0, 1]) == 1)
    assert first.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4])
    assert aurc(first) == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 4)
    np.testing.assert_allclose(tied, (first + second) / 2)


def test_full_coverage_is_the_error_rate_and_the_worst_order_is_worse_than_none() -> None:
    confidence, right = drawn()
    worst = of_confidence(confidence, np.sort(right)[::-1])
    assert at_coverage(worst, np.array([1.0])) == pytest.approx(0.15)
    assert at_coverage(worst, np.array([0.15])) == 1.0
    assert aurc(worst) > 0.15
