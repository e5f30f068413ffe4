"""Probabilities for classifiers that give decision values only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.validation import check_is_fitted

from leukbench.models.training.threads import all_threads

FOLDS = 5


class CalibratedClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Scikit-learn's calibration with as many folds as the rarest class allows.

    Decision values from cross-validation on the training data fit the calibration; the classifier
    itself is then fitted to all training data. With a class of one image no fold can be held out,
    and the decision values are taken as logits.

    Parameters
    ----------
    estimator : classifier
        It has a ``decision_function``.
    method : {"temperature", "sigmoid"}
        Temperature scaling (Guo et al. 2017) keeps the order of the classes, and with it the
        classifier's own predictions; sigmoids (Platt 1999) are fitted one against the rest.
    random_state : int, RandomState or None
        Seed of the folds.
    """

    def __init__(
        self, estimator: Any, *, method: str = "temperature", random_state: Any = None
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.random_state = random_state

    def fit(self, X: NDArray[Any], y: ArrayLike) -> CalibratedClassifier:
        """Fit the classifier and its calibration."""
        self.classes_, counts = np.unique(np.asarray(y), return_counts=True)
        folds = min(FOLDS, int(counts.min()))
        if folds < 2:
            self.fitted_ = clone(self.estimator).fit(X, y)
        else:
            splitter = StratifiedKFold(folds, shuffle=True, random_state=self.random_state)
            calibrated = CalibratedClassifierCV(
                self.estimator, method=self.method, cv=splitter, ensemble=False
            )
            with all_threads():  # one fold a thread
                self.fitted_ = calibrated.fit(X, y)
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities, shape ``(n, classes)``, in the order of ``classes_``."""
        check_is_fitted(self, "fitted_")
        if isinstance(self.fitted_, CalibratedClassifierCV):
            return np.asarray(self.fitted_.predict_proba(X), dtype=np.float64)
        logits = np.asarray(self.fitted_.decision_function(X), dtype=np.float64)
        if logits.ndim == 1:
            logits = np.stack([np.zeros_like(logits), logits], axis=1)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """The most probable class of each image, as a label."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
