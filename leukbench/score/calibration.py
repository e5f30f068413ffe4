"""Do the probabilities mean what they say? Reliability, calibration error, temperature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from leukbench.errors import DataError
from leukbench.score.arrays import FloatArray, IntArray, arrays_of

BINS = 15
"""Bins of equal width, as in Guo et al. 2017, section 2 and their experiments."""

_TINY = np.finfo(np.float64).tiny
_LOG_TEMPERATURES = (-6.0, 6.0)


def bin_of(confidence: FloatArray, bins: int = BINS) -> IntArray:
    """Return the bin of each confidence, the intervals open below and closed above as in Guo's."""
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def confidence_and_hit(
    probabilities: FloatArray, truth: NDArray[np.integer]
) -> tuple[FloatArray, FloatArray]:
    """Return each image's highest probability, and one where that class is the true one."""
    top = probabilities.argmax(axis=1)
    return probabilities.max(axis=1), (top == truth).astype(np.float64)


def reliability(frame: pd.DataFrame, bins: int = BINS) -> pd.DataFrame:
    """Return what a reliability diagram of one trial shows, one row a bin of confidence.

    ``low``, ``high`` (edges), ``images``, ``confidence`` (mean highest probability) and ``accuracy``
    (share of images whose most probable class is the true one), both NaN for an empty bin.

    Raises
    ------
    leukbench.errors.DataError
        Where the probabilities are not finite.
    """
    a = arrays_of(frame)
    if a.probabilities is None:
        raise DataError("These predictions hold no finite probabilities: leave the model out.")
    confidence, hit = confidence_and_hit(a.distribution, a.truth)
    number = bin_of(confidence, bins)
    images = np.bincount(number, minlength=bins)
    some = np.where(images > 0, images, np.nan)
    edges = np.linspace(0.0, 1.0, bins + 1)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "images": images,
            "confidence": np.bincount(number, weights=confidence, minlength=bins) / some,
            "accuracy": np.bincount(number, weights=hit, minlength=bins) / some,
        }
    )


def expected_calibration_error(
    probabilities: FloatArray, truth: NDArray[np.integer], bins: int = BINS
) -> float:
    """Average the gap between confidence and accuracy over bins, weighted by their images.

    ECE = sum over bins of (n_b / n) ``|accuracy_b - confidence_b|`` (Guo et al. 2017, "On calibration
    of modern neural networks", ICML, arXiv:1706.04599, eq. 3), on the most probable class.

    `probabilities` has shape (n, k), `truth` holds columns of it. 0 is perfectly calibrated.

    Examples
    --------
    Always sure, right every second time:

    >>> expected_calibration_error(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1]))
    0.5
    """
    confidence, hit = confidence_and_hit(probabilities, truth)
    gaps = np.bincount(bin_of(confidence, bins), weights=hit - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))


@dataclass(frozen=True)
class CalibrationTest:
    """A calibration error beside that of perfect calibration.

    `null` is the mean ECE that the same probabilities would score on as many images if they were true,
    `p` the share of such data sets with an ECE as large, `debiased` what is left of `ece` above `null`.
    """

    ece: float
    null: float
    p: float

    @property
    def debiased(self) -> float:
        """ECE less its mean under perfect calibration, at least 0."""
        return max(0.0, self.ece - self.null)


def calibration_test(
    probabilities: FloatArray,
    truth: NDArray[np.integer],
    bins: int = BINS,
    draws: int = 1000,
    seed: int = 0,
) -> CalibrationTest:
    """Test whether probabilities are calibrated: ECE is above 0 even where they are.

    Whether the most probable class is the true one is drawn anew from the probabilities themselves
    (Broecker and Smith 2007, doi:10.1175/WAF993.1; p with the observed one counted).
    """
    confidence, _ = confidence_and_hit(probabilities, truth)
    ece = expected_calibration_error(probabilities, truth, bins)
    inside = np.eye(bins)[bin_of(confidence, bins)]
    hits = np.random.default_rng(seed).random((draws, len(truth))) < confidence
    null = np.abs((hits - confidence) @ inside).sum(axis=1) / len(truth)
    p = (1 + np.count_nonzero(null >= ece - 1e-12)) / (1 + draws)
    return CalibrationTest(ece, float(null.mean()), float(p))


def fit_temperature(
    validation_probabilities: FloatArray, validation_truth: NDArray[np.integer]
) -> float:
    """Find the temperature that makes the validation images' probabilities likeliest.

    A single number T > 0 divides the logits before the softmax; it is fitted by log-loss (Guo et
    al. 2017, section 4.2). Log-probabilities serve as logits, from which they differ by a constant
    an image only. Give it images that neither trained nor test the model.

    Above 1 where the model was too sure; kept within exp(-6) to exp(6).

    Raises
    ------
    leukbench.errors.DataError
        Where there is no validation image.
    """
    if len(validation_truth) == 0:
        raise DataError(
            "There is no validation image to fit the temperature on: let the split set some aside."
        )
    logits = np.log(np.maximum(validation_probabilities, _TINY))
    logits = logits - logits.max(axis=1, keepdims=True)
    of_truth = logits[np.arange(len(validation_truth)), validation_truth]

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        partition = np.log(np.exp(scale * logits).sum(axis=1))
        return float((partition - scale * of_truth).mean())

    found = minimize_scalar(
        loss, bounds=_LOG_TEMPERATURES, method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))


def apply_temperature(probabilities: FloatArray, temperature: float) -> FloatArray:
    """Soften (temperature above 1) or sharpen (below 1) probabilities; the most probable class stays."""
    logits = np.log(np.maximum(probabilities, _TINY))
    scaled: FloatArray = softmax(logits / temperature, axis=1)
    return scaled
