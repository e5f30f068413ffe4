"""Whether mixtures of points, one mixture a class, reach a row's sums: a proof where they do not.

Every class has a set of points (what its misses and false positives may be) and every point a
share in each of the row's sums. If no convex mixture of each class' points reaches all sums, no
confusion matrix does. This is the Dantzig-Wolfe relaxation (Operations Research 8(1):101-111,
1960), solved by column generation: the linear programme sees few points, and its multipliers price
all others. "Impossible" never rests on the solver: multipliers y prove it alone, by

    sum over classes of min over points of y.g(point)  >  max over the printed intervals of y.v,

which is evaluated here over every point (Farkas' lemma).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Margin of a proof, far above the error of the sums.
PROOF = 1e-9
ROUNDS = 80
#: Random points of each class that the first programme sees.
FIRST = 8


@dataclass(frozen=True)
class Points:
    """One class' points.

    Attributes
    ----------
    at : ndarray, shape (coordinates, points)
        Where they are.
    low, high : ndarray, shape (sums, points)
        Bounds on what each adds to the sums; equal where it is exact.
    """

    at: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Mixture:
    """Weights over one class' points, and their indices."""

    points: Ints
    weights: Floats


def mix(classes: Sequence[Points], lows: Floats, highs: Floats) -> list[Mixture] | None:
    """Find mixtures that reach all sums.

    Parameters
    ----------
    classes : sequence of Points
        None of them empty.
    lows, highs : ndarray, shape (sums,)
        Bounds on each sum over the classes.

    Returns
    -------
    list of Mixture or None
        None only if it is proven that there are none. Where the solver gives up, its last mixture.
    """
    span = sum(np.ptp(np.vstack([p.low.min(1), p.high.max(1)]), axis=0) for p in classes)
    scale = 1 / np.maximum(span, 1e-12)
    lows, highs = lows * scale, highs * scale
    chosen: list[list[int]] = [[] for _ in classes]
    generator = np.random.default_rng(0)
    for p, mine in zip(classes, chosen, strict=True):
        ends = [*p.low.argmin(axis=1), *p.high.argmax(axis=1)]
        mine += {int(x) for x in (*ends, *generator.integers(p.low.shape[1], size=FIRST))}
    best: list[Mixture] = []
    for _ in range(ROUNDS):
        off, best, y = _programme(classes, chosen, lows, highs, scale)
        if off < PROOF:
            return best
        total, new = 0.0, False
        for p, mine in zip(classes, chosen, strict=True):
            price = (np.maximum(y, 0) * scale) @ p.low + (np.minimum(y, 0) * scale) @ p.high
            at = int(price.argmin())
            total += float(price[at])
            if at not in mine:
                mine.append(at)
                new = True
        if total > np.where(y > 0, y * highs, y * lows).sum() + PROOF * (1 + np.abs(y).sum()):
            return None
        if not new:
            break
    return best


def _programme(
    classes: Sequence[Points],
    chosen: Sequence[Sequence[int]],
    lows: Floats,
    highs: Floats,
    scale: Floats,
) -> tuple[float, list[Mixture], Floats]:
    """The mixtures that miss the sums by least, by how much, and the sums' multipliers."""
    sums, k = len(lows), len(classes)
    owner = np.repeat(np.arange(k), [len(mine) for mine in chosen])
    low = np.hstack([p.low[:, mine] for p, mine in zip(classes, chosen, strict=True)])
    high = np.hstack([p.high[:, mine] for p, mine in zip(classes, chosen, strict=True)])
    short = np.eye(sums)
    answer = linprog(
        np.concatenate([np.zeros(len(owner)), np.ones(2 * sums)]),
        A_ub=np.block(
            [
                [low * scale[:, None], -short, np.zeros_like(short)],
                [-high * scale[:, None], np.zeros_like(short), -short],
            ]
        ),
        b_ub=np.concatenate([highs, -lows]),
        A_eq=np.hstack([owner == np.arange(k)[:, None], np.zeros((k, 2 * sums))]),
        b_eq=np.ones(k),
        method="highs",
    )
    if answer.x is None:
        everywhere = [Mixture(np.array(c), np.full(len(c), 1 / len(c))) for c in chosen]
        return 0.0, everywhere, np.zeros(sums)
    weights = np.split(answer.x[: len(owner)], np.cumsum([len(c) for c in chosen])[:-1])
    mixtures = [
        Mixture(np.array(c)[w > PROOF], w[w > PROOF] / w[w > PROOF].sum())
        for c, w in zip(chosen, weights, strict=True)
    ]
    y = -answer.ineqlin.marginals
    return float(answer.fun), mixtures, y[:sums] - y[sums:]
