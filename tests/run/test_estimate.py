"""The time that a dry run announces."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from leukbench.protocol import Preprocessing
from leukbench.run.estimate import START_SECONDS, estimate_seconds


def guessed(out: Path, images: int = 100, epochs: int = 3, **settings: Any) -> float:
    plan: Any = SimpleNamespace(
        key="k",
        model="vgg16",
        kind="vgg16",
        fold=0,
        parameters={"epochs": epochs, "batch_size": 64},
    )
    split = pd.DataFrame({"fold": [0] * (images + 7), "part": ["train"] * images + ["test"] * 7})
    prepared: Any = SimpleNamespace(out=out, split=split)
    protocol = SimpleNamespace(preprocessing=Preprocessing(**settings))
    options: Any = SimpleNamespace(protocol=protocol)
    state, seconds = estimate_seconds(plan, prepared, options)
    assert state == "guess"
    return seconds - START_SECONDS


def test_an_unmeasured_network_grows_with_images_epochs_and_area(tmp_path: Path) -> None:
    usual = guessed(tmp_path)
    assert usual > 0
    assert guessed(tmp_path, images=200) == pytest.approx(2 * usual)
    assert guessed(tmp_path, epochs=6) == pytest.approx(2 * usual)
    assert guessed(tmp_path, size=100) == pytest.approx(4 * usual)
    assert guessed(tmp_path, colour="rgb") == pytest.approx(usual)
