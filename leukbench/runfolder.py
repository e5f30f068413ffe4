"""The run folder: what a run leaves behind, and how it is read again.

Everything that scores, tabulates, draws or judges reads a run through `RunFolder`; it needs neither
the images nor TensorFlow.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leukbench.audit.findings import AuditReport
from leukbench.errors import DataError, UsageError, did_you_mean, require_file
from leukbench.records import (
    LEAKY,
    REPLAY,
    REPLAY_FILE,
    RunDescription,
    TrialRecord,
    read_record,
    read_stored,
)
from leukbench.score import BENIGN
from leukbench.score.arrays import TrialPredictions

IMPORTANCE = "explanation.csv"
HEAT_MAPS = "explanation.npz"
PREDICTIONS = "predictions.parquet"
HISTORY = "history.csv"
WHOLE_FEATURE = "all of it"
"""Group of ``explanation.csv`` that holds all columns of a feature."""


@dataclass(frozen=True)
class HeatMaps:
    """Where in some test images a network looked; the images themselves are not stored."""

    images: tuple[str, ...]
    """Paths relative to the dataset's folder."""
    labels: tuple[str, ...]
    predicted: tuple[str, ...]
    """True and predicted class of each."""
    probability: tuple[float, ...]
    """Of the predicted class."""
    heat: NDArray[np.uint8]
    """Shape (images, height, width), as large as the preprocessed image; 255 is the most in it."""


