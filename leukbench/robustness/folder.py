"""``robustness/`` in a run folder: tables, what they are computed from, and the hash of each file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from leukbench._version import __version__
from leukbench.errors import DataError
from leukbench.files import write_bytes, write_text
from leukbench.records import file_sha256, read_stored
from leukbench.runfolder import RunFolder

FOLDER = "robustness"
RECORD = "record.json"


class RobustnessRecord(BaseModel):
    """Content of ``robustness/record.json``."""

    schema_version: int = 1
    leukbench_version: str
    dataset_fingerprint: str
    """Of the images of the run."""
    settings: dict[str, dict[str, str]] = {}
    """What each command was asked, by its name, where its tables depend on it."""
    files: dict[str, str] = {}
    """sha256 of each file."""


def place(folder: RunFolder) -> Path:
    """The folder, which need not be there."""
    return folder.path / FOLDER


def read_robustness(folder: RunFolder) -> RobustnessRecord | None:
    """The record, or None where no command has written one; `DataError` where it does not fit."""
    path = place(folder) / RECORD
    if not path.is_file():
        return None
    record = read_stored(path, RobustnessRecord, "remove the folder robustness and run again")
    if record.dataset_fingerprint != folder.run.dataset_fingerprint:
        raise DataError(f"{path} is of other images than the run: remove its folder and run again.")
    return record


def stored_file(folder: RunFolder, name: str) -> Path | None:
    """A file that an earlier command left, if it has the recorded hash; `DataError` where not."""
    record = read_robustness(folder)
    if record is None or name not in record.files:
        return None
    path = place(folder) / name
    if not path.is_file() or file_sha256(path) != record.files[name]:
        raise DataError(f"{path} is not the file that was stored: remove it and run again.")
    return path


def keep(
    folder: RunFolder, command: str, files: Mapping[str, str | bytes], settings: Mapping[str, str]
) -> list[Path]:
    """Write files and their hashes; what another command wrote stays."""
    written = []
    for name, content in files.items():
        path = place(folder) / name
        if isinstance(content, str):
            write_text(path, content)
        else:
            write_bytes(path, content)
        written.append(path)
    before = read_robustness(folder)
    record = RobustnessRecord(
        leukbench_version=__version__,
        dataset_fingerprint=folder.run.dataset_fingerprint,
        settings=(before.settings if before else {}) | {command: dict(settings)},
        files=(before.files if before else {})
        | {path.relative_to(place(folder)).as_posix(): file_sha256(path) for path in written},
    )
    write_text(place(folder) / RECORD, record.model_dump_json(indent=2) + "\n")
    return written
