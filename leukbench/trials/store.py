"""Writing the run folder: whole files, trials found by their key, nothing lost at a kill."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from leukbench._version import __version__
from leukbench.errors import DataError, UsageError
from leukbench.files import remove_unfinished, write_text
from leukbench.machine import machine_id
from leukbench.records import (
    REPLAY,
    Outcome,
    RunDescription,
    TrialRecord,
    file_sha256,
    is_plain_name,
    read_record,
)
from leukbench.runfolder import RunFolder, refuse_replay
from leukbench.trials.lock import FolderLock
from leukbench.trials.plan import TrialPlan

Slot = tuple[str, int, int, str]
"""Model, fold, seed, and the training of a replay: each has one result."""


class RunStore:
    """A run folder that is being written; made if it is not there.

    Raises
    ------
    DataError
        Where the folder cannot be written.
    UsageError
        Where another process writes it.
    """

    def __init__(self, path: Path, command: str = "") -> None:
        self.path = path
        self._trials = path / "trials"
        self._folder_lock = FolderLock(path, command)
        for folder in self._folder_lock.work.iterdir():
            if folder.name.isdigit():  # of a process that died
                shutil.rmtree(folder, ignore_errors=True)
        self._workspace = self._folder_lock.work / str(os.getpid())
        try:
            remove_unfinished(path)
            self._trials.mkdir(exist_ok=True)
            self._workspace.mkdir()
        except OSError as error:
            self._folder_lock.release()
            raise DataError(
                f"`out={path}` cannot be written ({error.strerror}): name a folder that can."
            ) from error
        self._lock = threading.Lock()

    def begin(self, run: RunDescription, split: pd.DataFrame, *, fresh: bool) -> None:
        """Write ``run.json`` and ``split.csv``, or check that they are of the same run.

        Raises
        ------
        UsageError
            Where the folder holds a run of another dataset, protocol or split.
        """
        refuse_replay(self.path)
        if (self.path / "run.json").is_file():
            before = RunFolder(self.path).run
            difference = before.differs_in(run)
            if difference is None:
                run = run.model_copy(update={"created": before.created})
            elif fresh:
                for folder in self._trials.iterdir():
                    self._retire(folder)
            else:
                raise UsageError(
                    f"`out={self.path}` holds a run of another {difference}: name another folder, "
                    "or pass `fresh=True` to replace it."
                )
        write_text(self.path / "split.csv", split.to_csv(index=False, lineterminator="\n"))
        write_json(self.path / "run.json", run.model_dump(mode="json"))

    def finished(self, key: str) -> TrialRecord | None:
        """The stored trial with this key, if it ended with predictions that are still whole."""
        return _whole_trial(self._trials / key)

    def adopt(self, folder: Path) -> None:
        """Copy a finished trial of another run folder, if it is whole: same key, same trial."""
        record = _whole_trial(folder)
        if record is None:
            return
        copy = self.work(record.key) / "copy"
        for name in ("record.json", *record.files):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, copy / name)
        target = self._trials / record.key
        if target.exists():
            self._retire(target)
        copy.rename(target)

    def work(self, key: str) -> Path:
        """A fresh folder for a trial under way."""
        folder = self._workspace / key
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def keep(
        self, plan: TrialPlan, outcome: Outcome, workdir: Path, started: datetime
    ) -> TrialRecord:
        """Store a trial that ended, however it did, in place of an older one of its slot."""
        spec = plan.spec
        if not outcome.scored:  # such an outcome may come from outside the trial
            for leftover in ("predictions.parquet", "history.csv"):
                (workdir / leftover).unlink(missing_ok=True)
            recipe = spec.recipe_with(plan.parameters)
            outcome = outcome.model_copy(update={"recipe": recipe, "departures": spec.departures})
        for unfinished in workdir.glob(".*"):
            unfinished.unlink()
        published = asdict(spec.published) if spec.published else None
        record = TrialRecord.model_validate(
            outcome.model_dump()
            | {
                "leukbench_version": __version__,
                "key": plan.key,
                "identity": dict(plan.identity),
                "model": plan.model,
                "title": spec.title,
                "family": spec.family,
                "fold": plan.fold,
                "seed": plan.seed,
                "reference": spec.reference,
                "published": published
                and {name: value for name, value in published.items() if value},
                "precision": plan.parameters.get("precision", ""),
                "started": started.astimezone(UTC).isoformat(timespec="seconds"),
                "machine": outcome.machine or machine_id(),
            }
        )
        return self.place(record, workdir)

    def place(self, record: TrialRecord, workdir: Path) -> TrialRecord:
        """Store a trial with the files that lie in `workdir`, in place of an older one of its slot."""
        files = {
            file.relative_to(workdir).as_posix(): file_sha256(file)
            for file in sorted(workdir.rglob("*"))
            if file.is_file()
        }
        record = record.model_copy(update={"files": files})
        write_json(workdir / "record.json", record.model_dump(mode="json"))
        target = self._trials / record.key
        with self._lock:
            slot = _slot(record)
            for folder in {*self._slots.get(slot, ()), target}:
                if folder.exists():
                    self._retire(folder)
            self._slots[slot] = [target]
        try:
            workdir.rename(target)
        except OSError as error:
            raise DataError(
                f"{target} cannot be written ({error.strerror}): free some space or name another "
                "folder with `out`; what was finished before is kept."
            ) from error
        return record

    def close(self) -> None:
        """Remove the temporary folder, and let others write."""
        shutil.rmtree(self._workspace, ignore_errors=True)
        self._folder_lock.release()

    @cached_property
    def _slots(self) -> dict[Slot, list[Path]]:
        """Folders of the trials that are there; read once, since a run may have thousands."""
        slots: dict[Slot, list[Path]] = {}
        for path in self._trials.glob("*/record.json"):
            with suppress(DataError):
                old = read_record(path)
                slots.setdefault(_slot(old), []).append(path.parent)
        return slots

    def _retire(self, folder: Path) -> None:
        """Keep a replaced trial with predictions below ``superseded``; remove a failed one."""
        try:
            finished = read_record(folder / "record.json").scored
        except DataError:
            finished = False
        if not finished:  # moved first: a kill must not leave a part of it
            shutil.rmtree(folder.rename(self.work("replaced") / folder.name))
            return
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        (self.path / "superseded").mkdir(exist_ok=True)
        folder.rename(self.path / "superseded" / f"{folder.name}-{stamp}")


def _whole_trial(folder: Path) -> TrialRecord | None:
    """A trial with predictions, if its files are there with the bytes that were stored."""
    try:
        record = read_record(folder / "record.json")
        whole = all(
            is_plain_name(name) and file_sha256(folder / name) == digest
            for name, digest in record.files.items()
        )
    except (DataError, OSError):
        return None
    return record if record.key == folder.name and record.scored and whole else None


def _slot(trial: TrialPlan | TrialRecord) -> Slot:
    return trial.model, trial.fold, trial.seed, str(trial.identity.get(REPLAY, ""))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object whole or not at all, indented, with a line feed at its end."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
