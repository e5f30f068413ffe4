"""The gallery: every example runs."""

from __future__ import annotations

import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from tests.docs.pages import DOCS

EXAMPLES = sorted((DOCS / "examples").glob("*.py"))


def test_there_are_four() -> None:
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(example.parent)
    try:
        runpy.run_path(str(example))
    finally:
        plt.close("all")
