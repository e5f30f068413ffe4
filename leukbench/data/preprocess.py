"""The one preprocessing stage: decode, grey, median blur, resize; once, then memory-mapped.

Source of the sequence: Keerthivasan and Saranya 2023, section 3.2 (grey, median blur, 50x50). What
the text leaves open is OpenCV's default: BGR2GRAY weights, bilinear interpolation.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

import cv2
import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from numpy.typing import NDArray

from leukbench.data.dataset import Dataset
from leukbench.data.decode import READ_FLAGS
from leukbench.data.decode import read_image as read_image
from leukbench.files import atomic_path, cache_dir, reserve_space, writable_cache
from leukbench.protocol import Preprocessing, canonical_sha256

_CHUNK = 64
_MARK = 1


def preprocess_image(image: NDArray[np.uint8], settings: Preprocessing) -> NDArray[np.uint8]:
    """Carry one decoded image (uint8, ``(height, width, 3)``, blue, green, red) through the stage.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(size, size, channels)``; three channels are red, green, blue.
    """
    if settings.view != "whole":
        from leukbench.data.views import VIEWS

        image = VIEWS[settings.view](image)
    if settings.segmentation != "none":
        from leukbench.data.segment import crop_largest_cell, leukocyte_mask

        mask = leukocyte_mask(image, settings.segmentation)
        image = np.where(mask[..., None], image, np.uint8(0))
        if settings.crop:
            image = crop_largest_cell(image, mask)
    code = cv2.COLOR_BGR2GRAY if settings.colour == "grey" else cv2.COLOR_BGR2RGB
    changed = cv2.cvtColor(image, code)
    if settings.median_kernel > 1:
        changed = cv2.medianBlur(changed, settings.median_kernel)
    changed = cv2.resize(changed, (settings.size, settings.size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(changed, dtype=np.uint8).reshape(
        settings.size, settings.size, settings.channels
    )


def preprocess_dataset(
    dataset: Dataset, settings: Preprocessing, *, jobs: int = -1
) -> NDArray[np.uint8]:
    """All images of a dataset, preprocessed once and memory-mapped afterwards.

    Returns
    -------
    numpy.memmap
        uint8, shape ``(n, size, size, channels)``, read-only, in the order of ``dataset.records``.
    """
    path = preprocessed_file(dataset, settings)
    if not path.is_file():
        writable_cache(path.parent.name)
        shape = (len(dataset), settings.size, settings.size, settings.channels)
        with atomic_path(path) as temporary:
            out = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            reserve_space(temporary)
            starts = deque(range(0, len(dataset), _CHUNK))
            Parallel(n_jobs=jobs, prefer="threads")(
                delayed(_fill)(out, dataset, settings, starts)
                for _ in range(effective_n_jobs(jobs))
            )
            out.flush()
            del out
    loaded: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return loaded


def preprocessed_file(dataset: Dataset, settings: Preprocessing) -> Path:
    """Where the preprocessed images of a dataset lie in the cache."""
    key = canonical_sha256(settings.model_dump(mode="json"))
    return cache_dir() / dataset.fingerprint[:24] / f"images-{key[:24]}.npy"


def _fill(
    out: NDArray[np.uint8], dataset: Dataset, settings: Preprocessing, starts: deque[int]
) -> None:
    """Take chunks of images from `starts` until none is left; where one fails, take the rest away."""
    image: NDArray[np.uint8] | None = None
    try:
        while starts:
            try:
                start = starts.popleft()
            except IndexError:  # another thread was quicker
                return
            for index in range(start, min(start + _CHUNK, len(dataset))):
                image = _read_over(dataset.absolute(index), image)
                out[index] = preprocess_image(image, settings)
    finally:
        starts.clear()


def _read_over(path: Path, previous: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Read an image as `read_image` does, into the memory of the previous one where it fits.

    One call that reads and decodes, as each return to Python makes other threads wait; and without
    an array to write to, OpenCV copies each image once more. With one, it returns that array
    unchanged for a file that it cannot read: hence the marks in two corners. An image that has such
    corners is read twice. Names that OpenCV cannot open, and what is wrong with a file, are
    `read_image`'s.
    """
    if previous is not None:
        previous[0, 0] = previous[-1, -1] = _MARK
        try:
            filled = cv2.imread(str(path), previous, READ_FLAGS) is previous
        except cv2.error:  # another shape or depth
            filled = False
        if filled and previous[0, 0, 0] != _MARK and previous[-1, -1, 0] != _MARK:
            return previous
    try:
        image = cv2.imread(str(path), READ_FLAGS)
    except cv2.error:
        image = None
    if image is None or image.dtype != np.uint8:
        return read_image(path)
    return np.asarray(image, dtype=np.uint8)
