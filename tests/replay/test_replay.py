"""Replays on synthetic smears whose labels are shuffled: honest stays at chance, a mistake rises."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from leukbench.cli.app import run_command_line
from leukbench.data.segment import leukocyte_mask
from leukbench.data.synthetic import CLASSES, SyntheticConfig, synthesize
from leukbench.errors import LeukbenchError
from leukbench.models import registry
from leukbench.records import file_sha256
from leukbench.replay import replay
from leukbench.replay.mistakes import MISTAKES
from tests.fake_run import FakeModel, make_run

CHANCE = 1 / len(CLASSES)
PROTOCOL = """name = "tiny"
[preprocessing]
size = 32
median_kernel = 0
[split]
test_fraction = 0.4
[training]
batch_size = 16
precision = "float32"
[audit]
probes = false
allow_duplicates_across_split = true
"""
PLUGIN = """
from leukbench.models.registry import ModelSpec

SPEC = ModelSpec(
    name="pixel_centroids", title="Nearest mean image", family="classical", framework="sklearn",
    target="pixel_centroids:build", reference="none", recipe="naive Bayes on pixels",
)


def build(random_state=None):
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    return make_pipeline(FunctionTransformer(flat), GaussianNB(var_smoothing=1e-3))


def flat(images):
    return images.reshape(len(images), -1).astype(float)
"""
LEAKY_NUMBERS = [f"LEAKY_{side}{end}" for side in ("replayed", "difference")
                 for end in ("", "_low", "_high")]  # fmt: skip


def write(root: Path, images: list[np.ndarray], labels: list[str]) -> Path:
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        (root / label).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / label / f"{number:03d}.png"), image)
    return root


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of smears with shuffled labels: ``plain``, ``masked``, and ``copied`` with duplicates."""
    root = tmp_path_factory.mktemp("replay")
    made = synthesize(SyntheticConfig(images_per_class=40, patients_per_class=40, size=64))
    images = [cv2.cvtColor(image, cv2.COLOR_RGB2BGR) for image in made.images]
    labels = np.random.default_rng(1).permutation(made.labels).tolist()
    masked = [np.where(leukocyte_mask(image)[..., None], image, 0) for image in images]
    write(root / "plain", images, labels)
    write(root / "masked", masked, labels)
    write(root / "copied", images[:60] * 2, labels[:60] * 2)
    (root / "tiny.toml").write_text(PROTOCOL, encoding="utf-8")
    return root


@pytest.fixture(scope="module", autouse=True)
def pixel_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    site = tmp_path_factory.mktemp("site")
    (site / "pixel_centroids.py").write_text(PLUGIN, encoding="utf-8")
    facts = site / "pixel_centroids-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: pixel-centroids\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[leukbench.models]\np = pixel_centroids\n")
    with pytest.MonkeyPatch.context() as patch:
        before = os.environ.get("PYTHONPATH", "")
        patch.setenv("PYTHONPATH", f"{site}{os.pathsep}{before}")
        patch.syspath_prepend(str(site))
        registry._registered.cache_clear()
        yield
    registry._registered.cache_clear()


def arguments(work: Path, data: str, model: str, out: str, *more: str) -> list[str]:
    return [
        "replay", str(work / data), "--model", model, "--protocol", str(work / "tiny.toml"),
        "--out", str(work / out), *more,
    ]  # fmt: skip


def numbers(folder: Path) -> pd.DataFrame:
    """The table with LEAKY taken off its numbers."""
    table = pd.read_csv(folder / "replay-LEAKY.csv", keep_default_na=False)
    for column in LEAKY_NUMBERS:
        assert table[column].map(lambda cell: cell == "" or cell.startswith("LEAKY ")).all()
        table[column] = pd.to_numeric(table[column].str.removeprefix("LEAKY "))
    table["honest"] = pd.to_numeric(table["honest"])
    return table.set_index("mistake")


@pytest.fixture(scope="module")
def tree(work: Path) -> Path:
    assert (
        run_command_line(arguments(work, "plain", "decision_tree", "tree", "--seeds", "0-1")) == 0
    )
    return work / "tree"


@pytest.fixture(scope="module")
def network(work: Path) -> Path:
    line = arguments(work, "plain", "modified_cnn", "network", "--epochs", "25")
    assert run_command_line([*line, "--mistakes", "scored_on_everything,best_epoch_on_test"]) == 0
    return work / "network"


