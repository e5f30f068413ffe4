"""Known datasets are recognised by counts, names and hashes: file lists alone, no image of theirs."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from leukbench.cli.app import run_command_line
from leukbench.data.catalog import CATALOG, get_entry, recognise, recognise_names
from leukbench.data.folder import load_folder
from leukbench.data.splits import make_split
from leukbench.data.task import benign_class
from leukbench.errors import DataError
from leukbench.protocol import Split
from tests.data.strangers.conftest import Lay

CNMC = [
    f"C-NMC_Leukemia/training_data/fold_{fold}/{label}/UID_{who}_{image}_1_{label}.bmp"
    for fold in range(3)
    for label, patients in (("all", (f"{fold + 1}", f"{fold + 11}")), ("hem", (f"H{fold + 1}",)))
    for who in patients
    for image in range(1, 4)
]
LISTS = {
    "c-nmc-2019": CNMC,
    "all-idb1": [f"im/Im{number:03d}_{number % 2}.jpg" for number in range(1, 9)],
    "all-idb2": [f"img/Im{number:03d}_{number % 2}.tif" for number in range(1, 9)],
    "pbc-barcelona": [
        "basophil/BA_100102.jpg", "eosinophil/EO_1007.jpg", "neutrophil/SNE_1.jpg",
        "ig/MMY_10.jpg", "platelet/PLATELET_9.jpg",
    ],
    "raabin-wbc": ["Train/Basophil/20190526_162951_0.jpg", "Test-A/Monocyte/20190601_100000_2.jpg"],
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_a_file_list_is_recognised_by_its_names(name: str) -> None:
    entry = recognise_names(LISTS[name])
    assert entry is get_entry(name)
    assert recognise_names([*LISTS[name], "other/photo.jpg"]) is None
    assert entry.licence
    assert entry.citation
    assert entry.by_hand


def test_patterns_of_names_exclude_each_other() -> None:
    for name, images in LISTS.items():
        fitting = {e.name for e in CATALOG if e.names and re.search(e.names, images[0])}
        assert fitting == {name}


def test_original_and_segmented_are_told_apart_by_a_hash() -> None:
    counts = get_entry("all-pbs").counts
    segmented = get_entry("all-pbs-segmented")
    assert recognise(counts) is get_entry("all-pbs")
    assert recognise(counts, first_sha256=segmented.first_sha256) is segmented


def test_patients_of_cnmc_come_from_its_names(lay: Lay) -> None:
    dataset = load_folder(lay(CNMC))
    assert dataset.catalog == "c-nmc-2019"
    assert set(dataset.groups) == {f"UID_{k}" for k in (1, 2, 3, 11, 12, 13, "H1", "H2", "H3")}
    assert benign_class(dataset) == "hem"
    assert "The patients come from the names of the files." in dataset.notes
    assert sorted(make_split(dataset, Split(policy="given"))["fold"].unique()) == [0, 1, 2]


def test_classes_of_all_idb_come_from_its_names(lay: Lay) -> None:
    dataset = load_folder(lay(LISTS["all-idb1"]))
    assert dataset.catalog == "all-idb1"
    assert dataset.counts == {"ALL": 4, "healthy": 4}
    assert benign_class(dataset) == "healthy"
    assert "The classes come from the names of the files." in dataset.notes


def medmnist(file: Path, classes: int = 8) -> Path:
    rng = np.random.default_rng(0)
    arrays = {}
    for part, each in (("train", 4), ("val", 2), ("test", 3)):
        labels = np.repeat(np.arange(classes, dtype=np.uint8), each)
        arrays[f"{part}_images"] = rng.integers(0, 256, (len(labels), 28, 28, 3), np.uint8)
        arrays[f"{part}_labels"] = labels[:, None]
    np.savez(file, **arrays)
    return file


def test_the_arrays_of_medmnist_keep_their_split(tmp_path: Path, own_cache: Path) -> None:
    file = medmnist(tmp_path / "bloodmnist.npz")
    dataset = load_folder(file)
    assert dataset.name == "bloodmnist"
    assert set(dataset.classes) == set(get_entry("bloodmnist").counts)
    split = make_split(dataset, Split(policy="given"))
    assert split["part"].value_counts().to_dict() == {"train": 32, "validation": 16, "test": 24}
    first = dataset.absolute(0)
    with np.load(file) as arrays:
        index = int(first.stem)
        assert np.array_equal(cv2.imread(str(first))[..., ::-1], arrays["test_images"][index])
    assert load_folder(file).fingerprint == dataset.fingerprint


def test_other_arrays_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros(3))
    with pytest.raises(DataError, match="as MedMNIST stores them"):
        load_folder(tmp_path / "x.npz")
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    assert run_command_line(["data", "info", str(tmp_path / "broken.npz")]) == 3
    assert "as MedMNIST stores them" in capsys.readouterr().err


@pytest.mark.realdata
def test_the_real_folders_are_told_apart(all_pbs: Path) -> None:
    assert load_folder(all_pbs / "Segmented").catalog == "all-pbs-segmented"
    both = load_folder(all_pbs)
    assert both.catalog == "all-pbs"
    assert any("3256 images outside Original" in note for note in both.notes)
