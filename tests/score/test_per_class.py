"""The classification report has scikit-learn's numbers, and predictive values follow Bayes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from leukbench.errors import UsageError
from leukbench.score.intervals import wilson
from leukbench.score.per_class import (
    classification_report,
    confusion_counts,
    predictive_values,
)
from tests.score.made import CLASSES, frame, from_confusion, random_frame, trial
from tests.score.test_metrics import TABLE_2


def test_the_report_equals_scikit_learns() -> None:
    predictions = random_frame(300, seed=4)
    theirs = sk.classification_report(
        predictions["y_true"], predictions["y_pred"], output_dict=True
    )
    ours = classification_report([trial(predictions)]).set_index("class")
    for name in (*CLASSES, "macro avg", "weighted avg"):
        for column, key in (
            ("precision",) * 2,
            ("recall",) * 2,
            ("f1", "f1-score"),
            ("support",) * 2,
        ):
            assert ours.loc[name, column] == pytest.approx(theirs[name][key]), (name, column)
    assert ours.loc["accuracy", "f1"] == pytest.approx(theirs["accuracy"])
    assert np.isnan(ours.loc["accuracy", "precision"])


def test_the_published_second_table_comes_back() -> None:
    report = classification_report([trial(from_confusion(TABLE_2))]).set_index("class")
    assert report.loc[list(CLASSES), "support"].tolist() == [106, 186, 203, 157]
    assert report.loc["Benign", "recall"] == pytest.approx(96 / 106)
    assert report.loc["Benign", "specificity"] == pytest.approx(543 / 546)
    assert report.loc["Benign", "npv"] == pytest.approx(543 / 553)
    bounds = report.loc["Benign", ["recall_low", "recall_high"]].tolist()
    assert bounds == pytest.approx(wilson(96, 106))
    bounds = report.loc["Benign", ["specificity_low", "specificity_high"]].tolist()
    assert bounds == pytest.approx(wilson(543, 546))


def test_an_absent_class_has_no_numbers_and_no_warning() -> None:
    report = classification_report([trial(frame(["Pre", "Pre", "Pro"], ["Pre", "Benign", "Pro"]))])
    report = report.set_index("class")
    assert report.loc["Benign", "support"] == 0
    assert np.isnan(report.loc["Benign", "recall"])
    assert np.isnan(report.loc["Benign", "recall_low"])
    assert report.loc["Benign", "specificity"] == pytest.approx(2 / 3)
    assert report.loc["macro avg", "recall"] == pytest.approx(0.75)


def test_folds_are_averaged_and_supports_add_up() -> None:
    trials = [
        trial(random_frame(60, seed=f, truth_seed=f, prefix=f"{f}/"), fold=f) for f in range(3)
    ]
    report = classification_report(trials).set_index("class")
    one_by_one = [classification_report([t]).set_index("class") for t in trials]
    for name in CLASSES:
        assert report.loc[name, "recall"] == pytest.approx(
            np.mean([r.loc[name, "recall"] for r in one_by_one])
        )
    assert report.loc[list(CLASSES), "support"].sum() == report.loc["accuracy", "support"] == 180


def test_confusion_counts_add_up_to_the_images() -> None:
    trials = [trial(random_frame(60, seed=s), seed=s) for s in range(2)]
    counts = confusion_counts(trials)["m"]
    assert counts.to_numpy().sum() == 60
    single = [confusion_counts([t])["m"] for t in trials]
    np.testing.assert_allclose(counts, (single[0] + single[1]) / 2)


def test_predictive_values_of_the_textbook() -> None:
    """Altman and Bland 1994: liver scans, sensitivity 231/258, specificity 54/86, prevalence 0.25."""
    ppv, npv = predictive_values(231 / 258, 54 / 86, 0.25)
    assert ppv == pytest.approx(0.45, abs=0.005)
    assert npv == pytest.approx(0.95, abs=0.005)
    # at the prevalence of the sample they are the plain shares
    assert predictive_values(231 / 258, 54 / 86, 258 / 344) == pytest.approx((231 / 263, 54 / 81))


def test_predictive_values_stand_in_the_report_where_asked_for() -> None:
    report = classification_report(
        [trial(from_confusion(TABLE_2))], prevalence={"Benign": 106 / 652}
    )
    benign = report.set_index("class").loc["Benign"]
    assert benign["ppv_at_prevalence"] == pytest.approx(benign["precision"])
    assert benign["npv_at_prevalence"] == pytest.approx(benign["npv"])
    assert report["ppv_at_prevalence"].notna().sum() == 1
    with pytest.raises(UsageError, match="'Blast', which is no class"):
        classification_report([trial(from_confusion(TABLE_2))], prevalence={"Blast": 0.1})
    with pytest.raises(UsageError, match=r"`prevalence=1\.5` does not fit"):
        classification_report([trial(from_confusion(TABLE_2))], prevalence={"Pre": 1.5})
