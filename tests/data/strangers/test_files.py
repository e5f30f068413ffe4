"""Formats, links and names: read, or refused in one sentence and skipped on request."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from leukbench.audit.audit import audit
from leukbench.data.decode import read_image
from leukbench.data.folder import load_folder
from leukbench.data.preprocess import preprocess_dataset
from leukbench.errors import DataError
from leukbench.protocol import Preprocessing
from tests.data.strangers.conftest import Lay, encoded, numbered


def pictures(number: int = 2) -> list[Image.Image]:
    rng = np.random.default_rng(number)
    return [Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8)) for _ in range(number)]


@pytest.mark.parametrize("suffix", ["webp", "gif", "jfif", "TIF"])
def test_formats_that_were_ignored_are_read(lay: Lay, suffix: str) -> None:
    root = lay(numbered("A", "B"))
    picture = pictures(1)[0]
    picture.save(root / "A" / f"x.{suffix}", format={"jfif": "JPEG", "TIF": "TIFF"}.get(suffix))
    assert load_folder(root).counts == {"A": 4, "B": 3}


def test_a_folder_of_a_format_that_is_not_read_names_it(lay: Lay) -> None:
    root = lay([])
    for label in "AB":
        (root / label).mkdir()
        (root / label / "x.heic").write_bytes(b"x")
    with pytest.raises(DataError, match=r"holds no images but 2 \.heic files"):
        load_folder(root)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_sixteen_bits_are_scaled_and_said(lay: Lay, suffix: str, bits: int) -> None:
    root = lay(numbered("A", "B"))
    ramp = np.linspace(0, (1 << bits) - 1, 20 * 24).round().reshape(20, 24).astype(np.uint16)
    file = root / "A" / f"deep{suffix}"
    cv2.imwrite(str(file), ramp)
    dataset = load_folder(root)
    assert "1 images have 16 bits a channel, scaled to 8." in dataset.notes
    expected = np.round(ramp * (255 / ((1 << bits) - 1))).astype(np.uint8)
    assert np.array_equal(read_image(file)[..., 0], expected)
    settings = Preprocessing(size=16, colour="rgb", median_kernel=0)
    arrays = preprocess_dataset(dataset, settings, jobs=1)
    seen = arrays[dataset.paths.index(f"A/deep{suffix}")]
    assert np.array_equal(seen[..., 0], cv2.resize(expected, (16, 16)))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
def test_of_several_pages_the_first_is_taken_and_that_is_said(lay: Lay, kind: str) -> None:
    root = lay(numbered("A", "B"))
    first, second = pictures()
    file = root / "A" / f"many.{kind.lower()}"
    options = {"lossless": True} if kind == "WEBP" else {}
    first.save(file, kind, save_all=True, append_images=[second], **options)
    dataset = load_folder(root)
    assert "1 images have several pages or frames, the first is taken." in dataset.notes
    if kind != "GIF":
        assert np.array_equal(read_image(file)[..., ::-1], np.asarray(first))


def test_images_of_a_row_or_a_column_are_read_and_audited(lay: Lay) -> None:
    root = lay(numbered("A", "B"))
    for number, shape in enumerate([(1, 300, 3), (300, 1, 3), (1, 1, 3)]):
        pixels = np.random.default_rng(number).integers(0, 256, shape, np.uint8)
        cv2.imwrite(str(root / "A" / f"thin{number}.png"), pixels)
    dataset = load_folder(root)
    assert audit(dataset, jobs=1).images == 9
    assert preprocess_dataset(dataset, Preprocessing(), jobs=1).shape == (9, 50, 50, 1)


def broken_link(root: Path) -> None:
    (root / "A" / "gone.png").symlink_to(root / "nowhere.png")


def escaping_link(root: Path) -> None:
    outside = root.parent / "outside.png"
    outside.write_bytes(encoded("outside"))
    (root / "A" / "out.png").symlink_to(outside)


def linked_class(root: Path) -> None:
    other = root.parent / "other"
    other.mkdir()
    (other / "0.png").write_bytes(encoded("other"))
    (root / "C").symlink_to(other)


def folder_like_an_image(root: Path) -> None:
    (root / "A" / "x.jpg").mkdir()


def name_without_text(root: Path) -> None:
    name = os.fsdecode(os.fsencode(root / "A") + b"/caf\xe9.png")
    Path(name).write_bytes(encoded("x"))


def line_break(root: Path) -> None:
    (root / "A" / "two\nlines.png").write_bytes(encoded("x"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (broken_link, ["A/gone.png", "broken link"]),
        (escaping_link, ["A/out.png", "leads out of the folder"]),
        (linked_class, ["DIR/C", "link to a folder"]),
        (folder_like_an_image, ["A/x.jpg", "folder that is named like an image"]),
        (line_break, ["A/two\\nlines.png", "control character"]),
        (name_without_text, ["A/caf\\xe9.png", "no UTF-8"]),
    ],
)
def test_links_folders_and_names_are_refused_or_skipped(
    lay: Lay, spoil: Callable[[Path], None], words: list[str]
) -> None:
    root = lay(numbered("A", "B"))
    spoil(root)
    with pytest.raises(DataError) as caught:
        load_folder(root)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    str(caught.value).encode("utf-8")
    dataset = load_folder(root, skip_unreadable=True)
    assert len(dataset) == 6
    assert len(dataset.skipped) == 1


def test_a_link_inside_the_folder_is_followed(lay: Lay) -> None:
    root = lay(numbered("A", "B"))
    (root / "A" / "again.png").symlink_to(root / "A" / "0.png")
    assert load_folder(root).counts == {"A": 4, "B": 3}


def test_decoders_keep_quiet(lay: Lay, capfd: pytest.CaptureFixture[str]) -> None:
    root = lay(numbered("A", "B"))
    whole = encoded("x", ".jpg")
    (root / "A" / "junk.jpg").write_bytes(whole[:200] + b"\x00\x12" * 20 + whole[200:])
    whole = bytearray(encoded("x"))
    whole[300] ^= 255
    (root / "A" / "crc.png").write_bytes(whole)
    (root / "A" / "cut.tif").write_bytes(encoded("x", ".tif")[:500])
    (root / "A" / "cut.gif").write_bytes(b"GIF89a\x10\x00\x10\x00\x80\x00\x00")
    dataset = load_folder(root, skip_unreadable=True)
    assert len(dataset.skipped) >= 3
    assert capfd.readouterr() == ("", "")


def test_files_that_were_exchanged_are_seen(lay: Lay) -> None:
    root = lay(numbered("A", "B", images=2))
    first, second = root / "A" / "0.png", root / "B" / "0.png"
    size = max(first.stat().st_size, second.stat().st_size)
    for file in (first, second):  # equal sizes and times; PNG ignores what follows its end
        file.write_bytes(file.read_bytes().ljust(size, b"\0"))
        os.utime(file, ns=(10**18, 10**18))
    before = load_folder(root)
    first.rename(root / "away")
    second.rename(first)
    (root / "away").rename(second)
    after = load_folder(root)
    assert after.records[0].sha256 == before.records[2].sha256
    assert after.fingerprint != before.fingerprint


def test_a_file_overwritten_with_its_time_set_back_is_seen(lay: Lay) -> None:
    root = lay(numbered("A", "B", images=2))
    file = root / "A" / "0.png"
    times, size = file.stat().st_mtime_ns, file.stat().st_size
    before = load_folder(root)
    file.write_bytes(encoded("another").ljust(size, b"\0")[: max(size, len(encoded("another")))])
    os.utime(file, ns=(times, times))
    assert load_folder(root).fingerprint != before.fingerprint
