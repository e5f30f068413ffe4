"""Intervals: for a proportion, from resamples, over seeds, over folds; each with its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm
from scipy.stats import t as student
from statsmodels.stats.proportion import proportion_confint

from leukbench.score.arrays import FloatArray, IntArray

CONFIDENCE = 0.95

MIN_GROUPS = 10
"""Effective groups below which an interval may be too narrow, so that nothing is concluded from it."""

_LARGEST_Z = 30.0
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
    return _wilson(successes, n, alpha=1 - confidence)


def _wilson(successes: float, n: float, alpha: float) -> tuple[float, float]:
    low, high = proportion_confint(successes, n, alpha=alpha, method="wilson")
    return max(0.0, float(low)), min(1.0, float(high))


@dataclass(frozen=True)
class Clusters:
    """How much the groups of the images cost the mean of one value an image.

    Attributes
    ----------
    variance : float
        Of the mean: grouped jackknife, which gives large groups their leverage.
    design_effect : float
        That over the variance which independent images of the same values would give (Kish 1965,
        "Survey Sampling"; Rao and Scott 1992, doi:10.2307/2532311), at least 1. Where the values do
        not vary, images in a group on average.
    freedom : float
        Degrees of freedom for t: groups that count, less one. Groups count by Kish's effective number,
        (sum n_g)^2 / sum n_g^2, or by twice the number that carry the variance,
        (sum e_g^2)^2 / sum e_g^4 over the jackknife's deviations e_g, whichever is smaller: where one
        patient holds most errors, his share is known from one patient. Where no two errors share a
        group, Kish's number counts alone. Infinite where the groups cost nothing.
    """

    variance: float
    design_effect: float
    freedom: float


def effective_groups(groups: IntArray) -> float:
    """Kish's effective number of groups, (sum n_g)^2 / sum n_g^2."""
    return float(len(groups) ** 2 / (np.bincount(groups) ** 2).sum())


def clusters(values: FloatArray, groups: IntArray, strata: IntArray | None = None) -> Clusters:
    """Measure the dependence of `values` within `groups`, one number each an image.

    With `strata`, such as true classes, what sets their means apart is no dependence within groups.
    """
    sizes = np.bincount(groups)
    n, n_groups = len(values), len(sizes)
    effective = effective_groups(groups)
    rest = values - values.mean()
    if strata is not None:
        means = np.bincount(strata, weights=values) / np.maximum(np.bincount(strata), 1)
        rest = values - means[strata]
    squares = float((rest**2).sum())
    if squares < _ROUNDING or n_groups == 1:
        return Clusters(0.0, n / effective, effective - 1)
    deviations = np.bincount(groups, weights=rest) / (1 - sizes / n)
    spread = (n_groups - 1) / n_groups * float((deviations**2).sum())
    if n_groups < n and spread <= squares:
        return Clusters(squares / n**2, 1.0, np.inf)
    effect = spread / squares if n_groups < n else 1.0
    carrying = _carrying(deviations)
    # as many groups as images carry the errors: no two of them share a group
    together = n_groups == n or carrying < 0.9 * _carrying(rest)
    freedom = min(effective, 2 * carrying) if together else effective
    return Clusters(spread / n**2, effect, freedom - 1)


def _carrying(deviations: FloatArray) -> float:
    """How many of the deviations make up their sum of squares."""
    return float((deviations**2).sum()) ** 2 / float((deviations**4).sum())


def t_over_z(freedom: float, confidence: float = CONFIDENCE) -> float:
    """How many times as wide an interval grows by taking t for z; infinite without freedom."""
    if freedom <= 0:
        return np.inf
    level = (1 + confidence) / 2
    return float(student.ppf(level, freedom) / norm.ppf(level))


def proportion_interval(
    values: FloatArray,
    groups: IntArray,
    confidence: float = CONFIDENCE,
    strata: IntArray | None = None,
) -> Interval:
    """Return Wilson's interval of a mean of values in 0..1, one value an image.

    With several trials on the same images, the value of an image is its mean over the trials: the
    images stay as many as they are, and count as what the variance of those means is worth. With
    groups, `n` is divided by the design effect and t stands for z (Korn and Graubard 1998, Survey
    Methodology 24:193-201, who do so for exact limits).
    """
    mean, n = float(values.mean()), float(len(values))
    squares = float(((values - mean) ** 2).sum())
    if squares > _ROUNDING and not np.isin(values, (0.0, 1.0)).all():
        n *= n * mean * (1 - mean) / squares
    if len(values) == (n_groups := int(groups.max()) + 1):
        low, high = wilson(mean * n, n, confidence)
        return Interval(low, high, "Wilson")
    cost = clusters(values, groups, strata)
    if n_groups == 1 or cost.freedom <= 0:
        return Interval(0.0, 1.0, "one group: nothing is known")
    t = float(student.ppf((1 + confidence) / 2, cost.freedom))
    n /= cost.design_effect
    low, high = _wilson(mean * n, n, alpha=2 * float(norm.sf(min(t, _LARGEST_Z))))
    if np.isinf(cost.freedom):
        return Interval(low, high, "Wilson")
    return Interval(low, high, f"Wilson, design effect {cost.design_effect:.2f} and t")


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


def widened(interval: Interval, value: float, factor: float) -> Interval:
    """Multiply the distances of both bounds from `value`."""
    low, high = (value + factor * (bound - value) for bound in (interval.low, interval.high))
    return replace(interval, low=low, high=high)


def few_groups(groups: IntArray, confidence: float = CONFIDENCE) -> float:
    """By how much a cluster bootstrap is too narrow: t with Kish's number of groups over z.

    Resampling G groups gives (G - 1) / G of their variance besides. 1 for images without groups.
    """
    sizes = np.bincount(groups)
    if len(sizes) == len(groups):
        return 1.0
    if len(sizes) == 1:
        return np.inf
    return t_over_z(effective_groups(groups) - 1, confidence) * float(
        np.sqrt(len(sizes) / (len(sizes) - 1))
    )


