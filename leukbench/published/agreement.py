"""What accuracy and supports leave of MCC and kappa, however the shares were averaged.

Of n images u n are wrong. Each moves the shares q of the predicted classes away from those of the
true ones, p, by one image from one class to another. So the agreement by chance, sum p q, lies within
u (max p - min p) of sum p^2, and sum (q - p)^2 is at most 2 u^2. Cohen's kappa (1960) and Matthews'
coefficient over classes (Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006) follow from these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt

from leukbench.published.binary_extras import SLACK, Range, printed_range


def bounded(metrics: Iterable[str], supports: Sequence[int]) -> list[str]:
    """Which of these accuracy and supports bound; of three classes and more kappa may be weighted."""
    classes = sum(size > 0 for size in supports)
    of_all = {"mcc": classes > 1, "kappa": classes == 2}
    return [metric for metric in metrics if of_all.get(metric, False)]


def agreement_range(metric: str, right: int, supports: Sequence[int]) -> Range:
    """Bounds on MCC or kappa where `right` images of test sets of these supports are right.

    >>> low, high = agreement_range("kappa", 95, (50, 50))
    >>> round(low, 2), round(high, 2)
    (0.9, 0.9)
    """
    n = sum(supports)
    p, u = [size / n for size in supports], 1 - right / n
    k, x = 1 - sum(q * q for q in p), u * (max(p) - min(p))
    least, most = k - u - x, k - u + x
    if metric == "kappa":
        return (least / (k - x) if k > x else -1.0), most / (k + x)
    if least <= 0:
        return -1.0, 1.0
    low, high = least / sqrt(k * (k - 2 * x)), 1.0
    if k - 2 * x - 2 * u * u > 0:
        ends = [(least, k - 2 * x), (most, k + 2 * x)]
        high = min(1.0, max(top / sqrt(k * (below - 2 * u * u)) for top, below in ends))
    return low, high


def disagreements(
    extras: Mapping[str, str], counts: Iterable[int], supports: Sequence[int]
) -> list[str]:
    """Name the MCC or kappa that none of these counts of right images prints."""
    counts, faults = list(counts), []
    for metric in bounded(extras, supports) if counts else ():
        given = printed_range(metric, extras[metric])
        ranges = [agreement_range(metric, right, supports) for right in counts]
        if given is None or any(
            low - SLACK <= given[1] and given[0] <= high + SLACK for low, high in ranges
        ):
            continue
        low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
        faults.append(
            f"{metric} {extras[metric]} does not fit accuracy and supports: it lies in {low:.4f} to "
            f"{high:.4f}"
        )
    return faults
