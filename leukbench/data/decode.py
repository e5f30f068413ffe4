"""From the bytes of an image file to 8-bit pixels in blue, green, red."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from leukbench.data.header import MAX_BYTES, Header, read_header
from leukbench.errors import DataError, require_file

cv2.utils.logging.setLogLevel(
    cv2.utils.logging.LOG_LEVEL_SILENT
)  # what is wrong with a file is said in our own sentences

Pixels = NDArray[Any]
"""Of any depth."""

READ_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
_END_MARKERS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
_DEPTHS = (8, 12, 16)


def decode_image(data: bytes, name: str | Path) -> NDArray[np.uint8]:
    """Decode one image file; a DataError that begins with `name` where it is none, cut off or too large.

    The content decides the format, whatever the file is called: JPEG, PNG, BMP, TIFF, WebP or GIF.

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
    header = _header(data, name)
    remarks = [] if image.dtype == np.uint8 else ["16 bits a channel, scaled to 8"]
    if header.colours:
        remarks.append(f"{header.colours} colours, converted to RGB without their profile")
    if _frames(data) > 1:
        remarks.append("several pages or frames, the first is taken")
    return image.shape[0], image.shape[1], "; ".join(remarks)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read and decode one image file; see `decode_image`."""
    try:
        data = image_bytes(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be opened ({error.strerror}): check its permissions."
        ) from error
    return decode_image(data, path)


def image_bytes(path: Path) -> bytes:
    """The bytes of an image file; a DataError for a pipe, a device, or more than `MAX_BYTES`."""
    require_file(path)
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > MAX_BYTES:
            raise DataError(
                f"{path} has more than {MAX_BYTES >> 20} MiB and is not opened: make it smaller, or pass "
                "`skip_unreadable=True`."
            )
        return file.read(MAX_BYTES)


def to_8_bits(image: Pixels) -> NDArray[np.uint8]:
    """Scale 16-bit pixels to 8 bits.

    Cameras store 12 bits in 16: the range is taken as the smallest of 8, 12 and 16 bits that holds the
    brightest pixel, so that such an image keeps its levels.
    """
    if image.dtype == np.uint8:
        return np.asarray(image, dtype=np.uint8)
    brightest = int(image.max())
    bits = next(bits for bits in _DEPTHS if brightest < 1 << bits)
    levels = np.arange(1 << bits) * (255 / ((1 << bits) - 1))
    table = np.asarray(np.round(levels), dtype=np.uint8)
    scaled = np.empty(image.shape, np.uint8)
    for row, deep in zip(scaled, image, strict=True):  # a whole image at once would take 8 times it
        row[...] = table[deep]
    return scaled


def _decode(data: bytes, name: str | Path) -> Pixels:
    header = _header(data, name)
    image, fault = None, header.fault
    end = _END_MARKERS.get(header.kind, b"")
    if not fault and end not in data[-4096:] and end not in data[len(data) // 2 :]:
        fault = f"is a {header.kind} file that was cut off"
    if not fault:
        image = _imdecode(data, READ_FLAGS)
        if image is None:
            fault = "cannot be read as an image"
        elif image.dtype not in (np.uint8, np.uint16):
            fault = f"has pixels of the type {image.dtype}, and 8 or 16 bits without sign are read"
    if image is None or fault:
        raise DataError(f"{name} {fault}: replace it, or pass `skip_unreadable=True`.")
    return image


def _header(data: bytes, name: str | Path) -> Header:
    header = read_header(data)
    if header is None:
        fault = "cannot be read as an image" if data else "is an empty file"
        raise DataError(f"{name} {fault}: replace it, or pass `skip_unreadable=True`.")
    return header


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
    except Exception:  # Pillow raises whatever a damaged file leads to
        return 1  # OpenCV could decode it
