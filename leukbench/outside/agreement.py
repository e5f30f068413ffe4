"""Whether trials of several tables are of one test: the same classes, images, labels and groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leukbench.data.dataset import natural_key
from leukbench.errors import DataError, UsageError, did_you_mean
from leukbench.outside.predictions import OutsideTrial
from leukbench.outside.tables import read_table
from leukbench.records import PublishedValues

PUBLISHED_COLUMNS = ("model", *PublishedValues.model_fields)


@dataclass(frozen=True)
class Tested:
    """What all trials agree on.

    `labels` has the true class of every image, sorted by name, and `tested` the images of each fold.
    """

    classes: tuple[str, ...]
    labels: Mapping[str, str]
    groups: Mapping[str, str]
    tested: Mapping[int, frozenset[str]]


def agree(trials: Sequence[OutsideTrial], groups: Mapping[str, str] | None = None) -> Tested:
    """Check that the trials are of one test; `groups` stand in place of those of the tables.

    Raises
    ------
    DataError
        Where two trials differ in their classes, in the images of a fold, or in the class or group of an
        image, or a trial is there twice: names file, place and column.
    """
    _once(trials)
    classes = _classes(trials)
    tested: dict[int, OutsideTrial] = {}
    for trial in trials:
        _same_images(trial, tested.setdefault(trial.fold, trial))
    labels = _labels(trials)
    known = _groups(trials) if groups is None else groups
    missing = [image for image in labels if image not in known] if groups is not None else []
    if missing:
        raise DataError(
            f"{len(missing)} of {len(labels)} images have no row in the table of groups, the first is "
            f"{missing[0]}: write one for each."
        )
    return Tested(
        classes,
        {image: labels[image] for image in sorted(labels)},
        {image: known[image] for image in labels if known.get(image)},
        {fold: frozenset(trial.frame["image"]) for fold, trial in sorted(tested.items())},
    )


def read_groups(file: Path) -> dict[str, str]:
    """Group of each image, from the columns ``image`` and ``group``; an empty cell is one by itself."""
    table = read_table(file, ("image", "group"))
    table.filled(["image"])
    groups: dict[str, str] = {}
    rows = zip(table.cells.index, table.cells["image"], table.cells["group"], strict=True)
    for number, image, group in rows:
        if groups.setdefault(image, group) != group:
            what = f"{image} is in the group {groups[image]!r} above and in {group!r} here"
            table.refuse(int(number), "group", what, "keep one of them")
    return groups


def read_published(file: Path, models: Sequence[str]) -> dict[str, PublishedValues]:
    """What papers print for `models`: the columns ``model``, ``accuracy``, others of `PublishedValues`.

    ``same_data`` is true where it was measured on these very images; without the column it is false.
    """
    table = read_table(file, ("model", "accuracy"))
    table.filled(["model"])
    table.only(PUBLISHED_COLUMNS, f"the known ones are {', '.join(PUBLISHED_COLUMNS)}")
    twice = table.cells["model"].duplicated()
    table.refuse_where(twice, "model", "{} is there twice", "keep one of them")
    unknown = next((one for one in table.cells["model"] if one not in models), "")
    table.refuse_where(
        table.cells["model"] == unknown, "model",
        f"{{}} is no model of the predictions{did_you_mean(unknown, models)}",
        f"take one of {', '.join(models)[:200]}",
    )  # fmt: skip
    if "same_data" in table.cells:
        wrong = ~table.cells["same_data"].str.lower().isin(("true", "false", ""))
        table.refuse_where(wrong, "same_data", "{} is neither true nor false", "write one of them")
    rows = table.cells.to_dict("records")
    return {
        str(row["model"]): PublishedValues.model_validate(
            {str(key): value for key, value in row.items() if value and key != "model"}
        )
        for row in rows
    }


def check_benign(benign: str, classes: Sequence[str]) -> None:
    """Refuse a benign class that is none of the classes."""
    if benign and benign not in classes:
        raise UsageError(
            f"`benign={benign}` is no class{did_you_mean(benign, classes)}: take one of "
            f"{', '.join(classes)}."
        )


def _once(trials: Sequence[OutsideTrial]) -> None:
    seen: dict[str, OutsideTrial] = {}
    for trial in trials:
        before = seen.setdefault(trial.name, trial)
        if before is not trial:
            raise DataError(
                f"{before.table.file} and {trial.table.file} both hold predictions of {trial.name}: "
                "tell them apart by the columns model, fold and seed."
            )


def _classes(trials: Sequence[OutsideTrial]) -> tuple[str, ...]:
    """Those of the columns of probabilities, or else of the labels, in natural order."""
    first = next((trial for trial in trials if trial.classes), None)
    if first is None:
        frames = [trial.frame[["y_true", "y_pred"]] for trial in trials]
        named = {str(label) for frame in frames for label in frame.to_numpy().ravel()}
        if len(named) < 2:
            raise DataError(
                f"{trials[0].table.file} knows the class {min(named)} alone: give predictions of two "
                "classes or more."
            )
        return tuple(sorted(named, key=natural_key))
    for trial in trials:
        if trial.classes and trial.classes != first.classes:
            other = min({*trial.classes} ^ {*first.classes})
            raise DataError(
                f"{first.table.file} and {trial.table.file} have probabilities of other classes, one "
                f"alone has {other}: give every model all classes."
            )
        for column in ("y_true", "y_pred"):
            wrong = ~trial.frame[column].isin(first.classes)
            if wrong.any():
                number = int(trial.frame.index[int(wrong.to_numpy().argmax())])
                what = f"{trial.frame.loc[number, column]!r} has no probabilities in {first.table.file}"
                trial.table.refuse(number, column, what, "mend the name or add the column")
    return first.classes


def _same_images(trial: OutsideTrial, other: OutsideTrial) -> None:
    own, others = set(trial.frame["image"]), set(other.frame["image"])
    if own == others:
        return
    lacking, having = (trial, other) if others - own else (other, trial)
    image = min((others - own) or (own - others))
    raise DataError(
        f"{lacking.table.file}, column image: {lacking.name} has no prediction of {image}, which "
        f"{having.name} in {having.table.file} has; test all models of a fold on the same images."
    )


def _labels(trials: Sequence[OutsideTrial]) -> dict[str, str]:
    labels: dict[str, str] = {}
    source: dict[str, OutsideTrial] = {}
    for trial in trials:
        for number, image, label in zip(
            trial.frame.index, trial.frame["image"], trial.frame["y_true"], strict=True
        ):
            source.setdefault(image, trial)
            if labels.setdefault(image, label) != label:
                before = source[image]
                what = (
                    f"{image} is {label!r} here and {labels[image]!r} in {before.table.file} "
                    f"({before.name})"
                )
                trial.table.refuse(int(number), "y_true", what, "an image has one true class")
    return labels


def _groups(trials: Sequence[OutsideTrial]) -> dict[str, str]:
    groups: dict[str, str] = {}
    for trial in trials:
        for image, group in trial.groups.items():
            if groups.setdefault(image, group) != group:
                raise DataError(
                    f"{trial.table.file}, column group: {image} is in the group {group!r}, and in "
                    f"{groups[image]!r} elsewhere; an image has one group."
                )
    return groups
