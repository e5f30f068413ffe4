"""Images that mean no good or are not what they say: read right, or refused in one sentence."""

from __future__ import annotations

import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from leukbench.cli.app import run_command_line
from leukbench.data.decode import decode_image, read_image, to_8_bits
from leukbench.data.folder import load_folder
from leukbench.data.header import MAX_PIXELS, read_header
from leukbench.data.preprocess import _read_over
from leukbench.errors import DataError
from tests.data.strangers.conftest import Lay, numbered

PIXELS = np.random.default_rng(7).integers(0, 256, (20, 24, 3), np.uint8)
PICTURE = Image.fromarray(PIXELS)
KINDS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP")


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def png(width: int, height: int, rows: bytes = b"\0" * 99) -> bytes:
    """A grey PNG file that says it is so large, and holds these bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def said_to_be(kind: str, width: int, height: int) -> bytes:
    """A small file of a format, with another size in its header."""
    data = bytearray(saved(PICTURE, kind, **({"lossless": True} if kind == "WEBP" else {})))
    if kind == "PNG":
        return png(width, height)
    if kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        struct.pack_into(">HH", data, at, height, width)
    elif kind == "GIF":
        struct.pack_into("<HH", data, 6, width, height)
    elif kind == "BMP":
        struct.pack_into("<ii", data, 18, width, height)
    elif kind == "WEBP":
        struct.pack_into("<I", data, 21, (width - 1) | (height - 1) << 14)
    else:
        start = struct.unpack_from("<I", data, 4)[0]
        for number in range(struct.unpack_from("<H", data, start)[0]):
            at = start + 2 + 12 * number
            tag = struct.unpack_from("<H", data, at)[0]
            if tag in (256, 257):
                struct.pack_into("<HHII", data, at, tag, 4, 1, width if tag == 256 else height)
    return bytes(data)


@pytest.mark.parametrize("kind", KINDS)
def test_the_header_says_what_is_decoded(kind: str) -> None:
    header = read_header(saved(PICTURE, kind))
    assert header is not None
    assert (header.kind.upper(), header.height, header.width) == (kind, 20, 24)
    large = 16_000  # as much as WebP can say
    changed = read_header(said_to_be(kind, large, large - 7))
    assert changed is not None
    assert (changed.height, changed.width) == (large - 7, large)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_is_refused_before_it_takes_memory(kind: str) -> None:
    bomb = said_to_be(kind, 16_000, 16_000)
    tracemalloc.start()
    with pytest.raises(DataError, match="16000 x 16000 pixels, more than 80 million"):
        decode_image(bomb, "bomb")
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def test_a_bomb_that_is_whole_is_refused_and_skipped(lay: Lay) -> None:
    root = lay(numbered("A", "B"))
    (root / "A" / "bomb.png").write_bytes(png(20_000, 20_000, bytes(20_001 * 1000)))
    with pytest.raises(DataError, match=r"A/bomb\.png has 20000 x 20000 pixels.* not opened: rep"):
        load_folder(root)
    dataset = load_folder(root, skip_unreadable=True)
    assert [one.reason for one in dataset.skipped] == [
        "has 20000 x 20000 pixels, more than 80 million, and is not opened"
    ]


def test_a_long_row_is_read_and_the_limit_is_the_area() -> None:
    row = png(20_000, 1, bytes(20_001))
    assert decode_image(row, "row").shape == (1, 20_000, 3)
    assert 9_000 * 8_800 < MAX_PIXELS < Image.MAX_IMAGE_PIXELS


def test_a_huge_file_and_a_pipe_are_not_read(lay: Lay, capsys: pytest.CaptureFixture[str]) -> None:
    root = lay(numbered("A", "B"))
    with (root / "A" / "huge.png").open("wb") as file:
        file.truncate(2**34)  # takes no space on disk
    os.mkfifo(root / "A" / "pipe.png")
    dataset = load_folder(root, skip_unreadable=True)
    assert {one.path: one.reason for one in dataset.skipped} == {
        "A/huge.png": "has more than 1024 MiB and is not opened",
        "A/pipe.png": "is a pipe, not a file",
    }
    assert run_command_line(["audit", str(root)]) == 3
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(DataError, match="is a pipe, not a file"):
        read_image(root / "A" / "pipe.png")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.9, 0.98])
def test_what_was_cut_off_is_refused(kind: str, share: float, tmp_path: Path) -> None:
    data = saved(PICTURE, kind)
    file = tmp_path / "cut.png"
    file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(
        DataError, match=r"(cut off|cannot be read as an image|empty file): replace"
    ):
        read_image(file)


@pytest.mark.parametrize("kind", KINDS)
def test_any_byte_changed_is_read_or_refused(kind: str) -> None:
    data = saved(PICTURE, kind)
    for place in range(0, len(data), max(1, len(data) // 120)):
        changed = bytearray(data)
        changed[place] ^= 0xFF
        try:
            image = decode_image(bytes(changed), "changed")
        except DataError as error:
            assert str(error).startswith("changed ")
            continue
        assert image.dtype == np.uint8 and image.ndim == 3


@pytest.mark.parametrize("kind", ["JPEG", "BMP", "GIF", "WEBP", "TIFF"])
def test_the_content_decides_and_not_the_name(kind: str, tmp_path: Path) -> None:
    file, right = tmp_path / "x.png", tmp_path / f"x.{kind.lower()}"
    file.write_bytes(saved(PICTURE, kind))
    right.write_bytes(file.read_bytes())
    np.testing.assert_array_equal(read_image(file), read_image(right))


@pytest.mark.parametrize("suffix", [".ppm", ".hdr", ".ras", ".avif", ".txt"])
def test_other_formats_under_a_known_name_are_refused(suffix: str) -> None:
    data = b"not an image"
    if suffix != ".txt":
        kind = np.float32 if suffix == ".hdr" else np.uint8
        data = cv2.imencode(suffix, PIXELS.astype(kind))[1].tobytes()
    with pytest.raises(DataError, match="cannot be read as an image"):
        decode_image(data, "x.png")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.linspace(0, 1, 1440, dtype=np.float32), "float32"),
        (np.linspace(0, 255, 1440), "float64"),
        (np.arange(1440, dtype=np.int32) * 1000, "int32"),
        (np.arange(1440, dtype=np.int16) - 5, "int16"),
        (np.arange(1440).astype(np.int8), "int8"),
    ],
)
def test_pixels_of_another_type_are_refused_not_guessed(values: np.ndarray, words: str) -> None:
    data = cv2.imencode(".tif", values.reshape(20, 24, 3))[1].tobytes()
    with pytest.raises(DataError, match=f"pixels of the type {words}, and 8 or 16 bits"):
        decode_image(data, "x.tif")


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_converted_and_said(lay: Lay, kind: str) -> None:
    root = lay(numbered("A", "B"))
    cmyk = PICTURE.convert("CMYK")
    file = root / "A" / f"print.{kind.lower()}"
    file.write_bytes(
        saved(cmyk, kind, **({"quality": 100, "subsampling": 0} if kind == "JPEG" else {}))
    )
    note = "1 images have CMYK colours, converted to RGB without their profile."
    assert note in load_folder(root).notes
    found = read_image(file)[..., ::-1].astype(int)
    assert np.abs(found - PIXELS).max() <= 4


def test_lab_colours_and_no_pixels_are_refused() -> None:
    with pytest.raises(DataError, match="Lab colours, which are not read"):
        decode_image(saved(PICTURE.convert("LAB"), "TIFF"), "x.tif")
    with pytest.raises(DataError, match="has no pixels"):
        decode_image(png(0, 5), "x.png")


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16"])
def test_every_other_colour_mode_is_what_pillow_makes_of_it(mode: str) -> None:
    picture = PICTURE.convert("L") if mode == "I;16" else PICTURE.convert(mode)
    if mode == "I;16":
        deep = np.asarray(picture).astype(np.uint16) * 257
        picture = Image.fromarray(deep)
        expected = np.repeat((deep // 257)[..., None], 3, axis=2)
    else:
        expected = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(decode_image(saved(picture, "PNG"), "x")[..., ::-1], expected)


def test_deep_pixels_are_scaled_as_by_division() -> None:
    deep = np.random.default_rng(1).integers(0, 65536, (30, 40, 3)).astype(np.uint16)
    for bits in (8, 12, 16):
        part = (deep >> (16 - bits)).astype(np.uint16)
        part[0, 0, 0] = (1 << bits) - 1
        np.testing.assert_array_equal(to_8_bits(part), np.round(part * (255 / ((1 << bits) - 1))))


def test_a_file_that_was_exchanged_for_a_bomb_after_the_scan_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.png"
    file.write_bytes(png(60_000, 60_000))
    with pytest.raises(DataError, match="60000 x 60000 pixels"):
        _read_over(file, None)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda a: a | {"train_images": np.zeros((4000, 28, 28), np.uint8)},  # a bomb: 700 times
        lambda a: a | {"train_images": a["train_images"].astype(np.float32)},
        lambda a: a | {"train_images": a["train_images"][..., :2]},
        lambda a: a | {"train_labels": a["train_labels"] - 1},
        lambda a: a | {"train_labels": a["train_labels"][:-1]},
        lambda a: a | {"train_labels": a["train_labels"].astype(float)},
        lambda a: a | {"train_labels": np.array([{}] * 6, dtype=object)},
    ],
)
def test_arrays_that_are_no_images_are_refused(lay: Lay, spoil, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    lay([])
    rng = np.random.default_rng(3)
    arrays = {}
    for part in ("train", "val", "test"):
        arrays[f"{part}_images"] = rng.integers(0, 256, (6, 8, 8, 3), np.uint8)
        arrays[f"{part}_labels"] = np.array([[0], [1]] * 3)
    file = tmp_path / "own.npz"
    np.savez_compressed(file, **arrays)
    assert load_folder(file).counts == {"0": 9, "1": 9}
    np.savez_compressed(file, **spoil(arrays))
    with pytest.raises(DataError, match=r"own\.npz (holds no images|unpacks to \d+ times)"):
        load_folder(file)
