"""A metric is added with one entry: scores, intervals, resamples, the gate and the tables know it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, hinge_loss

from leukbench.checks.gate import compare_with_baseline
from leukbench.report.results import columns
from leukbench.report.tables import write_tables
from leukbench.score.arrays import Arrays, arrays_of
from leukbench.score.metrics import METRICS, Metric, resampled_scores, scores_of
from leukbench.score.resampling import Resampled, weight_chunks
from leukbench.score.summary import summarise
from tests.examples.newcomer_metric import KAPPA
from tests.fake_run import make_run
from tests.score.made import random_frame, trial


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, KAPPA.name, KAPPA)


def test_the_new_metric_has_its_value_and_an_interval() -> None:
    predictions = random_frame(200, seed=1)
    row = summarise([trial(predictions)], resamples=300).set_index("metric").loc["kappa"]
    expected = cohen_kappa_score(predictions["y_true"], predictions["y_pred"])
    assert row["value"] == pytest.approx(expected)
    assert row["low"] < expected < row["high"]


def test_the_new_metric_is_a_column_of_the_comparison_and_watched_by_the_gate(
    tmp_path: Path,
) -> None:
    folder = make_run(tmp_path / "run")
    write_tables(folder)
    table = pd.read_csv(folder.path / "comparison.csv")
    assert table["kappa"].notna().all()
    assert columns().index("kappa") == columns().index("ece") + 1
    assert compare_with_baseline(folder.path, folder.path, metrics=("kappa",)).passed


class Hinge(Metric):
    """A metric of which nobody knows how to resample it fast."""

    def of_trial(self, a: Arrays) -> float:
        return float(hinge_loss(a.truth, a.stored, labels=np.arange(len(a.classes))))


def test_any_function_of_the_probabilities_is_resampled_image_by_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hinge = Hinge(name="hinge", title="Hinge", definition="", high=np.inf, higher_is_better=False)
    monkeypatch.setitem(METRICS, "hinge", hinge)
    a = arrays_of(random_frame(60))
    (weights,) = weight_chunks(60, 5, seed=0)
    values = resampled_scores(Resampled(a, np.arange(60), weights), ("hinge",))["hinge"]
    for r in range(5):
        drawn = a.take(np.repeat(np.arange(60), weights[:, r].astype(int)))
        assert values[r] == pytest.approx(scores_of(drawn, ("hinge",))["hinge"])
