"""The run folder: what a run leaves behind, and how it is read again.

Everything that scores, tabulates, draws or judges reads a run through `RunFolder`; it needs neither
the images nor TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from leukbench.errors import DataError
from leukbench.score.trials import TrialPredictions

SCHEMA_VERSION = 1
STATUSES = ("ok", "failed", "timeout", "out-of-memory", "degenerate")
SCORED = ("ok", "degenerate")
PROBABILITY_PREFIX = "p_"
IMPORTANCE = "explanation.csv"
HEAT_MAPS = "explanation.npz"


class PublishedValues(BaseModel):
    """Values that a paper prints for a model, as printed.

    Attributes
    ----------
    accuracy, precision, recall, specificity, f1 : str
        As in the paper's table; empty where it has none.
    source : str
        Paper and table.
    same_data : bool
        Whether the value was measured on the dataset of the paper itself.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    accuracy: str = ""
    precision: str = ""
    recall: str = ""
    specificity: str = ""
    f1: str = ""
    source: str = ""
    same_data: bool = False


class TrialRecord(BaseModel):
    """One trial's ``record.json``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA_VERSION
    leukbench_version: str
    key: str
    identity: dict[str, Any]
    model: str
    title: str
    family: str
    reference: str = ""
    recipe: str = ""
    published: PublishedValues | None = None
    departures: tuple[str, ...] = ()
    fold: int
    seed: int
    status: str
    reason: str = ""
    traceback: str = ""
    fit_seconds: float | None = None
    predict_seconds: float | None = None
    predict_ms_per_image: float | None = None
    total_seconds: float | None = None
    peak_memory_mb: float | None = None
    parameters: int | None = None
    flops: int | None = None
    precision: str = ""
    threads: int | None = None
    jobs: int | None = None
    epochs_run: int | None = None
    n_train: int = 0
    n_validation: int = 0
    n_test: int = 0
    layers: list[dict[str, Any]] | None = None
    explanation: str = ""
    started: str = ""
    machine: str = ""
    files: dict[str, str] = {}

    @property
    def scored(self) -> bool:
        """Whether the trial left predictions."""
        return self.status in SCORED

    @property
    def name(self) -> str:
        """The trial in words, for messages."""
        return f"{self.model}, fold {self.fold}, seed {self.seed}"


@dataclass(frozen=True)
class HeatMaps:
    """Where in some test images a network looked; the images themselves are not stored.

    Attributes
    ----------
    images : tuple of str
        Paths relative to the dataset's folder.
    labels, predicted : tuple of str
        True and predicted class of each.
    probability : tuple of float
        Of the predicted class.
    heat : numpy.ndarray of uint8, shape (images, height, width)
        As large as the preprocessed image; 255 is the most in its image.
    """

    images: tuple[str, ...]
    labels: tuple[str, ...]
    predicted: tuple[str, ...]
    probability: tuple[float, ...]
    heat: NDArray[np.uint8]


class RunFolder:
    """A run on disk.

    Parameters
    ----------
    path : Path
        Folder that holds ``run.json``.

    Raises
    ------
    DataError
        Where it is no run folder, or one that a newer leukbench wrote.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        if not (self.path / "run.json").is_file():
            raise DataError(
                f"{self.path} is no run folder (it has no run.json): name a folder that run-all made."
            )
        version = self.run.get("schema_version", 0)
        if version > SCHEMA_VERSION:
            raise DataError(
                f"{self.path / 'run.json'} was written by a newer leukbench (schema {version}): "
                "update leukbench to read it."
            )

    @cached_property
    def run(self) -> dict[str, Any]:
        """Content of ``run.json``."""
        return read_json(self.path / "run.json")

    @cached_property
    def audit(self) -> dict[str, Any] | None:
        """Content of ``audit.json``, if there is one."""
        path = self.path / "audit.json"
        return read_json(path) if path.is_file() else None

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the task, in the order of the probability columns."""
        return tuple(self.run["task_classes"])

    @property
    def synthetic(self) -> bool:
        """Whether the images were rendered."""
        return bool(self.run["dataset"]["synthetic"])

    @cached_property
    def split(self) -> pd.DataFrame:
        """Content of ``split.csv``."""
        return read_split(self.path / "split.csv")

    @cached_property
    def records(self) -> list[TrialRecord]:
        """Records of all trials, sorted by family order of the run, fold and seed."""
        found = [read_record(path) for path in sorted((self.path / "trials").glob("*/record.json"))]
        order = {name: number for number, name in enumerate(self.run.get("models", ()))}
        return sorted(
            found, key=lambda r: (order.get(r.model, len(order)), r.model, r.fold, r.seed)
        )

    def trial_path(self, record: TrialRecord) -> Path:
        """Folder of one trial."""
        return self.path / "trials" / record.key

    def predictions(self, record: TrialRecord) -> pd.DataFrame:
        """Stored predictions of one trial.

        Raises
        ------
        DataError
            Where the file is missing or damaged.
        """
        path = self.trial_path(record) / "predictions.parquet"
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise _unreadable(path) from error

    def history(self, record: TrialRecord) -> pd.DataFrame | None:
        """Learning curve of one trial, or None where the model has none."""
        path = self.trial_path(record) / "history.csv"
        return pd.read_csv(path) if path.is_file() else None

    def importance(self, record: TrialRecord) -> pd.DataFrame | None:
        """Importance of groups of features, as `leukbench.explain.importance` measured it, or None.

        Raises
        ------
        DataError
            Where the file is damaged.
        """
        path = self.trial_path(record) / IMPORTANCE
        if IMPORTANCE not in record.files:
            return None
        try:
            table = pd.read_csv(path, dtype={"feature": str, "group": str})
            return table[["feature", "group", "drop", "drop_std", "accuracy", "images", "repeats"]]
        except (OSError, ValueError, KeyError) as error:
            raise _unreadable(path) from error

    def heat_maps(self, record: TrialRecord) -> HeatMaps | None:
        """Heat maps of a network on some test images, or None.

        Raises
        ------
        DataError
            Where the file is damaged.
        """
        path = self.trial_path(record) / HEAT_MAPS
        if HEAT_MAPS not in record.files:
            return None
        try:
            with np.load(path, allow_pickle=False) as stored:
                return HeatMaps(
                    images=tuple(stored["images"].tolist()),
                    labels=tuple(stored["labels"].tolist()),
                    predicted=tuple(stored["predicted"].tolist()),
                    probability=tuple(stored["probability"].tolist()),
                    heat=stored["heat"],
                )
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


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; a damaged file is named."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}): remove it and run again.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} holds no JSON object: remove it and run again.")
    return value


def read_record(path: Path) -> TrialRecord:
    """Read one ``record.json``; a damaged file is named."""
    try:
        return TrialRecord.model_validate(read_json(path))
    except ValidationError as error:
        key = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise DataError(
            f"{path} does not fit (key {key}): remove its folder and run run-all again."
        ) from error


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def probability_columns(classes: tuple[str, ...]) -> list[str]:
    """Names of the probability columns of stored predictions."""
    return [PROBABILITY_PREFIX + name for name in classes]
