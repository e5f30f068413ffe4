"""The time that a dry run announces."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from leukbench.protocol import Preprocessing
from leukbench.trials.estimate import START_SECONDS, estimates


def guessed(out: Path, images: int = 100, epochs: int = 3, **settings: Any) -> float:
    plan: Any = SimpleNamespace(
        key="k",
        model="vgg16",
        kind="vgg16",
        fold=0,
        parameters={"epochs": epochs, "batch_size": 64},
    )
    split = pd.DataFrame({"fold": [0] * (images + 7), "part": ["train"] * images + ["test"] * 7})
    prepared: Any = SimpleNamespace(out=out, split=split, plans=[plan])
    protocol = SimpleNamespace(preprocessing=Preprocessing(**settings))
    options: Any = SimpleNamespace(protocol=protocol)
    ((_, state, seconds),) = estimates(prepared, options)
    assert state == "guess"
    return seconds - START_SECONDS


def test_an_unmeasured_network_grows_with_images_epochs_and_area(tmp_path: Path) -> None:
    usual = guessed(tmp_path)
    assert usual > 0
    assert guessed(tmp_path, images=200) == pytest.approx(2 * usual)
    assert guessed(tmp_path, epochs=6) == pytest.approx(2 * usual)
    assert guessed(tmp_path, size=100) == pytest.approx(4 * usual)
    assert guessed(tmp_path, colour="rgb") == pytest.approx(usual)


def test_finished_trials_of_the_run_folder_come_before_reference_figures(tmp_path: Path) -> None:
    split = pd.DataFrame({"fold": 0, "part": ["train"] * 100})
    plans = [
        SimpleNamespace(
            key=key, model=model, kind=model, framework="keras", fold=0, parameters={"epochs": 10}
        )
        for key, model in (("a", "vgg16"), ("b", "vgg16"), ("c", "alexnet"), ("d", "own_network"))
    ]
    record = {
        "leukbench_version": "0.1.0", "key": "a", "identity": {}, "model": "vgg16", "title": "VGG-16",
        "family": "deep", "fold": 0, "seed": 0, "status": "ok", "threads": 2, "n_train": 50,
        "epochs_run": 4, "fit_seconds": 20.0, "total_seconds": 23.0,
    }  # fmt: skip
    path = tmp_path / "trials" / "a" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record), encoding="utf-8")
    prepared: Any = SimpleNamespace(out=tmp_path, split=split, plans=plans)
    options: Any = SimpleNamespace(protocol=SimpleNamespace(preprocessing=Preprocessing()))
    found = [(state, seconds) for _, state, seconds in estimates(prepared, options)]
    assert found[0] == ("finished", 23.0)
    assert found[1] == ("estimate", START_SECONDS + 20.0 / (50 * 4) * 100 * 10)
    assert found[2][0] == "guess" and found[2][1] > START_SECONDS
    assert found[3] == ("guess", 0.0), "nothing is known of it"
