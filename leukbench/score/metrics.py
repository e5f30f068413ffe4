"""One trial's predictions to its scores. Every definition, and what happens in the corner cases.

Averages over classes are macro: each class weighs the same. They run over the classes that the
test part holds (support above zero); a class without a test image has no recall and enters no
average, while a prediction of it still counts as wrong for the image's true class. A class that
is never predicted has precision 0 (scikit-learn's ``zero_division=0``). Specificity is one against
the rest; it does not exist for a class that every test image belongs to. What does not exist is
NaN, never a warning. With every class in the test part, all values equal scikit-learn's, which is
imported for scores of probabilities alone: it takes a second, and a gate on counts needs none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.score.arrays import Arrays, FloatArray, IntArray, arrays_of

COUNT_METRICS = (
    "accuracy", "precision", "recall", "specificity", "f1", "balanced_accuracy", "mcc",
)  # fmt: skip
PROBABILITY_METRICS = ("auroc", "average_precision", "log_loss", "brier", "ece")
METRICS = COUNT_METRICS + PROBABILITY_METRICS
"""All scores of a trial, in the order of the tables."""

RANGES: dict[str, tuple[float, float]] = dict.fromkeys(METRICS, (0.0, 1.0)) | {
    "mcc": (-1.0, 1.0),
    "log_loss": (0.0, np.inf),
    "brier": (0.0, 2.0),
}
"""The values that each score can take."""

LOWER_IS_BETTER = frozenset({"log_loss", "brier", "ece"})


def confusion_matrix(truth: IntArray, predicted: IntArray, classes: int) -> IntArray:
    """Count images by true class (rows) and predicted class (columns), shape (classes, classes)."""
    cells = np.bincount(truth * classes + predicted, minlength=classes * classes)
    counts: IntArray = cells.reshape(classes, classes).astype(np.int64)
    return counts


def confusion_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the confusion matrix of a prediction frame: rows true, columns predicted classes."""
    a = arrays_of(frame)
    counts = confusion_matrix(a.truth, a.predicted, len(a.classes))
    return pd.DataFrame(
        counts,
        index=pd.Index(a.classes, name="true"),
        columns=pd.Index(a.classes, name="predicted"),
    )


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


def scores_from_counts(counts: NDArray[np.generic]) -> dict[str, FloatArray]:
    """Compute the scores that a confusion matrix determines.

    Parameters
    ----------
    counts : numpy.ndarray, shape (k, k, ...)
        As in `per_class_scores`. The trailing axes are kept: thousands of resamples at once.

    Returns
    -------
    dict of str to numpy.ndarray, shape (...)
        One entry for each of `COUNT_METRICS`. ``balanced_accuracy`` is the mean recall (Brodersen
        et al. 2010, doi:10.1109/ICPR.2010.764), which is what ``recall`` is too, being macro.
        ``mcc`` is the multi-class Matthews correlation (Gorodkin 2004,
        doi:10.1016/j.compbiolchem.2004.09.006): 0 where its denominator is 0, as in
        scikit-learn.
    """
    n = np.asarray(counts, dtype=np.float64)
    scores = per_class_scores(n)
    support, called, total = n.sum(axis=1), n.sum(axis=0), n.sum(axis=(0, 1))
    trace = np.einsum("kk...->...", n)
    recall = mean_over_classes(scores["recall"])
    present = np.where(support > 0, scores["specificity"], np.nan)
    spread = (total**2 - (support**2).sum(axis=0)) * (total**2 - (called**2).sum(axis=0))
    return {
        "accuracy": ratio(trace, total),
        "precision": mean_over_classes(scores["precision"]),
        "recall": recall,
        "specificity": mean_over_classes(present),
        "f1": mean_over_classes(scores["f1"]),
        "balanced_accuracy": recall,
        "mcc": ratio(trace * total - (support * called).sum(axis=0), np.sqrt(spread), 0.0),
    }


