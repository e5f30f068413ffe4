"""How a run is, told from its folder alone: from another terminal, or after it died."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from leukbench.errors import DataError
from leukbench.records import REPLAY_FILE, TrialRecord, read_record
from leukbench.trials.heartbeat import PROGRESS, Progress, RunningTrial
from leukbench.trials.lock import SILENT_SECONDS, WORK, Owner, lock_is_held, owner_of

State = Literal["runs", "silent", "dead", "stopped", "ended"]
SENTENCES: dict[State, str] = {
    "runs": "is being written",
    "silent": "is being written, but its process gave no sign for {silence}: it is stopped or hangs",
    "dead": "is dead: its process ended in mid-run; the same command again goes on from there",
    "stopped": "was interrupted or failed; the same command again goes on from there",
    "ended": "is written by no process",
}


@dataclass(frozen=True)
class RunStatus:
    """What is known of a run."""

    path: Path
    state: State
    owner: Owner | None
    progress: Progress | None
    silence: float
    """Seconds since the last sign of life."""
    trials: tuple[TrialRecord, ...]

    @property
    def failed(self) -> list[TrialRecord]:
        """Trials that did not end well."""
        return [record for record in self.trials if record.status != "ok"]

    @property
    def left(self) -> dict[str, str]:
        """Trials that are planned, have no predictions yet, and do not run: names by key."""
        if self.progress is None:
            return {}
        since = self.owner.started if self.owner else ""
        over = {r.key for r in self.trials if r.scored or (since and r.started >= since)}
        running = {trial.name for trial in self.running}
        planned = self.progress.planned.items()
        return {key: name for key, name in planned if key not in over and name not in running}

    @property
    def running(self) -> tuple[RunningTrial, ...]:
        """Trials under way, or those that were when the process died."""
        return self.progress.running if self.progress else ()


def read_status(path: Path) -> RunStatus:
    """Read how a run is.

    Raises
    ------
    DataError
        Where the folder is none of a run.
    """
    work = path / WORK
    if not any(file.exists() for file in (path / "run.json", path / REPLAY_FILE, work)):
        raise DataError(f"{path} is no run folder: name one that run-all made or is making.")
    owner, progress = owner_of(path), None
    with suppress(OSError, ValueError):
        progress = Progress.model_validate_json((work / PROGRESS).read_bytes())
    silence = max(0.0, age(progress.beat)) if progress else 0.0
    trials = []
    for file in sorted((path / "trials").glob("*/record.json")):
        with suppress(DataError):  # it may be replaced at this moment
            trials.append(read_record(file))
    state = _state(path, owner, progress, silence)
    return RunStatus(path, state, owner, progress, silence, tuple(trials))


def _state(path: Path, owner: Owner | None, progress: Progress | None, silence: float) -> State:
    if lock_is_held(path):
        return "silent" if silence > SILENT_SECONDS else "runs"
    if owner is None:
        return "stopped" if progress else "ended"
    elsewhere = owner.host != socket.gethostname()
    return "runs" if elsewhere and progress and silence <= SILENT_SECONDS else "dead"


def status_lines(status: RunStatus) -> Iterator[str]:
    """What `leukbench status` prints."""
    sentence = SENTENCES[status.state].format(silence=_duration(status.silence))
    yield f"run       {status.path} {sentence}"
    if status.owner:
        command = f": {status.owner.command}" if status.owner.command else ""
        yield f"process   {status.owner}{command}"
    word = "running" if status.state in ("runs", "silent") else "lost"
    for trial in status.running:
        epoch = f", epoch {trial.epoch} of {trial.epochs}" if trial.epochs else ""
        heard = f", last word {_duration(age(trial.heard))} ago" if trial.epochs else ""
        yield f"{word:<9} {trial.name}, since {trial.since}{epoch}{heard}"
    done = sum(record.scored for record in status.trials)
    yield f"done      {done} trials have predictions"
    if left := Counter(name.split(",")[0] for name in status.left.values()):
        yield f"left      {', '.join(f'{model} {number}' for model, number in left.items())}"
    for record in status.failed:
        yield f"{record.status:<9} {record.name}: {record.reason}"


def age(moment: str) -> float:
    """Seconds since a date and time."""
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


def _duration(seconds: float) -> str:
    whole = max(0, int(seconds))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if whole >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
