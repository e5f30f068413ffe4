"""What the audit and the split say about test images that training has seen."""

from __future__ import annotations

import pandas as pd

from leukbench.runfolder import RunFolder


def seen_copies(split: pd.DataFrame) -> tuple[int, int]:
    """Count the test images, and those of which a byte-identical copy stands in training.

    Parameters
    ----------
    split : pandas.DataFrame
        Content of ``split.csv``.

    Returns
    -------
    seen, tested : int
        Over all folds; an image counts once a fold.
    """
    seen = tested = 0
    for _, fold in split.groupby("fold"):
        test = fold[fold["part"] == "test"]
        training = set(fold.loc[fold["part"] != "test", "sha256"])
        seen += int(test["sha256"].isin(training).sum())
        tested += len(test)
    return seen, tested


def partner_sentences(folder: RunFolder) -> list[str]:
    """Return what stands over every table about leakage; empty where there is nothing to say."""
    allowed = folder.run["protocol"]["audit"]["allow_duplicates_across_split"]
    seen, tested = seen_copies(folder.split)
    if not allowed and not seen:
        return []
    share = f"{seen} of {tested} test images have a byte-identical copy in training"
    start = "The protocol allows duplicates across the split" if allowed else "Leakage"
    return [f"{start}: {share}."]
