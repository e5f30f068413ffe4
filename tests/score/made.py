"""Predictions made up for the tests of this room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from leukbench.score.arrays import TrialPredictions

CLASSES = ("Benign", "Early", "Pre", "Pro")


def frame(
    truth: Sequence[str],
    predicted: Sequence[str] | None = None,
    probabilities: np.ndarray | None = None,
    classes: Sequence[str] = CLASSES,
    prefix: str = "",
) -> pd.DataFrame:
    """Predictions of images in the given order; probabilities follow the predicted class."""
    if probabilities is None:
        assert predicted is not None
        codes = [list(classes).index(name) for name in predicted]
        probabilities = np.full((len(truth), len(classes)), 0.1 / (len(classes) - 1))
        probabilities[np.arange(len(truth)), codes] = 0.9
    if predicted is None:
        predicted = [classes[i] for i in probabilities.argmax(axis=1)]
    columns = {f"p_{name}": probabilities[:, i] for i, name in enumerate(classes)}
    images = [f"{prefix}{i:05d}.jpg" for i in range(len(truth))]
    return pd.DataFrame(
        {"image": images, "y_true": list(truth), "y_pred": list(predicted), **columns}
    )


def random_frame(
    n: int = 300,
    classes: Sequence[str] = CLASSES,
    skill: float = 1.0,
    seed: int = 0,
    truth_seed: int = 0,
    prefix: str = "",
    rounded: int | None = None,
) -> pd.DataFrame:
    """Predictions that are right the more often, the higher `skill`; `rounded` makes ties."""
    k = len(classes)
    y = np.random.default_rng(truth_seed).integers(0, k, n)
    logits = np.random.default_rng(seed + 1000).normal(size=(n, k))
    logits[np.arange(n), y] += skill
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    if rounded is not None:
        p = np.maximum(p.round(rounded), 10.0**-rounded)
        p /= p.sum(axis=1, keepdims=True)
    return frame([classes[i] for i in y], None, p, classes, prefix)


def outcome_frame(right: Sequence[bool], prefix: str = "") -> pd.DataFrame:
    """Two classes, all images truly `Pro`; right where it says so."""
    return frame(
        ["Pro"] * len(right), ["Pro" if r else "Benign" for r in right],
        classes=("Benign", "Pro"), prefix=prefix,
    )  # fmt: skip


def trial(
    predictions: pd.DataFrame,
    model: str = "m",
    *,
    fold: int = 0,
    seed: int = 0,
    family: str = "deep",
    status: str = "ok",
    n_train: int = 1200,
) -> TrialPredictions:
    """One trial of these predictions."""
    return TrialPredictions(
        model=model, title=model.upper(), family=family, fold=fold, seed=seed, status=status,
        frame=predictions, n_train=n_train,
    )  # fmt: skip


def from_confusion(
    matrix: Sequence[Sequence[int]], classes: Sequence[str] = CLASSES
) -> pd.DataFrame:
    """Predictions with this confusion matrix (rows true, columns predicted)."""
    truth, predicted = [], []
    for i, row in enumerate(matrix):
        for j, count in enumerate(row):
            truth += [classes[i]] * count
            predicted += [classes[j]] * count
    return frame(truth, predicted, classes=classes)
