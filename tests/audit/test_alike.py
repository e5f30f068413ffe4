"""Copies are found among images that all look alike, and nothing else is: at every size and ground."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leukbench.audit.audit import audit
from leukbench.audit.overlaps import MOST_LINEAR, MOST_THRESHOLD
from tests.audit.alike import KINDS, cell, plant, score
from tests.audit.smears import folder, jpeg


@pytest.mark.parametrize("size", [28, 64, 128, 224])
@pytest.mark.parametrize("kind", KINDS)
def test_copies_are_found_and_nothing_else(tmp_path: Path, kind: str, size: int) -> None:
    dataset, pairs = plant(tmp_path, kind, size, images=48, copies=3)
    report = audit(dataset)
    recall, precision = score(report, pairs)
    assert min(recall.values()) >= 0.95, recall
    assert precision >= 0.95
    assert report.null.threshold <= MOST_THRESHOLD


def test_a_report_on_alike_images_says_what_was_looked_for(tmp_path: Path) -> None:
    dataset, _ = plant(tmp_path, "dark cells", 64, images=40, copies=1)
    report = audit(dataset)
    assert report.null.threshold > MOST_LINEAR
    assert any("images that look alike" in line for line in report.lines())


def test_images_that_cannot_be_told_apart_are_said_to_be_so(tmp_path: Path) -> None:
    """One cell again and again, with a little noise: no threshold parts copies from the others."""
    rng = np.random.default_rng(0)
    base = cell(1, 64, dark=False).astype(np.int64)
    images = {
        f"{'ab'[k % 2]}/{k:02d}.jpg": jpeg(
            np.clip(base + rng.normal(0, 1, base.shape), 0, 255).astype(np.uint8), 95
        )
        for k in range(40)
    }
    report = audit(folder(tmp_path, dict(images)))
    assert report.null.threshold <= MOST_THRESHOLD
    assert any("too alike to tell" in line for line in report.lines())


def test_every_quarter_turn_is_judged_where_hashes_tie(tmp_path: Path) -> None:
    """A cross has much the same low frequencies whichever way it is turned; its detail does not."""
    files = {f"{'ab'[k % 2]}/{k:02d}.png": cross(k) for k in range(40)}
    turned = {f"b/turned-{k}.png": np.rot90(cross(k), 1 + k % 3).copy() for k in range(12)}
    report = audit(folder(tmp_path, files | turned))
    joined = {frozenset(finding.files) for finding in report.findings}
    planted = {frozenset((f"{'ab'[k % 2]}/{k:02d}.png", f"b/turned-{k}.png")) for k in range(12)}
    assert planted <= joined


def cross(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = np.full((64, 64, 3), 20, np.int64)
    image[24:40, 8:56] = image[8:56, 24:40] = 180
    return np.clip(image + rng.normal(0, 14, (64, 64, 1)), 0, 255).astype(np.uint8)
