"""Which rows of a table were measured on one and the same test set.

Rows of one test set share its positives and negatives. For every candidate (positives,
negatives) and every row, the cheapest reading (as printed; specificity is NPV; one cell
misprinted) is priced in bits; the sets that save most bits against every row on its own are
taken, greedily: minimum description length (Rissanen 1978, doi:10.1016/0005-1098(78)90005-5).
Large sets, on which any row finds some table, cost more bits than they save, so coincidences are
not taken for a common set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from leukbench.published.binary import Table
from leukbench.published.binary_readings import Reading, explanations, set_bits
from leukbench.published.rows import RowVerdict
from leukbench.published.tables import PublishedRow
from leukbench.published.wording import explanation

#: Largest common test set that is looked for, in images.
LARGEST = 400
#: Rows of the longest table in which common test sets are looked for.
LONGEST = 60
#: Positives and negatives of a test set.
Sizes = tuple[int, int]


@dataclass(frozen=True)
class TableFinding:
    """What rows and tables say together: one sentence, and the numbers behind it, JSON-ready.

    The kinds: test-set, own-test-set, other-test-set, not-looked-for, matrices, claim, one-number,
    interval.
    """

    kind: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)


class _Member(NamedTuple):
    """One row on a common test set: its reading there, its table, and its price in bits."""

    verdict: RowVerdict
    reading: Reading
    table: Table
    bits: float


def shared_set_findings(verdicts: Sequence[RowVerdict]) -> list[TableFinding]:
    """Name the rows that were measured on one test set, and what each row's cells are there."""
    if len(verdicts) > LONGEST:
        text = (
            f"Common test sets were not looked for: {len(verdicts)} rows are more than {LONGEST}; "
            "check the table in parts."
        )
        return [TableFinding("not-looked-for", text, {"rows_searched": 0})]
    return [_shared_set(sizes, members) for sizes, members in _common_test_sets(verdicts)]


def own_set_findings(
    verdicts: Sequence[RowVerdict], sets: Sequence[TableFinding]
) -> Iterator[TableFinding]:
    """Name the rows with a test set of their own."""
    shared = {name for s in sets for name in s.data["rows"]}
    for verdict in verdicts:
        table, name = verdict.table, verdict.row.name
        if table is None or name in shared:
            continue
        text = (
            f"{name}: shares no test set with another row; the smallest has {table.n} images "
            f"({table.positives} positive): TP/FP/FN/TN {table}."
        )
        yield TableFinding("own-test-set", text, {"row": name, "table": list(table)})


def other_set_findings(verdicts: Sequence[RowVerdict], images: int) -> Iterator[TableFinding]:
    """Name the binary rows that no confusion matrix of `images` images prints, however it is read."""
    names = []
    for verdict in verdicts:
        if verdict.kind != "binary" or verdict.row.supports or not verdict.cells:
            continue
        row = PublishedRow(verdict.row.name, verdict.row.cells, "binary", (images,))
        if all(reading.dropped for reading in explanations(row, verdict.cells, images)):
            names.append(verdict.row.name)
    if names:
        text = (
            f"{', '.join(names)}: no confusion matrix of {images} images prints these rows, with "
            "specificity read as specificity or as negative predictive value: they come from other "
            "data."
        )
        yield TableFinding("other-test-set", text, {"images": images, "rows": names})


def _shared_set(sizes: Sizes, members: Sequence[_Member]) -> TableFinding:
    positives, negatives = sizes
    lines = [
        f"{', '.join(m.verdict.row.name for m in members)}: one binary test set of {sum(sizes)} "
        f"images ({positives} positive, {negatives} negative); TP/FP/FN/TN:"
    ]
    rows: dict[str, Any] = {}
    for member in members:
        name = member.verdict.row.name
        lines.append(
            f"    {name} {member.table}: {explanation(member.verdict, member.reading, member.table)}"
        )
        rows[name] = {
            "table": list(member.table),
            "npv_as_specificity": member.reading.npv,
            "misprinted": member.reading.dropped,
        }
    data = {"positives": positives, "negatives": negatives, "rows": rows}
    return TableFinding("test-set", "\n".join(lines), data)


def _common_test_sets(verdicts: Sequence[RowVerdict]) -> Iterator[tuple[Sizes, list[_Member]]]:
    """The test sets that at least two binary rows share; the one that explains most first."""
    priced = {
        i: _prices(v) for i, v in enumerate(verdicts) if v.kind == "binary" and not v.row.mean
    }
    alone = {
        i: min((m.bits + set_bits(*sizes) for sizes, m in prices.items()), default=0.0)
        for i, prices in priced.items()
    }
    while True:
        savings: dict[Sizes, float] = {}
        for i, prices in priced.items():
            for sizes, member in prices.items():
                if (saved := alone[i] - member.bits) > 0:
                    savings[sizes] = savings.get(sizes, -set_bits(*sizes)) + saved
        if not savings:
            return
        best = max(savings, key=lambda sizes: (savings[sizes], -sum(sizes)))
        joined = [i for i, p in priced.items() if best in p and p[best].bits < alone[i]]
        if savings[best] <= 0 or len(joined) < 2:
            return
        yield best, [priced.pop(i)[best] for i in joined]


def _prices(verdict: RowVerdict) -> dict[Sizes, _Member]:
    """The cheapest reading of a row for every test set."""
    prices: dict[Sizes, _Member] = {}
    for reading in explanations(verdict.row, verdict.cells, LARGEST):
        bits, (tp, fp, fn, tn) = reading.bits(), reading.fits.tables.T
        order = np.lexsort((bits, fp + tn, tp + fn))
        _, first = np.unique((tp + fn)[order] * (2 * LARGEST) + (fp + tn)[order], return_index=True)
        for i in order[first].tolist():
            table = Table(*reading.fits.tables[i].tolist())
            sizes = (table.positives, table.negatives)
            if sizes not in prices or bits[i] < prices[sizes].bits:
                prices[sizes] = _Member(verdict, reading, table, float(bits[i]))
    return prices
