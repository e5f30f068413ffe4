"""Macro-averaged rows: a matrix that prints the row, a proof that there is none, or neither said."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
)

from benchmarks import check_table_power
from leukbench.published.branch_and_bound import Points, mix, search
from leukbench.published.macro_decision import decide
from leukbench.published.macro_search import StatedSupports
from leukbench.published.macro_targets import Targets, false_positives, misses, readings_of_f1
from leukbench.published.report_search import Matrix, any_matrix
from leukbench.published.rounding import Cell
from leukbench.published.rows import CONSISTENT, IMPOSSIBLE, OPEN, judge_row
from leukbench.published.tables import METRICS, PublishedRow
from leukbench.published.wording import row_lines
from tests.published.random_tables import altered, macro_shares, realistic_matrix, row

STYLES = [(2, True), (1, True), (2, False), (3, False), (4, False)]


def harmonic(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def prints(matrix: Matrix, cells: dict[str, Cell]) -> bool:
    """Whether scikit-learn's numbers for a matrix are the printed cells."""
    counts = np.array(matrix)
    k = len(counts)
    true = np.repeat(np.arange(k), counts.sum(axis=1))
    called = np.concatenate([np.repeat(np.arange(k), line) for line in counts])
    per_class = multilabel_confusion_matrix(true, called, labels=range(k))
    specificity = np.mean([m[0, 0] / m[0].sum() for m in per_class])
    printed = harmonic(*(float(cells[m].value) for m in ("precision", "recall")))
    for never in (0.0, 1.0):
        precision, recall, f1, _ = precision_recall_fscore_support(
            true, called, labels=range(k), average="macro", zero_division=never
        )
        shares = {
            "accuracy": accuracy_score(true, called),
            "precision": precision,
            "recall": recall,
            "specificity": specificity,
        }
        fits = {m: inside(cells[m], shares[m]) for m in shares}
        # The mean over classes, or the F1 of the averages, exact or as printed.
        f1s = (f1, harmonic(precision, recall), printed)
        if all(fits.values()) and any(inside(cells["f1"], value) for value in f1s):
            return True
    return False


def inside(cell: Cell, value: float) -> bool:
    low, high = cell.interval()
    return float(low) - 1e-12 <= value <= float(high) + 1e-12


def rows_with_supports(seed: int, count: int, change: bool) -> list[PublishedRow]:
    rng = np.random.default_rng(seed)
    out = []
    for i in range(count):
        decimals, percent = STYLES[i % len(STYLES)]
        shares, supports = macro_shares(realistic_matrix(rng))
        true = row(shares, rng, decimals, percent, "macro", supports)
        out.append(altered(true, rng, decimals, percent, 5.0) if change else true)
    return out


def test_a_true_row_is_consistent_and_shown_with_a_matrix_that_prints_it() -> None:
    for true in rows_with_supports(31, 40, change=False):
        verdict = judge_row(true)
        assert verdict.status == CONSISTENT and verdict.matrix is not None, true
        assert tuple(map(sum, verdict.matrix)) == true.supports
        assert prints(verdict.matrix, verdict.cells), true


def test_an_altered_row_is_proven_impossible_or_shown_to_be_possible() -> None:
    """What is not caught could be true: scikit-learn gets the altered cells from the matrix shown."""
    verdicts = [judge_row(wrong) for wrong in rows_with_supports(32, 60, change=True)]
    statuses = Counter(v.status for v in verdicts)
    assert statuses[OPEN] <= 3
    assert statuses[IMPOSSIBLE] >= 0.95 * (statuses[IMPOSSIBLE] + statuses[OPEN])
    assert 0 < statuses[CONSISTENT] < statuses[IMPOSSIBLE]
    for verdict in verdicts:
        if verdict.status == CONSISTENT:
            assert verdict.matrix is not None and prints(verdict.matrix, verdict.cells)
        else:
            assert verdict.matrix is None and verdict.hints


