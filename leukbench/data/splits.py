"""Split policies, each giving one table of which image stands in which part.

The table (`split.csv`) has one row for every fold and image: fold, part (train, validation, test),
image, sha256, label, group. Under an embargo some images stand in none of the three. Every model
of a run reads the same table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.data.dataset import Dataset, natural_key
from leukbench.errors import DataError
from leukbench.protocol import Split, canonical_sha256

SEEN = ("train", "validation")
"""The parts that a model sees before it is tested."""

EMBARGO = "embargo"
"""The part of images that are left out between two stretches of file numbers."""

NOT_TESTED = "not tested"
"""The part of images of which nothing else is known, where other programs made the predictions."""

SPLIT_COLUMNS = ("fold", "part", "image", "sha256", "label", "group")

Indices = NDArray[np.intp]
_Parts = tuple[Indices, Indices, Indices]


def make_split(
    dataset: Dataset, policy: Split, groups: Sequence[str] | NDArray[np.str_] | None = None
) -> pd.DataFrame:
    """Divide a dataset as `policy` says: a table with `SPLIT_COLUMNS`, by fold and then by image.

    `groups` are the audit's clusters of duplicates and overlaps. They stand for patients where none is
    known; where patients are known, the policy grouped keeps the connected components of both together.

    Raises
    ------
    DataError
        Where a class or the groups are too few for the folds, or a part lacks a class.
    """
    named = dataset.groups if dataset.has_groups or groups is None else np.array(groups)
    units = named if groups is None else joined_groups(named, np.array(groups))
    if policy.policy == "grouped" and not all(units):
        raise DataError(
            "The policy grouped needs the group of every image: add groups.csv (columns image, "
            "group) to the data folder, or take the policy blocks."
        )
    _require_enough(dataset, policy, units)
    try:
        folds = list(_folds(dataset, policy, units))
    except ValueError as error:
        raise DataError(
            f"The {len(dataset)} images cannot be divided by split.policy {policy.policy} "
            f"({str(error).rstrip('.')}): add images, or lower split.folds or the fractions."
        ) from error
    frames = []
    for fold, (train, validation, test) in enumerate(folds):
        part = np.full(len(dataset), EMBARGO, dtype=object)
        part[train], part[validation], part[test] = "train", "validation", "test"
        _require_parts(dataset, fold, part, policy)
        frames.append(
            pd.DataFrame(
                {
                    "fold": fold,
                    "part": part.astype(str),
                    "image": dataset.paths,
                    "sha256": [record.sha256 for record in dataset.records],
                    "label": dataset.labels,
                    "group": named,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)[list(SPLIT_COLUMNS)]


def joined_groups(patients: NDArray[np.str_], clusters: NDArray[np.str_]) -> NDArray[np.str_]:
    """Connected components of two groupings, each called like the first of its patients.

    >>> joined_groups(np.array(["p1", "p2", "p2", "p3"]), np.array(["a", "a", "b", "c"])).tolist()
    ['p1', 'p1', 'p1', 'p3']
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names, rows = np.unique(patients, return_inverse=True)
    columns = np.unique(clusters, return_inverse=True)[1]
    size = len(names) + int(columns.max()) + 1
    links = coo_array((np.ones(len(rows)), (rows, columns + len(names))), shape=(size, size))
    component = connected_components(links, directed=False)[1][: len(names)]
    first = dict(zip(component[::-1].tolist(), names[::-1].tolist(), strict=True))
    return np.array([first[number] for number in component[rows].tolist()])


def fold_sha256(split: pd.DataFrame, fold: int) -> str:
    """Hash of what one fold trains, validates and tests on, whatever the order of rows."""
    rows = split[split["fold"] == fold]
    lines = sorted("\t".join(row) for row in rows[["part", "image", "sha256"]].to_numpy().tolist())
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def split_sha256(split: pd.DataFrame) -> str:
    """Hash of the whole split, from those of its folds."""
    return canonical_sha256(
        {str(fold): fold_sha256(split, fold) for fold in sorted(split["fold"].unique())}
    )


