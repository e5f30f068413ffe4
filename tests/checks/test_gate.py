"""The gate: like with like, every fall named, nothing said of what stayed."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leukbench.checks.gate import Change, compare_with_baseline
from leukbench.checks.gate_report import as_markdown, describe, update_baseline, write_gate
from leukbench.cli.app import run_command_line
from leukbench.errors import DataError, UsageError
from leukbench.protocol import Protocol, Split
from leukbench.records import read_json
from leukbench.runfolder import RunFolder
from tests.fake_run import MODELS, FakeModel, make_run, write_trial_frame


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("gate") / "run", seeds=(0, 1)).path


@pytest.fixture
def baseline(made_once: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(shutil.copytree(made_once, tmp_path / "baseline"))


@pytest.fixture
def run(made_once: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(shutil.copytree(made_once, tmp_path / "run"))


def _again(
    tmp_path: Path, models: Sequence[FakeModel] = MODELS, seeds: Sequence[int] = (0, 1)
) -> Path:
    return make_run(tmp_path / "again", models, seeds=seeds).path


def _spoil(folder: RunFolder, model: str, wrong: int) -> None:
    """Make `wrong` right predictions of every trial of a model wrong ones."""
    for record in folder.records:
        if record.model != model:
            continue
        frame = folder.predictions(record)
        classes = list(folder.classes)
        right = np.flatnonzero(frame["y_pred"] == frame["y_true"])[:wrong]
        for row in right:
            truth = frame.loc[row, "y_true"]
            other = classes[(classes.index(truth) + 1) % len(classes)]
            columns = [f"p_{truth}", f"p_{other}"]
            frame.loc[row, "y_pred"] = other
            frame.loc[row, columns] = frame.loc[row, columns[::-1]].tolist()
        write_trial_frame(folder, record, frame)


def _of(changes: Sequence[Change], kind: str) -> list[Change]:
    return [change for change in changes if change.kind == kind]


def test_an_equal_run_passes_and_says_nothing(baseline: RunFolder, run: RunFolder) -> None:
    result = compare_with_baseline(run.path, baseline.path)
    assert result.passed
    assert result.changes == ()
    assert result.trials == 2 * len(MODELS)


def test_a_fall_beyond_the_tolerance_fails_and_names_the_model(
    baseline: RunFolder, run: RunFolder
) -> None:
    _spoil(run, "vgg16", wrong=2)
    result = compare_with_baseline(run.path, baseline.path, tolerance=0.01)
    assert not result.passed
    assert {change.model for change in result.changes} == {"vgg16"}
    accuracy = next(change for change in result.failures if change.metric == "accuracy")
    assert accuracy.difference == pytest.approx(-2 / 40)
    assert compare_with_baseline(run.path, baseline.path, tolerance=0.2).passed


def test_a_fall_of_exactly_the_tolerance_passes(baseline: RunFolder, run: RunFolder) -> None:
    _spoil(run, "vgg16", wrong=2)
    result = compare_with_baseline(run.path, baseline.path, tolerance=2 / 40, metrics=("accuracy",))
    assert result.passed
    assert [change.metric for change in result.changes] == ["accuracy"]


def test_a_significant_fall_fails_whatever_the_tolerance(
    baseline: RunFolder, run: RunFolder
) -> None:
    _spoil(run, "vgg16", wrong=12)
    result = compare_with_baseline(run.path, baseline.path, tolerance=1.0)
    (failure,) = result.failures
    assert (failure.model, failure.metric) == ("vgg16", "accuracy")
    # 12 lost, none won: two-sided exact p is 2 / 2**12; twice that over two seeds; Holm over four
    assert failure.p == pytest.approx(len(MODELS) * 2 * 2 / 2**12)


def test_different_seeds_of_an_unsteady_model_are_no_fall(tmp_path: Path) -> None:
    """Seeds that differ widely among themselves are paired each with itself."""
    steady = make_run(tmp_path / "baseline", seeds=(0, 1), images=1000)
    run = make_run(tmp_path / "run", seeds=(0, 1), images=1000)
    for folder, wrong in ((steady, 60), (run, 61)):
        for record in [r for r in folder.records if r.model == "vgg16" and r.seed == 1]:
            only = RunFolder(folder.path)
            only.__dict__["records"] = [record]
            _spoil(only, "vgg16", wrong=wrong)
    result = compare_with_baseline(run.path, steady.path)
    assert result.passed
    assert result.changes


def test_improvements_are_told_and_pass(tmp_path: Path) -> None:
    worse = make_run(tmp_path / "baseline")
    _spoil(worse, "svm_rbf", wrong=10)
    result = compare_with_baseline(_again(tmp_path, seeds=(0,)), worse.path)
    assert result.passed
    assert all(change.difference > 0 for change in result.changes if change.difference)
    assert {change.model for change in result.changes} == {"svm_rbf"}


def test_a_missing_model_is_a_regression(baseline: RunFolder, tmp_path: Path) -> None:
    result = compare_with_baseline(_again(tmp_path, MODELS[1:]), baseline.path)
    (failure,) = result.failures
    assert (failure.model, failure.kind) == ("modified_cnn", "missing")


@pytest.mark.parametrize("status", ["failed", "timeout", "out-of-memory", "degenerate"])
def test_a_model_that_newly_fails_is_a_regression(
    baseline: RunFolder, tmp_path: Path, status: str
) -> None:
    models = [replace(MODELS[0], status=status), *MODELS[1:]]
    result = compare_with_baseline(_again(tmp_path, models), baseline.path)
    kind = "degenerate" if status == "degenerate" else "failed"
    assert [change.model for change in _of(result.failures, kind)] == ["modified_cnn"]


def test_one_newly_failed_seed_is_a_regression(baseline: RunFolder, tmp_path: Path) -> None:
    models = [replace(MODELS[0], failed_seeds=(1,)), *MODELS[1:]]
    (failure,) = compare_with_baseline(_again(tmp_path, models), baseline.path).failures
    assert "1 of 2 trials failed" in failure.detail
    assert "seed 1" in failure.detail


def test_a_model_that_failed_before_may_fail_again(tmp_path: Path) -> None:
    models = [replace(MODELS[0], status="failed"), *MODELS[1:]]
    make_run(tmp_path / "baseline", models)
    assert compare_with_baseline(
        make_run(tmp_path / "run", models).path, tmp_path / "baseline"
    ).passed


def test_recovered_new_and_fewer_are_told_and_pass(tmp_path: Path) -> None:
    broken = [replace(MODELS[0], status="failed"), *MODELS[1:3]]
    make_run(tmp_path / "baseline", broken, seeds=(0, 1))
    result = compare_with_baseline(_again(tmp_path, MODELS, seeds=(0,)), tmp_path / "baseline")
    assert result.passed
    assert {(change.model, change.kind) for change in result.changes} == {
        ("modified_cnn", "recovered"),
        ("svm_rbf", "new"),
        ("vgg16", "fewer"),
        ("random_forest", "fewer"),
    }


def test_changes_are_sorted_by_size_within_their_kind(baseline: RunFolder, tmp_path: Path) -> None:
    run = RunFolder(_again(tmp_path, MODELS[1:]))
    _spoil(run, "vgg16", wrong=3)
    _spoil(run, "svm_rbf", wrong=9)
    changes = compare_with_baseline(run.path, baseline.path, metrics=("accuracy",)).changes
    assert [change.model for change in changes] == ["modified_cnn", "svm_rbf", "vgg16"]


def test_a_score_where_less_is_better_fails_when_it_rises(
    baseline: RunFolder, run: RunFolder
) -> None:
    _spoil(run, "vgg16", wrong=5)
    result = compare_with_baseline(run.path, baseline.path, metrics=("brier",))
    brier = next(change for change in result.failures if change.metric == "brier")
    assert brier.difference is not None
    assert brier.difference > 0


def test_images_tested_in_several_folds_count_once_a_test(tmp_path: Path) -> None:
    protocol = Protocol(
        name="twice", split=Split(policy="repeated-kfold", folds=2, repeats=2), seeds=(0,)
    )
    make_run(tmp_path / "baseline", MODELS[:1], folds=4, protocol=protocol, images=80)
    run = make_run(tmp_path / "run", MODELS[:1], folds=4, protocol=protocol, images=80)
    _spoil(run, "modified_cnn", wrong=2)
    result = compare_with_baseline(run.path, tmp_path / "baseline", tolerance=1.0)
    accuracy = next(change for change in result.changes if change.metric == "accuracy")
    # each repeat loses 4 images: twice 2 / 2**4, not the 2 / 2**8 of all eight in one test
    assert accuracy.p == pytest.approx(2 * 2 / 2**4)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"protocol": Protocol(name="paper", split=Split(policy="paper", seed=7))}, "split.seed"),
        ({"protocol": Protocol(name="paper", training={"epochs": 3})}, "training.epochs is 3"),
        ({"images": 240}, "images 240, was 200"),
    ],
)
def test_what_is_not_like_is_refused_naming_the_difference(
    tmp_path: Path, other: dict[str, object], named: str
) -> None:
    common = {"protocol": Protocol(name="paper", split=Split(policy="paper"))}
    make_run(tmp_path / "baseline", **common)
    make_run(tmp_path / "run", **{**common, **other})
    with pytest.raises(UsageError, match=named):
        compare_with_baseline(tmp_path / "run", tmp_path / "baseline")


def test_another_split_of_the_same_protocol_is_refused_naming_an_image(
    baseline: RunFolder, run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    split = pd.read_csv(run.path / "split.csv", keep_default_na=False)
    first = split.index[split["part"] == "train"][0]
    split.loc[first, "part"] = "test"
    split.to_csv(run.path / "split.csv", index=False)
    described = read_json(run.path / "run.json") | {"split_sha256": "0" * 64}
    (run.path / "run.json").write_text(json.dumps(described), encoding="utf-8")
    code = run_command_line(["gate", str(run.path), "--baseline", str(baseline.path)])
    assert code == 3
    said = capsys.readouterr().err
    assert "another split" in said
    assert split.loc[first, "image"] in said


def test_costs_are_compared_on_one_machine_and_fail_only_when_asked(
    baseline: RunFolder, tmp_path: Path
) -> None:
    slow = [replace(MODELS[0], facts={"fit_seconds": 400.0}), *MODELS[1:]]
    run = _again(tmp_path, slow)
    told = compare_with_baseline(run, baseline.path)
    assert told.passed
    assert [change.metric for change in _of(told.changes, "cost")] == ["fit_seconds"]
    assert not compare_with_baseline(run, baseline.path, max_slowdown=2.0).passed
    assert compare_with_baseline(run, baseline.path, max_slowdown=100.0).passed


def test_costs_of_another_machine_are_not_compared(baseline: RunFolder, tmp_path: Path) -> None:
    elsewhere = [
        replace(model, facts={"fit_seconds": 400.0, "machine": "another"}) for model in MODELS
    ]
    result = compare_with_baseline(_again(tmp_path, elsewhere), baseline.path, max_slowdown=1.5)
    assert result.passed
    assert not result.same_machine
    assert "another machine" in as_markdown(result)


def test_costs_of_another_device_are_not_compared(baseline: RunFolder, tmp_path: Path) -> None:
    gpu = replace(MODELS[1], facts={"fit_seconds": 400.0, "device": "Fake 4000"})
    models = [MODELS[0], gpu, *MODELS[2:]]
    result = compare_with_baseline(_again(tmp_path, models), baseline.path, max_slowdown=1.5)
    assert result.passed
    (change,) = result.changes
    assert (change.model, change.kind) == ("vgg16", "device")
    assert change.detail == "trained on the GPU Fake 4000, the baseline on the processor"
    slow = [MODELS[0], replace(gpu, facts={"fit_seconds": 400.0}), *MODELS[2:]]
    again = make_run(tmp_path / "slow", slow, seeds=(0, 1)).path
    assert not compare_with_baseline(again, baseline.path, max_slowdown=1.5).passed


def test_another_arithmetic_is_told(baseline: RunFolder, tmp_path: Path) -> None:
    models = [replace(MODELS[0], facts={"precision": "mixed_bfloat16"}), *MODELS[1:]]
    (change,) = compare_with_baseline(_again(tmp_path, models), baseline.path).changes
    assert change.kind == "precision"
    assert "mixed_bfloat16" in change.detail


@pytest.mark.parametrize(
    "options",
    [{"tolerance": -0.1}, {"tolerance": 1.5}, {"max_slowdown": 0.5}, {"metrics": ("acuracy",)}],
)
def test_options_that_do_not_fit_are_refused(
    baseline: RunFolder, options: dict[str, object]
) -> None:
    with pytest.raises(UsageError, match=r"`(tolerance|max_slowdown|metrics)="):
        compare_with_baseline(baseline.path, baseline.path, **options)  # type: ignore[arg-type]


def test_files_are_written_for_people_and_for_ci(
    baseline: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    run = RunFolder(_again(tmp_path, MODELS[:-1]))
    _spoil(run, "vgg16", wrong=4)
    result = compare_with_baseline(run.path, baseline.path)
    write_gate(result, tmp_path / "out")

    found = json.loads((tmp_path / "out" / "gate.json").read_text(encoding="utf-8"))
    assert found["passed"] is False
    assert {change["model"] for change in found["changes"]} == {"vgg16", "svm_rbf"}

    suites = ET.parse(tmp_path / "out" / "gate.junit.xml").getroot()
    failed = {
        (case.get("classname"), case.get("name"))
        for case in suites.iter("testcase")
        if case.find("failure") is not None
    }
    assert ("gate.vgg16", "accuracy") in failed
    assert ("gate.svm_rbf", "trials") in failed
    assert int(suites.get("failures", "")) == len(failed)
    assert int(suites.get("tests", "")) == len(list(suites.iter("testcase")))

    text = summary.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert "vgg16" in text
    assert "random" not in text


def test_a_hostile_reason_stays_text(tmp_path: Path) -> None:
    make_run(tmp_path / "baseline", MODELS[:1])
    nasty = replace(MODELS[0], status="failed", facts={"reason": "<b>a|b</b>\x1b[0m `x`"})
    result = compare_with_baseline(make_run(tmp_path / "run", [nasty]).path, tmp_path / "baseline")
    write_gate(result, tmp_path / "out")
    ET.parse(tmp_path / "out" / "gate.junit.xml")
    row = next(
        line for line in as_markdown(result).splitlines() if "modified" in line and "|" in line[:2]
    )
    assert "<b>" not in row
    assert "a\\|b" in row


def test_synthetic_runs_say_so(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", synthetic=True)
    assert "SYNTHETIC" in as_markdown(compare_with_baseline(run.path, run.path))


def test_update_makes_a_baseline_that_the_run_equals(run: RunFolder, tmp_path: Path) -> None:
    (run.path / "report.html").write_text("large", encoding="utf-8")
    target = tmp_path / "kept" / "baseline"
    update_baseline(run.path, target)
    result = compare_with_baseline(run.path, target)
    assert result.passed
    assert result.changes == ()
    assert not (target / "report.html").exists()
    assert sorted(path.name for path in target.parent.iterdir()) == ["baseline"]


def test_update_replaces_an_older_baseline_and_leaves_saved_models(
    baseline: RunFolder, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", MODELS[:2])
    record = run.records[0]
    place = run.trial_path(record)
    (place / "model").mkdir()
    (place / "model" / "model.keras").write_bytes(b"weights")
    described = read_json(place / "record.json")
    described["files"]["model/model.keras"] = "0" * 64
    (place / "record.json").write_text(json.dumps(described), encoding="utf-8")
    kept = update_baseline(run.path, baseline.path)
    assert {one.model for one in kept.records} == {"modified_cnn", "vgg16"}
    copied = next(one for one in kept.records if one.key == record.key)
    assert set(copied.files) == {"predictions.parquet", "history.csv"}
    assert not (kept.trial_path(copied) / "model").exists()


def test_update_never_overwrites_what_is_no_run(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(UsageError, match="something else"):
        update_baseline(run.path, tmp_path / "thesis")
    for near in (run.path, run.path / "trials", tmp_path):
        with pytest.raises(UsageError):
            update_baseline(run.path, near)
    assert (tmp_path / "thesis" / "chapter.txt").read_text(encoding="utf-8") == "dear"
    assert RunFolder(run.path).records


def test_a_failed_update_leaves_the_old_baseline(
    baseline: RunFolder, run: RunFolder, tmp_path: Path
) -> None:
    (run.trial_path(run.records[0]) / "predictions.parquet").unlink()
    before = sorted(path.name for path in baseline.path.rglob("*"))
    with pytest.raises(DataError):
        update_baseline(run.path, baseline.path)
    assert sorted(path.name for path in baseline.path.rglob("*")) == before
    assert not list(tmp_path.glob(".*"))


def test_command_line(
    baseline: RunFolder, run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["gate", str(run.path), "--baseline", str(baseline.path)]
    assert run_command_line(command) == 0
    assert "no change" in capsys.readouterr().out
    _spoil(run, "vgg16", wrong=4)
    assert run_command_line(command) == 1
    said = capsys.readouterr().out
    assert "vgg16" in said
    assert "modified_cnn" not in said
    assert run_command_line([*command, "--update"]) == 0
    assert run_command_line(command) == 0
    assert run_command_line(["gate", str(run.path), "--baseline", str(tmp_path / "none")]) == 3
    assert "--update" in capsys.readouterr().err


def test_a_line_tells_before_after_and_difference() -> None:
    line = describe(Change("vgg16", "score", "accuracy", 0.9, 0.85, 0.01, True, "more"))
    assert line == "FAIL  vgg16  accuracy  90.00 % -> 85.00 % (-5.00 points)  p = 0.01  more"
