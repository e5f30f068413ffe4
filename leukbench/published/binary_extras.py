"""What a binary confusion matrix says beside its five shares: MCC, kappa, likelihood ratios, AUC.

Balanced accuracy is (R + S) / 2, the likelihood ratios are R / (1 - S) and (1 - R) / S. Matthews'
coefficient is ``sqrt(P R S N) - sqrt((1 - P)(1 - R)(1 - S)(1 - N))`` (N: negative predictive
value), which grows in all four; Cohen's kappa is ``(A - e) / (1 - e)`` with the agreement by chance
e. So their bounds follow from bounds on the shares. A ROC curve never falls, so that one point on
it leaves ``R S <= AUC <= 1 - (1 - R)(1 - S)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from math import inf, sqrt

import numpy as np

from leukbench.published.binary import LISTED, Fits, Floats, Vector, bounds

Range = tuple[float, float]
_NUMBER = re.compile(r"([-+−]?)(\d+)(?:\.(\d*))?\s*(%?)")
#: Wider than the error of floats.
SLACK = 1e-9


def printed_range(metric: str, text: str) -> Range | None:
    """The values that are printed like this, rounded or cut off; None where it is no number."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return None
    sign, whole, decimals, percent = match.groups(default="")
    value, step = float(f"{whole}.{decimals or 0}"), 10.0 ** -min(len(decimals), 10)
    if percent or (value > 1 and not metric.startswith("lr")):
        value, step = value / 100, step / 100
    low, high = value - step / 2 - SLACK, value + step + SLACK
    return (-high, -low) if sign in ("-", "−") else (low, high)


def outside(rays: list[Vector], extras: Mapping[str, str]) -> list[str]:
    """Name the extras that no table of any size prints along with the shares behind `rays`."""
    limits = _limits(rays)
    faults = []
    for metric, text in extras.items():
        given = printed_range(metric, text)
        low, high = limits.get(metric, (-inf, inf))
        if given is not None and (given[0] > high + SLACK or given[1] < low - SLACK):
            name = metric.replace("_", " ")
            faults.append(
                f"{name} {text} does not fit the shares: it lies in {low:.4f} to {high:.4f}"
            )
    return faults


def with_extras(fits: Fits, extras: Mapping[str, str]) -> Fits:
    """The listed tables that print the extras too; complete only if all tables were listed."""
    tp, fp, fn, tn = fits.tables.astype(float).T
    keep = np.ones(len(tp), dtype=bool)
    for metric, text in extras.items():
        given = printed_range(metric, text)
        if given is not None:
            low, high = _values(metric, tp, fp, fn, tn)
            keep &= (low <= given[1]) & (given[0] <= high)
    complete = fits.complete and fits.count <= LISTED
    return replace(fits, count=int(keep.sum()), tables=fits.tables[keep], complete=complete)


def _limits(rays: list[Vector]) -> dict[str, Range]:
    """Bounds on every extra over a cone of tables."""
    ends: dict[str, Range] = {}
    for metric in (
        "accuracy",
        "precision",
        "recall",
        "specificity",
        "npv",
        "positive",
        "predicted",
    ):
        low, high = bounds(rays, metric) or (0, 1)
        ends[metric] = (float(low), float(high))
    r, s = ends["recall"], ends["specificity"]
    four = [ends[m] for m in ("precision", "recall", "specificity", "npv")]
    chances = [x * y + (1 - x) * (1 - y) for x, y in product(ends["positive"], ends["predicted"])]
    e = min(chances), min(max(chances), 1 - SLACK)
    return {
        "balanced_accuracy": ((r[0] + s[0]) / 2, (r[1] + s[1]) / 2),
        "mcc": (_mcc(*(x[0] for x in four)), _mcc(*(x[1] for x in four))),
        "kappa": (
            (ends["accuracy"][0] - e[1]) / (1 - e[1]),
            (ends["accuracy"][1] - e[0]) / (1 - e[0]),
        ),
        "lr+": (r[0] / (1 - s[0]) if s[0] < 1 else inf, r[1] / (1 - s[1]) if s[1] < 1 else inf),
        "lr-": ((1 - r[1]) / s[1] if s[1] else 0.0, (1 - r[0]) / s[0] if s[0] else inf),
        "auc": (r[0] * s[0], 1 - (1 - r[1]) * (1 - s[1])),
    }


def _mcc(p: float, r: float, s: float, n: float) -> float:
    return sqrt(p * r * s * n) - sqrt((1 - p) * (1 - r) * (1 - s) * (1 - n))


def _values(metric: str, tp: Floats, fp: Floats, fn: Floats, tn: Floats) -> tuple[Floats, Floats]:
    """Lowest and highest value of an extra for each table; AUC alone leaves a range."""
    with np.errstate(divide="ignore", invalid="ignore"):
        r, s, n = tp / (tp + fn), tn / (tn + fp), tp + fp + fn + tn
        chance = ((tp + fp) * (tp + fn) + (fn + tn) * (fp + tn)) / n**2
        spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        value = {
            "balanced_accuracy": (r + s) / 2,
            "mcc": np.where(spread > 0, (tp * tn - fp * fn) / spread, 0.0),
            "kappa": np.where(chance < 1, ((tp + tn) / n - chance) / (1 - chance), 0.0),
            "lr+": np.where(fp > 0, r / (1 - s), np.inf),
            "lr-": (1 - r) / s,
            "auc": r * s,
        }[metric]
        high = 1 - (1 - r) * (1 - s) if metric == "auc" else value
    # What is not defined may be printed as anything.
    undefined = ~np.isfinite(value)
    return np.where(undefined, -np.inf, value), np.where(undefined, np.inf, high)