@pytest.mark.parametrize("supports", [(3, 2, 2), (4, 2, 1), (5, 5)])
def test_on_small_test_sets_the_decision_is_that_of_trying_everything(
    supports: tuple[int, ...],
) -> None:
    k = len(supports)
    lines = [[c for c in product(range(s + 1), repeat=k) if sum(c) == s] for s in supports]
    everything = [np.array(m) for m in product(*lines)]
    shares = [macro_shares(m)[0] for m in everything]
    rng = np.random.default_rng(33)
    outcomes = Counter[bool]()
    for i in range(40):
        true = row(shares[rng.integers(len(shares))], rng, 2, False, "macro", supports)
        given = altered(true, rng, 2, False, 20.0) if i % 4 else true
        cells = {m: Cell.read(text, "fraction") for m, text in given.cells.items()}
        outcome = decide(cells, supports)
        assert outcome.impossible != (outcome.matrix is not None)
        exists = any(
            prints(tuple(map(tuple, m.tolist())), cells)
            for m in candidates(everything, shares, cells)
        )
        assert (outcome.matrix is not None) == exists, given
        outcomes[exists] += 1
    assert min(outcomes[True], outcomes[False]) >= 5


def candidates(
    everything: list[np.ndarray], shares: list[dict[str, Fraction]], cells: dict[str, Cell]
) -> list[np.ndarray]:
    """The matrices that print at least the cells on which all software agrees."""
    sure = ("accuracy", "recall", "specificity")
    return [
        m for m, s in zip(everything, shares, strict=True) if all(cells[c].fits(s[c]) for c in sure)
    ]


def test_supports_that_are_not_printed_leave_more_rows_possible() -> None:
    """A specificity too low for these supports is that of another, more uneven test set."""
    cells = {
        "accuracy": "95.19",
        "precision": "95.15",
        "recall": "95.21",
        "specificity": "97.11",
        "f1": "95.07",
    }
    known = judge_row(PublishedRow("m", cells, "macro", (40, 76, 31, 61)))
    assert known.status == IMPOSSIBLE
    free = judge_row(PublishedRow("m", cells, "macro"), classes=4)
    assert free.status == CONSISTENT and free.matrix is not None
    assert prints(free.matrix, free.cells)


@pytest.mark.parametrize("tell_size", [False, True])
def test_true_rows_without_supports_are_never_called_false(tell_size: bool) -> None:
    rng = np.random.default_rng(35)
    found = 0
    for i in range(20):
        decimals, percent = STYLES[i % len(STYLES)]
        shares, supports = macro_shares(realistic_matrix(rng))
        size = (sum(supports),) if tell_size else ()
        true = row(shares, rng, decimals, percent, "macro", size)
        verdict = judge_row(true, classes=len(supports))
        assert verdict.status != IMPOSSIBLE, true
        if verdict.matrix is not None:
            found += 1
            assert len(verdict.matrix) == len(supports)
            assert not size or sum(map(sum, verdict.matrix)) == size[0]
            assert prints(verdict.matrix, verdict.cells)
        else:
            assert "not decided" in verdict.hints[0]
    assert found >= 17


def test_f1_of_the_averages_is_a_definition_too() -> None:
    """Many papers print the harmonic mean of macro precision and recall: no reason for an alarm."""
    rng = np.random.default_rng(36)
    for _ in range(10):
        shares, supports = macro_shares(realistic_matrix(rng))
        p, r = shares["precision"], shares["recall"]
        printed = row(shares | {"f1": 2 * p * r / (p + r)}, rng, 2, True, "macro", supports)
        assert judge_row(printed).status == CONSISTENT, printed


def test_a_class_that_is_never_predicted_may_be_printed_with_precision_0_or_1() -> None:
    matrix = np.array([[30, 0, 2], [5, 0, 4], [1, 0, 40]])
    shares, supports = macro_shares(matrix)
    for never in (0, 1):
        cells = shares | {"precision": shares["precision"] + Fraction(never, 3)}
        printed = row(cells, np.random.default_rng(0), 4, False, "macro", supports)
        assert judge_row(printed).status == CONSISTENT


