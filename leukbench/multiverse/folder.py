"""The folder of a multiverse: its definition, one JSON record, and the predictions of all trials.

``predictions.npz`` holds, for each test part, names, true classes and groups of its images once, and one
row of predicted classes a trial. All tables follow from it, without images and without run folders.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from leukbench.errors import DataError
from leukbench.files import write_bytes, write_text
from leukbench.multiverse.definition import Defined, Universe, defined, parse_definition
from leukbench.protocol import OptionValue, Protocol
from leukbench.records import (
    SCHEMA_VERSION,
    DatasetDescription,
    Environment,
    Status,
    file_sha256,
    read_stored,
)
from leukbench.score.arrays import TrialPredictions, probability_columns
from leukbench.trials.store import write_json

DEFINITION, RECORD, PREDICTIONS = "multiverse.toml", "multiverse.json", "predictions.npz"
RUNS = "universes"
"""Folder of the run folders, which the tables do not need."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StoredModel(_Record):
    """How a model is called in tables."""

    title: str
    family: str


class StoredTest(_Record):
    """A test part of some universes: whose images, under which split and task."""

    dataset_fingerprint: str
    fold_sha256: str
    """sha256 of what the fold trains, validates and tests on."""
    fold: int
    classes: tuple[str, ...]
    """In the order of the numbers of ``predictions.npz``."""
    images: int


class StoredTrial(_Record):
    """A trial of one or more universes."""

    model: str
    seed: int
    fold: int
    status: Status
    reason: str = ""
    n_train: int = 0
    test: str = ""
    """Which test part; empty where it left no predictions."""
    predictions_sha256: str = ""
    """Of the ``predictions.parquet`` of its run folder."""
    identity: dict[str, Any]
    """All that the predictions depend on; its sha256 is the trial's key."""


class StoredUniverse(_Record):
    """A universe, its trials by key, and why there are none."""

    name: str
    choices: dict[str, OptionValue]
    protocol_fingerprint: str = ""
    dataset_fingerprint: str = ""
    split_sha256: str = ""
    trials: tuple[str, ...] = ()
    fault: str = ""


class MultiverseRecord(_Record):
    """Content of ``multiverse.json``."""

    schema_version: int = SCHEMA_VERSION
    leukbench_version: str
    created: str = ""
    """Date and time of the beginning, UTC."""
    base: Protocol
    """The protocol that is varied, in full."""
    datasets: dict[str, DatasetDescription]
    """The copies of the images, by fingerprint."""
    models: dict[str, StoredModel]
    tests: dict[str, StoredTest]
    universes: tuple[StoredUniverse, ...]
    trials: dict[str, StoredTrial]
    """By key."""
    predictions_sha256: str
    """Of ``predictions.npz``."""
    environment: Environment


@dataclass(frozen=True)
class TestPart:
    """Images of a test part in the order of their names, and what each trial predicts.

    `truth` and each of `predicted` are positions in the test part's classes; `groups` are numbers of the
    patient or cluster of duplicates and overlaps, the same in all test parts of one copy of the images.
    """

    __test__ = False  # no test of pytest's

    images: NDArray[np.str_]
    truth: NDArray[np.uint16]
    groups: NDArray[np.int32]
    predicted: Mapping[str, NDArray[np.uint16]]


def test_part(
    frames: Mapping[str, pd.DataFrame], classes: Sequence[str], groups: Mapping[str, int]
) -> TestPart:
    """Gather the stored predictions of trials on one test part, by key."""
    first = next(iter(frames.values())).sort_values("image")
    images = first["image"].to_numpy(dtype=np.str_)
    index = pd.Index(classes)
    predicted = {}
    for key, frame in sorted(frames.items()):
        ordered = frame.set_index("image").loc[images, "y_pred"]
        predicted[key] = index.get_indexer(pd.Index(ordered)).astype(np.uint16)
    return TestPart(
        images=images,
        truth=index.get_indexer(pd.Index(first["y_true"])).astype(np.uint16),
        groups=np.array([groups[image] for image in images.tolist()], dtype=np.int32),
        predicted=predicted,
    )


