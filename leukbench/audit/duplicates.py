"""The same picture twice: identical bytes or pixels, and near-duplicates by perceptual hash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from leukbench.audit.alignment import Transform
from leukbench.audit.describe import THUMBNAIL, Described
from leukbench.audit.hashes import inverse_orientation, near_pairs, orient
from leukbench.audit.overlaps import CHECKS_AN_IMAGE, LEAST_CHECKS, Candidate

HASH_RADIUS = 10
HASH_TABLES = 24
HASH_CROWD = 512
TIE = 0.05
_INVERSE = np.array([inverse_orientation(number) for number in range(8)])
_CHUNK = 4096


def identical_sets(keys: Sequence[Hashable]) -> list[tuple[int, ...]]:
    """Positions with one key, for each key that occurs more than once.

    >>> identical_sets(["a", "b", "a", "c"])
    [(0, 2)]
    """
    members: dict[Hashable, list[int]] = defaultdict(list)
    for position, key in enumerate(keys):
        members[key].append(position)
    return [tuple(positions) for positions in members.values() if len(positions) > 1]


def representatives(keys: Sequence[Hashable]) -> NDArray[np.int64]:
    """For each position, the first position that has the same key."""
    first: dict[Hashable, int] = {}
    return np.array([first.setdefault(key, i) for i, key in enumerate(keys)], dtype=np.int64)


def hash_candidates(described: Described, kept: NDArray[np.int64]) -> tuple[list[Candidate], int]:
    """Pairs of `kept` whose hashes differ in at most 10 of 63 bits under one of the eight orientations.

    Each pair comes with every orientation under which its thumbnails agree about as well as under the
    best one: hashes tie where an image has much the same low frequencies either way round. Where there
    are more pairs than two an image (and 5,000), as among cells that all look alike, those with the
    best thumbnails are kept; the second result is how many were left out.
    """
    kept = kept[~described.flat[kept]]
    stored = described.hashes[kept, 0].copy()
    queries = described.hashes[kept].reshape(-1)
    asked, met = near_pairs(
        queries, stored, radius=HASH_RADIUS, tables=HASH_TABLES, crowd=HASH_CROWD
    )
    bits = np.bitwise_count(queries[asked] ^ stored[met]).astype(np.int64)
    first, orientation = np.divmod(asked, 8)
    # The turned first is like the second; pairs are met from both sides.
    swapped = first > met
    orientation = np.where(swapped, _INVERSE[orientation], orientation)
    first, second = np.minimum(first, met), np.maximum(first, met)
    rows = np.unique(np.stack([first, second, orientation, bits], 1)[first < second], axis=0)
    likeness = _likeness(described.thumbnails[kept], rows)
    pairs, starts, of_row = np.unique(
        rows[:, 0] * max(len(kept), 1) + rows[:, 1], return_index=True, return_inverse=True
    )
    if not len(pairs):
        return [], 0
    best = np.maximum.reduceat(likeness, starts)
    fewest = np.minimum.reduceat(rows[:, 3], starts)
    most = max(LEAST_CHECKS, CHECKS_AN_IMAGE * len(kept))
    wanted = np.zeros(len(pairs), dtype=bool)
    wanted[np.argsort(-best, kind="stable")[:most]] = True
    ties = (likeness >= best[of_row] - TIE) | (rows[:, 3] == fewest[of_row])
    candidates = [
        Candidate(int(kept[i]), int(kept[j]), (Transform(0, 0),), int(turned), int(distance))
        for i, j, turned, distance in rows[ties & wanted[of_row]].tolist()
    ]
    return candidates, int((~wanted).sum())


def _likeness(thumbnails: NDArray[np.float16], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Correlation of the thumbnails of each pair, the first one turned."""
    square = np.arange(THUMBNAIL * THUMBNAIL).reshape(THUMBNAIL, THUMBNAIL)
    turned = np.stack([orient(square, number).ravel() for number in range(8)])
    agreement = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        first = thumbnails[part[:, :1], turned[part[:, 2]]].astype(np.float32)
        second = thumbnails[part[:, 1]].astype(np.float32)
        agreement[start : start + _CHUNK] = np.einsum("nk,nk->n", first, second)
    return agreement
