"""Verification: a run that was not touched passes; whatever is touched is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from leukbench.audit.audit import with_split
from leukbench.audit.findings import KINDS, AuditReport, Finding, NullDistribution
from leukbench.checks.verify import verify_run
from leukbench.cli.app import run_command_line
from leukbench.records import TrialRecord, read_json
from leukbench.report.hardest import hardest_csv
from leukbench.report.results import Results
from leukbench.report.tables import write_tables
from leukbench.runfolder import RunFolder
from tests.fake_run import CONTROL, MODELS, PROBE, make_run, write_trial_frame


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_run(
        tmp_path_factory.mktemp("verify") / "run", [*MODELS[:2], CONTROL, PROBE], seeds=(0, 1)
    )
    write_tables(folder)
    return folder.path


@pytest.fixture
def run(made_once: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(shutil.copytree(made_once, tmp_path / "run"))


def _record(run: RunFolder, model: str = "vgg16", seed: int = 1) -> TrialRecord:
    return next(r for r in run.records if (r.model, r.seed) == (model, seed))


def _change_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    value = read_json(path)
    change(value)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _named(run: RunFolder) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in verify_run(run.path):
        found[one.file] = f"{found.get(one.file, '')} {one.what}".strip()
    return found


def _predictions(record: TrialRecord) -> str:
    return f"trials/{record.key}/predictions.parquet"


def test_an_untouched_run_has_no_difference(run: RunFolder) -> None:
    assert verify_run(run.path) == []


@pytest.mark.parametrize(
    "options",
    [
        {"folds": 3, "seeds": (0, 1)},
        {"groups": True},
        {"synthetic": True},
        {"classes": ("a", "<b>")},
    ],
    ids=str,
)
def test_any_untouched_run_has_no_difference(tmp_path: Path, options: dict[str, Any]) -> None:
    folder = make_run(tmp_path / "run", MODELS[:2], images=120, **options)
    write_tables(folder)
    assert verify_run(folder.path) == []


def test_a_failed_and_a_degenerate_model_are_no_difference(tmp_path: Path) -> None:
    models = [
        MODELS[0], replace(MODELS[1], failed_seeds=(1,)), replace(MODELS[2], status="degenerate"),
    ]  # fmt: skip
    folder = make_run(tmp_path / "run", models, seeds=(0, 1))
    write_tables(folder)
    assert verify_run(folder.path) == []


def test_one_edited_probability_is_found_and_the_file_named(run: RunFolder) -> None:
    record = _record(run)
    frame = run.predictions(record)
    frame.loc[3, "p_Pre"] += 1e-3
    frame.to_parquet(run.trial_path(record) / "predictions.parquet", index=False)
    assert _predictions(record) in _named(run)
    assert run_command_line(["verify", str(run.path)]) == 1


def test_an_edited_probability_is_found_even_with_its_hash_made_to_fit(run: RunFolder) -> None:
    record = _record(run)
    frame = run.predictions(record)
    frame.loc[3, "p_Pre"] += 1e-3
    write_trial_frame(run, record, frame)
    found = _named(run)
    assert "sum to 1" in found[_predictions(record)]
    assert frame["image"].iloc[3] in found[_predictions(record)]


def test_probabilities_edited_to_sum_to_one_no_longer_give_the_tables(run: RunFolder) -> None:
    record = _record(run)
    frame = run.predictions(record)
    columns = [f"p_{name}" for name in run.classes]
    row = frame[columns].iloc[3].to_numpy(dtype=float)
    moved = row * 0.9 + 0.1 * (row == row.max())
    frame.loc[3, columns] = moved.tolist()
    write_trial_frame(run, record, frame)
    found = _named(run)
    assert _predictions(record) not in found
    assert "vgg16" in found["comparison.csv"]


def test_a_swapped_label_is_found(run: RunFolder) -> None:
    record = _record(run)
    frame = run.predictions(record)
    frame.loc[0, "y_true"] = next(name for name in run.classes if name != frame.loc[0, "y_true"])
    write_trial_frame(run, record, frame)
    assert "y_true" in _named(run)[_predictions(record)]


def test_a_changed_prediction_is_found(run: RunFolder) -> None:
    record = _record(run)
    frame = run.predictions(record)
    frame.loc[0, "y_pred"] = next(name for name in run.classes if name != frame.loc[0, "y_pred"])
    write_trial_frame(run, record, frame)
    assert "most probable" in _named(run)[_predictions(record)]


def test_a_dropped_image_is_found(run: RunFolder) -> None:
    record = _record(run)
    write_trial_frame(run, record, run.predictions(record).iloc[1:])
    assert "test part of fold 0" in _named(run)[_predictions(record)]


def test_a_probability_that_is_no_number_is_found(run: RunFolder) -> None:
    record = _record(run)
    frame = run.predictions(record)
    frame.loc[0, "p_Pre"] = np.nan
    write_trial_frame(run, record, frame)
    assert "no number" in _named(run)[_predictions(record)]


@pytest.mark.parametrize("table", ["comparison.csv", "classification_report.csv"])
def test_every_edited_cell_is_named(run: RunFolder, table: str) -> None:
    path = run.path / table
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.loc[1, "precision"] = "0.5"
    frame.to_csv(path, index=False, lineterminator="\n")
    what = _named(run)[table]
    assert "precision" in what
    assert frame.loc[1, "model"] in what


@pytest.mark.parametrize("table", ["comparison.md", "comparison.tex", "classification_report.md"])
def test_an_edited_line_is_named(run: RunFolder, table: str) -> None:
    path = run.path / table
    text = path.read_text(encoding="utf-8")
    place = text.index("VGG16")
    path.write_text(text[:place] + "VGG61" + text[place + 5 :], encoding="utf-8")
    assert "line " in _named(run)[table]


def test_an_accuracy_that_is_no_count_is_found_by_counting(run: RunFolder) -> None:
    path = run.path / "comparison.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.loc[frame["model"] == "vgg16", "accuracy"] = "0.9123"
    frame.to_csv(path, index=False, lineterminator="\n")
    found = [str(one) for one in verify_run(run.path)]
    assert any("counted" in line and "vgg16" in line for line in found)


def test_a_support_that_does_not_add_up_is_found(run: RunFolder) -> None:
    path = run.path / "classification_report.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.loc[0, "support"] = "99"
    frame.to_csv(path, index=False, lineterminator="\n")
    found = [str(one) for one in verify_run(run.path)]
    assert any("supports add up to" in line for line in found)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda value: value["identity"].update(seed=9), "sha256 of its identity"),
        (lambda value: value.update(n_train=1), "n_train is 1"),
        (lambda value: value.update(status="splendid"), "splendid"),
        (lambda value: value["files"].update({"history.csv": "0" * 64}), ""),
    ],
)
def test_an_edited_record_is_found(
    run: RunFolder, change: Callable[[dict[str, Any]], object], what: str
) -> None:
    record = _record(run)
    _change_json(run.trial_path(record) / "record.json", change)
    found = {file: text for file, text in _named(run).items() if record.key in file}
    assert found
    assert any(what in text for text in found.values())


def test_a_missing_an_extra_and_a_renamed_file_are_found(run: RunFolder) -> None:
    record, other = _record(run), _record(run, "modified_cnn")
    (run.trial_path(record) / "history.csv").unlink()
    (run.trial_path(record) / "notes.txt").write_text("?", encoding="utf-8")
    run.trial_path(other).rename(run.path / "trials" / ("f" * 64))
    found = _named(run)
    assert found[f"trials/{record.key}/history.csv"] == "is missing"
    assert "not named" in found[f"trials/{record.key}/notes.txt"]
    assert "name of its folder" in found[f"trials/{'f' * 64}/record.json"]


def test_a_missing_table_is_found(run: RunFolder) -> None:
    (run.path / "comparison.tex").unlink()
    assert "missing" in _named(run)["comparison.tex"]


def test_a_damaged_record_does_not_hide_the_rest(run: RunFolder) -> None:
    record, other = _record(run), _record(run, "modified_cnn")
    (run.trial_path(record) / "record.json").write_text("{", encoding="utf-8")
    (run.trial_path(other) / "history.csv").write_text("epoch\n1\n", encoding="utf-8")
    found = _named(run)
    assert f"trials/{record.key}/record.json" in found
    assert f"trials/{other.key}/history.csv" in found


def test_an_edited_split_is_found(run: RunFolder) -> None:
    path = run.path / "split.csv"
    split = pd.read_csv(path, keep_default_na=False)
    place = split.index[split["part"] == "train"][0]
    split.loc[place, "part"] = "test"
    split.to_csv(path, index=False, lineterminator="\n")
    assert "sha256" in _named(run)["split.csv"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda run: run["protocol"]["training"].update(epochs=99), "protocol_fingerprint"),
        (lambda run: run["dataset"].update(fingerprint="0"), "two fingerprints"),
        (lambda run: run["dataset"]["counts"].update(Benign=1), "counts"),
        (lambda run: run.pop("split_sha256"), "does not fit"),
    ],
)
def test_an_edited_description_is_found(
    run: RunFolder, change: Callable[[dict[str, Any]], object], what: str
) -> None:
    _change_json(run.path / "run.json", change)
    assert any(what in str(one) for one in verify_run(run.path))


def _audit(run: RunFolder) -> dict[str, Any]:
    """An audit with one pair of identical files, one on each side of the split."""
    split = run.split
    train, test = (split.loc[split["part"] == part].iloc[0] for part in ("train", "test"))
    report = AuditReport(
        dataset="fake",
        fingerprint=run.run.dataset_fingerprint,
        images=len(split),
        counts={kind: int(kind == "identical-bytes") for kind in KINDS},
        across_classes=dict.fromkeys(KINDS, 0),
        findings=(
            Finding(
                kind="identical-bytes",
                files=(train["image"], test["image"]),
                labels=(train["label"], test["label"]),
            ),
        ),
        clusters=((train["image"], test["image"]),),
        null=NullDistribution(
            pairs=0, quantiles={}, correlation_quantiles={}, threshold=0.5, rule="none"
        ),
    )
    return with_split(report, split).model_dump(mode="json")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda audit: None, ""),
        (lambda audit: audit["split"][0].update(identical=0), "overlap of the parts"),
        (lambda audit: audit["counts"].update({"near-duplicate": 5}), "counts"),
        (lambda audit: audit.update(fingerprint="0"), "another dataset"),
        (lambda audit: audit["findings"][0].update(files=["no.png", "none.png"]), "no.png"),
        (lambda audit: audit.pop("null"), "does not fit"),
    ],
)
def test_the_audit_follows_from_its_findings_and_the_split(
    run: RunFolder, change: Callable[[dict[str, Any]], object], what: str
) -> None:
    audit = _audit(run)
    change(audit)
    (run.path / "audit.json").write_text(json.dumps(audit), encoding="utf-8")
    found = _named(run)
    assert what in found.get("audit.json", "")
    assert bool(what) == ("audit.json" in found)


def test_the_input_of_a_figure_is_recomputed(run: RunFolder) -> None:
    place = run.path / "figures"
    place.mkdir()
    (place / "hardest.csv").write_text(hardest_csv(Results(run)), encoding="utf-8")
    assert _named(run) == {}
    frame = pd.read_csv(place / "hardest.csv")
    frame.loc[0, "wrong"] = 0.123
    frame.to_csv(place / "hardest.csv", index=False, lineterminator="\n")
    what = _named(run)["figures/hardest.csv"]
    assert "wrong is 0.123" in what
    assert frame.loc[0, "image"] in what


def test_command_line_takes_a_folder_of_runs(
    run: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["verify", str(run.path)]) == 0
    assert "no difference" in capsys.readouterr().out
    second = Path(shutil.copytree(run.path, run.path.parent / "second"))
    (second / "comparison.md").write_text("edited\n", encoding="utf-8")
    assert run_command_line(["verify", str(run.path.parent)]) == 1
    said = capsys.readouterr().out
    assert "second/comparison.md" in said
    assert f"{run.path}: no differences" in said
    assert run_command_line(["verify", str(run.path / "trials")]) == 3


def test_an_audit_that_is_no_json_is_one_difference_of_its_file(run: RunFolder) -> None:
    (run.path / "audit.json").write_text("{", encoding="utf-8")
    assert "cannot be read" in _named(run).get("audit.json", "")
