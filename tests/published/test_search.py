"""The searches find what trying everything finds."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from sklearn.metrics import classification_report

from leukbench.published.binary import FORMS, Table, bounds, extreme_rays, find_tables
from leukbench.published.macro_bounds import harmonic, lowest_f1
from leukbench.published.report_search import ReportConstraints, find_matrices
from leukbench.published.rounding import Cell, Interval
from tests.published.random_tables import binary_shares, random_binary, random_matrix


def all_tables(limit: int) -> list[Table]:
    counts = product(range(limit + 1), repeat=4)
    tables = (Table(*c) for c in counts if sum(c) <= limit)
    return [t for t in tables if t.positives and t.negatives]


def inside(table: Table, given: dict[str, Interval]) -> bool:
    for metric, (low, high) in given.items():
        value = table.share(metric)
        # Software prints 0/0 as 0 or as 1.
        values = [Fraction(0), Fraction(1)] if value is None else [value]
        if not any(low <= v <= high for v in values):
            return False
    return True


@pytest.mark.parametrize("metrics", [tuple(FORMS), ("accuracy", "f1"), ("precision", "npv")])
def test_every_binary_table_is_found_and_no_other(metrics: tuple[str, ...]) -> None:
    rng = np.random.default_rng(3)
    everything = all_tables(13)
    for _ in range(12):
        true = everything[rng.integers(len(everything))]
        given = {}
        for metric in metrics:
            share = true.share(metric)
            if share is not None:
                text = f"{int(share * 100 + Fraction(1, 2)) / 100:.2f}"
                given[metric] = Cell.read(text, "fraction").interval()
        expected = {str(t) for t in everything if inside(t, given)}
        fits = find_tables(given, limit=13)
        assert fits.complete and fits.count == len(expected)
        assert {str(Table(*t)) for t in fits.tables.tolist()} == expected


def test_the_smallest_table_comes_first_and_known_sizes_are_kept() -> None:
    given = {"accuracy": Cell.read("0.75", "fraction").interval("rounded")}
    sizes = find_tables(given, limit=40).tables.sum(axis=1)
    assert sizes[0] == 4 and (np.diff(sizes) >= 0).all()
    fits = find_tables(given, total=20, positives=8)
    assert {Table(*t).n for t in fits.tables.tolist()} == {20}
    assert {Table(*t).positives for t in fits.tables.tolist()} == {8}


def test_a_row_that_says_little_is_searched_as_far_as_memory_allows() -> None:
    fits = find_tables({"accuracy": (Fraction(1, 2), Fraction(1, 2))}, limit=2000)
    assert not fits.complete and 0 < fits.limit < 2000
    assert fits.smallest is not None and fits.smallest.n == 2


def test_the_cone_holds_every_true_table_and_its_bounds_hold_every_share() -> None:
    rng = np.random.default_rng(4)
    for _ in range(100):
        shares, _ = random_binary(rng)
        step = Fraction(1, 1000)
        given = {
            m: (max(v - step, Fraction(0)), min(v + step, Fraction(1))) for m, v in shares.items()
        }
        left_out = list(given)[rng.integers(len(given))]
        rays = extreme_rays({m: v for m, v in given.items() if m != left_out})
        limits = bounds(rays, left_out)
        assert limits is not None and limits[0] <= shares[left_out] <= limits[1]


def test_the_cone_is_empty_where_two_identities_disagree() -> None:
    shares = binary_shares(40, 10, 20, 30)
    exact = {m: (v, v) for m, v in shares.items()}
    assert extreme_rays(exact)
    for metric, (value, _) in exact.items():
        moved = value + Fraction(1, 1000)
        assert not extreme_rays({**exact, metric: (moved, moved)}), metric


def test_the_lowest_macro_f1_is_never_undercut() -> None:
    rng = np.random.default_rng(6)
    grid = [Fraction(i, 3) for i in range(4)]
    for k in (2, 3):
        lowest: dict[tuple[Fraction, Fraction], Fraction] = {}
        for p in product(grid, repeat=k):
            for r in product(grid, repeat=k):
                key = (sum(p, Fraction(0)) / k, sum(r, Fraction(0)) / k)
                mean = sum(map(harmonic, p, r), Fraction(0)) / k
                lowest[key] = min(mean, lowest.get(key, mean))
        keys = list(lowest)
        for i in rng.choice(len(keys), 40, replace=False):
            p_mean, r_mean = keys[i]
            assert lowest_f1(p_mean, r_mean, k) == lowest[keys[i]]
            assert lowest_f1(p_mean, r_mean, None) <= lowest[keys[i]]


def report_constraints(matrix: np.ndarray, digits: int) -> ReportConstraints:
    """What scikit-learn's own report of a confusion matrix prints."""
    k = len(matrix)
    true = np.repeat(np.arange(k), matrix.sum(axis=1))
    called = np.concatenate([np.repeat(np.arange(k), row) for row in matrix])
    report = classification_report(true, called, output_dict=True, zero_division=0.0)

    def interval(value: float) -> Interval:
        return Cell.read(f"{value:.{digits}f}", "fraction").interval("rounded")

    def line(name: str) -> dict[str, Interval]:
        names = {"precision": "precision", "recall": "recall", "f1": "f1-score"}
        return {m: interval(report[name][long]) for m, long in names.items()}

    return ReportConstraints(
        tuple(int(s) for s in matrix.sum(axis=1)),
        tuple(line(str(i)) for i in range(k)),
        interval(report["accuracy"]),
        line("macro avg"),
        line("weighted avg"),
    )


def test_the_matrix_behind_a_report_of_scikit_learn_is_among_those_found() -> None:
    rng = np.random.default_rng(7)
    for _ in range(25):
        matrix = random_matrix(rng, 3)
        found = find_matrices(report_constraints(matrix, 4))
        assert found.matrices
        wanted = tuple(tuple(int(x) for x in row) for row in matrix)
        assert wanted in found.matrices or not found.complete


def test_every_matrix_behind_a_small_report_is_found() -> None:
    matrix = np.array([[2, 0, 0], [1, 1, 0], [0, 0, 1]])
    report = report_constraints(matrix, 1)
    rows = [[r for r in product(range(s + 1), repeat=3) if sum(r) == s] for s in report.supports]
    expected = set()
    for candidate in product(*rows):
        if report_constraints(np.array(candidate), 1) == report:
            expected.add(candidate)
    found = find_matrices(report)
    assert found.complete
    # Intervals are closed: a value on a half may also have been rounded the other way.
    assert expected <= set(found.matrices)
    assert len(found.matrices) <= 2 * len(expected)
