"""Whether a stored run is what it says: every hash, every prediction, every cell of every table.

What is derived is derived again and compared. What can be counted is counted by code that shares
nothing with the code that scores: accuracies as fractions of whole numbers, supports as sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from leukbench.audit.audit import with_split
from leukbench.checks.verify_tables import Difference, check_tables
from leukbench.data.splits import (
    EMBARGO,
    NOT_TESTED,
    SPLIT_COLUMNS,
    fold_sha256,
    split_sha256,
)
from leukbench.errors import DataError, LeukbenchError
from leukbench.protocol import canonical_sha256
from leukbench.records import NO_PROBABILITIES, TrialRecord, file_sha256
from leukbench.runfolder import RunFolder, read_own
from leukbench.score.arrays import OUTSIDE_TOLERANCE, probability_columns

PARTS = ("train", "validation", "test")
SUM_TOLERANCE = 1e-5
"""How far a row of probabilities may be from one: what single precision leaves over many classes."""


def has_runs(path: Path) -> bool:
    """Whether a folder is a run folder or holds some."""
    return (path / "run.json").is_file() or any(path.glob("*/run.json"))


def run_folders(path: Path) -> list[Path]:
    """The run folder itself, or the run folders in it; DataError where there is none."""
    if (path / "run.json").is_file():
        return [path]
    found = sorted(file.parent for file in path.glob("*/run.json"))
    if not found:
        raise DataError(f"{path} is no run folder and holds none: name a folder that run-all made.")
    return found


def verify_run(path: Path, *, tables: bool = True) -> list[Difference]:
    """Name every difference in one run folder, with or without its tables; nothing is written to it.

    Raises
    ------
    DataError
        Where there is no ``run.json``.
    """
    try:
        folder = RunFolder(path)
    except LeukbenchError as error:
        if not (path / "run.json").is_file():
            raise
        return [Difference("run.json", _one_line(error))]
    differences: list[Difference] = []
    try:
        for check in (_check_split, _check_description, _check_audit):
            differences += check(folder)
    except (LeukbenchError, KeyError, TypeError) as error:
        return [*differences, Difference("run.json", f"does not fit: {_one_line(error)}")]
    places = sorted((path / "trials").glob("*"))
    records = []
    for place in places:
        try:
            record = read_own(place / "record.json")
        except LeukbenchError as error:
            differences.append(Difference(_name(path, place / "record.json"), _one_line(error)))
            continue
        records.append(record)
        differences += _check_record(folder, place, record)
        if record.scored:
            differences += _check_predictions(folder, place, record)
    trials = Counter((record.model, record.fold, record.seed) for record in records)
    for record in records:
        if trials[record.model, record.fold, record.seed] > 1:
            what = f"is one of several trials of {record.name}"
            differences.append(Difference(f"trials/{record.key}", what))
    if tables and len(records) == len(places):
        differences += check_tables(folder)
    return differences


def _check_split(folder: RunFolder) -> Iterator[Difference]:
    split = folder.split
    if list(split.columns) != list(SPLIT_COLUMNS):
        raise DataError(f"split.csv has the columns {', '.join(split.columns)}")
    folds = sorted(split["fold"].unique())
    if split_sha256(split) != folder.run.split_sha256:
        yield Difference("split.csv", "its sha256 is not the one in run.json")
    unknown = sorted(set(split["part"]) - {*PARTS, EMBARGO, NOT_TESTED})
    if unknown:
        yield Difference("split.csv", f"has the part {unknown[0]!r}")
    columns = ["image", "sha256", "label", "group"]
    first = split.loc[split["fold"] == folds[0], columns].sort_values("image")
    for fold in folds:
        rows = split.loc[split["fold"] == fold, columns].sort_values("image")
        if rows["image"].duplicated().any():
            twice = rows.loc[rows["image"].duplicated(), "image"].iloc[0]
            yield Difference("split.csv", f"fold {fold} holds {twice} twice")
        elif not np.array_equal(rows.to_numpy(), first.to_numpy()):
            yield Difference("split.csv", f"fold {fold} is of other images than fold {folds[0]}")
    labels, classes = set(first["label"]), set(folder.classes)
    if labels - classes or (classes - labels and folder.run.outside is None):
        yield Difference(
            "split.csv", f"has the labels {', '.join(sorted(labels))}, run.json others"
        )


def _check_description(folder: RunFolder) -> Iterator[Difference]:
    """``run.json`` against itself and against the split."""
    run = folder.run
    protocol = run.protocol
    if protocol.fingerprint != run.protocol_fingerprint:
        yield Difference("run.json", "protocol_fingerprint is not that of its protocol")
    dataset = run.dataset
    if dataset.fingerprint != run.dataset_fingerprint:
        yield Difference("run.json", "it gives two fingerprints of the dataset")
    split = folder.split
    images = split[split["fold"] == split["fold"].min()].sort_values("image")
    if dataset.images != len(images) or sum(dataset.counts.values()) != len(images):
        yield Difference("run.json", f"its counts do not add up to the {len(images)} images")
    if protocol.task != "all":
        return
    counts = images["label"].value_counts().to_dict()
    if counts != dataset.counts:
        yield Difference("run.json", "its counts of the classes are not those of split.csv")
    known = images["group"] if dataset.group_kind == "patient" else ""
    lines = images.assign(group=known)[["image", "label", "sha256", "group"]].to_numpy().tolist()
    if _fingerprint(lines) != run.dataset_fingerprint:
        yield Difference("run.json", "dataset_fingerprint is not that of the images of split.csv")


def _check_audit(folder: RunFolder) -> Iterator[Difference]:
    """``audit.json`` against the dataset, its own findings and the split."""
    try:
        stored = folder.audit
    except DataError as error:
        yield Difference("audit.json", _one_line(error))
        return
    if stored is None:
        return
    if stored.fingerprint != folder.run.dataset_fingerprint:
        yield Difference("audit.json", "is of another dataset than run.json")
    counted: Counter[str] = Counter(finding.kind for finding in stored.findings)
    if any(counted[kind] != number for kind, number in stored.counts.items()):
        yield Difference("audit.json", "its counts are not those of its findings")
    unknown = {path for finding in stored.findings for path in finding.files}
    unknown -= set(folder.split["image"])
    if unknown:
        yield Difference("audit.json", f"names {min(unknown)}, which split.csv has not")
    elif with_split(stored, folder.split).split != stored.split:
        yield Difference("audit.json", "its overlap of the parts is not that of split.csv")


def _fingerprint(lines: list[list[str]]) -> str:
    from leukbench.data.dataset import Dataset, ImageRecord

    records = tuple(ImageRecord(*line) for line in lines)
    return Dataset("verified", Path(), records).fingerprint


def _check_record(folder: RunFolder, place: Path, record: TrialRecord) -> Iterator[Difference]:
    """A record against its folder's name, its identity, its files and the split."""
    file = _name(folder.path, place / "record.json")
    if place.name != record.key:
        yield Difference(file, "its key is not the name of its folder")
    if canonical_sha256(record.identity) != record.key:
        yield Difference(file, "its key is not the sha256 of its identity")
    split = folder.split
    parts = split.loc[split["fold"] == record.fold, "part"].value_counts()
    stated: dict[str, object] = {
        "model": record.model,
        "fold": record.fold,
        "seed": record.seed,
        "dataset": folder.run.dataset_fingerprint,
        "split": fold_sha256(split, record.fold),
        "preprocessing": folder.run.protocol.preprocessing.model_dump(mode="json"),
        "task": folder.run.protocol.model_dump(mode="json")["task"],
    }
    for key, value in stated.items():
        if record.identity.get(key, value) != value:
            yield Difference(file, f"its identity is of another {key} than the run")
    if record.scored:
        for part in PARTS if folder.run.outside is None else ("test",):
            count = int(parts.get(part, 0))
            if getattr(record, f"n_{part}") != count:
                yield Difference(file, f"n_{part} is {getattr(record, f'n_{part}')}, not {count}")
        if "predictions.parquet" not in record.files:
            yield Difference(file, "it names no predictions.parquet")
    for name, digest in record.files.items():
        target = place / name
        if not target.is_file():
            yield Difference(_name(folder.path, target), "is missing")
        elif file_sha256(target) != digest:
            yield Difference(_name(folder.path, target), "its sha256 is not the one in record.json")
    present = {p.relative_to(place).as_posix() for p in place.rglob("*") if p.is_file()}
    for name in sorted(present - set(record.files) - {"record.json"}):
        yield Difference(_name(folder.path, place / name), "is not named in record.json")


