"""A run in MLflow, in a real local tracking store."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from leukbench.cli.app import run_command_line
from leukbench.report.tables import write_tables
from tests.fake_run import MODELS, FakeModel, make_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    broken = FakeModel("vgg19", "VGG19", "deep", 0.9, status="failed")
    folder = make_run(tmp_path / "run", [*MODELS[:3], broken], seeds=(0, 1))
    write_tables(folder)
    return folder.path


def test_without_the_extra_one_sentence_says_what_to_install(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert run_command_line(["export", "mlflow", str(run)]) == 3
    said = capsys.readouterr().err
    assert "leukbench[mlflow]" in said
    assert "Traceback" not in said


@pytest.mark.filterwarnings("ignore")  # of MLflow's own dependencies
def test_a_real_store_holds_parameters_metrics_curves_and_files(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    mlflow = pytest.importorskip("mlflow", reason="needs leukbench[mlflow]")
    pytest.importorskip("sqlalchemy", reason="needs leukbench[mlflow]")
    monkeypatch.chdir(tmp_path)  # where MLflow puts artifacts of a local database
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert run_command_line(["export", "mlflow", str(run), "--tracking-uri", uri]) == 0
    parent_id = capsys.readouterr().out.split(" MLflow run ")[1].split()[0]

    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("leukbench")
    runs = {one.info.run_id: one for one in client.search_runs([experiment.experiment_id])}
    parent = runs.pop(parent_id)
    assert parent.data.params["protocol.training.epochs"] == "30"
    assert len(parent.data.params["dataset_fingerprint"]) == 64
    assert parent.data.tags["leukbench.notice"] == "Not for diagnosis."
    files = {file.path for file in client.list_artifacts(parent_id)}
    assert {"run.json", "split.csv", "comparison.csv", "classification_report.md"} <= files

    children = {one.info.run_name: one for one in runs.values()}
    assert set(children) == {"modified_cnn", "vgg16", "random_forest", "vgg19"}
    assert all(one.data.tags["mlflow.parentRunId"] == parent_id for one in runs.values())
    assert children["vgg16"].data.metrics["accuracy"] == pytest.approx(0.9)
    assert children["vgg16"].info.status == "FINISHED"
    assert children["vgg19"].info.status == "FAILED"
    assert "accuracy" not in children["vgg19"].data.metrics
    curve = client.get_metric_history(children["vgg16"].info.run_id, "epoch_val_loss")
    assert sorted(point.step for point in curve) == [1, 2, 3, 4, 5, 6]
    assert not client.get_metric_history(children["random_forest"].info.run_id, "epoch_loss")
