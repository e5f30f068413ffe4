"""What leakage adds between two splits: paired on the same images, with an interval and a test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from leukbench.errors import DataError
from leukbench.score.arrays import TrialPredictions
from leukbench.score.split_pairs import COLUMNS, PARTS, leakage_between
from tests.score.made import outcome_frame, trial

NOBODY: tuple[dict[int, list[str]], dict[int, list[str]]] = ({}, {})


def images(numbers: range) -> list[str]:
    return [f"{i:05d}.jpg" for i in numbers]


def made(right: np.ndarray, first: int = 0, **more: object) -> TrialPredictions:
    """A trial that tested the images `first` and following."""
    frame = outcome_frame(right.tolist())
    frame["image"] = images(range(first, first + len(right)))
    return trial(frame, **more)  # type: ignore[arg-type]


def test_only_images_that_both_tested_are_paired_and_parts_go_by_partners() -> None:
    """Images 50 to 99 are shared; 50 to 69 have a partner in the first run, 65 to 69 in both."""
    here = np.ones(100, dtype=bool)
    there = np.ones(100, dtype=bool)
    there[:10] = False  # images 50 to 59
    partners = ({0: images(range(40, 70))}, {0: images(range(65, 70))})
    found = leakage_between([made(here)], [made(there, 50)], partners).set_index("part")
    assert found["images"].to_dict() == {"all": 50, "leaked": 15, "clean": 30}
    assert found["difference"].to_dict() == pytest.approx(
        {"all": 0.2, "leaked": 10 / 15, "clean": 0.0}
    )
    assert found.loc["all", "accuracy_other"] == pytest.approx(0.8)
    exact = binomtest(10, 10).pvalue
    assert found.loc["leaked", "p"] == pytest.approx(exact, abs=0.002)
    assert found.loc["leaked", "low"] > 0
    assert found.loc["clean", ["p", "low", "high"]].tolist()[0] == 1.0
    assert found.loc["clean", "low"] < 0 < found.loc["clean", "high"]
    assert found["trained"].all()
    assert [*found.reset_index().columns] == [*COLUMNS]


def test_an_interval_by_hand() -> None:
    """12 images right here alone and 4 there alone, of 100: Agresti and Min's interval, with t."""
    here, there = np.ones(100, dtype=bool), np.ones(100, dtype=bool)
    there[:12] = False
    here[12:16] = False
    row = leakage_between([made(here)], [made(there)], NOBODY).iloc[0]
    centre, n = 8 / 102, 102
    # the jackknife's variance is that over n - 1
    plain = (16 - 100 * 0.08**2) / (100 * 99)
    error = np.sqrt((plain * 100**2 + 1) / n**2)
    assert (row["low"] + row["high"]) / 2 == pytest.approx(centre)
    assert (row["high"] - centre) / error == pytest.approx(2.0, abs=0.06)
    assert row["p"] >= binomtest(4, 16).pvalue - 0.005


def test_seeds_that_spread_and_groups_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    groups = {name: f"g{i // 10}" for i, name in enumerate(images(range(300)))}
    block = np.repeat(rng.random(30) < 0.7, 10)
    narrow = leakage_between([made(np.ones(300, dtype=bool))], [made(block)], NOBODY)
    wide = leakage_between([made(np.ones(300, dtype=bool))], [made(block)], NOBODY, groups)
    assert (wide["high"] - wide["low"]).iloc[0] > 2 * (narrow["high"] - narrow["low"]).iloc[0]
    there = [made(np.arange(300) % 100 > 19 + d, seed=s) for s, d in enumerate((-1, 0, 1))]
    same = [made(np.arange(300) % 10 > 0, seed=seed) for seed in range(3)]
    spread = [made(np.arange(300) % 100 > 9 + d, seed=s) for s, d in enumerate((-9, 0, 9))]
    steady = leakage_between(same, there, NOBODY).iloc[0]
    shaky = leakage_between(spread, there, NOBODY).iloc[0]
    assert steady["difference"] == pytest.approx(shaky["difference"]) == pytest.approx(0.1)
    assert shaky["high"] - shaky["low"] > 2 * (steady["high"] - steady["low"])
    assert not shaky["trained"] and steady["trained"]  # seeds that agree are one


def test_the_level_is_kept_where_leakage_adds_nothing() -> None:
    """Two trainings with seeds that spread by two points, equally good on both splits."""
    rng = np.random.default_rng(3)
    sides: tuple[list[TrialPredictions], list[TrialPredictions]] = ([], [])
    for number in range(150):
        hard = rng.random(200)
        for side in sides:
            for seed, level in enumerate(0.8 + rng.normal(0, 0.02, 3)):
                right = 0.7 * hard + 0.3 * rng.random(200) < level
                side.append(made(right, model=f"m{number}", seed=seed))
    found = leakage_between(*sides, NOBODY, swaps=499)
    found = found[found["part"] == "all"]
    assert (found["p"] < 0.05).mean() <= 0.06
    assert ((found["low"] > 0) | (found["high"] < 0)).mean() <= 0.09


def test_namesakes_are_compared_and_holm_counts_the_models_of_a_part() -> None:
    here = [made(np.ones(60, dtype=bool), model=name) for name in ("a", "b", "mine")]
    there = [made(np.arange(60) > 7, model="a"), made(np.arange(60) > 3, model="b")]
    found = leakage_between(here, there, NOBODY)
    both = found[found["part"] == "all"].set_index("model")
    assert [*both.index] == ["a", "b"]
    assert both.loc["a", "p_holm"] == pytest.approx(2 * both.loc["a", "p"])
    assert set(found["part"]) <= set(PARTS)


def test_an_image_of_several_test_parts_is_partnered_where_it_is_so_in_all() -> None:
    right = np.ones(20, dtype=bool)
    twice = [made(right, fold=0), made(right, fold=1)]
    partners = ({0: images(range(10)), 1: images(range(5))}, {})
    found = leakage_between(twice, [made(right)], partners).set_index("part")
    assert found["images"].to_dict() == {"all": 20, "leaked": 5, "clean": 10}


def test_runs_with_nothing_in_common_are_refused() -> None:
    right = np.ones(20, dtype=bool)
    with pytest.raises(DataError, match="no model in common"):
        leakage_between([made(right, model="a")], [made(right, model="b")], NOBODY)
    with pytest.raises(DataError, match="no image in common"):
        leakage_between([made(right)], [made(right, 20)], NOBODY)
