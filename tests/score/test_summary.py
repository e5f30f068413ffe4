"""A model's row: means over seeds and folds, with each image counted once."""

from __future__ import annotations

import numpy as np
import pytest

from leukbench.errors import DataError
from leukbench.score.intervals import corrected_resampled_interval, wilson
from leukbench.score.metrics import METRICS, comparison_metrics, trial_scores
from leukbench.score.summary import comparison_scores, summarise
from tests.score.made import outcome_frame, random_frame, trial


def row(table, metric: str = "accuracy"):  # type: ignore[no-untyped-def]
    return table.set_index("metric").loc[metric]


def test_a_single_trial_has_its_own_scores_and_wilsons_interval() -> None:
    predictions = random_frame(200, seed=1)
    table = summarise([trial(predictions)], resamples=200)
    scores = trial_scores(predictions)
    assert dict(zip(table["metric"], table["value"], strict=True)) == pytest.approx(scores)
    accuracy = row(table)
    assert (accuracy["low"], accuracy["high"]) == pytest.approx(
        wilson(scores["accuracy"] * 200, 200)
    )
    assert accuracy["method"] == "Wilson"
    assert row(table, "f1")["method"] == "cluster bootstrap"
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()


def test_five_copies_of_a_trial_tell_no_more_than_one() -> None:
    """Seeds times images would give an interval less than half as wide."""
    predictions = random_frame(200, seed=1)
    one = summarise([trial(predictions)], resamples=300)
    five = summarise([trial(predictions, seed=s) for s in range(5)], resamples=300)
    for column in ("value", "low", "high"):
        np.testing.assert_allclose(five[column], one[column], atol=1e-6)
    assert set(five["n_trials"]) == {5}
    assert set(five["n_images"]) == {200}


def test_seeds_that_differ_widen_the_interval() -> None:
    right = np.arange(100) < 90
    same = [trial(outcome_frame(right), seed=s) for s in range(3)]
    spread = [trial(outcome_frame(np.arange(100) < 90 + d), seed=d) for d in (-8, 0, 8)]
    narrow, wide = (
        row(summarise(same, metrics=("accuracy",))),
        row(summarise(spread, metrics=("accuracy",))),
    )
    assert wide["value"] == narrow["value"] == pytest.approx(0.9)
    assert wide["low"] < narrow["low"]
    assert wide["high"] > narrow["high"]
    assert wide["method"].endswith("spread over 3 seeds")


def test_groups_widen_the_interval() -> None:
    predictions = random_frame(200, skill=1.5, seed=1).sort_values("image")
    wrong = predictions["y_true"] != predictions["y_pred"]
    order = predictions["image"][np.argsort(wrong.to_numpy(), kind="stable")]
    groups = {image: f"patient {i // 10}" for i, image in enumerate(order)}
    alone, grouped = (summarise([trial(predictions)], g, resamples=500) for g in (None, groups))
    for metric in ("accuracy", "recall", "f1", "mcc"):
        a, b = row(alone, metric), row(grouped, metric)
        assert b["high"] - b["low"] > 1.3 * (a["high"] - a["low"]), metric


def test_folds_use_the_corrected_variance_of_the_folds_means() -> None:
    trials = [
        trial(
            random_frame(50, seed=10 * f + s, truth_seed=f, prefix=f"{f}/"),
            fold=f,
            seed=s,
            n_train=200,
        )
        for f in range(5)
        for s in range(2)
    ]
    table = summarise(trials)
    scores = [trial_scores(t.frame) for t in trials]
    for metric in METRICS:
        values = np.array([s[metric] for s in scores])
        folds = values.reshape(5, 2).mean(axis=1)
        found = row(table, metric)
        assert found["value"] == pytest.approx(values.mean())
        expected = corrected_resampled_interval(folds, 50 / 200, (-1, 9))
        if metric != "accuracy":
            assert found["low"] == pytest.approx(expected.low)
    accuracy = row(table)
    plain = wilson(accuracy["value"] * 250, 250)
    assert accuracy["low"] <= plain[0] + 1e-12
    assert accuracy["high"] >= plain[1] - 1e-12
    assert accuracy["n_images"] == 250


def test_perfect_folds_are_no_certainty() -> None:
    trials = [trial(outcome_frame([True] * 40, f"{f}/"), fold=f) for f in range(4)]
    found = summarise(trials, metrics=("accuracy", "f1"))
    assert row(found)["low"] == pytest.approx(wilson(160, 160)[0])
    assert np.isnan(row(found, "f1")["low"])


def test_an_unfinished_fold_weighs_no_more_for_its_seeds() -> None:
    good = [trial(outcome_frame([True] * 10, "0/"), fold=0, seed=s) for s in range(3)]
    bad = trial(outcome_frame([False] * 10, "1/"), fold=1)
    assert row(summarise([*good, bad], metrics=("accuracy",)))["value"] == 0.5


def test_the_comparison_has_its_columns_and_ranks_only_who_competes() -> None:
    def made(name: str, skill: float, **more: str):  # type: ignore[no-untyped-def]
        return trial(random_frame(150, skill=skill, seed=3), name, **more)

    table = comparison_scores(
        [
            made("colour", 9, family="probe"),
            made("majority", -1, family="control"),
            made("vgg16", -2, status="degenerate"),
            made("svm_rbf", 1, family="classical"),
            made("modified_cnn", 2),
        ]
    )
    assert table["model"].tolist() == ["modified_cnn", "svm_rbf", "majority", "vgg16", "colour"]
    head = [
        "model",
        "title",
        "family",
        "status",
        "trials",
        "accuracy",
        "accuracy_low",
        "accuracy_high",
    ]
    assert table.columns.tolist() == head + list(comparison_metrics()[1:])
    summary = summarise([made("modified_cnn", 2)], metrics=comparison_metrics(), resamples=50)
    assert table.iloc[0]["accuracy_low"] == row(summary)["low"]
    for metric in comparison_metrics():
        assert table.iloc[0][metric] == pytest.approx(row(summary, metric)["value"])


def test_one_degenerate_seed_makes_the_model_degenerate() -> None:
    trials = [
        trial(random_frame(50, seed=s), seed=s, status="degenerate" if s == 1 else "ok")
        for s in range(3)
    ]
    assert comparison_scores(trials)["status"].tolist() == ["degenerate"]


def test_a_model_without_finite_probabilities_keeps_its_row() -> None:
    broken = random_frame(40)
    for column in broken.columns[3:]:
        broken[column] = np.nan
    table = summarise([trial(broken, status="degenerate")], resamples=50)
    assert row(table)["value"] == pytest.approx((broken["y_true"] == broken["y_pred"]).mean())
    assert np.isnan(row(table, "auroc")["value"])
    assert np.isnan(row(table, "auroc")["low"])


def test_trials_of_two_splits_are_refused() -> None:
    a = trial(random_frame(50), "a")
    with pytest.raises(DataError, match=r"b .* and a .* differ in their test images"):
        summarise([a, trial(random_frame(51), "b")])
    with pytest.raises(DataError, match="true labels"):
        summarise([a, trial(random_frame(50, truth_seed=8), "b")])
    with pytest.raises(DataError, match="twice"):
        summarise([a, a])
    with pytest.raises(DataError, match="no predictions"):
        summarise([])


def test_the_same_seed_gives_the_same_bounds() -> None:
    trials = [trial(random_frame(80))]
    first, again = (summarise(trials, resamples=100, seed=5) for _ in range(2))
    assert first.equals(again)
