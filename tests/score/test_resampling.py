"""A thousand resamples at once give what scikit-learn gives for each of them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from leukbench.score import resampling
from leukbench.score.arrays import arrays_of
from leukbench.score.metrics import METRICS, resampled_scores, scores_of
from leukbench.score.resampling import Resampled, weight_chunks
from tests.score.made import CLASSES, random_frame


@pytest.mark.parametrize("rounded", [None, 1])
def test_every_resample_equals_the_score_of_the_images_it_drew(rounded: int | None) -> None:
    a = arrays_of(random_frame(120, seed=1, rounded=rounded))
    groups = np.random.default_rng(0).integers(0, 40, 120)
    groups = np.unique(groups, return_inverse=True)[1]
    (weights,) = weight_chunks(int(groups.max()) + 1, 25, seed=4)
    found = resampled_scores(Resampled(a, groups, weights), METRICS)
    assert a.probabilities is not None
    for r in range(25):
        drawn = np.repeat(np.arange(120), weights[groups, r].astype(int))
        part = type(a)(
            a.classes, a.images[drawn], a.truth[drawn], a.predicted[drawn], a.probabilities[drawn]
        )
        expected = scores_of(part)
        for name in METRICS:
            assert found[name][r] == pytest.approx(expected[name], abs=2e-6), name


def test_ranking_scores_equal_scikit_learns_with_weights() -> None:
    predictions = random_frame(90, ("a", "b"), seed=5, rounded=1)
    a = arrays_of(predictions)
    (weights,) = weight_chunks(90, 10, seed=0)
    found = resampled_scores(Resampled(a, np.arange(90), weights), ("auroc",))["auroc"]
    assert a.probabilities is not None
    for r in range(10):
        expected = sk.roc_auc_score(a.truth, a.probabilities[:, 1], sample_weight=weights[:, r])
        assert found[r] == pytest.approx(expected, abs=1e-6)


def test_whole_groups_are_drawn_the_same_for_the_same_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = weight_chunks(30, 200, seed=1)
    (again,) = weight_chunks(30, 200, seed=1)
    (other,) = weight_chunks(30, 200, seed=2)
    assert (first == again).all()
    assert (first != other).any()
    assert (first.sum(axis=0) == 30).all()
    assert first.mean() == 1.0
    assert first.var() == pytest.approx(29 / 30, rel=0.1)
    monkeypatch.setattr(resampling, "_CELLS_AT_ONCE", 30 * 64)
    assert [chunk.shape[1] for chunk in weight_chunks(30, 200, seed=1)] == [64, 64, 64, 8]


def test_a_resample_without_a_class_is_scored_on_the_others() -> None:
    predictions = random_frame(40, seed=9)
    a = arrays_of(predictions)
    weights = (a.truth != 2).astype(np.float32)[:, None]
    keep = predictions[predictions["y_true"] != CLASSES[2]]
    expected = scores_of(arrays_of(keep))
    found = resampled_scores(Resampled(a, np.arange(40), weights), METRICS)
    for name in METRICS:
        assert found[name][0] == pytest.approx(expected[name], abs=2e-6), name
