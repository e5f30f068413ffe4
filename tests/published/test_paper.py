"""The paper's tables: every finding of the close reading comes out of the computation."""

from __future__ import annotations

import json

import pytest

from leukbench.errors import UsageError
from leukbench.published import CheckReport, check_table, published_table
from leukbench.published.rows import RowVerdict
from leukbench.published.shared_sets import TableFinding


@pytest.fixture(scope="module")
def paper() -> CheckReport:
    return check_table("paper")


def found(report: CheckReport, kind: str) -> list[TableFinding]:
    return [f for f in report.findings if f.kind == kind]


def verdict(report: CheckReport, name: str) -> RowVerdict:
    return next(v for v in report.rows if v.row.name == name)


def test_exactly_two_confusion_matrices_print_table_2(paper: CheckReport) -> None:
    (matrices,) = found(paper, "matrices")
    assert sorted(matrices.data["matrices"]) == [
        [[96, 9, 1, 0], [3, 183, 0, 0], [0, 2, 201, 0], [0, 0, 0, 157]],
        [[96, 10, 0, 0], [2, 183, 1, 0], [1, 1, 201, 0], [0, 0, 0, 157]],
    ]
    assert matrices.data["correct"] == [637]
    assert matrices.data["macro_specificity"] == pytest.approx([0.992], abs=5e-4)
    assert matrices.data["first_class_specificity"] == [96 / 106]


def test_the_printed_specificity_is_neither_of_the_true_ones(paper: CheckReport) -> None:
    claim = next(f for f in found(paper, "claim") if f.data["statistic"] == "specificity")
    assert claim.data["value"] == "95.3" and claim.data["fits"] == []
    row = verdict(paper, "Modified CNN")
    assert row.status == "impossible"
    assert any("without specificity 95.3" in hint for hint in row.hints)
    assert not any("without accuracy" in hint for hint in row.hints)


def test_two_accuracies_are_one_number_cut_off(paper: CheckReport) -> None:
    (one,) = found(paper, "one-number")
    assert one.data["values"] == ["97.69", "97.6"]
    assert one.data["true"] == pytest.approx(637 / 652)
    for claim in found(paper, "claim")[:2]:
        assert claim.data["fits"][0] == "accuracy" and claim.data["how"] == "cut off"


def test_the_sensitivity_is_the_macro_recall(paper: CheckReport) -> None:
    claim = next(f for f in found(paper, "claim") if f.data["statistic"] == "sensitivity")
    assert claim.data["value"] == "96.9" and claim.data["fits"][0] == "macro recall"
    assert claim.data["true"] == pytest.approx(0.96992, abs=5e-6)


def test_four_rows_are_one_test_set_of_63_images(paper: CheckReport) -> None:
    shared = found(paper, "test-set")[0].data
    assert (shared["positives"], shared["negatives"]) == (32, 31)
    assert {name: row["table"] for name, row in shared["rows"].items()} == {
        "SVM": [17, 2, 15, 29],
        "Naive Bayes": [29, 13, 3, 18],
        "Decision trees": [32, 2, 0, 29],
        "Random forest": [30, 0, 2, 31],
    }
    assert all(row["npv_as_specificity"] for row in shared["rows"].values())
    misprints = {name: row["misprinted"] for name, row in shared["rows"].items()}
    assert misprints == {
        "SVM": "",
        "Naive Bayes": "recall",
        "Decision trees": "accuracy",
        "Random forest": "",
    }
    assert "accuracy 96.77 is misprinted: it would be 96.83" in found(paper, "test-set")[0].text


def test_vgg16_is_another_test_set_of_182_images(paper: CheckReport) -> None:
    row = verdict(paper, "VGG-16")
    assert row.status == "consistent" and str(row.table) == "73/13/5/91"
    assert row.table is not None and (row.table.n, row.table.positives) == (182, 78)
    own = {f.data["row"]: f.data["table"] for f in found(paper, "own-test-set")}
    assert own["VGG-16"] == [73, 13, 5, 91]


def test_the_ensembles_share_a_test_set_and_their_missing_recall_is_found(
    paper: CheckReport,
) -> None:
    shared = found(paper, "test-set")[1].data
    assert (shared["positives"], shared["negatives"]) == (49, 59)
    assert list(shared["rows"]) == ["E1", "E2"]
    assert "recall 100.00" in found(paper, "test-set")[1].text


def test_rows_of_other_data_cannot_be_652_images(paper: CheckReport) -> None:
    (other,) = found(paper, "other-test-set")
    assert other.data["images"] == 652
    assert {"SVM", "VGG-16", "Naive Bayes", "Random forest"} <= set(other.data["rows"])


def test_that_the_network_outperforms_random_forest_does_not_follow(paper: CheckReport) -> None:
    intervals = {f.data["row"]: f.data for f in found(paper, "interval")}
    assert intervals["Modified CNN"]["wilson"] == pytest.approx([0.962, 0.986], abs=5e-4)
    forest = intervals["Random forest"]
    assert (forest["k"], forest["n"]) == (61, 63)
    assert forest["wilson"] == pytest.approx([0.891, 0.991], abs=5e-4)
    assert "SVM" not in intervals


def test_specificity_is_named_as_negative_predictive_value(paper: CheckReport) -> None:
    lines = "\n".join(paper.lines())
    for value in ("65.9", "85.71", "93.93"):
        assert f"the specificity {value} is the negative predictive value" in lines
    assert lines.index("SVM (binary): CANNOT BE TRUE") < lines.index("Findings")


def test_the_paper_fails_the_check_and_json_says_the_same(paper: CheckReport) -> None:
    assert paper.exit_code == 1
    data = json.loads(paper.to_json())
    status = {row["algorithm"]: row["status"] for row in data["rows"]}
    assert status == {v.row.name: v.status for v in paper.rows}
    assert data["reports"][0]["counts"]["rounded"] == {"found": 2, "complete": True}
    assert len(data["findings"]) == len(paper.findings)


def test_published_values_are_kept_as_printed() -> None:
    table = published_table("table1")
    cells = {row.name: row.cells for row in table.rows}
    assert cells["Hybrid MobileNetV2 & ResNet18"]["f1"] == "0.97"
    assert "recall" not in cells["E1"]
    assert cells["E1"]["accuracy"] == "75.00"
    assert published_table("table2").averages["macro avg"].cells["recall"] == "0.97"
    with pytest.raises(UsageError, match="table3"):
        published_table("table3")
