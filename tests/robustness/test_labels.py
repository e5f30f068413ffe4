"""Planted label errors are found again, and probabilities that know the label are refused."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from leukbench.cli.app import run_command_line
from leukbench.records import file_sha256
from leukbench.robustness.labels import candidates, judge
from leukbench.runfolder import RunFolder
from leukbench.score.label_errors import label_errors
from tests.fake_run import FakeModel, make_run, write_trial_frame

THREE = tuple(FakeModel(f"m{i}", f"Model {i}", "classical", 0.9) for i in range(3))


def skilled(rng: np.random.Generator, truth: np.ndarray, k: int, skill: float) -> np.ndarray:
    """Calibrated probabilities: softmax of evidence for the true class."""
    logits = rng.normal(size=(len(truth), k)) * np.sqrt(skill)
    logits[np.arange(len(truth)), truth] += skill
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def flipped(rng: np.random.Generator, truth: np.ndarray, k: int, share: float) -> np.ndarray:
    wrong = rng.random(len(truth)) < share
    return np.where(wrong, (truth + rng.integers(1, k, len(truth))) % k, truth)


def test_the_confident_joint_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7], [0.95, 0.05]])
    given = np.array([0, 0, 0, 1, 1, 1])
    found = label_errors(p, given)
    # means of the own class: (0.9 + 0.7 + 0.2) / 3 = 0.6 and (0.6 + 0.7 + 0.05) / 3 = 0.45
    assert found.thresholds == pytest.approx([0.6, 0.45])
    assert found.joint.tolist() == [[2, 1], [1, 2]]
    assert found.flagged.tolist() == [False, False, True, False, False, True]
    assert found.suggested.tolist() == [0, 0, 1, 1, 1, 0]
    assert found.self_confidence.tolist() == pytest.approx([0.9, 0.7, 0.2, 0.6, 0.7, 0.05])
    assert found.margin.tolist() == pytest.approx([0.8, 0.4, -0.6, 0.2, 0.4, -0.9])
    assert found.noise == pytest.approx(1 / 3)


def test_an_image_below_every_threshold_is_no_candidate() -> None:
    p = np.array([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.0, 0.1, 0.9], [0.3, 0.36, 0.34]])
    found = label_errors(p, np.array([0, 1, 2, 0]))
    assert not found.flagged[3], "0.36 is most, but below 0.63 of its class"
    assert found.joint.sum() == 3


@pytest.mark.parametrize("share", [0.02, 0.1])
def test_planted_errors_are_recalled_with_precision_and_counted(share: float) -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 4, 3000)
    given = flipped(rng, truth, 4, share)
    found = label_errors(skilled(rng, truth, 4, 12.0), given)
    planted = given != truth
    hits = found.flagged & planted
    assert hits.sum() / planted.sum() > 0.8
    assert hits.sum() / found.flagged.sum() > 0.75
    assert (found.suggested[hits] == truth[hits]).mean() > 0.97
    assert found.noise == pytest.approx(planted.mean(), abs=0.02)
    first = np.argsort(found.margin)[: planted.sum() // 2]
    assert planted[first].mean() > 0.9, "the lowest margins come first and are errors"


def test_right_labels_have_few_candidates() -> None:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 4, 3000)
    assert label_errors(skilled(rng, truth, 4, 12.0), truth).flagged.mean() < 0.02


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, set[str]]:
    """Five folds of 400 images, three models; 24 labels are wrong."""
    rng = np.random.default_rng(6)
    folder = make_run(tmp_path_factory.mktemp("labels") / "run", THREE, folds=5, images=400)
    classes = np.array(folder.classes)
    images = np.array(sorted(set(folder.split["image"])))
    given = np.array([image.split("/")[0] for image in images])
    truth = given.copy()
    wrong = rng.choice(400, 24, replace=False)
    for at in wrong:
        truth[at] = rng.choice(classes[classes != given[at]])
    codes = dict(zip(images, np.searchsorted(classes, truth), strict=True))
    for record in folder.records:
        frame = folder.predictions(record)
        p = skilled(rng, frame["image"].map(codes).to_numpy(), 4, 8.0)
        frame[[f"p_{name}" for name in classes]] = p
        frame["y_pred"] = classes[p.argmax(axis=1)]
        write_trial_frame(folder, record, frame)
    return RunFolder(folder.path), set(images[wrong])


def test_what_most_models_agree_on_is_more_precise(planted: tuple[RunFolder, set[str]]) -> None:
    folder, wrong = planted
    judged = judge(folder)
    precision, recall = {}, {}
    for agree in (1, 2, 3):
        table = candidates(judged, agree)
        hits = len(wrong & set(table["image"]))
        precision[agree], recall[agree] = hits / len(table), hits / len(wrong)
    assert len(judged.images) == 400
    assert recall[2] > 0.85 and precision[2] > 0.85
    assert precision[1] < precision[2] and recall[3] <= recall[2] <= recall[1]


def test_the_command_lists_names_labels_and_models(
    planted: tuple[RunFolder, set[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = planted
    assert run_command_line(["labels", str(folder.path)]) == 0
    table = pd.read_csv(folder.path / "robustness" / "labels.csv", keep_default_na=False)
    assert (table["models_agreeing"] >= 2).all() and (table["models"] == 3).all()
    assert table["models_agreeing"].is_monotonic_decreasing
    assert (table["label"] == table["image"].str.split("/").str[0]).all()
    assert (table["label"] != table["suggested"]).all()
    assert (table["agreeing"].str.split().str.len() == table["models_agreeing"]).all()
    assert set(table["partner_in_training"]) == {""}, "this run has no audit"
    printed = capsys.readouterr().out
    assert f"{len(table)} of 400 test images" in printed
    assert "errors among 0 of 400 images, which not all of these models tested" in printed
    assert "which images have such a partner is unknown without an audit" in printed
    assert not (folder.path / "robustness" / "labels.html").exists()
    run_command_line(["verify", str(folder.path)])
    assert "robustness" not in capsys.readouterr().out
    assert run_command_line(["labels", str(folder.path), "--models", "m0,m2", "--agree", "1"]) == 0
    run_command_line(["verify", str(folder.path)])
    assert "robustness" not in capsys.readouterr().out.split("labels.md\n")[-1]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--agree", "4"], "--agree 4 does not fit: take 1 to 3"),
        (["--agree", "0"], "--agree '0' does not fit"),
        (["--models", "m9"], "--models m9 has no probabilities"),
    ],
)
def test_wrong_options_are_named(
    planted: tuple[RunFolder, set[str]],
    more: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command_line(["labels", str(planted[0].path), *more]) == 3
    assert message in capsys.readouterr().err


def test_probabilities_of_training_images_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path, THREE[:1])
    image = str(folder.predictions(folder.records[0])["image"].iloc[0])
    split = folder.split
    split.loc[split["image"] == image, "part"] = "train"
    split.to_csv(tmp_path / "split.csv", index=False, lineterminator="\n")
    assert run_command_line(["labels", str(tmp_path)]) == 3
    told = capsys.readouterr().err
    assert f"was trained on {image}" in told and "repeat their labels" in told
    assert not (tmp_path / "robustness").exists()


def test_without_probabilities_nothing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path, THREE[:1])
    (record,) = folder.records
    frame = folder.predictions(record)
    frame[[f"p_{name}" for name in folder.classes]] = np.nan
    write_trial_frame(folder, record, frame)
    assert run_command_line(["labels", str(tmp_path)]) == 3
    assert "no ranked model with probabilities" in capsys.readouterr().err


def test_the_page_shows_the_images_and_is_no_part_of_the_record(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", THREE[:1], images=60, synthetic=True)
    split, rng = folder.split, np.random.default_rng(0)
    for image in split["image"]:
        path = tmp_path / "images" / image
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 256, (32, 40, 3), dtype=np.uint8))
    split["sha256"] = [file_sha256(tmp_path / "images" / image) for image in split["image"]]
    split.to_csv(tmp_path / "run" / "split.csv", index=False, lineterminator="\n")
    (record,) = folder.records
    frame = folder.predictions(record)
    other = frame["y_true"].iloc[0]
    last = frame.index[frame["y_true"] != other][0]
    for name in folder.classes:
        frame[f"p_{name}"] = np.where(frame["y_true"] == name, 0.91, 0.03)
        frame.loc[last, f"p_{name}"] = 0.97 if name == other else 0.01
    frame["y_pred"] = frame["y_true"]
    frame.loc[last, "y_pred"] = other
    write_trial_frame(folder, record, frame)
    line = ["labels", str(tmp_path / "run"), "--data", str(tmp_path / "images")]
    assert run_command_line(line) == 0
    place = tmp_path / "run" / "robustness"
    untested = split["image"].nunique() - frame["image"].nunique()
    assert untested > 0, "one hold-out split"
    text = (place / "labels.md").read_text(encoding="utf-8")
    assert f"errors among {untested} of {split['image'].nunique()} images" in text
    page = (place / "labels.html").read_text(encoding="utf-8")
    assert "SYNTHETIC" in page and "SYNTHETIC" in (place / "labels.md").read_text(encoding="utf-8")
    assert re.findall(r'alt="([^"]+)"', page) == [frame.loc[last, "image"]]
    assert page.count("data:image/jpeg;base64,") == 1
    assert "http" not in page
    assert "labels.html" not in (place / "record.json").read_text(encoding="utf-8")
    assert run_command_line(line[:2]) == 0
    assert not (place / "labels.html").exists()
