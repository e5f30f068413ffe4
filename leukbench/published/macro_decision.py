"""Can a row averaged over classes be true: a matrix, a proof that there is none, or neither.

Where the supports are not printed, a test set is looked for along with a matrix: real supports and
margins that print the row are found by Newton's method from random starts, the supports are
rounded, and whole margins are looked for beside the real ones. A matrix found is a proof that the
row is possible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from leukbench.published.binary import Floats, Ints
from leukbench.published.branch_and_bound import BOXES, Outcome, search
from leukbench.published.macro_search import StatedSupports
from leukbench.published.macro_targets import Targets, readings_of_f1
from leukbench.published.real_margins import Margins, solve
from leukbench.published.report_search import Matrix
from leukbench.published.rounding import Cell

#: Numbers of classes tried where neither supports nor classes are stated.
USUAL = (4, 3, 5, 2, 6)
#: Rounds of the search for a test set, and random starts in each.
ROUNDS, STARTS = 12, 32
#: Newton steps of a start; a start further than `CLOSE` from printing the row is dropped.
STEPS, CLOSE = 40, 1e-3
#: Concentrations of the Dirichlet distributions that the supports start from: lopsided to even.
EVENNESS = (0.5, 1.0, 3.0, 10.0)
#: After half of the rounds, sizes up to this many times the limit are tried too.
FURTHER = 10


def decide(
    cells: Mapping[str, Cell],
    supports: Sequence[int] = (),
    classes: int | None = None,
    limit: int = 1000,
    boxes: int = BOXES,
    weighted: bool = False,
) -> Outcome:
    """Decide whether a confusion matrix prints a macro-averaged row, or a `weighted` average.

    `supports` are the images of each class, or the size of the test set alone, or empty; `classes`
    is the number of classes where the supports do not tell. A test set whose size is not printed is
    looked for up to `limit` images first. `boxes` is the budget of the search.
    """
    if len(supports) > 1:
        return _any(cells, weighted, lambda t: search(StatedSupports(t, supports), boxes))
    total = supports[0] if supports else None
    for k in (classes,) if classes else USUAL:

        def anywhere(targets: Targets, k: int = k) -> Outcome:
            return Outcome(_find_test_set(targets, k, limit, total))

        outcome = _any(cells, weighted, anywhere)
        if outcome.matrix is not None:
            return outcome
    return Outcome()


def _any(cells: Mapping[str, Cell], weighted: bool, judge: Callable[[Targets], Outcome]) -> Outcome:
    """The first reading of F1 that has a matrix; impossible only if every reading is."""
    outcomes = []
    for targets in readings_of_f1(cells, weighted):
        outcomes.append(judge(targets))
        if outcomes[-1].matrix is not None:
            return outcomes[-1]
    return Outcome(impossible=all(outcome.impossible for outcome in outcomes))


def _find_test_set(targets: Targets, k: int, limit: int, total: int | None) -> Matrix | None:
    """Look for a test set of k classes, and a matrix on it, that prints a row; None proves nothing."""
    random = np.random.default_rng(0)
    for turn in range(ROUNDS):
        largest = limit if turn < ROUNDS // 2 else FURTHER * limit
        sizes = _sizes(targets, k, largest, total, random)
        if not len(sizes):
            continue
        errors = np.array([float(random.choice(targets.errors(n))) for n in sizes.tolist()])
        start = _starts(k, sizes[:, None].astype(float), errors[:, None], random)
        real, off = solve(start, errors, targets, move_supports=True, steps=STEPS)
        for b in np.argsort(off):
            if off[b] > CLOSE:
                break
            supports = _rounded(real.supports[b], int(sizes[b]))
            if supports.min() < 1:
                continue
            beside = list(np.array([real.missed[b], real.false[b]]).T)
            matrix = StatedSupports(targets, supports.tolist()).near(beside)
            if matrix is not None:
                return matrix
    return None


def _sizes(
    targets: Targets, k: int, largest: int, total: int | None, random: np.random.Generator
) -> Ints:
    """Sizes of test sets on which some number of errors prints the accuracy."""
    if total is not None:
        return np.full(STARTS if total >= k and targets.errors(total) else 0, total)
    drawn = random.integers(max(2 * k, largest // 4), max(2 * k, largest) + 1, size=8 * STARTS)
    return np.array([n for n in drawn.tolist() if targets.errors(n)], dtype=np.int64)[:STARTS]


def _starts(k: int, n: Floats, errors: Floats, random: np.random.Generator) -> Margins:
    evenness = random.choice(EVENNESS, size=len(n))
    supports = np.stack([random.dirichlet(np.full(k, a)) for a in evenness]) * n
    missed, false = (random.dirichlet(np.ones(k), len(n)) * errors for _ in range(2))
    return Margins(supports, missed, false)


def _rounded(real: Floats, n: int) -> Ints:
    """Whole supports with the same sum: the largest remainders are rounded up."""
    whole = np.floor(real).astype(np.int64)
    short = n - int(whole.sum())
    whole[np.argsort(whole - real)[: max(short, 0)]] += 1
    return whole
