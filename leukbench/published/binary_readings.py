"""The ways to read a binary row: in which units, with one misprint, with specificity that is NPV.

Readings are compared by description length (Rissanen 1978, doi:10.1016/0005-1098(78)90005-5): the
bits that it takes to name the test set, the counts, and what is unusual about the reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import log2

import numpy as np

from leukbench.published.binary import FORMS, Fits, Floats, extreme_rays, find_tables
from leukbench.published.macro_bounds import harmonic
from leukbench.published.rounding import Cell, Interval, Unit, units_of
from leukbench.published.tables import METRICS, PublishedRow

#: Rows that print fewer shares than this cannot be contradicted by dropping one.
ENOUGH = 4


@dataclass(frozen=True)
class Reading:
    """One way to read a binary row, and the tables that print all other cells.

    With `npv` the cell printed as specificity is the negative predictive value; the metric
    `dropped`, if any, is misprinted as the cell `misprint`; with `f1_of_printed` F1 was computed
    from the printed precision and recall, not from the counts.
    """

    npv: bool
    dropped: str
    misprint: Cell | None
    f1_of_printed: bool
    fits: Fits

    def bits(self) -> Floats:
        """Description length of the row, in bits, for each table, given its test set.

        The counts TP and TN, one bit for each unusual reading, and for a misprint which cell it is
        and by how many units of the last place it is off, in Elias' gamma code.
        """
        tp, fp, fn, tn = self.fits.tables.T
        bits: Floats = np.log2(tp + fn + 1) + np.log2(fp + tn + 1) + self.npv + self.f1_of_printed
        if self.misprint is None:
            return bits
        top, bottom = (self.fits.tables @ np.array(form) for form in FORMS[self.dropped])
        true, (low, high) = top / np.maximum(bottom, 1), map(float, self.misprint.interval())
        off = np.maximum(low - true, true - high) / float(self.misprint.step)
        units = np.maximum(np.ceil(off - 1e-6), 1)
        bits += log2(len(METRICS)) + 2 + 2 * np.floor(np.log2(units))
        return bits

    @property
    def bits_alone(self) -> float:
        """Description length with the smallest table and the test set that it needs."""
        table = self.fits.smallest
        assert table is not None
        return float(self.bits()[0]) + set_bits(table.positives, table.negatives)


def set_bits(positives: int, negatives: int) -> float:
    """Bits to name a test set: its size, then how many are positive."""
    n = positives + negatives
    return _gamma_bits(n) + log2(n)


def _gamma_bits(number: int) -> int:
    """Length of a whole number >= 1 in Elias' gamma code (1975, doi:10.1109/TIT.1975.1055349)."""
    return 2 * number.bit_length() - 1


def explanations(row: PublishedRow, cells: dict[str, Cell], limit: int) -> Iterator[Reading]:
    """Every reading of a binary row with at most one misprint that some table up to `limit` fits."""
    swaps = (False, True) if "specificity" in cells and "npv" not in cells else (False,)
    drops = ("", *cells) if len(cells) >= ENOUGH else ("",)
    for npv, dropped in product(swaps, drops):
        if npv and dropped == "specificity":
            continue
        kept = {m: c for m, c in cells.items() if m != dropped}
        for of_printed in f1_choices(kept):
            given = constraints(kept, npv, of_printed)
            if not extreme_rays(given):
                continue
            fits = tables_of(row, given, limit)
            if fits.smallest is not None:
                yield Reading(npv, dropped, cells.get(dropped), of_printed, fits)
                break


def tables_of(row: PublishedRow, given: dict[str, Interval], limit: int) -> Fits:
    """The tables that print a row, on the test set that the row states."""
    total = sum(row.supports) or None
    return find_tables(given, limit, total, row.supports[0] if len(row.supports) == 2 else None)


def constraints(cells: dict[str, Cell], npv: bool, without_f1: bool) -> dict[str, Interval]:
    """The cells' intervals, named by what they are taken for."""
    names = {"specificity": "npv"} if npv else {}
    return {
        names.get(m, m): c.interval() for m, c in cells.items() if not (m == "f1" and without_f1)
    }


def f1_of_printed_cells(cells: dict[str, Cell]) -> bool:
    """Whether the printed F1 is the harmonic mean of the printed precision and recall."""
    if not {"precision", "recall", "f1"} <= cells.keys():
        return False
    return cells["f1"].fits(harmonic(cells["precision"].value, cells["recall"].value))


def f1_choices(cells: dict[str, Cell]) -> tuple[bool, ...]:
    """Whether F1 may be left out as computed from printed cells: not, and then so where it may."""
    return (False, True) if f1_of_printed_cells(cells) else (False,)


def unit_readings(row: PublishedRow) -> Iterator[dict[str, Cell]]:
    """Every way to read the row's units: one unit if all cells allow it, else cell by cell."""
    options: list[tuple[Unit, ...]] = [units_of(text) for text in row.cells.values()]
    if all("fraction" in units for units in options):
        options = [("fraction",)] * len(options)
    for units in product(*options):
        pairs = zip(row.cells.items(), units, strict=True)
        yield {m: Cell.read(text, unit) for (m, text), unit in pairs}


def mixed_units(cells: dict[str, Cell]) -> tuple[str, ...]:
    """Name the fractions that stand among percentages."""
    odd = [f"{m} {c.text}" for m, c in cells.items() if c.unit == "fraction" and c.value > 0]
    if not odd or all(c.unit == "fraction" for c in cells.values()):
        return ()
    return (f"fractions among percentages: {', '.join(odd)}",)
