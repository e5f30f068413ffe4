"""Find a confusion matrix that prints a macro-averaged row, or prove that there is none.

Branch and bound over boxes of margins, one box a class (Land and Doig 1960, Econometrica
28(3):497-520). A branch ends where mixtures of its points cannot reach the printed sums (a proof,
`mixtures`), where its margins are few enough to be tried one by one, or with a matrix found beside
a real solution. What is left when the budget ends is undecided, and said to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from leukbench.published.mixtures import Floats, Mixture, Points, mix
from leukbench.published.multiclass import Matrix

#: Boxes looked at before the search gives up.
BOXES = 300

BoxT = TypeVar("BoxT")


class Problem(Protocol[BoxT]):
    """What the search asks of a row; see `known.KnownSupports`."""

    lows: Floats
    highs: Floats

    def start(self) -> list[BoxT] | None: ...
    def points(self, i: int, box: BoxT) -> Points | None: ...
    def values(self, i: int, at: Floats) -> Floats: ...
    def divide(self, box: BoxT, side: int, at: float) -> list[BoxT]: ...
    def exhaust(self, boxes: Sequence[BoxT]) -> tuple[bool, Matrix | None]: ...
    def near(self, at: Sequence[Floats]) -> Matrix | None: ...


@dataclass(frozen=True)
class Outcome:
    """A matrix that prints the row; else whether it is proven that there is none."""

    matrix: Matrix | None = None
    impossible: bool = False


def search(problem: Problem[BoxT], budget: int = BOXES) -> Outcome:
    """Decide whether a confusion matrix prints a row.

    Parameters
    ----------
    problem : Problem
    budget : int, default 300
        Boxes looked at.

    Returns
    -------
    Outcome
        Without a matrix and not impossible: undecided.
    """
    boxes = problem.start()
    if boxes is None:
        return Outcome(impossible=True)
    open_ = [(boxes, [problem.points(i, box) for i, box in enumerate(boxes)])]
    for _ in range(budget):
        if not open_:
            return Outcome(impossible=True)
        boxes, sets = open_.pop()
        points = [p for p in sets if p is not None]
        if (
            len(points) < len(sets)
            or (mixtures := mix(points, problem.lows, problem.highs)) is None
        ):
            continue
        done, matrix = problem.exhaust(boxes)
        at = [p.at[:, m.points] @ m.weights for p, m in zip(points, mixtures, strict=True)]
        matrix = matrix if done else problem.near(at)
        if matrix is not None:
            return Outcome(matrix)
        if not done:
            i, side, cut = _branch(problem, points, mixtures, at)
            for half in problem.divide(boxes[i], side, cut):
                new = [*boxes[:i], half, *boxes[i + 1 :]]
                open_.append((new, [*sets[:i], problem.points(i, half), *sets[i + 1 :]]))
    return Outcome(impossible=not open_)


def _branch(
    problem: Problem[BoxT],
    points: Sequence[Points],
    mixtures: Sequence[Mixture],
    at: Sequence[Floats],
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
