"""Spread, variance, pairs, ranking and recall of multiverses, against what is known of them."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau

from leukbench.multiverse.folder import MultiverseFolder
from leukbench.multiverse.statistics import (
    ALL_MODELS,
    HIGHER,
    SEED,
    class_recall,
    pairs,
    ranking,
    recalls,
    spread,
    variance,
)
from leukbench.multiverse.tables import Results
from leukbench.multiverse.words import sections_of
from leukbench.report.sections import sections_html
from tests.multiverse.made import TESTED


class MadeUp:
    """Stands for `Results`: accuracies of a made-up design, two seeds each."""

    def __init__(self, means: pd.DataFrame) -> None:
        self.means, self.models = means, list(means.columns)


def test_spread_is_that_of_the_known_truth(whole: Path) -> None:
    table = spread(Results(MultiverseFolder(whole))).set_index("model")
    # the network has 5.5, 7.5, 8.5 or 10.5 of 12 right on average, each four times; seeds differ by one
    means = np.repeat([5.5, 7.5, 8.5, 10.5], 4) / TESTED
    network, forest = table.loc["modified_cnn"], table.loc["random_forest"]
    assert network["universes_sd"] == pytest.approx(means.std(ddof=1))
    assert network["seeds_sd"] == pytest.approx(np.sqrt(0.5) / TESTED)
    assert network["images_sd"] == pytest.approx(np.sqrt((means * (1 - means)).mean() / TESTED))
    assert (network["lowest"], network["highest"]) == pytest.approx((5.5 / 12, 10.5 / 12))
    assert forest["seeds_sd"] == 0


def test_variance_goes_to_the_choices_that_make_it(whole: Path) -> None:
    table = variance(Results(MultiverseFolder(whole)))
    network = table[table["of"] == "Modified CNN"].set_index("source")
    # 32 trainings; an effect of d between two halves has the sum of squares 32 (d/2)^2
    expected = {
        "preprocessing.colour": 32 * (1 / TESTED) ** 2,
        "options.modified_cnn.dropout": 32 * (1.5 / TESTED) ** 2,
        SEED: 32 * (0.5 / TESTED) ** 2,
    }
    for source, value in expected.items():
        assert network.loc[source, "sum_of_squares"] == pytest.approx(value)
    others = network.drop(index=list(expected))
    assert (others["sum_of_squares"] < 1e-12).all() and HIGHER in others.index
    assert network["df"].sum() == 31 and network["share"].sum() == pytest.approx(1)
    every = table[table["of"] == ALL_MODELS].set_index("source")
    assert every["df"].sum() == 63 and every["share"].sum() == pytest.approx(1)
    # the forest gains 4, the network 2: half of the difference is the interaction
    interaction = every.loc["preprocessing.colour x model", "sum_of_squares"]
    assert interaction == pytest.approx(64 * (0.5 / TESTED) ** 2)


def test_pairs_count_universes(whole: Path) -> None:
    row = pairs(Results(MultiverseFolder(whole))).iloc[0]
    # grey: 5.5 and 8.5 against 5; colour: 7.5 and 10.5 against 9
    assert (row["wins"], row["ties"], row["losses"]) == (12, 0, 4)
    assert row["difference"] == pytest.approx((8 - 7) / TESTED)


def test_ranking_is_the_mean_of_scipys_tau() -> None:
    generator = np.random.default_rng(2)
    means = pd.DataFrame(generator.integers(0, 5, (9, 4)) / 10, columns=list("abcd"))
    means.loc[8] = 0.5  # all alike: no ranking
    taus = [
        kendalltau(means.loc[one], means.loc[other]).statistic
        for one, other in itertools.combinations(range(8), 2)
    ]
    found = ranking(MadeUp(means))  # type: ignore[arg-type]
    assert found.universes == 8 and found.tau == pytest.approx(np.mean(taus))
    assert found.best["a"] == int((means["a"] == means.max(axis=1)).sum())
    alone = ranking(MadeUp(means.head(1)))  # type: ignore[arg-type]
    assert np.isnan(alone.tau)


def test_recall_of_each_class_beside_the_published_one(whole: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy, ignore=shutil.ignore_patterns("universes"))
    with (copy / "multiverse.toml").open("a", encoding="utf-8") as file:
        file.write("[published.recall]\nBenign = 0.5\nEarly = 1.0\n")
    results = Results(MultiverseFolder(copy))
    frame = recalls(results)
    for name, row in results.means.iterrows():
        # in a stratified split each class has four of the twelve: their mean is the accuracy
        if "stratified" in str(name):
            assert frame.loc[name].mean() == pytest.approx(row["modified_cnn"])
    table = class_recall(results).set_index("class")
    assert table.loc["Benign", "reached"] == int((frame["Benign"] >= 0.5).sum())
    assert table["published"].isna().to_dict() == {"Benign": False, "Early": False, "Pre": True}
    assert table.loc["Early", "lowest"] == pytest.approx(frame["Early"].min())
    text = str([section.sentences for section in sections_of(results)])
    assert "Benign has the lowest recall, Early the highest" in text


def test_the_page_escapes_and_loads_nothing(whole: Path) -> None:
    page = (whole / "multiverse.html").read_text(encoding="utf-8")
    assert "<script" not in page and "http-equiv" in page and "data:image/svg+xml" in page
    assert page.count("<table>") == 5
    html = sections_html("<b>", sections_of(Results(MultiverseFolder(whole))), {
        "specification_curve.svg": b"<svg/>"}, synthetic=True)  # fmt: skip
    assert "&lt;b&gt;" in html and "SYNTHETIC" in html and "<b>" not in html
