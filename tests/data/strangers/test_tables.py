"""Labels and patients from tables and file names: normalised where unambiguous, else refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leukbench.data.folder import load_folder
from leukbench.errors import DataError, LeukbenchError, UsageError
from tests.data.strangers.conftest import Lay, numbered

IMAGES = numbered("A", "B")
UNIQUE = [f"{label}/{label}{number}.png" for label in "AB" for number in range(3)]


def table(
    root: Path, rows: list[str], header: str = "image,group", name: str = "groups.csv"
) -> Path:
    file = root / name
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


def patients(paths: list[str]) -> list[str]:
    return [f"P{number // 2}" for number in range(len(paths))]


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path,
        lambda path: f"./{path}",
        lambda path: path.replace("/", "\\"),
        lambda path: f"DIR/{path}",
        lambda path: path.split("/")[1],
        lambda path: path.split("/")[1].removesuffix(".png"),
        lambda path: f"  {path} ",
    ],
)
def test_names_are_normalised_where_that_is_unambiguous(lay: Lay, write: object) -> None:
    root = lay(UNIQUE)
    groups = patients(UNIQUE)
    table(root, [f"{write(p)},{g}" for p, g in zip(UNIQUE, groups, strict=True)])  # type: ignore[operator]
    assert load_folder(root).groups.tolist() == groups


def test_columns_may_have_other_common_names(lay: Lay) -> None:
    root = lay([f"images/{number}.png" for number in range(6)])
    rows = [f"{n}.png,{'xy'[n % 2]},P{n // 2},{'train' if n < 4 else 'test'},60" for n in range(6)]
    labels = table(root, rows, "Filename,class,Patient ID,split,age", "labels.csv")
    told = load_folder(root, labels=labels)
    assert told.counts == {"x": 3, "y": 3}
    assert told.groups.tolist() == [f"P{n // 2}" for n in range(6)]
    assert [record.part for record in told.records] == ["train"] * 4 + ["test"] * 2


def test_a_table_that_is_not_read_is_said(lay: Lay) -> None:
    root = lay(IMAGES)
    rows = [f"{path},P{n // 2}" for n, path in enumerate(IMAGES)]
    table(root, rows, name="patients.csv")
    assert load_folder(root).notes == (
        "Not read: patients.csv; a table that names patients is read as groups.csv (columns image, "
        "group).",
    )
    table(root, rows, name="Groups.CSV")
    told = load_folder(root)
    assert told.groups.tolist() == patients(IMAGES)
    assert not told.notes


def test_two_columns_that_may_be_the_patient_are_refused(lay: Lay) -> None:
    root = lay(IMAGES)
    labels = table(root, [f"{path},x,1,2" for path in IMAGES], "image,label,patient,slide", "l.csv")
    with pytest.raises(DataError, match="patient and slide"):
        load_folder(root, labels=labels)


@pytest.mark.parametrize(
    ("encoding", "delimiter"),
    [("utf-8-sig", ","), ("utf-8", ";"), ("utf-16", "\t"), ("utf-8", "|")],
)
def test_delimiter_and_byte_order_mark_are_found_out(
    lay: Lay, encoding: str, delimiter: str
) -> None:
    root = lay(IMAGES)
    rows = [f"{path}{delimiter}P{n // 2}" for n, path in enumerate(IMAGES)]
    text = "\r\n".join([f"Image{delimiter}Group", *rows])
    (root / "groups.csv").write_bytes(text.encode(encoding))
    assert load_folder(root).groups.tolist() == patients(IMAGES)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[:-1], ["1 images", "B/2.png", "no row"]),
        (lambda rows: [*rows, "C/9.png,P9"], ["1 rows", "row 8 (C/9.png)", "name no image"]),
        (lambda rows: ["0.png,P0", *rows[1:]], ["row 2 (0.png)", "more than one image"]),
        (lambda rows: [*rows, "A/0.png,P7"], ["row 8 (A/0.png)", "contradict"]),
        (lambda rows: ["A/0.png,", *rows[1:]], ["row 2 (A/0.png)", "have no group"]),
        (lambda rows: ["A/0.png", *rows[1:]], ["row 2", "cells"]),
    ],
)
def test_what_does_not_fit_is_refused_with_number_and_first_row(
    lay: Lay, change: object, words: list[str]
) -> None:
    root = lay(IMAGES)
    rows = [f"{p},{g}" for p, g in zip(IMAGES, patients(IMAGES), strict=True)]
    table(root, change(rows))  # type: ignore[operator]
    with pytest.raises(DataError) as caught:
        load_folder(root)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_accents_written_as_two_characters_are_the_same_name(lay: Lay) -> None:
    images = [f"{label}/caf\u00e9{number}.png" for label in "AB" for number in range(2)]
    root = lay(images)
    table(root, [f"{image.replace(chr(0xE9), 'e' + chr(0x301))},P{image[0]}" for image in images])
    assert set(load_folder(root).groups) == {"PA", "PB"}


def test_other_columns_are_refused(lay: Lay) -> None:
    root = lay(IMAGES)
    table(root, ["x,y"], header="file,age")
    with pytest.raises(DataError, match=r"needs the columns image and group.*'file,age'"):
        load_folder(root)


def test_a_row_of_a_skipped_image_is_no_fault(lay: Lay) -> None:
    root = lay(IMAGES)
    (root / "A" / "0.png").write_bytes(b"broken")
    (root / "A" / "gone.png").symlink_to(root / "nowhere.png")
    rows = [f"{p},{g}" for p, g in zip(IMAGES, patients(IMAGES), strict=True)]
    table(root, [*rows, "A/gone.png,P9"])
    assert load_folder(root, skip_unreadable=True).groups.tolist() == patients(IMAGES)[1:]
    table(root, rows[1:])
    assert load_folder(root, skip_unreadable=True).groups.tolist() == patients(IMAGES)[1:]
    labels = table(root.parent, [f"{p},{p[0]}" for p in IMAGES], "image,label", "labels.csv")
    assert len(load_folder(root, labels=labels, skip_unreadable=True)) == 5


def test_an_image_that_synthetic_smears_do_not_know_is_refused(lay: Lay) -> None:
    root = lay(["A/0.png", "A/1.png", "B/0.png", "B/1.png"])
    known = {"groups": {"A/0.png": "p1", "A/1.png": "p1", "B/0.png": "p2"}}
    (root / "leukbench-synthetic.json").write_text(json.dumps(known), encoding="utf-8")
    with pytest.raises(DataError, match=r"1 images .* the first is B/1\.png"):
        load_folder(root)


def test_labels_of_a_flat_folder_from_a_table(lay: Lay) -> None:
    root = lay([f"{n}.jpg" for n in range(8)])
    rows = [f"{n};{'AB'[n % 2]};p{n // 2};{'train' if n < 6 else 'Test'}" for n in range(8)]
    file = table(root.parent, rows, header="image;label;group;part", name="labels.csv")
    dataset = load_folder(root, labels=file)
    assert dataset.counts == {"A": 4, "B": 4}
    assert dataset.groups.tolist() == [f"p{n // 2}" for n in range(8)]
    assert [record.part for record in dataset.records] == ["train"] * 6 + ["test"] * 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["0,A,train", "1,B,", "2,A,test", "3,B,test"], "1 images.* have no part"),
        (["0,A,train", "1,B,train", "2,A,later", "3,B,test"], "part 'later'"),
        (["0,A,train", "1,a,train", "2,A,test", "3,B,test"], "case or blanks"),
        (["0,A,train", "1,B,train", "2,A,test"], "1 images .* stand in no row"),
    ],
)
def test_labels_that_do_not_fit_are_refused(lay: Lay, rows: list[str], message: str) -> None:
    root = lay([f"{n}.jpg" for n in range(4)])
    file = table(root.parent, rows, header="image,label,part", name="labels.csv")
    with pytest.raises(DataError, match=message):
        load_folder(root, labels=file)


def test_labels_and_patients_from_file_names(lay: Lay) -> None:
    root = lay([f"Im{n:03d}_{n % 2}.jpg" for n in range(6)])
    dataset = load_folder(
        root, label_pattern=r"_(?P<label>\d)\.", group_pattern=r"Im00(?P<group>\d)"
    )
    assert dataset.counts == {"0": 3, "1": 3}
    assert dataset.groups.tolist() == list("012345")


@pytest.mark.parametrize(
    ("pattern", "kind", "message"),
    [
        ("(", UsageError, "no regular expression"),
        (r"_(\d)", UsageError, "no named group label"),
        (r"_(?P<label>[5])\.", DataError, "6 of 6 images"),
    ],
)
def test_patterns_that_do_not_fit_are_refused(
    lay: Lay, pattern: str, kind: type[LeukbenchError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        load_folder(lay([f"Im{n}_{n % 2}.jpg" for n in range(6)]), label_pattern=pattern)
