"""What a Dask worker does for a run: it finds the files of a trial and carries it out in a child process.

Nothing heavy is imported: a trial's libraries live in the child, so that no trial takes down the worker.
"""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from leukbench._version import __version__
from leukbench.machine import machine_id
from leukbench.records import Job, Outcome, file_sha256
from leukbench.trials.worker import WorkerPool

PIECE_SECONDS = 600.0  # for a piece of a file to arrive


def worker_version() -> str:
    """The version of leukbench that a worker has."""
    return __version__


@dataclass(frozen=True)
class SharedFile:
    """A file of the parent's that workers read."""

    path: Path
    sha256: str


def sees(path: Path, file: SharedFile) -> bool:
    """Whether this process reads the same file at that path."""
    try:
        return file_sha256(path) == file.sha256
    except OSError:
        return False


@dataclass(frozen=True)
class TrialTask:
    """One trial, of a `kind` that may share a child process, and the files that its job names."""

    job: Job
    kind: str
    files: Mapping[str, SharedFile]


@dataclass(frozen=True)
class TrialResult:
    """How a trial ended, when it was started, and the content of the files that it left, by name."""

    outcome: Outcome
    started: datetime
    files: Mapping[str, bytes]


@dataclass
class RunOnWorker(WorkerPlugin):  # type: ignore[misc]
    """What one worker holds of one run: child processes, and the files that it found or was sent.

    Dask gives it to every worker, also to one that comes later, and takes it away when the run ends or
    the worker is closed, which ends the children. `name` is also the topic of its events: ``start`` and
    ``epoch`` of a trial, and ``wants`` for a file that the worker does not see.
    """

    name: str
    version: str  # of the parent's leukbench
    threads: int
    timeout: float | None
    memory_mb: float | None
    ignore_interrupt: bool  # by workers of the parent's own, which a terminal interrupts too

    def setup(self, worker: Worker) -> None:
        """Begin the run on a worker."""
        self.arriving: dict[str, queue.Queue[bytes | str]] = {}
        self._worker = worker
        self._children = WorkerPool(self.threads)
        self._cancelled = threading.Event()
        self._paths: dict[str, Path] = {}
        self._lock = threading.Lock()
        if self.ignore_interrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Dask sets it for its workers; a child that has it asks the system for each large array anew.
        os.environ.pop("MALLOC_TRIM_THRESHOLD_", None)

    def teardown(self, worker: Worker) -> None:
        """End the run on a worker: its children, and whoever waits for a file."""
        self._cancelled.set()
        for pieces in self.arriving.values():
            with suppress(queue.Full):
                pieces.put_nowait(b"")
        self._children.close()

    def carry_out(self, task: TrialTask) -> TrialResult:
        """Carry out one trial; this raises for what keeps it from starting, never for what it does."""
        started = datetime.now(UTC)
        self._say("start", key=task.job.key)
        if self.version != __version__:
            raise RuntimeError(
                f"the worker {self._worker.address} has leukbench {__version__}, the run is of "
                f"{self.version}: install the same version there"
            )
        paths = {name: self._find(file) for name, file in task.files.items()}
        parameters = dict(task.job.parameters)
        if "weights" in paths:
            parameters["weights"] = str(paths.pop("weights"))
        with tempfile.TemporaryDirectory(dir=self._worker.local_directory) as name:
            workdir = Path(name)
            outcome = self._children.run(
                task.kind,
                task.job.model_copy(update={"workdir": workdir, "parameters": parameters, **paths}),
                timeout=self.timeout,
                memory_mb=self.memory_mb,
                on_event=lambda epoch: self._say("epoch", key=task.job.key, **epoch.model_dump()),
                cancelled=self._cancelled,
            )
            files = {
                path.relative_to(workdir).as_posix(): path.read_bytes()
                for path in sorted(workdir.rglob("*"))
                if path.is_file()
            }
        outcome = outcome.model_copy(update={"machine": machine_id()})
        return TrialResult(outcome, started, files)

    def _say(self, event: str, **values: Any) -> None:
        self._worker.log_event(self.name, {"event": event, **values})

    def _find(self, file: SharedFile) -> Path:
        """The file where the parent has it, if this worker sees it there; else sent here, once."""
        with self._lock:
            if file.sha256 not in self._paths:
                seen = sees(file.path, file)
                self._paths[file.sha256] = file.path if seen else self._receive(file)
            return self._paths[file.sha256]

    def _receive(self, file: SharedFile) -> Path:
        pieces = self.arriving[file.sha256] = queue.Queue(maxsize=1)
        target = Path(self._worker.local_directory, self.name, file.sha256, file.path.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        self._say("wants", sha256=file.sha256, worker=self._worker.address)
        try:
            with target.open("wb") as stream:
                while piece := pieces.get(timeout=PIECE_SECONDS):
                    if isinstance(piece, str):
                        raise OSError(piece)
                    stream.write(piece)
        except queue.Empty:
            raise OSError(f"{target.name} did not arrive on the worker in time") from None
        if not sees(target, file):
            raise OSError(f"{target.name} arrived damaged on the worker")
        return target


def carry_out(task: TrialTask, run: str) -> TrialResult:
    """Carry out one trial of the run with this name, on the Dask worker that calls this."""
    here: RunOnWorker = get_worker().plugins[run]
    return here.carry_out(task)


async def take(run: str, sha256: str, piece: bytes | str, dask_worker: Worker) -> None:
    """Hand a piece of a file to the trial that waits for it, without holding up the worker."""
    pieces = dask_worker.plugins[run].arriving[sha256]
    await asyncio.to_thread(pieces.put, piece, timeout=PIECE_SECONDS)
