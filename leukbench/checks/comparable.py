"""Whether two runs may stand side by side: one protocol, one dataset, one split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from leukbench.errors import UsageError
from leukbench.records import DatasetDescription
from leukbench.runfolder import RunFolder


def check_comparable(run: RunFolder, baseline: RunFolder) -> None:
    """Refuse to compare two runs of another protocol, dataset or split, naming the difference."""
    new, old = run.run, baseline.run
    match new.differs_in(old):
        case "protocol":
            before, after = (side.protocol.model_dump(mode="json") for side in (old, new))
            differences = "; ".join(_protocol_differences(before, after))
            what = f"follows another protocol than the baseline {baseline.path}"
            how = differences or "the fingerprints differ"
        case "dataset":
            what = f"is of another dataset than the baseline {baseline.path}"
            how = _dataset_difference(old.dataset, new.dataset)
        case "split":
            what = f"has another split than the baseline {baseline.path}"
            how = _split_difference(baseline, run)
        case None:
            return
    raise UsageError(
        f"{run.path} {what} ({how}): compare runs of one protocol, dataset and split, or pass "
        "`update=True` to replace the baseline."
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


def _dataset_difference(old: DatasetDescription, new: DatasetDescription) -> str:
    names = {"name": "the name", "images": "images", "counts": "images of the classes"}
    for key, what in names.items():
        if getattr(old, key) != getattr(new, key):
            return f"{what} {getattr(new, key)}, was {getattr(old, key)}"
    return f"fingerprint {new.fingerprint[:12]}, was {old.fingerprint[:12]}"


def _split_difference(baseline: RunFolder, run: RunFolder) -> str:
    columns = ["fold", "part", "image", "sha256"]
    before = pd.MultiIndex.from_frame(baseline.split[columns])
    after = pd.MultiIndex.from_frame(run.split[columns])
    moved = after.difference(before)
    if len(moved):
        fold, part, image, _ = moved[0]
        return f"{len(moved)} rows of split.csv, the first {image}, now in {part} of fold {fold}"
    return f"sha256 {run.run.split_sha256[:12]}, was {baseline.run.split_sha256[:12]}"
