"""Views: what is left of an image when something is taken out, to see what a model goes by."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from leukbench.data.segment import covering_mask, leukocyte_mask

Image = NDArray[np.uint8]

PATCHES = 8
"""Patches along each side of a shuffled image."""
LOW_PASS = 1 / 32
"""Standard deviation of the Gaussian that parts coarse from fine, as a share of the longer side."""
_MIDDLE = 128


def cells(image: Image) -> Image:
    """Leukocytes on black."""
    return np.where(leukocyte_mask(image)[..., None], image, np.uint8(0))


def background(image: Image) -> Image:
    """Everything but leukocytes, which get the median colour of the rest; their outlines remain."""
    covered = covering_mask(image)
    filled = image.copy()
    if not covered.all():
        filled[covered] = np.median(image[~covered], axis=0).astype(np.uint8)
    else:
        filled[:] = 0
    return filled


def silhouettes(image: Image) -> Image:
    """Outlines of leukocytes, widened as in `background`: white on black."""
    white = np.where(covering_mask(image), np.uint8(255), np.uint8(0))
    return np.repeat(white[..., None], 3, axis=2)


def shuffled(image: Image) -> Image:
    """8 by 8 patches in another order for each image, which its content draws; a rim may be cut off."""
    height, width = (side // PATCHES for side in image.shape[:2])
    if not height or not width:
        return image
    cut = image[: height * PATCHES, : width * PATCHES]
    parts = cut.reshape(PATCHES, height, PATCHES, width, 3).swapaxes(1, 2)
    parts = parts.reshape(PATCHES**2, height, width, 3)
    order = np.random.default_rng(zlib.crc32(image.tobytes())).permutation(len(parts))
    mixed = parts[order].reshape(PATCHES, PATCHES, height, width, 3).swapaxes(1, 2)
    return np.ascontiguousarray(mixed.reshape(cut.shape))


def grey(image: Image) -> Image:
    """Grey values, three times."""
    return np.asarray(
        cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), dtype=np.uint8
    )


def colour(image: Image) -> Image:
    """Six numbers: left half each channel's mean less its standard deviation, right half plus it."""
    mean, deviation = (value.ravel() for value in cv2.meanStdDev(image))
    flat = np.empty_like(image)
    half = image.shape[1] // 2
    flat[:, :half] = np.clip(np.rint(mean - deviation), 0, 255)
    flat[:, half:] = np.clip(np.rint(mean + deviation), 0, 255)
    return flat


def lowpass(image: Image) -> Image:
    """Coarse structure: blurred by a Gaussian of a 32nd of the longer side."""
    sigma = LOW_PASS * max(image.shape[:2])
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.uint8)


def highpass(image: Image) -> Image:
    """Fine structure: what `lowpass` takes away, around middle grey."""
    fine = image.astype(np.int16) - lowpass(image) + _MIDDLE
    return np.asarray(np.clip(fine, 0, 255), dtype=np.uint8)


VIEWS: dict[str, Callable[[Image], Image]] = {
    "cells": cells,
    "background": background,
    "silhouettes": silhouettes,
    "shuffled": shuffled,
    "grey": grey,
    "colour": colour,
    "lowpass": lowpass,
    "highpass": highpass,
}
"""Each takes and gives a decoded image: uint8, (height, width, 3), blue, green, red."""
