"""Folders as strangers lay them out: small images at the paths that a test names."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

Lay = Callable[..., Path]


def encoded(name: str, suffix: str = ".png", depth: type = np.uint8) -> bytes:
    """An image that differs from that of any other name."""
    rng = np.random.default_rng(zlib.crc32(name.encode("utf-8", "surrogateescape")))
    pixels = rng.integers(0, 200, (20, 24, 3)).astype(depth)
    return bytes(cv2.imencode(suffix, pixels)[1].tobytes())


@pytest.fixture
def lay(tmp_path: Path, own_cache: Path) -> Lay:
    """Write an image at every path below a new folder, and give the folder."""

    def write(paths: Iterable[str], name: str = "DIR") -> Path:
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        for path in paths:
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            suffix = file.suffix if file.suffix in (".png", ".jpg", ".bmp", ".webp") else ".png"
            file.write_bytes(encoded(path, suffix))
        return root

    return write


def numbered(*folders: str, images: int = 3, suffix: str = ".png") -> list[str]:
    """Paths of some images in each folder."""
    return [f"{folder}/{number}{suffix}" for folder in folders for number in range(images)]