def _check_predictions(folder: RunFolder, place: Path, record: TrialRecord) -> Iterator[Difference]:
    """Stored predictions against the split, and against what predictions must be."""
    file = _name(folder.path, place / "predictions.parquet")
    classes = folder.classes
    columns = probability_columns(classes)
    try:
        frame = folder.predictions(record, checked=False)
    except LeukbenchError:
        yield Difference(file, "cannot be read")
        return
    if list(frame.columns) != ["image", "y_true", "y_pred", *columns]:
        yield Difference(file, f"has the columns {', '.join(map(str, frame.columns))}")
        return
    split = folder.split
    here = split[(split["fold"] == record.fold) & (split["part"] == "test")]
    labels = dict(zip(here["image"], here["label"], strict=True))
    if sorted(frame["image"]) != sorted(labels):
        yield Difference(file, f"its images are not the test part of fold {record.fold}")
    truth = frame["image"].map(labels)
    yield from _rows(file, frame, truth.notna() & (frame["y_true"] != truth), "y_true is another")
    numbers = frame[columns].to_numpy(dtype=np.float64)
    finite = np.isfinite(numbers).all(axis=1)
    bounded = ((numbers >= 0) & (numbers <= 1)).all(axis=1)
    outside = folder.run.outside is not None
    tolerance = OUTSIDE_TOLERANCE if outside else SUM_TOLERANCE
    whole = np.abs(numbers.sum(axis=1) - 1) <= tolerance
    if record.identity.get(NO_PROBABILITIES):
        yield from _rows(file, frame, finite, "has probabilities where classes alone were given")
        return
    yield from _rows(file, frame, ~finite, "a probability is no number")
    yield from _rows(file, frame, finite & ~bounded, "a probability is not in 0..1")
    yield from _rows(file, frame, finite & ~whole, "the probabilities do not sum to 1")
    chosen = np.array(classes)[np.where(finite[:, None], numbers, 0).argmax(axis=1)]
    wrong = finite & (chosen != frame["y_pred"].to_numpy()) & (not outside)
    yield from _rows(file, frame, wrong, "y_pred is not the most probable class")
    history = place / "history.csv"
    if history.is_file() and record.epochs_run is not None:
        epochs = pd.read_csv(history)["epoch"].tolist()
        if epochs != list(range(1, record.epochs_run + 1)):
            yield Difference(_name(folder.path, history), f"has not {record.epochs_run} epochs")


def _rows(
    file: str, frame: pd.DataFrame, wrong: np.ndarray | pd.Series, what: str
) -> Iterator[Difference]:
    """One difference for all rows that are wrong in one way, naming the first."""
    places = np.flatnonzero(np.asarray(wrong))
    if places.size:
        more = f" (and {places.size - 1} more)" if places.size > 1 else ""
        yield Difference(file, f"{what}: {frame['image'].iloc[places[0]]}{more}")


def _name(path: Path, file: Path) -> str:
    return file.relative_to(path).as_posix()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
