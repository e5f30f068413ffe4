"""A run tells what its models go by, keeps no picture, and never loses a trial over it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline

from leukbench.checks.verify import verify_run
from leukbench.cli.app import run_command_line
from leukbench.explain.explain_trial import explain_trial
from leukbench.explain.importance import MOST_IMAGES
from leukbench.models.classical import on_features
from leukbench.runfolder import HEAT_MAPS, IMPORTANCE, WHOLE_FEATURE, RunFolder

MakeFolder = Callable[..., Path]
SIDE = 16


class OneColumn(ClassifierMixin, BaseEstimator):
    """Looks at one column alone: above nought it is Bright."""

    def __init__(self, column: int = 0) -> None:
        self.column = column

    def fit(self, X: np.ndarray, y: np.ndarray) -> OneColumn:
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: np.ndarray) -> np.ndarray:
        return np.where(X[:, self.column] > 0, "Bright", "Dark")


def _smears(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Every second image is of one grey, 200, the others of another, 20; with some noise."""
    truth = np.array(["Bright", "Dark"] * (number // 2))
    rng = np.random.default_rng(0)
    level = np.where(truth == "Bright", 200, 20)[:, None, None, None]
    return (level + rng.integers(0, 3, (number, SIDE, SIDE, 1))).astype(np.uint8), truth


def _predictions(truth: np.ndarray, called: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"image": [f"{label}/{i:03d}.png" for i, label in enumerate(truth)], "y_true": truth,
         "y_pred": called}
    )  # fmt: skip
    frame["p_Bright"] = np.where(called == "Bright", 0.9, 0.2)
    frame["p_Dark"] = 1 - frame["p_Bright"]
    return frame


def _one_band(images: np.ndarray, truth: np.ndarray) -> Pipeline:
    """A model of grey value 201 alone, which is column 201 after the spectrum's."""
    spectrum = SIDE * (SIDE // 2 + 1)
    return on_features(OneColumn(spectrum + 201)).fit(images, truth)


def test_importance_finds_the_band_that_alone_decides(tmp_path: Path) -> None:
    images, truth = _smears(MOST_IMAGES + 40)
    model = _one_band(images, truth)
    assert explain_trial(model, images, _predictions(truth, model.predict(images)), tmp_path) == ""
    table = pd.read_csv(tmp_path / IMPORTANCE).set_index(["feature", "group"])
    assert set(table["images"]) == {MOST_IMAGES}
    assert set(table["accuracy"]) == {1.0}
    deciding = {("grey histogram", WHOLE_FEATURE), ("grey histogram", "values 192–223")}
    assert set(table.index[table["drop"] > 0.3]) == deciding
    assert (table.drop(index=list(deciding))[["drop", "drop_std"]] == 0).all(axis=None)


def test_importance_is_the_same_every_time_and_in_any_order(tmp_path: Path) -> None:
    images, truth = _smears(30)
    model = _one_band(images, truth)
    frame = _predictions(truth, model.predict(images))
    back = np.arange(30)[::-1]
    written = []
    for place, order in (("one", np.arange(30)), ("two", back)):
        (tmp_path / place).mkdir()
        shuffled = frame.iloc[order].reset_index(drop=True)
        assert explain_trial(model, images[order], shuffled, tmp_path / place) == ""
        written.append((tmp_path / place / IMPORTANCE).read_bytes())
    assert written[0] == written[1]


class Network:
    """A network of one convolution that answers to bright pixels, in the wrapper's clothes."""

    def __init__(self) -> None:
        import keras

        inputs = keras.Input((SIDE, SIDE, 1), dtype="uint8")
        scaled = keras.layers.Rescaling(1 / 255)(inputs)
        kernel = keras.initializers.Constant(1.0)
        seen = keras.layers.Conv2D(1, 1, kernel_initializer=kernel)(scaled)
        pooled = keras.layers.GlobalAveragePooling2D()(seen)
        weights = keras.initializers.Constant([[1.0, -1.0]])
        dense = keras.layers.Dense(2, activation="softmax", kernel_initializer=weights)
        self.model_ = keras.Model(inputs, dense(pooled))
        self.classes_ = np.array(["Bright", "Dark"])


@pytest.mark.slow
def test_heat_maps_hold_names_and_heat_but_no_picture(tmp_path: Path) -> None:
    images, truth = _smears(6)
    images[0, :4, :4] = 255
    frame = _predictions(truth, np.full(6, "Bright"))
    assert explain_trial(Network(), images, frame, tmp_path) == ""
    with np.load(tmp_path / HEAT_MAPS, allow_pickle=False) as stored:
        assert set(stored) == {"images", "labels", "predicted", "probability", "heat"}
        assert stored["images"].tolist() == ["Bright/000.png", "Dark/001.png"]
        assert stored["predicted"].tolist() == ["Bright", "Bright"]
        assert stored["probability"].tolist() == [0.9, 0.9]
        heat = stored["heat"]
    assert heat.dtype == np.uint8
    assert heat.shape == (2, SIDE, SIDE)
    assert heat[0].max() == 255
    assert heat[0, :4, :4].mean() > heat[0, 8:, 8:].mean()


def test_an_explanation_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    images, truth = _smears(6)
    model = _one_band(images, truth)
    model.steps[-1][1].column = 10**6
    reason = explain_trial(model, images, _predictions(truth, truth), tmp_path)
    assert "IndexError" in reason
    assert explain_trial(object(), images, _predictions(truth, truth), tmp_path).endswith("known.")
    assert list(tmp_path.iterdir()) == []


def _run(data: Path, root: Path, *more: str) -> RunFolder:
    protocol = root / "small.toml"
    protocol.write_text(
        'name = "small"\n[preprocessing]\nsize = 24\nmedian_kernel = 3\n'
        '[split]\npolicy = "stratified"\ntest_fraction = 0.25\n'
        "[training]\nepochs = 1\nbatch_size = 8\n"
        "[audit]\nprobes = false\nallow_duplicates_across_split = true\n",
        encoding="utf-8",
    )
    out = root / "out"
    command = ["run-all", "--data", str(data), "--protocol", str(protocol), "--out", str(out)]
    assert run_command_line([*command, *more]) == 0
    return RunFolder(out)


def test_a_run_explains_each_model_once_and_verify_watches_over_it(
    make_folder: MakeFolder, tmp_path: Path
) -> None:
    models = "decision_tree,control_majority"
    folder = _run(make_folder(), tmp_path, "--models", models, "--seeds", "3,4")
    explained = [(r.model, r.seed) for r in folder.records if IMPORTANCE in r.files]
    assert explained == [("decision_tree", 3)]
    assert verify_run(folder.path) == []
    record = next(r for r in folder.records if IMPORTANCE in r.files)
    path = folder.trial_path(record) / IMPORTANCE
    path.write_text(path.read_text(encoding="utf-8").replace("0.0", "0.1"), encoding="utf-8")
    (found,) = verify_run(folder.path)
    assert IMPORTANCE in found.file


@pytest.mark.usefixtures("plugin_models")
def test_a_process_that_dies_of_the_explanation_keeps_the_trial(
    make_folder: MakeFolder, tmp_path: Path
) -> None:
    folder = _run(make_folder(), tmp_path, "--models", "mean_undone,mean_ok")
    found = {record.model: record for record in folder.records}
    assert {record.status for record in found.values()} == {"ok"}
    assert "exit code 7" in found["mean_undone"].explanation
    assert found["mean_undone"].peak_memory_mb > 0
    assert "not known" in found["mean_ok"].explanation
    assert verify_run(folder.path) == []
