"""Selective prediction: what is left of the errors when a model answers only where it is sure.

Source: El-Yaniv and Wiener 2010, Journal of Machine Learning Research 11:1605-1641 (risk-coverage
curve); Geifman and El-Yaniv 2017, arXiv:1705.08500 (the highest probability as confidence); Geifman,
Uziel and El-Yaniv 2019, arXiv:1805.08206 (AURC and its optimum).
"""

from __future__ import annotations

import numpy as np

from leukbench.score.arrays import FloatArray
from leukbench.score.calibration import confidence_and_hit


def risk_coverage(probabilities: FloatArray, truth: np.ndarray) -> FloatArray:
    """Share of errors among the 1, 2, ..., n images that a model is surest of, shape (n,).

    Images of equal confidence come in random order: what is given is the expectation over it.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (n, k)
        Of a distribution; the most probable class is the answer, its probability the confidence.
    truth : numpy.ndarray of int, shape (n,)
        Columns of `probabilities`.

    Examples
    --------
    The second surest of three answers is wrong:

    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]])
    >>> risk_coverage(p, np.array([0, 1, 0])).round(3).tolist()
    [0.0, 0.5, 0.333]
    """
    confidence, hit = confidence_and_hit(probabilities, truth)
    _, place, images = np.unique(-confidence, return_inverse=True, return_counts=True)
    errors = np.bincount(place, weights=1 - hit) / images
    expected: FloatArray = np.cumsum(np.repeat(errors, images)) / np.arange(1, len(truth) + 1)
    return expected


def best_risk_coverage(n: int, wrong: float) -> FloatArray:
    """The same for a model with `wrong` errors in `n` images that is surer of every right answer.

    >>> best_risk_coverage(4, 2).round(3).tolist()
    [0.0, 0.0, 0.333, 0.5]
    """
    kept = np.arange(1, n + 1)
    best: FloatArray = np.maximum(0, wrong - (n - kept)) / kept
    return best


def aurc(risk: FloatArray) -> float:
    """Area under a curve of `risk_coverage`: the mean of its n values (lower is better).

    It is the error rate where confidence says nothing.

    >>> aurc(np.array([0.0, 0.5, 0.25]))
    0.25
    """
    return float(risk.mean())


def at_coverage(risk: FloatArray, coverage: FloatArray) -> FloatArray:
    """Risk where at least a share `coverage` of the images is answered, at least one of them.

    >>> at_coverage(np.array([0.0, 0.5]), np.array([0.0, 0.5, 0.6, 1.0])).tolist()
    [0.0, 0.0, 0.5, 0.5]
    """
    answered = np.ceil(coverage * len(risk) - 1e-9).astype(np.int64)
    chosen: FloatArray = risk[np.maximum(answered, 1) - 1]
    return chosen
