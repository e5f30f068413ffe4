"""What a fitted model goes by, kept beside its predictions: importance of features, or heat maps.

Made once a model, after everything that is measured. What is stored holds no picture: names of
images, numbers, and maps that are drawn over the images by whoever has them.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.inspection import permutation_importance
from sklearn.pipeline import Pipeline

from leukbench.explain.feature_groups import FeatureGroup, feature_groups
from leukbench.explain.heat_maps import grad_cam
from leukbench.files import write_bytes, write_text
from leukbench.runfolder import HEAT_MAPS, IMPORTANCE
from leukbench.score.arrays import PROBABILITY_PREFIX

MOST_IMAGES = 120
"""Test images that importance is measured on: an SVM predicts them a hundred times."""

REPEATS = 5
SEED = 0
MOST_MAPS = 8
_DIGITS = 12


def explain_trial(
    estimator: Any, images: NDArray[np.uint8], predictions: pd.DataFrame, workdir: Path
) -> str:
    """Leave an explanation of a fitted model in a folder, whatever the model is.

    Parameters
    ----------
    estimator : classifier
        Fitted. A network (it has ``model_``) gets heat maps, a pipeline of known features their
        importance.
    images : numpy.ndarray of uint8, shape (n, height, width, channels)
        Test images.
    predictions : pandas.DataFrame
        What the model says of them, row by row, as in ``predictions.parquet``.
    workdir : Path
        Where `HEAT_MAPS` or `IMPORTANCE` is written.

    Returns
    -------
    str
        Why there is none, in one sentence; empty where there is one. Nothing is raised: a trial does
        not fail for want of an explanation.
    """
    try:
        if getattr(estimator, "model_", None) is not None:
            write_bytes(workdir / HEAT_MAPS, heat_maps(estimator, images, predictions))
            return ""
        groups = _groups_of(estimator, images.shape[3])
        if not groups:
            return "The meaning of this model's features is not known."
        table = importance(estimator, groups, images, predictions)
        write_text(workdir / IMPORTANCE, table.to_csv(index=False, lineterminator="\n"))
        return ""
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:300]
        return f"The explanation failed: {type(error).__name__} {reason}".strip()


def importance(
    estimator: Pipeline,
    groups: Sequence[FeatureGroup],
    images: NDArray[np.uint8],
    predictions: pd.DataFrame,
) -> pd.DataFrame:
    """How far accuracy falls when the columns of a group are exchanged between images.

    Permutation importance (Breiman 2001, doi:10.1023/A:1010933404324, section 10), the columns of a
    group moving together, after the features are extracted once.

    Returns
    -------
    pandas.DataFrame
        One row a group: ``feature``, ``group``, ``columns`` (how many), ``drop`` and ``drop_std``
        (mean and standard deviation over the repeats, in units of accuracy), ``accuracy`` (on the
        images used, nothing exchanged), ``images`` (how many: evenly spaced by file name, at most
        `MOST_IMAGES`), ``repeats``.
    """
    order = np.argsort(predictions["image"].to_numpy(dtype=str), kind="stable")
    evenly = np.linspace(0, len(order) - 1, min(MOST_IMAGES, len(order))).round().astype(int)
    chosen = order[evenly]
    truth = predictions["y_true"].to_numpy(dtype=str)[chosen]
    model = _Exchanged(estimator[1:], estimator[0].transform(images[chosen]), groups)
    places = np.repeat(np.arange(len(chosen))[:, None], len(groups), axis=1)
    found = permutation_importance(
        model, places, truth, scoring=_accuracy, n_repeats=REPEATS, random_state=SEED
    )
    return pd.DataFrame(
        {
            "feature": [group.feature for group in groups],
            "group": [group.name for group in groups],
            "columns": [len(group.columns) for group in groups],
            "drop": found.importances_mean.round(_DIGITS),
            "drop_std": found.importances_std.round(_DIGITS),
            "accuracy": _accuracy(model, places, truth),
            "images": len(chosen),
            "repeats": REPEATS,
        }
    )


def heat_maps(estimator: Any, images: NDArray[np.uint8], predictions: pd.DataFrame) -> bytes:
    """Grad-CAM of the first test image of each class, by file name, for the class it is called.

    Returns
    -------
    bytes
        An ``.npz`` file with the arrays ``images``, ``labels`` and ``predicted`` (text),
        ``probability`` (of the predicted class) and ``heat`` (uint8, shape (images, height, width);
        255 is the most in its image).
    """
    ordered = predictions.sort_values("image", kind="stable")
    chosen = ordered.drop_duplicates("y_true").index[:MOST_MAPS].to_numpy()
    columns = {str(name): number for number, name in enumerate(estimator.classes_)}
    rows = predictions.loc[chosen]
    maps = [
        grad_cam(estimator.model_, images[place], columns[called])
        for place, called in zip(chosen, rows["y_pred"], strict=True)
    ]
    probability = [float(row[PROBABILITY_PREFIX + row["y_pred"]]) for _, row in rows.iterrows()]
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        images=rows["image"].to_numpy(dtype=str),
        labels=rows["y_true"].to_numpy(dtype=str),
        predicted=rows["y_pred"].to_numpy(dtype=str),
        probability=np.array(probability),
        heat=np.rint(255 * np.stack(maps).clip(0, 1)).astype(np.uint8),
    )
    return stream.getvalue()


class _Exchanged(BaseEstimator):  # type: ignore[misc]
    """Predicts from the features of other images.

    ``X`` has a row an image and a column a group, and tells which image's columns to take: so
    scikit-learn, which exchanges single columns, exchanges groups.
    """

    def __init__(
        self, fitted: Any, features: NDArray[np.floating[Any]], groups: Sequence[FeatureGroup]
    ) -> None:
        self.fitted = fitted
        self.features = features
        self.groups = groups

    def fit(self, X: NDArray[np.intp], y: ArrayLike) -> _Exchanged:
        """It is fitted."""
        return self

    def predict(self, X: NDArray[np.intp]) -> NDArray[Any]:
        """Classes of the images, some of their features taken from others."""
        mixed = self.features.copy()
        for places, group in zip(X.T, self.groups, strict=True):
            if (places != np.arange(len(mixed))).any():
                mixed[:, group.columns] = self.features[np.ix_(places, group.columns)]
        return np.asarray(self.fitted.predict(mixed))


def _accuracy(model: _Exchanged, X: NDArray[np.intp], y: NDArray[np.str_]) -> float:
    return float((model.predict(X).astype(str) == y).mean())


def _groups_of(estimator: Any, channels: int) -> list[FeatureGroup]:
    return feature_groups(estimator[0], channels) if isinstance(estimator, Pipeline) else []
