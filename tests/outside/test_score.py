"""Predictions of other programs: a run's own come back cell for cell, odd tables are refused by place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import leukbench
from leukbench.cli.app import run_command_line
from leukbench.errors import LeukbenchError
from leukbench.runfolder import RunFolder
from tests.fake_run import make_run

RESULTS = Path(__file__).parents[2] / "results"


def table_of(seed: int = 0, images: int = 60) -> pd.DataFrame:
    """Two classes, probabilities of a known truth: the model is right on every image but each tenth."""
    rng = np.random.default_rng(seed)
    truth = np.array(["cell", "other"])[np.arange(images) % 2]
    wrong = np.arange(images) % 10 == 0
    named = np.where(wrong, np.where(truth == "cell", "other", "cell"), truth)
    sure = rng.uniform(0.6, 1.0, images)
    first = np.where(named == "cell", sure, 1 - sure)
    return pd.DataFrame(
        {
            "image": [f"{place:03d}.png" for place in range(images)],
            "y_true": truth,
            "p_cell": first,
            "p_other": 1 - first,
        }
    )


def same_tables(one: Path, other: Path) -> None:
    for name in ("comparison.csv", "classification_report.csv"):
        assert (one / name).read_text("utf-8") == (other / name).read_text("utf-8"), name


@pytest.mark.parametrize(
    ("run", "form"), [("all-pbs-reference", "parquet"), ("synthetic-smoke", "csv")]
)
def test_a_committed_run_comes_back_cell_for_cell(run: str, form: str, tmp_path: Path) -> None:
    """Probes, degenerate models, frozen weights, published values and costs too."""
    table, printed, out = tmp_path / f"t.{form}", tmp_path / "printed.csv", tmp_path / "out"
    benign = RunFolder(RESULTS / run).run.dataset.benign
    line = ["export", "predictions", str(RESULTS / run), "--out", str(table)]
    assert run_command_line([*line, "--published", str(printed)]) == 0
    line = ["score", str(table), "--out", str(out), "--benign", benign]
    if len(pd.read_csv(printed)):
        line += ["--published", str(printed)]
    assert run_command_line(line) == 0
    same_tables(RESULTS / run, out)
    assert run_command_line(["verify", str(out)]) == 0


def test_folds_seeds_and_patients_come_back(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", folds=3, seeds=(0, 1), groups=True)
    from leukbench.report.tables import write_tables

    write_tables(folder)
    table = tmp_path / "t.csv"
    assert run_command_line(["export", "predictions", str(folder.path), "--out", str(table)]) == 0
    run = leukbench.score_predictions(table, out=tmp_path / "out")
    stored, again = pd.read_csv(folder.path / "comparison.csv"), run.comparison()
    columns = ["model", "accuracy", "accuracy_low", "accuracy_high", "mcc", "brier", "trials"]
    pd.testing.assert_frame_equal(stored[columns], again[columns].reset_index(drop=True))
    assert RunFolder(tmp_path / "out").run.dataset.group_kind == "patient"


def test_scores_are_those_of_the_known_truth(tmp_path: Path) -> None:
    table_of().to_csv(tmp_path / "mine.csv", index=False)
    table_of().drop(columns=["p_cell", "p_other"]).assign(y_pred="cell").to_csv(
        tmp_path / "always.csv", index=False
    )
    run = leukbench.score_predictions(
        tmp_path / "mine.csv", tmp_path / "always.csv", out=tmp_path / "out"
    )
    rows = run.comparison().set_index("model")
    assert rows.loc["mine", "accuracy"] == pytest.approx(0.9)
    assert rows.loc["mine", "accuracy_low"] == pytest.approx(0.7985, abs=1e-4), "Wilson, 54 of 60"
    assert rows.loc["always", "status"] == "degenerate" and rows.loc["always", "accuracy"] == 0.5
    assert rows.loc[["always"], "brier"].isna().all(), "classes alone give no Brier score"
    assert run.verify() == []
    assert (tmp_path / "out" / "report.html").is_file()


def test_other_spellings_of_columns(tmp_path: Path) -> None:
    for change in (
        {"p_cell": "prob_cell", "p_other": "prob_other"},
        {"p_cell": "cell", "p_other": "other"},
    ):
        table_of().rename(columns=change).to_csv(tmp_path / "t.csv", index=False, sep=";")
        run = leukbench.score_predictions(tmp_path / "t.csv", out=tmp_path / "out", fresh=True)
        assert run.comparison()["accuracy"].tolist() == pytest.approx([0.9])


def test_a_changed_prediction_is_found(tmp_path: Path) -> None:
    table_of().to_csv(tmp_path / "t.csv", index=False)
    leukbench.score_predictions(tmp_path / "t.csv", out=tmp_path / "out")
    file = next((tmp_path / "out" / "trials").glob("*/predictions.parquet"))
    frame = pd.read_parquet(file)
    frame.loc[0, "y_pred"] = frame.loc[0, "y_true"]
    frame.to_parquet(file, index=False)
    assert run_command_line(["verify", str(tmp_path / "out")]) == 1


def _set(column: str, row: int, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype(object)
        frame.loc[row, column] = value
        return frame

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("image", 4, "000.png"), "line 6, column image: 000.png is predicted twice, in line 2"),
        (_set("p_cell", 2, 1.4), "line 4, column p_cell: the probability '1.4' is not in 0..1"),
        (_set("p_cell", 2, "x"), "line 4, column p_cell: 'x' is no number"),
        (_set("p_cell", 2, 0.01), "line 4, column p_cell to p_other: the probabilities sum to"),
        (_set("y_true", 3, "cel"), "line 5, column y_true: 'cel' has no column of probabilities"),
        (_set("y_true", 3, ""), "line 5, column y_true: is empty"),
        (lambda f: f.rename(columns={"image": "imgae"}), "has no column image"),
        (lambda f: f.drop(columns=["p_cell", "p_other"]), "has neither y_pred nor"),
        (lambda f: f.drop(columns="p_cell"), "the probability of one class alone, in p_other"),
        (lambda f: f.assign(colour=1), "has the column colour, which is unknown"),
        (lambda f: f.assign(seed=0.5), "line 2, column seed: '0.5' is no whole number"),
        (lambda f: f.assign(n_train=[1, *[2] * 59]), "is not what other rows of the trial say"),
        (lambda f: f.rename(columns={"p_cell": "p_other", "p_other": "p_cell"}), "is not the most"),
        (lambda f: f.head(0), "holds no row"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_its_place(
    change: Callable[[pd.DataFrame], pd.DataFrame], message: str, tmp_path: Path
) -> None:
    frame = table_of()
    if "most" in message:
        frame["y_pred"] = np.where(frame["p_cell"] > 0.5, "cell", "other")
    change(frame).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(LeukbenchError) as caught:
        leukbench.score_predictions(tmp_path / "t.csv", out=tmp_path / "out")
    assert message in str(caught.value) and "t.csv" in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda f: f.head(59), "has no prediction of 059.png"),
        (lambda f: f.assign(y_true=f["y_true"].to_numpy()[::-1]), "an image has one true class"),
        (lambda f: f.rename(columns={"p_cell": "p_cells"}).assign(
            y_true=f["y_true"].replace("cell", "cells")), "probabilities of other classes"),
        (lambda f: f.assign(model="one"), "both hold predictions of one, fold 0, seed 0"),
    ],
)  # fmt: skip
def test_tables_of_two_tests_are_refused(
    other: Callable[[pd.DataFrame], pd.DataFrame], message: str, tmp_path: Path
) -> None:
    table_of().to_csv(tmp_path / "one.csv", index=False)
    other(table_of(1)).to_csv(tmp_path / "two.csv", index=False)
    with pytest.raises(LeukbenchError, match=message):
        leukbench.score_predictions(tmp_path / "one.csv", tmp_path / "two.csv", out=tmp_path / "o")


def test_groups_of_a_table_widen_the_interval_and_must_be_complete(tmp_path: Path) -> None:
    frame = table_of()
    frame.to_csv(tmp_path / "t.csv", index=False)
    groups = pd.DataFrame({"image": frame["image"], "group": [f"p{i % 10}" for i in range(60)]})
    groups.to_csv(tmp_path / "groups.csv", index=False)
    alone = leukbench.score_predictions(tmp_path / "t.csv", out=tmp_path / "a").comparison()
    grouped = leukbench.score_predictions(
        tmp_path / "t.csv", groups=tmp_path / "groups.csv", out=tmp_path / "b"
    ).comparison()
    assert alone["accuracy"].tolist() == grouped["accuracy"].tolist()
    width = [one["accuracy_high"].item() - one["accuracy_low"].item() for one in (alone, grouped)]
    assert width[1] > 1.5 * width[0], "all errors are of one patient"
    groups.head(50).to_csv(tmp_path / "groups.csv", index=False)
    with pytest.raises(LeukbenchError, match="10 of 60 images have no row"):
        leukbench.score_predictions(tmp_path / "t.csv", groups=tmp_path / "groups.csv")


def test_a_scored_folder_is_no_run_to_go_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table_of().to_csv(tmp_path / "t.csv", index=False)
    leukbench.score_predictions(tmp_path / "t.csv", out=tmp_path / "out")
    table_of(images=40).to_csv(tmp_path / "t.csv", index=False)
    assert run_command_line(["score", str(tmp_path / "t.csv"), "--out", str(tmp_path / "out")]) == 3
    assert "--fresh" in capsys.readouterr().err
    line = ["verify", str(tmp_path / "out"), "--images", str(tmp_path)]
    assert run_command_line(line) == 3
    assert "--images out" in capsys.readouterr().err
