"""MCC and kappa are held against accuracy and supports, whatever the averaging."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, matthews_corrcoef

from leukbench.published import PublishedRow
from leukbench.published.agreement import agreement_range
from leukbench.published.rows import CONSISTENT, IMPOSSIBLE, OPEN, judge_row
from tests.published.true_tables import predictions


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_no_true_value_lies_outside(classes: int) -> None:
    rng = np.random.default_rng(classes)
    narrow = 0
    for _ in range(150):
        true, called = predictions(rng, classes, int(rng.integers(4 * classes, 300)))
        supports, right = np.bincount(true).tolist(), int((true == called).sum())
        for metric, value in (
            ("mcc", matthews_corrcoef(true, called)),
            ("kappa", cohen_kappa_score(true, called)),
        ):
            low, high = agreement_range(metric, right, supports)
            assert low - 1e-9 <= value <= high + 1e-9
            narrow += high - low < 0.1
    assert narrow > 80


def test_errors_that_all_go_one_way_reach_the_bound_of_kappa() -> None:
    """Every wrong image of the smaller class is called the larger one: chance agrees the most."""
    true = np.repeat([0, 1], [100, 50])
    called = np.repeat([0, 1], [110, 40])
    low, _ = agreement_range("kappa", 140, (100, 50))
    assert cohen_kappa_score(true, called) == pytest.approx(low)


@pytest.mark.parametrize("kind", ["binary", "macro", "weighted", "micro"])
@pytest.mark.parametrize(
    ("extra", "impossible"),
    [("mcc 0.89", False), ("mcc 0.99", True), ("mcc 0.50", True), ("kappa 0.95", True)],
)
def test_a_row_of_any_average_is_held_against_them(kind: str, extra: str, impossible: bool) -> None:
    """Of 150 images, 100 and 50, 95 % are right: MCC lies in 0.88 to 0.90."""
    metric, value = extra.split()
    row = PublishedRow("m", {"accuracy": "0.95"}, kind, (100, 50), extras={metric: value})
    verdict = judge_row(row)
    assert (verdict.status == IMPOSSIBLE) == impossible
    if kind in ("macro", "weighted", "micro"):
        said = "does not fit" if impossible else "bounds that accuracy and supports leave: mcc"
        assert any(said in hint for hint in verdict.hints)
    mean = PublishedRow("m", row.cells, kind, row.supports, mean=True, extras=row.extras)
    assert judge_row(mean).status != IMPOSSIBLE


def test_kappa_of_three_classes_may_be_a_weighted_one() -> None:
    row = PublishedRow("m", {"accuracy": "0.90"}, "macro", (40, 30, 30), extras={"kappa": "0.97"})
    verdict = judge_row(row)
    assert verdict.status == CONSISTENT and "not checked: kappa" in verdict.hints
    unstated = PublishedRow("m", row.cells, "auto", row.supports, extras={"mcc": "0.60"})
    assert judge_row(unstated).status == OPEN
