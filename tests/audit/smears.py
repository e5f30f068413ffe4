"""Small textured images in folders, for tests of the audit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from leukbench.data.dataset import Dataset, ImageRecord

Image = NDArray[np.uint8]
PNG = ".png"


def field(seed: int, height: int = 160, width: int = 160) -> Image:
    """A ground with discs, unlike that of any other seed."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), 220, np.uint8)
    for _ in range(height * width // 400):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        colour = tuple(int(value) for value in rng.integers(40, 200, 3))
        cv2.circle(image, centre, int(rng.integers(4, 12)), colour, -1, cv2.LINE_AA)
    noise = rng.normal(0, 3, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def jpeg(image: Image, quality: int) -> bytes:
    """A JPEG file of the image."""
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


def png(image: Image, compression: int = 3) -> bytes:
    """A PNG file of the image; the pixels are the same at any compression, the bytes are not."""
    options = [cv2.IMWRITE_PNG_COMPRESSION, compression]
    return bytes(cv2.imencode(PNG, image, options)[1].tobytes())


def folder(root: Path, files: Mapping[str, bytes | Image]) -> Dataset:
    """Write files by their paths (class/name), and give the dataset of them."""
    records = []
    for path, content in sorted(files.items()):
        data = content if isinstance(content, bytes) else png(content)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
        records.append(ImageRecord(path, path.split("/")[0], hashlib.sha256(data).hexdigest()))
    return Dataset("small", root, tuple(records))
