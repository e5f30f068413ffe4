"""What a confusion matrix must print to be behind a macro-averaged row, in exact fractions.

F1 has two definitions in use: the mean of the classes' F1 (scikit-learn's), and the harmonic mean
of the averaged precision and recall (Opitz and Burst 2019, arXiv:1911.03347). Either is accepted.
A class that is never predicted has precision 0/0, which software prints as 0 or as 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor

from leukbench.published.macro import harmonic
from leukbench.published.rounding import Cell, Interval
from leukbench.published.tables import METRICS

WHOLE: Interval = (Fraction(0), Fraction(1))


@dataclass(frozen=True)
class Targets:
    """Intervals of a row's accuracy and macro averages.

    Attributes
    ----------
    cells : dict of str to (Fraction, Fraction)
        For every metric of `METRICS` a closed interval within 0..1; 0..1 where it is not printed.
    f1_of_averages : bool
        F1 is the harmonic mean of the averaged precision and recall, not the mean over classes.
    f1_printed : bool
        The printed F1 is that of the printed precision and recall, whatever the counts give.
    """

    cells: dict[str, Interval]
    f1_of_averages: bool = False
    f1_printed: bool = False

    def window(self, metric: str) -> tuple[float, float]:
        """The interval of a metric in floats; 0..1 for an F1 that the classes' F1 do not make."""
        if metric == "f1" and self.f1_of_averages:
            return 0.0, 1.0
        low, high = self.cells[metric]
        return float(low), float(high)

    def errors(self, n: int) -> range:
        """Every number of errors out of `n` images that prints the accuracy."""
        low, high = self.cells["accuracy"]
        return range(ceil(n * (1 - high)), floor(n * (1 - low)) + 1)

    def printed_by(
        self, supports: Sequence[int], missed: Sequence[int], false: Sequence[int]
    ) -> bool:
        """Whether a matrix with these supports, misses and false positives a class prints the row."""
        n, k = sum(supports), len(supports)
        hits = [s - m for s, m in zip(supports, missed, strict=True)]
        if any(m + f > sum(missed) for m, f in zip(missed, false, strict=True)):
            return False
        never = sum(h + f == 0 for h, f in zip(hits, false, strict=True))
        precision = _mean(Fraction(h, h + f or 1) for h, f in zip(hits, false, strict=True))
        recall = _mean(Fraction(h, s) for h, s in zip(hits, supports, strict=True))
        shares = {
            "accuracy": Fraction(sum(hits), n),
            "recall": recall,
            "specificity": 1
            - _mean(Fraction(f, n - s) for f, s in zip(false, supports, strict=True)),
            "f1": _mean(
                Fraction(2 * h, s + h + f) for h, f, s in zip(hits, false, supports, strict=True)
            ),
        }
        for share in {precision, precision + Fraction(never, k)}:
            if self.f1_of_averages:
                shares["f1"] = harmonic(share, recall)
            if all(self._fits(m, v) for m, v in (shares | {"precision": share}).items()):
                return True
        return False

    def _fits(self, metric: str, share: Fraction) -> bool:
        low, high = self.cells[metric]
        return (metric == "f1" and self.f1_printed) or low <= share <= high


def readings(cells: Mapping[str, Cell]) -> Iterator[Targets]:
    """The ways to read a row's F1; a row is impossible only if no matrix prints any of them.

    Parameters
    ----------
    cells : mapping of str to Cell
        The printed cells.

    Yields
    ------
    Targets
        F1 of the printed precision and recall alone if it is that: then its cell says nothing about
        the counts. Else the mean over classes, then the harmonic mean of the averages where their
        intervals allow it.
    """
    given = {m: cells[m].interval() if m in cells else WHOLE for m in METRICS}
    mean = Targets(given)
    if not {"precision", "recall", "f1"} <= cells.keys():
        yield mean
        return
    precision, recall, f1 = given["precision"], given["recall"], given["f1"]
    if cells["f1"].fits(harmonic(cells["precision"].value, cells["recall"].value)):
        yield replace(mean, f1_of_averages=True, f1_printed=True)
        return
    yield mean
    if harmonic(precision[0], recall[0]) <= f1[1] and f1[0] <= harmonic(precision[1], recall[1]):
        yield replace(mean, f1_of_averages=True)


def _mean(values: Iterator[Fraction]) -> Fraction:
    listed = list(values)
    return sum(listed, Fraction(0)) / len(listed)
