"""Probes see what they say they see, and nothing of the leukocytes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict, cross_val_score

from leukbench.data.dataset import Dataset
from leukbench.data.shortcuts import background, corner, shortcut_features
from leukbench.errors import UsageError
from leukbench.models import registry
from tests.audit.smears import field, folder

PURPLE = (150, 40, 90)
GROUND = {"a": (230, 225, 235), "b": (225, 235, 225)}


def smear(label: str, seed: int) -> np.ndarray:
    """A purple cell on a ground whose colour depends on the class, with a bar for class b."""
    rng = np.random.default_rng(seed)
    image = np.full((96, 96, 3), GROUND[label], np.uint8)
    centre = (int(rng.integers(25, 60)), int(rng.integers(25, 60)))
    cv2.circle(image, centre, int(rng.integers(8, 16)), PURPLE, -1)
    if label == "b":
        image[-4:, -10:] = 0
    return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def two_grounds(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    files: dict[str, bytes | np.ndarray] = {
        f"{label}/{k:02d}.png": smear(label, 2 * k + (label == "b"))
        for label in "ab"
        for k in range(40)
    }
    return folder(tmp_path_factory.mktemp("grounds"), files)


@pytest.fixture(scope="module")
def features(two_grounds: Dataset) -> dict[str, np.ndarray]:
    return shortcut_features(two_grounds, jobs=1)


@pytest.mark.parametrize("name", [spec.name for spec in registry.probes()])
def test_every_probe_is_a_classifier_over_its_features(
    two_grounds: Dataset, features: dict[str, np.ndarray], name: str
) -> None:
    seen = features[registry.get(name).reads]
    assert seen.shape[0] == len(two_grounds)
    assert seen.dtype == np.float32
    probe = clone(registry.create(name, random_state=3)).fit(seen, two_grounds.labels)
    probabilities = probe.predict_proba(seen)
    assert probe.classes_.tolist() == ["a", "b"]
    assert np.allclose(probabilities.sum(axis=1), 1)
    again = clone(registry.create(name, random_state=3)).fit(seen, two_grounds.labels)
    assert np.array_equal(again.predict_proba(seen), probabilities)


@pytest.mark.parametrize(
    "name", ["probe_colour", "probe_corner", "probe_corners", "probe_background"]
)
def test_shortcuts_that_are_there_are_found(
    two_grounds: Dataset, features: dict[str, np.ndarray], name: str
) -> None:
    score = cross_val_score(
        registry.create(name), features[registry.get(name).reads], two_grounds.labels, cv=4
    )
    assert score.mean() > 0.95


def test_one_size_tells_nothing(two_grounds: Dataset, features: dict[str, np.ndarray]) -> None:
    guessed = cross_val_predict(
        registry.create("probe_size"), features["size"], two_grounds.labels, cv=4
    )
    assert len(set(guessed)) == 1


def test_sizes_that_differ_by_class_tell_all(tmp_path: Path) -> None:
    files: dict[str, bytes | np.ndarray] = {
        f"{label}/{k}.png": field(k, 40, 40 + 8 * (label == "b"))
        for label in "ab"
        for k in range(8)
    }
    dataset = folder(tmp_path, files)
    seen = shortcut_features(dataset, ["size"], jobs=1)["size"]
    assert seen[0].tolist() == [40, 40]
    assert seen[-1].tolist() == [48, 40]
    assert cross_val_score(registry.create("probe_size"), seen, dataset.labels, cv=4).mean() == 1.0


def test_shuffled_labels_fall_to_chance(
    two_grounds: Dataset, features: dict[str, np.ndarray]
) -> None:
    scores = [
        cross_val_score(
            registry.create("probe_shuffled", random_state=seed),
            features["colour"],
            two_grounds.labels,
            cv=4,
        ).mean()
        for seed in range(6)
    ]
    assert 0.3 < np.mean(scores) < 0.7


def test_the_background_does_not_see_the_cells() -> None:
    plain = np.full((96, 96, 3), GROUND["a"], np.uint8)
    with_cell = plain.copy()
    cv2.circle(with_cell, (48, 48), 15, PURPLE, -1)
    assert np.allclose(background(with_cell), background(plain))


def test_the_corner_sees_only_the_corner() -> None:
    image = field(1, 70, 140)
    changed = image.copy()
    changed[:60] = 0
    changed[:, :120] = 0
    assert np.array_equal(corner(image), corner(changed))
    assert not np.array_equal(
        corner(image, bottom=False, right=False), corner(changed, bottom=False, right=False)
    )


def test_an_unknown_shortcut_is_named(two_grounds: Dataset) -> None:
    with pytest.raises(UsageError, match=r"no shortcut color \(did you mean colour\?\)"):
        shortcut_features(two_grounds, ["color"])
    with pytest.raises(UsageError, match=r"'probe_color' \(did you mean probe_colour\?\)"):
        registry.get("probe_color")
