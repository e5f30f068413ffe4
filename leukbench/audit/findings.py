"""What an audit found, as data: written to ``audit.json``, shown as a table, read by others."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

Kind = Literal[
    "identical-bytes",
    "identical-pixels",
    "near-duplicate",
    "overlapping-field",
    "label-conflict",
    "giveaway",
]
KINDS: tuple[Kind, ...] = (
    "identical-bytes",
    "identical-pixels",
    "near-duplicate",
    "overlapping-field",
    "label-conflict",
    "giveaway",
)
TITLES: dict[Kind, str] = {
    "identical-bytes": "byte-identical files",
    "identical-pixels": "identical pixels in different files",
    "near-duplicate": "near-duplicates",
    "overlapping-field": "overlapping fields of view",
    "label-conflict": "same content under two labels",
    "giveaway": "file properties that give the class away",
}
_JOINING = KINDS[:4]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Finding(_Frozen):
    """One thing that was found, and the files that show it.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    files : tuple of str
        Paths below the dataset's root; for a giveaway, one example of each value.
    labels : tuple of str
        Class of each of `files`.
    measures : dict of str to float
        ``distance``: bits of the perceptual hash that differ, 0..63. ``correlation``: normalised,
        of the overlap, -1..1. ``share``: overlap as a share of the image, 0..1. ``statistic``:
        correlation times the square root of the share. ``shift_x``, ``shift_y``: in pixels of the
        working image, where the second lies on the first. ``scale``: of the second against the
        first. ``accuracy``, ``majority``: of a rule by a file property and of the majority class,
        0..1.
    note : str
        What else there is to say, in a few words.
    """

    kind: Kind
    files: tuple[str, ...]
    labels: tuple[str, ...]
    measures: dict[str, float] = {}
    note: str = ""

    @property
    def crosses_classes(self) -> bool:
        """Whether the files stand under more than one label."""
        return len(set(self.labels)) > 1


class NullDistribution(_Frozen):
    """What random pairs of different classes reach under their best shift.

    Attributes
    ----------
    pairs : int
        Random pairs measured.
    quantiles : dict of str to float
        Of the statistic: correlation times square root of the overlap's share.
    correlation_quantiles : dict of str to float
        Of the correlation alone.
    threshold : float
        Least statistic of a pair that counts.
    rule : str
        Where the threshold comes from.
    """

    pairs: int
    quantiles: dict[str, float]
    correlation_quantiles: dict[str, float]
    threshold: float
    rule: str


class FoldOverlap(_Frozen):
    """Test images of one fold that have a partner in its training or validation part.

    Attributes
    ----------
    fold : int
        Number of the fold.
    test : int
        Test images.
    identical, near, overlapping : int
        Test images with a partner of that kind; one image may count under several.
    leaked : int
        Test images with any partner.
    clean : tuple of str
        Test images without.
    examples : tuple of (str, str)
        Up to five test images with the training image that is identical.
    """

    fold: int
    test: int
    identical: int
    near: int
    overlapping: int
    leaked: int
    clean: tuple[str, ...]
    examples: tuple[tuple[str, str], ...] = ()


class AuditReport(_Frozen):
    """Everything an audit found.

    Attributes
    ----------
    dataset, fingerprint : str
        Name and fingerprint of the dataset.
    images : int
        Images looked at.
    counts : dict of str to int
        Findings of each kind, all kinds named.
    across_classes : dict of str to int
        Of these, how many join two labels.
    findings : tuple of Finding
        By kind, then by files.
    clusters : tuple of tuple of str
        Images joined by duplicates and overlaps, two or more each: the proxy groups.
    null : NullDistribution
        Behind the threshold.
    split : tuple of FoldOverlap
        One for each fold; empty where no split was given.
    settings : dict
        Limits that were used.
    seconds : dict of str to float
        Time of each stage.
    """

    schema_version: Literal[1] = 1
    dataset: str
    fingerprint: str
    images: int
    counts: dict[str, int]
    across_classes: dict[str, int]
    findings: tuple[Finding, ...]
    clusters: tuple[tuple[str, ...], ...]
    null: NullDistribution
    split: tuple[FoldOverlap, ...] = ()
    settings: dict[str, float | int | str] = {}
    seconds: dict[str, float] = {}

    def to_frame(self) -> pd.DataFrame:
        """One row a finding: kind, files, labels, note, and a column for each measure."""
        rows = [
            {
                "kind": finding.kind,
                "files": " ".join(finding.files),
                "labels": " ".join(dict.fromkeys(finding.labels)),
                "note": finding.note,
                **finding.measures,
            }
            for finding in self.findings
        ]
        return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["kind", "files", "labels"])

    def lines(self) -> list[str]:
        """The report in a few sentences, for people."""
        joined = sum(len(cluster) for cluster in self.clusters)
        told = [f"{self.images} images of {self.dataset}."]
        for kind in KINDS:
            across = self.across_classes[kind]
            crossing = f", {across} across classes" if across and kind in _JOINING else ""
            told.append(f"{self.counts[kind]} {TITLES[kind]}{crossing}.")
        told += [finding.note for finding in self.findings if finding.kind == "giveaway"]
        told.append(
            f"{joined} images stand in {len(self.clusters)} clusters of duplicates and overlaps "
            "(proxy groups)."
        )
        for fold in self.split:
            told.append(
                f"Fold {fold.fold}: {fold.leaked} of {fold.test} test images have a partner in "
                f"training ({fold.identical} identical, {fold.near} near-duplicate, "
                f"{fold.overlapping} overlapping); {len(fold.clean)} are clean."
            )
        return told
