"""What an image file says of itself before it is decoded: its format and its size.

A few bytes can say that they are 60,000 by 60,000 pixels; whoever decodes them first and asks then has
given the memory away.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

MAX_PIXELS = 80_000_000
"""Of an image: 9,000 by 8,900. Decoded it takes 240 MB, with 16 bits a channel 480 MB."""
MAX_BYTES = 2**30
"""Of an image file."""
_MOST_SEGMENTS = 10_000


class Header(NamedTuple):
    """Format and size; `colours` is ``CMYK`` or ``Lab`` where they must be converted, else empty."""

    kind: str
    height: int
    width: int
    colours: str = ""
    tile: int = 0
    """Pixels of a tile, which is decoded whole even where the image is smaller."""

    @property
    def fault(self) -> str:
        """Why the image is not to be decoded; empty where it is."""
        if min(self.height, self.width) < 1:
            return "has no pixels"
        if max(self.height * self.width, self.tile) > MAX_PIXELS:
            size = f"{self.width} x {self.height} pixels"
            return f"has {size}, more than {MAX_PIXELS // 10**6} million, and is not opened"
        if self.colours == "Lab":
            return "is stored in Lab colours, which are not read"
        return ""


def read_header(data: bytes) -> Header | None:
    """Format and size by the first bytes, whatever the file is called; None where they name none."""
    for start, read in _READERS.items():
        if data.startswith(start):
            try:
                return read(data)
            except (struct.error, IndexError, ValueError):
                return None
    return None


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    return Header("PNG", height, width)


def _gif(data: bytes) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header("GIF", height, width)


def _bmp(data: bytes) -> Header:
    old = struct.unpack_from("<I", data, 14)[0] == 12
    width, height = struct.unpack_from("<HH" if old else "<ii", data, 18)
    return Header("BMP", abs(height), width)


def _webp(data: bytes) -> Header | None:
    kind = data[8:16]
    if kind == b"WEBPVP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    elif kind == b"WEBPVP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"WEBPVP8X":
        low, high = struct.unpack_from("<IH", data, 24)
        width, height = (low & 0xFFFFFF) + 1, (low >> 24 | high << 8) + 1
    else:
        return None
    return Header("WebP", height, width)


def _jpeg(data: bytes) -> Header | None:
    """Walk the segments up to the frame header (ITU T.81, B.2.2)."""
    at = 2
    for _ in range(_MOST_SEGMENTS):
        at = data.index(b"\xff", at)
        marker = data[at + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:  # filling, or without a length
            at += 1 if marker == 0xFF else 2
            continue
        if marker in (0xD9, 0xDA):  # no frame before the end or the scan
            return None
        length, _, height, width, channels = struct.unpack_from(">HBHHB", data, at + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return Header("JPEG", height, width, "CMYK" if channels == 4 else "")
        at += 2 + length
    return None


_TIFF_COLOURS = {5: "CMYK", 8: "Lab", 9: "Lab", 10: "Lab"}


def _tiff(data: bytes) -> Header:
    """Read the first directory of a TIFF or BigTIFF file."""
    order = "<" if data[:1] == b"I" else ">"
    big = 43 in data[2:4]
    head, count, entry, number = ("Q", "Q", 20, "Q") if big else ("I", "H", 12, "I")
    (at,) = struct.unpack_from(order + head, data, 8 if big else 4)
    (entries,) = struct.unpack_from(order + count, data, at)
    at += struct.calcsize(order + count)
    found: dict[int, int] = {}
    for start in range(at, min(at + entries * entry, len(data)), entry):
        tag, kind = struct.unpack_from(order + "HH", data, start)
        form = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind)
        if tag in (256, 257, 262, 322, 323) and form:
            place = start + 4 + struct.calcsize(order + number)
            found.setdefault(tag, struct.unpack_from(order + form, data, place)[0])
    colours = _TIFF_COLOURS.get(found.get(262, 0), "")
    tile = found.get(322, 0) * found.get(323, 0)
    return Header("TIFF", found.get(257, 0), found.get(256, 0), colours, tile)


_READERS: dict[bytes, Callable[[bytes], Header | None]] = {
    b"\xff\xd8\xff": _jpeg,
    b"\x89PNG\r\n\x1a\n": _png,
    b"BM": _bmp,
    b"GIF87a": _gif,
    b"GIF89a": _gif,
    b"RIFF": _webp,
    b"II*\0": _tiff,
    b"MM\0*": _tiff,
    b"II+\0": _tiff,
    b"MM\0+": _tiff,
}
