"""Macro-averaged rows whose supports are not printed: a test set is looked for along with a matrix.

With the supports free, a row leaves much more room: real supports and margins that print it are
found by Newton's method from random starts, the supports are rounded, and whole margins are looked
for beside the real ones. A matrix found is a proof that the row is possible.
"""

from __future__ import annotations

import numpy as np

from leukbench.published.known_supports import Floats, KnownSupports
from leukbench.published.margins import Ints
from leukbench.published.multiclass import Matrix
from leukbench.published.newton import Real, polish
from leukbench.published.targets import Targets

#: Rounds of the search, and random starts in each.
ROUNDS, STARTS = 12, 32
#: Newton steps of a start; a start further than `CLOSE` from printing the row is dropped.
STEPS, CLOSE = 40, 1e-3
#: Concentrations of the Dirichlet distributions that the supports start from: lopsided to even.
EVENNESS = (0.5, 1.0, 3.0, 10.0)
#: After half of the rounds, sizes up to this many times the limit are tried too.
FURTHER = 10


def find_test_set(targets: Targets, k: int, limit: int, total: int | None = None) -> Matrix | None:
    """Look for a test set, and a matrix on it, that prints a row.

    Parameters
    ----------
    targets : Targets
    k : int
        Number of classes, at least 2.
    limit : int
        Images in the test set up to which it is looked for first.
    total : int, optional
        Images in the test set where that is printed.

    Returns
    -------
    Matrix or None
        None if none was found; that proves nothing.
    """
    random = np.random.default_rng(0)
    for turn in range(ROUNDS):
        largest = limit if turn < ROUNDS // 2 else FURTHER * limit
        sizes = _sizes(targets, k, largest, total, random)
        if not len(sizes):
            continue
        errors = np.array([float(random.choice(targets.errors(n))) for n in sizes.tolist()])
        start = _starts(k, sizes[:, None].astype(float), errors[:, None], random)
        real, off = polish(start, errors, targets, move_supports=True, steps=STEPS)
        for b in np.argsort(off):
            if off[b] > CLOSE:
                break
            supports = _rounded(real.supports[b], int(sizes[b]))
            if supports.min() < 1:
                continue
            known = KnownSupports(targets, supports.tolist())
            one = real.take(int(b))
            found = known.near(list(np.array([one.missed[0], one.false[0]]).T))
            if found is not None:
                return found
    return None


def _sizes(
    targets: Targets, k: int, largest: int, total: int | None, random: np.random.Generator
) -> Ints:
    """Sizes of test sets on which some number of errors prints the accuracy."""
    if total is not None:
        return np.full(STARTS if total >= k and targets.errors(total) else 0, total)
    drawn = random.integers(max(2 * k, largest // 4), max(2 * k, largest) + 1, size=8 * STARTS)
    return np.array([n for n in drawn.tolist() if targets.errors(n)], dtype=np.int64)[:STARTS]


def _starts(k: int, n: Floats, errors: Floats, random: np.random.Generator) -> Real:
    evenness = random.choice(EVENNESS, size=len(n))
    supports = np.stack([random.dirichlet(np.full(k, a)) for a in evenness]) * n
    missed, false = (random.dirichlet(np.ones(k), len(n)) * errors for _ in range(2))
    return Real(supports, missed, false)


def _rounded(real: Floats, n: int) -> Ints:
    """Whole supports with the same sum: the largest remainders are rounded up."""
    whole = np.floor(real).astype(np.int64)
    short = n - int(whole.sum())
    whole[np.argsort(whole - real)[: max(short, 0)]] += 1
    return whole
