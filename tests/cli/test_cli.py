"""The command line: every verb answers, every fault is one sentence with its exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from leukbench.cli.app import run_command_line
from tests.fake_run import FakeModel, make_run

MakeFolder = Callable[..., Path]

THREE = (
    FakeModel("modified_cnn", "Modified CNN", "deep", 0.9),
    FakeModel("svm_rbf", "SVM (RBF)", "classical", 0.8),
    FakeModel("naive_bayes", "Naive Bayes", "classical", 0.5),
)
VERBS = (
    "run-all", "list", "data", "audit", "split", "report", "compare", "gate", "verify",
    "check-table", "check-model", "predict", "doctor", "replay",
    "slices", "ablate", "labels", "checklist", "status",
)  # fmt: skip


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f" {verb} " in printed for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line([verb, "--help"]) == 0
    assert "Usage" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run-al"], "Did you mean"),
        (["run-all", "--sede", "1"], "--seeds"),
        (["run-all", "--models", "modifed_cnn"], "did you mean modified_cnn"),
        (["run-all", "--models", ","], "--models is empty"),
        (["run-all", "--seeds", "one"], "--seeds 'one' does not fit"),
        (["run-all", "--timeout", "soon"], "--timeout 'soon' does not fit"),
        (["run-all", "--memory", "0g"], "--memory '0g' does not fit"),
        (["run-all", "--epochs", "0"], "--epochs '0' does not fit"),
        (["run-all", "--precision", "float8"], "training.precision"),
        (["run-all", "--protocol", "honst"], "did you mean honest"),
        (["run-all", "--data", "no/such/folder"], "--data no/such/folder does not exist"),
        (["data", "info", "no/such/folder"], "does not exist"),
        (["data", "fetch", "all-pbz"], "did you mean all-pbs"),
        (["report", "no/such/run"], "no run folder"),
        (["compare", "no/such/run"], "no run folder"),
        (["check-table", "no-such.csv"], "no-such.csv"),
        (["check-model", "vgg61"], "did you mean"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_3(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(arguments) == 3
    printed = capsys.readouterr().err.strip()
    assert message in printed
    assert len(printed.splitlines()) == 1
    assert "Traceback" not in printed


def test_probes_are_listed_and_are_trained_only_where_the_protocol_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command_line(["list", "models"]) == 0
    assert "probe_colour" in capsys.readouterr().out
    assert run_command_line(["run-all", "--models", "svm_rbf,probe_colour"]) == 3
    assert "--models probe_colour is a shortcut probe" in capsys.readouterr().err


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["--debug", "report", "no/such/run"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_data_info_counts_and_recognises(
    make_folder: MakeFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_folder(sizes=((30, 40), (20, 20)))
    assert run_command_line(["data", "info", str(root), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["classes"] == {"Benign": 12, "Early": 12, "Pro": 12}
    assert facts["sizes"] == {"40x30": 18, "20x20": 18}
    assert facts["recognised"] == "no known dataset"
    assert len(facts["fingerprint"]) == 64


def test_synthesized_smears_are_known_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "drawn"
    command = ["data", "synthesize", str(root), "--images", "4", "--patients", "2", "--size", "64"]
    assert run_command_line(command) == 0
    assert "SYNTHETIC" in capsys.readouterr().out
    assert run_command_line(["data", "info", str(root)]) == 0
    printed = capsys.readouterr().out
    assert "SYNTHETIC" in printed
    assert "groups           8" in printed


def test_split_writes_the_table(make_folder: MakeFolder, tmp_path: Path) -> None:
    file = tmp_path / "split.csv"
    assert run_command_line(["split", str(make_folder()), "--out", str(file)]) == 0
    table = pd.read_csv(file)
    assert list(table.columns) == ["fold", "part", "image", "sha256", "label", "group"]
    assert table["part"].value_counts().to_dict() == {"train": 28, "test": 8}


def test_leakage_is_refused_with_exit_code_4_unless_the_protocol_allows_it(
    make_folder: MakeFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_folder(images=10)
    for file in sorted((root / "Pro").iterdir()):
        (root / "Pro" / f"copy of {file.name}").write_bytes(file.read_bytes())
    text = (
        'name = "strict"\nmodels = ["naive_bayes"]\n[preprocessing]\nsize = 32\n'
        '[split]\npolicy = "stratified"\ntest_fraction = 0.3\n[audit]\nprobes = false\n'
        "allow_duplicates_across_split = {}\n"
    )
    for allowed, code in (("false", 4), ("true", 0)):
        protocol = tmp_path / f"{allowed}.toml"
        protocol.write_text(text.format(allowed), encoding="utf-8")
        out = tmp_path / f"out-{allowed}"
        command = ["run-all", "--data", str(root), "--protocol", str(protocol), "--out", str(out)]
        assert run_command_line(command) == code
        printed = capsys.readouterr().err
        if code == 4:
            assert "Pro/" in printed.splitlines()[-1]
            assert not out.exists(), "nothing is trained and nothing is written"
        else:
            head = (out / "comparison.md").read_text(encoding="utf-8")
            assert "duplicate" in head or "identical" in head


def test_compare_shows_groups_pairs_and_the_benign_view(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    make_run(run, models=THREE)
    assert run_command_line(["compare", str(run), "--missed", "10"]) == 0
    printed = capsys.readouterr().out
    assert "Groups of equals" in printed
    assert "cost 10 for a missed case" in printed
    assert run_command_line(["compare", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["pairs"]) == 3
    assert {row["model"] for row in found["groups"]} == {"modified_cnn", "svm_rbf", "naive_bayes"}
    assert {row["model"] for row in found["benign_malignant"]} >= {"svm_rbf"}


def test_runs_of_different_protocols_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    make_run(one, models=THREE)
    make_run(two, models=THREE)
    facts = json.loads((two / "run.json").read_text(encoding="utf-8"))
    facts["protocol_fingerprint"] = "0" * 64
    (two / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    assert run_command_line(["compare", str(one), str(two)]) == 3
    assert "different protocols" in capsys.readouterr().err
