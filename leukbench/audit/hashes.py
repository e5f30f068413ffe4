"""Perceptual hashes from low frequencies, and a search for near ones without all pairs.

A hash keeps the signs of low-frequency cosine coefficients (Zauner 2010, Implementation and
Benchmarking of Perceptual Image Hash Functions, section 3.2.1; here the sign instead of the
comparison with the median, so that a reflection changes known bits). The search is bit sampling
(Indyk and Motwani 1998, doi:10.1145/276698.276876).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Positions = NDArray[np.int64]

COEFFICIENTS = 8
LIMIT = 4_000_000
ORIENTATIONS = (
    "as it is",
    "mirrored left to right",
    "mirrored top to bottom",
    "turned by 180 degrees",
    "mirrored along the main diagonal",
    "turned by 90 degrees clockwise",
    "turned by 90 degrees counter-clockwise",
    "mirrored along the other diagonal",
)
"""What `orient` does to an image, by number."""

_CHUNK = 1 << 20


def orient(image: NDArray[np.generic], orientation: int) -> NDArray[np.generic]:
    """One of the eight rotations and reflections: transposed for 4 to 7, then mirrored.

    >>> image = np.array([[1, 2], [3, 4]])
    >>> orient(image, 5).tolist(), orient(orient(image, 5), inverse_orientation(5)).tolist()
    ([[3, 1], [4, 2]], [[1, 2], [3, 4]])
    """
    turned = image.swapaxes(0, 1) if orientation & 4 else image
    if orientation & 2:
        turned = turned[::-1]
    return turned[:, ::-1] if orientation & 1 else turned


def inverse_orientation(orientation: int) -> int:
    """The orientation that undoes another: each undoes itself, but for the two quarter turns."""
    return {5: 6, 6: 5}.get(orientation, orientation)


def cosine_coefficients(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lowest coefficients of the two-dimensional cosine transform (type II, not normalised).

    From square grey images ``(n, side, side)`` to ``(n, 8, 8)``, vertical frequency first.
    """
    side = tiles.shape[-1]
    angles = (np.arange(side) + 0.5) * np.pi / side
    basis = np.cos(np.arange(COEFFICIENTS)[:, None] * angles).astype(np.float32)
    return np.asarray(basis @ tiles @ basis.T, dtype=np.float32)


def sign_hashes(coefficients: NDArray[np.float32]) -> Hashes:
    """63 signs of the coefficients other than the mean, shape ``(n,)``; the last bit is 0."""
    signs = np.zeros((len(coefficients), 64), dtype=bool)
    signs[:, :63] = coefficients.reshape(-1, 64)[:, 1:] > 0
    return np.ascontiguousarray(np.packbits(signs, axis=1)).view(np.uint64)[:, 0]


def oriented_hashes(coefficients: NDArray[np.float32]) -> Hashes:
    """Hash of each image under each of `ORIENTATIONS`, shape ``(n, 8)``, without touching pixels.

    Mirroring changes the sign of odd frequencies, transposing exchanges the axes.
    """
    sign = np.where(np.arange(COEFFICIENTS) % 2, -1, 1).astype(np.float32)
    columns = []
    for orientation in range(len(ORIENTATIONS)):
        turned = coefficients.swapaxes(1, 2) if orientation & 4 else coefficients
        vertical = sign[:, None] if orientation & 2 else np.float32(1)
        horizontal = sign[None, :] if orientation & 1 else np.float32(1)
        columns.append(sign_hashes(turned * vertical * horizontal))
    return np.stack(columns, axis=1)


