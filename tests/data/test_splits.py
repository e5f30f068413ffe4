"""Splits: every image in one part of every fold, whole groups, contiguous blocks, stable hashes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leukbench.data.dataset import Dataset, ImageRecord
from leukbench.data.folder import load_folder
from leukbench.data.splits import SPLIT_COLUMNS, fold_sha256, make_split, part_indices
from leukbench.errors import DataError
from leukbench.protocol import Split

POLICIES = [
    Split(policy="paper"),
    Split(policy="paper", folds=4, validation_fraction=0.1),
    Split(policy="stratified", validation_fraction=0.2),
    Split(policy="stratified", folds=5),
    Split(policy="grouped", folds=3, validation_fraction=0.2),
    Split(policy="grouped"),
    Split(policy="blocks", folds=4, validation_fraction=0.2),
    Split(policy="blocks"),
    Split(policy="repeated-kfold", folds=3, repeats=2),
]


def dataset(images: int = 60, groups: int = 15) -> Dataset:
    records = tuple(
        ImageRecord(f"{label}/{label}-{i + 1}.png", label, f"{label}{i}", f"{label}-{i % groups}")
        for label in ("A", "B", "C")
        for i in range(images)
    )
    return Dataset("made", Path(), tuple(sorted(records, key=lambda r: r.path)))


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: f"{p.policy}-{p.folds}")
def test_every_image_stands_in_one_part_of_every_fold(policy: Split) -> None:
    images = dataset()
    split = make_split(images, policy)
    assert tuple(split.columns) == SPLIT_COLUMNS
    folds = policy.folds * policy.repeats
    assert sorted(split["fold"].unique()) == list(range(folds))
    for fold, rows in split.groupby("fold"):
        assert sorted(rows["image"]) == sorted(images.paths)
        assert set(rows["part"]) >= {"train", "test"}
        assert ("validation" in set(rows["part"])) == (policy.validation_fraction > 0)
        joined = np.concatenate(
            [
                part_indices(split, images, int(str(fold)), part)
                for part in ("train", "validation", "test")
            ]
        )
        assert sorted(joined) == list(range(len(images)))


@pytest.mark.parametrize("policy", [p for p in POLICIES if p.folds > 1], ids=lambda p: p.policy)
def test_over_all_folds_every_image_is_tested_equally_often(policy: Split) -> None:
    split = make_split(dataset(), policy)
    tested = split[split["part"] == "test"]["image"].value_counts()
    assert (tested == policy.repeats).all()
    assert len(tested) == 180


@pytest.mark.parametrize("policy", [p for p in POLICIES if p.policy == "grouped"])
def test_a_group_is_never_divided(policy: Split) -> None:
    split = make_split(dataset(), policy)
    assert (split.groupby(["fold", "group"])["part"].nunique() == 1).all()


def test_blocks_are_contiguous_in_the_order_of_numbers() -> None:
    split = make_split(dataset(), Split(policy="blocks", folds=4))
    for _, rows in split[split["part"] == "test"].groupby(["fold", "label"]):
        numbers = sorted(int(image.split("-")[1].removesuffix(".png")) for image in rows["image"])
        assert numbers == list(range(numbers[0], numbers[-1] + 1))


def test_an_embargo_keeps_files_apart_that_are_neighbours() -> None:
    policy = Split(policy="blocks", folds=4, validation_fraction=0.2, embargo=3)
    split = make_split(dataset(), policy)
    number = split["image"].str.extract(r"-(\d+)\.")[0].astype(int)
    parts = {"train", "validation", "test"}
    for _, rows in split.assign(number=number).groupby(["fold", "label"]):
        assert set(rows["part"]) == parts | {"embargo"}
        kept = rows[rows["part"].isin(parts)].sort_values("number")
        for a, b in zip(kept.to_dict("records"), kept.iloc[1:].to_dict("records"), strict=False):
            assert a["part"] == b["part"] or b["number"] - a["number"] == 4
        # the last block of a class has no neighbour in its first
        assert len(rows) - len(kept) in (6, 9)
    without = make_split(dataset(), policy.model_copy(update={"embargo": 0}))
    pd.testing.assert_frame_equal(
        split[split["part"] == "test"], without[without["part"] == "test"]
    )


def test_stratified_keeps_the_shares() -> None:
    split = make_split(dataset(), Split(policy="stratified"))
    assert split[split["part"] == "test"]["label"].value_counts().to_dict() == {
        "A": 12,
        "B": 12,
        "C": 12,
    }


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: f"{p.policy}-{p.folds}")
def test_same_seed_same_split_other_seed_other_split(policy: Split) -> None:
    first, again = make_split(dataset(), policy), make_split(dataset(), policy)
    pd.testing.assert_frame_equal(first, again)
    other = make_split(dataset(), policy.model_copy(update={"seed": 7}))
    if policy.policy != "blocks":
        assert fold_sha256(other, 0) != fold_sha256(first, 0)


def test_hash_does_not_depend_on_the_order_of_rows() -> None:
    split = make_split(dataset(), Split())
    assert fold_sha256(split.sample(frac=1, random_state=3), 0) == fold_sha256(split, 0)


def test_groups_that_are_unknown_or_too_few_are_refused() -> None:
    without = Dataset(
        "made", Path(), tuple(ImageRecord(r.path, r.label, r.sha256) for r in dataset().records)
    )
    with pytest.raises(DataError, match=r"groups\.csv"):
        make_split(without, Split(policy="grouped"))
    with pytest.raises(DataError, match="groups, fewer than"):
        make_split(dataset(groups=2), Split(policy="grouped", folds=3))


def test_patients_and_copies_are_kept_together_in_one_group() -> None:
    images = dataset(images=24, groups=12)
    clusters = [f"proxy-{i}" for i in range(len(images))]
    pairs = [("A/A-1.png", "B/B-1.png"), ("B/B-13.png", "C/C-2.png")]  # B-0 joins A-0 and C-1
    for first, second in pairs:
        clusters[images.paths.index(second)] = clusters[images.paths.index(first)]
    split = make_split(images, Split(policy="grouped", folds=4), clusters)
    assert set(split["group"]) == set(images.groups), "the table names patients"
    joined = split[split["group"].isin({"A-0", "B-0", "C-1"})]
    assert (joined.groupby("fold")["part"].nunique() == 1).all()


@pytest.mark.parametrize(
    ("images", "policy", "message"),
    [
        (dataset(images=2), Split(policy="paper", seed=1), "without test images"),
        (dataset(images=2), Split(policy="stratified", test_fraction=0.2), "cannot be divided"),
        (dataset(images=6, groups=3), Split(policy="grouped"), "cannot be divided|without"),
        (
            dataset(images=3),
            Split(policy="stratified", validation_fraction=0.1),
            "cannot be divided",
        ),
    ],
)
def test_parts_without_a_class_are_refused_before_training(
    images: Dataset, policy: Split, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        make_split(images, policy)
    assert "\n" not in str(caught.value)


def test_a_class_smaller_than_the_folds_is_refused() -> None:
    with pytest.raises(DataError, match="fewer than the 5 folds"):
        make_split(dataset(images=3), Split(policy="stratified", folds=5))


@pytest.mark.realdata
def test_the_papers_split_has_2604_and_652_images(all_pbs: Path) -> None:
    split = make_split(load_folder(all_pbs), Split())
    assert split["part"].value_counts().to_dict() == {"train": 2604, "test": 652}
