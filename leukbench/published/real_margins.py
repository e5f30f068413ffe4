"""Real-valued margins that print a row: Newton's method from many starts at once.

The equations are fewer than the unknowns, so every step is the shortest one that solves them to
first order (Gauss-Newton with the minimum norm, Levenberg-damped; Nocedal and Wright 2006,
"Numerical Optimization", chapter 10). Lengths are measured in units of each unknown's own size,
which keeps small classes from being pushed below zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leukbench.published.binary import Floats
from leukbench.published.macro_targets import Targets

#: Part of each interval's width that is kept clear of its ends.
CLEAR = 0.2
#: Least damping, and the first where starts are far; it is halved at every step.
DAMPING, FIRST_DAMPING = 1e-9, 1e-2


@dataclass
class Margins:
    """Supports, misses and false positives a class, in images; each of shape (starts, k)."""

    supports: Floats
    missed: Floats
    false: Floats


def solve(
    start: Margins, errors: Floats, targets: Targets, *, move_supports: bool, steps: int = 12
) -> tuple[Margins, Floats]:
    """Move real margins until they print a row; keep the sum of the supports and of the errors.

    `errors`, shape (starts,), are the images that are wrong. Returned with the margins: how far
    each result still is from printing the row, the largest residual as a share.
    """
    k = start.supports.shape[1]
    n, wrong = start.supports.sum(axis=1, keepdims=True), errors[:, None]
    now = start
    first = FIRST_DAMPING if move_supports else DAMPING
    for turn in range(steps):
        now = _feasible(now, n, wrong)
        off, slopes = _residuals(now, n, wrong, targets)
        sizes = [np.sqrt(side + 0.3) * np.sqrt(n) / 3 for side in (now.missed, now.false)]
        scale = np.concatenate([now.supports * move_supports, *sizes], axis=1)
        scaled = slopes * scale[:, None, :]
        gram = scaled @ scaled.transpose(0, 2, 1)
        ridge = max(DAMPING, first * 0.5**turn) * np.trace(gram, axis1=1, axis2=2) + 1e-300
        gram += ridge[:, None, None] * np.eye(gram.shape[1])
        pull = np.linalg.solve(gram, off[..., None])
        step = (scaled.transpose(0, 2, 1) @ pull)[..., 0] * scale
        moves = step[:, :k], step[:, k : 2 * k], step[:, 2 * k :]
        sides = (now.supports, now.missed, now.false)
        now = Margins(*(side + move for side, move in zip(sides, moves, strict=True)))
    now = _feasible(now, n, wrong)
    off, _ = _residuals(now, n, wrong, targets)
    return now, np.abs(off).max(axis=1)


def _feasible(x: Margins, n: Floats, wrong: Floats) -> Margins:
    supports = np.clip(x.supports, 1.0, n - 1)
    missed = np.clip(x.missed, 0, np.minimum(supports, wrong))
    return Margins(supports, missed, np.clip(x.false, 0, np.minimum(n - supports, wrong - missed)))


def _residuals(x: Margins, n: Floats, wrong: Floats, targets: Targets) -> tuple[Floats, Floats]:
    """What is missing of each sum and average, and the averages' slopes in all unknowns."""
    s, m, f = x.supports, x.missed, x.false
    weights = s / n if targets.weighted else np.full_like(s, 1 / s.shape[1])
    hits = s - m
    called, both, others = np.maximum(hits + f, 1e-6), s + hits + f, n - s
    nil = np.zeros_like(s)
    # average -> (value, slope in supports, in misses, in false positives)
    averages = {
        "recall": (1 - m / s, m / s**2, -1 / s, nil),
        "specificity": (1 - f / others, -f / others**2, nil, -1 / others),
        "precision": (hits / called, f / called**2, -f / called**2, -hits / called**2),
        "f1": (
            2 * hits / both,
            (2 * both - 4 * hits) / both**2,
            (2 * hits - 2 * both) / both**2,
            -2 * hits / both**2,
        ),
    }
    one = np.ones_like(s) / n
    off = [(n - s.sum(axis=1, keepdims=True)) / n]
    off += [(wrong - y.sum(axis=1, keepdims=True)) / n for y in (m, f)]
    slopes = [(one, nil, nil), (nil, one, nil), (nil, nil, one)]
    for metric, (value, *by) in averages.items():
        low, high = targets.window(metric)
        clear = CLEAR * (high - low) if high - low < 1 else 0.0
        mean = (weights * value).sum(axis=1, keepdims=True)
        off.append(np.clip(mean, low + clear, high - clear) - mean)
        by_weight = value / n if targets.weighted else nil
        slopes.append((by[0] * weights + by_weight, by[1] * weights, by[2] * weights))
    return (
        np.concatenate(off, axis=1),
        np.stack([np.concatenate(parts, axis=1) for parts in slopes], axis=1),
    )
