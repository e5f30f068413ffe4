"""On rendered smears, where all copies are known, the audit misses few and invents none."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.audit_truth import plant, run


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder: Path = tmp_path_factory.mktemp("truth") / "smears"
    table, _ = run(plant(20, 30, seed=11), folder, jobs=1)
    return table


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("exact", 0.95),
        ("conflict", 0.95),
        ("rotated", 0.95),
        ("mirrored", 0.95),
        ("recompressed", 0.95),
        ("cropped", 0.95),
        ("overlapping", 0.9),
    ],
)
def test_recall(measured: pd.DataFrame, kind: str, least: float) -> None:
    assert measured.loc[kind, "planted"] == 20
    assert measured.loc[kind, "recall"] > least


def test_precision(measured: pd.DataFrame) -> None:
    assert measured.loc["all", "precision"] > 0.95
