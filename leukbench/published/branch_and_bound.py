"""Find a confusion matrix that prints a macro-averaged row, or prove that there is none.

Every class has a set of points (what its misses and false positives may be) and every point a
share in each of the row's sums. If no convex mixture of each class' points reaches all sums, no
confusion matrix does. This is the Dantzig-Wolfe relaxation (Operations Research 8(1):101-111,
1960), solved by column generation: the linear programme sees few points, and its multipliers price
all others. "Impossible" never rests on the solver: multipliers y prove it alone, by

    sum over classes of min over points of y.g(point)  >  max over the printed intervals of y.v,

which is evaluated here over every point (Farkas' lemma). Where mixtures reach the sums, the boxes
of margins are divided (branch and bound: Land and Doig 1960, Econometrica 28(3):497-520).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.optimize import linprog

from leukbench.published.binary import Floats, Ints
from leukbench.published.report_search import Matrix

#: (fewest, most) misses and (fewest, most) false positives of one class.
Box = tuple[tuple[int, int], tuple[int, int]]

#: Boxes looked at before the search gives up.
BOXES = 300
#: Margin of a proof, far above the error of the sums.
PROOF = 1e-9
#: Rounds of column generation, and random points of each class that the first programme sees.
ROUNDS, FIRST = 80, 8


@dataclass(frozen=True)
class Points:
    """One class' points: where they are, and bounds on what each adds to the sums.

    `at` has shape (coordinates, points); `low` and `high` have shape (sums, points) and are equal
    where the contribution is exact.
    """

    at: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Mixture:
    """Weights over one class' points, and their indices."""

    points: Ints
    weights: Floats


@dataclass(frozen=True)
class Outcome:
    """A matrix that prints the row; else whether it is proven that there is none."""

    matrix: Matrix | None = None
    impossible: bool = False


class Problem(Protocol):
    """What the search asks of a row; see `macro_search.StatedSupports`."""

    lows: Floats
    highs: Floats

    def start(self) -> list[Box] | None: ...
    def points(self, i: int, box: Box) -> Points | None: ...
    def values(self, i: int, at: Floats) -> Floats: ...
    def exhaust(self, boxes: Sequence[Box]) -> tuple[bool, Matrix | None]: ...
    def near(self, at: Sequence[Floats]) -> Matrix | None: ...


def search(problem: Problem, budget: int = BOXES) -> Outcome:
    """Decide whether a confusion matrix prints a row, looking at `budget` boxes at most.

    An outcome without a matrix that is not impossible is undecided. A branch ends where mixtures
    cannot reach the sums, where its margins are few enough to be tried one by one, or with a matrix
    found beside a real solution.
    """
    boxes = problem.start()
    if boxes is None:
        return Outcome(impossible=True)
    waiting = [(boxes, [problem.points(i, box) for i, box in enumerate(boxes)])]
    for _ in range(budget):
        if not waiting:
            break
        boxes, sets = waiting.pop()
        points = [p for p in sets if p is not None]
        if len(points) < len(sets):
            continue
        mixtures = mix(points, problem.lows, problem.highs)
        if mixtures is None:
            continue
        done, matrix = problem.exhaust(boxes)
        at = [p.at[:, m.points] @ m.weights for p, m in zip(points, mixtures, strict=True)]
        matrix = matrix if done else problem.near(at)
        if matrix is not None:
            return Outcome(matrix)
        if not done:
            i, side, cut = _branch(problem, points, mixtures, at)
            for half in _divide(boxes[i], side, cut):
                new = [*boxes[:i], half, *boxes[i + 1 :]]
                waiting.append((new, [*sets[:i], problem.points(i, half), *sets[i + 1 :]]))
    return Outcome(impossible=not waiting)


def mix(classes: Sequence[Points], lows: Floats, highs: Floats) -> list[Mixture] | None:
    """Find a mixture of each class' points (none is empty) that together reach all sums.

    None only if it is proven that there are none; where the solver gives up, its last mixtures.
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
    short, none = np.eye(sums), np.zeros((sums, sums))
    answer = linprog(
        np.concatenate([np.zeros(len(owner)), np.ones(2 * sums)]),
        A_ub=np.block(
            [[low * scale[:, None], -short, none], [-high * scale[:, None], none, -short]]
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


def _branch(
    problem: Problem, points: Sequence[Points], mixtures: Sequence[Mixture], at: Sequence[Floats]
) -> tuple[int, int, float]:
    """The class whose mixture is furthest from a point of its own, and where to cut its box."""
    width = np.maximum(problem.highs - problem.lows, 1e-6)
    gaps = []
    for i, (p, m, mean) in enumerate(zip(points, mixtures, at, strict=True)):
        low, high = p.low[:, m.points] @ m.weights, p.high[:, m.points] @ m.weights
        off = np.abs((low + high) / 2 - problem.values(i, mean)) + (high - low)
        gaps.append(float((off / width).sum()))
    spreads = [np.ptp(p.at, axis=1) for p in points]
    i = int(np.argmax([g if s.max() > 0 else -1.0 for g, s in zip(gaps, spreads, strict=True)]))
    p, m = points[i], mixtures[i]
    apart = np.sqrt((p.at[:, m.points] - at[i][:, None]) ** 2 @ m.weights)
    if (apart > 1e-3 * spreads[i]).any():
        side = int(np.argmax(apart))
        return i, side, float(at[i][side])
    # No mixture at all: the widest box, in the middle.
    i = int(np.argmax([s.max() for s in spreads]))
    side = int(spreads[i].argmax())
    return i, side, float((points[i].at[side].min() + points[i].at[side].max()) / 2)


def _divide(box: Box, side: int, at: float) -> list[Box]:
    """Cut a box in two along one side."""
    low, high = box[side]
    cut = min(max(int(np.floor(at)), low), high - 1)
    halves = [(low, cut), (cut + 1, high)]
    return [(half, box[1]) if side == 0 else (box[0], half) for half in halves]
