"""Intervals: for a proportion, from resamples, over seeds, over folds; each with its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student
from statsmodels.stats.proportion import proportion_confint

from leukbench.score.arrays import FloatArray, IntArray

CONFIDENCE = 0.95

_ROUNDING = 1e-12
"""Below this, numbers that should be equal differ by floating point alone."""


@dataclass(frozen=True)
class Interval:
    """Bounds of a score, NaN where none can be given, and how they were found."""

    low: float
    high: float
    method: str


def wilson(successes: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return Wilson's interval of a proportion (1927, doi:10.1080/01621459.1927.10502953).

    Without continuity correction (Newcombe 1998, Statistics in Medicine 17:857-872, method 3).
    `successes` out of `n` independent images need not be whole (means over seeds, effective numbers).

    Examples
    --------
    >>> [round(float(bound), 4) for bound in wilson(81, 263)]
    [0.2553, 0.3662]
    """
    low, high = proportion_confint(successes, n, alpha=1 - confidence, method="wilson")
    return max(0.0, float(low)), min(1.0, float(high))


def design_effect(values: FloatArray, groups: IntArray) -> float:
    """Return how many times the variance of a mean grows because images come in groups.

    The between-groups (linearised) variance of the mean over the variance that independent images
    of the same values would give (Kish 1965, "Survey Sampling"; Rao and Scott 1992,
    doi:10.2307/2532311).

    `values` and `groups` hold one value and one group number an image. At least 1; where the values
    do not vary, images in a group on average.
    """
    n_groups = int(groups.max()) + 1
    if n_groups == len(values):
        return 1.0
    rest = values - values.mean()
    independent = float((rest**2).sum())
    if independent < _ROUNDING or n_groups == 1:
        return len(values) / n_groups
    by_group = np.bincount(groups, weights=rest)
    return max(1.0, n_groups / (n_groups - 1) * float((by_group**2).sum()) / independent)


def proportion_interval(
    values: FloatArray, groups: IntArray, confidence: float = CONFIDENCE
) -> Interval:
    """Return Wilson's interval of a mean of values in 0..1, one value an image.

    With several trials on the same images, the value of an image is its mean over the trials: the
    number of images stays what it is. With groups, `n` is divided by the design effect (Korn and
    Graubard 1998, Survey Methodology 24:193-201, who do so for exact limits).
    """
    effect = design_effect(values, groups)
    n = len(values) / effect
    low, high = wilson(float(values.mean()) * n, n, confidence)
    method = "Wilson" if effect == 1.0 else f"Wilson, design effect {effect:.2f}"
    return Interval(low, high, method)


def percentile_interval(resamples: FloatArray, confidence: float = CONFIDENCE) -> Interval:
    """Return the percentile interval (Efron and Tibshirani 1993, chapter 13).

    Resamples in which the score does not exist (NaN) are left out. No interval is given where all
    resamples agree: perfect predictions show no spread, which is not certainty.
    """
    exists = resamples[~np.isnan(resamples)]
    if exists.size == 0 or float(np.ptp(exists)) < _ROUNDING:
        return Interval(np.nan, np.nan, "cluster bootstrap: no spread, no interval")
    tail = (1 - confidence) / 2
    low, high = np.quantile(exists, [tail, 1 - tail])
    return Interval(float(low), float(high), "cluster bootstrap")


