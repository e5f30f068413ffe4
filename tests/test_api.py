"""What a notebook relies on: the public names, frames with known columns, figures, a safe display."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import leukbench
from leukbench import api
from leukbench.cli.run import run_all
from leukbench.errors import DataError, UsageError
from leukbench.report.tables import write_tables
from leukbench.trials.options import RunOptions
from tests.fake_run import CONTROL, MODELS, make_run


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> leukbench.Run:
    path = tmp_path_factory.mktemp("api") / "run"
    folder = make_run(path, [*MODELS[:3], CONTROL], seeds=(0, 1), folds=2)
    write_tables(folder)
    return leukbench.Run.load(path)


def test_the_public_names() -> None:
    assert leukbench.__all__ == [
        "LeukbenchError",
        "ModelSpec",
        "Protocol",
        "Published",
        "Run",
        "__version__",
        "load_protocol",
        "run",
        "run_multiverse",
        "score_predictions",
    ]
    for name in leukbench.__all__:
        assert getattr(leukbench, name) is not None
        assert name in dir(leukbench)
    methods = {"load", "comparison", "predictions", "figure", "verify", "gate", "checklist"}
    assert methods <= set(dir(leukbench.Run))
    with pytest.raises(AttributeError, match="no attribute 'runs'"):
        leukbench.runs  # noqa: B018


def test_run_is_a_plain_function() -> None:
    code = (
        "import leukbench, types; assert isinstance(leukbench.run, types.FunctionType)\n"
        "import leukbench.trials.plan; assert callable(leukbench.run)\n"
        "from leukbench import run; assert callable(run)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_options_of_run_are_those_of_the_command() -> None:
    options = {name: field for name, field in RunOptions.model_fields.items() if name != "command"}
    function = inspect.signature(api.run).parameters
    command = inspect.signature(run_all).parameters
    assert list(function) == [*options, "progress"]
    assert list(command) == [*options, "dry_run", "open", "json"]
    for name, field in options.items():
        default = None if field.is_required() else field.default
        assert function[name].default == command[name].default == default


def test_an_option_that_does_not_fit_is_named_as_a_parameter() -> None:
    with pytest.raises(UsageError, match="`memory_mb='0g'` does not fit: write it like 8g"):
        api.run(memory_mb="0g")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="`jobs=0` does not fit: take a whole number from 1"):
        api.run(jobs=0)
    with pytest.raises(UsageError, match="`models=probe_colour` is a shortcut probe"):
        api.run(models=["probe_colour"])
    with pytest.raises(UsageError, match="`models` is empty"):
        api.run(models=[])


def test_load_refuses_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no run\.json"):
        leukbench.Run.load(tmp_path)


def test_comparison_is_the_stored_table(made_once: leukbench.Run) -> None:
    stored = pd.read_csv(made_once.path / "comparison.csv")
    table = made_once.comparison()
    assert list(table.columns) == list(stored.columns)
    assert list(table["model"]) == list(stored["model"])
    np.testing.assert_allclose(table["accuracy"], stored["accuracy"])


def test_classification_report_of_one_model_or_of_all(made_once: leukbench.Run) -> None:
    every = made_once.classification_report()
    one = made_once.classification_report("vgg16")
    assert set(every["model"]) == set(made_once.models)
    assert set(one["model"]) == {"vgg16"}
    assert set(made_once.classes) < set(one["class"])


def test_predictions_can_be_chosen(made_once: leukbench.Run) -> None:
    every = made_once.predictions()
    assert list(every.columns) == [
        "model", "fold", "seed", "image", "y_true", "y_pred",
        *(f"p_{name}" for name in made_once.classes),
    ]  # fmt: skip
    assert len(every) == 4 * 2 * 200  # models, seeds, and every image once over the folds
    one = made_once.predictions("vgg16", fold=1, seed=0)
    assert set(one[["model", "fold", "seed"]].itertuples(index=False, name=None)) == {
        ("vgg16", 1, 0)
    }
    accuracy = (every["y_true"] == every["y_pred"]).groupby(every["model"]).mean()
    table = made_once.comparison().set_index("model")["accuracy"]
    assert accuracy["vgg16"] == pytest.approx(table["vgg16"])
    assert made_once.predictions("vgg16", seed=9).empty


def test_history_is_of_networks_alone(made_once: leukbench.Run) -> None:
    curves = made_once.history()
    assert set(curves["model"]) == {"modified_cnn", "vgg16"}
    assert {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"} < set(curves.columns)
    assert made_once.history("random_forest").empty


def test_confusion_adds_up_to_the_images(made_once: leukbench.Run) -> None:
    matrix = made_once.confusion("vgg16")
    assert matrix.to_numpy().sum() == pytest.approx(200)
    matrix.loc[:] = 0
    assert made_once.confusion("vgg16").to_numpy().sum() == pytest.approx(200)


def test_figures_are_drawn_without_images(made_once: leukbench.Run) -> None:
    names = made_once.figure_names()
    assert "confusion" in names
    assert "samples" not in names
    assert isinstance(made_once.figure("confusion"), Figure)
    with pytest.raises(UsageError, match="confusion"):
        made_once.figure("confusoin")


@pytest.mark.parametrize(
    "call",
    [
        lambda run: run.predictions("vgg61"),
        lambda run: run.history("vgg61"),
        lambda run: run.classification_report("vgg61"),
        lambda run: run.confusion("vgg61"),
    ],
)
def test_a_mistyped_model_is_named(
    made_once: leukbench.Run, call: Callable[[leukbench.Run], object]
) -> None:
    with pytest.raises(UsageError, match="did you mean vgg16"):
        call(made_once)


def test_verify_and_gate(made_once: leukbench.Run, tmp_path: Path) -> None:
    assert made_once.verify() == []
    copy = shutil.copytree(made_once.path, tmp_path / "baseline")
    assert made_once.gate(copy).passed
    (Path(copy) / "comparison.csv").write_text("model\n", encoding="utf-8")
    assert leukbench.Run.load(copy).verify()


def test_display_tells_the_verdict_and_keeps_names_text(tmp_path: Path) -> None:
    models = [replace(MODELS[0], title="<script>alert(1)</script>"), MODELS[1]]
    make_run(tmp_path / "run", models, synthetic=True)
    run = leukbench.Run.load(tmp_path / "run")
    shown = run._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "SYNTHETIC" in shown
    assert "SYNTHETIC" in repr(run)
    assert "Not for diagnosis" in shown
    assert run.protocol.name == "paper"
    assert any("VGG16" in sentence for sentence in run.verdict())


@pytest.mark.usefixtures("plugin_models")
def test_run_trains_and_gives_the_run(
    make_folder: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    protocol = leukbench.Protocol(
        name="tiny",
        models=("mean_ok",),
        preprocessing={"size": 16, "median_kernel": 0},
        split={"policy": "stratified", "test_fraction": 0.25},
        audit={"probes": False, "allow_duplicates_across_split": True},
    )
    options = {"data": make_folder(), "protocol": protocol, "out": tmp_path / "run"}
    run = leukbench.run(**options)
    assert "ok        mean_ok" in capsys.readouterr().err
    assert run.models == ("mean_ok",)
    assert run.comparison()["status"].tolist() == ["ok"]
    assert run.verify() == []
    leukbench.run(**options, progress=False)
    assert capsys.readouterr().err == ""


def test_a_relative_path_that_leads_nowhere_any_more_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path / "run", MODELS[:1])
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    run = leukbench.Run.load("run")
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="run is no run folder"):
        _ = run.models
