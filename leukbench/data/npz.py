"""MedMNIST's arrays (``.npz``) as a folder of images: parts, classes, PNG files, unpacked once."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np

from leukbench.data.catalog import CATALOG
from leukbench.errors import DataError, require_file
from leukbench.files import writable_cache
from leukbench.records import file_sha256

PARTS = ("train", "val", "test")
MOST_UNPACKED = 100
"""Times its size that a file may take in memory; images compress to a half, zeros to a thousandth."""


def unpack_npz(file: Path, folder: Path | None = None) -> Path:
    """Write the images of a file below `folder` (the cache by default), as ``part/class/number.png``.

    Classes are named where the catalogue knows the file's name, else numbered as in the file.
    """
    entry = next((one for one in CATALOG if one.fetch == f"medmnist:{file.stem}"), None)
    require_file(file)
    target = folder or writable_cache("unpacked") / f"{file.stem}-{file_sha256(file)[:16]}"
    if target.is_dir():
        return target
    parts = _read_parts(file)
    names = list(entry.counts) if entry else []
    work = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(work, ignore_errors=True)
    for part, (images, labels) in parts.items():
        _write_part(work / part, images, labels, names)
    work.rename(target)
    return target


def _read_parts(file: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images and labels of each part."""
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(one.file_size for one in archive.infolist())
        if unpacked > MOST_UNPACKED * file.stat().st_size:
            raise DataError(
                f"{file} unpacks to {unpacked / file.stat().st_size:.0f} times its size, which no images "
                "do: name a folder of images instead."
            )
        with np.load(file, allow_pickle=False) as arrays:
            parts = {p: (arrays[f"{p}_images"], arrays[f"{p}_labels"].ravel()) for p in PARTS}
        for images, labels in parts.values():
            grey_or_colour = images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)
            if images.dtype != np.uint8 or not grey_or_colour or not images.size:
                raise ValueError(f"no images: {images.dtype}, shape {images.shape}")
            if labels.dtype.kind not in "iu" or len(labels) != len(images) or labels.min() < 0:
                raise ValueError(f"no labels: {labels.dtype}, {len(labels)}")
    except DataError:
        raise
    except Exception as error:  # NumPy and zipfile raise whatever the damaged content leads to
        raise DataError(
            f"{file} holds no images as MedMNIST stores them (train_images, train_labels, val_..., "
            "test_...): name a folder of images instead."
        ) from error
    return parts


def _write_part(folder: Path, images: np.ndarray, labels: np.ndarray, names: list[str]) -> None:
    """Write one part; MedMNIST numbers classes alphabetically."""
    from PIL import Image

    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        name = names[int(label)] if int(label) < len(names) else str(int(label))
        place = folder / name / f"{number:05d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place)
