"""Slices find a weakness that was planted, and none where there is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from leukbench.cli.app import run_command_line
from leukbench.data.segment import count_cells
from leukbench.robustness.slices import write_slices
from leukbench.runfolder import RunFolder
from leukbench.score.slices import Slice, slice_scores
from tests.fake_run import FakeModel, make_run, write_trial_frame
from tests.score.made import outcome_frame, trial

SVM = (FakeModel("svm_rbf", "SVM (RBF)", "classical", 1.0),)


def answer(folder: RunFolder, right: np.ndarray) -> None:
    """Make the model's answers right where it says so, in the order of the stored images."""
    (record,) = folder.records
    frame = folder.predictions(record)
    classes = folder.classes
    other = {name: classes[(i + 1) % len(classes)] for i, name in enumerate(classes)}
    frame["y_pred"] = np.where(right, frame["y_true"], frame["y_true"].map(other))
    for name in classes:
        frame[f"p_{name}"] = np.where(frame["y_pred"] == name, 0.97, 0.03 / (len(classes) - 1))
    write_trial_frame(folder, record, frame)


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run and its images: every third one is dark, and the model is wrong on half of those."""
    root = tmp_path_factory.mktemp("dark")
    folder = make_run(root / "run", SVM, images=600, synthetic=True)
    rng = np.random.default_rng(0)
    (record,) = folder.records
    images = folder.predictions(record)["image"]
    number = np.arange(len(images))
    level = np.where(number % 3 == 0, 40, 160) + rng.integers(-5, 6, len(images))
    split = folder.split
    for image, grey in zip(images, level, strict=True):
        path = root / "images" / image
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = np.clip(rng.normal(grey, 3, (24, 24, 1)).repeat(3, axis=2), 0, 255)
        cv2.imwrite(str(path), picture.astype(np.uint8))
    hashes = {i: sha256_of(root / "images" / i) for i in images}
    split["sha256"] = split["image"].map(hashes).fillna(split["sha256"])
    split.to_csv(root / "run" / "split.csv", index=False, lineterminator="\n")
    folder = RunFolder(root / "run")
    answer(folder, ~((number % 3 == 0) & (number % 2 == 0)))
    return root / "run", root / "images"


def sha256_of(path: Path) -> str:
    from leukbench.records import file_sha256

    return file_sha256(path)


@pytest.fixture(scope="module")
def sliced(dark: tuple[Path, Path]) -> pd.DataFrame:
    run, images = dark
    assert run_command_line(["slices", str(run), "--data", str(images)]) == 0
    return pd.read_csv(run / "robustness" / "slices.csv").set_index(["factor", "slice"])


def test_a_planted_weakness_is_found_with_its_size_and_nothing_else_is(
    sliced: pd.DataFrame, dark: tuple[Path, Path]
) -> None:
    row = sliced.loc[("brightness", "low")]
    n = int(row["images"])
    assert n == 40, "a third of 120 test images"
    assert row["accuracy"] == pytest.approx(0.5)
    assert row["rest"] == 1.0
    assert row["difference"] == pytest.approx(-0.5)
    assert row["within_classes"] == pytest.approx(-0.5, abs=0.02)
    assert row["difference_low"] < -0.5 < row["difference_high"] < -0.25
    assert row["low"] < 0.5 < row["high"]
    found = sliced[sliced["different"]]
    assert set(found.index.get_level_values("factor")) == {"brightness"}
    assert (sliced["p_holm"].dropna() >= sliced["p"].dropna()).all()
    assert not {"cells", "size"} & set(sliced.index.get_level_values(0)), "all have the same"


def test_the_page_says_synthetic_and_marks_the_slice(
    sliced: pd.DataFrame, dark: tuple[Path, Path]
) -> None:
    text = (dark[0] / "robustness" / "slices.md").read_text(encoding="utf-8")
    assert "SYNTHETIC" in text
    section = text.split("## Brightness")[1].split("##")[0]
    (line,) = (line for line in section.splitlines() if line.startswith("| SVM"))
    assert line.split("|")[2].strip().startswith("50.00 %")
    assert line.count("★") == 3, "the two brighter thirds differ from their rest, too"


def test_without_images_stored_properties_serve_again(
    sliced: pd.DataFrame, dark: tuple[Path, Path], tmp_path: Path
) -> None:
    again = Path(shutil.copytree(dark[0], tmp_path / "again"))
    write_slices(RunFolder(again))
    for name in ("slices.csv", "slices.md"):
        first = (dark[0] / "robustness" / name).read_bytes()
        assert (again / "robustness" / name).read_bytes() == first


def test_verify_makes_slices_again(
    sliced: pd.DataFrame,
    dark: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Path(shutil.copytree(dark[0], tmp_path / "run"))
    run_command_line(["verify", str(run)])
    assert "robustness" not in capsys.readouterr().out
    answer(RunFolder(run), np.ones(120, dtype=bool))
    assert run_command_line(["verify", str(run)]) == 1
    assert "robustness/slices.csv: svm_rbf" in capsys.readouterr().out
    table = run / "robustness" / "properties.csv"
    table.write_text(table.read_text().replace("1", "2", 1))
    assert run_command_line(["verify", str(run)]) == 1
    assert "robustness/properties.csv: its sha256" in capsys.readouterr().out


def test_images_that_are_not_those_of_the_run_are_refused(
    dark: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = Path(shutil.copytree(dark[1], tmp_path / "images"))
    changed = next(images.rglob("*.png"))
    cv2.imwrite(str(changed), np.zeros((24, 24, 3), np.uint8))
    assert run_command_line(["slices", str(dark[0]), "--data", str(images)]) == 3
    assert "has other bytes than in the run" in capsys.readouterr().err
    changed.unlink()
    assert run_command_line(["slices", str(dark[0]), "--data", str(images)]) == 3
    assert "--data" in capsys.readouterr().err
    assert run_command_line(["slices", str(dark[0]), "--data", str(tmp_path / "no")]) == 3
    assert "is no folder" in capsys.readouterr().err


def test_a_slice_that_has_other_classes_differs_but_not_within_classes() -> None:
    """All errors are of one class, and so are most of the dark images."""
    rng = np.random.default_rng(3)
    truth = np.array(["Benign", "Pro"] * 150)
    wrong = (truth == "Benign") & (rng.random(300) < 0.5)
    frame = outcome_frame([True] * 300)
    frame["y_true"] = truth
    frame["y_pred"] = np.where(wrong, "Pro", truth)
    dark = np.where(truth == "Benign", rng.random(300) < 0.8, rng.random(300) < 0.2)
    one = Slice("brightness", "low", {0: frozenset(frame["image"][dark])})
    row = slice_scores([trial(frame)], [one]).iloc[0]
    assert row["difference"] < -0.2 and row["different"]
    assert row["within_low"] < 0 < row["within_high"]
    assert abs(row["within_classes"]) < 0.1


def test_groups_make_the_test_honest() -> None:
    """Errors come by patient and have nothing to do with the slice, which is made of patients too."""
    found = {True: 0, False: 0}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        patient = np.repeat(np.arange(30), 10)
        frame = outcome_frame(rng.random(300) < rng.choice([0.3, 0.95], 30)[patient])
        groups = {image: f"p{p}" for image, p in zip(frame["image"], patient, strict=True)}
        inside = rng.permutation(30)[:10]
        one = Slice("stain", "blue", {0: frozenset(frame["image"][np.isin(patient, inside)])})
        for known in (True, False):
            table = slice_scores([trial(frame)], [one], groups if known else None)
            found[known] += bool(table["different"].iloc[0])
    assert found[True] <= 5, "0.05 of 40, with room for chance"
    assert found[False] > 13, "images counted as independent say far too much"


def test_a_patient_is_judged_by_its_own_images_and_few_images_by_nothing() -> None:
    frame = outcome_frame([i >= 20 or i % 4 == 0 for i in range(200)])
    groups = {image: f"p{i // 20}" for i, image in enumerate(frame["image"])}
    images = frame["image"].tolist()
    slices = [
        Slice("patient", "p0", {0: frozenset(images[:20])}, one_group=True),
        Slice("patient", "few", {0: frozenset(images[:9])}, one_group=True),
    ]
    table = slice_scores([trial(frame)], slices, groups).set_index("slice")
    assert table.loc["p0", "accuracy"] == 0.25 and table.loc["p0", "rest"] == 1.0
    assert table.loc["p0", "different"]
    assert np.isnan(table.loc["few", "p"]) and not table.loc["few", "different"]


def test_cells_that_touch_are_counted_apart() -> None:
    mask = np.zeros((120, 200), np.uint8)
    assert count_cells(mask > 0) == 0
    for x in (40, 78, 160):
        cv2.circle(mask, (x, 60), 20, 1, -1)
    assert count_cells(mask > 0) == 3
