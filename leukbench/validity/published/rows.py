"""One printed row: is it true of some confusion matrix, and if not, what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import ceil, floor, log2

from leukbench.validity.published.binary import Fits, Table, find_tables
from leukbench.validity.published.cone import bounds, extreme_rays
from leukbench.validity.published.hull import can_be_macro
from leukbench.validity.published.macro import contradictions, harmonic, weighted_possible
from leukbench.validity.published.rounding import Cell, Interval, Unit, units_of
from leukbench.validity.published.tables import METRICS, PublishedRow

CONSISTENT, OPEN, IMPOSSIBLE = "consistent", "open", "impossible"
#: Rows that print fewer shares than this cannot be contradicted by dropping one.
ENOUGH = 4


@dataclass(frozen=True)
class Hypothesis:
    """One way to read a binary row, and the tables that then fit.

    Attributes
    ----------
    npv : bool
        The cell printed as specificity is the negative predictive value.
    dropped : str
        The metric whose cell is taken to be misprinted, or empty.
    misprint : Cell or None
        That cell.
    f1_of_printed : bool
        F1 was computed from the printed precision and recall, not from the counts.
    fits : Fits
        Tables that print all other cells.
    """

    npv: bool
    dropped: str
    misprint: Cell | None
    f1_of_printed: bool
    fits: Fits

    def bits(self, table: Table) -> float:
        """Description length of the row, in bits, given its test set's positives and negatives.

        Minimum description length (Rissanen 1978, doi:10.1016/0005-1098(78)90005-5): the counts TP
        and TN, one bit for each unusual reading, and for a misprint which cell it is and by how many
        units of the last place it is off, in Elias' gamma code (Elias 1975,
        doi:10.1109/TIT.1975.1055349).
        """
        counts = log2(table.positives + 1) + log2(table.negatives + 1)
        return counts + self.npv + self.f1_of_printed + self._misprint_bits(table)

    def _misprint_bits(self, table: Table) -> float:
        if self.misprint is None:
            return 0.0
        true = table.share(self.dropped)
        if true is None:
            true = Fraction(0)
        low, high = self.misprint.interval()
        off = max(low - true, true - high, Fraction(0)) / self.misprint.step
        return log2(len(METRICS)) + 1 + gamma_bits(max(1, ceil(off)))


def gamma_bits(number: int) -> int:
    """Length of a whole number >= 1 in Elias' gamma code, in bits."""
    return 2 * number.bit_length() - 1


def set_bits(positives: int, negatives: int) -> float:
    """Bits to name a test set: its size in Elias' gamma code, then how many are positive."""
    n = positives + negatives
    return gamma_bits(n) + log2(n)


@dataclass(frozen=True)
class RowVerdict:
    """What came out for one row.

    Attributes
    ----------
    row : PublishedRow
    kind : str
        As what it was judged: binary, macro, or "not binary" (auto, where only an average can be).
    status : {"consistent", "open", "impossible"}
        "open": nothing contradicts it, but no matrix was found either.
    cells : dict of str to Cell
    reading : Hypothesis or None
        For a binary row: the reading that fits, or the likeliest explanation of an impossible one.
    hints : tuple of str
        One sentence each: broken bounds, cells that cannot be, units.
    """

    row: PublishedRow
    kind: str
    status: str
    cells: dict[str, Cell]
    reading: Hypothesis | None = None
    hints: tuple[str, ...] = ()
    ranges: dict[str, Interval] = field(default_factory=dict)

    @property
    def table(self) -> Table | None:
        """The smallest binary table under `reading`."""
        return self.reading.fits.smallest if self.reading else None


def judge_row(
    row: PublishedRow, kind: str | None = None, classes: int | None = None, limit: int = 1000
) -> RowVerdict:
    """Judge one row of shares.

    Parameters
    ----------
    row : PublishedRow
    kind : {"auto", "binary", "macro"}, optional
        Overrides the row's own kind. "auto" tries binary, then asks whether an average over classes
        could print the row: it is "impossible" only if neither could.
    classes : int, optional
        Number of classes of a macro-averaged row, where its supports are not printed.
    limit : int, default 1000
        Largest binary test set to search, in images, where the row does not state its size.

    Returns
    -------
    RowVerdict
    """
    kind = kind or row.kind
    if kind == "auto" and len(row.supports) > 2:
        kind = "macro"
    hopeless = [m for m, text in row.cells.items() if not units_of(text)]
    if hopeless:
        said = tuple(f"{m} {row.cells[m]} is no share: it is negative or above 100" for m in hopeless)
        return RowVerdict(row, kind, IMPOSSIBLE, {}, hints=said)
    choices = list(_units(row))
    verdicts = []
    for cells in choices:
        judge = _judge_macro if kind == "macro" else _judge_binary
        verdict = judge(row, cells, classes, limit)
        if verdict.status == CONSISTENT:
            return verdict
        verdicts.append(verdict)
    best = next((v for v in verdicts if v.status == OPEN), None)
    if best is not None:
        return best
    if kind == "auto":
        for cells in choices:
            intervals = {m: c.interval() for m, c in cells.items()}
            if not _broken(cells, intervals, classes) or weighted_possible(intervals):
                hint = "no binary confusion matrix prints it; an average over classes may: state its kind"
                return RowVerdict(row, "not binary", OPEN, cells, hints=(hint, *_mixed(cells)))
    if kind == "macro":
        return verdicts[0]
    return _explain(verdicts[0], limit)


