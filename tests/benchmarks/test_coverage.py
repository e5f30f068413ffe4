"""The benchmark of the referee itself: its simulated truth is right, and its table is printed."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.coverage import (
    Scenario,
    group_numbers,
    interval,
    measure,
    passes,
    scenarios,
    simulate,
)


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario("alone"),
        Scenario("groups", groups=20, icc=0.3),
        Scenario("seeds", seeds=3, spread=3.0),
        Scenario("folds", folds=5, spread=3.0),
    ],
    ids=lambda s: s.name,
)
def test_simulated_models_are_as_good_as_stated(scenario: Scenario) -> None:
    rng = np.random.default_rng(0)
    groups = group_numbers(scenario, rng)
    drawn = [simulate(scenario, groups, rng) for _ in range(300)]
    right = np.array([r.mean() for r, _ in drawn])
    truth = np.array([t for _, t in drawn]).mean(axis=1)
    assert right.mean() == pytest.approx(truth.mean(), abs=4 * right.std() / 300**0.5)


def test_a_scenario_keeps_its_promise() -> None:
    row = measure(Scenario("20 groups", groups=20, icc=0.3), 150, seed=1)
    assert passes(row, slack=0.05)
    assert row["verdict"] == "decides"


def test_too_few_groups_and_folds_abstain() -> None:
    assert measure(Scenario("6", groups=6, icc=0.3), 5, seed=0)["verdict"] == "abstains"
    two = measure(Scenario("2", folds=2), 5, seed=0)
    assert (two["verdict"], two["type_1"]) == ("abstains", 0.0)
    trained = measure(Scenario("1", spread=2.0), 5, seed=0)
    assert "trained" in str(trained["verdict"])


def test_what_is_outside_fails() -> None:
    good = {"coverage": 0.95, "type_1": 0.05, "verdict": "decides", "width": 1.0}
    assert passes(good)
    assert not passes(good | {"coverage": 0.9})
    assert not passes(good | {"type_1": 0.07})
    assert passes(good | {"type_1": 0.5, "verdict": "abstains"})


def test_groups_seeds_folds_and_file_order_are_simulated() -> None:
    rows = list(scenarios())
    assert {s.groups for s in rows} >= {6, 10, 20, 50, 150}
    assert {s.seeds for s in rows} >= {1, 2, 3, 5}
    assert {s.folds for s in rows} >= {2, 3, 5, 10}
    assert any(s.runs for s in rows)
    assert len({s.name for s in rows}) == len(rows)


@pytest.mark.parametrize(("seeds", "accuracy"), [(3, 0.9), (5, 0.9), (3, 0.7)])
def test_few_seeds_that_spread_are_covered(seeds: int, accuracy: float) -> None:
    scenario = Scenario("", seeds=seeds, spread=3.0, accuracy=accuracy)
    rng = np.random.default_rng(5)
    groups = group_numbers(scenario, rng)
    covered = []
    for _ in range(500):
        right, truth = simulate(scenario, groups, rng)
        for model in range(2):
            low, high = interval(scenario, groups, right[model])
            covered.append(low <= truth[model] <= high)
    assert 0.93 <= np.mean(covered) <= 0.98
