"""The same picture twice: identical bytes or pixels, and near-duplicates by perceptual hash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from leukbench.audit.alignment import Transform
from leukbench.audit.describe import Described
from leukbench.audit.hashes import inverse_orientation, near_pairs
from leukbench.audit.overlaps import Candidate

HASH_RADIUS = 10
HASH_TABLES = 24
HASH_CROWD = 512


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


def hash_candidates(described: Described, kept: NDArray[np.int64]) -> list[Candidate]:
    """Pairs of `kept` whose hashes differ in at most 10 of 63 bits under one of the eight orientations.

    Each pair once, with the orientation of the smallest distance.
    """
    kept = kept[~described.flat[kept]]
    stored = described.hashes[kept, 0].copy()
    queries = described.hashes[kept].reshape(-1)
    asked, met = near_pairs(
        queries, stored, radius=HASH_RADIUS, tables=HASH_TABLES, crowd=HASH_CROWD
    )
    distance = np.bitwise_count(queries[asked] ^ stored[met])
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for query, j, bits in zip(asked.tolist(), met.tolist(), distance.tolist(), strict=True):
        i, orientation = divmod(query, 8)
        # The turned first is like the second; each pair is met from both sides, one is enough.
        if i > j:
            i, j, orientation = j, i, inverse_orientation(orientation)
        if i < j:
            best[i, j] = min(best.get((i, j), (64, 0)), (bits, orientation))
    return [
        Candidate(int(kept[i]), int(kept[j]), (Transform(0, 0),), orientation, bits)
        for (i, j), (bits, orientation) in sorted(best.items())
    ]
