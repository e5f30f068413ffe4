"""What a run folder and a trial's child process hold, as typed records.

One definition serves whoever writes them, whoever reads them, and the tests. A file that does not fit
is refused in one sentence; keys that a later version added are ignored, and keys that an earlier one
did not write have defaults, so that old run folders load.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leukbench.errors import DataError, shortened
from leukbench.protocol import Protocol

SCHEMA_VERSION = 1
SCORED = ("ok", "degenerate")
"""States of a trial that left predictions."""
LEAKY = "LEAKY"
"""Stands in every cell, table, picture and name of what was measured with a known mistake."""
REPLAY = "replay"
"""Key of a trial's identity that names its training where it is part of a replay, and of no run."""
REPLAY_FILE = "replay.json"
"""What a folder of replays has instead of ``run.json``."""
OUTSIDE = "outside"
"""Key of a trial's identity that says where its predictions come from, where no training made them."""
NO_PROBABILITIES = "no_probabilities"
"""Key of such an identity: whether classes alone were given."""
Status = Literal["ok", "failed", "timeout", "out-of-memory", "degenerate"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class PublishedValues(_Record):
    """Values that a paper prints for a model, as printed; empty where it prints none."""

    accuracy: str = ""
    """Character by character, whether percent or fraction."""
    precision: str = ""
    """Likewise."""
    recall: str = ""
    """Likewise."""
    specificity: str = ""
    """Likewise."""
    f1: str = ""
    """Likewise."""
    source: str = ""
    """Paper and table."""
    same_data: bool = False
    """Whether it was measured on the data set of the paper itself."""


class Job(_Record):
    """What a child process is told: one trial, as planned, and where its inputs lie."""

    leukbench_version: str
    key: str
    model: str
    family: str
    framework: str
    adapter_version: int
    seed: int
    parameters: dict[str, Any]
    """Arguments of the model's factory."""
    images: Path
    """Array of the images (uint8, shape (n, height, width, channels)) or of a probe's features."""
    fold_file: Path
    """``.npz`` with ``train``, ``validation``, ``test`` (indices), ``labels``, ``classes``,
    ``paths``, and ``scored`` where others than ``test`` are predicted."""
    workdir: Path
    """Where predictions and learning curve are left."""
    threads: int
    device: str = ""
    """Name of the GPU that a network is trained on; empty for the processor."""
    save_model: bool = False
    explain: bool = False
    every_epoch: bool = False
    """Leave the classes that a network predicts after each epoch too."""


class Outcome(_Record):
    """How a trial ended, and what was measured of it."""

    status: Status
    """``degenerate``: no better than the majority class, one class predicted, or a loss that is NaN."""
    reason: str = ""
    """Why it failed or is degenerate."""
    traceback: str = ""
    """Of the error, where there was one."""
    recipe: str = ""
    """How the model is trained, as the code says that trained it; empty for probes."""
    departures: tuple[str, ...] = ()
    """Differences from the model's publication."""
    fit_seconds: float | None = None
    """Training."""
    predict_seconds: float | None = None
    """Prediction of the test part."""
    predict_ms_per_image: float | None = None
    """Milliseconds."""
    total_seconds: float | None = None
    """The whole trial."""
    peak_memory_mb: float | None = None
    """Largest resident memory of the process, MiB."""
    parameters: int | None = None
    """Trained numbers of the model."""
    flops: int | None = None
    """Floating-point operations of one image."""
    threads: int | None = None
    """Cores of the trial."""
    device: str = ""
    """Name of the GPU that a network was trained on; empty for the processor."""
    jobs: int | None = None
    """Trials that ran side by side."""
    epochs_run: int | None = None
    """Epochs that a network was trained for."""
    n_train: int = 0
    """Images that it was trained on."""
    n_validation: int = 0
    """Images set aside for early stopping and calibration."""
    n_test: int = 0
    """Images that it was tested on."""
    layers: list[dict[str, Any]] | None = None
    """Layers of a network, for the figure of its architecture."""
    explanation: str = ""
    """Why there is no explanation, in one sentence."""
    machine: str = ""
    """`leukbench.machine.machine_id` of where it ran."""

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
    """Which trial it is; comes first in ``record.json``."""

    schema_version: int = SCHEMA_VERSION
    """Version of this format."""
    leukbench_version: str
    """What wrote it."""
    key: str
    """sha256 of `identity`, and the name of the trial's folder."""
    identity: dict[str, Any]
    """All that the predictions depend on."""
    model: str
    """Name of the model."""
    title: str
    """Its name in tables."""
    family: str
    """deep, classical, ensemble, control, reference or probe."""
    fold: int
    """Fold of the split, from 0."""
    seed: int
    """Seed of the training."""


class TrialRecord(Outcome, _Trial):
    """One trial's ``record.json``: which trial it is, how it ended, and the hashes of its files."""

    reference: str = ""
    """Where the model was first described."""
    published: PublishedValues | None = None
    """What a paper prints for the model."""
    precision: str = ""
    """What a network was trained in: ``float32`` or ``mixed_bfloat16``."""
    started: str = ""
    """Date and time, UTC."""
    files: dict[str, str] = {}
    """sha256 of every other file of the trial."""

    @property
    def name(self) -> str:
        """The trial in words, for messages."""
        return f"{self.model}, fold {self.fold}, seed {self.seed}"


class SkippedFile(_Record):
    """A file that was left out because it could not be read."""

    path: str
    """Below the folder of the data set."""
    reason: str
    """What was wrong with it."""


class DatasetDescription(_Record):
    """What a run says of its images."""

    name: str
    """Short name: a known one, else the folder's."""
    title: str = ""
    """Name for people."""
    catalog: str | None = None
    """Name in the catalogue, where the images are a known data set."""
    fingerprint: str
    """sha256 of path, label, group and content of every image."""
    images: int
    """How many there are."""
    classes: tuple[str, ...]
    """Names of the class folders."""
    counts: dict[str, int]
    """Images of each class."""
    benign: str = ""
    """The class that is not malignant; empty where that is not known."""
    synthetic: bool = False
    """Whether the images were rendered."""
    licence: str = ""
    """Terms of a known data set."""
    citation: str = ""
    """What to cite for it."""
    group_kind: str = "proxy"
    """``patient`` where groups were given, ``proxy`` where the audit's clusters stand for them."""
    skipped: tuple[SkippedFile, ...] = ()
    """Files that were left out."""
    notes: tuple[str, ...] = ()
    """How the folder was understood, where that is not plain, in sentences."""


class Environment(_Record):
    """Where a run happened."""

    python: str
    """Version of Python."""
    packages: dict[str, str]
    """Versions of the libraries."""
    cpu: str
    """Processor."""
    cpu_features: tuple[str, ...] = ()
    """Those that decide the speed of matrix products."""
    bfloat16_speedup: dict[str, float] = {}
    """How many times as fast as float32, by kind of layer, as measured on this machine."""
    cores: int
    """Cores that leukbench may use."""
    memory_gb: float
    """GiB."""
    os: str = ""
    """Operating system."""
    machine: str = ""
    """Equal where times may be compared."""
    git_commit: str = ""
    """Commit of leukbench, where it ran from a clone."""


class Outside(_Record):
    """Where the predictions of a run come from that trained nothing."""

    kind: Literal["predictions", "external"]
    """Tables of another program, or the saved models of a run on other images."""
    sources: tuple[str, ...]
    """Names of the tables, or of the run's folder."""


class RunDescription(_Record):
    """Content of ``run.json``: what was run, on which images, under which protocol, and where."""

    schema_version: int = SCHEMA_VERSION
    """Version of this format."""
    leukbench_version: str
    """What wrote it."""
    command: str = ""
    """What was typed, without the folders."""
    created: str = ""
    """Date and time, UTC."""
    dataset_fingerprint: str
    """Numbers of two runs are comparable where this and the next two are equal."""
    protocol_fingerprint: str
    """sha256 of all in the protocol that decides what may be compared."""
    split_sha256: str
    """sha256 of what each fold trains, validates and tests on."""
    task_classes: tuple[str, ...] = Field(min_length=1)
    """Classes of the task, in the order of the probability columns."""
    models: tuple[str, ...] = ()
    """All registered models and probes, in the order of the tables."""
    dataset: DatasetDescription
    """The images."""
    protocol: Protocol
    """The protocol in full."""
    environment: Environment
    """The machine."""
    outside: Outside | None = None
    """Set where the predictions were not made by trainings of this run."""

    def differs_in(self, other: RunDescription) -> Literal["protocol", "dataset", "split"] | None:
        """What keeps two runs from being compared, or None: the one rule, for all who ask.

        Numbers are comparable where protocol, images and split are the same.
        """
        if self.protocol_fingerprint != other.protocol_fingerprint:
            return "protocol"
        if self.dataset_fingerprint != other.dataset_fingerprint:
            return "dataset"
        return "split" if self.split_sha256 != other.split_sha256 else None

    def differs_beside_split(self, other: RunDescription) -> Literal["protocol", "dataset"] | None:
        """What besides split and audit keeps two runs from being compared, or None."""
        own, others = (
            {k: v for k, v in run.protocol.comparable().items() if k not in ("split", "audit")}
            for run in (self, other)
        )
        if own != others:
            return "protocol"
        return "dataset" if self.dataset_fingerprint != other.dataset_fingerprint else None


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
        value = "" if first["type"] == "missing" else f" is {shortened(first['input'])}"
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


def is_plain_name(name: str) -> bool:
    """Whether the name of a stored file stays below its folder: no ``..``, no absolute path."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
