"""A true row is never called false, and an altered one nearly always is."""

from __future__ import annotations

import numpy as np
import pytest

from leukbench.published.rows import CONSISTENT, IMPOSSIBLE, OPEN, judge_row
from leukbench.published.tables import PublishedRow
from tests.published.random_tables import altered, random_binary, random_macro, row

STYLES = [(2, True), (3, True), (2, False), (3, False), (4, False)]


@pytest.mark.parametrize("kind", ["binary", "auto"])
@pytest.mark.parametrize("with_supports", [False, True])
def test_true_binary_rows_are_consistent(kind: str, with_supports: bool) -> None:
    rng = np.random.default_rng(11)
    for i in range(150):
        decimals, percent = STYLES[i % len(STYLES)]
        shares, supports = random_binary(rng)
        true = row(shares, rng, decimals, percent, kind, supports if with_supports else ())
        assert judge_row(true).status == CONSISTENT, true


@pytest.mark.parametrize("kind", ["macro", "auto"])
def test_true_macro_rows_are_never_called_false(kind: str) -> None:
    rng = np.random.default_rng(12)
    for i in range(40 if kind == "macro" else 180):
        decimals, percent = STYLES[i % len(STYLES)]
        shares, supports = random_macro(rng)
        true = row(shares, rng, decimals, percent, kind)
        classes = len(supports) if kind == "macro" else None
        assert judge_row(true, classes=classes).status != IMPOSSIBLE, true


def test_true_macro_rows_with_supports_are_consistent() -> None:
    """At five digits the one matrix among very many may not be found: then nothing is claimed."""
    rng = np.random.default_rng(13)
    undecided = 0
    for i in range(40):
        decimals, percent = STYLES[i % len(STYLES)]
        shares, supports = random_macro(rng)
        true = row(shares, rng, decimals, percent, "macro", supports)
        status = judge_row(true).status
        assert status == CONSISTENT or (status == OPEN and decimals + 2 * percent == 5), true
        undecided += status == OPEN
    assert undecided <= 2


def test_a_true_row_of_a_test_set_larger_than_the_search_is_not_called_false() -> None:
    rng = np.random.default_rng(14)
    for _ in range(40):
        shares, _supports = random_binary(rng)
        assert judge_row(row(shares, rng, 4, True, "binary"), limit=15).status != IMPOSSIBLE


@pytest.mark.parametrize(("decimals", "percent"), [(2, True), (3, False), (4, False)])
@pytest.mark.parametrize("most", [2.0, 20.0])
def test_an_altered_cell_of_a_binary_row_is_caught(
    decimals: int, percent: bool, most: float
) -> None:
    rng = np.random.default_rng(15)
    caught = 0
    for _ in range(60):
        shares, _supports = random_binary(rng)
        true = row(shares, rng, decimals, percent, "binary")
        wrong = altered(true, rng, decimals, percent, most)
        caught += judge_row(wrong, limit=300).status == IMPOSSIBLE
    assert caught >= 57


def test_an_uncaught_alteration_is_itself_a_true_row() -> None:
    """Two decimals of a fraction often leave room for another table: then one is shown."""
    rng = np.random.default_rng(16)
    passed = 0
    for _ in range(25):
        shares, _supports = random_binary(rng)
        wrong = altered(row(shares, rng, 2, False, "binary"), rng, 2, False, 2.0)
        verdict = judge_row(wrong)
        if verdict.status != CONSISTENT:
            continue
        passed += 1
        assert verdict.table is not None and verdict.reading is not None
        for metric, cell in verdict.cells.items():
            value = verdict.table.share(metric)
            of_printed = metric == "f1" and verdict.reading.f1_of_printed
            assert value is not None and (of_printed or cell.fits(value))
    assert passed


def test_known_supports_rule_out_a_specificity_that_no_error_pattern_gives() -> None:
    cells = {"accuracy": "97.69", "recall": "96.99", "specificity": "97.90"}
    assert judge_row(PublishedRow("m", cells, "macro"), classes=4).status == CONSISTENT
    supports = (106, 186, 203, 157)
    verdict = judge_row(PublishedRow("m", cells, "macro", supports))
    assert verdict.status == IMPOSSIBLE
    right = PublishedRow("m", {**cells, "specificity": "99.22"}, "macro", supports)
    assert judge_row(right).status == CONSISTENT


def test_macro_specificity_below_macro_recall_is_impossible() -> None:
    row_ = PublishedRow("m", {"recall": "96.0", "specificity": "95.3"}, "macro")
    verdict = judge_row(row_)
    assert verdict.status == IMPOSSIBLE
    assert "never below macro recall" in verdict.hints[0]


def test_a_size_that_cannot_print_the_accuracy_is_named() -> None:
    cells = {"accuracy": "97.69", "recall": "97.00"}
    verdict = judge_row(PublishedRow("m", cells, "binary", (100,)))
    assert verdict.status == IMPOSSIBLE
    assert "of 100 images" in verdict.hints[0]
    assert judge_row(PublishedRow("m", cells, "binary", (652,))).status == CONSISTENT


def test_a_share_above_100_or_below_0_is_named() -> None:
    verdict = judge_row(PublishedRow("m", {"accuracy": "101.2", "recall": "-3"}))
    assert verdict.status == IMPOSSIBLE
    assert [h.split()[0] for h in verdict.hints] == ["accuracy", "recall"]


def test_fractions_among_percentages_are_read_as_such_and_named() -> None:
    cells = {"accuracy": "89.81", "precision": "81.67", "specificity": "81.36", "f1": "0.89"}
    verdict = judge_row(PublishedRow("m", cells, "binary"))
    assert verdict.status == CONSISTENT
    assert str(verdict.table) == "49/11/0/48"
    assert "fractions among percentages: f1 0.89" in verdict.hints


def test_one_percent_in_a_table_of_percentages_is_not_taken_for_a_fraction() -> None:
    """TP 1, FP 3, FN 199, TN 297: a recall of half a percent, printed 0.50."""
    cells = {"accuracy": "59.60", "precision": "25.00", "recall": "0.50", "specificity": "99.00"}
    assert judge_row(PublishedRow("m", cells, "binary", (200, 300))).status == CONSISTENT


def test_a_model_that_calls_every_image_positive_on_two_negatives_is_found() -> None:
    """TP 111, FP 2, FN 51, TN 0: as many false positives as there are negatives."""
    cells = {"accuracy": "67.6829", "precision": "98.2300", "recall": "68.5185",
             "specificity": "0.0000", "f1": "80.7272"}  # fmt: skip
    verdict = judge_row(PublishedRow("m", cells, "binary", (162, 2)))
    assert verdict.status == CONSISTENT
    assert str(verdict.table) == "111/2/51/0"
    unstated = judge_row(PublishedRow("m", cells | {"specificity": "0"}, "binary"), limit=164)
    assert unstated.status == CONSISTENT and str(unstated.table) == "111/2/51/0"
