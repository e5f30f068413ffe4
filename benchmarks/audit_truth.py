"""What the audit finds of the copies planted in synthetic smears: precision and recall by kind.

Run as ``python -m benchmarks.audit_truth [--seeds 3]``. Every number is SYNTHETIC.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from leukbench.audit.audit import audit
from leukbench.audit.findings import PARTNERS, AuditReport
from leukbench.data.folder import load_folder
from leukbench.data.synthetic import CopyPlan, SyntheticConfig, Truth, write_dataset

EXACT = ("exact", "conflict")


def measure(truth: Truth, report: AuditReport) -> pd.DataFrame:
    """Planted and found pairs of each kind, and the pairs found that were not planted.

    Returns
    -------
    pandas.DataFrame
        One row a kind of copy, then ``all``: planted, found, recall, and for ``all`` the false pairs
        and the precision.
    """
    found = {
        frozenset((first, second))
        for finding in report.findings
        if finding.kind in PARTNERS
        for first in finding.files
        for second in finding.files
        if first < second
    }
    planted = {frozenset((pair.first, pair.second)): pair.kind for pair in truth.pairs}
    total, met = Counter(planted.values()), Counter(planted[p] for p in found & planted.keys())
    false = len(found - planted.keys())
    rows = [
        {"kind": kind, "planted": n, "found": met[kind], "recall": met[kind] / n}
        for kind, n in total.items()
    ]
    rows.append(
        {
            "kind": "all",
            "planted": len(planted),
            "found": met.total(),
            "recall": met.total() / max(len(planted), 1),
            "false": false,
            "precision": met.total() / max(len(found), 1),
        }
    )
    return pd.DataFrame(rows).set_index("kind")


def plant(each: int, images_per_class: int, seed: int, size: int = 224) -> SyntheticConfig:
    """A dataset with `each` copies of every kind."""
    copies = CopyPlan(each, each, each, each, each, each, each)
    return SyntheticConfig(images_per_class=images_per_class, seed=seed, size=size, copies=copies)


def run(config: SyntheticConfig, folder: Path, jobs: int) -> tuple[pd.DataFrame, AuditReport]:
    """Render, audit, measure."""
    truth = write_dataset(folder, config, jobs=jobs)
    report = audit(load_folder(folder, jobs=jobs), jobs=jobs)
    return measure(truth, report), report


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one table over all seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--copies", type=int, default=50, help="of each kind and seed")
    parser.add_argument("--images-per-class", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=-1)
    given = parser.parse_args(arguments)
    tables = []
    for seed in range(given.seeds):
        with tempfile.TemporaryDirectory() as folder:
            config = plant(given.copies, given.images_per_class, seed)
            table, report = run(config, Path(folder) / "synthetic", given.jobs)
        tables.append(table)
        print(f"seed {seed}: {report.null.rule}; threshold {report.null.threshold}", flush=True)
    summed = pd.concat(tables)[["planted", "found"]].groupby(level=0, sort=False).sum()
    false = sum(int(table.loc["all", "false"]) for table in tables)
    print("SYNTHETIC")
    for kind, row in summed.iterrows():
        print(
            f"{kind:14s} {row.found:5.0f} of {row.planted:5.0f}  recall {row.found / row.planted:.3f}"
        )
    met = summed.loc["all", "found"]
    print(f"false pairs {false}, precision {met / (met + false):.4f}")


if __name__ == "__main__":
    main()
