"""Whether a table whose rows do not say so holds binary rows: evidence pooled over its rows.

One row that no binary confusion matrix prints may be an average over classes, and cannot be
called false. Many rows together tell: the two identities of a binary row hold by chance in few
macro averages. Each row multiplies an e-value (Vovk and Wang 2021, Annals of Statistics
49(3):1736-1754, doi:10.1214/20-AOS2020) by a factor whose mean is at most 1 if the row is a
macro average; a product of `THRESHOLD` therefore occurs in at most one in `THRESHOLD` tables of
macro averages (Markov's inequality). The factors follow how often random macro tables of 3 to 6
classes pass as binary: about 1 % as a whole, under 1 % but for precision, recall or F1. That F1
fits precision and recall says nothing (it nearly always does where a macro-averaged model is
good), and neither do rows printed coarser than a thousandth.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

from leukbench.published.rows import (
    IMPOSSIBLE,
    UNSETTLED,
    RowVerdict,
    binary_without,
    reject,
)
from leukbench.published.tables import METRICS

THRESHOLD = 1000.0
#: step of the coarsest cell -> factor of a row that is binary, that is binary but for precision, recall
#: or F1, that is so but for accuracy or specificity, and of any other row.
FACTORS = {
    Fraction(1, 10_000): (30.0, 40.0, 0.5, 0.05),
    Fraction(1, 1_000): (20.0, 20.0, 0.5, 0.05),
}


def settle_kinds(verdicts: Sequence[RowVerdict], limit: int) -> list[RowVerdict]:
    """Call the rows that no binary matrix prints impossible if their table shows that it is binary.

    Parameters
    ----------
    verdicts : sequence of RowVerdict
        The rows of one table. Rows of a stated kind are left alone and give no evidence.
    limit : int
        Largest test set to search for an explanation, in images.

    Returns
    -------
    list of RowVerdict
    """
    if not any(v.kind == UNSETTLED for v in verdicts):
        return list(verdicts)
    if prod(factor(v) for v in verdicts if v.row.kind == "auto") < THRESHOLD:
        return list(verdicts)
    return [reject(v, limit) if v.kind == UNSETTLED else v for v in verdicts]


def factor(verdict: RowVerdict) -> float:
    """The factor by which one row of unstated kind supports that its table is binary."""
    cells = verdict.cells
    if len(cells) < len(METRICS) or verdict.status == IMPOSSIBLE:
        return 1.0
    coarsest = max(cell.step for cell in cells.values())
    factors = next((f for step, f in sorted(FACTORS.items()) if coarsest <= step), None)
    if factors is None:
        return 1.0
    whole, but_f1, but_accuracy, other = factors
    if verdict.kind == "binary":
        return whole
    if any(binary_without(cells, m) for m in ("precision", "recall", "f1")):
        return but_f1
    if any(binary_without(cells, m) for m in ("accuracy", "specificity")):
        return but_accuracy
    return other
