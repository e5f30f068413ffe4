"""What is to be told apart: all classes, benign against malignant, or a mapping of the user's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from leukbench.data.catalog import get_entry
from leukbench.data.dataset import Dataset
from leukbench.errors import UsageError

BENIGN, MALIGNANT = "benign", "malignant"


def relabel(dataset: Dataset, task: str | Mapping[str, str]) -> Dataset:
    """The dataset with the labels of a task; a mapping gives the new name of every class.

    Raises
    ------
    UsageError
        Where the mapping leaves out a class or joins all of them, or no class is known as benign.
    """
    if task == "all":
        return dataset
    if isinstance(task, str):
        benign = benign_class(dataset)
        mapping: Mapping[str, str] = {
            name: BENIGN if name == benign else MALIGNANT for name in dataset.classes
        }
    else:
        mapping = task
    missing = [name for name in dataset.classes if name not in mapping]
    if missing:
        raise UsageError(
            f"The task does not say what the class {missing[0]} becomes: add it to [task] in the "
            "protocol."
        )
    if len({mapping[name] for name in dataset.classes}) < 2:
        raise UsageError("The task joins all classes into one: name two or more in [task].")
    return dataclasses.replace(
        dataset,
        records=tuple(
            dataclasses.replace(record, label=mapping[record.label]) for record in dataset.records
        ),
    )


def benign_class(dataset: Dataset) -> str:
    """The one class that is not malignant: as the catalogue or its name says, else a UsageError."""
    if dataset.catalog:
        named = get_entry(dataset.catalog).benign
        if named in dataset.classes:
            return named
    for name in dataset.classes:
        if name.casefold() in ("benign", "normal", "healthy"):
            return name
    raise UsageError(
        "`task=benign-malignant` needs a class named Benign, Normal or Healthy: rename the folder, "
        "or map the classes in the protocol's [task]."
    )
