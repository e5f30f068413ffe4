"""`compare RUN OTHER --leakage`: what leakage adds, and when it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from leukbench.__main__ import run_command_line
from leukbench.protocol import Protocol, override
from leukbench.report.between_splits import BetweenSplits, compare_splits
from leukbench.runfolder import RunFolder
from tests.docs.pages import DOCS, ROOT
from tests.fake_run import FakeModel, make_run

MODELS = (
    FakeModel("svm_rbf", "SVM (RBF)", "classical", 0.9),
    FakeModel("control_majority", "Majority class", "control", 0.3),
)
LEAKY = Protocol(name="leaky", split={"policy": "stratified", "folds": 5})  # type: ignore[arg-type]
HONEST = override(LEAKY, name="honest", split__policy="paper", split__folds=4)


def audited(path: Path, protocol: Protocol, partnered: float, **more: object) -> Path:
    """A run of this protocol; this share of each test part has a partner."""
    folder = make_run(path, MODELS, protocol=protocol, **more)  # type: ignore[arg-type]
    folds = []
    for fold, rows in folder.split.query("part == 'test'").groupby("fold"):
        images = rows["image"].tolist()
        leaked = round(partnered * len(images))
        folds.append(
            {"fold": fold, "test": len(images), "identical": leaked, "near": 0, "overlapping": 0,
             "leaked": leaked, "clean": images[leaked:]}
        )  # fmt: skip
    audit = {
        "dataset": "fake", "fingerprint": "0" * 64, "images": 200, "counts": {},
        "across_classes": {}, "findings": [], "clusters": [], "split": folds,
        "null": {"pairs": 1, "quantiles": {}, "correlation_quantiles": {}, "threshold": 0.5,
                 "rule": "made up"},
    }  # fmt: skip
    (path / "audit.json").write_text(json.dumps(audit), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    root = tmp_path_factory.mktemp("splits")
    leaky = audited(root / "leaky", LEAKY, 0.5)
    return str(leaky), str(audited(root / "honest", HONEST, 0.0, noise=1))


def test_it_prints_what_leakage_adds_part_by_part(
    runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["compare", *runs, "--leakage"]) == 0
    printed = capsys.readouterr().out
    assert f"accuracy in {runs[0]} less that in {runs[1]}" in printed
    assert "Images with a partner in training in the first run alone" in printed
    assert "These are verdicts on the trained models" in printed
    assert run_command_line(["compare", *runs, "--leakage", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["leakage_between_splits"]
    assert {(row["part"], row["model"]) for row in rows} == {
        (part, model.name) for part in ("all", "leaked", "clean") for model in MODELS
    }
    assert [row["images"] for row in rows if row["part"] == "all"] == [200, 200]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"training__epochs": 5}, "differ in their protocol beside the split"),
        ({}, "name the run on the leakier split first"),
    ],
)
def test_runs_that_are_not_alike_or_in_the_wrong_order_are_refused(
    runs: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, int],
    says: str,
) -> None:
    other = audited(tmp_path / "other", override(LEAKY, **change), 0.0)
    assert run_command_line(["compare", str(other), runs[0], "--leakage"]) == 3
    assert says in capsys.readouterr().err


def test_a_second_run_and_an_audit_are_needed(
    runs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["compare", runs[0], "--leakage"]) == 3
    assert "--leakage needs a second run" in capsys.readouterr().err
    make_run(tmp_path / "bare", MODELS, protocol=HONEST)
    assert run_command_line(["compare", runs[0], str(tmp_path / "bare"), "--leakage"]) == 3
    assert "holds no audit of its split" in capsys.readouterr().err


def test_notes_say_what_is_not_leakage() -> None:
    table = pd.DataFrame(
        {
            "part": ["leaked", "clean", "leaked"],
            "model": ["svm_rbf", "svm_rbf", "control_majority"],
            "p_holm": [0.001, 0.01, 0.02],
            "trained": False,
        }
    )
    notes = [*BetweenSplits(table, (2000.0, 1000.0), 0.05).notes()]
    assert len(notes) == 3
    assert "trained on 2000 images, the second on 1000" in notes[0]
    assert "(svm_rbf)" in notes[1]
    assert notes[2].startswith("control_majority, which no partner can help")
    assert not [*BetweenSplits(table.assign(p_holm=1.0), (1000.0, 980.0), 0.05).notes()]


def test_the_page_says_what_the_committed_runs_show() -> None:
    text = " ".join((DOCS / "explanation" / "validity.md").read_text(encoding="utf-8").split())
    random, grouped, blocks = (
        RunFolder(ROOT / "results" / f"all-pbs-reference{end}")
        for end in ("", "-grouped", "-blocks")
    )
    beside_groups = compare_splits(random, grouped, 0.05).table
    assert not (beside_groups["p_holm"] < 0.05).any()
    assert f"its {beside_groups['images'].iloc[0]} common images could prove" in text
    table = compare_splits(random, blocks, 0.05).table
    lost = table[table["part"] == "all"].set_index("model")["difference"]
    corners, background, colour = (
        f"{100 * lost[f'probe_{name}']:.0f}" for name in ("corners", "background", "colour")
    )
    said = f"lose {corners} points, the background {background}, the mean colour {colour},"
    assert said in text
