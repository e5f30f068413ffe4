"""A model falls to chance on the view that lacks what tells the classes apart, and on no other."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from leukbench.cli.app import run_command_line

PROTOCOL = """name = "tiny"
models = ["decision_tree"]
[preprocessing]
size = 16
colour = "rgb"
median_kernel = 0
[split]
policy = "stratified"
test_fraction = 0.5
[audit]
probes = false
allow_duplicates_across_split = true
"""
EACH = 40
VIEWS = "cells,background,colour"


def smear(rng: np.random.Generator, dark: bool) -> np.ndarray:
    """A purple disc on a background that is darker in one class; the cell is alike in both."""
    image = np.full((64, 64, 3), 190 if dark else 225, np.uint8)
    cv2.circle(image, tuple(map(int, rng.integers(24, 40, 2))), 12, (150, 40, 120), -1)
    noisy = image.astype(int) + rng.integers(-3, 4, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("ablate"), np.random.default_rng(2)
    for label in ("dark", "light"):
        (root / "smears" / label).mkdir(parents=True)
        for number in range(EACH):
            image = smear(rng, label == "dark")
            cv2.imwrite(str(root / "smears" / label / f"{label}{number:02d}.png"), image)
    (root / "tiny.toml").write_text(PROTOCOL, encoding="utf-8")
    run = ["run-all", "--data", str(root / "smears"), "--protocol", str(root / "tiny.toml")]
    assert run_command_line([*run, "--out", str(root / "run")]) == 0
    line = ["ablate", str(root / "run"), "--data", str(root / "smears"), "--views", VIEWS]
    assert run_command_line([*line, "--jobs", "1"]) == 0
    return root


@pytest.fixture
def copied(work: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(work / "run", tmp_path / "run"))


def test_the_background_tells_the_classes_and_the_cells_do_not(work: Path) -> None:
    table = pd.read_csv(work / "run" / "robustness" / "ablate.csv").set_index("view")
    assert list(table.index) == VIEWS.split(",")
    assert (table["whole"] > 0.9).all() and (table["images"] == EACH).all()
    assert table.loc["background", "accuracy"] == table.loc["colour", "accuracy"] == 1
    assert abs(table.loc["background", "difference"]) < 0.1
    assert table.loc["background", "p_holm"] > 0.05
    cells = table.loc["cells"]
    assert cells["accuracy"] < 0.75 and cells["p_holm"] < 0.05
    assert cells["difference"] == pytest.approx(cells["whole"] - cells["accuracy"])
    assert 0 < cells["difference_low"] < cells["difference"] < cells["difference_high"]
    assert cells["low"] < cells["accuracy"] < cells["high"]
    assert (table["most_frequent"] == 0.5).all()
    assert table["trained"].all(), "one seed"


def test_the_page_says_what_it_shows_and_verify_computes_it_again(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = work / "run" / "robustness"
    page = (place / "ablate.md").read_text(encoding="utf-8")
    assert "gets 50.0 % of the test images" in page and page.count("★") == 1
    assert (place / "ablate.png").read_bytes().startswith(b"\x89PNG")
    assert run_command_line(["verify", str(work / "run")]) == 0
    assert "no differences" in capsys.readouterr().out


def test_a_second_call_trains_nothing_and_keeps_the_tables(
    copied: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (copied / "robustness" / "ablate.csv").read_bytes()
    line = ["ablate", str(copied), "--data", str(work / "smears"), "--views", "cells"]
    assert run_command_line(line) == 0
    assert "1 of 1 trials are finished" in capsys.readouterr().err
    assert (copied / "robustness" / "ablate.csv").read_bytes() == before


def test_changed_tables_and_predictions_of_a_view_are_found(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (trial,) = (copied / "robustness" / "views" / "cells" / "trials").iterdir()
    frame = pd.read_parquet(trial / "predictions.parquet")
    frame["y_pred"] = frame["y_true"]
    frame.to_parquet(trial / "predictions.parquet")
    assert run_command_line(["verify", str(copied)]) == 1
    told = capsys.readouterr().out
    assert f"robustness/views/cells/trials/{trial.name}/predictions.parquet" in told


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--views", "cell"], "--views cell is unknown (did you mean cells?)"),
        (["--models", "vgg16"], "--models vgg16 has no ranked trial"),
        (["--data", "{other}"], "holds other images, labels or patients"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_trained(
    copied: Path, work: Path, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = copied.parent / "other"
    shutil.copytree(work / "smears", other)
    (other / "dark" / "dark00.png").unlink()
    shutil.rmtree(copied / "robustness")
    given = [word.format(other=other) for word in more]
    data = [] if "--data" in more else ["--data", str(work / "smears")]
    assert run_command_line(["ablate", str(copied), *data, *given]) == 3
    assert message in capsys.readouterr().err
    assert not (copied / "robustness").exists()