def _one_vs_rest(
    a: Arrays, p: FloatArray, score: Callable[..., float], needs_negatives: bool
) -> float:
    """Average a binary ranking score over the classes for which it exists."""
    support = np.bincount(a.truth, minlength=len(a.classes))
    exists = (support > 0) & ((support < len(a.truth)) | (not needs_negatives))
    if not exists.any():
        return float("nan")
    truth = (a.truth[:, None] == np.flatnonzero(exists)).astype(np.int64)
    if truth.shape[1] == 1:
        return float(score(truth[:, 0], p[:, exists][:, 0]))
    return float(score(truth, p[:, exists], average="macro"))


def _auroc(a: Arrays, p: FloatArray) -> float:
    from sklearn.metrics import roc_auc_score

    return _one_vs_rest(a, p, roc_auc_score, True)


def _average_precision(a: Arrays, p: FloatArray) -> float:
    from sklearn.metrics import average_precision_score

    return _one_vs_rest(a, p, average_precision_score, False)


def _log_loss(a: Arrays, p: FloatArray) -> float:
    from sklearn.metrics import log_loss

    return float(log_loss(a.truth, p, labels=np.arange(len(a.classes))))


def _brier(a: Arrays, p: FloatArray) -> float:
    from sklearn.metrics import brier_score_loss

    labels = np.arange(len(a.classes))
    if len(labels) == 2:
        return 2 * float(brier_score_loss(a.truth, p[:, 1], pos_label=1, scale_by_half=True))
    return float(brier_score_loss(a.truth, p, labels=labels, scale_by_half=False))


def _ece(a: Arrays, p: FloatArray) -> float:
    from leukbench.score.calibration import expected_calibration_error

    return expected_calibration_error(p, a.truth)


_OF_STORED = {"auroc": _auroc, "average_precision": _average_precision}
_OF_DISTRIBUTIONS = {"log_loss": _log_loss, "brier": _brier, "ece": _ece}


def scores_of(a: Arrays, metrics: Sequence[str] = METRICS) -> dict[str, float]:
    """Score one trial given as arrays; see `trial_scores`."""
    counts = scores_from_counts(confusion_matrix(a.truth, a.predicted, len(a.classes)))
    others = _scores_of_probabilities(a, [name for name in metrics if name not in counts])
    return {name: float(counts[name]) if name in counts else others[name] for name in metrics}


def _scores_of_probabilities(a: Arrays, metrics: Sequence[str]) -> dict[str, float]:
    """Scores from the probabilities as stored, or from the same as distributions."""
    if not metrics:
        return {}
    if a.probabilities is None or a.distribution is None:
        return dict.fromkeys(metrics, float("nan"))
    from sklearn import config_context

    # the arrays were checked when they were made: scikit-learn need not look again, trial by trial
    with config_context(assume_finite=True, skip_parameter_validation=True):
        return {
            name: _OF_STORED[name](a, a.probabilities)
            if name in _OF_STORED
            else _OF_DISTRIBUTIONS[name](a, a.distribution)
            for name in metrics
        }


def trial_scores(frame: pd.DataFrame, metrics: Sequence[str] = METRICS) -> dict[str, float]:
    """Score one trial's predictions.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``image``, ``y_true``, ``y_pred`` and one ``p_<class>`` a class.
    metrics : sequence of str
        Which of `METRICS`; only these are computed.

    Returns
    -------
    dict of str to float
        ``accuracy`` to ``mcc`` as in `scores_from_counts`, from ``y_pred``; the others from the
        probabilities, NaN where these are not finite:

        ``auroc``
            Mean over the classes of the area under the ROC curve, one against the rest, 0 to 1,
            ties counting half (Hand and Till 2001, doi:10.1023/A:1010920819831).
        ``average_precision``
            Mean over the classes of the sum of precision times gain in recall over all thresholds.
        ``log_loss``
            Mean negative natural logarithm of the true class's probability, in nats, clipped at
            machine precision as scikit-learn does.
        ``brier``
            Mean over the images of the squared differences between probability and truth, summed
            over all classes: 0 to 2 (Brier 1950, Monthly Weather Review 78:1-3). Half of it
            is what is often printed for two classes.
        ``ece``
            Expected calibration error, 15 bins of equal width over the highest probability
            (see `leukbench.score.calibration.expected_calibration_error`).

    Raises
    ------
    leukbench.errors.DataError
        Where the frame is not what it should be; see `leukbench.score.arrays.arrays_of`.
    """
    return scores_of(arrays_of(frame), metrics)
