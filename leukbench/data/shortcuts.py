"""Shortcuts: the few numbers of an original image that a shortcut probe sees, and nothing of leukocytes.

The probes themselves, which are trained on these numbers, are `leukbench.models.shortcut_probes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from leukbench.data.dataset import Dataset
from leukbench.data.preprocess import read_image
from leukbench.data.segment import covering_mask
from leukbench.errors import UsageError, did_you_mean

Image = NDArray[np.uint8]
Features = NDArray[np.float32]

CORNER_SHARE = 7
CORNER_SIDE = 8
BACKGROUND_BINS = 16
_BATCH = 32


def colour_moments(image: Image) -> Features:
    """Mean, then standard deviation, of red, green and blue, 0..255; shape ``(6,)``.

    >>> colour_moments(np.full((4, 4, 3), (10, 20, 30), np.uint8)).tolist()
    [30.0, 20.0, 10.0, 0.0, 0.0, 0.0]
    """
    mean, deviation = cv2.meanStdDev(image)
    return np.concatenate([mean.ravel()[::-1], deviation.ravel()[::-1]]).astype(np.float32)


def corner(image: Image, bottom: bool = True, right: bool = True) -> Features:
    """A corner of a seventh of each side, shrunk to 8 by 8 pixels; shape ``(192,)``, 0..255."""
    height, width = (max(1, round(side / CORNER_SHARE)) for side in image.shape[:2])
    rows = slice(-height, None) if bottom else slice(height)
    columns = slice(-width, None) if right else slice(width)
    size = (CORNER_SIDE, CORNER_SIDE)
    cut = np.ascontiguousarray(image[rows, columns])
    return np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), np.float32).ravel()


def background(image: Image) -> Features:
    """Colour histograms of what is left when leukocytes are masked out; shape ``(48,)``.

    How much is masked (`leukbench.data.segment.covering_mask`) does not show: each histogram sums to
    1, or to 0 where nothing is left.
    """
    rest = np.where(covering_mask(image), np.uint8(0), np.uint8(255))
    histograms = [
        cv2.calcHist([image], [channel], rest, [BACKGROUND_BINS], [0, 256]).ravel()
        for channel in (2, 1, 0)
    ]
    counts = np.concatenate(histograms).astype(np.float32)
    return np.asarray(counts / max(float(counts[:BACKGROUND_BINS].sum()), 1.0), dtype=np.float32)


def _corners(image: Image) -> Features:
    return np.concatenate(
        [corner(image, bottom, right) for bottom in (False, True) for right in (False, True)]
    )


def _size(image: Image) -> Features:
    return np.array(image.shape[1::-1], dtype=np.float32)


SHORTCUTS: dict[str, Callable[[Image], Features]] = {
    "colour": colour_moments,
    "corner": corner,
    "corners": _corners,
    "size": _size,
    "background": background,
}


def shortcut_features(
    dataset: Dataset, names: Sequence[str] = tuple(SHORTCUTS), jobs: int = -1
) -> dict[str, Features]:
    """Numbers of every image, from one pass over the originals.

    Parameters
    ----------
    names : sequence of str
        Some of `SHORTCUTS`.
    jobs : int
        Threads, as joblib counts them.

    Returns
    -------
    dict of str to numpy.ndarray
        float32, shape ``(n, features)``: 6 for colour (mean and standard deviation of red, green,
        blue, 0..255), 192 for one corner, 768 for four, 2 for size (width and height in pixels;
        the size of the file is none of them, as it grows with what the image shows), 48 for the
        background (histograms of red, green and blue, each summing to 1).

    Raises
    ------
    UsageError
        For an unknown name.
    DataError
        Where an image cannot be read.
    """
    for name in names:
        if name not in SHORTCUTS:
            raise UsageError(
                f"There is no shortcut {name}{did_you_mean(name, SHORTCUTS)}: "
                f"take one of {', '.join(SHORTCUTS)}."
            )
    starts = range(0, len(dataset), _BATCH)
    batches = Parallel(n_jobs=jobs, prefer="threads")(
        delayed(_features_of)(dataset, range(i, min(i + _BATCH, len(dataset))), names)
        for i in starts
    )
    rows = [row for batch in batches for row in batch]
    return {name: np.stack([row[k] for row in rows]) for k, name in enumerate(names)}


def _features_of(dataset: Dataset, batch: range, names: Sequence[str]) -> list[list[Features]]:
    images = (read_image(dataset.absolute(index)) for index in batch)
    return [[SHORTCUTS[name](image) for name in names] for image in images]
