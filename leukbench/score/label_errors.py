"""Candidates of label errors by confident learning, from probabilities of held-out images.

Source: Northcutt, Jiang and Chuang 2021, doi:10.1613/jair.1.12125, sections 3.1 (confident joint) and 3.2
(ranking). Written out here: it is a few lines of numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukbench.score.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class LabelErrors:
    """What one model says of the labels.

    Attributes
    ----------
    given : numpy.ndarray of int64, shape (n,)
        Labels.
    thresholds : numpy.ndarray, shape (k,)
        Mean probability of a class over the images that bear its label; infinite where none does.
    joint : numpy.ndarray of int64, shape (k, k)
        Confident joint: images of given label (row) that are confidently of a class (column).
    suggested : numpy.ndarray of int64, shape (n,)
        The class that an image is confidently of; its given label where it is of none.
    self_confidence, margin : numpy.ndarray, shape (n,)
        Probability of the given label, and that less the highest of the others (-1..1): the lower, the
        more likely an error.
    """

    given: IntArray
    thresholds: FloatArray
    joint: IntArray
    suggested: IntArray
    self_confidence: FloatArray
    margin: FloatArray

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """Images that are confidently of another class, shape (n,)."""
        return np.asarray(self.suggested != self.given)

    @property
    def noise(self) -> float:
        """Estimated share of wrong labels: the joint, scaled to the numbers of the given labels."""
        rows = self.joint.sum(axis=1)
        share = np.divide(self.joint.diagonal(), rows, out=np.ones(len(rows)), where=rows > 0)
        given = np.bincount(self.given, minlength=len(rows))
        return float(1 - (share * given).sum() / given.sum())


def label_errors(probabilities: FloatArray, given: IntArray) -> LabelErrors:
    """Find the images that a model confidently takes for another class than their label says.

    An image is confidently of a class where its probability reaches the class's threshold; of several,
    the most probable. It is a candidate where that class is not its label: an entry of the confident
    joint off its diagonal.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (n, k)
        Of models that were not trained on the image: those of training images know the label.
    given : numpy.ndarray of int64, shape (n,)
        Columns of `probabilities`.
    """
    n, k = probabilities.shape
    rows = np.arange(n)
    thresholds = np.array(
        [probabilities[given == j, j].mean() if (given == j).any() else np.inf for j in range(k)]
    )
    reached = np.where(probabilities >= thresholds, probabilities, -1.0)
    confident = reached.max(axis=1) >= 0
    suggested = np.where(confident, reached.argmax(axis=1), given)
    cells = given[confident] * k + suggested[confident]
    self_confidence = probabilities[rows, given]
    others = probabilities.copy()
    others[rows, given] = -np.inf
    return LabelErrors(
        given,
        thresholds,
        np.bincount(cells, minlength=k * k).reshape(k, k),
        suggested,
        self_confidence,
        self_confidence - others.max(axis=1),
    )