class RunFolder:
    """A run on disk; `DataError` where it is no run folder, or one that a newer leukbench wrote."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._require()
        _ = self.run  # a description that does not fit is refused here

    def _require(self) -> None:
        refuse_replay(self.path)
        if not (self.path / "run.json").is_file():
            raise DataError(
                f"{self.path} is no run folder (it has no run.json): name a folder that run-all made."
            )

    @cached_property
    def run(self) -> RunDescription:
        """Content of ``run.json``."""
        return read_stored(self.path / "run.json", RunDescription, "name another run folder")

    @cached_property
    def audit(self) -> AuditReport | None:
        """Content of ``audit.json``, if there is one; `DataError` where it does not fit."""
        path = self.path / "audit.json"
        if not path.is_file():
            return None
        return read_stored(path, AuditReport, "remove it and run the audit again")

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the task, in the order of the probability columns."""
        return self.run.task_classes

    @property
    def benign(self) -> str | None:
        """The class of the task that is not malignant; None where it is not known."""
        named = (self.run.dataset.benign, BENIGN)
        return next((name for name in named if name in self.classes), None)

    @property
    def synthetic(self) -> bool:
        """Whether the images were rendered."""
        return self.run.dataset.synthetic

    @cached_property
    def split(self) -> pd.DataFrame:
        """Content of ``split.csv``."""
        return read_split(self.path / "split.csv")

    @cached_property
    def partnered(self) -> dict[int, set[str]]:
        """Test images of each fold with a partner in its training; empty without an audit."""
        folds = self.audit.split if self.audit else ()
        tested = self.split.query("part == 'test'").groupby("fold")["image"].agg(set)
        return {fold.fold: tested[fold.fold] - set(fold.clean) for fold in folds}

    @cached_property
    def records(self) -> list[TrialRecord]:
        """Records of all trials, sorted by family order of the run, fold and seed."""
        self._require()  # a relative path no longer leads here after a change of folder
        paths = sorted((self.path / "trials").glob("*/record.json"))
        order = {name: number for number, name in enumerate(self.run.models)}
        return sorted(
            map(read_own, paths),
            key=lambda r: (order.get(r.model, len(order)), r.model, r.fold, r.seed),
        )

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that were tried, in the order of the run."""
        return tuple(dict.fromkeys(record.model for record in self.records))

    def records_of(self, model: str) -> list[TrialRecord]:
        """Records of the trials of one model; `UsageError` where there are none."""
        if model not in self.models:
            raise UsageError(
                f"{self.path} has no model {model!r}{did_you_mean(model, self.models)}: "
                f"take one of {', '.join(self.models)}."
            )
        return [record for record in self.records if record.model == model]

    def trial_path(self, record: TrialRecord) -> Path:
        """Folder of one trial."""
        return self.path / "trials" / record.key

    def predictions(self, record: TrialRecord, *, checked: bool = True) -> pd.DataFrame:
        """Stored predictions of one trial; `DataError` where the file is missing or damaged.

        Not `checked`, they are read whatever their sha256 is, to see in what they differ.
        """
        return read_table(self.trial_path(record), record if checked else None, PREDICTIONS)

    def history(self, record: TrialRecord) -> pd.DataFrame | None:
        """Learning curve of one trial, or None where the model has none."""
        if HISTORY not in record.files:
            return None
        content = stored_bytes(self.trial_path(record), record, HISTORY)
        try:
            return pd.read_csv(io.BytesIO(content))
        except ValueError as error:
            raise _unreadable(self.trial_path(record) / HISTORY) from error

    def importance(self, record: TrialRecord) -> pd.DataFrame | None:
        """Importance of groups of features, as `leukbench.explain.importance` measured it, or None."""
        path = self.trial_path(record) / IMPORTANCE
        if IMPORTANCE not in record.files:
            return None
        content = io.BytesIO(stored_bytes(path.parent, record, IMPORTANCE))
        try:
            table = pd.read_csv(content, dtype={"feature": str, "group": str})
            return table[["feature", "group", "drop", "drop_std", "accuracy", "images", "repeats"]]
        except (OSError, ValueError, KeyError) as error:
            raise _unreadable(path) from error

    def heat_maps(self, record: TrialRecord) -> HeatMaps | None:
        """Heat maps of a network on some test images, or None."""
        path = self.trial_path(record) / HEAT_MAPS
        if HEAT_MAPS not in record.files:
            return None
        content = io.BytesIO(stored_bytes(path.parent, record, HEAT_MAPS))
        try:
            with np.load(content, allow_pickle=False) as stored:
                columns = ("images", "labels", "predicted", "probability")
                values = {name: tuple(stored[name].tolist()) for name in columns}
                return HeatMaps(**values, heat=stored["heat"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise _unreadable(path) from error

    def trials(self) -> list[TrialPredictions]:
        """Predictions of all trials that have some."""
        return [
            TrialPredictions(
                model=record.model,
                title=record.title,
                family=record.family,
                fold=record.fold,
                seed=record.seed,
                status=record.status,
                frame=self.predictions(record),
                n_train=record.n_train,
            )
            for record in self.records
            if record.scored
        ]


def refuse_replay(path: Path) -> None:
    """Raise a `UsageError` where a folder holds replays of mistakes: their numbers are no results."""
    if (Path(path) / REPLAY_FILE).is_file():
        raise UsageError(
            f"{path} holds {LEAKY} replays of known mistakes, which are never ranked, compared or "
            "exported: name a folder that run-all made."
        )


def read_own(path: Path) -> TrialRecord:
    """Read the record of a run's own trial; one that strayed in from a replay is refused."""
    record = read_record(path)
    if REPLAY in record.identity or path.parent.name.startswith(LEAKY):
        raise DataError(
            f"{path.parent} is a trial of a {LEAKY} replay and no part of a run: remove it."
        )
    return record


def stored_bytes(folder: Path, record: TrialRecord, name: str) -> bytes:
    """Content of a trial's file, which has the sha256 that stands in its record, or a `DataError`."""
    path = folder / name
    try:
        require_file(path)
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path) from error
    if hashlib.sha256(content).hexdigest() != record.files.get(name):
        raise DataError(
            f"{path} is not the file that was stored (its sha256 is not the one in record.json): "
            "remove its folder and run run-all again."
        )
    return content


def read_table(folder: Path, record: TrialRecord | None, name: str) -> pd.DataFrame:
    """Read a parquet file of a trial, checked against its record where one is given."""
    path = folder / name
    content = path if record is None else io.BytesIO(stored_bytes(folder, record, name))
    try:
        return pd.read_parquet(content)
    except Exception as error:  # pyarrow and pandas raise whatever the damaged content leads to
        raise _unreadable(path) from error


def _unreadable(path: Path) -> DataError:
    return DataError(f"{path} cannot be read: remove its folder and run run-all again.")


def read_split(path: Path) -> pd.DataFrame:
    """Read a ``split.csv``; names that look like numbers or missing values stay text."""
    text = ("part", "image", "sha256", "label", "group")
    try:
        return pd.read_csv(
            path, dtype={"fold": int} | dict.fromkeys(text, str), keep_default_na=False
        )
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}): run run-all again.") from error
