"""How many true tables `check-table` calls impossible: none is the aim, over every kind of table.

Run as ``python -m benchmarks.check_table_alarms [--tables 3000] [--seed 0]``. Tables come from
random predictions (scikit-learn's own numbers) and from the committed results, with 1 to 4
decimals, rounded, cut off or mixed, as the files that users have.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from leukbench.published import check_table
from tests.published.true_tables import KINDS, true_table


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line a kind: tables, false alarms, statuses; return how many false alarms."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=3000, help="true tables over all kinds")
    parser.add_argument("--kinds", nargs="*", default=sorted(KINDS), choices=sorted(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    each, alarms = -(-given.tables // len(given.kinds)), 0
    print("| kind | tables | false alarms | consistent | not decided |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.csv"
        for kind in given.kinds:
            false, statuses = [], Counter[str]()
            for seed in range(given.seed, given.seed + each):
                file.write_text(true_table(kind, seed), encoding="utf-8")
                report = check_table(str(file), images=150)
                statuses.update([v.status for v in report.rows])
                statuses.update([v.status for v in report.reports])
                if report.exit_code:
                    false.append(seed)
            alarms += len(false)
            shown = f"{len(false)}" + (f" (seeds {false[:5]})" if false else "")
            counts = f"{statuses['consistent']} | {statuses['open']}"
            print(f"| {kind} | {each} | {shown} | {counts} |", flush=True)
    print(f"| **all** | {each * len(given.kinds)} | {alarms} | | |")
    return alarms


if __name__ == "__main__":
    raise SystemExit(main() > 0)
