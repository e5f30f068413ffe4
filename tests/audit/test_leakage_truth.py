"""Patients on both sides of a split flatter a model; whole groups on one side tell the truth.

The truth is known here: the accuracy on smears of patients that are in no part of the dataset.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from leukbench.data.dataset import Dataset
from leukbench.data.folder import load_folder
from leukbench.data.shortcuts import shortcut_features
from leukbench.data.splits import make_split, part_indices
from leukbench.data.synthetic import SyntheticConfig, write_dataset
from leukbench.models import registry
from leukbench.protocol import Split

PATIENTS, IMAGES, SIZE = 12, 96, 96
PROBE, READS = "probe_colour", "colour"


def dataset(folder: Path, seed: int) -> Dataset:
    config = SyntheticConfig(
        images_per_class=IMAGES,
        patients_per_class=PATIENTS,
        size=SIZE,
        seed=seed,
        patient_effect=2.0,
    )
    write_dataset(folder, config)
    return load_folder(folder)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Dataset]:
    """A dataset, and one of patients that it does not have."""
    folder = tmp_path_factory.mktemp("worlds")
    return dataset(folder / "known", 3), dataset(folder / "new", 4)


def measured(images: Dataset, policy: Split) -> float:
    features = shortcut_features(images, [READS])[READS]
    split = make_split(images, policy)
    scores = []
    for fold in range(policy.folds):
        train = part_indices(split, images, fold, "train")
        test = part_indices(split, images, fold, "test")
        model = registry.create(PROBE).fit(features[train], images.labels[train])
        scores.append(accuracy_score(images.labels[test], model.predict(features[test])))
    return float(np.mean(scores))


def test_the_papers_split_is_optimistic_and_the_grouped_one_is_not(
    worlds: tuple[Dataset, Dataset],
) -> None:
    known, new = worlds
    model = registry.create(PROBE).fit(shortcut_features(known, [READS])[READS], known.labels)
    truth = accuracy_score(new.labels, model.predict(shortcut_features(new, [READS])[READS]))
    paper = measured(known, Split(policy="paper", folds=5))
    grouped = measured(known, Split(policy="grouped", folds=5))
    assert paper - truth > 0.3, "random splits let the model know the patient by the stain"
    assert abs(grouped - truth) < 0.1, "whole patients on one side leave nothing to recognise"
    assert paper - grouped > 0.3
