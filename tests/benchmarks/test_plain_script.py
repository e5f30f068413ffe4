"""The fair opponent does the same work as leukbench: same images, same split, same recipes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from leukbench.data.folder import load_folder
from leukbench.data.preprocess import preprocess_dataset
from leukbench.data.splits import make_split, part_indices
from leukbench.models import registry
from leukbench.protocol import load_protocol

plain_script = pytest.importorskip("benchmarks.plain_script", reason="Keras is not installed")

PAPER = load_protocol("paper")


def test_the_images_are_the_same_byte_for_byte(make_folder: Callable[..., Path]) -> None:
    root = make_folder(sizes=((64, 80), (50, 50)), suffixes=(".png", ".jpg"))
    dataset = load_folder(root)
    own = preprocess_dataset(dataset, PAPER.preprocessing)
    images, labels = plain_script.load_images(root)
    np.testing.assert_array_equal(images, own)
    np.testing.assert_array_equal(labels, dataset.targets)


def test_the_features_are_the_same(make_folder: Callable[..., Path]) -> None:
    images, _ = plain_script.load_images(make_folder())
    pipeline = registry.create("naive_bayes")
    own = pipeline.named_steps["features"].fit_transform(images)
    np.testing.assert_allclose(plain_script.features(images), own, rtol=1e-3, atol=1e-4)


def test_the_split_is_the_same(make_folder: Callable[..., Path]) -> None:
    dataset = load_folder(make_folder())
    own = part_indices(make_split(dataset, PAPER.split), dataset, 0, "test")
    _, test = plain_script.train_test_split(
        np.arange(len(dataset)), test_size=0.2, random_state=plain_script.SEED
    )
    np.testing.assert_array_equal(np.sort(test), own)


def test_it_compares_the_models_of_the_protocol_with_their_recipes() -> None:
    assert {*plain_script.NETWORKS, *plain_script.CLASSICAL} == set(PAPER.models)
    assert PAPER.training.batch_size == plain_script.BATCH
    for name, (layers, options, rate, schedule) in plain_script.NETWORKS.items():
        own = registry.create(name).get_params()
        assert f"{layers.__module__}:{layers.__name__}" == own["layers"]
        assert options == (own["options"] or {})
        assert (rate, schedule) == (own["learning_rate"], own["schedule"])
        assert own["optimizer"] == "adam"
        assert own["auxiliary_weight"] == 0.3


def test_it_runs_and_writes_what_it_measured(
    make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "plain.json"
    arguments = [str(make_folder()), "--models", "naive_bayes,decision_tree", "--out", str(out)]
    plain_script.main(arguments)
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["images"] == 36
    assert list(found["models"]) == ["naive_bayes", "decision_tree"]
    assert all(0 <= model["accuracy"] <= 1 for model in found["models"].values())