def test_large_test_sets_are_judged_on_a_grid() -> None:
    rng = np.random.default_rng(37)
    matrix = 60 * realistic_matrix(rng)
    shares, supports = macro_shares(matrix)
    assert sum(supports) > 10_000
    true = row(shares, rng, 1, True, "macro", supports)
    assert judge_row(true).status == CONSISTENT
    wrong = PublishedRow(
        "m",
        {**true.cells, "specificity": f"{float(true.cells['specificity']) - 3:.1f}"},
        "macro",
        supports,
    )
    assert judge_row(wrong).status == IMPOSSIBLE


def test_a_search_without_budget_says_that_it_has_not_decided() -> None:
    (true,) = rows_with_supports(38, 1, change=False)
    cells = {m: Cell.read(text, "percent") for m, text in true.cells.items()}
    outcome = search(StatedSupports(next(readings_of_f1(cells)), true.supports), budget=0)
    assert outcome.matrix is None and not outcome.impossible


def test_the_matrix_is_printed_for_the_reader() -> None:
    (true,) = rows_with_supports(39, 1, change=False)
    verdict = judge_row(true)
    assert verdict.matrix is not None
    assert str([list(line) for line in verdict.matrix]) in "\n".join(row_lines(verdict))


def test_all_margins_within_a_window_are_listed_and_no_other() -> None:
    supports = np.array([7, 4, 5, 3])
    window = (Fraction(55, 100), Fraction(60, 100))
    whole = (Fraction(0), Fraction(1))
    targets = Targets(dict.fromkeys(METRICS, whole) | {"recall": window, "specificity": window})
    low, high = np.zeros(4, dtype=np.int64), np.full(4, 99)
    for listed, sizes in ((misses, supports), (false_positives, supports.sum() - supports)):
        for errors in (5, 9):
            expected = {
                v
                for v in product(*(range(min(s, errors) + 1) for s in sizes.tolist()))
                if sum(v) == errors
                and window[0]
                <= 1 - sum(Fraction(x, s) for x, s in zip(v, sizes.tolist(), strict=True)) / 4
                <= window[1]
            }
            found = listed(low, high, errors, supports, targets, 10_000)
            assert found is not None and sorted(map(tuple, found.tolist())) == sorted(expected)
    assert misses(low, high, 9, supports, Targets(dict.fromkeys(METRICS, whole)), 10) is None


def test_margins_have_a_matrix_just_where_no_class_has_more_than_all_errors() -> None:
    for missed in product(range(3), repeat=3):
        for false in product(range(3), repeat=3):
            if sum(missed) != sum(false):
                continue
            supports = (4, 4, 4)
            margins = [(4 - m, 4 - m + f) for m, f in zip(missed, false, strict=True)]
            matrix = any_matrix(supports, margins)
            fits = all(m + f <= sum(missed) for m, f in zip(missed, false, strict=True))
            assert (matrix is not None) == fits
            if matrix is not None:
                assert tuple(map(sum, matrix)) == supports
                assert [sum(line[j] for line in matrix) for j in range(3)] == [
                    c for _, c in margins
                ]


def test_mixtures_that_exist_are_never_denied() -> None:
    rng = np.random.default_rng(40)
    denied = 0
    for _ in range(60):
        classes, target = [], np.zeros(4)
        for _ in range(3):
            values = rng.normal(size=(4, 50))
            classes.append(Points(np.arange(50.0)[None], values, values))
            target += values @ rng.dirichlet(np.full(50, 0.1))
        assert mix(classes, target, target) is not None
        denied += mix(classes, target + 6, target + 7) is None
    assert denied >= 55


def test_the_benchmark_prints_a_table_of_what_can_be_caught(
    capsys: pytest.CaptureFixture[str],
) -> None:
    check_table_power.main(["--rows", "2", "--true", "2", "--kinds", "binary"])
    header, _, *lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 and "| 0 of 10 |" in lines[-1]
    assert all(line.count("|") == header.count("|") for line in lines)
