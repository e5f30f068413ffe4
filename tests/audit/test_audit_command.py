"""The verbs ``audit`` and ``split`` look at the very split that a run would use."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from leukbench.cli.app import run_command_line

MakeFolder = Callable[..., Path]

PROTOCOL = (
    'name = "two"\ntask = "benign-malignant"\nmodels = ["naive_bayes"]\n'
    "[preprocessing]\nsize = 32\n"
    '[split]\npolicy = "stratified"\ntest_fraction = 0.3\n'
    "[audit]\nprobes = false\nallow_duplicates_across_split = true\n"
)


def test_audit_and_split_see_the_split_of_the_run(
    make_folder: MakeFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A task changes what is stratified, and so which images are tested."""
    data, protocol, out = str(make_folder(images=9)), tmp_path / "two.toml", tmp_path / "run"
    protocol.write_text(PROTOCOL, encoding="utf-8")
    run = ["run-all", "--data", data, "--protocol", str(protocol), "--out", str(out)]
    assert run_command_line(run) == 0
    capsys.readouterr()
    split = pd.read_csv(out / "split.csv")
    tested = set(split[split["part"] == "test"]["image"])

    assert run_command_line(["split", data, "--protocol", str(protocol)]) == 0
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(capsys.readouterr().out)), split)

    assert run_command_line(["audit", data, "--protocol", str(protocol), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["counts"]["near-duplicate"] == 0
    assert set(report["split"][0]["clean"]) == tested
    assert report["split"] == json.loads((out / "audit.json").read_text("utf-8"))["split"]
