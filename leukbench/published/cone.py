"""Exact reasoning over real numbers: which mixtures of the four counts satisfy all printed shares.

Accuracy, precision, recall, specificity, negative predictive value and F1 are all quotients of
two linear forms in (TP, FP, FN, TN). ``low <= num/den <= high`` is therefore a pair of
half-spaces through the origin, and the tables that fit a whole row form a polyhedral cone. Five
shares have three degrees of freedom, so two identities tie them, whatever the size of the test
set; the cone holds both of them. It is found with the double description method (Motzkin,
Raiffa, Thompson, Thrall 1953; Fukuda and Prodon 1996, doi:10.1007/3-540-61576-8_77), in
integers: no tolerance, no false alarm.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import gcd

from leukbench.published.rounding import Interval

Vector = tuple[int, ...]

#: metric -> (numerator, denominator), coefficients of TP, FP, FN, TN.
FORMS: dict[str, tuple[Vector, Vector]] = {
    "accuracy": ((1, 0, 0, 1), (1, 1, 1, 1)),
    "precision": ((1, 0, 0, 0), (1, 1, 0, 0)),
    "recall": ((1, 0, 0, 0), (1, 0, 1, 0)),
    "specificity": ((0, 0, 0, 1), (0, 1, 0, 1)),
    "npv": ((0, 0, 0, 1), (0, 0, 1, 1)),
    "f1": ((2, 0, 0, 0), (2, 1, 1, 0)),
}


def half_spaces(constraints: Mapping[str, Interval]) -> list[Vector]:
    """Integer normals ``a`` of the half-spaces ``a . (TP, FP, FN, TN) >= 0``."""
    spaces = []
    for metric, (low, high) in constraints.items():
        top, bottom = FORMS[metric]
        spaces.append(_minus(top, bottom, low))
        spaces.append(tuple(-a for a in _minus(top, bottom, high)))
    return spaces


def extreme_rays(constraints: Mapping[str, Interval]) -> list[Vector]:
    """Return the extreme rays of the cone of tables that fit.

    Parameters
    ----------
    constraints : mapping of str to (Fraction, Fraction)
        Closed interval, within 0..1, of each printed metric (names as in `FORMS`).

    Returns
    -------
    list of tuple of int
        Rays (TP, FP, FN, TN) >= 0; empty if no table of any size fits.

    Examples
    --------
    >>> half = (Fraction(1, 2), Fraction(1, 2))
    >>> extreme_rays({"precision": half, "recall": half, "f1": (Fraction(3, 5), Fraction(1))})
    []
    """
    rays: list[Vector] = [tuple(int(i == j) for j in range(4)) for i in range(4)]
    known: list[Vector] = list(rays)
    for space in half_spaces(constraints):
        rays = _cut(rays, known, space)
        known.append(space)
        if not rays:
            return []
    return rays if _defined(rays, constraints) else []


def _defined(rays: list[Vector], constraints: Mapping[str, Interval]) -> bool:
    """Whether some table has a denominator for every metric, but for 0/0 printed as 0 or 1."""
    for metric, (low, high) in constraints.items():
        printed_for_none = metric in ("precision", "npv") and (low == 0 or high == 1)
        if not printed_for_none and not any(_dot(FORMS[metric][1], ray) for ray in rays):
            return False
    return True


def bounds(rays: list[Vector], metric: str) -> Interval | None:
    """Smallest and largest value of `metric` over a cone; None where it is nowhere defined.

    A quotient of two linear forms takes its extremes over a cone on the cone's extreme rays.
    """
    top, bottom = FORMS[metric]
    values = [Fraction(_dot(top, r), _dot(bottom, r)) for r in rays if _dot(bottom, r)]
    return (min(values), max(values)) if values else None


def _minus(top: Vector, bottom: Vector, bound: Fraction) -> Vector:
    """``den(bound) * top - num(bound) * bottom``."""
    return tuple(
        bound.denominator * t - bound.numerator * b for t, b in zip(top, bottom, strict=True)
    )


def _dot(a: Vector, b: Vector) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _cut(rays: list[Vector], known: list[Vector], space: Vector) -> list[Vector]:
    """One step of the double description method: keep what lies on the right side of `space`."""
    sides = [(_dot(space, ray), ray) for ray in rays]
    kept = [ray for side, ray in sides if side >= 0]
    if len(kept) == len(rays):
        return kept
    tight = {ray: frozenset(i for i, k in enumerate(known) if not _dot(k, ray)) for ray in rays}
    for up, inside in sides:
        if up <= 0:
            continue
        for down, outside in sides:
            if down >= 0:
                continue
            common = tight[inside] & tight[outside]
            if any(common <= tight[r] for r in rays if r not in (inside, outside)):
                continue
            ray = tuple(up * o - down * i for i, o in zip(inside, outside, strict=True))
            scale = gcd(*ray)
            kept.append(tuple(x // scale for x in ray))
    return kept
