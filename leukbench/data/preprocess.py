"""The one preprocessing stage: decode, grey, median blur, resize; once, then memory-mapped.

Source of the sequence: Keerthivasan and Saranya 2023, section 3.2 (grey, median blur, 50x50). What
the text leaves open is OpenCV's default: BGR2GRAY weights, bilinear interpolation.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from leukbench.errors import DataError

_END_MARKERS = {
    b"\xff\xd8": (b"\xff\xd9", "JPEG"),
    b"\x89PNG": (b"IEND", "PNG"),
}


def decode_image(data: bytes, name: str | Path) -> NDArray[np.uint8]:
    """Decode one image file.

    Parameters
    ----------
    data : bytes
        Content of a JPEG, PNG, BMP or TIFF file.
    name : str or Path
        What to call the image in an error.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(height, width, 3)``, channels in OpenCV's order blue, green, red. Alpha is
        dropped, grey is repeated, 16 bits become 8: what ``cv2.imread`` gives by default.

    Raises
    ------
    DataError
        Where the file is empty, cut off, or no image.
    """
    if not data:
        raise DataError(f"{name} is an empty file: replace it, or pass --skip-unreadable.")
    for start, (end, kind) in _END_MARKERS.items():
        if data.startswith(start) and end not in data[-4096:] and end not in data[len(data) // 2 :]:
            raise DataError(
                f"{name} is a {kind} file that was cut off: replace it, or pass --skip-unreadable."
            )
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise DataError(
            f"{name} cannot be read as an image: replace it, or pass --skip-unreadable."
        )
    return np.asarray(image, dtype=np.uint8)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read and decode one image file; see `decode_image`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be opened ({error.strerror}): check its permissions."
        ) from error
    return decode_image(data, path)