def with_seed_spread(
    value: float,
    interval: Interval,
    by_seed: Sequence[Sequence[float]],
    bounds: tuple[float, float],
    confidence: float = CONFIDENCE,
    *,
    shared: float = 1.0,
) -> Interval:
    """Widen an interval over images by what the seeds of the training add.

    The two distances from the value to its bounds are joined with the spread over seeds in squares,
    side by side (Newcombe 1998, Statistics in Medicine 17:873-890, method 10; Zou and Donner 2008,
    doi:10.1002/sim.3095): ``value - low' = f sqrt((value - low)^2 + z^2 s^2 / S)``. With few seeds
    ``s`` is itself uncertain, so ``f`` is the t quantile over the normal one, with Satterthwaite's
    degrees of freedom (1946, doi:10.2307/3002019), images counting as many. The spread over seeds
    on one test part holds some of the images' spread too, so that the result errs to the wide side;
    the degrees of freedom count that part as known from the seeds alone (Hillis 2007,
    doi:10.1002/sim.2532, who does so for readers of the same cases).

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
    shared : float
        Share of the variance over images that all seeds have in common (`shared_by_seeds`).
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
        freedom = (shared * of_images + of_seeds) ** 2 / uncertain
        factor = float(student.ppf((1 + confidence) / 2, freedom)) / z
        below, above = (
            factor * float(np.sqrt(side**2 + z**2 * of_seeds)) for side in (below, above)
        )
    return Interval(max(value - below, bounds[0]), min(value + above, bounds[1]), method)


def shared_by_seeds(shares: FloatArray, seeds: int) -> float:
    """What part of the variance of the images' means over seeds is not the seeds' own noise.

    An image that a share p of S seeds has right varies by ``p (1 - p) S / (S - 1)`` between seeds, of
    which its mean keeps one S-th.
    """
    variance = float(shares.var())
    if seeds < 2 or variance < _ROUNDING:
        return 1.0
    return max(0.0, 1 - float((shares * (1 - shares)).mean()) / (seeds - 1) / variance)


def proportion_with_seed_spread(
    value: float,
    interval: Interval,
    by_seed: Sequence[float],
    shared: float,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Join Wilson's interval of a proportion with the spread over seeds, on the scale of logits.

    Wilson's interval is symmetric there (Newcombe 1998, Statistics in Medicine 17:857-872), and so is
    the spread of seeds, which near 0 or 1 is skew on the scale of the proportion; deviations of the
    seeds are carried over by the delta method, so that a seed with no error is no infinity. See
    `with_seed_spread` for the rest.
    """
    inside = 0 < interval.low <= value <= interval.high < 1
    if len(set(by_seed)) < 2 or not inside:
        return with_seed_spread(value, interval, [by_seed], (0.0, 1.0), confidence, shared=shared)
    low, centre, high = logit([interval.low, value, interval.high])
    seeds = [centre + (score - value) / (value * (1 - value)) for score in by_seed]
    joined = with_seed_spread(
        float(centre),
        replace(interval, low=float(low), high=float(high)),
        [seeds],
        (-np.inf, np.inf),
        confidence,
        shared=shared,
    )
    return replace(joined, low=float(expit(joined.low)), high=float(expit(joined.high)))


@dataclass(frozen=True)
class TTest:
    """Result of a two-sided t-test of a mean against zero."""

    mean: float
    standard_error: float
    t: float
    freedom: float
    p: float


def t_test(mean: float, standard_error: float, freedom: float) -> TTest:
    """Return the t-test of `mean`; without spread, p is 1 for a mean of zero and 0 otherwise."""
    if standard_error < _ROUNDING:
        if abs(mean) < _ROUNDING:
            return TTest(mean, 0.0, 0.0, freedom, 1.0)
        return TTest(mean, 0.0, float(np.copysign(np.inf, mean)), freedom, 0.0)
    t = mean / standard_error
    p = 2 * float(student.sf(abs(t), freedom)) if freedom > 0 else 1.0
    return TTest(mean, standard_error, t, freedom, p)


def seed_aware_t(difference: float, cost: Clusters, by_seed: Sequence[Sequence[float]]) -> TTest:
    """Test a difference of two models on one split, other images and other seeds being possible.

    The variance is that over groups of images plus ``s^2 / S`` of each model, s being the spread of its
    S seeds; degrees of freedom are Satterthwaite's (1946, doi:10.2307/3002019).

    Parameters
    ----------
    cost : Clusters
        Of the difference, image by image, mean over seeds.
    by_seed : sequence of sequence of float
        The accuracy of each model with each of its seeds.
    """
    parts = [(cost.variance, cost.freedom)]
    parts += [(float(np.var(s, ddof=1)) / len(s), len(s) - 1) for s in by_seed if len(s) > 1]
    total = sum(variance for variance, _ in parts)
    parts = [(variance, freedom) for variance, freedom in parts if variance > 0]
    if any(freedom <= 0 for _, freedom in parts):
        return t_test(difference, float(np.sqrt(total)), 0.0)
    uncertain = sum(variance**2 / freedom for variance, freedom in parts)
    freedom = total**2 / uncertain if uncertain > 0 else np.inf
    return t_test(difference, float(np.sqrt(total)), freedom)


def corrected_resampled_t(values: FloatArray, test_to_train: float) -> TTest:
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
    """
    folds = len(values)
    mean = float(values.mean())
    error = float(np.sqrt((1 / folds + test_to_train) * values.var(ddof=1)))
    return t_test(mean, error, folds - 1)


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
