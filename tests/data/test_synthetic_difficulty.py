"""Patients leak under a random split; colour says nothing about the class of a new patient."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from leukbench.data.synthetic import Smear, SyntheticConfig, plan, render_item


def _colour(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.r_[image.mean(axis=(0, 1)), image.std(axis=(0, 1))]


def _shape(smear: Smear) -> NDArray[np.float64]:
    """Cell area, share of dark pixels in the cell, and roughness of the chromatin."""
    grey = cv2.cvtColor(smear.image, cv2.COLOR_RGB2GRAY).astype(np.float64)
    regions, _ = ndimage.label(smear.mask)
    areas = np.bincount(regions.ravel())[1:]
    own = regions == areas.argmax() + 1
    values = grey[own]
    dark = values < (values.min() + np.median(grey)) / 2
    fine = grey - ndimage.gaussian_filter(grey, grey.shape[0] / 112)
    core = ndimage.binary_erosion(own, iterations=2)
    rough = fine[core].std() if core.any() else 0.0
    return np.array([np.median(areas), areas.max(), dark.mean(), values.std(), rough])


def scores(config: SyntheticConfig) -> dict[str, float]:
    """Accuracy of colour and shape under a random and a grouped split."""
    items, _ = plan(config)
    smears = [render_item(config, item) for item in items]
    labels = np.array([item.label for item in items])
    groups = np.array([item.group for item in items])
    knn = make_pipeline(StandardScaler(), KNeighborsClassifier(5))
    forest = RandomForestClassifier(100, random_state=0)
    colour = np.array([_colour(smear.image) for smear in smears])
    shape = np.array([_shape(smear) for smear in smears])
    splits = {
        "random": list(StratifiedKFold(4, shuffle=True, random_state=0).split(labels, labels)),
        "grouped": list(
            StratifiedGroupKFold(4, shuffle=True, random_state=0).split(labels, labels, groups)
        ),
    }

    def accuracy(model: object, x: NDArray[np.float64], split: str) -> float:
        return float(cross_val_score(model, x, labels, cv=splits[split]).mean())

    return {
        "colour, random": accuracy(knn, colour, "random"),
        "colour, grouped": accuracy(knn, colour, "grouped"),
        "shape, grouped": accuracy(forest, shape, "grouped"),
    }


def test_colour_is_no_shortcut_and_shape_is_the_way() -> None:
    found = scores(SyntheticConfig(images_per_class=48, size=112))
    assert found["colour, grouped"] < 0.5
    assert found["shape, grouped"] > found["colour, grouped"] + 0.2
    assert found["shape, grouped"] > 0.6


def test_strong_patients_make_a_random_split_optimistic() -> None:
    config = SyntheticConfig(images_per_class=48, size=64, patient_effect=3.0)
    found = scores(config)
    assert found["colour, random"] > 0.7
    assert found["colour, random"] - found["colour, grouped"] > 0.35


def test_without_patient_effect_the_splits_agree() -> None:
    found = scores(SyntheticConfig(images_per_class=48, size=64, patient_effect=0.0))
    assert abs(found["colour, random"] - found["colour, grouped"]) < 0.12


def test_confounding_makes_colour_a_shortcut() -> None:
    config = SyntheticConfig(images_per_class=32, size=64, patient_effect=0.5, confounding=1.0)
    assert scores(config)["colour, grouped"] > 0.7


def test_distinct_classes_are_told_apart_by_shape_and_not_by_colour() -> None:
    config = SyntheticConfig(
        images_per_class=48, size=112, patient_effect=0.3, classes="distinct", patients_per_class=12
    )
    found = scores(config)
    assert found["shape, grouped"] > 0.95
    assert found["colour, grouped"] < 0.36  # chance is 0.25, twice its standard error 0.031
