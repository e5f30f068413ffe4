"""The embedded dataset: what it promises to be known is true of its pixels."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from leukbench.data.preprocess import read_image
from leukbench.data.synthetic import (
    CLASSES,
    CopyPlan,
    Smear,
    SyntheticConfig,
    load_truth,
    plan,
    render_image,
    render_item,
    synthesize,
    write_dataset,
)
from leukbench.data.synthetic.patients import APPEARANCES, draw_patient
from leukbench.data.synthetic.scene import draw_scene
from leukbench.errors import DataError, UsageError

ALL_COPIES = CopyPlan(
    exact=2, rotated=3, mirrored=4, recompressed=2, cropped=3, overlapping=4, conflict=2
)
SMALL = SyntheticConfig(images_per_class=6, patients_per_class=3, size=64, copies=ALL_COPIES)


def rendered(config: SyntheticConfig) -> dict[str, Smear]:
    return {item.path: render_item(config, item) for item in plan(config)[0]}


@pytest.fixture(scope="module")
def copies() -> dict[str, Smear]:
    return rendered(SyntheticConfig(images_per_class=6, patients_per_class=3, copies=ALL_COPIES))


class TestPixels:
    def test_the_same_seed_gives_the_same_bytes_here_and_anywhere(self) -> None:
        digest = hashlib.sha256()
        for image in synthesize(SMALL).images:
            digest.update(image.tobytes())
        # Whoever changes this raises RENDERER, so that old folders are not taken up again.
        assert (
            digest.hexdigest() == "1b515567c66194dc26fe6e10d8603967294b67b1f77f37d0d06aeff1b300b410"
        )

    def test_an_image_does_not_depend_on_what_else_is_rendered(self) -> None:
        alone = render_image(SMALL, "Pre", 2, 1)
        for patient in range(3):
            render_image(SMALL, "Pro", patient, 0)
        np.testing.assert_array_equal(alone.image, render_image(SMALL, "Pre", 2, 1).image)

    def test_more_images_leave_the_others_as_they_are(self) -> None:
        few, many = (rendered(SyntheticConfig(n, 2, 64)) for n in (2, 4))
        assert set(few) < set(many)
        for path, smear in few.items():
            np.testing.assert_array_equal(smear.image, many[path].image)

    def test_seeds_classes_patients_and_images_differ(self) -> None:
        keys = [("Pre", 0, 0), ("Pre", 0, 1), ("Pre", 1, 0), ("Pro", 0, 0)]
        images = [render_image(SMALL, *key).image.tobytes() for key in keys]
        images.append(render_image(SyntheticConfig(size=64, seed=1), *keys[0]).image.tobytes())
        assert len(set(images)) == 5

    @pytest.mark.parametrize("size", [32, 50, 224])
    def test_shape_and_type(self, size: int) -> None:
        image, mask = render_image(SyntheticConfig(size=size), "Early", 0, 0)
        assert (image.shape, image.dtype) == ((size, size, 3), np.uint8)
        assert (mask.shape, mask.dtype) == ((size, size), np.bool_)
        assert image.std() > 10

    @pytest.mark.parametrize("label", CLASSES)
    def test_the_mask_is_where_the_leukocytes_are(self, label: str) -> None:
        """Thresholding what is blue or purple finds the very pixels of the mask."""
        config = SyntheticConfig(patient_effect=0)
        for image in range(3):
            smear = render_image(config, label, 0, image)
            hsv = cv2.cvtColor(cv2.medianBlur(smear.image, 5), cv2.COLOR_RGB2HSV)
            blue = (hsv[..., 0] > 95) & (hsv[..., 0] < 160) & (hsv[..., 1] > 35)
            large = ndimage.binary_opening(blue, iterations=5)
            whole = ndimage.binary_dilation(smear.mask, iterations=2)
            common = np.count_nonzero(large & whole)
            assert common / np.count_nonzero(large) > 0.97
            # Only the pink cytoplasm of a neutrophil may be missing.
            assert common / np.count_nonzero(smear.mask) > 0.70

    def test_every_image_shows_leukocytes_and_background(self) -> None:
        shares = [render_image(SMALL, label, p, 0).mask.mean() for label in CLASSES for p in (0, 1)]
        assert min(shares) > 0.02
        assert max(shares) < 0.4

    def test_cells_grow_from_haematogone_to_blast(self) -> None:
        config = SyntheticConfig(size=112)
        area = {}
        for label in CLASSES:
            masks = [render_image(config, label, p, i).mask for p in range(8) for i in range(2)]
            area[label] = np.median([s for mask in masks for s in _areas(mask)])
        assert area["Benign"] < area["Early"] < area["Pre"] < area["Pro"]


class TestPlan:
    def test_the_default_is_sixty_images_of_eight_patients_in_each_class(self) -> None:
        made = synthesize(SyntheticConfig())
        for label in CLASSES:
            own = made.labels == label
            assert np.count_nonzero(own) == 60
            assert len(set(made.patients[own])) == 8
        assert len(set(made.patients)) == 32
        assert len(set(made.paths)) == 240

    def test_counts_may_differ_between_classes(self) -> None:
        made = synthesize(SyntheticConfig(images_per_class=(3, 0, 2, 1), size=32))
        assert [int((made.labels == label).sum()) for label in CLASSES] == [3, 0, 2, 1]
        assert len(list(made.images)) == 6

    def test_every_copied_image_has_one_copy(self) -> None:
        items, pairs = plan(SMALL)
        touched = [path for pair in pairs for path in (pair.first, pair.second)]
        assert len(touched) == len(set(touched)) == 2 * 20
        assert set(touched) <= {item.path for item in items}
        assert len(items) == 24 + 16 + 2 * 4

    @pytest.mark.parametrize(
        "values",
        [
            {"size": 8},
            {"patients_per_class": 0},
            {"images_per_class": 0},
            {"images_per_class": (1, 2)},
            {"images_per_class": (1, 1, 1, -1)},
            {"seed": -1},
            {"patient_effect": float("nan")},
        ],
    )
    def test_impossible_values_are_refused_by_name(self, values: dict[str, float]) -> None:
        with pytest.raises(UsageError, match=next(iter(values))):
            SyntheticConfig(**values)  # type: ignore[arg-type]

    def test_more_copies_than_images_are_refused(self) -> None:
        with pytest.raises(UsageError, match="fewer"):
            plan(SyntheticConfig(images_per_class=1, copies=CopyPlan(exact=5)))
        with pytest.raises(UsageError, match="rotated"):
            CopyPlan(rotated=-1)


class TestCopies:
    """On 224 pixels, where noise and cells are as in the default dataset."""

    @staticmethod
    def pairs(kind: str) -> list[tuple[str, str, tuple[int, int] | None, str]]:
        config = SyntheticConfig(images_per_class=6, patients_per_class=3, copies=ALL_COPIES)
        found = [pair for pair in plan(config)[1] if pair.kind == kind]
        assert len(found) == ALL_COPIES.count(kind)  # type: ignore[arg-type]
        return [(pair.first, pair.second, pair.shift, pair.detail) for pair in found]

    def test_exact_copies_are_identical_under_one_label(self, copies: dict[str, Smear]) -> None:
        for first, second, _, _ in self.pairs("exact"):
            np.testing.assert_array_equal(copies[first].image, copies[second].image)
            assert first.split("/")[0] == second.split("/")[0]

    def test_conflicts_are_identical_under_two_labels(self, copies: dict[str, Smear]) -> None:
        for first, second, _, _ in self.pairs("conflict"):
            np.testing.assert_array_equal(copies[first].image, copies[second].image)
            assert first.split("/")[0] != second.split("/")[0]

    def test_rotated_copies_turn_back_into_the_original(self, copies: dict[str, Smear]) -> None:
        for first, second, _, detail in self.pairs("rotated"):
            turns = int(detail.removeprefix("turned ")) // 90
            assert turns in (1, 2, 3)
            for a, b in zip(copies[first], copies[second], strict=True):
                np.testing.assert_array_equal(a, np.rot90(b, -turns))

    def test_mirrored_copies_turn_back_into_the_original(self, copies: dict[str, Smear]) -> None:
        for first, second, _, detail in self.pairs("mirrored"):
            turns = int(detail.removeprefix("mirrored "))
            for a, b in zip(copies[first], copies[second], strict=True):
                np.testing.assert_array_equal(a, np.rot90(b, -turns)[:, ::-1])

    def test_recompressed_copies_are_close_and_not_equal(self, copies: dict[str, Smear]) -> None:
        for first, second, _, _ in self.pairs("recompressed"):
            assert (copies[first].image != copies[second].image).any()
            assert _correlation(copies[first].image, copies[second].image) > 0.98

    def test_cropped_copies_show_the_named_part(self, copies: dict[str, Smear]) -> None:
        for first, second, shift, detail in self.pairs("cropped"):
            assert shift is not None
            kept = int(detail.split()[1])
            assert 0.90 < kept / 224 < 0.975
            window = (slice(shift[1], shift[1] + kept), slice(shift[0], shift[0] + kept))
            back = cv2.resize(copies[second].image, (kept, kept), interpolation=cv2.INTER_AREA)
            assert _correlation(copies[first].image[window], back) > 0.99

    def test_overlapping_fields_agree_at_the_known_shift_only(
        self, copies: dict[str, Smear]
    ) -> None:
        for first, second, shift, _ in self.pairs("overlapping"):
            assert shift is not None
            assert 22 <= max(map(abs, shift)) <= 101
            a, b = _common(copies[first].image, copies[second].image, shift)
            assert _correlation(a, b) > 0.95
            assert (a != b).any()
            mask_a, mask_b = _common(copies[first].mask, copies[second].mask, shift)
            np.testing.assert_array_equal(mask_a, mask_b)
            wrong = (shift[0] + 12, shift[1] + 12)
            assert _correlation(*_common(copies[first].image, copies[second].image, wrong)) < 0.7

    def test_no_copy_changes_hands(self) -> None:
        items = {item.path: item.group for item in plan(SMALL)[0]}
        for pair in plan(SMALL)[1]:
            assert items[pair.first] == items[pair.second]


class TestFolder:
    def test_files_are_the_rendered_pixels_and_the_truth_comes_back(self, tmp_path: Path) -> None:
        written = write_dataset(tmp_path / "set", SMALL)
        assert load_truth(tmp_path / "set") == written
        assert written.config == SMALL
        made = synthesize(SMALL)
        assert written.groups == dict(zip(made.paths, made.patients, strict=True))
        for path, image in zip(made.paths, made.images, strict=True):
            np.testing.assert_array_equal(read_image(tmp_path / "set" / path)[..., ::-1], image)
        names = {p.relative_to(tmp_path / "set").as_posix() for p in tmp_path.rglob("*.png")}
        assert names == set(made.paths)

    def test_an_interrupted_call_is_taken_up_again(self, tmp_path: Path) -> None:
        write_dataset(tmp_path, SMALL)
        before = {p: p.read_bytes() for p in tmp_path.rglob("*.png")}
        lost, kept = sorted(before)[:2]
        lost.unlink()
        stamp = kept.stat().st_mtime_ns
        write_dataset(tmp_path, SMALL)
        assert {p: p.read_bytes() for p in tmp_path.rglob("*.png")} == before
        assert kept.stat().st_mtime_ns == stamp

    def test_a_kill_while_writing_leaves_no_half_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(self: Path, data: bytes) -> int:
            with self.open("wb") as file:
                file.write(data[:10])
            raise OSError(28, "No space left on device", str(self))

        write_dataset(tmp_path, SyntheticConfig(1, 1, 32))
        target = tmp_path / "Pro" / "p004-000.png"
        target.unlink()
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(DataError, match="No space left"):
            write_dataset(tmp_path, SyntheticConfig(1, 1, 32))
        assert [p.name for p in target.parent.iterdir()] == []

    def test_several_processes_write_the_same_files(self, tmp_path: Path) -> None:
        config = SyntheticConfig(images_per_class=2, size=32)
        for jobs in (1, 2):
            write_dataset(tmp_path / str(jobs), config, jobs=jobs)
        for path in (tmp_path / "1").rglob("*.png"):
            twin = tmp_path / "2" / path.relative_to(tmp_path / "1")
            assert twin.read_bytes() == path.read_bytes()

    def test_masks_go_to_a_hidden_folder_on_request(self, tmp_path: Path) -> None:
        config = SyntheticConfig(images_per_class=1, size=64)
        write_dataset(tmp_path, config)
        assert not (tmp_path / ".masks").exists()
        write_dataset(tmp_path, config, masks=True)
        stored = read_image(tmp_path / ".masks" / "Pro" / "p025-000.png")[..., 0] > 0
        np.testing.assert_array_equal(stored, render_image(config, "Pro", 0, 0).mask)

    def test_foreign_folders_are_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(DataError, match="other files"):
            write_dataset(tmp_path, SMALL)
        assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]

    def test_another_configuration_is_refused(self, tmp_path: Path) -> None:
        write_dataset(tmp_path, SyntheticConfig(1, 1, 32))
        with pytest.raises(DataError, match="another configuration"):
            write_dataset(tmp_path, SyntheticConfig(1, 1, 32, seed=1))

    def test_a_folder_of_another_renderer_is_read_and_not_mixed(self, tmp_path: Path) -> None:
        config = SyntheticConfig(1, 1, 32)
        truth = write_dataset(tmp_path, config)
        file = tmp_path / "leukbench-synthetic.json"
        own = f'"renderer": {config.renderer}'
        file.write_text(file.read_text().replace(own, '"renderer": 0'))
        assert load_truth(tmp_path).groups == truth.groups
        with pytest.raises(DataError, match="renderer"):
            write_dataset(tmp_path, config)
        with pytest.raises(DataError, match="renderer 0"):
            write_dataset(tmp_path, load_truth(tmp_path).config)

    def test_a_folder_without_truth_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="holds no synthetic dataset"):
            load_truth(tmp_path)
        (tmp_path / "leukbench-synthetic.json").write_text('{"pairs": [')
        with pytest.raises(DataError, match="cannot be read"):
            load_truth(tmp_path)


def test_a_scene_of_any_shape_holds_its_cells() -> None:
    who = draw_patient(SMALL, "Pro", 0)
    look = APPEARANCES["overlapping"]
    scene = draw_scene(np.random.default_rng(0), who, look, "Pro", 150, 90, 2.0)
    assert scene.stain.shape == (3, 90, 150)
    assert scene.stain.min() >= 0
    assert scene.cover.min() == 0
    assert scene.cover.max() == 1


def _areas(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Areas of the cells that do not touch the border."""
    regions, _ = ndimage.label(mask)
    edge = np.unique(np.r_[regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    areas = np.bincount(regions.ravel())
    areas[edge] = 0
    areas[0] = 0
    return areas[areas > 0]


def _common(
    first: NDArray[np.uint8], second: NDArray[np.uint8], shift: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The part that both show, if the second shows at 0 what the first shows at `shift`."""
    height, width = first.shape[:2]
    dx, dy = shift
    left, top = max(dx, 0), max(dy, 0)
    right, bottom = min(width + dx, width), min(height + dy, height)
    return (
        first[top:bottom, left:right],
        second[top - dy : bottom - dy, left - dx : right - dx],
    )


def _correlation(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
