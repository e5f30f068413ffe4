"""Errors of files that stand side by side: found, and a leader who owes them his place is not one."""

from __future__ import annotations

import numpy as np
import pytest

from leukbench.data.splits import natural_key
from leukbench.score.arrays import TrialPredictions
from leukbench.score.comparisons import compare
from leukbench.score.file_order import dependence_p, file_order, in_order, runs_of
from tests.score.made import outcome_frame, trial


def test_runs_follow_the_numbers_within_each_class() -> None:
    images = ["b/10.png", "b/9.png", "a/2.png", "a/11.png", "a/1.png", "a/3.png"]
    labels = np.array([1, 1, 0, 0, 0, 0])
    order = in_order(images, labels, natural_key)
    assert [images[i] for i in order] == [
        "a/1.png", "a/2.png", "a/3.png", "a/11.png", "b/9.png", "b/10.png",
    ]  # fmt: skip
    assert runs_of(order, labels, 2).tolist() == [2, 2, 0, 1, 0, 1]
    # five files in runs of two: the last one joins its neighbours
    alone = np.zeros(5, dtype=int)
    assert runs_of(np.arange(5), alone, 2).tolist() == [0, 0, 1, 1, 1]


def test_the_permutation_test_keeps_its_level_and_finds_runs() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 150)
    # another accuracy in each class is no dependence
    chance = [rng.random(300) < np.where(labels, 0.95, 0.6) for _ in range(200)]
    p = [dependence_p(values.astype(float), labels, 99, seed) for seed, values in enumerate(chance)]
    assert np.mean(np.array(p) <= 0.05) < 0.1
    runs = np.repeat(rng.random(15) < 0.7, 20).astype(float)
    assert dependence_p(runs, labels, 199) == pytest.approx(1 / 200)


def _pair(better: np.ndarray, worse: np.ndarray) -> list[TrialPredictions]:
    return [trial(outcome_frame(better), "better"), trial(outcome_frame(worse), "worse")]


def test_a_leader_by_one_run_of_files_is_named() -> None:
    """Thirty errors of the second model are two runs of files: two slides, not thirty images."""
    better, worse = np.ones(400, dtype=bool), np.ones(400, dtype=bool)
    worse[100:115] = worse[300:315] = False
    trials = _pair(better, worse)
    comparison = compare(trials)
    assert comparison.leaders == ("better",)
    found = file_order(trials, comparison, natural_key)
    assert found is not None
    assert found.dependent
    assert found.changes(comparison.leaders) in (5, 10)
    effects = found.intervals.query("model == 'worse'")["design_effect"]
    assert effects.iloc[0] < effects.iloc[1] < effects.iloc[2]
    assert effects.iloc[-1] > 5


def test_errors_in_no_order_leave_the_leader() -> None:
    rng = np.random.default_rng(1)
    trials = _pair(rng.random(400) < 0.98, rng.random(400) < 0.7)
    comparison = compare(trials)
    found = file_order(trials, comparison, natural_key)
    assert found is not None
    assert not found.dependent
    assert found.changes(comparison.leaders) is None


def test_fewer_than_two_ranked_models_have_no_leader_to_doubt() -> None:
    trials = _pair(np.ones(50, dtype=bool), np.arange(50) < 40)
    probe = [trials[0], trial(trials[1].frame, "worse", family="probe")]
    assert file_order(probe, compare(probe), natural_key) is None
