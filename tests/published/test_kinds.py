"""Kinds of averages, means over runs, and what is said beyond a verdict."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import (
    balanced_accuracy_score,
    classification_report,
    cohen_kappa_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
)

from leukbench.published import PublishedRow, check_table
from leukbench.published.binary import extreme_rays
from leukbench.published.binary_extras import outside
from leukbench.published.reading import parse_tables
from leukbench.published.reports import judge_report
from leukbench.published.rounding import Cell
from leukbench.published.rows import CONSISTENT, IMPOSSIBLE, OPEN, judge_row
from leukbench.published.superiority import paired_p_values
from leukbench.published.tables import METRICS
from tests.published.random_tables import altered, binary_shares, printed, realistic_matrix, row
from tests.published.true_tables import KINDS, predictions, shares_of, true_table


def averaged_row(
    rng: np.random.Generator, average: str, supports: bool = True, decimals: int = 2
) -> PublishedRow:
    matrix = realistic_matrix(rng)
    true, called = of_matrix(matrix)
    values = map(Fraction, shares_of(true, called, average, 0.0))
    shares = dict(zip(METRICS, values, strict=True))
    images = tuple(int(s) for s in matrix.sum(axis=1)) if supports else ()
    return row(shares, rng, decimals, True, average, images)


def of_matrix(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted classes of a confusion matrix."""
    k = len(matrix)
    called = np.concatenate([np.repeat(np.arange(k), line) for line in matrix])
    return np.repeat(np.arange(k), matrix.sum(axis=1)), called


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(sorted(KINDS)), seed=st.integers(0, 10_000))
def test_no_true_table_is_called_false(
    tmp_path_factory: pytest.TempPathFactory, kind: str, seed: int
) -> None:
    file = tmp_path_factory.mktemp("true") / "table.csv"
    file.write_text(true_table(kind, seed), encoding="utf-8")
    report = check_table(str(file), images=60)
    assert report.exit_code == 0, (kind, seed, report.lines())


def test_weighted_averages_are_shown_with_a_matrix_that_prints_them() -> None:
    rng = np.random.default_rng(51)
    outcomes = Counter[str]()
    for _ in range(12):
        true = averaged_row(rng, "weighted")
        verdict = judge_row(true)
        assert verdict.status == CONSISTENT and verdict.matrix is not None, true
        shares = shares_of(*of_matrix(np.array(verdict.matrix)), "weighted", 0.0)
        for metric, share in zip(METRICS, shares, strict=True):
            low, high = map(float, verdict.cells[metric].interval())
            assert low - 1e-12 <= share <= high + 1e-12 or metric == "f1"
        # The same row of unstated kind is not called false, of another kind it nearly always is.
        assert judge_row(PublishedRow("m", true.cells, "auto", true.supports)).status == CONSISTENT
        outcomes[judge_row(altered(true, rng, 2, True, 5.0)).status] += 1
    assert outcomes[IMPOSSIBLE] >= 7 and outcomes[OPEN] <= 1


def test_micro_averages_are_one_number_and_a_specificity() -> None:
    rng = np.random.default_rng(52)
    caught = 0
    for _ in range(30):
        true = averaged_row(rng, "micro")
        assert judge_row(true).status == CONSISTENT, true
        caught += judge_row(altered(true, rng, 2, True, 5.0)).status == IMPOSSIBLE
    assert caught == 30
    # Of images with several classes precision and recall differ, and F1 lies between.
    cells = {"precision": "0.80", "recall": "0.60", "f1": "0.69"}
    assert judge_row(PublishedRow("m", cells, "micro")).status == OPEN
    assert judge_row(PublishedRow("m", cells | {"f1": "0.71"}, "micro")).status == IMPOSSIBLE


