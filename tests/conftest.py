"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _find_data(name: str) -> Path | None:
    fallback = Path(__file__).parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("LEUKBENCH_DATA", fallback)) / name
    return folder.resolve() if folder.is_dir() else None


@pytest.fixture(scope="session")
def all_pbs() -> Path:
    """The real images, where they are."""
    folder = _find_data("all-pbs")
    if folder is None:
        pytest.skip("no real images: set LEUKBENCH_DATA to a folder that holds all-pbs")
    return folder
