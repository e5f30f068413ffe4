"""What a run folder and a trial's child process hold, as typed records.

One definition serves whoever writes them, whoever reads them, and the tests. A file that does not fit
is refused in one sentence; keys that a later version added are ignored, and keys that an earlier one
did not write have defaults, so that old run folders load.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leukbench.errors import DataError
from leukbench.protocol import Protocol

SCHEMA_VERSION = 1
SCORED = ("ok", "degenerate")
"""States of a trial that left predictions."""

Status = Literal["ok", "failed", "timeout", "out-of-memory", "degenerate"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class PublishedValues(_Record):
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

    accuracy: str = ""
    precision: str = ""
    recall: str = ""
    specificity: str = ""
    f1: str = ""
    source: str = ""
    same_data: bool = False


class Job(_Record):
    """What a child process is told: one trial, and where its inputs lie.

    Attributes
    ----------
    key, model, family, framework, adapter_version, seed, parameters
        As planned; `parameters` are the arguments of the model's factory.
    images : Path
        Array of the images (uint8, shape (n, height, width, channels)) or of a probe's features.
    fold_file : Path
        ``.npz`` with ``train``, ``validation``, ``test`` (indices), ``labels``, ``classes``, ``paths``.
    workdir : Path
        Where predictions and learning curve are left.
    threads : int
        Cores that the trial may keep busy.
    save_model : bool
        Keep the fitted model.
    explain : bool
        Look into what the model goes by.
    """

    leukbench_version: str
    key: str
    model: str
    family: str
    framework: str
    adapter_version: int
    seed: int
    parameters: dict[str, Any]
    images: Path
    fold_file: Path
    workdir: Path
    threads: int
    save_model: bool = False
    explain: bool = False


class Outcome(_Record):
    """How a trial ended, and what was measured of it.

    Attributes
    ----------
    status : str
        ``ok``, ``failed``, ``timeout``, ``out-of-memory`` or ``degenerate``.
    reason, traceback : str
        Why it failed or is degenerate.
    recipe : str
        How the model is trained, as the code says that trained it; empty for probes.
    departures : tuple of str
        Differences from the model's publication.
    fit_seconds : float or None
        Training.
    predict_seconds : float or None
        Prediction of the test part.
    total_seconds : float or None
        The whole trial.
    predict_ms_per_image : float or None
        Milliseconds.
    peak_memory_mb : float or None
        Largest resident memory of the process, MiB.
    parameters : int or None
        Trained numbers of the model.
    flops : int or None
        Floating-point operations of one image.
    threads : int or None
        Cores of the trial.
    jobs : int or None
        Trials that ran side by side.
    epochs_run : int or None
        Epochs that a network was trained for.
    n_train, n_validation, n_test : int
        Images of each part.
    layers : list of dict or None
        Layers of a network, for the figure of its architecture.
    explanation : str
        Why there is no explanation, in one sentence.
    machine : str
        `leukbench.machine.machine_id` of where it ran.
    """

    status: Status
    reason: str = ""
    traceback: str = ""
    recipe: str = ""
    departures: tuple[str, ...] = ()
    fit_seconds: float | None = None
    predict_seconds: float | None = None
    predict_ms_per_image: float | None = None
    total_seconds: float | None = None
    peak_memory_mb: float | None = None
    parameters: int | None = None
    flops: int | None = None
    threads: int | None = None
    jobs: int | None = None
    epochs_run: int | None = None
    n_train: int = 0
    n_validation: int = 0
    n_test: int = 0
    layers: list[dict[str, Any]] | None = None
    explanation: str = ""
    machine: str = ""

    @property
    def scored(self) -> bool:
        """Whether the trial left predictions."""
        return self.status in SCORED


class Epoch(_Record):
    """What a network tells while it trains: epochs done and to do, and the values of the last one."""

    epoch: int
    epochs: int
    loss: float
    accuracy: float
    val_loss: float = float("nan")
    val_accuracy: float = float("nan")


class _Trial(_Record):
    """Which trial it is; comes first in ``record.json``.

    Attributes
    ----------
    schema_version, leukbench_version
        Version of this format, and of what wrote it.
    key : str
        sha256 of `identity`.
    identity : dict
        All that the predictions depend on.
    model, title, family : str
        As registered.
    fold, seed : int
        Fold of the split, and seed of the training.
    """

    schema_version: int = SCHEMA_VERSION
    leukbench_version: str
    key: str
    identity: dict[str, Any]
    model: str
    title: str
    family: str
    fold: int
    seed: int


class TrialRecord(Outcome, _Trial):
    """One trial's ``record.json``: which trial it is, how it ended, and the hashes of its files.

    Attributes
    ----------
    reference : str
        Where the model was first described.
    published : PublishedValues or None
        What a paper prints for the model.
    precision : str
        What a network was trained in: ``float32`` or ``mixed_bfloat16``.
    started : str
        Date and time, UTC.
    files : dict of str to str
        sha256 of every other file of the trial.
    """

    reference: str = ""
    published: PublishedValues | None = None
    precision: str = ""
    started: str = ""
    files: dict[str, str] = {}

    @property
    def name(self) -> str:
        """The trial in words, for messages."""
        return f"{self.model}, fold {self.fold}, seed {self.seed}"


class SkippedFile(_Record):
    """A file that was left out because it could not be read.

    Attributes
    ----------
    path, reason : str
        Path below the dataset's folder, and what was wrong with it.
    """

    path: str
    reason: str


class DatasetDescription(_Record):
    """What a run says of its images.

    Attributes
    ----------
    name, title : str
        Short name, and name for people.
    catalog : str or None
        Name in the catalogue, where the images are a known dataset.
    fingerprint : str
        sha256 of path, label, group and content of every image.
    images : int
        How many there are.
    classes : tuple of str
        Names of the class folders.
    counts : dict of str to int
        Images of each class.
    benign : str
        The class that is not malignant; empty where that is not known.
    synthetic : bool
        Whether the images were rendered.
    licence, citation : str
        Terms of a known dataset, and what to cite.
    group_kind : str
        ``patient`` where groups were given, ``proxy`` where the audit's clusters stand for them.
    skipped : tuple of SkippedFile
        Files that were left out.
    """

    name: str
    title: str = ""
    catalog: str | None = None
    fingerprint: str
    images: int
    classes: tuple[str, ...]
    counts: dict[str, int]
    benign: str = ""
    synthetic: bool = False
    licence: str = ""
    citation: str = ""
    group_kind: str = "proxy"
    skipped: tuple[SkippedFile, ...] = ()


class Environment(_Record):
    """Where a run happened.

    Attributes
    ----------
    python : str
        Version of Python.
    packages : dict of str to str
        Versions of the libraries.
    cpu, os : str
        Processor and operating system.
    cpu_features : tuple of str
        Those that decide the speed of matrix products.
    bfloat16_speedup : dict
        How many times as fast as float32, by kind of layer, as measured on this machine.
    cores : int
        Cores that leukbench may use.
    memory_gb : float
        GiB.
    machine : str
        Equal where times may be compared.
    git_commit : str
        Commit of leukbench, where it ran from a clone.
    """

    python: str
    packages: dict[str, str]
    cpu: str
    cpu_features: tuple[str, ...] = ()
    bfloat16_speedup: dict[str, float] = {}
    cores: int
    memory_gb: float
    os: str = ""
    machine: str = ""
    git_commit: str = ""


class RunDescription(_Record):
    """Content of ``run.json``: what was run, on which images, under which protocol, and where.

    Attributes
    ----------
    schema_version, leukbench_version
        Version of this format, and of what wrote it.
    command, created : str
        What was typed, and when the run began.
    dataset_fingerprint, protocol_fingerprint, split_sha256 : str
        Numbers of two runs are comparable where all three are equal.
    task_classes : tuple of str
        Classes of the task, in the order of the probability columns.
    models : tuple of str
        All registered models and probes, in the order of the tables.
    dataset, protocol, environment
        Images, protocol and machine in full.
    """

    schema_version: int = SCHEMA_VERSION
    leukbench_version: str
    command: str = ""
    created: str = ""
    dataset_fingerprint: str
    protocol_fingerprint: str
    split_sha256: str
    task_classes: tuple[str, ...] = Field(min_length=1)
    models: tuple[str, ...] = ()
    dataset: DatasetDescription
    protocol: Protocol
    environment: Environment

    def differs_in(self, other: RunDescription) -> Literal["protocol", "dataset", "split"] | None:
        """What keeps two runs from being compared, or None: the one rule, for all who ask.

        Numbers are comparable where protocol, images and split are the same.
        """
        if self.protocol_fingerprint != other.protocol_fingerprint:
            return "protocol"
        if self.dataset_fingerprint != other.dataset_fingerprint:
            return "dataset"
        return "split" if self.split_sha256 != other.split_sha256 else None


RecordType = TypeVar("RecordType", bound=BaseModel)


def read_stored(path: Path, kind: type[RecordType], mend: str) -> RecordType:
    """Read a JSON file as a record.

    Parameters
    ----------
    mend : str
        What the user can do about a file that does not fit, for the error.

    Raises
    ------
    DataError
        Where the file cannot be read, is no JSON object, has a newer schema, or does not fit.
    """
    stored = read_json(path)
    version = stored.get("schema_version", SCHEMA_VERSION)
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise DataError(
            f"{path} was written by a newer leukbench (schema {version}): update leukbench to read it."
        )
    try:
        return kind.model_validate(stored)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        value = "" if first["type"] == "missing" else f" is {str(first['input'])[:40]!r}"
        raise DataError(f"{path} does not fit (key {key}{value}): {mend}.") from error


def read_record(path: Path) -> TrialRecord:
    """Read one ``record.json``; a damaged file is named."""
    return read_stored(path, TrialRecord, "remove its folder and run run-all again")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; a damaged file is named."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read ({error}): remove it and run again.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} holds no JSON object: remove it and run again.")
    return value


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
