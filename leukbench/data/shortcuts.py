"""Shortcut probes: how far a classifier gets that never looks at a leukocyte.

Each probe sees a few numbers of the original image (colour, corners, size, background) and is
trained and tested on the same split as the models. Where a probe comes near the best model, the
images can be told apart without what the models are meant to look at. The control with shuffled
labels must fall to chance: where it does not, the split or the scoring leaks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_is_fitted

from leukbench.data.dataset import Dataset
from leukbench.data.preprocess import read_image
from leukbench.data.probe_names import PROBES
from leukbench.data.segment import leukocyte_mask
from leukbench.errors import UsageError, did_you_mean

Image = NDArray[np.uint8]
Features = NDArray[np.float32]

CORNER_SHARE = 7
CORNER_SIDE = 8
BACKGROUND_BINS = 16
MASK_MARGIN = 0.02
NEIGHBOURS = 5
TREES = 100
_BATCH = 32


def probe_features(
    dataset: Dataset, names: Sequence[str] = tuple(PROBES), jobs: int = -1
) -> dict[str, Features]:
    """What each probe sees, from one pass over the original images.

    Parameters
    ----------
    dataset : Dataset
        The images.
    names : sequence of str
        Some of `PROBES`.
    jobs : int
        Threads, as joblib counts them.

    Returns
    -------
    dict of str to numpy.ndarray
        float32, shape ``(n, features)``: 6 for colour (mean and standard deviation of red, green,
        blue, 0..255), 192 for one corner, 768 for four, 2 for size (width and height in pixels;
        the size of the file is none of them, as it grows with what the image shows), 48 for the
        background (histograms of red, green and blue, each summing to 1).

    Raises
    ------
    UsageError
        For an unknown name.
    DataError
        Where an image cannot be read.
    """
    for name in names:
        _require_known(name)
    batches = [range(i, min(i + _BATCH, len(dataset))) for i in range(0, len(dataset), _BATCH)]
    parts = Parallel(n_jobs=jobs, prefer="threads")(
        delayed(_see_batch)(dataset, batch, names) for batch in batches
    )
    rows = [row for part in parts for row in part]
    return {name: np.stack([row[k] for row in rows]) for k, name in enumerate(names)}


def make_probe(name: str, seed: int = 0) -> Any:
    """A fresh scikit-learn classifier for the features of one probe.

    Five nearest neighbours on scaled features for colour, extremely randomised trees (Geurts et al.
    2006, doi:10.1007/s10994-006-6226-1) for corners and background, and a decision tree for size,
    which names the majority class where all sizes are one.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    _require_known(name)
    if name == "probe_colour":
        return _neighbours()
    if name == "probe_size":
        return DecisionTreeClassifier(random_state=seed)
    if name == "probe_shuffled":
        return ShuffledLabels(_neighbours(), seed=seed)
    return ExtraTreesClassifier(n_estimators=TREES, random_state=seed, n_jobs=1)


class ShuffledLabels(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier fitted to the right features and the labels of other images.

    Parameters
    ----------
    estimator : classifier
        What is fitted, as a clone.
    seed : int
        Of the permutation of the training labels.
    """

    def __init__(self, estimator: Any, seed: int = 0) -> None:
        self.estimator = estimator
        self.seed = seed

    def fit(self, X: ArrayLike, y: ArrayLike) -> ShuffledLabels:
        """Fit to a permutation of `y`."""
        shuffled = np.random.default_rng(self.seed).permutation(np.asarray(y))
        self.estimator_ = clone(self.estimator).fit(X, shuffled)
        self.classes_ = self.estimator_.classes_
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Probabilities, shape ``(n, classes)``."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict_proba(X), dtype=np.float64)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Class of each row."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def colour_moments(image: Image) -> Features:
    """Mean, then standard deviation, of red, green and blue, 0..255; shape ``(6,)``.

    >>> colour_moments(np.full((4, 4, 3), (10, 20, 30), np.uint8)).tolist()
    [30.0, 20.0, 10.0, 0.0, 0.0, 0.0]
    """
    mean, deviation = cv2.meanStdDev(image)
    return np.concatenate([mean.ravel()[::-1], deviation.ravel()[::-1]]).astype(np.float32)


def corner(image: Image, bottom: bool = True, right: bool = True) -> Features:
    """A corner of a seventh of each side, shrunk to 8 by 8 pixels; shape ``(192,)``, 0..255."""
    height, width = (max(1, round(side / CORNER_SHARE)) for side in image.shape[:2])
    rows = slice(-height, None) if bottom else slice(height)
    columns = slice(-width, None) if right else slice(width)
    size = (CORNER_SIDE, CORNER_SIDE)
    cut = np.ascontiguousarray(image[rows, columns])
    return np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), np.float32).ravel()


def background(image: Image) -> Features:
    """Colour histograms of what is left when leukocytes are masked out; shape ``(48,)``.

    The mask is widened by 2 % of the longer side, so that no rim of a cell is left. How much is
    masked does not show: each histogram sums to 1, or to 0 where nothing is left.
    """
    reach = max(1, round(MASK_MARGIN * max(image.shape[:2])))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    cells = cv2.dilate(leukocyte_mask(image).astype(np.uint8), disc)
    rest = cv2.bitwise_not(cells * np.uint8(255))
    histograms = [
        cv2.calcHist([image], [channel], rest, [BACKGROUND_BINS], [0, 256]).ravel()
        for channel in (2, 1, 0)
    ]
    counts = np.concatenate(histograms).astype(np.float32)
    return np.asarray(counts / max(float(counts[:BACKGROUND_BINS].sum()), 1.0), dtype=np.float32)


def _corners(image: Image) -> Features:
    return np.concatenate(
        [corner(image, bottom, right) for bottom in (False, True) for right in (False, True)]
    )


def _size(image: Image) -> Features:
    return np.array(image.shape[1::-1], dtype=np.float32)


_SEEN: dict[str, Callable[[Image], Features]] = {
    "probe_colour": colour_moments,
    "probe_corner": corner,
    "probe_corners": _corners,
    "probe_size": _size,
    "probe_background": background,
    "probe_shuffled": colour_moments,
}


def _see_batch(dataset: Dataset, batch: range, names: Sequence[str]) -> list[list[Features]]:
    rows = []
    for index in batch:
        image = read_image(dataset.absolute(index))
        seen = {_SEEN[name]: _SEEN[name](image) for name in names}
        rows.append([seen[_SEEN[name]] for name in names])
    return rows


def _neighbours() -> Any:
    return make_pipeline(StandardScaler(), KNeighborsClassifier(n_neighbors=NEIGHBOURS))


def _require_known(name: str) -> None:
    if name not in PROBES:
        raise UsageError(
            f"There is no probe {name}{did_you_mean(name, PROBES)}: take one of {', '.join(PROBES)}."
        )
