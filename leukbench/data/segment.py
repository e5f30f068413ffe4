"""Leukocyte masks by thresholds in HSV, and cropping to the largest cell.

OpenCV's 8-bit HSV counts hue in steps of two degrees (0 to 179), saturation and value in 0 to 255.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from leukbench.errors import UsageError

SegmentMethod = Literal["hsv", "aria2021"]

_ARIA_LOW, _ARIA_HIGH = (168, 50, 50), (179, 255, 255)
_PURPLE = (117, 156)
_BLUISH = (100, 160)
_LEAST_SATURATION = 45
_OTSU_SHARE = 0.8
_REACH = 0.04
_INSIDE = 0.6
_LEAST_AREA = 0.002
_MARGIN = 0.1
_CORE = 0.7
_COVER = 0.02


def leukocyte_mask(
    image_bgr: NDArray[np.uint8], method: SegmentMethod = "hsv"
) -> NDArray[np.bool_]:
    """Where leukocytes are, in an image in blue, green, red: bool, ``(height, width)``.

    ``hsv`` finds nuclei as hues from blue-violet to purple (234 to 312 degrees) whose saturation lies
    above 0.8 of Otsu's threshold of these hues (Otsu 1979, doi:10.1109/TSMC.1979.4310076), and adds
    bluish regions beside them that do not reach far, which is cytoplasm. Holes and specks smaller than
    0.2 % of the image, such as platelets, are filled and dropped. The pale granular cytoplasm of
    neutrophils stays out.

    ``aria2021`` is the procedure that the authors of the ALL data set published with their network
    (github.com/MehradAria/ALL-Subtype-Classification, ``Classifier.ipynb``; Ghaderzadeh, Aria et al.
    2022, doi:10.1002/int.22753), mistakes included: an image in blue, green, red is converted as if it
    were red, green, blue, and pixels with hue 168 to 182, saturation and value from 50 are kept. The
    thresholds are named orange there. With red and blue exchanged the hue ``h`` reads ``120 - h``, so
    what is kept is blue-violet, 242 to 264 degrees; hues above 179 do not exist, which cuts off pure
    blue. Nothing is filled or cleaned.
    """
    if method == "aria2021":
        # The exchange of red and blue is the source's own, and kept on purpose.
        mistaken = cv2.cvtColor(image_bgr, cv2.COLOR_RGB2HSV)
        return np.asarray(cv2.inRange(mistaken, _ARIA_LOW, _ARIA_HIGH) > 0)
    if method == "hsv":
        return _purple_regions(image_bgr)
    raise UsageError(f"{method!r} is no way to segment: choose hsv or aria2021.")


def covering_mask(image_bgr: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """`leukocyte_mask`, widened by 2 % of the longer side, so that no rim of a cell is left outside."""
    reach = max(1, round(_COVER * max(image_bgr.shape[:2])))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(leukocyte_mask(image_bgr).astype(np.uint8), disc) > 0)


def crop_largest_cell(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Cut out the largest cell, as a square with a margin of a tenth; all of it where the mask is empty.

    Cells that touch are parted: every pixel of the mask goes to the nearest core, and a core is
    where the mask is thicker than anywhere around. At the border of the image the square is moved
    inwards, never filled up. A later resize to a fixed size makes all cells equally large: cropping
    takes the size of the cell away from a model.
    """
    if mask.shape != image.shape[:2]:
        raise ValueError(f"the mask is {mask.shape}, the image {image.shape[:2]}: give one size")
    if not mask.any():
        return image.copy()
    rows, columns = np.nonzero(_largest_cell(mask))
    height, width = mask.shape
    extent = max(np.ptp(rows), np.ptp(columns)) + 1
    side = int(extent * (1 + 2 * _MARGIN)) + 1
    top, bottom = _window(int(rows.min()), int(rows.max()), side, height)
    left, right = _window(int(columns.min()), int(columns.max()), side, width)
    return image[top:bottom, left:right].copy()


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Agreement of two masks, ``2 |A and B| / (|A| + |B|)``; 1 where both are empty.

    Source: Dice 1945, doi:10.2307/1932409.

    >>> dice(np.array([True, True, False]), np.array([True, False, False]))
    0.6666666666666666
    """
    total = int(np.count_nonzero(first)) + int(np.count_nonzero(second))
    return 2 * int(np.count_nonzero(first & second)) / total if total else 1.0


def count_cells(mask: NDArray[np.bool_]) -> int:
    """Number of cells of a mask, those that touch parted as `crop_largest_cell` does."""
    return int(np.count_nonzero(np.bincount(_parted(mask).ravel())[1:])) if mask.any() else 0


def _largest_cell(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    cells = _parted(mask)
    areas = np.bincount(cells.ravel())
    areas[0] = 0
    return np.asarray(cells == areas.argmax())


def _parted(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number of the cell that each pixel belongs to, 0 outside of all."""
    # A frame of background, so that a cell cut by the border is as thick as it looks.
    framed = np.pad(mask.astype(np.uint8), 1)
    thickness = cv2.distanceTransform(framed, cv2.DIST_L2, 5)
    reach = max(round(_CORE * float(thickness.max())), 1)
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    cores = (framed > 0) & (thickness >= cv2.dilate(thickness, window) - 0.5)
    _, nearest = cv2.distanceTransformWithLabels(
        (~cores).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
    )
    nearest[framed == 0] = 0
    return np.asarray(nearest[1:-1, 1:-1])


def _window(first: int, last: int, side: int, length: int) -> tuple[int, int]:
    """Bounds of `side` pixels around `first` to `last`, inside 0 to `length`."""
    start = (first + last + 1 - side) // 2
    start = max(min(start, length - side), 0)
    return start, min(start + side, length)


def _purple_regions(image_bgr: NDArray[np.uint8]) -> NDArray[np.bool_]:
    smooth = cv2.medianBlur(image_bgr, 3)
    hue, saturation, _ = cv2.split(cv2.cvtColor(smooth, cv2.COLOR_BGR2HSV))
    purple = (hue >= _PURPLE[0]) & (hue <= _PURPLE[1]) & (saturation >= _LEAST_SATURATION)
    if not purple.any():
        return np.zeros(hue.shape, dtype=bool)
    otsu, _ = cv2.threshold(saturation[purple], 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    nuclei = _clean(purple & (saturation >= _OTSU_SHARE * otsu))
    bluish = (hue >= _BLUISH[0]) & (hue <= _BLUISH[1]) & (saturation >= _LEAST_SATURATION)
    return _clean(nuclei | _cytoplasm(bluish & ~nuclei, nuclei))


def _cytoplasm(bluish: NDArray[np.bool_], nuclei: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Regions that hardly reach away from a nucleus; a bluish red cell beside one does."""
    reach = max(round(_REACH * max(nuclei.shape)), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    near = cv2.dilate(nuclei.astype(np.uint8), disc) > 0
    count, regions = cv2.connectedComponents(bluish.astype(np.uint8), connectivity=4)
    inside = np.bincount(regions[near], minlength=count)
    keep = inside > _INSIDE * np.bincount(regions.ravel(), minlength=count)
    return np.asarray(bluish & near & keep[regions])


def _clean(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Smooth the outlines, drop specks, and fill small holes."""
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, brush) > 0
    return ~_drop_specks(~_drop_specks(opened))


def _drop_specks(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    _, regions, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= _LEAST_AREA * mask.size
    return np.asarray(mask & large[regions])
