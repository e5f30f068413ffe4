"""The audit before training: what would let a model score without having learnt anything.

Duplicates and overlapping fields of view, the same content under two labels, files that give their
class away, and how many test images of a split have a partner in training.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.audit import duplicates, leaks, overlaps
from leukbench.audit.alignment import MIN_SHARE, Agreement
from leukbench.audit.describe import KEYPOINTS, Described, describe
from leukbench.audit.findings import (
    KINDS,
    AuditReport,
    Finding,
    Kind,
    NullDistribution,
)
from leukbench.audit.hashes import ORIENTATIONS
from leukbench.audit.leaks import refuse_leakage, split_overlap
from leukbench.audit.overlaps import Candidate, Null
from leukbench.data.dataset import Dataset

__all__ = ["AuditReport", "Finding", "audit", "proxy_groups", "refuse_leakage", "with_split"]

NEAR_SHARE = 0.8
_QUANTILES = (0.5, 0.9, 0.99, 1.0)
_FEW_KEYPOINTS = 8


def audit(dataset: Dataset, split: pd.DataFrame | None = None, jobs: int = -1) -> AuditReport:
    """Look for leakage in a dataset, and under a split of it.

    Every image is read once, and once more for each candidate pair it stands in. Time grows a
    little faster than the number of images.

    Parameters
    ----------
    dataset : Dataset
        The images.
    split : pandas.DataFrame, optional
        Columns fold, part, image; adds the partners across it.
    jobs : int
        Threads, as joblib counts them.

    Raises
    ------
    DataError
        Where an image cannot be read.
    """
    seconds: dict[str, float] = {}
    with _timed(seconds, "read"):
        described = describe(dataset, jobs)
    first = duplicates.representatives(described.pixels)
    kept = np.flatnonzero(first == np.arange(len(dataset)))
    with _timed(seconds, "search"):
        by_hash, distances = duplicates.hash_candidates(described, kept)
        by_shift, votes = overlaps.overlap_candidates(described, kept)
    candidates = [*by_hash, *by_shift]
    step = described.geometry.step
    with _timed(seconds, "null"):
        null = overlaps.null_distribution(dataset, kept, step, jobs=jobs)
    with _timed(seconds, "check"):
        agreements = overlaps.check(dataset, candidates, step, jobs)
    with _timed(seconds, "leaks"):
        bits = [*distances, *([None] * len(by_shift))]
        near = _near_findings(dataset, candidates, agreements, bits, null.threshold)
        found = [*_identical_findings(dataset, described), *near]
        found += leaks.label_conflicts(found)
        found += leaks.giveaways(dataset, described.properties)
    report = AuditReport(
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        images=len(dataset),
        counts={kind: sum(finding.kind == kind for finding in found) for kind in KINDS},
        across_classes={
            kind: sum(finding.kind == kind and finding.crosses_classes for finding in found)
            for kind in KINDS
        },
        findings=tuple(found),
        clusters=_clusters(dataset, found),
        null=_tell_null(null),
        settings={
            "hash_radius": duplicates.HASH_RADIUS,
            "patch_radius": overlaps.PATCH_RADIUS,
            "keypoints": KEYPOINTS,
            "votes": votes,
            "least_share": MIN_SHARE,
            "near_duplicate_share": NEAR_SHARE,
            "candidates": len(candidates),
            "images_with_few_keypoints": int((described.keypoints < _FEW_KEYPOINTS).sum()),
        },
        seconds=seconds,
    )
    return report if split is None else with_split(report, split)


def with_split(report: AuditReport, split: pd.DataFrame) -> AuditReport:
    """The same report with the partners across `split`; nothing is read again."""
    same = {str(image): str(image) for image in split["image"]}
    for finding in report.findings:
        if finding.kind in leaks.IDENTICAL:
            same |= {path: min(same[path] for path in finding.files) for path in finding.files}
    folds = split_overlap(report.findings, split, same)
    return report.model_copy(update={"split": tuple(folds)})


def proxy_groups(report: AuditReport, dataset: Dataset) -> NDArray[np.str_]:
    """Group of each image: its cluster of duplicates and overlaps, or itself alone.

    These are proxy groups: no patient is known, and images of one patient that do not overlap stand
    in different ones.

    Returns
    -------
    numpy.ndarray of str
        Shape ``(n,)``, in the order of the dataset: ``proxy-`` and a number.
    """
    first = {path: min(cluster) for cluster in report.clusters for path in cluster}
    number = {path: index for index, path in enumerate(dataset.paths)}
    return np.array([f"proxy-{number[first.get(path, path)]:06d}" for path in dataset.paths])


def _identical_findings(dataset: Dataset, described: Described) -> list[Finding]:
    found = []
    kinds: tuple[tuple[Kind, Sequence[str]], ...]
    hashes = [record.sha256 for record in dataset.records]
    kinds = (("identical-bytes", hashes), ("identical-pixels", described.pixels))
    for kind, keys in kinds:
        for members in duplicates.identical_sets(keys):
            if kind == "identical-pixels" and len({hashes[i] for i in members}) == 1:
                continue
            found.append(_finding(dataset, kind, members, {}))
    return found


def _near_findings(
    dataset: Dataset,
    candidates: Sequence[Candidate],
    agreements: Sequence[Agreement],
    distances: Sequence[int | None],
    threshold: float,
) -> list[Finding]:
    """The best evidence for each pair, where it is beyond the threshold."""
    best: dict[tuple[int, int], int] = {}
    bits: dict[tuple[int, int], int] = {}
    for k, candidate in enumerate(candidates):
        pair = (candidate.first, candidate.second)
        distance = distances[k]
        if distance is not None:
            bits[pair] = distance
        if agreements[k].statistic >= threshold and (
            pair not in best or agreements[best[pair]].statistic < agreements[k].statistic
        ):
            best[pair] = k
    found = []
    for pair, k in sorted(best.items()):
        agreement = agreements[k]
        measures = {
            "correlation": round(agreement.correlation, 4),
            "share": round(agreement.share, 4),
            "statistic": round(agreement.statistic, 4),
            "shift_x": agreement.transform.dx,
            "shift_y": agreement.transform.dy,
            "scale": round(agreement.transform.scale, 4),
        }
        if pair in bits:
            measures["distance"] = bits[pair]
        kind: Kind = "near-duplicate" if agreement.share >= NEAR_SHARE else "overlapping-field"
        turned = candidates[k].orientation
        found.append(
            _finding(dataset, kind, pair, measures, ORIENTATIONS[turned] if turned else "")
        )
    return sorted(found, key=lambda finding: (KINDS.index(finding.kind), finding.files))


def _finding(
    dataset: Dataset,
    kind: Kind,
    members: Sequence[int],
    measures: dict[str, float],
    note: str = "",
) -> Finding:
    return Finding(
        kind=kind,
        files=tuple(dataset.paths[i] for i in members),
        labels=tuple(str(dataset.labels[i]) for i in members),
        measures=measures,
        note=note,
    )


def _clusters(dataset: Dataset, found: Iterable[Finding]) -> tuple[tuple[str, ...], ...]:
    number = {path: index for index, path in enumerate(dataset.paths)}
    links = [
        (number[finding.files[0]], number[other])
        for finding in found
        if finding.kind in leaks.PARTNERS
        for other in finding.files[1:]
    ]
    component = leaks.components(len(dataset), links)
    members: dict[int, list[str]] = {}
    for index, part in enumerate(component.tolist()):
        members.setdefault(part, []).append(dataset.paths[index])
    return tuple(tuple(paths) for paths in members.values() if len(paths) > 1)


def _tell_null(null: Null) -> NullDistribution:
    def quantiles(values: NDArray[np.float64]) -> dict[str, float]:
        return {
            f"{q:g}": round(float(np.quantile(values, q)), 4) for q in _QUANTILES if len(values)
        }

    return NullDistribution(
        pairs=len(null.statistics),
        quantiles=quantiles(null.statistics),
        correlation_quantiles=quantiles(null.correlations),
        threshold=round(null.threshold, 4),
        rule=null.rule,
    )


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - begun, 3)
