"""Two models on the same images: is the difference more than chance?

Each function takes what it tests and nothing else, so that each can be checked against its source.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm
from scipy.stats import t as student
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from leukbench.score.arrays import FloatArray, IntArray
from leukbench.score.intervals import TTest
from leukbench.score.resampling import weight_chunks

SWAPS = 9999
_CELLS_AT_ONCE = 2_000_000


@lru_cache(maxsize=65536)
def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Return the exact two-sided p of McNemar's test (McNemar 1947, doi:10.1007/BF02295996).

    `only_a` images only the one model has right, `only_b` only the other.

    Examples
    --------
    >>> round(mcnemar_exact(8, 1), 4)
    0.0391
    """
    if only_a + only_b == 0:
        return 1.0
    return float(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue)


def holm(p_values: FloatArray) -> FloatArray:
    """Adjust p-values for their number (Holm 1979, Scandinavian Journal of Statistics 6:65-70)."""
    adjusted: FloatArray = multipletests(p_values, method="holm")[1]
    return adjusted


def combine_dependent(p_values: FloatArray) -> float:
    """Join p-values of one hypothesis that depend on each other in any way.

    Rueger's rule: K/k times the k-th smallest of K, here with k = ceil(K/2), so about twice the
    median, and the p-value itself for K = 1 (Rueger 1978, Metrika 25:171-178; Vovk and Wang 2020,
    doi:10.1093/biomet/asaa027).

    Examples
    --------
    >>> combine_dependent(np.array([0.01, 0.02, 0.9]))
    0.03
    """
    ordered = np.sort(p_values, axis=None)
    k = -(-len(ordered) // 2)
    return min(1.0, len(ordered) / k * float(ordered[k - 1]))


def mcnemar_over_seeds(
    right_a: NDArray[np.float32],
    wrong_a: NDArray[np.float32],
    right_b: NDArray[np.float32],
    wrong_b: NDArray[np.float32],
) -> tuple[float, float, float]:
    """Test every seed of one model against every seed of the other on the same images.

    The tests share images and fits, so they are joined by `combine_dependent`; no seed is paired by
    its number, which means nothing across models, and no image is counted twice.

    The arrays, of shape (seeds, images), hold one where that seed has the image right (wrong), zero in
    both where it did not test it.

    Returns
    -------
    only_a, only_b : float
        Images that only the one model has right, mean over the pairs of seeds.
    p : float
    """
    only_a = np.rint(right_a @ wrong_b.T).astype(np.int64)
    only_b = np.rint(wrong_a @ right_b.T).astype(np.int64)
    p = [mcnemar_exact(int(b), int(c)) for b, c in zip(only_a.ravel(), only_b.ravel(), strict=True)]
    return float(only_a.mean()), float(only_b.mean()), combine_dependent(np.array(p))


def group_sums(values: FloatArray, groups: IntArray) -> FloatArray:
    """Sum each row of `values` (models, images) by group: shape (models, groups)."""
    n_groups = int(groups.max()) + 1
    return np.array([np.bincount(groups, weights=row, minlength=n_groups) for row in values])


def bootstrap_accuracies(
    right: FloatArray, groups: IntArray, resamples: int, seed: int
) -> FloatArray:
    """Return every model's accuracy under the same resamples of whole groups.

    Differences between two columns are the paired cluster bootstrap (Field and Welsh 2007,
    doi:10.1111/j.1467-9868.2007.00593.x).

    `right`, of shape (models, images), is the share of a model's trials that have the image right.
    The result has the shape (resamples, models).
    """
    table = np.vstack([group_sums(right, groups), np.bincount(groups)]).astype(np.float32)
    chunks = weight_chunks(table.shape[1], resamples, seed)
    sums = np.concatenate([(table @ weights).T for weights in chunks]).astype(np.float64)
    accuracies: FloatArray = sums[:, :-1] / sums[:, -1:]
    return accuracies


def swapped_sums(right: FloatArray, groups: IntArray, swaps: int, seed: int) -> FloatArray:
    """Return sums over groups with random signs, one column a model, for `swap_p`.

    Exchanging two models on a group flips the sign of the group's difference. Sums are linear, so
    one product serves all pairs. The result has the shape (swaps, models).
    """
    table = group_sums(right, groups).T
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS_AT_ONCE // len(table))
    parts = []
    for start in range(0, swaps, step):
        size = (min(step, swaps - start), len(table))
        signs = rng.integers(0, 2, size=size, dtype=np.int8).astype(np.float64) * 2 - 1
        parts.append(signs @ table)
    return np.concatenate(parts)


def swap_p(swapped_a: FloatArray, swapped_b: FloatArray, observed: float) -> float:
    """Return the two-sided p of the test that swaps two models on whole groups at random.

    Under the hypothesis that it does not matter which model is which, every such swap is as likely
    (Fisher's randomisation test for pairs, "The Design of Experiments", 1935; p with the observed
    one counted, Phipson and Smyth 2010, doi:10.2202/1544-6115.1585). With one seed and groups of
    one image it is McNemar's exact test, drawn instead of enumerated.
    `swapped_a` and `swapped_b` are columns of `swapped_sums`, `observed` is the difference of the two
    models' sums of right images as it is.
    """
    beyond = np.abs(swapped_a - swapped_b) >= abs(observed) - 1e-9
    return float((1 + np.count_nonzero(beyond)) / (1 + len(beyond)))


def smallest_mcnemar_difference(
    n: float, discordance: float, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return the difference in accuracy that McNemar's test on `n` images would probably find.

    Solves ``n = (z_alpha/2 sqrt(psi) + z_beta sqrt(psi - d^2))^2 / d^2`` for d (Miettinen 1968,
    Biometrics 24:339-352; Connor 1987, Biometrics 43:207-211). A difference cannot pass the
    discordance: where the one observed is too small for any difference to show, all of it is taken
    to go one way (psi = d).

    `n` is the (effective) number of independent images, `discordance` the share of images that exactly
    one of the two models has right, `alpha` two-sided. NaN where so few images could show nothing.
    """
    z_alpha, z_beta = float(norm.ppf(1 - alpha / 2)), float(norm.ppf(power))

    def surplus(d: float) -> float:
        psi = max(discordance, d)
        return (z_alpha * math.sqrt(psi) + z_beta * math.sqrt(psi - d * d)) / d - math.sqrt(n)

    if surplus(1.0) > 0:
        return float("nan")
    return float(brentq(surplus, 1e-9, 1.0, xtol=1e-12))


def smallest_t_difference(test: TTest, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the difference that the corrected resampled t-test would probably find.

    ``(t_alpha/2 + t_beta) SE`` with the test's own standard error and degrees of freedom (the usual
    approximation to the non-central t).
    """
    quantiles = student.ppf(1 - alpha / 2, test.freedom) + student.ppf(power, test.freedom)
    return float(quantiles * test.standard_error)
