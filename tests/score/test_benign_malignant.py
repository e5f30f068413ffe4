"""Benign against malignant: confusions among malignant classes are no errors; errors have a price."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from leukbench.errors import UsageError
from leukbench.score.benign_malignant import (
    benign_malignant,
    binary_frame,
    cost_matrix,
    expected_costs,
    find_benign,
)
from leukbench.score.intervals import wilson
from tests.score.made import CLASSES, frame, from_confusion, random_frame, trial
from tests.score.test_metrics import TABLE_2


def test_the_published_second_table_as_a_question_of_two_classes() -> None:
    """96 of 106 benign images left alone, 543 of 546 malignant ones found."""
    (row,) = benign_malignant([trial(from_confusion(TABLE_2))], missed=10, false_alarm=1).to_dict(
        "records"
    )
    assert row["benign"] == "Benign"
    assert row["specificity"] == pytest.approx(96 / 106)
    assert row["sensitivity"] == pytest.approx(543 / 546)
    assert row["accuracy"] == pytest.approx(639 / 652)
    assert row["ppv"] == pytest.approx(543 / 553)
    assert row["npv"] == pytest.approx(96 / 99)
    assert row["expected_cost"] == pytest.approx((3 * 10 + 10 * 1) / 652)
    assert (row["sensitivity_low"], row["sensitivity_high"]) == pytest.approx(wilson(543, 546))


def test_the_malignant_probability_is_the_sum_of_the_others() -> None:
    predictions = random_frame(200, seed=6)
    found = benign_malignant([trial(predictions)])["auroc"].item()
    assert found == pytest.approx(
        roc_auc_score(predictions["y_true"] != "Benign", 1 - predictions["p_Benign"])
    )
    view = binary_frame(predictions, "Benign")
    np.testing.assert_allclose(view["p_benign"] + view["p_malignant"], 1)


def test_the_cheapest_decision_follows_elkans_threshold() -> None:
    """Missing costs nine times a false alarm: malignant from a probability of one tenth on."""
    p = np.array([[0.95, 0.05], [0.85, 0.15], [0.85, 0.15], [0.2, 0.8]])
    predictions = frame(
        ["benign", "malignant", "benign", "malignant"], None, p, ("benign", "malignant")
    )
    as_predicted, cheapest = expected_costs(predictions, cost_matrix(missed=9, false_alarm=1))
    assert as_predicted == pytest.approx(9 / 4)
    assert cheapest == pytest.approx(1 / 4)


def test_costs_of_any_number_of_classes() -> None:
    costs = pd.DataFrame(1.0 - np.eye(4), index=list(CLASSES), columns=list(CLASSES))
    predictions = random_frame(100, seed=2)
    errors = (predictions["y_true"] != predictions["y_pred"]).mean()
    assert expected_costs(predictions, costs) == pytest.approx((errors, errors))
    with pytest.raises(UsageError, match="lacks 'Pro'"):
        expected_costs(predictions, costs.drop(columns="Pro"))
    with pytest.raises(UsageError, match="no finite number"):
        expected_costs(predictions, costs.replace(1.0, np.nan))


def test_which_class_is_benign_is_found_or_asked_for() -> None:
    assert find_benign(CLASSES) == "Benign"
    assert find_benign(("hem", "all"), "hem") == "hem"
    with pytest.raises(UsageError, match="not clear which class is benign"):
        find_benign(("hem", "all"))
    with pytest.raises(UsageError, match="'Normal' is no class"):
        find_benign(CLASSES, "Normal")


def test_predictive_values_at_a_stated_prevalence() -> None:
    table = benign_malignant([trial(from_confusion(TABLE_2))], prevalence=0.01)
    sensitivity, false_alarms = 543 / 546, 10 / 106
    expected = sensitivity * 0.01 / (sensitivity * 0.01 + false_alarms * 0.99)
    assert table["ppv"].item() == pytest.approx(expected)