def packed(parts: Mapping[str, TestPart]) -> bytes:
    """The content of ``predictions.npz``; the same parts give the same bytes."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, part in sorted(parts.items()):
        arrays[f"{name}/images"] = part.images
        arrays[f"{name}/truth"] = part.truth
        arrays[f"{name}/groups"] = part.groups
        arrays[f"{name}/trials"] = np.array(sorted(part.predicted), dtype=np.str_)
        arrays[f"{name}/predicted"] = np.array(
            [part.predicted[key] for key in sorted(part.predicted)], dtype=np.uint16
        )
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def unpacked(path: Path, names: Sequence[str]) -> dict[str, TestPart]:
    """Read a ``predictions.npz``; `DataError` where it does not hold these test parts."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {
                name: TestPart(
                    images=stored[f"{name}/images"],
                    truth=stored[f"{name}/truth"],
                    groups=stored[f"{name}/groups"],
                    predicted=dict(
                        zip(
                            stored[f"{name}/trials"].tolist(),
                            stored[f"{name}/predicted"],
                            strict=True,
                        )
                    ),
                )
                for name in names
            }
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read ({error}): run leukbench multiverse again."
        ) from error


class MultiverseFolder:
    """A multiverse on disk; `DataError` where there is none."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        if not (self.path / RECORD).is_file():
            raise DataError(f"{path} holds no multiverse: name a folder that multiverse made.")
        self.record = read_stored(
            self.path / RECORD, MultiverseRecord, "run leukbench multiverse again"
        )

    @cached_property
    def defined(self) -> Defined:
        """The definition of ``multiverse.toml`` with the stored base protocol."""
        try:
            text = (self.path / DEFINITION).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{self.path / DEFINITION} cannot be read ({error}).") from error
        return defined(parse_definition(text, DEFINITION), text, self.record.base)

    @property
    def universes(self) -> tuple[tuple[Universe, StoredUniverse], ...]:
        """Each universe as it is defined and as it was run; DataError where these do not fit."""
        both = self.defined.universes, self.record.universes
        if [one.name for one in both[0]] != [one.name for one in both[1]]:
            raise DataError(
                f"{self.path / DEFINITION} spans other universes than {RECORD} holds: run leukbench "
                "multiverse again."
            )
        return tuple(zip(*both, strict=True))

    @property
    def synthetic(self) -> bool:
        """Whether any images were rendered."""
        return any(one.synthetic for one in self.record.datasets.values())

    @cached_property
    def parts(self) -> dict[str, TestPart]:
        """The test parts by name."""
        return unpacked(self.path / PREDICTIONS, list(self.record.tests))

    @cached_property
    def predictions(self) -> dict[str, TrialPredictions]:
        """Every trial that left predictions, by key, as scores read it."""
        return {
            key: self._predictions(key, trial)
            for key, trial in self.record.trials.items()
            if trial.test
        }

    def _predictions(self, key: str, trial: StoredTrial) -> TrialPredictions:
        part, classes = self.parts[trial.test], self.record.tests[trial.test].classes
        model, names = self.record.models[trial.model], np.array(classes)
        frame = pd.DataFrame(
            {
                "image": part.images,
                "y_true": names[part.truth],
                "y_pred": names[part.predicted[key]],
            }
        )
        frame[probability_columns(classes)] = np.nan  # not kept: tables here are of classes
        return TrialPredictions(
            model=trial.model,
            title=model.title,
            family=model.family,
            fold=trial.fold,
            seed=trial.seed,
            status=trial.status,
            frame=frame,
            n_train=trial.n_train,
        )

    def groups(self, universe: StoredUniverse) -> dict[str, str]:
        """Group of each test image of a universe."""
        tests = {self.record.trials[key].test for key in universe.trials} - {""}
        return {
            image: str(group)
            for test in sorted(tests)
            for image, group in zip(
                self.parts[test].images.tolist(), self.parts[test].groups.tolist(), strict=True
            )
        }


def write_folder(
    path: Path, text: str, record: MultiverseRecord, parts: Mapping[str, TestPart]
) -> MultiverseFolder:
    """Write definition, predictions and record of a multiverse."""
    write_bytes(path / PREDICTIONS, packed(parts))
    digest = file_sha256(path / PREDICTIONS)
    write_text(path / DEFINITION, text)
    write_json(
        path / RECORD,
        record.model_copy(update={"predictions_sha256": digest}).model_dump(mode="json"),
    )
    return MultiverseFolder(path)
