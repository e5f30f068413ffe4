"""The house: which room may import which, and what is imported before it is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("tensorflow", "keras", "sklearn", "pandas", "cv2", "scipy", "matplotlib")


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.split(".")[0] for line in done.stdout.splitlines()}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["list", "models"],
        ["list", "datasets"],
        ["list", "protocols"],
        ["run-all", "--help"],
    ],
    ids=" ".join,
)
def test_light_verbs_import_nothing_heavy(arguments: list[str]) -> None:
    found = modules_after(
        f"from leukbench.cli.app import run_command_line\nassert run_command_line({arguments!r}) == 0"
    )
    assert not found & set(HEAVY)


def test_importing_leukbench_is_light() -> None:
    assert not modules_after("import leukbench") & {*HEAVY, "numpy", "pydantic", "typer"}


def test_a_run_with_nothing_to_do_imports_no_library_of_models_or_tables() -> None:
    loaded = modules_after("import leukbench.trials.execute, leukbench.cli.progress")
    assert not loaded & {"tensorflow", "keras", "sklearn", "scipy", "matplotlib", "statsmodels"}


def test_rooms_import_only_what_they_may() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
