"""This project's own gate: the smoke protocol against committed baselines, and committed results."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukbench.cli.app import run_command_line

RESULTS = Path(__file__).parents[1] / "results"


def gate(out: Path, baseline: str, *data: str) -> int:
    assert run_command_line(["run-all", *data, "--protocol", "smoke", "--out", str(out)]) == 0
    return run_command_line(["gate", str(out), "--baseline", str(RESULTS / baseline)])


def test_smoke_on_synthetic_smears_holds_its_baseline(tmp_path: Path) -> None:
    assert gate(tmp_path / "run", "synthetic-smoke") == 0


@pytest.mark.realdata
def test_smoke_on_the_real_images_holds_its_baseline(tmp_path: Path, all_pbs: Path) -> None:
    assert gate(tmp_path / "run", "all-pbs-smoke", "--data", str(all_pbs)) == 0


def test_committed_results_pass_verify() -> None:
    assert run_command_line(["verify", str(RESULTS)]) == 0
