"""Hashes follow rotations and reflections, and the search finds what looking at all pairs finds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from leukbench.audit.hashes import (
    ORIENTATIONS,
    cosine_coefficients,
    inverse_orientation,
    near_pairs,
    orient,
    oriented_hashes,
)
from tests.audit.smears import field


def coefficients(grey: np.ndarray) -> np.ndarray:
    small = cv2.resize(np.ascontiguousarray(grey), (32, 32), interpolation=cv2.INTER_AREA)
    return cosine_coefficients(small[None].astype(np.float32))


@pytest.mark.parametrize("orientation", range(len(ORIENTATIONS)))
def test_the_hash_of_a_turned_image_needs_no_pixels(orientation: int) -> None:
    grey = cv2.cvtColor(field(1), cv2.COLOR_BGR2GRAY)
    told = oriented_hashes(coefficients(grey))[0, orientation]
    seen = oriented_hashes(coefficients(orient(grey, orientation)))[0, 0]
    assert int(np.bitwise_count(told ^ seen)) <= 1


@pytest.mark.parametrize("orientation", range(len(ORIENTATIONS)))
def test_orientations_are_undone(orientation: int) -> None:
    grey = np.arange(12).reshape(3, 4)
    back = orient(orient(grey, orientation), inverse_orientation(orientation))
    assert np.array_equal(back, grey)


def test_orientations_are_eight_different_ones() -> None:
    grey = np.arange(9).reshape(3, 3)
    assert len({orient(grey, k).tobytes() for k in range(8)}) == 8
    assert np.array_equal(orient(grey, 5), np.rot90(grey, -1))
    assert np.array_equal(orient(grey, 6), np.rot90(grey))


def flipped(hashes: np.ndarray, bits: int, rng: np.random.Generator) -> np.ndarray:
    changed = hashes.copy()
    for k in range(len(changed)):
        for bit in rng.choice(64, bits, replace=False):
            changed[k] ^= np.uint64(1) << np.uint64(bit)
    return changed


def test_the_search_finds_what_all_pairs_find() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 2**63, 1500, dtype=np.uint64)
    hashes = np.concatenate([base, flipped(base[:200], 3, rng)])
    first, second = near_pairs(hashes, hashes, radius=6, tables=24, crowd=100)
    distance = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    truth = {(i, j) for i, j in zip(*np.nonzero(distance <= 6), strict=True) if i < j}
    found = set(zip(first.tolist(), second.tolist(), strict=True))
    assert found <= truth
    assert len(found) >= 0.99 * len(truth) >= 198


def test_two_sets_are_joined() -> None:
    rng = np.random.default_rng(1)
    stored = rng.integers(0, 2**63, 800, dtype=np.uint64)
    queries = flipped(stored[:50], 2, rng)
    first, second = near_pairs(queries, stored, radius=4, tables=24, crowd=100)
    assert np.array_equal(first, second)
    assert len(first) >= 49


def test_what_too_many_share_is_passed_over() -> None:
    common = np.full(60, 12345, dtype=np.uint64)
    rare = np.array([2**62 + 7, 2**62 + 7], dtype=np.uint64)
    hashes = np.concatenate([common, rare])
    first, second = near_pairs(hashes, hashes, radius=0, tables=4, crowd=50)
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(60, 61)]


def test_the_nearest_pairs_are_kept_where_memory_is_short() -> None:
    rng = np.random.default_rng(2)
    base = rng.integers(0, 2**63, 100, dtype=np.uint64)
    hashes = np.concatenate([base, base, flipped(base, 5, rng)])
    first, second = near_pairs(hashes, hashes, radius=6, tables=16, crowd=500, limit=150)
    assert len(first) == 100
    assert np.array_equal(hashes[first], hashes[second])


def test_no_hashes_give_no_pairs() -> None:
    none = np.empty(0, dtype=np.uint64)
    first, second = near_pairs(none, none, radius=6, tables=4, crowd=10)
    assert len(first) == len(second) == 0
