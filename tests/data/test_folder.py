"""Any folder of classes is read; what cannot be used is refused in one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from leukbench.data.catalog import CATALOG, recognise
from leukbench.data.folder import load_folder
from leukbench.errors import DataError

MakeFolder = Callable[..., Path]


def test_mixed_formats_sizes_and_names(make_folder: MakeFolder) -> None:
    root = make_folder(
        classes=("b cells", "ÄÖ", "x<y>"),
        suffixes=(".png", ".jpg", ".bmp", ".tif"),
        sizes=((30, 41), (64, 48), (50, 50)),
    )
    dataset = load_folder(root)
    assert dataset.counts == {"b cells": 12, "x<y>": 12, "ÄÖ": 12}
    assert list(dataset.paths) == sorted(dataset.paths)
    assert dataset.catalog is None
    assert dataset.name == "smears"


def test_grey_alpha_and_sixteen_bit_images_are_read(make_folder: MakeFolder) -> None:
    root = make_folder(images=3)
    ramp = np.linspace(0, 255, 40 * 40).reshape(40, 40)
    cv2.imwrite(str(root / "Pro" / "grey.png"), ramp.astype(np.uint8))
    cv2.imwrite(str(root / "Pro" / "alpha.png"), np.dstack([ramp] * 4).astype(np.uint8))
    cv2.imwrite(str(root / "Pro" / "deep.tif"), (ramp * 257).astype(np.uint16))
    assert load_folder(root).counts["Pro"] == 6


def test_fingerprint_follows_content_and_label_not_place(
    make_folder: MakeFolder, tmp_path: Path
) -> None:
    root = make_folder()
    first = load_folder(root).fingerprint
    moved = shutil.copytree(root, tmp_path / "elsewhere")
    assert load_folder(moved).fingerprint == first
    file = next((moved / "Benign").iterdir())
    file.rename(moved / "Early" / "moved.png")
    assert load_folder(moved).fingerprint != first


def test_a_changed_file_is_read_again(make_folder: MakeFolder) -> None:
    root = make_folder()
    before = load_folder(root)
    cv2.imwrite(str(root / before.paths[0]), np.full((77, 33, 3), 9, np.uint8))
    assert load_folder(root).fingerprint != before.fingerprint


def test_groups_file_gives_patients(make_folder: MakeFolder) -> None:
    root = make_folder(images=2)
    paths = load_folder(root).paths
    rows = ["image,group", *(f"{path},P{number // 2}" for number, path in enumerate(paths))]
    (root / "groups.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    dataset = load_folder(root)
    assert dataset.has_groups
    assert dataset.groups.tolist() == ["P0", "P0", "P1", "P1", "P2", "P2"]


class TestRefusals:
    def check(self, path: Path, *parts: str) -> None:
        with pytest.raises(DataError) as caught:
            load_folder(path)
        for part in parts:
            assert part in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 3

    def test_missing_folder(self, tmp_path: Path) -> None:
        self.check(tmp_path / "none", "`data=", "does not exist")

    def test_file(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text("x", encoding="utf-8")
        self.check(tmp_path / "f", "is a file")

    def test_empty_folder(self, tmp_path: Path) -> None:
        self.check(tmp_path, "holds no images")

    def test_one_class(self, make_folder: MakeFolder) -> None:
        self.check(make_folder(classes=("Benign",)), "one class (Benign)")

    def test_class_of_one_image(self, make_folder: MakeFolder) -> None:
        root = make_folder()
        for file in sorted((root / "Pro").iterdir())[1:]:
            file.unlink()
        self.check(root, "class Pro", "one image")


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_cut_off_and_unreadable_images_are_named_counted_and_skipped(
    make_folder: MakeFolder, suffix: str
) -> None:
    root = make_folder(suffixes=(suffix,))
    files = sorted((root / "Early").iterdir())
    files[0].write_bytes(files[0].read_bytes()[:-200])
    files[1].write_bytes(b"this is no image")
    files[2].write_bytes(b"")
    with pytest.raises(DataError) as caught:
        load_folder(root)
    assert files[0].name in str(caught.value)
    assert "3 unreadable images in all" in str(caught.value)
    dataset = load_folder(root, skip_unreadable=True)
    assert len(dataset) == 33
    assert [Path(image.path).name for image in dataset.skipped] == [f.name for f in files[:3]]
    assert all(image.reason for image in dataset.skipped)


def test_known_datasets_are_told_apart_by_their_counts() -> None:
    sizes = {entry.name: entry.images for entry in CATALOG if entry.counts}
    assert sizes == {
        "all-pbs": 3256,
        "all-pbs-segmented": 3256,
        "all-pbs-3242": 3242,
        "bloodmnist": 17092,
        "pbc-barcelona": 17092,
    }
    for entry in CATALOG:
        if entry.counts:
            assert recognise(entry.counts, first_sha256=entry.first_sha256) is entry
    assert recognise({"Benign": 504, "Early": 985, "Pre": 963, "Pro": 803}) is None


@pytest.mark.realdata
def test_the_real_dataset_is_recognised_from_above_and_within(all_pbs: Path) -> None:
    above, within = load_folder(all_pbs), load_folder(all_pbs / "Original")
    assert above.catalog == within.catalog == "all-pbs"
    assert above.fingerprint == within.fingerprint
    assert above.counts == {"Benign": 504, "Early": 985, "Pre": 963, "Pro": 804}


def test_a_damaged_index_costs_time_only(make_folder: MakeFolder, own_cache: Path) -> None:
    root = make_folder()
    first = load_folder(root)
    for index in (own_cache / "index").glob("*.jsonl"):
        index.write_text("{broken", encoding="utf-8")
    assert load_folder(root).fingerprint == first.fingerprint
    assert all(
        json.loads(line)
        for p in (own_cache / "index").glob("*.jsonl")
        if p.stat().st_size > 8
        for line in p.read_text("utf-8").splitlines()
    )
