"""From the bytes of an image file to 8-bit pixels in blue, green, red."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from leukbench.errors import DataError

cv2.utils.logging.setLogLevel(
    cv2.utils.logging.LOG_LEVEL_SILENT
)  # what is wrong with a file is said in our own sentences

Pixels = NDArray[Any]
"""Of any depth."""

READ_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
_END_MARKERS = {
    b"\xff\xd8": (b"\xff\xd9", "JPEG"),
    b"\x89PNG": (b"IEND", "PNG"),
}
_DEPTHS = (8, 12, 16)


def decode_image(data: bytes, name: str | Path) -> NDArray[np.uint8]:
    """Decode one image file; a DataError that begins with `name` where it is empty, cut off or no image.

    Returns
    -------
    numpy.ndarray
        uint8, shape ``(height, width, 3)``, channels in OpenCV's order blue, green, red. Alpha is
        dropped, grey is repeated, 16 bits are scaled (`to_8_bits`), and of several pages or frames the
        first is taken.
    """
    return to_8_bits(_decode(data, name))


def describe_image(data: bytes, name: str | Path) -> tuple[int, int, str]:
    """Height, width, and what `decode_image` does to an unusual image, in a few words."""
    image = _decode(data, name)
    remarks = [] if image.dtype == np.uint8 else ["16 bits a channel, scaled to 8"]
    if _frames(data) > 1:
        remarks.append("several pages or frames, the first is taken")
    return image.shape[0], image.shape[1], "; ".join(remarks)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read and decode one image file; see `decode_image`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be opened ({error.strerror}): check its permissions."
        ) from error
    return decode_image(data, path)


def to_8_bits(image: Pixels) -> NDArray[np.uint8]:
    """Scale 16-bit pixels to 8 bits.

    Cameras store 12 bits in 16: the range is taken as the smallest of 8, 12 and 16 bits that holds the
    brightest pixel, so that such an image keeps its levels.
    """
    if image.dtype == np.uint8:
        return np.asarray(image, dtype=np.uint8)
    brightest = int(image.max())
    bits = next(bits for bits in _DEPTHS if brightest < 1 << bits)
    return np.asarray(np.round(image * (255 / ((1 << bits) - 1))), dtype=np.uint8)


def _decode(data: bytes, name: str | Path) -> Pixels:
    fault, image = "", None
    if not data:
        fault = "is an empty file"
    for start, (end, kind) in _END_MARKERS.items():
        if data.startswith(start) and end not in data[-4096:] and end not in data[len(data) // 2 :]:
            fault = f"is a {kind} file that was cut off"
    if not fault:
        image = _imdecode(data, READ_FLAGS)
        if image is None:
            image = _imdecode(data, cv2.IMREAD_COLOR)  # floating-point TIFF
    if image is None:
        fault = fault or "cannot be read as an image"
        raise DataError(f"{name} {fault}: replace it, or pass `skip_unreadable=True`.")
    return image


def _imdecode(data: bytes, flags: int) -> Pixels | None:
    try:
        image: Pixels | None = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return image


def _frames(data: bytes) -> int:
    """Pages of a TIFF, frames of a GIF, WebP or PNG file."""
    if not data.startswith((b"II*\0", b"MM\0*", b"GIF8", b"RIFF")) and b"acTL" not in data[:128]:
        return 1
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as picture:
            return int(getattr(picture, "n_frames", 1))
    except (OSError, SyntaxError, ValueError):
        return 1  # OpenCV could decode it
