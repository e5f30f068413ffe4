"""The scores of one trial equal scikit-learn's, and have a value where scikit-learn warns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from leukbench.errors import DataError
from leukbench.score.arrays import arrays_of, group_codes, groups_from_split
from leukbench.score.counts import confusion_frame
from leukbench.score.metrics import METRICS, trial_scores
from tests.score.made import CLASSES, frame, from_confusion, random_frame

TABLE_2 = [[96, 10, 0, 0], [2, 183, 1, 0], [1, 1, 201, 0], [0, 0, 0, 157]]


@pytest.mark.parametrize("classes", [("a", "b"), CLASSES, tuple("abcdefg")])
@pytest.mark.parametrize("rounded", [None, 1])
def test_scores_equal_scikit_learn(classes: tuple[str, ...], rounded: int | None) -> None:
    predictions = random_frame(250, classes, seed=3, rounded=rounded)
    y, called = predictions["y_true"], predictions["y_pred"]
    p = predictions[[f"p_{c}" for c in classes]].to_numpy()
    onehot = (y.to_numpy()[:, None] == np.array(classes)).astype(int)
    by_class = sk.multilabel_confusion_matrix(y, called, labels=classes)
    expected = {
        "accuracy": sk.accuracy_score(y, called),
        "precision": sk.precision_score(y, called, average="macro", zero_division=0),
        "recall": sk.recall_score(y, called, average="macro"),
        "specificity": np.mean([m[0, 0] / m[0].sum() for m in by_class]),
        "f1": sk.f1_score(y, called, average="macro"),
        "balanced_accuracy": sk.balanced_accuracy_score(y, called),
        "mcc": sk.matthews_corrcoef(y, called),
        "auroc": np.mean([sk.roc_auc_score(onehot[:, k], p[:, k]) for k in range(len(classes))]),
        "average_precision": sk.average_precision_score(onehot, p, average="macro"),
        "log_loss": sk.log_loss(y, p, labels=classes),
        "brier": np.mean(((p - onehot) ** 2).sum(axis=1)),
    }
    found = trial_scores(predictions)
    assert set(found) == set(METRICS)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


def test_the_published_second_table_comes_back() -> None:
    """637 of 652, macro recall 0.96992, mean specificity 0.992."""
    found = trial_scores(from_confusion(TABLE_2))
    assert found["accuracy"] == 637 / 652
    assert found["recall"] == pytest.approx(0.96992, abs=5e-6)
    assert found["specificity"] == pytest.approx(0.992, abs=5e-4)
    assert confusion_frame(from_confusion(TABLE_2)).to_numpy().tolist() == TABLE_2


def test_a_class_without_test_image_enters_no_average() -> None:
    """Pro is absent; one Benign image called Pro is wrong all the same."""
    predictions = frame(
        ["Benign", "Benign", "Early", "Early", "Pre", "Pre"],
        ["Benign", "Pro", "Early", "Early", "Pre", "Early"],
    )
    found = trial_scores(predictions)
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["recall"] == pytest.approx((1 / 2 + 1 + 1 / 2) / 3)
    assert found["precision"] == pytest.approx((1 + 2 / 3 + 1) / 3)
    assert found["specificity"] == pytest.approx((1 + 3 / 4 + 1) / 3)
    p = predictions[["p_Benign", "p_Early", "p_Pre"]].to_numpy()
    onehot = predictions["y_true"].to_numpy()[:, None] == np.array(["Benign", "Early", "Pre"])
    assert found["auroc"] == pytest.approx(sk.roc_auc_score(onehot, p))
    assert all(np.isfinite(value) for value in found.values())


def test_one_class_predicted_gives_zero_precision_and_correlation() -> None:
    found = trial_scores(frame(["Benign", "Early", "Pre", "Pro"], ["Early"] * 4))
    assert found["accuracy"] == found["recall"] == 0.25
    assert found["precision"] == pytest.approx(0.25 / 4)
    assert found["mcc"] == 0.0
    assert found["auroc"] == 0.5


def test_a_test_part_of_one_class_has_no_ranking_and_no_specificity() -> None:
    found = trial_scores(frame(["Pre", "Pre"], ["Pre", "Pro"]))
    assert found["accuracy"] == 0.5
    assert np.isnan(found["auroc"])
    assert np.isnan(found["specificity"])
    assert found["average_precision"] == 1.0
    two = trial_scores(frame(["a", "a"], ["a", "b"], classes=("a", "b")))
    assert two["brier"] == pytest.approx((0.02 + 1.62) / 2)


def test_probabilities_that_are_not_finite_leave_the_counts() -> None:
    """A network whose loss became NaN is shown with what is known."""
    p = np.full((4, 4), np.nan)
    found = trial_scores(frame(CLASSES, ["Benign"] * 4, p))
    assert found["accuracy"] == 0.25
    assert all(np.isnan(found[name]) for name in ("auroc", "log_loss", "brier", "ece"))


def test_every_score_lies_in_its_stated_range() -> None:
    for seed in range(20):
        for name, value in trial_scores(random_frame(30, skill=seed / 4 - 2, seed=seed)).items():
            low, high = METRICS[name].bounds
            assert low <= value <= high


def test_half_precision_rows_are_normalised_and_wrong_ones_refused() -> None:
    predictions = random_frame(50)
    columns = [f"p_{c}" for c in CLASSES]
    half = predictions.assign(**{c: predictions[c].astype("float16") for c in columns})
    p = arrays_of(half).distribution
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    with pytest.raises(DataError, match="sum to one"):
        arrays_of(predictions.assign(p_Pre=predictions["p_Pre"] + 0.5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="y_pred"), "lack the column y_pred"),
        (lambda f: f.iloc[:0], "hold no image"),
        (lambda f: f.assign(y_true="Blast"), "'Blast' in y_true"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "00000.jpg twice"),
        (lambda f: f[["image", "y_true", "y_pred", "p_Pre"]], "fewer than two columns"),
    ],
)
def test_what_is_wrong_with_a_frame_is_named(change: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        trial_scores(change(random_frame(5)))  # type: ignore[operator]


def test_the_order_of_the_images_does_not_matter() -> None:
    predictions = random_frame(60)
    shuffled = predictions.sample(frac=1, random_state=1)
    assert trial_scores(shuffled) == trial_scores(predictions)


def test_groups_come_from_the_split_and_the_rest_stand_alone() -> None:
    split = pd.DataFrame(
        {"image": ["a", "b", "c", "a"], "group": ["p1", "p1", None, "p1"], "fold": [0, 0, 0, 1]}
    )
    groups = groups_from_split(split)
    assert groups == {"a": "p1", "b": "p1"}
    assert group_codes(["c", "a", "d", "b"], groups).tolist() == [0, 1, 2, 1]
    assert group_codes(["c", "a"], None).tolist() == [0, 1]
