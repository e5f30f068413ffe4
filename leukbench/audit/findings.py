"""The findings of an audit, as data: written to ``audit.json``, shown as a table, read by others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

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
KINDS: tuple[Kind, ...] = get_args(Kind)
TITLES: dict[Kind, str] = {
    "identical-bytes": "byte-identical files",
    "identical-pixels": "identical pixels in different files",
    "near-duplicate": "near-duplicates",
    "overlapping-field": "overlapping fields of view",
    "label-conflict": "cases of the same content under two labels",
    "giveaway": "file properties that give the class away",
}
IDENTICAL = KINDS[:2]
PARTNERS = KINDS[:4]
"""Kinds whose files show the same content, so that they belong to one group."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Finding(_Frozen):
    """One fault of the dataset, and the files that show it."""

    kind: Kind
    files: tuple[str, ...]
    """Paths below the dataset's root; for a giveaway, one example of each value."""
    labels: tuple[str, ...]
    """Class of each of `files`."""
    measures: dict[str, float] = {}
    """``distance``: bits of the perceptual hash that differ, 0..63. ``correlation``: normalised, of the
    overlap, -1..1. ``share``: overlap as a share of the image, 0..1. ``statistic``: correlation times
    the square root of the share. ``shift_x``, ``shift_y``: where the second lies on the first, in
    pixels of the working image. ``scale``: of the second against the first. ``accuracy``,
    ``majority``: of a rule by a file property and of the majority class, 0..1."""
    note: str = ""
    """What else there is to say, in a few words."""

    @property
    def crosses_classes(self) -> bool:
        """Whether the files stand under more than one label."""
        return len(set(self.labels)) > 1


class NullDistribution(_Frozen):
    """How far random pairs of different classes agree under their best shift."""

    pairs: int
    """Random pairs measured."""
    quantiles: dict[str, float]
    """Of the statistic: correlation times square root of the overlap's share."""
    correlation_quantiles: dict[str, float]
    threshold: float
    """A pair counts where its statistic is at least this."""
    rule: str
    """Where the threshold comes from, in a sentence."""


class FoldOverlap(_Frozen):
    """Test images of one fold that have a partner in its training or validation part."""

    fold: int
    test: int
    """Test images."""
    identical: int
    near: int
    overlapping: int
    """Test images with a partner of that kind; one image may count under several."""
    leaked: int
    """Test images with any partner."""
    clean: tuple[str, ...]
    """Test images without."""
    examples: tuple[tuple[str, str], ...] = ()
    """Up to five test images with the training image that is identical."""


class AuditReport(_Frozen):
    """All findings of an audit."""

    schema_version: Literal[1] = 1
    dataset: str
    fingerprint: str
    images: int
    counts: dict[Kind, int]
    """Findings of each kind, all kinds named."""
    across_classes: dict[Kind, int]
    """Of these, how many join two labels."""
    findings: tuple[Finding, ...]
    """By kind, then by files."""
    clusters: tuple[tuple[str, ...], ...]
    """Images joined by duplicates and overlaps, two or more each: the proxy groups."""
    null: NullDistribution
    """Behind the threshold."""
    split: tuple[FoldOverlap, ...] = ()
    """One for each fold; empty where no split was given."""
    settings: dict[str, float | int | str] = {}
    """Limits that were used."""
    seconds: dict[str, float] = {}
    """Time of each stage."""

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

    def lines(self) -> Iterator[str]:
        """The report in a few sentences, for people."""
        yield f"{self.images} images of {self.dataset}."
        for kind in KINDS:
            across = self.across_classes[kind]
            crossing = f", {across} across classes" if across and kind in PARTNERS else ""
            yield f"{self.counts[kind] or 'No'} {TITLES[kind]}{crossing}."
        yield f"A pair counts from a statistic of {self.null.threshold:.3f}: {self.null.rule}."
        if left_out := self.settings.get("alike_pairs_left_out"):
            yield f"{left_out} pairs of images that look alike were not compared, being the least alike."
        yield from (finding.note for finding in self.findings if finding.kind == "giveaway")
        yield (
            f"{sum(map(len, self.clusters))} images stand in {len(self.clusters)} clusters of "
            "duplicates and overlaps (proxy groups)."
        )
        for fold in self.split:
            yield (
                f"Fold {fold.fold}: {fold.leaked} of {fold.test} test images have a partner in "
                f"training ({fold.identical} identical, {fold.near} near-duplicate, "
                f"{fold.overlapping} overlapping); {len(fold.clean)} have none."
            )
