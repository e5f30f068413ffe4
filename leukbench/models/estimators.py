"""Scikit-learn classifiers in the form that the models need: SVM, forest, vote, shuffled labels.

They use all threads of a trial where the result is the one that a single thread gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import parallel_config
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.validation import check_is_fitted

FOLDS = 5


def all_threads() -> parallel_config:
    """A context in which scikit-learn's parallel work uses threads of this process, one a core.

    In a trial joblib counts the cores that the trial was given (``LOKY_MAX_CPU_COUNT``). An estimator
    whose own ``n_jobs`` is set keeps to that.
    """
    return parallel_config(backend="threading", n_jobs=-1)


class _MostProbable(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts the class that `predict_proba` gives the highest probability."""

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """The most probable class of each image, as a label."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


class ProbabilisticSVM(_MostProbable):
    """A support vector machine with probabilities, by temperature scaling of its decision values.

    The temperature (Guo et al. 2017, arXiv:1706.04599) is fitted on decision values from
    cross-validation on the training data, with as many folds as the rarest class allows; then the SVM
    is fitted to all training data. Temperature scaling keeps the order of the classes, and with it the
    SVM's own predictions. With a class of one image no fold can be held out, and the decision values
    are taken as logits.

    ``estimator`` is any unfitted classifier with a ``decision_function``; ``random_state`` decides the
    folds.
    """

    def __init__(self, estimator: Any, *, random_state: Any = None) -> None:
        self.estimator = estimator
        self.random_state = random_state

    def fit(self, X: NDArray[Any], y: ArrayLike) -> ProbabilisticSVM:
        """Fit the SVM and its temperature."""
        # Scikit-learn 1.9 takes numbers for class indices where it fits a temperature.
        self.classes_, indices = np.unique(np.asarray(y), return_inverse=True)
        folds = min(FOLDS, int(np.bincount(indices).min()))
        if folds < 2:
            self.fitted_ = clone(self.estimator).fit(X, indices)
            return self
        splitter = StratifiedKFold(folds, shuffle=True, random_state=self.random_state)
        scaled = CalibratedClassifierCV(
            self.estimator, method="temperature", cv=splitter, ensemble=False
        )
        with all_threads():  # one fold a thread
            self.fitted_ = scaled.fit(X, indices)
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities, shape ``(n, classes)``, in the order of ``classes_``."""
        check_is_fitted(self, "fitted_")
        if isinstance(self.fitted_, CalibratedClassifierCV):
            return np.asarray(self.fitted_.predict_proba(X), dtype=np.float64)
        logits = np.asarray(self.fitted_.decision_function(X), dtype=np.float64)
        if logits.ndim == 1:
            logits = np.stack([np.zeros_like(logits), logits], axis=1)
        return np.asarray(softmax(logits, axis=1))


class ShuffledLabels(_MostProbable):
    """A control that learns nothing: a clone of ``estimator``, fitted to a permutation of the labels."""

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


class RandomForest(RandomForestClassifier):  # type: ignore[misc]
    """A random forest that is grown on all threads and predicts on one.

    Each tree has a seed of its own, so that the forest does not depend on the number of threads. The
    sums of the trees' probabilities would, by their rounding: hence one thread there.
    """

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: Any = None) -> RandomForest:
        """Grow the trees; see `sklearn.ensemble.RandomForestClassifier.fit`."""
        with all_threads():
            super().fit(X, y, sample_weight)
        return self


class MajorityVote(VotingClassifier):  # type: ignore[misc]
    """Scikit-learn's majority vote, whose probabilities are shares of the votes.

    A tie goes to the class that is first in ``classes_``, as in scikit-learn.
    """

    def __init__(self, estimators: list[tuple[str, Any]]) -> None:
        super().__init__(estimators, voting="hard")

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Share of the votes for each class, shape ``(n, classes)``."""
        votes = np.asarray(self.transform(X))[..., None] == np.arange(len(self.classes_))
        return np.asarray(votes.mean(axis=1))
