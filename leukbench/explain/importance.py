"""Which groups of features a pipeline's accuracy rests on: permutation importance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline

from leukbench.explain.feature_groups import FeatureGroup

MOST_IMAGES = 120
"""Test images that importance is measured on: an SVM predicts them a hundred times."""

REPEATS = 5
SEED = 0
_DIGITS = 12


def importance(
    estimator: Pipeline,
    groups: Sequence[FeatureGroup],
    images: NDArray[np.uint8],
    predictions: pd.DataFrame,
) -> pd.DataFrame:
    """How far accuracy falls when the columns of a group are exchanged between images.

    Permutation importance (Breiman 2001, doi:10.1023/A:1010933404324, section 10), the columns of a
    group moving together, after the features are extracted once.

    One row a group: ``feature``, ``group``, ``columns`` (how many), ``drop`` and ``drop_std`` (mean and
    standard deviation over the repeats, in units of accuracy), ``accuracy`` (on the images used, nothing
    exchanged), ``images`` (how many: evenly spaced by file name, at most `MOST_IMAGES`), ``repeats``.
    """
    order = np.argsort(predictions["image"].to_numpy(dtype=str), kind="stable")
    evenly = np.linspace(0, len(order) - 1, min(MOST_IMAGES, len(order))).round().astype(int)
    chosen = order[evenly]
    truth = predictions["y_true"].to_numpy(dtype=str)[chosen]
    model = _GroupsExchanged(estimator[1:], estimator[0].transform(images[chosen]), groups)
    unchanged = np.repeat(np.arange(len(chosen))[:, None], len(groups), axis=1)
    measured = permutation_importance(
        model, unchanged, truth, scoring=_accuracy, n_repeats=REPEATS, random_state=SEED
    )
    return pd.DataFrame(
        {
            "feature": [group.feature for group in groups],
            "group": [group.name for group in groups],
            "columns": [len(group.columns) for group in groups],
            "drop": measured.importances_mean.round(_DIGITS),
            "drop_std": measured.importances_std.round(_DIGITS),
            "accuracy": _accuracy(model, unchanged, truth),
            "images": len(chosen),
            "repeats": REPEATS,
        }
    )


class _GroupsExchanged(BaseEstimator):  # type: ignore[misc]
    """Predicts images whose groups of features are taken from other images.

    ``X`` has a row an image and a column a group, and holds the number of the image that the group is
    taken from: so scikit-learn, which exchanges single columns, exchanges groups.
    """

    def __init__(
        self, fitted: Any, features: NDArray[np.floating[Any]], groups: Sequence[FeatureGroup]
    ) -> None:
        self.fitted = fitted
        self.features = features
        self.groups = groups

    def fit(self, X: NDArray[np.intp], y: ArrayLike) -> _GroupsExchanged:
        """It is fitted; scikit-learn asks for the method."""
        return self

    def predict(self, X: NDArray[np.intp]) -> NDArray[Any]:
        mixed = self.features.copy()
        for donors, group in zip(X.T, self.groups, strict=True):
            if (donors != np.arange(len(mixed))).any():
                mixed[:, group.columns] = self.features[np.ix_(donors, group.columns)]
        return np.asarray(self.fitted.predict(mixed))


def _accuracy(model: _GroupsExchanged, X: NDArray[np.intp], y: NDArray[np.str_]) -> float:
    return float((model.predict(X).astype(str) == y).mean())
