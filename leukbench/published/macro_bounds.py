"""What holds for every row that averages over classes, above all with the same weight for each.

The average of the classes' F1 is not the F1 of the averages (Opitz and Burst 2019, "Macro F1 and
Macro F1", arXiv:1911.03347), so the identities of a binary row do not hold. What holds for every
macro average over K classes (P, R, S, F: means of precision, recall, one-vs-rest specificity,
F1; A: accuracy):

- ``P + R - 1 <= F <= 2PR / (P + R)``: the harmonic mean is concave (Jensen's inequality), and
  per class ``2pr / (p + r) >= p + r - 1``. For a stated K the lower bound is sharpened to the
  minimum of a concave function over the corners of the box of per-class values.
- ``S >= R``: the false positives of class i are ``sum_j e_ji`` with ``e_ji`` images of class j;
  class i's ``1 - S_i = sum_j e_ji / (n - s_i) <= sum_j e_ji / s_j``, and summing over i gives
  ``1 - S <= 1 - R``.
- ``1 - A <= K (1 - X)`` for X in {P, R, S}: A is a weighted mean of the classes' precision and
  of their recall, and ``1 - S_i >= FP_i / n``, where the FP_i add up to ``(1 - A) n``.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import product
from math import ceil

from leukbench.published.rounding import ONE, Interval, show


def harmonic(p: Fraction, r: Fraction) -> Fraction:
    """F1 of one precision and one recall; 0 where both are 0."""
    return 2 * p * r / (p + r) if p + r else Fraction(0)


def contradictions(
    cells: Mapping[str, Interval], classes: int | None = None, kind: str = "macro"
) -> list[str]:
    """Name every bound that a row of averages breaks, a sentence each.

    `cells` holds the interval, within 0..1, of each printed metric; `classes` is the number of
    classes of a macro average, at least 2, where it is known. What holds for other kinds is linear
    or concave, and so holds for means over runs as well; without `classes` so does all of it.
    """
    broken = []
    p, r, f = cells.get("precision"), cells.get("recall"), cells.get("f1")
    s, a = cells.get("specificity"), cells.get("accuracy")
    name = "" if kind in ("auto", "mean", "binary") else f"{kind} "
    if p and r and f:
        top, bottom = harmonic(p[1], r[1]), lowest_f1(p[0], r[0], classes)
        if f[0] > top:
            broken.append(f"{name}F1 is at most {show(top)} % with this precision and recall")
        if f[1] < bottom:
            broken.append(f"{name}F1 is at least {show(bottom)} % with this precision and recall")
    if kind == "weighted" and a and r and (a[1] < r[0] or r[1] < a[0]):
        broken.append("weighted recall is the accuracy")
    if kind != "macro":
        return broken
    if s and r and s[1] < r[0]:
        broken.append("macro specificity is never below macro recall")
    if s and r and classes == 2 and s[0] > r[1]:
        broken.append("over two classes macro specificity and macro recall are equal")
    for metric in ("precision", "recall", "specificity") if a and classes else ():
        if metric in cells and a and classes and ONE - a[1] > classes * (ONE - cells[metric][0]):
            least = show(ONE - (ONE - a[1]) / classes)
            broken.append(f"macro {metric} is at most {least} % with this accuracy")
    return broken


def lowest_f1(p: Fraction, r: Fraction, classes: int | None) -> Fraction:
    """Smallest macro F1 that macro precision `p` and macro recall `r` leave possible.

    F1 is concave in (precision, recall), so its mean is smallest at a corner of the set of per-class
    values with these means: all but one precision, and all but one recall, are then 0 or 1.
    """
    if classes is None:
        return max(p + r - ONE, Fraction(0))
    if p == 0 or r == 0:
        return Fraction(0)
    ones_p, ones_r = ceil(classes * p) - 1, ceil(classes * r) - 1
    part_p, part_r = classes * p - ones_p, classes * r - ones_r
    # The two fractions belong to one class, or each stands beside a 0 or a 1 of the other metric:
    # (F1 of these classes, how many they are, precisions and recalls of 1 that are left).
    corners = [(harmonic(part_p, part_r), 1, ones_p, ones_r)]
    corners += [
        (
            harmonic(part_p, Fraction(by_p)) + harmonic(Fraction(by_r), part_r),
            2,
            ones_p - by_r,
            ones_r - by_p,
        )
        for by_p, by_r in product((0, 1), repeat=2)
    ]
    sums = [
        f1 + max(0, ps + rs - (classes - used))
        for f1, used, ps, rs in corners
        if 0 <= ps <= classes - used and 0 <= rs <= classes - used
    ]
    return min(sums, default=max(classes * (p + r - ONE), Fraction(0))) / classes
