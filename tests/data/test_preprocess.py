"""The preprocessing stage is the plain OpenCV sequence, byte for byte, and is run once."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from leukbench.data import preprocess
from leukbench.data.dataset import Dataset
from leukbench.data.folder import load_folder
from leukbench.data.preprocess import preprocess_dataset, preprocessed_file
from leukbench.errors import DataError
from leukbench.protocol import Preprocessing

MakeFolder = Callable[..., Path]


def plain(path: Path, settings: Preprocessing) -> np.ndarray:
    image = cv2.imread(str(path))
    code = cv2.COLOR_BGR2GRAY if settings.colour == "grey" else cv2.COLOR_BGR2RGB
    image = cv2.cvtColor(image, code)
    if settings.median_kernel > 1:
        image = cv2.medianBlur(image, settings.median_kernel)
    image = cv2.resize(image, (settings.size, settings.size))
    return image.reshape(settings.size, settings.size, -1)


def check(dataset: Dataset, settings: Preprocessing) -> None:
    found = preprocess_dataset(dataset, settings)
    assert found.dtype == np.uint8
    assert found.shape == (len(dataset), settings.size, settings.size, settings.channels)
    for index in range(len(dataset)):
        np.testing.assert_array_equal(found[index], plain(dataset.absolute(index), settings))


@pytest.mark.parametrize(
    "settings",
    [
        Preprocessing(),
        Preprocessing(size=64, colour="rgb", median_kernel=0),
        Preprocessing(size=33, colour="rgb", median_kernel=3),
    ],
)
def test_equal_to_plain_opencv(make_folder: MakeFolder, settings: Preprocessing) -> None:
    root = make_folder(suffixes=(".png", ".jpg", ".bmp", ".tif"), sizes=((30, 41), (64, 48)))
    check(load_folder(root), settings)


@pytest.mark.realdata
def test_equal_to_plain_opencv_on_the_real_images(all_pbs: Path) -> None:
    check(load_folder(all_pbs), Preprocessing())


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system reserves no space")
def test_a_full_disk_is_told_before_anything_is_written(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted = []

    def full(descriptor: int, offset: int, length: int) -> None:
        wanted.append(length)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("LEUKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(os, "posix_fallocate", full)
    dataset = load_folder(make_folder())
    with pytest.raises(DataError, match=r"No space left on device.*LEUKBENCH_CACHE"):
        preprocess_dataset(dataset, Preprocessing())
    assert wanted == [len(dataset) * 50 * 50 + 128]  # with the header of the array's file
    assert not list(preprocessed_file(dataset, Preprocessing()).parent.iterdir())


def test_run_once_then_memory_mapped(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = load_folder(make_folder())
    first = np.array(preprocess_dataset(dataset, Preprocessing()))

    def refuse(*arguments: object) -> None:
        raise AssertionError("the images were preprocessed again")

    monkeypatch.setattr(preprocess, "preprocess_image", refuse)
    again = preprocess_dataset(dataset, Preprocessing())
    assert isinstance(again, np.memmap)
    assert not again.flags.writeable
    np.testing.assert_array_equal(first, again)


def test_settings_and_images_have_files_of_their_own(make_folder: MakeFolder) -> None:
    one, two = load_folder(make_folder("one")), load_folder(make_folder("two", images=5))
    files = {
        preprocessed_file(dataset, settings)
        for dataset in (one, two)
        for settings in (Preprocessing(), Preprocessing(size=51), Preprocessing(median_kernel=3))
    }
    assert len(files) == 6


def test_names_that_opencv_cannot_open_are_read_by_python(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEUKBENCH_CACHE", str(tmp_path / "empty"))
    dataset = load_folder(make_folder())
    expected = [plain(dataset.absolute(i), Preprocessing()) for i in range(len(dataset))]
    monkeypatch.setattr(preprocess.cv2, "imread", lambda *arguments: None)
    np.testing.assert_array_equal(preprocess_dataset(dataset, Preprocessing()), expected)


def test_a_file_that_went_away_is_named(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEUKBENCH_CACHE", str(tmp_path / "empty"))
    dataset = load_folder(make_folder())
    gone = dataset.absolute(1)
    gone.unlink()
    with pytest.raises(DataError, match=gone.name):
        preprocess_dataset(dataset, Preprocessing())


class TestReadingOverThePreviousImage:
    """The memory is used again; no file may end up with what another file left there."""

    @pytest.fixture
    def previous(self) -> np.ndarray:
        return np.full((20, 30, 3), 99, dtype=np.uint8)

    @staticmethod
    def written(path: Path, image: np.ndarray) -> Path:
        assert cv2.imwrite(str(path), image)
        return path

    def test_same_shape_uses_the_memory(self, tmp_path: Path, previous: np.ndarray) -> None:
        image = np.random.default_rng(0).integers(2, 255, (20, 30, 3), dtype=np.uint8)
        found = preprocess._read_over(self.written(tmp_path / "a.png", image), previous)
        assert found is previous
        np.testing.assert_array_equal(found, image)

    @pytest.mark.parametrize(
        "image",
        [
            np.full((20, 30, 3), preprocess._MARK, dtype=np.uint8),
            np.full((30, 20, 3), 5, dtype=np.uint8),
            np.full((20, 30), 5, dtype=np.uint8),
            np.full((20, 30), 5 << 8, dtype=np.uint16),
            np.full((20, 30, 4), 5, dtype=np.uint8),
        ],
        ids=["the marks", "turned", "grey", "16 bits", "alpha"],
    )
    def test_as_read_afresh(self, tmp_path: Path, previous: np.ndarray, image: np.ndarray) -> None:
        path = self.written(tmp_path / "a.png", image)
        np.testing.assert_array_equal(
            preprocess._read_over(path, previous), preprocess.read_image(path)
        )

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
    @pytest.mark.parametrize("kept", [0, 10, 300])
    def test_a_broken_file_is_named(
        self, tmp_path: Path, previous: np.ndarray, suffix: str, kept: int
    ) -> None:
        image = np.random.default_rng(0).integers(2, 255, (20, 30, 3), dtype=np.uint8)
        path = self.written(tmp_path / f"a{suffix}", image)
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(DataError, match=path.name):
            preprocess._read_over(path, previous)