def near_pairs(
    queries: Hashes,
    stored: Hashes,
    *,
    radius: int,
    tables: int,
    crowd: int,
    limit: int = LIMIT,
    seed: int = 0,
) -> tuple[Positions, Positions]:
    """Pairs of hashes that differ in at most `radius` bits, the nearest ones where they are many.

    Two hashes are compared where they agree in all of the bits that one of the `tables` looks at;
    each table looks at about as many bits as the number of hashes has, so that the work grows a
    little faster than that number and not with its square. A pair at distance `d` is met with
    probability ``1 - (1 - (1 - d / 64) ** bits) ** tables``.

    Parameters
    ----------
    queries, stored : numpy.ndarray
        The same array where pairs within one set are sought.
    crowd : int
        A bucket of more than this many stored hashes is passed over: what so many images share is
        a burned-in mark or empty ground, and says nothing.
    limit : int
        Most pairs that are kept, which bounds the memory: where there are more, the radius shrinks
        by a bit at a time until half as many are left.

    Returns
    -------
    numpy.ndarray, numpy.ndarray
        Positions in `queries` and in `stored`, each pair once, sorted.
    """
    rng = np.random.default_rng(seed)
    width = max(len(stored), 1)
    found = np.empty(0, dtype=np.int64)
    for _ in range(tables):
        chosen = rng.choice(64, size=sampled_bits(len(stored)), replace=False)
        fresh: list[Positions] = []
        for left, right in _same_bucket(queries, stored, chosen, crowd):
            near = _distance(queries, stored, left, right) <= radius
            fresh.append(_codes(left[near], right[near], width, within=queries is stored))
            if len(found) + sum(map(len, fresh)) > limit:
                found, fresh = np.unique(np.concatenate([found, *fresh])), []
                while len(found) > limit // 2 and radius > 0:
                    radius -= 1
                    distance = _distance(queries, stored, found // width, found % width)
                    found = found[distance <= radius]
        if fresh:
            found = np.unique(np.concatenate([found, *fresh]))
    return found // width, found % width


def sampled_bits(count: int) -> int:
    """Bits that each table looks at, for `count` stored hashes: 10 to 22."""
    return int(np.clip(np.ceil(np.log2(max(count, 1))) - 2, 10, 22))


def _same_bucket(
    queries: Hashes, stored: Hashes, chosen: Positions, crowd: int
) -> Iterator[tuple[Positions, Positions]]:
    """Pairs that agree in the chosen bits, in pieces; within one set, each pair once."""
    keys = _sample(stored, chosen)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    if queries is stored:
        wanted, asking = keys, order
    else:
        wanted, asking = _sample(queries, chosen), np.arange(len(queries))
    first = np.searchsorted(keys, wanted, side="left")
    end = np.searchsorted(keys, wanted, side="right")
    crowded = end - first > crowd
    if queries is stored:
        first = np.arange(1, len(keys) + 1)
    for left, slot in _expand(first, np.where(crowded, 0, end - first)):
        yield asking[left], order[slot]


def _distance(
    queries: Hashes, stored: Hashes, left: Positions, right: Positions
) -> NDArray[np.uint8]:
    return np.asarray(np.bitwise_count(queries[left] ^ stored[right]), dtype=np.uint8)


def _codes(left: Positions, right: Positions, width: int, *, within: bool) -> Positions:
    """One number for each pair, the smaller position first within one set."""
    if within:
        left, right = np.minimum(left, right), np.maximum(left, right)
    return np.unique(left * width + right)


def _expand(first: Positions, size: Positions) -> Iterator[tuple[Positions, Positions]]:
    """All (query, slot) with ``first <= slot < first + size``, in pieces of bounded length."""
    active = np.flatnonzero(size > 0)
    ends = np.cumsum(size[active])
    begin = 0
    while begin < len(active):
        done = ends[begin - 1] if begin else 0
        stop = max(int(np.searchsorted(ends, done + _CHUNK, side="right")), begin + 1)
        part = active[begin:stop]
        counts = size[part]
        left = np.repeat(part, counts)
        offsets = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
        yield left, np.repeat(first[part], counts) + offsets
        begin = stop


def _sample(hashes: Hashes, chosen: NDArray[np.int64]) -> NDArray[np.uint32]:
    keys = np.zeros(len(hashes), dtype=np.uint32)
    for position, bit in enumerate(chosen):
        value = (hashes >> np.uint64(bit)) & np.uint64(1)
        keys |= value.astype(np.uint32) << np.uint32(position)
    return keys