def part_indices(split: pd.DataFrame, dataset: Dataset, fold: int, part: str) -> Indices:
    """Positions in the dataset of the images of one part of one fold, ascending."""
    position = {path: index for index, path in enumerate(dataset.paths)}
    chosen = split[(split["fold"] == fold) & (split["part"] == part)]["image"]
    return np.array(sorted(position[path] for path in chosen), dtype=np.intp)


def _folds(dataset: Dataset, policy: Split, groups: NDArray[np.str_]) -> Iterator[_Parts]:
    from sklearn.model_selection import RepeatedStratifiedKFold

    targets = dataset.targets
    everything = np.arange(len(dataset))
    if policy.policy == "blocks":
        yield from _blocks(dataset, policy)
        return
    if policy.policy == "given":
        for fold, (train, validation, test) in enumerate(_given(dataset)):
            if policy.validation_fraction and not len(validation):
                train, validation = _grouped_validation(train, targets, groups, policy, fold)
            yield train, validation, test
        return
    if policy.policy == "grouped":
        pairs = _grouped(targets, groups, policy)
    elif policy.policy == "repeated-kfold":
        pairs = RepeatedStratifiedKFold(
            n_splits=policy.folds, n_repeats=policy.repeats, random_state=policy.seed
        ).split(everything, targets)
    elif policy.folds > 1:
        pairs = _shuffled_folds(targets, policy)
    else:
        pairs = iter([_hold_out(everything, targets, policy, policy.test_fraction, policy.seed)])
    for fold, (rest, test) in enumerate(pairs):
        if policy.validation_fraction == 0:
            yield rest, everything[:0], test
        elif policy.policy == "grouped":
            train, validation = _grouped_validation(rest, targets, groups, policy, fold)
            yield train, validation, test
        else:
            train, validation = _hold_out(
                rest, targets, policy, policy.validation_fraction, policy.seed + 1 + fold
            )
            yield train, validation, test


def _hold_out(
    pool: Indices, targets: NDArray[np.int64], policy: Split, fraction: float, seed: int
) -> tuple[Indices, Indices]:
    from sklearn.model_selection import train_test_split

    stratify = None if policy.policy == "paper" else targets[pool]
    kept, held = train_test_split(pool, test_size=fraction, random_state=seed, stratify=stratify)
    return np.sort(kept), np.sort(held)


def _shuffled_folds(targets: NDArray[np.int64], policy: Split) -> Iterator[tuple[Indices, Indices]]:
    from sklearn.model_selection import StratifiedKFold

    everything = np.arange(len(targets))
    if policy.policy == "paper":
        order = np.random.default_rng(policy.seed).permutation(len(targets))
        for test in np.array_split(order, policy.folds):
            yield np.setdiff1d(everything, test), np.sort(test)
    else:
        folds = StratifiedKFold(policy.folds, shuffle=True, random_state=policy.seed)
        yield from folds.split(everything, targets)


