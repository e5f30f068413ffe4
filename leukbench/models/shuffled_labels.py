"""A classifier that learns nothing: fitted to the right features and the labels of other images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted


class ShuffledLabels(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fits a clone of `estimator` to a permutation of the training labels, drawn with `seed`."""

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
