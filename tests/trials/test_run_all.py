"""The runner: honest statuses, resume, limits, nothing lost, the same again from the same seed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from leukbench.cli.app import run_command_line
from leukbench.data.folder import load_folder
from leukbench.data.preprocess import preprocess_dataset
from leukbench.protocol import load_protocol
from leukbench.records import file_sha256
from leukbench.runfolder import RunFolder

MakeFolder = Callable[..., Path]


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    """A small protocol."""
    path = tmp_path / "small.toml"
    path.write_text(
        'name = "small"\nmodels = ["naive_bayes", "decision_tree"]\n'
        "[preprocessing]\nsize = 32\nmedian_kernel = 3\n"
        '[split]\npolicy = "stratified"\ntest_fraction = 0.25\n'
        "[training]\nepochs = 2\nbatch_size = 8\n"
        "[audit]\nprobes = false\nallow_duplicates_across_split = true\n",
        encoding="utf-8",
    )
    return path


def run(data: Path, protocol: Path, out: Path, *more: str) -> int:
    return run_command_line(
        ["run-all", "--data", str(data), "--protocol", str(protocol), "--out", str(out), *more]
    )


def starts(capsys: pytest.CaptureFixture[str]) -> int:
    return capsys.readouterr().err.count("\nstart ")


def test_a_finished_trial_is_found_and_not_run_again(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = make_folder(), tmp_path / "out"
    assert run(data, protocol, out) == 0
    assert starts(capsys) == 2
    before = {path: file_sha256(path) for path in out.rglob("trials/*/*")}
    assert run(data, protocol, out) == 0
    assert starts(capsys) == 0
    assert run(data, protocol, out, "--models", "decision_tree,naive_bayes") == 0
    assert starts(capsys) == 0, "the order of models must not matter"
    assert before == {path: file_sha256(path) for path in out.rglob("trials/*/*")}
    assert run(data, protocol, out, "--models", "naive_bayes", "--seeds", "0,1") == 0
    assert starts(capsys) == 1
    assert run(data, protocol, out, "--models", "naive_bayes", "--fresh") == 0
    assert starts(capsys) == 1
    records = RunFolder(out).records
    assert sorted((r.model, r.seed) for r in records) == [
        ("decision_tree", 0), ("naive_bayes", 0), ("naive_bayes", 1),
    ]  # fmt: skip


def test_the_run_folder_holds_what_the_design_says(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run(make_folder(), protocol, out) == 0
    folder = RunFolder(out)
    assert list(folder.split.columns) == ["fold", "part", "image", "sha256", "label", "group"]
    test = folder.split[folder.split["part"] == "test"]
    for record in folder.records:
        frame = folder.predictions(record)
        assert list(frame.columns) == ["image", "y_true", "y_pred", "p_Benign", "p_Early", "p_Pro"]
        assert sorted(frame["image"]) == sorted(test["image"]), (
            "every model has the same test images"
        )
        assert (
            frame.set_index("image")["y_true"].to_dict()
            == test.set_index("image")["label"].to_dict()
        )
        probabilities = frame[["p_Benign", "p_Early", "p_Pro"]].to_numpy()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
        assert record.status == "ok"
        assert record.peak_memory_mb > 0
        for name, digest in record.files.items():
            assert file_sha256(folder.trial_path(record) / name) == digest
    assert not (out / ".work").exists()


@pytest.mark.usefixtures("plugin_models")
def test_a_failing_model_never_stops_the_others(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = make_folder(), tmp_path / "out"
    names = "mean_raises,mean_dies,mean_constant,mean_ok"
    assert run(data, protocol, out, "--models", names) == 2
    found = {record.model: record for record in RunFolder(out).records}
    assert {name: record.status for name, record in found.items()} == {
        "mean_raises": "failed", "mean_dies": "failed", "mean_constant": "degenerate", "mean_ok": "ok",
    }  # fmt: skip
    assert "this model always fails" in found["mean_raises"].reason
    assert "Traceback" in found["mean_raises"].traceback
    assert "exit code 7" in found["mean_dies"].reason
    assert "for every image" in found["mean_constant"].reason
    capsys.readouterr()
    assert run(data, protocol, out, "--models", names) == 2
    assert starts(capsys) == 2, "failed trials are run again, the others are not"


@pytest.mark.usefixtures("plugin_models")
def test_a_child_that_crashes_shouts_or_raises_what_no_text_holds_is_told(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    names = "mean_crashes,mean_shouts,mean_raises_oddly"
    assert run(make_folder(), protocol, out, "--models", names) == 2
    found = {record.model: record for record in RunFolder(out).records}
    assert found["mean_crashes"].status == "failed"
    assert found["mean_crashes"].reason == "the process ended without an answer (SIGSEGV)"
    assert found["mean_shouts"].status == "ok"
    assert found["mean_raises_oddly"].status == "failed"
    assert found["mean_raises_oddly"].reason == "Odd: \\udce9"


@pytest.mark.usefixtures("plugin_models")
@pytest.mark.parametrize(
    ("model", "option", "status"),
    [
        ("mean_sleeps", ("--timeout", "6s"), "timeout"),
        ("mean_grows", ("--memory", "600m"), "out-of-memory"),
    ],
)
def test_limits_hold_and_the_next_trial_goes_on(
    make_folder: MakeFolder,
    protocol: Path,
    tmp_path: Path,
    model: str,
    option: tuple[str, str],
    status: str,
) -> None:
    out = tmp_path / "out"
    assert run(make_folder(), protocol, out, "--models", f"{model},mean_ok", *option) == 2
    assert {r.model: r.status for r in RunFolder(out).records} == {model: status, "mean_ok": "ok"}


@pytest.mark.usefixtures("plugin_models")
def test_side_by_side_gives_the_same_as_one_after_another(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path
) -> None:
    data = make_folder()
    one, two = tmp_path / "one", tmp_path / "two"
    more = ("--models", "mean_ok,decision_tree", "--seeds", "0-2")
    assert run(data, protocol, one, *more) == 0
    assert run(data, protocol, two, *more, "--jobs", "2") == 0
    first, second = RunFolder(one), RunFolder(two)
    assert [r.key for r in first.records] == [r.key for r in second.records]
    for left, right in zip(first.records, second.records, strict=True):
        pd.testing.assert_frame_equal(first.predictions(left), second.predictions(right))


@pytest.mark.usefixtures("plugin_models")
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_ends_the_children_and_keeps_what_was_finished(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path, jobs: int
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "leukbench", "run-all", "--data", str(make_folder())]
    command += ["--protocol", str(protocol), "--models", "mean_ok,mean_sleeps", "--seeds", "0,1"]
    command += ["--jobs", str(jobs), "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    with process:
        assert process.stderr is not None
        sleeping = 0
        for line in process.stderr:
            sleeping += line.startswith("start     mean_sleeps")
            if sleeping == jobs:
                break
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= jobs
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        rest = process.stderr.read()
        assert process.wait(timeout=60) == 130, rest
    assert rest.splitlines() == [
        "leukbench: interrupted; what was finished is kept: the same command again goes on."
    ]
    assert psutil.wait_procs(children, timeout=20)[1] == []
    found = {(record.model, record.seed): record.status for record in RunFolder(out).records}
    assert found == {("mean_ok", 0): "ok", ("mean_ok", 1): "ok"}


@pytest.mark.slow
def test_same_seed_same_machine_identical_predictions(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path
) -> None:
    """For a network and a classical model; a kept worker gives what a fresh one gives."""
    data = make_folder()
    one, two = tmp_path / "one", tmp_path / "two"
    models = ("--models", "modified_cnn,random_forest")
    assert run(data, protocol, one, *models, "--seeds", "0,1") in (0, 2)
    assert run(data, protocol, two, *models, "--seeds", "1") in (0, 2)
    first, second = RunFolder(one), RunFolder(two)
    again = {record.model: record for record in second.records}
    assert set(again) == {"modified_cnn", "random_forest"}
    for record in first.records:
        if record.seed == 1:
            assert record.key == again[record.model].key
            pd.testing.assert_frame_equal(
                first.predictions(record), second.predictions(again[record.model])
            )


def test_another_protocol_or_dataset_is_refused_and_nothing_is_lost(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = make_folder(), tmp_path / "out"
    assert run(data, protocol, out) == 0
    before = sorted(path.name for path in (out / "trials").iterdir())
    assert run(data, protocol, out, "--epochs", "3") == 3
    assert "another protocol" in capsys.readouterr().err
    assert run(make_folder("other", images=9), protocol, out) == 3
    assert "another dataset" in capsys.readouterr().err
    assert sorted(path.name for path in (out / "trials").iterdir()) == before


def test_a_trial_that_lost_a_file_is_run_again(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = make_folder(), tmp_path / "out"
    assert run(data, protocol, out) == 0
    next(out.glob("trials/*/predictions.parquet")).unlink()
    capsys.readouterr()
    assert run(data, protocol, out) == 0
    assert starts(capsys) == 1


def test_dry_run_prints_every_trial_and_trains_nothing(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(make_folder(), protocol, out, "--dry-run", "--seeds", "0,1") == 0
    printed = capsys.readouterr().err
    assert printed.count("naive_bayes, fold 0") == 2
    assert "nothing was run" in printed
    assert not out.exists()


def test_out_that_cannot_be_written_is_one_sentence(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x", encoding="utf-8")
    assert run(make_folder(), protocol, blocked / "out") == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert "--out" in last
    assert "cannot be written" in last


def test_json_says_where_the_run_is(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(make_folder(), protocol, out, "--json") == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["run"] == str(out)
    assert {trial["status"] for trial in found["trials"].values()} == {"ok"}


def test_skipped_images_are_recorded(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path
) -> None:
    data, out = make_folder(), tmp_path / "out"
    bad = sorted((data / "Pro").iterdir())[0]
    bad.write_bytes(b"broken")
    assert run(data, protocol, out) == 3
    assert run(data, protocol, out, "--skip-unreadable") == 0
    skipped = RunFolder(out).run.dataset.skipped
    assert [image.path for image in skipped] == [f"Pro/{bad.name}"]


def test_a_run_can_be_moved(make_folder: MakeFolder, protocol: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(make_folder(), protocol, out) == 0
    moved = shutil.copytree(out, tmp_path / "moved")
    folder = RunFolder(moved)
    assert len(folder.predictions(folder.records[0])) == 9


@pytest.mark.usefixtures("plugin_models")
def test_what_is_fitted_sees_training_images_alone(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPY_FOLDER", str(tmp_path))
    text = protocol.read_text(encoding="utf-8")
    protocol.write_text(text.replace("0.25", "0.25\nvalidation_fraction = 0.2"), encoding="utf-8")
    data, out = make_folder(), tmp_path / "out"
    assert run(data, protocol, out, "--models", "mean_spies") == 0
    images = preprocess_dataset(load_folder(data), load_protocol(str(protocol)).preprocessing)
    split = RunFolder(out).split.sort_values("image").reset_index(drop=True)
    seen, asked = np.load(tmp_path / "fit.npz"), np.load(tmp_path / "predict.npz")
    train = split.index[split["part"] == "train"]
    np.testing.assert_array_equal(seen["X"], images[train])
    assert seen["y"].tolist() == split.loc[train, "label"].tolist()
    np.testing.assert_array_equal(asked["X"], images[split.index[split["part"] == "test"]])
    assert len(train) == 21


@pytest.mark.slow
def test_eight_classes_and_mixed_sizes_just_work(
    make_folder: MakeFolder, protocol: Path, tmp_path: Path
) -> None:
    classes = tuple(f"class {letter}" for letter in "abcdefgh")
    sizes, suffixes = ((30, 41), (64, 48), (200, 90)), (".png", ".jpg", ".bmp", ".tif")
    data = make_folder(classes=classes, images=8, sizes=sizes, suffixes=suffixes)
    out = tmp_path / "out"
    names = "naive_bayes,svm_rbf,modified_cnn,mobilenet_v2"
    assert run(data, protocol, out, "--models", names) in (0, 2), "an epoch or two may not suffice"
    folder = RunFolder(out)
    assert {record.model for record in folder.records if record.scored} == set(names.split(","))
    assert folder.classes == classes
