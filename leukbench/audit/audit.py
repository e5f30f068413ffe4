"""The audit before training: what would let a model score without having learnt anything.

Duplicates and overlapping fields of view, the same content under two labels, files that give their
class away, and how many test images of a split have a partner in training.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.audit import duplicates, leaks, overlaps
from leukbench.audit.alignment import MIN_SHARE, Agreement
from leukbench.audit.describe import KEYPOINTS, Described, describe
from leukbench.audit.findings import IDENTICAL, KINDS, PARTNERS, AuditReport, Finding, Kind
from leukbench.audit.hashes import ORIENTATIONS
from leukbench.audit.leaks import refuse_leakage, split_overlap
from leukbench.audit.overlaps import Candidate
from leukbench.data.dataset import Dataset

__all__ = ["AuditReport", "Finding", "audit", "proxy_groups", "refuse_leakage", "with_split"]

NEAR_SHARE = 0.8
_FEW_KEYPOINTS = 8


def audit(dataset: Dataset, split: pd.DataFrame | None = None, jobs: int = -1) -> AuditReport:
    """Look for leakage in a dataset, and under a split of it (columns fold, part, image).

    Every image is read once, and once more for each candidate pair it stands in. Time grows a
    little faster than the number of images; `jobs` threads, as joblib counts them.
    """
    seconds: dict[str, float] = {}
    with _timed(seconds, "read"):
        described = describe(dataset, jobs)
    first = duplicates.representatives(described.pixels)
    kept = np.flatnonzero(first == np.arange(len(dataset)))
    with _timed(seconds, "search"):
        by_shift, votes = overlaps.overlap_candidates(described, kept)
        by_hash, left_out = duplicates.hash_candidates(described, kept)
        candidates = [*by_hash, *by_shift]
    with _timed(seconds, "null"):
        null = overlaps.null_distribution(dataset, kept, described.step, jobs)
    with _timed(seconds, "check"):
        agreements = overlaps.check(dataset, candidates, described.step, jobs)
    with _timed(seconds, "leaks"):
        findings = _identical_findings(dataset, described)
        findings += _near_findings(dataset, candidates, agreements, null.threshold)
        findings += leaks.label_conflicts(findings)
        findings += leaks.giveaways(dataset, described.properties)
    report = AuditReport(
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        images=len(dataset),
        counts=dict.fromkeys(KINDS, 0) | Counter(finding.kind for finding in findings),
        across_classes=dict.fromkeys(KINDS, 0)
        | Counter(finding.kind for finding in findings if finding.crosses_classes),
        findings=tuple(findings),
        clusters=_clusters(dataset, findings),
        null=null.model_copy(update={"threshold": round(null.threshold, 4)}),
        settings={
            "hash_radius": duplicates.HASH_RADIUS,
            "patch_radius": overlaps.PATCH_RADIUS,
            "keypoints": KEYPOINTS,
            "votes": votes,
            "least_share": MIN_SHARE,
            "near_duplicate_share": NEAR_SHARE,
            "candidates": len(candidates),
            "alike_pairs_left_out": left_out,
            "images_with_few_keypoints": int((described.keypoints < _FEW_KEYPOINTS).sum()),
        },
        seconds=seconds,
    )
    return report if split is None else with_split(report, split)


def with_split(report: AuditReport, split: pd.DataFrame) -> AuditReport:
    """The same report with the partners across `split`; nothing is read again."""
    same = {str(image): str(image) for image in split["image"]}
    for finding in report.findings:
        if finding.kind in IDENTICAL:
            same |= {path: min(same[path] for path in finding.files) for path in finding.files}
    folds = split_overlap(report.findings, split, same)
    return report.model_copy(update={"split": tuple(folds)})


def proxy_groups(report: AuditReport, dataset: Dataset) -> NDArray[np.str_]:
    """Group of each image, ``proxy-`` and a number: its cluster of duplicates and overlaps, or itself.

    No patient is named, and images of one patient that do not overlap stand in different groups.
    """
    first = {path: min(cluster) for cluster in report.clusters for path in cluster}
    number = {path: index for index, path in enumerate(dataset.paths)}
    return np.array([f"proxy-{number[first.get(path, path)]:06d}" for path in dataset.paths])


def _identical_findings(dataset: Dataset, described: Described) -> list[Finding]:
    hashes = [record.sha256 for record in dataset.records]
    by_bytes = duplicates.identical_sets(hashes)
    by_pixels = duplicates.identical_sets(described.pixels)
    return [_finding(dataset, "identical-bytes", members, {}) for members in by_bytes] + [
        _finding(dataset, "identical-pixels", members, {})
        for members in by_pixels
        if len({hashes[i] for i in members}) > 1
    ]


def _near_findings(
    dataset: Dataset,
    candidates: Sequence[Candidate],
    agreements: Sequence[Agreement],
    threshold: float,
) -> list[Finding]:
    """The best evidence for each pair, where it is beyond the threshold."""
    best: dict[tuple[int, int], tuple[Agreement, Candidate]] = {}
    distances: dict[tuple[int, int], int] = {}
    for candidate, agreement in zip(candidates, agreements, strict=True):
        pair = (candidate.first, candidate.second)
        if candidate.distance is not None:
            distances[pair] = min(candidate.distance, distances.get(pair, 64))
        if agreement.statistic >= threshold and (
            pair not in best or best[pair][0].statistic < agreement.statistic
        ):
            best[pair] = agreement, candidate
    findings = []
    for pair, (agreement, candidate) in sorted(best.items(), key=lambda item: item[0]):
        measures = {
            "correlation": round(agreement.correlation, 4),
            "share": round(agreement.share, 4),
            "statistic": round(agreement.statistic, 4),
            "shift_x": agreement.transform.dx,
            "shift_y": agreement.transform.dy,
            "scale": round(agreement.transform.scale, 4),
        }
        if pair in distances:
            measures["distance"] = distances[pair]
        kind: Kind = "near-duplicate" if agreement.share >= NEAR_SHARE else "overlapping-field"
        note = ORIENTATIONS[candidate.orientation] if candidate.orientation else ""
        findings.append(_finding(dataset, kind, pair, measures, note))
    return sorted(findings, key=lambda finding: (KINDS.index(finding.kind), finding.files))


def _finding(
    dataset: Dataset,
    kind: Kind,
    members: Sequence[int],
    measures: Mapping[str, float],
    note: str = "",
) -> Finding:
    return Finding(
        kind=kind,
        files=tuple(dataset.paths[i] for i in members),
        labels=tuple(str(dataset.labels[i]) for i in members),
        measures=dict(measures),
        note=note,
    )


def _clusters(dataset: Dataset, findings: Iterable[Finding]) -> tuple[tuple[str, ...], ...]:
    number = {path: index for index, path in enumerate(dataset.paths)}
    links = [
        (number[finding.files[0]], number[other])
        for finding in findings
        if finding.kind in PARTNERS
        for other in finding.files[1:]
    ]
    members: dict[int, list[str]] = {}
    for path, part in zip(dataset.paths, leaks.components(len(dataset), links), strict=True):
        members.setdefault(int(part), []).append(path)
    return tuple(tuple(paths) for paths in members.values() if len(paths) > 1)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - begun, 3)
