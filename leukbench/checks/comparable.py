"""Whether two runs may stand side by side: one protocol, one dataset, one split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from leukbench.errors import UsageError
from leukbench.runfolder import RunFolder


def check_comparable(run: RunFolder, baseline: RunFolder) -> None:
    """Refuse to compare two runs of another protocol, dataset or split, naming the difference."""
    new, old = run.run, baseline.run
    mend = (
        "compare runs of one protocol, dataset and split, or pass --update to replace the baseline"
    )
    if new["protocol_fingerprint"] != old["protocol_fingerprint"]:
        differences = "; ".join(_protocol_differences(old["protocol"], new["protocol"]))
        raise UsageError(
            f"{run.path} follows another protocol than --baseline {baseline.path} "
            f"({differences or 'the fingerprints differ'}): {mend}."
        )
    if new["dataset_fingerprint"] != old["dataset_fingerprint"]:
        raise UsageError(
            f"{run.path} is of another dataset than --baseline {baseline.path} "
            f"({_dataset_difference(old['dataset'], new['dataset'])}): {mend}."
        )
    if new["split_sha256"] != old["split_sha256"]:
        raise UsageError(
            f"{run.path} has another split than --baseline {baseline.path} "
            f"({_split_difference(old, new, baseline, run)}): {mend}."
        )


def _protocol_differences(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = ""
) -> Iterator[str]:
    skipped = () if prefix else ("name", "title", "description", "models", "seeds")
    for key in dict.fromkeys([*old, *new]):
        before, after = old.get(key), new.get(key)
        if before == after or key in skipped:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _protocol_differences(before, after, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key} is {after!r}, was {before!r}"


def _dataset_difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    for key, what in (
        ("name", "the name"),
        ("images", "images"),
        ("counts", "images of the classes"),
    ):
        if old.get(key) != new.get(key):
            return f"{what} {new.get(key)}, was {old.get(key)}"
    return f"fingerprint {str(new['fingerprint'])[:12]}, was {str(old['fingerprint'])[:12]}"


def _split_difference(
    old: Mapping[str, Any], new: Mapping[str, Any], baseline: RunFolder, run: RunFolder
) -> str:
    columns = ["fold", "part", "image", "sha256"]
    before = pd.MultiIndex.from_frame(baseline.split[columns])
    after = pd.MultiIndex.from_frame(run.split[columns])
    moved = after.difference(before)
    if len(moved):
        fold, part, image, _ = moved[0]
        return f"{len(moved)} rows of split.csv, the first {image}, now in {part} of fold {fold}"
    return f"sha256 {str(new['split_sha256'])[:12]}, was {str(old['split_sha256'])[:12]}"
