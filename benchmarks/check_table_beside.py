"""`check-table` beside mlscorecheck 1.0.3 on the kinds of tables that both know.

Run as ``python -m benchmarks.check_table_beside --python PYTHON [--tables 500]``, where PYTHON is
an interpreter of an environment of its own with ``mlscorecheck==1.0.3``. Rows of stated supports
are printed rounded or cut off, as it comes; then one cell is moved by 1 to 5 points. mlscorecheck
(Fazekas and Kovács 2024, doi:10.1016/j.knosys.2024.111356) gets every score that it knows for the
kind, with one unit in the last place as its tolerance; its accuracy over classes is that of the
pooled one-vs-rest tables, into which the printed one is converted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Sequence
from typing import Any

import numpy as np

from leukbench.published.rounding import Cell
from leukbench.published.rows import IMPOSSIBLE, judge_row
from leukbench.published.tables import PublishedRow
from tests.published.random_tables import (
    Shares,
    altered,
    macro_shares,
    random_binary,
    ratio,
    realistic_matrix,
    row,
)

KINDS = ("binary", "macro", "micro")
STYLES = ((2, True), (1, True), (4, False), (3, False), (2, False))
NAMES = {"accuracy": "acc", "precision": "ppv", "recall": "sens", "specificity": "spec", "f1": "f1"}

#: Runs in the other environment: reads one check a line, prints 1 where it finds an inconsistency.
WORKER = """
import json, logging, sys, warnings
logging.disable(logging.CRITICAL)
warnings.filterwarnings("ignore")
from mlscorecheck.check.binary import check_1_testset_no_kfold as binary
from mlscorecheck.check.multiclass import check_1_testset_no_kfold_macro as macro
from mlscorecheck.check.multiclass import check_1_testset_no_kfold_micro as micro
checks = {"binary": binary, "macro": macro, "micro": micro}
for line in sys.stdin:
    kind, testset, scores, eps = json.loads(line)
    if kind != "binary":
        testset = {int(k): v for k, v in testset.items()}
    quiet = {"verbosity": 0} if kind == "macro" else {}
    print(int(checks[kind](testset=testset, scores=scores, eps=eps, **quiet)["inconsistency"]))
"""


def true_row(kind: str, rng: np.random.Generator, decimals: int, percent: bool) -> PublishedRow:
    """A true row with its supports."""
    if kind == "binary":
        shares, supports = random_binary(rng)
        return row(shares, rng, decimals, percent, kind, supports)
    matrix = realistic_matrix(rng)
    shares, supports = macro_shares(matrix)
    if kind == "micro":
        right, n, k = int(np.trace(matrix)), int(matrix.sum()), len(matrix)
        micro: Shares = dict.fromkeys(shares, ratio(right, n))
        shares = micro | {"specificity": 1 - ratio(n - right, n * (k - 1))}
    return row(shares, rng, decimals, percent, kind, supports)


def as_check(given: PublishedRow) -> str:
    """A row as mlscorecheck wants it."""
    percent = any(float(text) > 1 for text in given.cells.values())
    cells = {m: Cell.read(t, "percent" if percent else None) for m, t in given.cells.items()}
    scores = {NAMES[m]: float(c.value) for m, c in cells.items()}
    testset: dict[Any, int] = dict(enumerate(given.supports))
    if given.kind == "binary":
        testset = {"p": given.supports[0], "n": given.supports[1]}
    else:
        scores["acc"] = 1 - 2 / len(given.supports) * (1 - scores["acc"])
    if given.kind == "macro":
        scores = {m: scores[m] for m in ("acc", "sens", "spec")}
    eps = float(cells["recall"].step)
    return json.dumps([given.kind, testset, scores, eps])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line a kind; return how many true rows `check-table` called impossible."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", required=True, help="interpreter with mlscorecheck")
    parser.add_argument(
        "--tables", type=int, default=500, help="true and altered rows of each kind"
    )
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    alarms = 0
    print(
        "| kind | rows | check-table: false alarms | caught | mlscorecheck: false alarms | caught |"
    )
    print("|---|---|---|---|---|---|")
    for kind in given.kinds:
        rng = np.random.default_rng([given.seed, KINDS.index(kind)])
        rows = []
        for i in range(given.tables):
            decimals, percent = STYLES[i % len(STYLES)]
            true = true_row(kind, rng, decimals, percent)
            rows += [true, altered(true, rng, decimals, percent, 5.0)]
        ours = [judge_row(r).status == IMPOSSIBLE for r in rows]
        lines = "\n".join(map(as_check, rows)) + "\n"
        answer = subprocess.run(
            [given.python, "-c", WORKER], input=lines, capture_output=True, text=True, check=True
        )
        theirs = [line == "1" for line in answer.stdout.split()]
        alarms += sum(ours[::2])
        counts = [sum(ours[::2]), sum(ours[1::2]), sum(theirs[::2]), sum(theirs[1::2])]
        print(f"| {kind} | {given.tables} | {' | '.join(map(str, counts))} |", flush=True)
    return alarms


if __name__ == "__main__":
    raise SystemExit(main() > 0)