def _grouped(
    targets: NDArray[np.int64], groups: NDArray[np.str_], policy: Split
) -> Iterator[tuple[Indices, Indices]]:
    """Whole groups to one side; a single hold-out is the first fold of ``1 / test_fraction``."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = policy.folds if policy.folds > 1 else max(2, round(1 / policy.test_fraction))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=policy.seed)
    for fold, pair in enumerate(splitter.split(targets, targets, groups)):
        if policy.folds > 1 or fold == 0:
            yield pair


def _grouped_validation(
    rest: Indices, targets: NDArray[np.int64], groups: NDArray[np.str_], policy: Split, fold: int
) -> tuple[Indices, Indices]:
    from sklearn.model_selection import StratifiedGroupKFold

    folds = max(2, round(1 / policy.validation_fraction))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=policy.seed + 1 + fold)
    train, validation = next(splitter.split(rest, targets[rest], groups[rest]))
    return rest[train], rest[validation]


def _given(dataset: Dataset) -> Iterator[_Parts]:
    """The split that comes with the images; of numbered folds, each is tested once."""
    if not dataset.has_parts:
        raise DataError(
            "split.policy given needs images that come with a split: folders train and test, or the "
            "column part in `labels`; take another policy."
        )
    parts = np.array([record.part for record in dataset.records])
    names = sorted(set(parts), key=natural_key)
    if all(name.startswith("fold") for name in names):
        for name in names:
            yield (
                np.flatnonzero(parts != name),
                np.flatnonzero(parts == ""),
                np.flatnonzero(parts == name),
            )
        return
    tested = "test" if "test" in names else "validation"
    if "train" not in names or tested not in names or set(names) - {"train", "validation", "test"}:
        raise DataError(
            f"The split that comes with the images has the parts {', '.join(names)}: it needs train and "
            "test, or numbered folds."
        )
    train, test = np.flatnonzero(parts == "train"), np.flatnonzero(parts == tested)
    yield train, np.flatnonzero((parts == "validation") & (parts != tested)), test


def _blocks(dataset: Dataset, policy: Split) -> Iterator[_Parts]:
    """Contiguous file numbers of each class: block `i` of every class is the test part of fold `i`.

    The validation part is the stretch of training images that follows the test block (cyclically), so
    that it is contiguous too. `embargo` files between neighbouring stretches belong to no part.
    """
    wanted = policy.folds if policy.folds > 1 else max(2, round(1 / policy.test_fraction))
    orders = []
    for target in range(len(dataset.classes)):
        members = np.flatnonzero(dataset.targets == target)
        orders.append(np.array(sorted(members, key=lambda i: natural_key(dataset.paths[i]))))
    for fold in range(policy.folds):
        number = fold if policy.folds > 1 else wanted - 1
        parts: tuple[list[Indices], list[Indices], list[Indices]] = ([], [], [])
        for order in orders:
            bounds = np.linspace(0, len(order), wanted + 1).round().astype(int)
            test = order[bounds[number] : bounds[number + 1]]
            after = order[bounds[number + 1] + policy.embargo :]
            before = order[: max(0, bounds[number] - policy.embargo)]
            rest = np.concatenate([after, before])
            cut = int(np.ceil(policy.validation_fraction * len(rest)))
            parts[0].append(rest[cut + (policy.embargo if cut else 0) :])
            parts[1].append(rest[:cut])
            parts[2].append(test)
        train, validation, test = (np.sort(np.concatenate(part)) for part in parts)
        yield train, validation, test


def _require_enough(dataset: Dataset, policy: Split, groups: NDArray[np.str_]) -> None:
    if policy.policy in ("stratified", "repeated-kfold", "blocks") and policy.folds > 1:
        label, fewest = min(dataset.counts.items(), key=lambda item: item[1])
        if fewest < policy.folds:
            raise DataError(
                f"The class {label} has {fewest} images, fewer than the {policy.folds} folds of "
                f"split.policy {policy.policy}: add images or lower split.folds."
            )
    if policy.policy == "grouped":
        wanted = policy.folds if policy.folds > 1 else 2
        for label in dataset.classes:
            number = len(set(groups[dataset.labels == label]))
            if number < wanted:
                raise DataError(
                    f"The class {label} has {number} groups, fewer than the {wanted} parts of "
                    "split.policy grouped: lower split.folds or take another policy."
                )


def _require_parts(dataset: Dataset, fold: int, part: NDArray[np.object_], policy: Split) -> None:
    for name, purpose in (("train", "training"), ("test", "test")):
        held = set(dataset.labels[part == name])
        for label in dataset.classes:
            if label not in held:
                raise DataError(
                    f"Fold {fold} leaves the class {label} ({dataset.counts[label]} images) without "
                    f"{purpose} images under split.policy {policy.policy}: add images, lower "
                    "split.folds, or take another split.seed or the policy stratified."
                )
