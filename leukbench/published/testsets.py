"""Which rows of a table were measured on one and the same test set.

Rows of one test set share its positives and negatives. For every candidate (positives,
negatives) and every row, the cheapest reading (as printed; specificity is NPV; one cell
misprinted) is priced in bits; the sets that save most bits against every row on its own are
taken, greedily: minimum description length (Rissanen 1978, Automatica 14:465-471,
doi:10.1016/0005-1098(78)90005-5). Large sets, on which any row finds some table, cost more bits
than they save, so coincidences are not taken for a common set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leukbench.published.binary import Table
from leukbench.published.readings import Hypothesis, hypotheses, set_bits
from leukbench.published.rows import RowVerdict

#: Largest common test set that is looked for, in images.
LARGEST = 400


@dataclass(frozen=True)
class Member:
    """One row on a common test set: its reading there, and its table."""

    name: str
    reading: Hypothesis
    table: Table
    bits: float


@dataclass(frozen=True)
class TestSet:
    """A test set that several rows share."""

    __test__ = False

    positives: int
    negatives: int
    members: tuple[Member, ...]

    @property
    def n(self) -> int:
        """Images in the test set."""
        return self.positives + self.negatives


def common_test_sets(verdicts: Sequence[RowVerdict], largest: int = LARGEST) -> list[TestSet]:
    """Find the test sets that at least two binary rows share.

    Parameters
    ----------
    verdicts : sequence of RowVerdict
        Rows judged as binary; others are passed over.
    largest : int, default 400
        Largest test set looked for, in images.

    Returns
    -------
    list of TestSet
        The set that explains most first.
    """
    priced = {
        i: _priced(verdict, largest)
        for i, verdict in enumerate(verdicts)
        if verdict.kind == "binary"
    }
    solo = {
        i: min((m.bits + set_bits(*pn) for pn, m in p.items()), default=0.0)
        for i, p in priced.items()
    }
    found: list[TestSet] = []
    while True:
        savings: dict[tuple[int, int], float] = {}
        for i, prices in priced.items():
            for pn, member in prices.items():
                if (saved := solo[i] - member.bits) > 0:
                    savings[pn] = savings.get(pn, -set_bits(*pn)) + saved
        if not savings:
            return found
        best = max(savings, key=lambda pn: (savings[pn], -sum(pn)))
        joined = [i for i, p in priced.items() if best in p and p[best].bits < solo[i]]
        if savings[best] <= 0 or len(joined) < 2:
            return found
        found.append(TestSet(*best, tuple(priced[i][best] for i in joined)))
        for i in joined:
            del priced[i]


def _priced(verdict: RowVerdict, largest: int) -> dict[tuple[int, int], Member]:
    """The cheapest reading of a row for every (positives, negatives)."""
    prices: dict[tuple[int, int], Member] = {}
    for reading in hypotheses(verdict.row, verdict.cells, largest):
        for tp, fp, fn, tn in reading.fits.tables.tolist():
            table = Table(tp, fp, fn, tn)
            pn = (table.positives, table.negatives)
            bits = reading.bits(table)
            if pn not in prices or bits < prices[pn].bits:
                prices[pn] = Member(verdict.row.name, reading, table, bits)
    return prices
