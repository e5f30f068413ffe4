"""What `compare` says of models that are alike, better, unranked, unfinished, or of another run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel
from statsmodels.stats.multitest import multipletests

from leukbench.errors import DataError
from leukbench.score.arrays import TrialPredictions
from leukbench.score.comparisons import PAIR_COLUMNS, compare
from leukbench.score.pair_tests import CORRECTED_T, MCNEMAR, SEEDS, SWAP, TOO_FEW_FOLDS
from leukbench.score.paired import mcnemar_exact
from tests.score.made import outcome_frame, random_frame, trial


def one_split(**skills: float) -> list[TrialPredictions]:
    return [
        trial(random_frame(400, skill=skill, seed=i), name)
        for i, (name, skill) in enumerate(skills.items())
    ]


def folds(n_folds: int = 5, seeds: int = 2, **skills: float) -> list[TrialPredictions]:
    return [
        trial(
            random_frame(80, skill=skill, seed=100 * i + 10 * f + s, truth_seed=f, prefix=f"{f}/"),
            name, fold=f, seed=s, n_train=320,
        )
        for i, (name, skill) in enumerate(skills.items())
        for f in range(n_folds)
        for s in range(seeds)
    ]  # fmt: skip


def test_a_single_split_is_decided_by_mcnemar_with_holm_over_all_pairs() -> None:
    trials = one_split(good=2.5, better=4.0, poor=0.5)
    found = compare(trials)
    assert found.pairs.columns.tolist() == list(PAIR_COLUMNS)
    assert set(found.pairs["test"]) == {MCNEMAR}
    right = {t.model: (t.frame["y_true"] == t.frame["y_pred"]).to_numpy() for t in trials}
    for row in found.pairs.to_dict("records"):
        a, b = right[row["model_a"]], right[row["model_b"]]
        assert row["difference"] == pytest.approx(a.mean() - b.mean())
        assert row["difference"] >= 0
        assert (row["only_a"], row["only_b"]) == ((a & ~b).sum(), (~a & b).sum())
        assert row["p"] == pytest.approx(mcnemar_exact(row["only_a"], row["only_b"]))
        assert row["low"] < row["difference"] < row["high"]
    expected = multipletests(found.pairs["p"], method="holm")[1]
    np.testing.assert_allclose(found.pairs["p_holm"], expected)
    assert found.groups["model"].tolist() == ["better", "good", "poor"]
    assert found.groups["letters"].iloc[2] not in found.groups["letters"].iloc[0]
    assert found.friedman.empty


def test_models_that_differ_on_no_image_share_a_letter() -> None:
    trials = [trial(random_frame(100), name) for name in ("a", "b", "c")]
    found = compare(trials)
    assert set(found.pairs["p_holm"]) == {1.0}
    assert not found.pairs["different"].any()
    assert found.groups["letters"].tolist() == ["a", "a", "a"]
    assert found.leaders == ("a", "b", "c")


def test_copies_of_seeds_prove_nothing_new() -> None:
    one = compare(one_split(a=3, b=2.4))
    five = compare(
        [trial(t.frame, t.model, seed=s) for t in one_split(a=3, b=2.4) for s in range(5)]
    )
    assert five.pairs["p"].item() >= one.pairs["p"].item()
    np.testing.assert_allclose(five.pairs[["low", "high"]], one.pairs[["low", "high"]], atol=1e-6)


def test_seeds_that_differ_widen_the_bounds_of_the_difference() -> None:
    def made(name: str, rights: list[int]) -> list[TrialPredictions]:
        return [
            trial(outcome_frame(np.arange(200) < r), name, seed=s) for s, r in enumerate(rights)
        ]

    steady = compare(made("a", [190, 190, 190]) + made("b", [170, 170, 170])).pairs.iloc[0]
    shaky = compare(made("a", [180, 190, 200]) + made("b", [150, 170, 190])).pairs.iloc[0]
    assert shaky["difference"] == pytest.approx(steady["difference"])
    assert shaky["high"] - shaky["low"] > steady["high"] - steady["low"]
    assert shaky["low"] < shaky["bootstrap_low"]


def test_a_lucky_seed_makes_no_better_model() -> None:
    """Two equal models, two seeds each, that differ by their seeds: called different by images alone."""
    rng = np.random.default_rng(4)
    images, seeds = [], []
    for _ in range(30):
        level = np.clip(rng.normal(0.85, 0.03, (2, 2)), 0.5, 1)
        trials = [
            trial(outcome_frame(rng.random(800) < level[m, s]), "ab"[m], seed=s)
            for m in range(2)
            for s in range(2)
        ]
        row = compare(trials, resamples=50).pairs.iloc[0]
        assert row["test"] == SEEDS
        assert row["p"] == max(row["swap_p"], row["seeds_p"])
        assert row["trained"]
        images.append(row["swap_p"] < 0.05)
        seeds.append(row["p"] < 0.05)
    assert np.mean(images) > 0.2
    assert np.mean(seeds) <= 0.1


def test_one_seed_speaks_of_trained_models_and_equal_seeds_count_as_one() -> None:
    one = one_split(a=3, b=2.4)
    assert compare(one).trained
    five = [trial(t.frame, t.model, seed=s) for t in one for s in range(5)]
    again = compare(five)
    assert not again.trained
    assert again.pairs["test"].item() == MCNEMAR
    assert again.pairs["p"].item() == compare(one).pairs["p"].item()


def test_two_folds_rank_nothing() -> None:
    found = compare(folds(n_folds=2, a=5.0, b=0.1))
    assert found.pairs["test"].item() == TOO_FEW_FOLDS
    assert found.leaders == ()
    assert np.isnan(found.smallest_difference["smallest_difference"]).all()


def test_images_in_groups_are_swapped_by_group() -> None:
    a = np.ones(120, dtype=bool)
    b = ~(np.arange(120) < 24)
    trials = [trial(outcome_frame(a), "a"), trial(outcome_frame(b), "b")]
    alone = compare(trials).pairs.iloc[0]
    assert alone["different"]
    # all 24 errors are one patient's: that is one observation
    groups = {f"{i:05d}.jpg": f"patient {i // 24}" for i in range(120)}
    grouped = compare(trials, groups=groups)
    row = grouped.pairs.iloc[0]
    assert row["test"] == SWAP
    assert not row["different"]
    assert row["p"] == 1.0
    assert row["smallest_difference"] > alone["smallest_difference"]


def test_folds_are_decided_by_the_corrected_t_test_and_the_swap() -> None:
    trials = folds(a=3.0, b=1.5)
    row = compare(trials).pairs.iloc[0]
    accuracy = {
        name: np.array(
            [
                np.mean([(t.frame["y_true"] == t.frame["y_pred"]).mean()
                         for t in trials if t.model == name and t.fold == f])
                for f in range(5)
            ]
        )
        for name in "ab"
    }  # fmt: skip
    # the ordinary paired t is larger by the square root of (1/5 + 1/4) / (1/5)
    ordinary = ttest_rel(accuracy["a"], accuracy["b"]).statistic
    assert row["t"] == pytest.approx(ordinary / np.sqrt((1 / 5 + 80 / 320) / (1 / 5)))
    assert row["test"] == CORRECTED_T
    assert row["p"] == max(row["t_p"], row["swap_p"])
    assert row["n_images"] == 400
    assert row["low"] <= row["bootstrap_low"]


def test_folds_that_agree_by_chance_prove_nothing() -> None:
    """One image better in each of three folds: no spread, t without limit, and three images."""
    trials = []
    for f in range(3):
        trials.append(trial(outcome_frame([True] * 50, f"{f}/"), "a", fold=f))
        trials.append(trial(outcome_frame([True] * 49 + [False], f"{f}/"), "b", fold=f))
    row = compare(trials).pairs.iloc[0]
    assert row["t_p"] == 0.0
    assert row["p"] == pytest.approx(0.25, abs=0.02)
    assert not row["different"]


def test_folds_give_ranks_and_a_critical_difference() -> None:
    found = compare(folds(seeds=1, a=4.0, b=2.5, c=0.5))
    assert found.ranks["model"].tolist() == ["a", "b", "c"]
    assert found.friedman["blocks"].item() == 5
    assert found.nemenyi.shape == (3, 3)


def test_an_unfinished_model_is_compared_on_the_folds_it_has() -> None:
    trials = folds(a=3.0, b=1.0, c=2.0)
    part = [t for t in trials if t.model != "c" or t.fold < 2]
    found = compare(part)
    pair = found.pairs[found.pairs[["model_a", "model_b"]].isin(["c"]).any(axis=1)].iloc[0]
    assert pair["n_folds"] == 2
    assert pair["n_images"] == 160
    assert pair["test"] == TOO_FEW_FOLDS
    assert (pair["p"], pair["different"]) == (1.0, False)
    assert np.isnan(pair["smallest_difference"])
    assert not pair["ranked"]
    assert "c" not in {*found.ranks["model"], *found.groups["model"]}


def test_repeated_folds_count_an_image_once() -> None:
    """Two repeats of three folds over the same images: McNemar's pairs are not independent."""
    trials = [
        trial(random_frame(40, skill=skill, seed=10 * f + i, truth_seed=f % 3, prefix=f"{f % 3}/"),
              name, fold=f, n_train=80)
        for i, (name, skill) in enumerate({"a": 2.0, "b": 1.0}.items())
        for f in range(6)
    ]  # fmt: skip
    row = compare(trials).pairs.iloc[0]
    assert row["n_images"] == 120
    assert row["n_folds"] == 6
    assert np.isnan(row["mcnemar_p"])


