"""Fits of scikit-learn on all threads of a trial, with the result that one thread gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from joblib import parallel_config
from numpy.typing import ArrayLike
from sklearn.ensemble import RandomForestClassifier


@contextmanager
def all_threads() -> Iterator[None]:
    """Let what scikit-learn does in parallel use threads of this process, one a core.

    In a trial joblib counts the cores that the trial was given (``LOKY_MAX_CPU_COUNT``). An estimator
    whose own ``n_jobs`` is set keeps to that.
    """
    with parallel_config(backend="threading", n_jobs=-1):
        yield


class RandomForest(RandomForestClassifier):  # type: ignore[misc]
    """A random forest that is grown on all threads and asked on one.

    Each tree has a seed of its own, so that the forest does not depend on the number of threads. The
    sums of the trees' probabilities would, by their rounding: hence one thread there.
    """

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: Any = None) -> RandomForest:
        """Grow the trees; see `sklearn.ensemble.RandomForestClassifier.fit`."""
        with all_threads():
            super().fit(X, y, sample_weight)
        return self