def assert_rises(row: pd.Series, least: float) -> None:
    assert abs(row["honest"] - CHANCE) < 0.12
    assert row["LEAKY_replayed"] > CHANCE + least
    assert row["LEAKY_difference"] == pytest.approx(row["LEAKY_replayed"] - row["honest"])
    assert 0 < row["LEAKY_difference_low"] < row["LEAKY_difference"] < row["LEAKY_difference_high"]


@pytest.mark.parametrize(
    ("mistake", "least"),
    [("trained_on_test", 0.25), ("multiplied_before_split", 0.25), ("scored_on_everything", 0.25)],
)
def test_shuffled_labels_are_at_chance_when_honest_and_rise_when_leaky(
    tree: Path, mistake: str, least: float
) -> None:
    assert_rises(numbers(tree).loc[mistake], least)


def test_scaling_uses_no_label_and_so_raises_nothing_of_shuffled_ones(tree: Path) -> None:
    row = numbers(tree).loc["scaled_before_split"]
    assert abs(row["honest"] - CHANCE) < 0.12 and abs(row["LEAKY_replayed"] - CHANCE) < 0.12
    assert row["LEAKY_difference_low"] < 0.05 and row["LEAKY_difference_high"] > -0.05


def test_what_cannot_be_shown_abstains_in_one_sentence(tree: Path) -> None:
    notes = numbers(tree)["note"]
    assert {name for name, note in notes.items() if note} == {
        "best_epoch_on_test", "duplicates", "segmented_by_label",
    }  # fmt: skip
    assert "not trained in epochs" in notes["best_epoch_on_test"]
    assert "not segmented" in notes["segmented_by_label"]


@pytest.mark.parametrize("mistake", ["selected_before_split", "segmented_by_label"])
def test_selection_and_segmentation_by_the_label_rise(work: Path, mistake: str) -> None:
    data = "plain" if mistake == "selected_before_split" else "masked"
    line = arguments(work, data, "pixel_centroids", mistake, "--mistakes", mistake)
    assert run_command_line(line) == 0
    assert_rises(numbers(work / mistake).loc[mistake], 0.08)


def test_duplicates_rise_and_both_sides_train_on_as_many_images(work: Path) -> None:
    line = arguments(work, "copied", "decision_tree", "copied-out", "--mistakes", "duplicates")
    assert run_command_line(line) == 0
    row = numbers(work / "copied-out").loc["duplicates"]
    assert_rises(row, 0.15)
    assert int(row["honest_trained_on"]) == int(row["LEAKY_trained_on"]) < 72  # of 120
    assert int(row["honest_scored"]) == int(row["LEAKY_scored"]) == 48


def test_honest_and_leaky_numbers_of_one_network_training(network: Path) -> None:
    """Both are counted here again, from the predictions and from the curve that Keras recorded."""
    table = numbers(network)
    split = pd.read_csv(network / "split.csv")
    tested = set(split.loc[split["part"] == "test", "image"])
    honest, every, best = [], [], []
    for folder in (network / "trials").iterdir():
        frame = pd.read_parquet(folder / "predictions.parquet")
        right = frame["y_true"] == frame["y_pred"]
        every.append(right.mean())
        honest.append(right[frame["image"].isin(tested)].mean())
        best.append(pd.read_csv(folder / "history.csv")["val_accuracy"].max())
    assert len(honest) == 1, "one training serves both mistakes"
    assert table["same_training"].astype(str).eq("True").all()
    assert table["honest"].tolist() == pytest.approx([np.mean(honest)] * 2)
    assert table.loc["scored_on_everything", "LEAKY_replayed"] == pytest.approx(np.mean(every))
    assert table.loc["best_epoch_on_test", "LEAKY_replayed"] == pytest.approx(np.mean(best))
    assert_rises(table.loc["scored_on_everything"], 0.2)
    row = table.loc["best_epoch_on_test"]
    assert abs(row["honest"] - CHANCE) < 0.12 and row["LEAKY_difference"] > 0.03