def test_probes_and_degenerate_models_are_compared_but_never_ranked() -> None:
    trials = one_split(cnn=2.0, svm=1.5)
    trials.append(trial(random_frame(400, skill=5, seed=9), "colour", family="probe"))
    trials.append(trial(random_frame(400, skill=5, seed=8), "vgg", status="degenerate"))
    found = compare(trials)
    assert found.groups["model"].tolist() == ["cnn", "svm"]
    ranked = found.pairs[found.pairs["ranked"]]
    assert ranked[["model_a", "model_b"]].to_numpy().tolist() == [["cnn", "svm"]]
    assert ranked["p_holm"].item() == ranked["p"].item()
    assert len(found.pairs) == 6
    assert found.pairs["p_holm"].notna().all()


def test_what_could_have_been_shown_is_told_for_one_pair_and_for_all() -> None:
    found = compare(one_split(a=2.0, b=1.8, c=1.5))
    one, every = found.smallest_difference.to_dict("records")
    assert (one["alpha"], every["alpha"]) == pytest.approx((0.05, 0.05 / 3))
    assert 0 < one["smallest_difference"] < every["smallest_difference"]
    assert one["n_images"] == 400


def test_two_runs_are_compared_model_by_model() -> None:
    before, after = one_split(a=1.0, b=2.0), one_split(a=4.0, b=2.0, c=1.0)
    found = compare(before, after, labels=("before", "after"))
    assert found.pairs[["model_a", "model_b"]].to_numpy().tolist() == [
        ["before: a", "after: a"],
        ["before: b", "after: b"],
    ]
    first, second = found.pairs.to_dict("records")
    assert first["different"]
    assert first["difference"] < 0
    assert second["p"] == 1.0
    assert found.groups.empty
    assert found.leaders == ()
    others = compare(one_split(a=1.0), one_split(b=1.0)).pairs
    assert others[["model_a", "model_b"]].to_numpy().tolist() == [["A: a", "B: b"]]


def test_runs_on_other_images_are_refused() -> None:
    with pytest.raises(DataError, match="differ in their test images"):
        compare(one_split(a=1.0), [trial(random_frame(399), "a")])
    with pytest.raises(DataError, match="no two models"):
        compare(one_split(a=1.0))


def test_the_same_seed_gives_the_same_tables() -> None:
    trials = one_split(a=2.0, b=1.0, c=1.8)
    first, again = compare(trials, seed=3), compare(trials, seed=3)
    pd.testing.assert_frame_equal(first.pairs, again.pairs)
    assert (
        compare(trials, seed=4).pairs["bootstrap_low"].tolist()
        != first.pairs["bootstrap_low"].tolist()
    )