def test_a_mean_over_runs_is_false_only_by_what_every_run_keeps() -> None:
    cells = {"accuracy": "90.0", "precision": "80.0", "recall": "70.0", "f1": "73.5"}
    assert judge_row(PublishedRow("m", cells, "binary")).status == IMPOSSIBLE
    for kind, mean in (("mean", True), ("auto", False), ("binary", True)):
        verdict = judge_row(PublishedRow("m", cells, kind, mean=mean))
        assert verdict.status == OPEN and any(
            "impossible" in h or "may" in h for h in verdict.hints
        )
        for f1 in ("76.0", "49.0"):
            wrong = PublishedRow("m", cells | {"f1": f1}, kind, mean=mean)
            assert judge_row(wrong).status == IMPOSSIBLE, (kind, f1)
    for kind, other, impossible in (
        ("macro", "specificity", True),
        ("weighted", "accuracy", True),
        ("macro", "accuracy", False),
    ):
        verdict = judge_row(PublishedRow("m", {"recall": "80", other: "75"}, kind, mean=True))
        assert (verdict.status == IMPOSSIBLE) == impossible, (kind, other)


@pytest.mark.parametrize(
    ("cell", "wrong", "names"),
    [
        ("accuracy,,,0.70", "accuracy,,,0.82", "does not fit the classes' recall"),
        ("macro avg,0.70,0.70,0.70", "macro avg,0.70,0.74,0.70", "macro avg: recall 0.74"),
        ("weighted avg,0.69,0.70,0.69", "weighted avg,0.69,0.73,0.69", "weighted recall 0.73"),
    ],
)
def test_a_report_without_supports_is_held_against_its_averages(
    tmp_path: Path, cell: str, wrong: str, names: str
) -> None:
    lines = [
        "class,precision,recall,f1", "a,0.80,0.60,0.69", "b,0.60,0.80,0.69",
        "accuracy,,,0.70", "macro avg,0.70,0.70,0.70", "weighted avg,0.69,0.70,0.69",
    ]  # fmt: skip
    file = tmp_path / "t.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    (verdict,) = check_table(str(file), kind="macro").reports
    assert verdict.status == OPEN and "supports" in verdict.hints[0]
    file.write_text("\n".join(lines).replace(cell, wrong), encoding="utf-8")
    (verdict,) = check_table(str(file), kind="macro").reports
    assert verdict.status == IMPOSSIBLE and names in " ".join(verdict.hints)
    # It may also be a mean over folds, of which only the macro averages are means again.
    status = check_table(str(file)).reports[0].status
    assert status == (IMPOSSIBLE if cell.startswith("macro") else OPEN)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), decimals=st.integers(1, 3), cut=st.booleans())
def test_the_ranges_over_all_matrices_hold_the_true_values(
    seed: int, decimals: int, cut: bool
) -> None:
    rng = np.random.default_rng(seed)
    true, called = predictions(rng, int(rng.integers(2, 5)), int(rng.integers(20, 200)))
    report = classification_report(true, called, output_dict=True, zero_division=0.0)
    lines = ["class,precision,recall,f1,support"]
    for name, cells in report.items():
        if name != "accuracy":
            *shares, support = cells.values()
            texts = [printed(x, decimals, False, cut) for x in map(exactly, shares)]
            lines.append(",".join([name, *texts, str(int(support))]))
    lines.append(f"accuracy,,,{printed(exactly(report['accuracy']), decimals, False, cut)},")
    (table,) = parse_tables("\n".join(lines), "t", "t")
    verdict = judge_report(table)
    assert verdict.status in (CONSISTENT, OPEN)
    wide = verdict.fits["either"]
    if wide.ranges_complete:
        values = {
            "accuracy": report["accuracy"],
            "macro recall": balanced_accuracy_score(true, called),
            "kappa": cohen_kappa_score(true, called),
            "mcc": matthews_corrcoef(true, called),
        }
        for name, value in values.items():
            low, high = wide.ranges[name]
            assert low - 1e-9 <= value <= high + 1e-9, name


def exactly(share: float) -> Fraction:
    return Cell.read(f"{share:.8f}", "fraction").value


