"""Leukocyte masks, measured against smears whose masks are known exactly."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from leukbench.data.preprocess import read_image
from leukbench.data.segment import crop_largest_cell, dice, leukocyte_mask
from leukbench.data.synthetic import CLASSES, Smear, SyntheticConfig, render_image
from leukbench.errors import UsageError


@pytest.fixture(scope="module")
def smears() -> list[Smear]:
    config = SyntheticConfig()
    return [render_image(config, label, patient, 0) for label in CLASSES for patient in range(8)]


def _bgr(smear: Smear) -> NDArray[np.uint8]:
    return np.ascontiguousarray(smear.image[..., ::-1])


def test_hsv_finds_the_known_masks(smears: list[Smear]) -> None:
    found = [dice(leukocyte_mask(_bgr(smear), "hsv"), smear.mask) for smear in smears]
    assert np.mean(found) > 0.95
    assert np.min(found) > 0.85


def test_the_published_procedure_depends_on_the_stain(smears: list[Smear]) -> None:
    found = [dice(leukocyte_mask(_bgr(smear), "aria2021"), smear.mask) for smear in smears]
    assert 0.3 < np.mean(found) < 0.7
    assert np.max(found) > 0.9
    assert np.min(found) < 0.3


@pytest.mark.parametrize(
    ("rgb", "kept"),
    [
        ((70, 60, 180), True),  # blue-violet, 245 degrees
        ((107, 60, 180), True),  # violet, 263 degrees
        ((150, 60, 180), False),  # purple, 285 degrees
        ((60, 60, 180), False),  # blue, 240 degrees
        ((180, 60, 70), False),  # red: orange thresholds would keep it, were the channels right
        ((165, 162, 180), False),  # too pale
        ((12, 10, 40), False),  # too dark
    ],
)
def test_the_published_procedure_keeps_blue_violet(rgb: tuple[int, int, int], kept: bool) -> None:
    pixel = np.array([[rgb[::-1]]], dtype=np.uint8)
    assert bool(leukocyte_mask(pixel, "aria2021")[0, 0]) is kept


@pytest.mark.parametrize("method", ["hsv", "aria2021"])
def test_an_empty_field_has_no_leukocyte(method: str) -> None:
    blank = np.full((50, 60, 3), 235, dtype=np.uint8)
    mask = leukocyte_mask(blank, method)  # type: ignore[arg-type]
    assert mask.shape == (50, 60)
    assert mask.dtype == np.bool_
    assert not mask.any()


def test_another_method_is_refused() -> None:
    with pytest.raises(UsageError, match="hsv or aria2021"):
        leukocyte_mask(np.zeros((4, 4, 3), np.uint8), "otsu")  # type: ignore[arg-type]


def test_dice_is_the_f1_score_of_pixels() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 30, 40)) < 0.4
    assert dice(first, second) == pytest.approx(f1_score(first.ravel(), second.ravel()))
    assert dice(first, ~first) == 0
    assert dice(first & False, second & False) == 1


def _discs(*discs: tuple[int, int, int]) -> NDArray[np.bool_]:
    canvas = np.zeros((100, 120), dtype=np.uint8)
    for x, y, radius in discs:
        cv2.circle(canvas, (x, y), radius, 1, -1)
    return canvas > 0


class TestCrop:
    index = np.dstack(np.mgrid[:100, :120]).astype(np.uint8)

    def test_the_largest_cell_fills_the_square(self) -> None:
        crop = crop_largest_cell(self.index, _discs((30, 30, 10), (80, 60, 20)))
        assert crop.shape[0] == crop.shape[1]
        assert 41 * 1.2 <= crop.shape[0] <= 41 * 1.2 + 2
        np.testing.assert_allclose(crop.mean(axis=(0, 1)), (60, 80), atol=1)

    def test_touching_cells_are_parted(self) -> None:
        crop = crop_largest_cell(self.index, _discs((30, 50, 20), (66, 50, 18)))
        assert crop.shape[0] < 60
        np.testing.assert_allclose(crop.mean(axis=(0, 1)), (50, 30), atol=4)

    def test_at_the_border_the_square_stays_inside(self) -> None:
        crop = crop_largest_cell(self.index, _discs((0, 0, 25)))
        assert crop.shape[0] == crop.shape[1]
        assert crop[0, 0].tolist() == [0, 0]

    def test_a_cell_wider_than_the_image_gives_the_image(self) -> None:
        assert crop_largest_cell(self.index, np.ones((100, 120), bool)).shape == (100, 120, 2)

    def test_without_a_cell_the_image_comes_back(self) -> None:
        crop = crop_largest_cell(self.index, np.zeros((100, 120), bool))
        np.testing.assert_array_equal(crop, self.index)
        assert crop is not self.index

    def test_a_mask_of_another_size_is_refused(self) -> None:
        with pytest.raises(ValueError, match="one size"):
            crop_largest_cell(self.index, np.ones((10, 10), bool))

    def test_the_crop_of_a_smear_is_mostly_cell(self, smears: list[Smear]) -> None:
        shares = []
        for smear in smears:
            both = np.dstack([_bgr(smear), smear.mask.astype(np.uint8)])
            crop = crop_largest_cell(both, leukocyte_mask(both[..., :3].copy()))
            shares.append(crop[..., 3].mean())
        assert np.median(shares) > 0.45


@pytest.mark.realdata
def test_real_smears_have_leukocytes_that_cover_a_small_part(all_pbs: Path) -> None:
    for label in CLASSES:
        files = sorted((all_pbs / "Original" / label).iterdir())[::100]
        shares = [leukocyte_mask(read_image(file)).mean() for file in files]
        assert 0.01 < np.median(shares) < 0.4
