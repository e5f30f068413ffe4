"""Images that are alike without being copies, with planted copies: single cells, noise, smears."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from leukbench.audit.findings import PARTNERS, AuditReport
from leukbench.data.dataset import Dataset
from leukbench.data.synthetic import SyntheticConfig, render_image
from tests.audit.smears import Image, folder, jpeg

CHANGES: dict[str, Callable[[Image], Image | bytes]] = {
    "exact": lambda image: image,
    "mirrored": lambda image: np.ascontiguousarray(image[:, ::-1]),
    "flipped": lambda image: np.ascontiguousarray(image[::-1]),
    "turned 90": lambda image: np.ascontiguousarray(np.rot90(image)),
    "turned 180": lambda image: np.ascontiguousarray(np.rot90(image, 2)),
    "turned 270": lambda image: np.ascontiguousarray(np.rot90(image, 3)),
    "jpeg 90": lambda image: jpeg(image, 90),
    "jpeg 70": lambda image: jpeg(image, 70),
}


def cell(seed: int, size: int, *, dark: bool) -> Image:
    """One cell in the middle: on black, as cut out by a segmentation, or on pale ground with noise."""
    rng = np.random.default_rng([seed, size, dark])
    side = 256
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    centre = np.array([side / 2, side / 2]) + (0 if dark else rng.normal(0, 6, 2))

    def outline(radius: float, rough: float) -> np.ndarray:
        wave = sum(
            rng.normal(0, rough / k) * np.cos(k * angle + rng.uniform(0, 7)) for k in range(2, 6)
        )
        reach = radius * (1 + wave)
        return (centre + np.stack([reach * np.cos(angle), reach * np.sin(angle)], 1)).astype(
            np.int32
        )

    def clumps(mean: tuple[int, int, int], spread: float) -> np.ndarray:
        texture = cv2.GaussianBlur(rng.normal(0, 1, (side, side)).astype(np.float32), (0, 0), 5)
        return np.array(mean) + (spread * texture / texture.std())[..., None]

    ground = np.zeros((side, side, 3)) if dark else clumps((215, 205, 225), 3)
    image = np.asarray(ground, dtype=np.float32)
    for radius, rough, colour, spread in (
        (rng.uniform(88, 104), 0.04, (170, 110, 150), 6),
        (rng.uniform(66, 82), 0.06, (140, 50, 100), 14),
    ):
        mask = np.zeros((side, side), np.uint8)
        cv2.fillPoly(mask, [outline(radius, rough)], 1)
        image = np.where(mask[..., None] > 0, clumps(colour, spread), image)
    image = cv2.resize(image.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    noise = rng.normal(0, 2, image.shape)
    noisy = (
        np.where(image.sum(axis=2, keepdims=True) > 1, image + noise, 0) if dark else image + noise
    )
    return np.clip(noisy, 0, 255).astype(np.uint8)


def noise(seed: int, size: int) -> Image:
    """Grey noise, unlike any other's."""
    rng = np.random.default_rng([seed, size])
    return rng.integers(0, 256, (size, size, 3), np.uint8)


def smear(seed: int, size: int) -> Image:
    """A rendered smear."""
    config = SyntheticConfig(size=max(size, 64), patients_per_class=20)
    label = ("Benign", "Early", "Pre", "Pro")[seed % 4]
    image = render_image(config, label, seed % 20, seed // 20).image[..., ::-1]
    return np.asarray(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


KINDS: dict[str, Callable[[int, int], Image]] = {
    "dark cells": lambda seed, size: cell(seed, size, dark=True),
    "light cells": lambda seed, size: cell(seed, size, dark=False),
    "noise": noise,
    "smears": smear,
}


def plant(
    root: Path, kind: str, size: int, images: int, copies: int
) -> tuple[Dataset, dict[str, set[frozenset[str]]]]:
    """A dataset with `copies` of each change, within and across classes, and the pairs planted."""
    files: dict[str, bytes | Image] = {}
    for number in range(images):
        files[f"{'ab'[number % 2]}/{number:04d}.png"] = KINDS[kind](number, size)
    originals = sorted(files)
    pairs: dict[str, set[frozenset[str]]] = {}
    for index, (name, change) in enumerate(CHANGES.items()):
        pairs[name] = set()
        for copy in range(copies):
            first = originals[index * copies + copy]
            content = change(np.asarray(files[first]))
            suffix = "jpg" if isinstance(content, bytes) else "png"
            second = f"{'ab'[copy % 2]}/{name.replace(' ', '-')}-{copy}.{suffix}"
            files[second] = content
            pairs[name].add(frozenset((first, second)))
    return folder(root, files), pairs


def score(
    report: AuditReport, pairs: dict[str, set[frozenset[str]]]
) -> tuple[dict[str, float], float]:
    """Recall of each change, and precision over all pairs that the audit joins."""
    joined = {frozenset(f.files) for f in report.findings if f.kind in PARTNERS}
    planted = set().union(*pairs.values())
    recall = {name: len(own & joined) / len(own) for name, own in pairs.items()}
    return recall, len(joined & planted) / max(len(joined), 1)
