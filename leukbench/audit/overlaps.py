"""Overlapping fields of view: crops of one smear that were shifted, or slightly scaled.

Keypoints that are seen again in a shifted field vote for a shift; pairs of images with enough votes for
one shift are candidates; each is checked by the correlation of its overlap, against what random
pairs of different classes reach under their best shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from leukbench.audit.alignment import Agreement, Plain, Transform, agree, best_shift, flatten
from leukbench.audit.describe import Described, working_image
from leukbench.audit.findings import NullDistribution
from leukbench.audit.hashes import inverse_orientation, near_pairs, orient
from leukbench.data.dataset import Dataset
from leukbench.data.decode import read_image

PATCH_RADIUS = 10
PATCH_TABLES = 6
PATCH_CROWD = 64
BIN = 4
VOTES = 2
CHECKS_AN_IMAGE = 2
LEAST_CHECKS = 5_000
NULL_PAIRS = 1_000
NULL_MINIMUM = 30
NULL_QUANTILE = 0.99
NULL_FACTOR = 1.7
MOST_LINEAR = 0.6
MOST_THRESHOLD = 0.998
LEAST_GAP = 0.3
COPIES = 40
FALLBACK_THRESHOLD = 0.4
QUANTILES = (0.5, 0.9, 0.99, 1.0)
SCALES = (0.8, 1.25)
_BATCH = 64


@dataclass(frozen=True)
class Candidate:
    """Two images that may show the same, and how the second would lie on the first."""

    first: int
    second: int
    """Positions in the dataset, the smaller first."""
    proposals: tuple[Transform, ...]
    """To be tried."""
    orientation: int = 0
    """What turns the first into the second, by number in `ORIENTATIONS`."""
    distance: int | None = None
    """Bits of the hashes that differ, where the whole images are alike; None for overlapping fields."""


def overlap_candidates(
    described: Described, kept: NDArray[np.int64]
) -> tuple[list[Candidate], int]:
    """Pairs of images whose keypoints vote for one shift.

    Two votes make a candidate. Where that gives more candidates than two an image (and 5,000), as
    chance has more room among more images, as many votes are needed as keep to that: their number is
    the second result. `kept` holds one of each set of identical images, ascending.
    """
    use = np.isin(described.owner, kept)
    owner, hashes = described.owner[use], described.patches[use]
    x, y = described.x[use].astype(np.int64), described.y[use].astype(np.int64)
    a, b = near_pairs(hashes, hashes, radius=PATCH_RADIUS, tables=PATCH_TABLES, crowd=PATCH_CROWD)
    apart = owner[a] != owner[b]
    a, b = a[apart], b[apart]
    pair = owner[a].astype(np.int64) * len(described.pixels) + owner[b]
    order = np.argsort(pair, kind="stable")
    a, b, pair = a[order], b[order], pair[order]
    dx, dy = x[a] - x[b], y[a] - y[b]
    voted, votes = _voted_pairs(pair, dx, dy, max(LEAST_CHECKS, CHECKS_AN_IMAGE * len(kept)))
    starts = np.searchsorted(pair, voted, side="left")
    ends = np.searchsorted(pair, voted, side="right")
    candidates = []
    for start, end in zip(starts, ends, strict=True):
        part = slice(int(start), int(end))
        points = np.stack([x[b[part]], y[b[part]]], axis=1)
        onto = np.stack([x[a[part]], y[a[part]]], axis=1)
        first, second = int(owner[a[start]]), int(owner[b[start]])
        candidates.append(Candidate(first, second, _proposals(points, onto)))
    return candidates, votes


def check(
    dataset: Dataset, candidates: Sequence[Candidate], step: float, jobs: int = -1
) -> list[Agreement]:
    """Agreement of each candidate under the best of its proposals; the images are read again."""
    order = sorted(range(len(candidates)), key=lambda k: (candidates[k].first, k))
    batches = [order[i : i + _BATCH] for i in range(0, len(order), _BATCH)]
    parts = Parallel(n_jobs=jobs, prefer="threads")(
        delayed(_check_batch)(dataset, [candidates[k] for k in batch], step) for batch in batches
    )
    in_order = dict(zip(order, (agreement for part in parts for agreement in part), strict=True))
    return [in_order[k] for k in range(len(candidates))]


def null_distribution(
    dataset: Dataset, kept: NDArray[np.int64], step: float, jobs: int = -1
) -> NullDistribution:
    """Agreement of random pairs of different classes under the best of all shifts.

    Images of different classes come from different patients, so their agreement is chance. The
    threshold is 1.7 times its 99 % quantile, which a few real duplicates under two labels cannot
    move; it is bounded by the middle between that quantile and what recompressed copies reach. How many
    standard deviations it is from the mean stands in the rule. `kept` holds one of each set of identical
    images.
    """
    rng = np.random.default_rng(0)
    first = rng.choice(kept, size=NULL_PAIRS)
    second = rng.choice(kept, size=NULL_PAIRS)
    unlike = dataset.targets[first] != dataset.targets[second]
    pairs = sorted({(int(i), int(j)) for i, j in zip(first[unlike], second[unlike], strict=True)})
    if len(pairs) < NULL_MINIMUM:
        return NullDistribution(
            pairs=0,
            quantiles={},
            correlation_quantiles={},
            threshold=FALLBACK_THRESHOLD,
            rule=f"fewer than {NULL_MINIMUM} pairs of different classes: a fixed threshold",
        )
    agreements = Parallel(n_jobs=jobs, prefer="threads", batch_size=_BATCH)(
        delayed(_best_agreement)(dataset, i, j, step) for i, j in pairs
    )
    statistics = np.array([agreement.statistic for agreement in agreements])
    quantile = float(np.quantile(statistics, NULL_QUANTILE))
    threshold, rule = (
        NULL_FACTOR * quantile,
        f"{NULL_FACTOR} times the {NULL_QUANTILE:.0%} quantile",
    )
    if threshold > MOST_LINEAR:
        threshold, rule = min((threshold, rule), _between(quantile, _copied(dataset, kept, step)))
    away = (threshold - statistics.mean()) / max(float(statistics.std()), 1e-9)
    return NullDistribution(
        pairs=len(pairs),
        quantiles=_quantiles(statistics),
        correlation_quantiles=_quantiles([agreement.correlation for agreement in agreements]),
        threshold=threshold,
        rule=(
            f"{rule} of {len(pairs)} random pairs of different classes, {away:.1f} standard deviations "
            "above their mean"
        ),
    )


def _copied(dataset: Dataset, kept: NDArray[np.int64], step: float) -> float:
    """What 95 % of images reach against their own JPEG copy of quality 70: a copy that must be found."""
    statistics = []
    for index in kept[np.unique(np.linspace(0, len(kept) - 1, COPIES).astype(int))]:
        image = read_image(dataset.absolute(int(index)))
        coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
        copy = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)
        first, second = (flatten(working_image(one), step) for one in (image, copy))
        statistics.append(agree(first, second, Transform(0, 0)).statistic)
    return float(np.quantile(statistics, 0.05))


def _between(unlike: float, copied: float) -> tuple[float, str]:
    """Half way from unlike pairs to copies, on Fisher's scale (1915, doi:10.1093/biomet/10.4.507).

    Correlations of images that look alike crowd below one, where a multiple of them means nothing.
    """
    low, high = np.arctanh(np.clip([unlike, copied], 0, MOST_THRESHOLD))
    if high - low < LEAST_GAP:
        return (
            float(np.clip(np.tanh(low + LEAST_GAP), 0, MOST_THRESHOLD)),
            "images too alike to tell a recompressed copy from another image, so that only exact, "
            f"mirrored and turned copies were looked for: well above the {NULL_QUANTILE:.0%} quantile",
        )
    threshold = float(np.tanh((low + high) / 2))
    return threshold, (
        "images that look alike, so that overlapping fields were looked for only where they share more "
        f"than {threshold**2:.0%} of the image: half way from the agreement of recompressed copies to "
        f"the {NULL_QUANTILE:.0%} quantile"
    )


def _quantiles(values: NDArray[np.float64] | Sequence[float]) -> dict[str, float]:
    return {f"{q:g}": round(float(np.quantile(values, q)), 4) for q in QUANTILES}


def _voted_pairs(
    pair: NDArray[np.int64], dx: NDArray[np.int64], dy: NDArray[np.int64], most: int
) -> tuple[NDArray[np.int64], int]:
    """At most `most` pairs with enough votes in one bin of shifts, and how many are enough.

    Votes are counted on two grids half a bin apart.
    """
    pairs, counts = [], []
    for half in (0, BIN // 2):
        cells = (pair * 1024 + (dx + half) // BIN + 256) * 1024 + (dy + half) // BIN + 256
        values, votes = np.unique(cells, return_counts=True)
        strong = votes >= VOTES
        pairs.append(values[strong] // (1024 * 1024))
        counts.append(votes[strong])
    voted, votes = np.concatenate(pairs), np.concatenate(counts)
    needed = VOTES
    while len(strong_pairs := np.unique(voted[votes >= needed])) > most:
        needed += 1
    return strong_pairs, needed


def _proposals(points: NDArray[np.int64], onto: NDArray[np.int64]) -> tuple[Transform, ...]:
    """The shift with most votes, and a scaled one where the matches fit one better."""
    shifts = onto - points
    near = np.all(np.abs(shifts[:, None] - shifts[None]) <= BIN // 2, axis=2)
    centre = int(near.sum(axis=1).argmax())
    dx, dy = shifts[near[centre, :]].mean(axis=0)
    proposals = [Transform(float(dx), float(dy))]
    if len(points) >= 4:
        matrix, _ = cv2.estimateAffinePartial2D(
            points.astype(np.float32), onto.astype(np.float32), ransacReprojThreshold=2.0
        )
        if matrix is not None:
            scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
            upright = abs(np.arctan2(matrix[1, 0], matrix[0, 0])) < 0.05
            if upright and SCALES[0] < scale < SCALES[1] and abs(scale - 1) > 0.01:
                proposals.append(Transform(float(matrix[0, 2]), float(matrix[1, 2]), scale))
    return tuple(proposals)


def _read(dataset: Dataset, index: int, step: float) -> Plain:
    return flatten(working_image(read_image(dataset.absolute(index))), step)


def _check_batch(dataset: Dataset, batch: Sequence[Candidate], step: float) -> list[Agreement]:
    agreements = []
    held, first = -1, np.empty((0, 0), np.float32)
    for candidate in batch:
        if candidate.first != held:
            held, first = candidate.first, _read(dataset, candidate.first, step)
        second = _read(dataset, candidate.second, step)
        second = np.ascontiguousarray(orient(second, inverse_orientation(candidate.orientation)))
        if candidate.distance is not None and second.shape != first.shape:
            second = cv2.resize(second, first.shape[::-1], interpolation=cv2.INTER_AREA)
        tried = (agree(first, second, proposal) for proposal in candidate.proposals)
        agreements.append(max(tried, key=lambda agreement: agreement.statistic))
    return agreements


def _best_agreement(dataset: Dataset, i: int, j: int, step: float) -> Agreement:
    first, second = _read(dataset, i, step), _read(dataset, j, step)
    return agree(first, second, best_shift(first, second))
