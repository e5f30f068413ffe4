"""Does a claimed superiority follow? Bounds on the paired test between two rows of one test set.

Two classifiers with e and f errors on the same n images differ on at least ``|e - f|`` images and on
at most ``min(e + f, 2n - e - f)``; where positives and negatives are told apart, on the sums of
these over both. McNemar's exact test (1947, doi:10.1007/BF02295996) is most significant for the
fewest and least for the most differences, whatever the single predictions were.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from scipy.stats import binomtest

from leukbench.published.macro_targets import Targets
from leukbench.published.rows import IMPOSSIBLE, RowVerdict
from leukbench.published.shared_sets import LONGEST, TableFinding

LEVEL = 0.05
#: Tables of a row that are paired one by one; of more, only the fewest and the most errors.
PAIRED = 30
#: Images of each part of the test set, and how many of them are wrong.
Errors = tuple[tuple[int, ...], tuple[int, ...]]


def superiority_findings(verdicts: Sequence[RowVerdict]) -> Iterator[TableFinding]:
    """Compare the best accuracy with every other on a test set whose size is stated."""
    stated = [v for v in verdicts if v.status != IMPOSSIBLE and "accuracy" in v.cells]
    for supports in dict.fromkeys(v.row.supports for v in stated if v.row.supports):
        rows = [v for v in stated if v.row.supports == supports and not v.row.mean][:LONGEST]
        best = max(rows, key=lambda v: v.cells["accuracy"].value, default=None)
        for other in rows:
            if best is None or other is best or not (_errors(best) and _errors(other)):
                continue
            low, high = paired_p_values(_errors(best), _errors(other))
            follows = "does not follow, whichever images are wrong"
            if high < LEVEL:
                follows = "follows, whichever images are wrong"
            elif low < LEVEL:
                follows = "depends on which images are wrong, which is not printed"
            text = (
                f"That {best.row.name} is better than {other.row.name} {follows}: McNemar's exact "
                f"test on {sum(supports)} images has p from {low:.2g} to {high:.2g}."
            )
            data = {"best": best.row.name, "other": other.row.name, "p": [low, high]}
            yield TableFinding("paired-test", text, data)


def paired_p_values(best: Sequence[Errors], other: Sequence[Errors]) -> tuple[float, float]:
    """Smallest and largest exact p of McNemar's test over all that the errors leave open.

    >>> [round(p, 3) for p in paired_p_values([((100,), (2,))], [((100,), (10,))])]
    [0.008, 0.039]
    """
    pairs = [(a, b) for a, b in product(best, other) if a[0] == b[0]]
    if not pairs or len(best) > PAIRED or len(other) > PAIRED:
        ends: list[list[Errors]] = [
            [((sum(sizes),), (sum(wrong),)) for sizes, wrong in rows] for rows in (best, other)
        ]
        shortest = [[min(rows), max(rows)] for rows in ends]
        pairs = list(product(shortest[0], shortest[1]))
    values = []
    for (sizes, wrong), (_, others) in pairs:
        ahead = sum(others) - sum(wrong)
        parts = list(zip(sizes, wrong, others, strict=True))
        fewest = sum(abs(e - f) for _, e, f in parts)
        most = sum(min(e + f, 2 * n - e - f) for n, e, f in parts)
        values += [_exact_p((m + ahead) // 2, m) for m in (fewest, most)]
    return min(values), max(values)


def _exact_p(only_other: int, different: int) -> float:
    return float(binomtest(only_other, different).pvalue) if different else 1.0


def _errors(verdict: RowVerdict) -> list[Errors]:
    """Every number of errors that prints a row, of positives and negatives where it is binary."""
    reading, n = verdict.reading, sum(verdict.row.supports)
    if (
        reading is not None
        and reading.fits.complete
        and reading.fits.count == len(reading.fits.tables)
    ):
        tables = reading.fits.tables.tolist()
        return [((tp + fn, fp + tn), (fn, fp)) for tp, fp, fn, tn in tables]
    return [
        ((n,), (e,)) for e in Targets({"accuracy": verdict.cells["accuracy"].interval()}).errors(n)
    ]