def with_seed_spread(
    value: float,
    interval: Interval,
    by_seed: Sequence[Sequence[float]],
    bounds: tuple[float, float],
    confidence: float = CONFIDENCE,
) -> Interval:
    """Widen an interval over images by what the seeds of the training add.

    The two distances from the value to its bounds are joined with the spread over seeds in squares,
    side by side (Newcombe 1998, Statistics in Medicine 17:873-890, method 10; Zou and Donner 2008,
    doi:10.1002/sim.3095): ``value - low' = f sqrt((value - low)^2 + z^2 s^2 / S)``. With few seeds
    ``s`` is itself uncertain, so ``f`` is the t quantile over the normal one, with Satterthwaite's
    degrees of freedom (1946, doi:10.2307/3002019), images counting as many. The spread over seeds
    on one test part holds some of the images' spread too: the result errs to the wide side.

    Parameters
    ----------
    value : float
        Mean over seeds, or the difference of two such means.
    interval : Interval
        Over images, of that value.
    by_seed : sequence of sequence of float
        For each model that enters the value, its score with each of its S seeds. A model with a
        single seed tells nothing about seeds and adds nothing.
    bounds : tuple of float
        Values that the score can take; the result stays within, and holds `value`.
    """
    below = max(value - interval.low, 0.0)
    above = max(interval.high - value, 0.0)
    several = [scores for scores in by_seed if len(scores) > 1]
    parts = [float(np.var(scores, ddof=1)) / len(scores) for scores in several]
    of_seeds = sum(parts)
    method = interval.method
    if several:
        method += f" + spread over {' and '.join(str(len(scores)) for scores in several)} seeds"
    if of_seeds > 0 and not np.isnan(below + above):
        z = float(norm.ppf((1 + confidence) / 2))
        of_images = ((below + above) / (2 * z)) ** 2
        uncertain = sum(
            part**2 / (len(scores) - 1) for part, scores in zip(parts, several, strict=True)
        )
        freedom = (of_images + of_seeds) ** 2 / uncertain
        factor = float(student.ppf((1 + confidence) / 2, freedom)) / z
        below, above = (
            factor * float(np.sqrt(side**2 + z**2 * of_seeds)) for side in (below, above)
        )
    return Interval(max(value - below, bounds[0]), min(value + above, bounds[1]), method)


@dataclass(frozen=True)
class CorrectedT:
    """Result of a corrected resampled t-test; `p` is two-sided."""

    mean: float
    standard_error: float
    t: float
    freedom: int
    p: float


def corrected_resampled_t(values: FloatArray, test_to_train: float) -> CorrectedT:
    """Test a mean over folds against zero, folds not being independent.

    Folds share training images, so the variance of their mean is ``(1/J + n_test/n_train) s^2``
    and not ``s^2 / J`` (Nadeau and Bengio 2003, doi:10.1023/A:1024068626366), with J - 1 degrees of
    freedom; for repeated k-fold, J is folds times repeats (Bouckaert and Frank 2004,
    doi:10.1007/978-3-540-24775-3_3).

    Parameters
    ----------
    values : numpy.ndarray, shape (J,)
        One number a fold, averaged over seeds beforehand: seeds on one fold share all of its
        images and are no resamples in the paper's sense. At least two.
    test_to_train : float
        Images tested on over images trained on.

    Where the values do not vary, p is 1 for a mean of zero and 0 otherwise.
    """
    folds = len(values)
    mean = float(values.mean())
    error = float(np.sqrt((1 / folds + test_to_train) * values.var(ddof=1)))
    if error < _ROUNDING:
        if abs(mean) < _ROUNDING:
            return CorrectedT(mean, 0.0, 0.0, folds - 1, 1.0)
        return CorrectedT(mean, 0.0, float(np.copysign(np.inf, mean)), folds - 1, 0.0)
    statistic = mean / error
    return CorrectedT(
        mean, error, statistic, folds - 1, 2 * float(student.sf(abs(statistic), folds - 1))
    )


def corrected_resampled_interval(
    values: FloatArray,
    test_to_train: float,
    bounds: tuple[float, float],
    confidence: float = CONFIDENCE,
) -> Interval:
    """Return the t interval that goes with `corrected_resampled_t`, kept within `bounds`.

    No interval is given where the folds do not differ at all.
    """
    test = corrected_resampled_t(values, test_to_train)
    method = f"corrected resampled t over {len(values)} folds"
    if test.standard_error == 0.0 or np.isnan(test.mean):
        return Interval(np.nan, np.nan, method + ": no spread, no interval")
    half = float(student.ppf((1 + confidence) / 2, test.freedom)) * test.standard_error
    return Interval(max(test.mean - half, bounds[0]), min(test.mean + half, bounds[1]), method)
