"""Multiverses of a known truth: what is trained, what the tables say, interruption, reuse, verify."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import leukbench
from leukbench.cli.app import run_command_line
from leukbench.errors import LeukbenchError
from leukbench.multiverse.folder import MultiverseFolder
from leukbench.score.intervals import wilson
from tests.multiverse.made import TESTED, FakeTrials, arguments

Faked = Callable[[FakeTrials], FakeTrials]


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> Faked:
    def put(fake: FakeTrials) -> FakeTrials:
        monkeypatch.setattr("leukbench.trials.execute.run_trials", fake)
        return fake

    return put


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file but those below ``universes``; the time of the beginning taken out."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    created = MultiverseFolder(folder).record.created.encode()
    found["multiverse.json"] = found["multiverse.json"].replace(created, b"")
    return found


def test_every_universe_is_scored_and_untouched_models_are_trained_once(whole: Path) -> None:
    table = pd.read_csv(whole / "universes.csv", keep_default_na=False, dtype={"seed": str})
    assert len(table) == 16 * 2 * 3
    for row in table.to_dict("records"):
        colour = 2 * (row["preprocessing.colour"] == "rgb")
        dropout = 3 * (row["options.modified_cnn.dropout"] == 0.25)
        if row["model"] == "random_forest":
            right = 9 if colour else 5
            assert bool(row["same_as"]) == bool(dropout), "dropout does not touch the forest"
        else:
            seed = {"0": 0, "1": 1, "mean": 0.5}[row["seed"]]
            right = 6 + colour + dropout - seed
            assert row["same_as"] == ""
        assert row["accuracy"] == pytest.approx(right / TESTED)
        assert (row["status"], row["images"]) == ("ok", TESTED)
        if row["seed"] != "mean":
            assert row["accuracy_low"] <= wilson(right, TESTED)[0] + 1e-9
            assert row["accuracy_high"] >= wilson(right, TESTED)[1] - 1e-9


def test_each_universe_is_an_ordinary_run_folder(whole: Path) -> None:
    run = leukbench.Run.load(whole / "universes" / "first_rgb_0.25_paper")
    assert run.protocol.options == {"modified_cnn": {"dropout": 0.25}}
    assert run.protocol.preprocessing.colour == "rgb"
    assert set(run.models) == {"modified_cnn", "random_forest"}
    assert leukbench.Run.load(whole / "universes" / "first_rgb_0.0_paper").protocol.options == {}


def test_what_is_written_and_how_many_reach_the_published_value(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} >= {
        "multiverse.toml", "multiverse.json", "predictions.npz", "universes.csv", "multiverse.md",
        "specification_curve.png", "specification_curve.svg", "universes", "multiverse.html",
        "spread.csv", "variance.csv", "pairs.csv", "recall.csv",
    }  # fmt: skip
    text = (whole / "multiverse.md").read_text(encoding="utf-8")
    # 99 of 100 has the lower bound 94.6 %: 11 of 12 does not reach it
    assert "94.6–99.8" in text and "in 0 of 16 universes" in text and "in 0 of 32 single" in text
    assert "its highest single training 91.67 %" in text


def test_a_third_of_the_trials_then_an_interrupt_then_the_rest_gives_the_same_bytes(
    work: Path, whole: Path, faked: Faked
) -> None:
    """The second go trains what the first did not, and nothing else."""
    first = faked(FakeTrials(interrupt_after=16))
    assert run_command_line(arguments(work, "broken")) == 130
    assert not (work / "broken" / "universes.csv").exists()
    second = faked(FakeTrials())
    assert run_command_line(arguments(work, "broken")) == 0
    assert len(first.trained) == 16 and not set(first.trained) & set(second.trained)
    assert len(first.trained) + len(second.trained) == 48
    ours, theirs = bytes_of(work / "broken"), bytes_of(whole)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_finished_trials_are_taken_from_other_run_folders(
    work: Path, whole: Path, faked: Faked
) -> None:
    fake = faked(FakeTrials())
    line = arguments(work, "reused", "--reuse", str(whole.parent / "whole"))
    assert run_command_line(line) == 0
    assert fake.trained == []
    ours, theirs = bytes_of(work / "reused"), bytes_of(whole)
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_a_damaged_trial_is_not_reused(work: Path, whole: Path, faked: Faked) -> None:
    copy = work / "damaged-source"
    shutil.copytree(whole / "universes", copy)
    damaged = sorted(copy.rglob("predictions.parquet"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    key = damaged.parent.name
    for twin in whole.rglob(f"trials/{key}"):
        if (copy / twin.relative_to(whole / "universes")) != damaged.parent:
            shutil.rmtree(copy / twin.relative_to(whole / "universes"))
    fake = faked(FakeTrials())
    assert run_command_line(arguments(work, "mended", "--reuse", str(copy))) == 0
    assert fake.trained == [key]


def test_a_dry_run_counts_and_trains_nothing(
    work: Path, faked: Faked, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = faked(FakeTrials())
    assert run_command_line(arguments(work, "planned", "--dry-run")) == 0
    said = capsys.readouterr().err
    assert "16 universes of 16: 48 different trials, 48 to train" in said
    assert "first_grey_0.25_paper: 4 trials, 0 finished, 2 shared" in said
    assert fake.trained == [] and not (work / "planned").exists()


def test_what_fails_leaves_the_others_standing_and_is_said(
    work: Path, faked: Faked, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (work / "tiny.toml").read_text(encoding="utf-8").replace('"B"', '"nowhere"')
    (work / "failing.toml").write_text(text.replace('"tiny"', '"failing"'), encoding="utf-8")
    faked(FakeTrials(fails=lambda plan: plan.model == "modified_cnn" and plan.seed == 1))
    assert run_command_line(arguments(work, "failing", definition="failing.toml")) == 2
    said = capsys.readouterr()
    assert "The universe second_grey_0.0_paper could not be run" in said.err
    table = pd.read_csv(work / "failing" / "universes.csv")
    means = table[table["seed"] == "mean"]
    assert (means.loc[means["copies"] == "second", "status"] == "failed").all()
    ours = means[means["copies"] == "first"].groupby("model")["status"].agg(set)
    assert ours.to_dict() == {"modified_cnn": {"failed"}, "random_forest": {"ok"}}
    assert table.loc[table["status"] == "failed", "accuracy"].isna().all()
    page = (work / "failing" / "multiverse.md").read_text(encoding="utf-8")
    assert "could not be run" in page and "it was to fail" in page and str(work) not in page
    assert run_command_line(["verify", str(work / "failing")]) == 0


def test_verify_recomputes_without_the_run_folders(whole: Path, tmp_path: Path) -> None:
    copy = tmp_path / "results" / "copy"
    shutil.copytree(whole, copy, ignore=shutil.ignore_patterns("universes"))
    assert run_command_line(["verify", str(copy.parent)]) == 0
    for name in ("universes.csv", "variance.csv", "multiverse.md"):
        before = (copy / name).read_text(encoding="utf-8")
        changed = before.replace("0.", "0.1", 1) if name.endswith("csv") else before + "more\n"
        assert changed != before
        (copy / name).write_text(changed, encoding="utf-8")
        assert run_command_line(["verify", str(copy)]) == 1
        assert run_command_line(["report", str(copy)]) == 0
        assert run_command_line(["verify", str(copy)]) == 0
        assert (copy / name).read_text(encoding="utf-8") == before


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("multiverse.toml", lambda text: text.replace('["grey", "rgb"]', '["grey"]')),
        ("multiverse.toml", lambda text: text.replace("0.25]", "0.5]")),
        ("multiverse.json", lambda text: text.replace('"dropout": 0.25', '"dropout": 0.5', 1)),
        ("multiverse.json", lambda text: text.replace('"colour": "rgb"', '"colour": "grey"', 1)),
        ("multiverse.json", lambda text: text.replace('"status": "ok"', '"status": "failed"', 1)),
    ],
)
def test_verify_finds_what_was_changed(
    whole: Path, tmp_path: Path, file: str, change: Callable[[str], str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy, ignore=shutil.ignore_patterns("universes"))
    text = (copy / file).read_text(encoding="utf-8")
    assert change(text) != text
    (copy / file).write_text(change(text), encoding="utf-8")
    assert run_command_line(["verify", str(copy)]) == 1


def test_one_changed_prediction_is_found(whole: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy, ignore=shutil.ignore_patterns("universes"))
    with np.load(copy / "predictions.npz") as stored:
        arrays = dict(stored)
    name = next(one for one in arrays if one.endswith("/predicted"))
    arrays[name][0, 0] = (arrays[name][0, 0] + 1) % 3
    np.savez_compressed(copy / "predictions.npz", **arrays)
    assert run_command_line(["verify", str(copy)]) == 1


def test_another_multiverse_is_not_overwritten(work: Path, whole: Path) -> None:
    text = (work / "tiny.toml").read_text(encoding="utf-8").replace('"tiny"', '"other"')
    (work / "other.toml").write_text(text, encoding="utf-8")
    with pytest.raises(LeukbenchError, match="holds the multiverse tiny"):
        leukbench.run_multiverse(work / "other.toml", work / "data", out=whole)


def test_copies_need_their_folder(work: Path) -> None:
    with pytest.raises(LeukbenchError, match="`data` is not given"):
        leukbench.run_multiverse(work / "tiny.toml")


def test_folds_and_trained_models(work: Path) -> None:
    """Two universes of three folds, trained in children: the function, and real predictions."""
    (work / "real.toml").write_text(
        'name = "real"\nprotocol = "base.toml"\nmodels = ["control_two_numbers"]\n[vary]\n'
        '"split.policy" = ["stratified"]\n"split.folds" = [3]\n'
        '"preprocessing.colour" = ["grey", "rgb"]\n',
        encoding="utf-8",
    )
    table = leukbench.run_multiverse(work / "real.toml", work / "data" / "A", out=work / "real")
    means = table[table["seed"] == "mean"].set_index("preprocessing.colour")
    assert means["trials"].tolist() == [3, 3] and means["images"].tolist() == [60, 60]
    for colour, accuracy in means["accuracy"].items():
        run = leukbench.Run.load(work / "real" / "universes" / f"stratified_3_{colour}")
        frame = run.predictions("control_two_numbers")
        right = frame["y_true"] == frame["y_pred"]
        assert accuracy == pytest.approx(right.groupby(frame["fold"]).mean().mean())
    assert run_command_line(["verify", str(work / "real")]) == 0
