"""How well two images agree where they overlap: the check behind every near pair.

The statistic is the normalised correlation of the overlap times the square root of the overlap's
share of the image. Under chance the spread of a correlation falls with the square root of the area
it is taken over, so the product has about one null distribution, whatever the overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate, correlation_lags

from leukbench.audit.describe import Grey

MIN_SHARE = 0.15
_REACH = 3
_COARSE = 56

Plain = NDArray[np.float32]


@dataclass(frozen=True)
class Transform:
    """Where the second lies on the first: ``first = scale * second + (dx, dy)``, in pixels."""

    dx: float
    dy: float
    scale: float = 1.0


@dataclass(frozen=True)
class Agreement:
    """How well two images agree under the best transform near the one proposed."""

    correlation: float
    """Normalised correlation of the overlap, -1..1."""
    share: float
    """Overlap as a share of the smaller image, 0..1."""
    transform: Transform

    @property
    def statistic(self) -> float:
        """Correlation times the square root of the share."""
        return self.correlation * float(np.sqrt(self.share))


NO_AGREEMENT = Agreement(0.0, 0.0, Transform(0, 0))


def flatten(grey: Grey, step: float) -> Plain:
    """Take out illumination: the image less its own blur over four steps."""
    plain = grey.astype(np.float32)
    return np.asarray(plain - cv2.GaussianBlur(plain, (0, 0), 4 * step), dtype=np.float32)


def agree(first: Plain, second: Plain, proposed: Transform) -> Agreement:
    """Correlate the overlap of two flattened images as proposed, and up to 3 pixels beside it."""
    if proposed.scale != 1.0:
        size = tuple(max(1, round(side * proposed.scale)) for side in second.shape[::-1])
        second = cv2.resize(second, size, interpolation=cv2.INTER_LINEAR)
    dx, dy = round(proposed.dx), round(proposed.dy)
    left, right = max(0, dx), min(first.shape[1], dx + second.shape[1])
    top, bottom = max(0, dy), min(first.shape[0], dy + second.shape[0])
    share = _share(right - left, bottom - top, first, second)
    if share < MIN_SHARE or min(right - left, bottom - top) < 6 * _REACH:
        return NO_AGREEMENT
    window = first[top:bottom, left:right]
    template = second[
        top - dy + _REACH : bottom - dy - _REACH, left - dx + _REACH : right - dx - _REACH
    ]
    if template.std() < 1e-3 or window.std() < 1e-3:
        return NO_AGREEMENT
    scores = cv2.matchTemplate(window, template, cv2.TM_CCOEFF_NORMED)
    _, best, _, (x, y) = cv2.minMaxLoc(scores)
    dx, dy = dx + x - _REACH, dy + y - _REACH
    width = min(first.shape[1], dx + second.shape[1]) - max(0, dx)
    height = min(first.shape[0], dy + second.shape[0]) - max(0, dy)
    return Agreement(
        correlation=float(np.clip(best, -1, 1)),
        share=_share(width, height, first, second),
        transform=Transform(dx, dy, proposed.scale),
    )


def best_shift(first: Plain, second: Plain) -> Transform:
    """The shift of all shifts under which two images agree most, to within a few pixels.

    Zero-padded correlation by FFT on images of at most 56 pixels, divided by the square root of the
    overlap's share; overlaps below `MIN_SHARE` are left out.
    """
    factor = min(1.0, _COARSE / max(*first.shape, *second.shape))
    a, b = _shrink(first, factor), _shrink(second, factor)
    sums = correlate(a, b, method="fft")
    down = correlation_lags(a.shape[0], b.shape[0])
    right = correlation_lags(a.shape[1], b.shape[1])
    rows = _overlap(down, a.shape[0], b.shape[0])
    columns = _overlap(right, a.shape[1], b.shape[1])
    area = rows[:, None] * columns[None, :]
    allowed = area >= 1.1 * MIN_SHARE * min(a.size, b.size)  # room for the fine step
    score = np.where(allowed, sums / np.sqrt(np.maximum(area, 1)), -np.inf)
    row, column = np.unravel_index(int(np.argmax(score)), score.shape)
    return Transform(float(right[column]) / factor, float(down[row]) / factor)


def _share(width: int, height: int, first: Plain, second: Plain) -> float:
    return max(width, 0) * max(height, 0) / min(first.size, second.size)


def _shrink(image: Plain, factor: float) -> Plain:
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _overlap(lags: NDArray[np.int64], first: int, second: int) -> NDArray[np.int64]:
    """Pixels along one axis that two images share at each shift."""
    shared = np.minimum(first, lags + second) - np.maximum(0, lags)
    return np.asarray(np.maximum(shared, 0), dtype=np.int64)
