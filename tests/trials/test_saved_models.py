"""Models that a run keeps: used again as they were, refused when touched, never without the notice."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import skops.io

from leukbench.cli.app import run_command_line
from leukbench.data.preprocess import preprocess_image, read_image
from leukbench.errors import DataError, UsageError
from leukbench.explain.heat_maps import NOTICE, grad_cam, occlusion
from leukbench.models import efficientnet_lite0, registry, saved
from leukbench.predict import SavedModel, as_frame
from leukbench.protocol import Preprocessing
from leukbench.records import file_sha256, read_json
from leukbench.runfolder import RunFolder
from tests.conftest import draw_image

MODELS = ("modified_cnn", "naive_bayes", "svm_rbf")
CLASSES = ("Benign", "Early", "Pro")
PROTOCOL = """
name = "small"
models = ["modified_cnn", "naive_bayes", "svm_rbf"]
[preprocessing]
size = 32
median_kernel = 3
[split]
policy = "stratified"
test_fraction = 0.25
validation_fraction = {validation}
[training]
epochs = 2
batch_size = 8
precision = "float32"
[audit]
probes = false
allow_duplicates_across_split = true
"""


def _folder(root: Path) -> Path:
    generator = np.random.default_rng(5)
    for number, label in enumerate(CLASSES):
        (root / label).mkdir(parents=True)
        for index in range(16):
            image = draw_image(generator, 40 + 85 * number, 40, 40)
            cv2.imwrite(str(root / label / f"{index:02d}.png"), image)
    return root


def _run(root: Path, validation: float, *more: str) -> RunFolder:
    (root / "small.toml").write_text(PROTOCOL.format(validation=validation), encoding="utf-8")
    command = ["run-all", "--data", str(root / "smears"), "--out", str(root / "run")]
    command += ["--protocol", str(root / "small.toml"), *more]
    assert run_command_line(command) in (0, 2)  # two epochs may leave a network degenerate
    return RunFolder(root / "run")


@pytest.fixture(scope="module")
def kept_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kept")
    _folder(root / "smears")
    return _run(root, 0.2, "--save-models").path


@pytest.fixture
def kept(kept_once: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(kept_once, tmp_path / "run")))


@pytest.fixture(scope="module")
def smears(kept_once: Path) -> Path:
    return kept_once.parent / "smears"


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_kept_model_gives_the_stored_predictions_again(
    kept: RunFolder, smears: Path, model: str
) -> None:
    """Preprocessing comes from the run; the temperature alone stands between the two."""
    again = SavedModel(kept, model)
    stored = kept.predictions(again.record).set_index("image")
    settings = Preprocessing(size=32, median_kernel=3)
    arrays = np.stack([preprocess_image(read_image(smears / i), settings) for i in stored.index])
    again.temperature = None
    columns = [f"p_{name}" for name in CLASSES]
    np.testing.assert_allclose(again.probabilities(arrays), stored[columns], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_probabilities_are_calibrated_on_the_validation_part(
    kept: RunFolder, smears: Path, model: str
) -> None:
    again = SavedModel(kept, model)
    assert again.temperature is not None
    assert again.temperature > 0
    rows = kept.split[kept.split["part"] == "validation"]
    found = again.predict([smears / image for image in rows["image"]])
    assert all(one.calibrated and one.part == "validation" for one in found)
    for one in found:
        assert sum(one.probabilities.values()) == pytest.approx(1.0)
        assert one.probability == max(one.probabilities.values())
    truth = rows["label"].to_list()

    def loss() -> float:
        pairs = zip(again.predict([smears / i for i in rows["image"]]), truth, strict=True)
        return float(np.mean([-np.log(max(p.probabilities[t], 1e-300)) for p, t in pairs]))

    calibrated = loss()
    again.temperature = None
    assert calibrated <= loss() + 1e-9


@pytest.mark.slow
def test_without_validation_images_it_says_uncalibrated(tmp_path: Path) -> None:
    _folder(tmp_path / "smears")
    kept = _run(tmp_path, 0.0, "--save-models", "--models", "naive_bayes")
    (one,) = SavedModel(kept, "naive_bayes").predict([tmp_path / "smears" / "Pro" / "00.png"])
    assert not one.calibrated
    assert "uncalibrated" in one.note
    assert one.part in one.note


@pytest.mark.slow
def test_saving_is_asked_for_later_and_runs_again_only_what_is_not_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _folder(tmp_path / "smears")
    more = ("--models", "naive_bayes")
    before = _run(tmp_path, 0.2, *more).records
    with pytest.raises(UsageError, match="`save_models=True`"):
        SavedModel(RunFolder(tmp_path / "run"), "naive_bayes")
    capsys.readouterr()
    kept = _run(tmp_path, 0.2, *more, "--save-models")
    assert "start " in capsys.readouterr().err
    assert [record.key for record in kept.records] == [record.key for record in before]
    assert any(name.startswith("model/") for name in kept.records[0].files)
    _run(tmp_path, 0.2, *more, "--save-models")
    assert "start " not in capsys.readouterr().err
    _run(tmp_path, 0.2, *more)
    assert "start " not in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "file"),
    [("modified_cnn", "model.keras"), ("naive_bayes", "model.skops"), ("svm_rbf", "model.json")],
)
def test_a_file_that_was_touched_is_refused(
    kept: RunFolder,
    smears: Path,
    model: str,
    file: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = next(record for record in kept.records if record.model == model)
    path = kept.trial_path(record) / "model" / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    image = str(smears / "Pro" / "00.png")
    assert run_command_line(["predict", str(kept.path), model, image]) == 3
    said = capsys.readouterr()
    assert file in said.err
    assert "not opened" in said.err
    assert said.out == ""
    path.unlink()
    assert run_command_line(["predict", str(kept.path), model, image]) == 3


class Intruder:
    """A type that no model of leukbench holds."""

    def __init__(self) -> None:
        self.classes_ = np.array(["a", "b"])


@pytest.mark.slow
def test_a_foreign_type_is_refused_even_with_its_sum_made_to_fit(kept: RunFolder) -> None:
    record = next(record for record in kept.records if record.model == "naive_bayes")
    place = kept.trial_path(record)
    skops.io.dump(Intruder(), place / "model" / "model.skops")
    described = read_json(place / "record.json")
    described["files"]["model/model.skops"] = file_sha256(place / "model" / "model.skops")
    (place / "record.json").write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(DataError, match="Intruder"):
        SavedModel(RunFolder(kept.path), "naive_bayes")


CLASSICAL = [
    spec.name for spec in registry.specs() if spec.framework == "sklearn" and spec.installed
]


@pytest.mark.parametrize("name", CLASSICAL)
def test_every_classical_model_survives_being_kept(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(efficientnet_lite0, "SIDE", 32)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (30, 16, 16, 3), dtype=np.uint8)
    images[::3] //= 3
    labels = np.array(["a", "b", "c"] * 10)
    estimator = registry.create(name, random_state=0).fit(images, labels)
    saved.save_model(
        estimator, tmp_path, name=name, framework="sklearn", parameters={"random_state": 0},
        temperature=None, calibration_images=0,
    )  # fmt: skip
    sums = {f"model/{file.name}": file_sha256(file) for file in (tmp_path / "model").iterdir()}
    again, described = saved.load_model(tmp_path, sums)
    np.testing.assert_array_equal(again.predict_proba(images), estimator.predict_proba(images))
    assert described["classes"] == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["svm_rbf", "random_forest"])
def test_a_model_that_an_earlier_version_saved_is_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 1), dtype=np.uint8)
    estimator = registry.create(name, random_state=0).fit(images, np.array(["a", "b"] * 10))
    saved.save_model(
        estimator, tmp_path, name=name, framework="sklearn", parameters={}, temperature=None,
        calibration_images=0,
    )  # fmt: skip
    file = tmp_path / "model" / "model.skops"
    with monkeypatch.context() as earlier:
        names = {now: before for before, now in saved.RENAMED_TYPES.items()}
        earlier.setattr(saved, "RENAMED_TYPES", names)
        file.write_bytes(saved._with_present_names(file.read_bytes()))
    with zipfile.ZipFile(file) as archive:
        assert b"leukbench.models.estimators" not in archive.read("schema.json")
    sums = {f"model/{one.name}": file_sha256(one) for one in file.parent.iterdir()}
    again, _ = saved.load_model(tmp_path, sums)
    np.testing.assert_array_equal(again.predict_proba(images), estimator.predict_proba(images))


@pytest.mark.parametrize("part", sorted(saved.TRUSTED_TYPES))
def test_types_that_are_allowed_are_classes_not_functions(part: str) -> None:
    from importlib import import_module

    module, _, name = part.rpartition(".")
    assert isinstance(getattr(import_module(module), name), type)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["modified_cnn", "naive_bayes"])
def test_command_line(
    kept: RunFolder,
    smears: Path,
    model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    images = [str(smears / "Benign" / "00.png"), str(smears / "Pro" / "01.png")]
    command = ["predict", str(kept.path), model, *images]
    assert run_command_line(command) == 0
    said = capsys.readouterr().out
    assert said.startswith(NOTICE)
    assert all(image in said for image in images)

    out = tmp_path / "out"
    assert run_command_line([*command, "--json", "--explain", "--out", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["notice"] == NOTICE
    for one in found["predictions"]:
        assert one["notice"] == NOTICE
        assert set(one["probabilities"]) == set(CLASSES)
        picture = cv2.imread(one["heat_map"])
        assert picture is not None
        # picture and heat side by side, and below them two lines of text on white
        assert picture.shape == (256 + 56, 512, 3)
        assert (picture[256:] < 100).any()
    table = (out / "predictions.csv").read_text(encoding="utf-8")
    assert table.count(NOTICE) == 2


@pytest.mark.slow
def test_wrong_names_and_files_are_one_sentence(
    kept: RunFolder, smears: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = str(smears / "Benign" / "00.png")
    assert run_command_line(["predict", str(kept.path), "naive_bays", image]) == 3
    assert "did you mean naive_bayes" in capsys.readouterr().err
    assert run_command_line(["predict", str(kept.path), "naive_bayes", image, "--seed", "9"]) == 3
    assert "seed 9" in capsys.readouterr().err
    note = tmp_path / "note.png"
    note.write_text("no image", encoding="utf-8")
    assert run_command_line(["predict", str(kept.path), "naive_bayes", str(note)]) == 3
    assert "note.png" in capsys.readouterr().err


@pytest.mark.slow
def test_a_table_of_predictions_carries_the_notice_in_every_row(
    kept: RunFolder, smears: Path
) -> None:
    found = SavedModel(kept, "naive_bayes").predict([smears / "Pro" / "00.png"])
    frame = as_frame(found)
    assert set(frame["notice"]) == {NOTICE}
    assert [c for c in frame.columns if c.startswith("p_")] == [f"p_{name}" for name in CLASSES]


class _Corner:
    """Looks at the upper left corner and nowhere else."""

    classes_ = np.array(["dark", "light"])

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        light = images[:, :8, :8].mean(axis=(1, 2, 3)) / 255
        return np.stack([1 - light, light], axis=1)


def test_occlusion_finds_where_a_model_looks() -> None:
    image = np.zeros((32, 32, 1), dtype=np.uint8)
    image[:8, :8] = 255
    heat = occlusion(_Corner(), image, 1)
    assert heat.shape == (32, 32)
    assert heat.max() == 1.0
    assert heat[:8, :8].min() > 0.2
    assert heat[16:, :].max() == 0.0
    assert heat[:, 16:].max() == 0.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    ["modified_cnn", "googlenet", "mobilenet_v2", "hybrid_mobilenet_v2_resnet18", "leuknet"],
)
def test_grad_cam_draws_a_map_for_networks_of_every_shape(model: str) -> None:
    """Chains, branches, residuals, two joined networks, and layers of our own."""
    import keras

    built = registry.create(model).build((64, 64, 3), 3)
    network = keras.Model(built.inputs, built.outputs[0])
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    heat = grad_cam(network, image, 1)
    assert heat.shape == (64, 64)
    assert heat.min() >= 0
    assert heat.max() in (0.0, 1.0)


@pytest.mark.slow
def test_grad_cam_follows_the_formula() -> None:
    """A network of one convolution, whose map can be written down by hand."""
    import keras

    inputs = keras.Input((4, 4, 1))
    features = keras.layers.Conv2D(2, 1, use_bias=False)(keras.layers.Rescaling(1 / 255)(inputs))
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    network = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(pooled))
    network.set_weights(
        [np.array([[[[1.0, -1.0]]]]), np.array([[0.0, 2.0], [0.0, 1.0]]), np.zeros(2)]
    )
    image = np.zeros((4, 4, 1), dtype=np.uint8)
    image[1, 2] = 255
    # the score of class 1 is 2 mean(a) + mean(b), with a = x and b = -x: 2x - x = x survives
    heat = grad_cam(network, image, 1)
    np.testing.assert_allclose(heat, image[..., 0] / 255, atol=1e-6)
    # that of class 0 is constant: nothing speaks for it
    assert grad_cam(network, image, 0).max() == 0