def test_killed_and_resumed_gives_the_same_files(work: Path, tree: Path) -> None:
    line = arguments(work, "plain", "decision_tree", "killed", "--seeds", "0-1")
    process = subprocess.Popen(
        [sys.executable, "-m", "leukbench", *line],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    killed, deadline = work / "killed", time.monotonic() + 120
    while len(list(killed.glob("trials/*/record.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = {path: file_sha256(path) for path in killed.glob("trials/*/record.json")}
    assert 2 <= len(kept) < len(list(tree.glob("trials/*"))), "it was killed in the middle"
    assert not (killed / "replay-LEAKY.csv").exists()
    assert run_command_line(line) == 0
    assert kept.items() <= {p: file_sha256(p) for p in killed.glob("trials/*/record.json")}.items()
    names = [path.relative_to(tree) for path in tree.rglob("*") if path.is_file()]
    assert sorted(names) == sorted(p.relative_to(killed) for p in killed.rglob("*") if p.is_file())
    for name in names:
        if name.name not in ("record.json", "replay.json"):  # these hold times
            assert (tree / name).read_bytes() == (killed / name).read_bytes(), name


def test_verify_recomputes_a_replay(tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results" / "copy"
    shutil.copytree(tree, copy)
    assert run_command_line(["verify", str(copy.parent)]) == 0
    table = copy / "replay-LEAKY.csv"
    table.write_text(table.read_text().replace("LEAKY 0.", "LEAKY 0.9", 1))
    assert run_command_line(["verify", str(copy)]) == 1


def test_everything_measured_with_a_mistake_says_leaky(tree: Path) -> None:
    names = {path.name for path in tree.iterdir()}
    assert names == {
        "replay.json", "split.csv", "trials",
        "replay-LEAKY.csv", "replay-LEAKY.md", "replay-LEAKY.png",
    }  # fmt: skip
    for record in tree.glob("trials/*/record.json"):
        leaky = "LEAKY" in record.read_text(encoding="utf-8")
        assert leaky == record.parent.name.startswith("LEAKY-")
    text = (tree / "replay-LEAKY.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if re.match(r"\| .*\d %", line)]
    assert len(rows) == 5
    assert all(cell.startswith("LEAKY ") for row in rows for cell in row[2:4])


@pytest.mark.parametrize(
    "line",
    [
        ["gate", "RUN", "--baseline", "REPLAY"],
        ["gate", "REPLAY", "--baseline", "RUN"],
        ["gate", "REPLAY", "--baseline", "NEW", "--update"],
        ["compare", "REPLAY"],
        ["compare", "RUN", "REPLAY"],
        ["report", "REPLAY"],
        ["export", "mlflow", "REPLAY"],
        ["run-all", "--models", "naive_bayes", "--out", "REPLAY"],
    ],
    ids=" ".join,
)
def test_no_ranking_gate_or_export_takes_a_replay(
    line: list[str], work: Path, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", (FakeModel("svm_rbf", "SVM", "classical", 0.8),)).path
    places = {"RUN": str(run), "REPLAY": str(tree), "NEW": str(tmp_path / "new")}
    full = [places.get(word, word) for word in line]
    if line[0] == "run-all":
        full += ["--data", str(work / "plain"), "--protocol", str(work / "tiny.toml")]
    before = sorted(path.name for path in tree.iterdir())
    assert run_command_line(full) == 3
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert "LEAKY replays" in told and "never ranked" in told
    assert sorted(path.name for path in tree.iterdir()) == before


def test_a_leaky_trial_that_strays_into_a_run_is_refused(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", (FakeModel("svm_rbf", "SVM", "classical", 0.8),)).path
    stray = next(tree.glob("trials/LEAKY-*"))
    for name in (stray.name, "0" * 64):  # renamed too
        shutil.copytree(stray, run / "trials" / name)
        for verb in (["report"], ["compare"], ["gate", "--baseline", str(run)]):
            assert run_command_line([verb[0], str(run), *verb[1:]]) == 3
            assert "LEAKY replay and no part of a run" in capsys.readouterr().err
        assert run_command_line(["verify", str(run)]) == 1
        shutil.rmtree(run / "trials" / name)


def test_replays_keep_out_of_a_run_folder_and_of_other_replays(work: Path, tree: Path) -> None:
    with pytest.raises(LeukbenchError, match="replays of another model"):
        replay(work / "plain", "naive_bayes", out=tree, protocol=str(work / "tiny.toml"))
    run = make_run(work / "a-run", (FakeModel("svm_rbf", "SVM", "classical", 0.8),)).path
    with pytest.raises(LeukbenchError, match="holds a run"):
        replay(work / "plain", "decision_tree", out=run, protocol=str(work / "tiny.toml"))
    with pytest.raises(LeukbenchError, match="did you mean duplicates"):
        replay(work / "plain", "decision_tree", out=work / "new", mistakes=["duplicate"])


def test_every_mistake_has_a_source_and_stands_on_its_page() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "replay.md"
    text = " ".join(page.read_text(encoding="utf-8").split())
    for mistake in MISTAKES.values():
        assert f"`{mistake.name}`" in text and re.search(r"doi:10\.\d{4}", mistake.source)
    assert "never an accusation" in text
