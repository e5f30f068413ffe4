"""``data info``, ``split`` and ``run-all`` understand the folders of strangers alike."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pandas as pd
import pytest

from leukbench.cli.app import run_command_line
from tests.data.strangers.conftest import Lay, numbered

GIVEN = (
    'name = "mine"\nmodels = ["naive_bayes"]\n[preprocessing]\nsize = 16\n'
    '[split]\npolicy = "given"\n[audit]\nprobes = false\nallow_duplicates_across_split = true\n'
)


def test_data_info_says_what_was_understood(lay: Lay, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [f"top/{part}/{label}" for part in ("Train", "TEST") for label in ("A", "B")]
    root = lay([*numbered(*folders), "top/Train/A/.hidden.png"])
    assert run_command_line(["data", "info", str(root), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["parts"] == {"train": 6, "test": 6}
    assert facts["classes"] == {"A": 6, "B": 6}
    assert facts["notes"] == [
        "The classes are looked for in top.",
        "Left out: 1 hidden files.",
        "The images come with a split of their own (train 6, test 6): the policy given keeps it, every "
        "other policy divides all of them anew.",
    ]
    assert run_command_line(["data", "info", str(root)]) == 0
    assert "train 6, test 6" in capsys.readouterr().out


def test_a_run_keeps_the_published_split_and_says_how_the_folder_was_read(
    lay: Lay, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = lay([f"{number}.png" for number in range(24)])
    labels = tmp_path / "labels.csv"
    rows = [f"{n},{'AB'[n % 2]},p{n // 4},{'test' if n > 17 else 'train'}" for n in range(24)]
    labels.write_text("\n".join(["image,label,group,part", *rows]), encoding="utf-8")
    protocol = tmp_path / "mine.toml"
    protocol.write_text(GIVEN, encoding="utf-8")
    out = tmp_path / "run"
    where = ["--labels", str(labels), "--protocol", str(protocol)]
    assert run_command_line(["run-all", "--data", str(root), *where, "--out", str(out)]) in (0, 2)
    said = capsys.readouterr()
    assert "split of their own" in said.err
    assert "1 of 6 patients have images both in training and in test" in said.out.splitlines()[0]
    split = pd.read_csv(out / "split.csv")
    assert split.set_index("image")["part"].to_dict() == {
        f"{n}.png": "test" if n > 17 else "train" for n in range(24)
    }
    lines = (out / "comparison.md").read_text("utf-8").splitlines()
    assert any("split of their own" in line for line in lines)
    first = next(line for line in lines if line and not line.startswith("#"))
    assert "1 of 6 patients have images both in training and in test" in first
    capsys.readouterr()
    assert run_command_line(["split", str(root), *where]) == 0
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(capsys.readouterr().out)), split)


def test_a_flat_folder_by_its_file_names(lay: Lay, capsys: pytest.CaptureFixture[str]) -> None:
    root = lay([f"cell{number}_{number % 2}.jpg" for number in range(12)])
    assert run_command_line(["data", "info", str(root)]) == 3
    assert "--label-pattern" in capsys.readouterr().err
    pattern = ["--label-pattern", r"_(?P<label>\d)\."]
    assert run_command_line(["data", "info", str(root), *pattern]) == 0
    assert "0 6, 1 6" in capsys.readouterr().out