def hypotheses(row: PublishedRow, cells: dict[str, Cell], limit: int) -> Iterator[Hypothesis]:
    """Every reading of a binary row with at most one misprint that some table up to `limit` fits."""
    swaps = (False, True) if "specificity" in cells and "npv" not in cells else (False,)
    drops = ("", *cells) if len(cells) >= ENOUGH else ("",)
    for npv, dropped in product(swaps, drops):
        if npv and dropped == "specificity":
            continue
        kept = {m: c for m, c in cells.items() if m != dropped}
        for of_printed in (False, True) if _f1_of_printed(kept) else (False,):
            given = _constraints(kept, npv, of_printed)
            if not extreme_rays(given):
                continue
            fits = _search(row, given, limit)
            if fits.smallest is not None:
                yield Hypothesis(npv, dropped, cells.get(dropped), of_printed, fits)
                break


def _judge_binary(
    row: PublishedRow, cells: dict[str, Cell], classes: int | None, limit: int
) -> RowVerdict:
    status, ranges = IMPOSSIBLE, {}
    for of_printed in (False, True) if _f1_of_printed(cells) else (False,):
        given = _constraints(cells, False, of_printed)
        rays = extreme_rays(given)
        if not rays:
            continue
        fits = _search(row, given, limit)
        if fits.count:
            reading = Hypothesis(False, "", None, of_printed, fits)
            return RowVerdict(row, "binary", CONSISTENT, cells, reading, _mixed(cells))
        if not (row.supports and fits.complete):
            status = OPEN
            found = {m: bounds(rays, m) for m in METRICS if m not in cells}
            ranges = {m: v for m, v in found.items() if v is not None}
    hints: tuple[str, ...] = _mixed(cells)
    if status == OPEN:
        hints = (f"no contradiction, but no confusion matrix of up to {limit} images prints it", *hints)
    elif row.supports:
        hints = (f"no confusion matrix of {sum(row.supports)} images prints it", *hints)
    return RowVerdict(row, "binary", status, cells, None, hints, ranges)


def _judge_macro(
    row: PublishedRow, cells: dict[str, Cell], classes: int | None, limit: int
) -> RowVerdict:
    hints = _macro_faults(row, cells, classes)
    if not hints:
        return RowVerdict(row, "macro", CONSISTENT, cells, None, _mixed(cells))
    for metric in cells if len(cells) >= ENOUGH else ():
        rest = {m: c for m, c in cells.items() if m != metric}
        if not _macro_faults(row, rest, classes):
            hints.append(f"without {metric} {cells[metric].text} nothing contradicts it")
    return RowVerdict(row, "macro", IMPOSSIBLE, cells, None, (*hints, *_mixed(cells)))


def _macro_faults(row: PublishedRow, cells: dict[str, Cell], classes: int | None) -> list[str]:
    supports = row.supports if len(row.supports) > 1 else ()
    intervals = {m: c.interval() for m, c in cells.items()}
    faults = _broken(cells, intervals, len(supports) or classes)
    if row.supports and "accuracy" in cells:
        n, (low, high) = sum(row.supports), intervals["accuracy"]
        if ceil(low * n) > floor(high * n):
            faults.append(f"accuracy {cells['accuracy'].text} is no count out of {n} images")
    if not faults and supports and not can_be_macro(intervals, supports, _f1_of_printed(cells)):
        images = "/".join(map(str, supports))
        faults.append(f"no confusion matrix with {images} images a class prints it")
    return faults


def _explain(verdict: RowVerdict, limit: int) -> RowVerdict:
    """Attach the likeliest reading to an impossible binary row."""
    found = list(hypotheses(verdict.row, verdict.cells, limit))
    best = min(found, key=_solo_bits, default=None)
    return RowVerdict(verdict.row, "binary", IMPOSSIBLE, verdict.cells, best, verdict.hints)


def _solo_bits(hypothesis: Hypothesis) -> float:
    table = hypothesis.fits.smallest
    assert table is not None
    return hypothesis.bits(table) + set_bits(table.positives, table.negatives)


def _search(row: PublishedRow, given: dict[str, Interval], limit: int) -> Fits:
    total = sum(row.supports) or None
    positives = row.supports[0] if len(row.supports) == 2 else None
    return find_tables(given, limit, total, positives)


def _constraints(cells: dict[str, Cell], npv: bool, without_f1: bool) -> dict[str, Interval]:
    names = {"specificity": "npv"} if npv else {}
    return {
        names.get(m, m): c.interval() for m, c in cells.items() if not (m == "f1" and without_f1)
    }


def _f1_of_printed(cells: dict[str, Cell]) -> bool:
    """Whether the printed F1 is the harmonic mean of the printed precision and recall."""
    if not {"precision", "recall", "f1"} <= cells.keys():
        return False
    return cells["f1"].fits(harmonic(cells["precision"].value, cells["recall"].value))


def _broken(cells: dict[str, Cell], intervals: dict[str, Interval], k: int | None) -> list[str]:
    used = dict(intervals)
    if _f1_of_printed(cells):
        del used["f1"]
    return contradictions(used, k)


def _units(row: PublishedRow) -> Iterator[dict[str, Cell]]:
    """Every way to read the row's units: one unit if all cells allow it, else cell by cell."""
    options: list[tuple[Unit, ...]] = [units_of(text) for text in row.cells.values()]
    if all("fraction" in units for units in options):
        options = [("fraction",)] * len(options)
    for units in product(*options):
        pairs = zip(row.cells.items(), units, strict=True)
        yield {m: Cell.read(text, unit) for (m, text), unit in pairs}


def _mixed(cells: dict[str, Cell]) -> tuple[str, ...]:
    """Name the fractions that stand among percentages."""
    odd = [f"{m} {c.text}" for m, c in cells.items() if c.unit == "fraction" and Fraction(0) < c.value]
    if not odd or all(c.unit == "fraction" for c in cells.values()):
        return ()
    return (f"fractions among percentages: {', '.join(odd)}",)
