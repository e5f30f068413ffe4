"""Calibration is measured as published, and the temperature is the likeliest one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from leukbench.errors import DataError
from leukbench.score.calibration import (
    apply_temperature,
    calibration_test,
    expected_calibration_error,
    fit_temperature,
    reliability,
)
from leukbench.score.metrics import trial_scores
from leukbench.score.summary import calibration_table
from tests.score.made import CLASSES, frame, random_frame, trial


def brute_force(p: np.ndarray, y: np.ndarray, bins: int) -> float:
    """Equation 3 of Guo et al. 2017, image by image."""
    total = 0.0
    for b in range(bins):
        inside = [i for i in range(len(y)) if b / bins < p[i].max() <= (b + 1) / bins]
        if inside:
            accuracy = sum(int(p[i].argmax()) == y[i] for i in inside) / len(inside)
            confidence = sum(p[i].max() for i in inside) / len(inside)
            total += len(inside) / len(y) * abs(accuracy - confidence)
    return total


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error_equals_the_published_sum(bins: int) -> None:
    rng = np.random.default_rng(bins)
    p, y = rng.dirichlet(np.ones(4), 400), rng.integers(0, 4, 400)
    assert expected_calibration_error(p, y, bins) == pytest.approx(brute_force(p, y, bins))


def test_the_score_and_the_diagram_agree() -> None:
    predictions = random_frame(500, seed=2)
    table = reliability(predictions)
    assert len(table) == 15
    assert table["images"].sum() == 500
    gap = (table["accuracy"] - table["confidence"]).abs().fillna(0) * table["images"]
    assert trial_scores(predictions)["ece"] == pytest.approx(gap.sum() / 500)
    filled = table[table["images"] > 0]
    assert ((filled["low"] < filled["confidence"]) & (filled["confidence"] <= filled["high"])).all()


def test_a_calibrated_model_has_an_error_all_the_same_and_passes() -> None:
    """Labels are drawn from the probabilities: p is uniform, and the debiased error near zero."""
    rng = np.random.default_rng(0)
    tests = []
    for seed in range(100):
        p = softmax(rng.normal(scale=2, size=(652, 4)), axis=1)
        y = (rng.random((652, 1)) > p.cumsum(axis=1)).sum(axis=1)
        tests.append(calibration_test(p, y, draws=199, seed=seed))
    assert 0.03 < np.mean([t.ece for t in tests]) < 0.06
    assert np.mean([t.null for t in tests]) == pytest.approx(
        np.mean([t.ece for t in tests]), rel=0.05
    )
    assert np.mean([t.debiased for t in tests]) < 0.006
    assert np.mean([t.p <= 0.1 for t in tests]) == pytest.approx(0.1, abs=0.08)


def test_an_overconfident_model_is_found() -> None:
    predictions = random_frame(500, skill=0.5, seed=1)
    columns = [f"p_{c}" for c in CLASSES]
    sure = apply_temperature(predictions[columns].to_numpy(), 0.3)
    table = calibration_table([trial(frame(predictions["y_true"].tolist(), None, sure))])
    assert table["p"].item() == pytest.approx(1 / 1001)
    assert 0 < table["ece_debiased"].item() < table["ece"].item()


def test_no_diagram_of_probabilities_that_are_not_finite() -> None:
    with pytest.raises(DataError, match="no finite probabilities"):
        reliability(frame(CLASSES, ["Pre"] * 4, np.full((4, 4), np.nan)))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_found(temperature: float) -> None:
    """Labels drawn from probabilities; what is given has been sharpened or softened."""
    rng = np.random.default_rng(7)
    logits = rng.normal(scale=2, size=(20000, 3))
    honest = softmax(logits, axis=1)
    y = (rng.random((20000, 1)) > honest.cumsum(axis=1)).sum(axis=1)
    given = softmax(logits * temperature, axis=1)
    found = fit_temperature(given, y)
    assert found == pytest.approx(temperature, rel=0.05)
    np.testing.assert_allclose(
        apply_temperature(given, found), softmax(logits * temperature / found, axis=1), atol=1e-10
    )


def test_temperature_equals_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5))
    y = (x[:, 0] + rng.normal(size=300) > 0).astype(int) + (x[:, 1] > 1)
    model = LogisticRegression(C=1000).fit(x[:30], y[:30])
    theirs = CalibratedClassifierCV(FrozenEstimator(model), method="temperature", ensemble=False)
    theirs.fit(x[30:], y[30:])
    ours = fit_temperature(model.predict_proba(x[30:]), y[30:])
    np.testing.assert_allclose(
        apply_temperature(model.predict_proba(x), ours), theirs.predict_proba(x), atol=2e-3
    )


def test_sure_zeros_stay_finite_and_no_validation_image_is_refused() -> None:
    p = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    temperature = fit_temperature(p, np.array([0, 1, 1]))
    assert temperature > 1
    assert np.isfinite(apply_temperature(p, temperature)).all()
    with pytest.raises(DataError, match="no validation image"):
        fit_temperature(p[:0], np.array([], dtype=int))
