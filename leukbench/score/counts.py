"""Confusion matrices, one or thousands at once, and the scores of each class against the rest.

An average over classes (macro: each class weighs the same) runs over the classes that the test part
holds. A class without a test image has no recall and enters no average, while a prediction of it
counts as wrong for the image's true class. A class that is never predicted has precision 0
(scikit-learn's ``zero_division=0``). What does not exist is NaN, never a warning.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.score.arrays import Arrays, FloatArray, IntArray, arrays_of


def confusion_matrix(a: Arrays) -> IntArray:
    """Count a trial's images by true class (rows) and predicted class (columns)."""
    k = len(a.classes)
    cells = np.bincount(a.truth * k + a.predicted, minlength=k * k)
    counts: IntArray = cells.reshape(k, k).astype(np.int64)
    return counts


def confusion_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the confusion matrix of a prediction frame: rows true, columns predicted classes."""
    a = arrays_of(frame)
    return labelled(confusion_matrix(a), a.classes)


def labelled(counts: NDArray[np.generic], classes: tuple[str, ...]) -> pd.DataFrame:
    """Name the rows and columns of a confusion matrix."""
    rows, columns = pd.Index(classes, name="true"), pd.Index(classes, name="predicted")
    return pd.DataFrame(counts, index=rows, columns=columns)


def ratio(numerator: FloatArray, denominator: FloatArray, otherwise: float = np.nan) -> FloatArray:
    """Divide, with `otherwise` where the denominator is zero."""
    out = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), otherwise)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def mean_over_classes(values: FloatArray) -> FloatArray:
    """Average the first axis over what is not NaN; NaN where nothing is left."""
    exists = ~np.isnan(values)
    return ratio(np.where(exists, values, 0.0).sum(axis=0), exists.sum(axis=0).astype(np.float64))


def per_class_scores(counts: NDArray[np.generic]) -> dict[str, FloatArray]:
    """Score each class against the rest.

    Parameters
    ----------
    counts : numpy.ndarray, shape (k, k, ...)
        Confusion matrices: true class, predicted class, then anything (resamples).

    Returns
    -------
    dict of str to numpy.ndarray, shape (k, ...)
        ``precision`` TP/(TP+FP), the positive predictive value: 0 for a class never predicted;
        ``recall`` TP/(TP+FN), the sensitivity: NaN for an absent class; ``specificity`` TN/(TN+FP);
        ``npv`` TN/(TN+FN): 0 where everything is predicted to be this class; ``f1``
        2TP/(2TP+FP+FN); ``support``. An absent class has NaN everywhere but in specificity and npv,
        where it is a true negative for each image that is not called by its name.
    """
    n = np.asarray(counts, dtype=np.float64)
    hit = np.einsum("kk...->k...", n)
    support, called, total = n.sum(axis=1), n.sum(axis=0), n.sum(axis=(0, 1))
    absent = np.where(support > 0, 0.0, np.nan)
    true_negative = total - support - called + hit
    return {
        "precision": ratio(hit, called, 0.0) + absent,
        "recall": ratio(hit, support),
        "specificity": ratio(true_negative, total - support),
        "npv": ratio(true_negative, total - called, 0.0),
        "f1": ratio(2 * hit, support + called, 0.0) + absent,
        "support": support,
    }