def test_a_report_of_a_part_of_the_classes_is_not_held_to_add_up() -> None:
    rng = np.random.default_rng(54)
    true, called = predictions(rng, 4, 200)
    text = str(classification_report(true, called, labels=[0, 1, 2], digits=3, zero_division=0.0))
    assert "micro avg" in text
    (table,) = parse_tables(text, "t", "t")
    assert [c.name for c in table.classes] == ["0", "1", "2"]
    verdict = judge_report(table)
    assert verdict.status == CONSISTENT and not verdict.matrices
    micro = precision_recall_fscore_support(true, called, labels=[0, 1, 2], average="micro")[0]
    (wrong,) = parse_tables(text.replace(f"{micro:.3f}", f"{micro + 0.05:.3f}"), "t", "t")
    assert judge_report(wrong).status == IMPOSSIBLE


def test_what_follows_from_a_binary_matrix_is_checked() -> None:
    rng = np.random.default_rng(55)
    for _ in range(40):
        n = int(rng.integers(20, 500))
        true = np.append([0, 1], rng.integers(0, 2, n))
        called = np.append([0, 1], np.where(rng.random(n) < 0.85, true[2:], 1 - true[2:]))
        tp, fp, fn, tn = (
            int(((true == t) & (called == c)).sum()) for t, c in ((1, 1), (0, 1), (1, 0), (0, 0))
        )
        shares = binary_shares(tp, fp, fn, tn)
        values = {
            "mcc": matthews_corrcoef(true, called),
            "kappa": cohen_kappa_score(true, called),
            "balanced_accuracy": balanced_accuracy_score(true, called),
            "lr+": float(shares["recall"] / (1 - shares["specificity"])) if fp else None,
        }
        extras = {m: f"{v:.3f}" for m, v in values.items() if v is not None}
        cells = {m: printed(v, 3, False, False) for m, v in shares.items()}
        given_row = PublishedRow("m", cells, "binary", (tp + fn, fp + tn), extras=extras)
        assert judge_row(given_row).status == CONSISTENT
        assert not outside(extreme_rays({m: (v, v) for m, v in shares.items()}), extras)
        for metric in extras:
            wrong = extras | {metric: f"{float(extras[metric]) + 0.03:.3f}"}
            verdict = judge_row(
                PublishedRow("m", cells, "binary", given_row.supports, extras=wrong)
            )
            assert verdict.status == IMPOSSIBLE or metric == "lr+", metric
    cells = {"recall": "0.60", "specificity": "0.70"}
    for auc, status in (("0.95", IMPOSSIBLE), ("0.85", CONSISTENT), ("0.38", IMPOSSIBLE)):
        assert judge_row(PublishedRow("m", cells, "binary", extras={"auc": auc})).status == status


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_paired_test_lies_within_its_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, int(rng.integers(5, 80)))
    first, second = (
        np.where(rng.random(len(truth)) < q, truth, 1 - truth) for q in rng.uniform(0.5, 1, 2)
    )
    wrong, others = first != truth, second != truth
    only, different = int((others & ~wrong).sum()), int((others != wrong).sum())
    p = binomtest(only, different).pvalue if different else 1.0
    n = len(truth)
    low, high = paired_p_values([((n,), (int(wrong.sum()),))], [((n,), (int(others.sum()),))])
    assert low - 1e-12 <= p <= high + 1e-12
    parts = [
        ((n - int(truth.sum()), int(truth.sum())), tuple(int(w[truth == t].sum()) for t in (0, 1)))
        for w in (wrong, others)
    ]
    closer = paired_p_values([parts[0]], [parts[1]])
    assert low - 1e-12 <= closer[0] <= p + 1e-12 and p - 1e-12 <= closer[1] <= high + 1e-12


def test_a_claimed_superiority_is_said_to_follow_or_not(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(
        "model,accuracy,support\nours,0.97,1000\nnear,0.965,1000\nfar,0.80,1000\n", encoding="utf-8"
    )
    findings = [
        f for f in check_table(str(file), kind="binary").findings if f.kind == "paired-test"
    ]
    assert [f.data["other"] for f in findings] == ["near", "far"]
    assert (
        "depends on which images are wrong" in findings[0].text
        or "does not follow" in findings[0].text
    )
    assert "follows, whichever images are wrong" in findings[1].text
