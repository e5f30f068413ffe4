"""Voting with probabilities in both its forms."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import VotingClassifier


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
