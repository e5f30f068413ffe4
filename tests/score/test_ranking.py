"""Friedman and Nemenyi equal Demsar's worked example; letters stand for groups of equals."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import friedmanchisquare

from leukbench.errors import UsageError
from leukbench.score.ranking import critical_difference, letters_of_equals, rank_models

# Demsar 2006, JMLR 7:1-30, table 6: AUC of C4.5 and three variants on 14 data sets. In the last row
# but one he ranks two values that both print as 0.975; the fourth digit here restores that order.
DEMSAR = pd.DataFrame(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ],
    columns=["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"],
)


def test_demsars_average_ranks_and_critical_difference() -> None:
    found = rank_models(DEMSAR)
    ranks = found.average.set_index("model")["average_rank"]
    expected = {"C4.5": 3.143, "C4.5+m": 2.000, "C4.5+cf": 2.893, "C4.5+m+cf": 1.964}
    assert ranks.to_dict() == pytest.approx(expected, abs=5e-4)
    assert found.friedman["critical_difference"].item() == pytest.approx(1.25, abs=5e-3)
    assert critical_difference(4, 14, alpha=0.10) == pytest.approx(1.12, abs=5e-3)


def test_demsars_friedman_statistic_but_for_the_ties() -> None:
    """He prints 9.28 and 3.69 without the correction for ties; scipy divides by 1 - sum/(...)."""
    found = rank_models(DEMSAR).friedman.iloc[0]
    ties = DEMSAR.apply(lambda row: (row.value_counts() ** 3 - row.value_counts()).sum(), axis=1)
    correction = 1 - ties.sum() / (14 * 4 * (4**2 - 1))
    assert found["statistic"] * correction == pytest.approx(9.28, abs=0.005)
    assert found["statistic"] == pytest.approx(friedmanchisquare(*DEMSAR.to_numpy().T).statistic)
    uncorrected = found["statistic"] * correction
    assert 13 * uncorrected / (14 * 3 - uncorrected) == pytest.approx(3.69, abs=0.005)
    corrected = found["statistic"]
    assert found["iman_davenport"] == pytest.approx(13 * corrected / (14 * 3 - corrected))
    assert found["freedom"] == 3


def test_nemenyi_rejects_where_ranks_differ_by_more_than_the_critical_difference() -> None:
    rng = np.random.default_rng(0)
    scores = pd.DataFrame(rng.random((12, 6)) + np.arange(6) / 4, columns=list("abcdef"))
    found = rank_models(scores)
    ranks = found.average.set_index("model")["average_rank"]
    limit = found.friedman["critical_difference"].item()
    for a, b in combinations("abcdef", 2):
        assert (found.nemenyi.loc[a, b] < 0.05) == (abs(ranks[a] - ranks[b]) > limit)
    assert found.average["model"].iloc[0] == scores.mean().idxmax()


def test_equal_models_and_too_small_tables_have_answers_without_warnings() -> None:
    same = rank_models(pd.DataFrame(np.full((5, 3), 0.9), columns=list("abc")))
    assert same.friedman["p"].item() == 1.0
    assert same.average["average_rank"].tolist() == [2.0, 2.0, 2.0]
    assert rank_models(DEMSAR.iloc[:, :2]).friedman.empty
    assert rank_models(DEMSAR.iloc[:1]).average.empty


def test_scores_that_differ_by_rounding_alone_are_ties() -> None:
    scores = pd.DataFrame({"a": [0.1 + 0.2, 0.5], "b": [0.3, 0.5], "c": [0.2, 0.1]})
    assert rank_models(scores).average["average_rank"].tolist() == [1.5, 1.5, 3.0]


def matrix(size: int, equal: set[tuple[int, int]]) -> pd.DataFrame:
    names = [f"m{i}" for i in range(size)]
    p = pd.DataFrame(0.001, index=names, columns=names)
    for i, j in equal:
        p.iloc[i, j] = p.iloc[j, i] = 0.5
    return p


def test_letters_stand_for_the_largest_groups_without_a_difference() -> None:
    """m0 = m1 = m2 and m2 = m3 only: m3 differs from m0 and m1."""
    p = matrix(5, {(0, 1), (0, 2), (1, 2), (2, 3)})
    assert letters_of_equals(list(p.index), p) == ["a", "a", "ab", "b", "c"]
    assert letters_of_equals([], p) == []


@pytest.mark.parametrize("seed", range(8))
def test_two_models_share_a_letter_exactly_where_they_do_not_differ(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = list(combinations(range(8), 2))
    equal = {pair for pair in pairs if rng.random() < 0.3 + seed / 16}
    letters = letters_of_equals([f"m{i}" for i in range(8)], matrix(8, equal))
    for i, j in pairs:
        assert bool(set(letters[i]) & set(letters[j])) == ((i, j) in equal)


def test_more_groups_than_letters_are_refused_in_one_sentence() -> None:
    p = matrix(60, set())
    with pytest.raises(UsageError, match="compare fewer models"):
        letters_of_equals(list(p.index), p)
