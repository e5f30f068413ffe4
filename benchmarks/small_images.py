"""Folders of many small images, made quickly; every figure taken on them is SYNTHETIC."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SIDE = 32


def write_small(root: Path, images: int, classes: int = 4) -> Path:
    """Write PNG files of soft blotches, 32 by 32 pixels, each of them different.

    Parameters
    ----------
    root : Path
        Folder to make.
    images, classes : int
        How many in all, in how many classes, each with a brightness of its own.
    """
    generator = np.random.default_rng(0)
    for number in range(classes):
        (root / f"class{number:02d}").mkdir(parents=True)
    for index in range(images):
        label = index % classes
        coarse = generator.normal(70 + 120 * label / classes, 35, (8, 8, 3)).astype(np.float32)
        soft = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        image = np.clip(soft, 0, 255).astype(np.uint8)
        coded = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        (root / f"class{label:02d}" / f"{index:06d}.png").write_bytes(coded.tobytes())
    return root
