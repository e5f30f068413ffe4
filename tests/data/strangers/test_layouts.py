"""Classes, parts and folds are understood as the folders say, or refused in one sentence."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from leukbench.data.dataset import Dataset
from leukbench.data.folder import load_folder
from leukbench.data.splits import make_split
from leukbench.errors import DataError
from leukbench.protocol import Split
from tests.data.strangers.conftest import Lay, numbered


def parts(dataset: Dataset) -> dict[str, int]:
    return dict(Counter(record.part for record in dataset.records))


def refused(folder: Path, *words: str) -> None:
    with pytest.raises(DataError) as caught:
        load_folder(folder)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("TRAIN", "VALID", "TEST"),
        ("Training", "Validation", "Testing"),
        ("training_data", "validation-data", "Test Set"),
        ("train_images", "dev", "test_images"),
    ],
)
def test_published_parts_are_kept_under_given(
    lay: Lay, train: str, validation: str, test: str
) -> None:
    root = lay(
        numbered(f"{train}/A", f"{train}/B", images=6)
        + numbered(f"{validation}/A", f"{validation}/B", images=2)
        + numbered(f"{test}/A", f"{test}/B")
    )
    dataset = load_folder(root)
    assert dataset.counts == {"A": 11, "B": 11}
    assert parts(dataset) == {"train": 12, "validation": 4, "test": 6}
    split = make_split(dataset, Split(policy="given"))
    for row in split.itertuples():
        assert row.image.startswith(
            {"train": train, "validation": validation, "test": test}[row.part]
        )
    assert any("split of their own" in note for note in dataset.notes)


def test_numbered_folds_are_each_tested_once(lay: Lay) -> None:
    folders = [
        f"training_data/fold_{fold}/{label}" for fold in range(3) for label in ("all", "hem")
    ]
    dataset = load_folder(lay(numbered(*folders, images=4)))
    assert dataset.counts == {"all": 12, "hem": 12}
    split = make_split(dataset, Split(policy="given"))
    assert sorted(split["fold"].unique()) == [0, 1, 2]
    tested = split[split["part"] == "test"]
    assert tested["image"].is_unique
    assert len(tested) == 24
    assert {(f"fold_{row.fold}", row.image.split("/")[0]) for row in tested.itertuples()} == {
        (f"fold_{fold}", f"fold_{fold}") for fold in range(3)
    }


def test_without_a_test_part_the_validation_part_is_tested_and_that_is_said(lay: Lay) -> None:
    dataset = load_folder(lay(numbered("train/A", "train/B", "val/A", "val/B")))
    split = make_split(dataset, Split(policy="given"))
    assert split["part"].value_counts().to_dict() == {"train": 6, "test": 6}
    assert any("validation is tested" in note for note in dataset.notes)


def test_parts_below_the_classes(lay: Lay) -> None:
    dataset = load_folder(lay(numbered("A/train", "A/test", "B/train", "B/test")))
    assert dataset.counts == {"A": 6, "B": 6}
    assert parts(dataset) == {"train": 6, "test": 6}


def test_one_folder_around_the_parts(lay: Lay) -> None:
    folders = [f"images/{part}/{label}" for part in ("TRAIN", "TEST") for label in ("A", "B")]
    dataset = load_folder(lay(numbered(*folders)))
    assert dataset.root.name == "images"
    assert parts(dataset) == {"train": 6, "test": 6}


def test_one_folder_below_each_part(lay: Lay) -> None:
    folders = [f"{part}/images/{label}" for part in ("TRAIN", "TEST") for label in ("A", "B")]
    assert load_folder(lay(numbered(*folders))).counts == {"A": 6, "B": 6}


def test_wrappers_one_in_another(lay: Lay) -> None:
    dataset = load_folder(lay(numbered("archive/v1/A", "archive/v1/B")))
    assert dataset.counts == {"A": 3, "B": 3}
    assert dataset.paths[0] == "A/0.png"


def test_patients_folders_below_the_classes(lay: Lay) -> None:
    dataset = load_folder(lay(numbered("A/p1", "A/p2", "B/p3", "B/p4")))
    assert dataset.counts == {"A": 6, "B": 6}


def test_what_systems_leave_behind_is_left_out_and_said(lay: Lay) -> None:
    root = lay(
        [
            *numbered("A", "B"),
            "A/.ipynb_checkpoints/0-checkpoint.png",
            "__MACOSX/A/._0.png",
            "B/._1.png",
        ]
    )
    (root / "A" / "Thumbs.db").write_bytes(b"x")
    (root / "A" / "notes.txt").write_text("x", encoding="utf-8")
    dataset = load_folder(root)
    assert dataset.counts == {"A": 3, "B": 3}
    (note,) = dataset.notes
    assert "2 hidden files" in note
    assert "2 files made by an operating system" in note
    assert "1 files that are no images" in note


def test_images_beside_the_class_folders_are_left_out_and_said(lay: Lay) -> None:
    dataset = load_folder(lay([*numbered("A", "B"), "overview.png"]))
    assert len(dataset) == 6
    assert "1 images beside the class folders" in dataset.notes[0]


def test_a_class_folder_without_images_is_said(lay: Lay) -> None:
    root = lay(numbered("A", "B"))
    (root / "C").mkdir()
    assert load_folder(root).notes == ("Folders without images: C.",)


def test_a_class_may_be_called_like_a_folder_of_a_known_dataset(lay: Lay) -> None:
    assert load_folder(lay(numbered("Original", "Copied"))).counts == {"Copied": 3, "Original": 3}


def test_letters_that_look_the_same_are_one_class_name(lay: Lay) -> None:
    refused(lay(numbered("M\u00e9d", "Me\u0301d")), "case or blanks")


def test_a_flat_folder_is_refused_with_the_mend(lay: Lay) -> None:
    refused(lay(["a1.png", "a2.png", "b1.png"]), "3 images", "no class folder", "`label_pattern`")


def test_a_flat_part_is_refused(lay: Lay) -> None:
    refused(
        lay(numbered("train/A", "train/B", "test")), "3 images", "test/0.png", "no class folder"
    )


def test_a_labelled_part_beside_unlabelled_images_is_named(lay: Lay) -> None:
    root = lay(numbered("train/A", "train/B", "test"))
    refused(root, f"pass {root / 'train'}")


def test_a_table_that_lies_in_the_folder_is_named(lay: Lay) -> None:
    flat, one = lay(["a.png", "b.png"], name="flat"), lay(numbered("images"), name="one")
    for root in (flat, one):
        (root / "truth.CSV").write_text("filename,class\n", encoding="utf-8")
        refused(root, f"`labels={root / 'truth.CSV'}`")


def test_folders_within_classes_may_be_patients_and_that_is_said(lay: Lay) -> None:
    root = lay(numbered("A/p1", "A/p2", "B/p3"))
    (note,) = load_folder(root).notes
    assert "3 folders, such as A/p1" in note
    pattern = note.split("group_pattern='")[1].split("'")[0]
    told = load_folder(root, group_pattern=pattern)
    assert sorted(set(told.groups)) == ["p1", "p2", "p3"]
    assert not told.notes


def test_a_class_folder_in_itself_is_no_patient(lay: Lay) -> None:
    assert not load_folder(lay(numbered("A/A", "B/B"))).notes


def test_patterns_printed_for_patients_above_classes_are_right(lay: Lay) -> None:
    root = lay(numbered("p1/A", "p1/B", "p2/A", "p2/B"))
    with pytest.raises(DataError) as caught:
        load_folder(root)
    _, label, _, group, _ = str(caught.value).split("'")
    told = load_folder(root, label_pattern=label, group_pattern=group)
    assert told.counts == {"A": 6, "B": 6}
    assert [record.group for record in told.records] == [r.path[:2] for r in told.records]


def test_one_class_is_refused(lay: Lay) -> None:
    refused(lay(numbered("A")), "one class (A)")


def test_parts_beside_classes_are_refused(lay: Lay) -> None:
    refused(lay(numbered("train/A", "train/B", "test/A", "test/B", "extra")), "test beside extra")
    refused(
        lay(numbered("training/fold_0/A", "training/fold_0/B", "testing/final/A"), name="mixed"),
        "fold_0 beside final",
    )


def test_folds_with_parts_of_their_own_are_refused_with_the_mend(lay: Lay) -> None:
    root = lay(
        numbered(
            *(f"Fold {n}/{part}/{c}" for n in (1, 2) for part in ("train", "test") for c in "AB")
        )
    )
    refused(root, "test and train", f"as in {root / 'Fold 1'}")
    assert parts(load_folder(root / "Fold 1")) == {"train": 6, "test": 6}


@pytest.mark.parametrize("other", ["benign", "Benign ", "BENIGN"])
def test_classes_that_differ_in_case_or_blanks_alone_are_refused(lay: Lay, other: str) -> None:
    refused(lay(numbered("Benign", other, "Pro")), "'Benign'", repr(other), "case or blanks")


def test_two_versions_of_the_same_classes_are_refused(lay: Lay) -> None:
    root = lay(numbered("raw/Benign", "raw/Pro", "masked/Benign", "masked/Pro"))
    refused(root, "same folders", "raw", "masked")


def test_classes_with_numbers_come_in_natural_order(lay: Lay) -> None:
    assert load_folder(lay(numbered("10", "2", "1"))).classes == ("1", "2", "10")


def test_given_without_parts_is_refused(lay: Lay) -> None:
    dataset = load_folder(lay(numbered("A", "B")))
    with pytest.raises(DataError, match="images that come with a split"):
        make_split(dataset, Split(policy="given"))
