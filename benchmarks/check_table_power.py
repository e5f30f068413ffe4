"""How many altered rows `check-table` catches, and how many it cannot catch because they may be true.

Run as ``python -m benchmarks.check_table_power [--rows 40] [--true 100]``. Random confusion
matrices are printed as papers print them, each cell rounded or cut off; then one cell is moved by
1 to ``--points`` percentage points. An altered row is *caught* where it is proven that no
confusion matrix prints it, *possible* where a confusion matrix that prints it is shown (calling
that row impossible would be a false alarm), and otherwise *not decided*.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from leukbench.published.rows import CONSISTENT, IMPOSSIBLE, OPEN, judge_row
from leukbench.published.tables import PublishedRow
from tests.published.random_tables import (
    altered,
    macro_shares,
    random_binary,
    realistic_matrix,
    row,
)

#: Decimals, whether percent, and how the table calls it.
STYLES = (
    (2, True, "percent, 2 decimals"),
    (1, True, "percent, 1 decimal"),
    (4, False, "fraction, 4 decimals"),
    (3, False, "fraction, 3 decimals"),
    (2, False, "fraction, 2 decimals"),
)
KINDS = ("binary", "macro, supports printed", "macro, number of classes known")


@dataclass
class Tally:
    """Verdicts on the altered and on the unaltered rows of one kind and style."""

    altered: Counter[str] = field(default_factory=Counter)
    true: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def line(self, kind: str, style: str) -> str:
        """One line of the Markdown table."""
        n = self.altered.total()
        caught, shown, undecided = (
            self.altered[status] for status in (IMPOSSIBLE, CONSISTENT, OPEN)
        )
        of_false = f"{100 * caught / (n - shown):.0f} %" if n > shown else "none"
        cells = [
            kind,
            style,
            str(n),
            *(f"{100 * count / n:.1f} %" for count in (caught, shown, undecided)),
            of_false,
            f"{self.true[IMPOSSIBLE]} of {self.true.total()}",
            str(self.true[OPEN]),
            f"{self.seconds / (n + self.true.total()):.2f}",
        ]
        return f"| {' | '.join(cells)} |"


HEADER = (
    "| row | printed as | altered rows | caught | possible: matrix shown | not decided "
    "| caught of those without a matrix | unaltered: false alarms | unaltered: not decided "
    "| CPU s a row |"
)


def true_row(
    kind: str, rng: np.random.Generator, decimals: int, percent: bool
) -> tuple[PublishedRow, int | None]:
    """A true row, and the number of classes that is given with it."""
    if kind == "binary":
        shares, _ = random_binary(rng)
        return row(shares, rng, decimals, percent, "binary"), None
    shares, supports = macro_shares(realistic_matrix(rng))
    if kind == KINDS[1]:
        return row(shares, rng, decimals, percent, "macro", supports), None
    return row(shares, rng, decimals, percent, "macro"), len(supports)


def measure(
    kind: str,
    decimals: int,
    percent: bool,
    rows: int,
    true: int,
    points: float,
    rng: np.random.Generator,
) -> Tally:
    """Judge `rows` altered and `true` unaltered rows of one kind and style."""
    tally = Tally()
    started = time.process_time()
    for i in range(max(rows, true)):
        given, classes = true_row(kind, rng, decimals, percent)
        if i < true:
            tally.true[judge_row(given, classes=classes).status] += 1
        if i < rows:
            wrong = altered(given, rng, decimals, percent, points)
            tally.altered[judge_row(wrong, classes=classes).status] += 1
    tally.seconds = time.process_time() - started
    return tally


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one Markdown table, a line for each kind of row and way of printing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=40, help="altered rows a line")
    parser.add_argument("--true", type=int, default=40, help="unaltered rows a line")
    parser.add_argument("--points", type=float, default=5.0, help="largest alteration, in points")
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    print(HEADER)
    print("|---" * HEADER.count(" | ") + "|---|")
    for kind in given.kinds:
        totals = Tally()
        for style, (decimals, percent, name) in enumerate(STYLES):
            rng = np.random.default_rng([given.seed, KINDS.index(kind), style])
            tally = measure(kind, decimals, percent, given.rows, given.true, given.points, rng)
            print(tally.line(kind, name), flush=True)
            totals.altered += tally.altered
            totals.true += tally.true
            totals.seconds += tally.seconds
        print(totals.line(f"**{kind}**", "all"), flush=True)


if __name__ == "__main__":
    main()
