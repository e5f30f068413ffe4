"""The search for a matrix behind a row averaged over classes whose supports are stated.

A class' points are its misses m and false positives f. Where a box holds too many of them, the
corners of a grid stand for all: every (m, f) is a mixture of the four corners round it, exactly in
what is linear, and within ``h²/8 max |second derivative|`` for precision and F1 (the error of
linear interpolation), by which their bounds are widened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from leukbench.published.binary import Floats, Ints
from leukbench.published.branch_and_bound import Box, Points
from leukbench.published.macro_targets import Targets, false_positives, fitting, misses
from leukbench.published.real_margins import Margins, solve
from leukbench.published.report_search import Matrix, any_matrix

#: Grid lines along one side of a box.
LINES = 320
#: Lists of margins, and pairs of them, that are tried one by one.
LISTED, PAIRS = 20_000, 1_000_000
#: Margins round a real solution: vectors laid out, vectors tried (the root of the pairs), classes varied.
AROUND, TRIED, VARIED = 120_000, 700, 7
#: A real solution that misses a cell by more has no whole one beside it.
NEAR = 0.01


class StatedSupports:
    """A row and its supports (images of each class, at least two), as `search` asks for them."""

    def __init__(self, targets: Targets, supports: Sequence[int]) -> None:
        self.targets = targets
        self.supports = np.array(supports, dtype=np.int64)
        self.n, self.k = int(self.supports.sum()), len(supports)
        self.errors, self.weights = targets.errors(self.n), targets.weights(self.supports)
        self.random = np.random.default_rng(0)
        first, last = (self.errors[0], self.errors[-1]) if self.errors else (1, 0)
        recall, specificity = (targets.window(m) for m in ("recall", "specificity"))
        # Sums: errors, misses less false positives, what recall and specificity lack, precision, F1.
        sums = [
            (first / self.n, last / self.n),
            (0.0, 0.0),
            (1 - recall[1], 1 - recall[0]),
            (1 - specificity[1], 1 - specificity[0]),
            targets.window("precision"),
            targets.window("f1"),
        ]
        self.lows, self.highs = np.array(sums).T

    def start(self) -> list[Box] | None:
        """A box that holds every class' margins; None if no number of errors prints the accuracy."""
        if not self.errors:
            return None
        most = self.errors[-1]
        return [((0, min(s, most)), (0, min(self.n - s, most))) for s in self.supports.tolist()]

    def points(self, i: int, box: Box) -> Points | None:
        """Class i's points within a box, or grid corners that stand for them; None if none is left."""
        (missed, step_m), (false, step_f) = (_lines(*side) for side in box)
        m, f = (x.ravel() for x in np.meshgrid(missed, false, indexing="ij"))
        keep = m + f <= self.errors[-1] + step_m + step_f
        m, f = m[keep], f[keep]
        if not len(m):
            return None
        s, weight = int(self.supports[i]), float(self.weights[i])
        rows = self._sums(i, m, f)
        called = np.maximum(s - m + f - step_m - step_f, 0.0)
        both = np.maximum(2 * s - m + f - step_m - step_f, s)
        square = step_m**2 + step_f**2
        with np.errstate(divide="ignore", invalid="ignore"):
            wide = np.minimum(np.where(called > 0, square / (4 * called**2), 1.0), 1.0)
        if not square:
            # Nothing is interpolated; 0/0 is printed as 0 or as 1.
            wide = np.where(called > 0, 0.0, 0.5)
            rows[4] = np.where(called > 0, rows[4], 0.5 * weight)
        slack = np.zeros_like(rows)
        slack[4], slack[5] = wide * weight, square / (2 * both**2) * weight
        return Points(np.stack([m, f]), rows - slack, rows + slack)

    def values(self, i: int, at: Floats) -> Floats:
        """What class i adds to the sums at real margins."""
        return self._sums(i, at[:1], at[1:])[:, 0]

    def _sums(self, i: int, m: Floats, f: Floats) -> Floats:
        n, s = self.n, int(self.supports[i])
        hits = s - m
        precision, f1 = hits / np.maximum(hits + f, 1e-9), 2 * hits / (s + hits + f)
        averaged = np.stack([m / s, f / (n - s), precision, f1]) * self.weights[i]
        return np.concatenate([np.stack([m / n, (m - f) / n]), averaged])

    def exhaust(self, boxes: Sequence[Box]) -> tuple[bool, Matrix | None]:
        """Try every margin in the boxes, if they are few: whether that was done, and a matrix."""
        (low_m, high_m), (low_f, high_f) = np.array(boxes).transpose(1, 2, 0)
        lists, pairs = [], 0
        for errors in self.errors:
            given = (errors, self.supports, self.targets, LISTED)
            missed = misses(low_m, high_m, *given)
            if missed is None:
                return False, None
            false = false_positives(low_f, high_f, *given) if len(missed) else missed
            if false is None or (pairs := pairs + len(missed) * len(false)) > PAIRS:
                return False, None
            lists.append((errors, missed, false))
        return True, next((m for given in lists if (m := self._fit(*given)) is not None), None)

    def near(self, at: Sequence[Floats]) -> Matrix | None:
        """Look for a matrix beside real margins, one (misses, false positives) for each class."""
        missed, false = np.array(at).T
        errors = int(np.clip(round(missed.sum()), self.errors[0], self.errors[-1]))
        start = Margins(self.supports[None].astype(float), missed[None], false[None])
        real, off = solve(start, np.array([float(errors)]), self.targets, move_supports=False)
        if off[0] >= NEAR:
            return None
        given = (errors, self.supports, self.targets, AROUND)
        whole = self._around(real.missed[0], TRIED, lambda low, high: misses(low, high, *given))
        if not len(whole):
            return None
        beside = self._around(
            real.false[0],
            TRIED**2 // len(whole),
            lambda low, high: false_positives(low, high, *given),
        )
        return self._fit(errors, whole, beside)

    def _around(
        self, centre: Floats, many: int, listed: Callable[[Ints, Ints], Ints | None]
    ) -> Ints:
        """Whole vectors round a real one, in a box that grows until it holds enough of them."""
        vary = np.zeros(self.k, dtype=np.int64)
        vary[self.random.choice(self.k, min(self.k, VARIED), replace=False)] = 1
        low, high = np.floor(centre).astype(np.int64), np.ceil(centre).astype(np.int64)
        vectors, reach = np.empty((0, self.k), dtype=np.int64), 1
        while len(vectors) < many and reach <= self.n:
            more = listed(low - reach * vary, high + reach * vary)
            if more is None:
                break
            vectors, reach = more, 2 * reach
        if len(vectors) > many:
            vectors = vectors[self.random.choice(len(vectors), many, replace=False)]
        return vectors

    def _fit(self, errors: int, missed: Ints, false: Ints) -> Matrix | None:
        for m, f in fitting(missed, false, errors, self.supports, self.targets):
            hits = self.supports - m
            margins = list(zip(hits.tolist(), (hits + f).tolist(), strict=True))
            return any_matrix(tuple(self.supports.tolist()), margins)
        return None


def _lines(low: int, high: int) -> tuple[Floats, int]:
    """Whole numbers from `low` to `high`, at most `LINES` apart evenly; their step, 0 if all."""
    step = -(-(high - low) // LINES) or 1
    lines = np.append(np.arange(low, high, step), high).astype(float)
    return lines, step if step > 1 else 0
