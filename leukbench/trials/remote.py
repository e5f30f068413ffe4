"""What a Dask worker does: finds the arrays, carries out one trial in a child, hands back its files.

Nothing here reads or writes the run folder, and nothing heavy is imported: the libraries of a trial
live in the child process, so that a trial which hangs or dies does not take the worker with it.
"""

from __future__ import annotations

import hashlib
import os
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from distributed import Worker as DaskWorker
from distributed import WorkerPlugin, get_worker

from leukbench._version import __version__
from leukbench.machine import machine_id
from leukbench.records import Epoch, Job, Outcome
from leukbench.trials.worker import WorkerPool

ARRIVAL_SECONDS = 600.0
"""How long a worker waits for the next piece of a file that was asked for."""
_POLL_SECONDS = 0.05

_runs: dict[str, _RunHere] = {}
_ended: set[str] = set()
_refused: dict[str, str] = {}
_lock = threading.Lock()


class _RunHere:
    """What one worker process keeps of one run: children, files found, whether it was ended."""

    def __init__(self, run: str, threads: int) -> None:
        self.pool = WorkerPool(threads)
        self.cancelled = threading.Event()
        self._run = run
        self._found: dict[str, Path] = {}
        self._lock = threading.Lock()

    def locate(self, file: Mapping[str, Any], worker: DaskWorker) -> Path:
        """A file of the run: where the parent has it, if that is seen here, else sent here once.

        Raises
        ------
        OSError
            Where it is not seen and does not arrive.
        """
        with self._lock:
            found = self._found.get(file["sha256"])
            if found is None:
                path = Path(file["path"])
                found = path if sees(path, file) else self._ask(file, worker)
                self._found[file["sha256"]] = found
            return found

    def _ask(self, file: Mapping[str, Any], worker: DaskWorker) -> Path:
        """Ask the parent for a file, and wait until all of it lies in the worker's own folder."""
        name = f"{self._run}-{file['sha256'][:16]}-{Path(file['path']).name}"
        target = Path(worker.local_directory) / name
        part = target.with_suffix(".part")
        worker.log_event(
            self._run,
            {"event": "wants", "worker": worker.address, "name": name, "sha256": file["sha256"]},
        )
        size, deadline = -1, time.monotonic() + ARRIVAL_SECONDS
        while not target.is_file():
            if name in _refused:
                raise OSError(_refused.pop(name))
            if self.cancelled.is_set() or time.monotonic() > deadline:
                raise OSError(f"{Path(file['path']).name} did not arrive on the worker")
            with suppress(FileNotFoundError):
                if part.stat().st_size != size:
                    size, deadline = part.stat().st_size, time.monotonic() + ARRIVAL_SECONDS
            time.sleep(_POLL_SECONDS)
        if not sees(target, file):
            raise OSError(f"{Path(file['path']).name} arrived damaged on the worker")
        return target


def sees(path: Path, file: Mapping[str, Any]) -> bool:
    """Whether this process reads, at that path, the file that was described by `describe_file`."""
    try:
        return bool(path.stat().st_size == file["size"]) and _sha256(path) == file["sha256"]
    except OSError:
        return False


def describe_file(path: Path) -> dict[str, Any]:
    """Path, size in bytes and sha256 of a file, as JSON values."""
    return {"path": str(path), "size": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def carry_out(task: dict[str, Any]) -> dict[str, Any]:
    """Carry out one trial on a Dask worker.

    Parameters
    ----------
    task : dict
        ``run`` (its name, which is also the topic of its events), ``version`` of leukbench, ``job`` of
        `leukbench.trials.plan.job_of` without paths, ``kind``, ``images``, ``fold_file`` and
        ``weights`` (or None) as `describe_file` gives them, ``timeout`` in seconds, ``memory_mb``.

    Returns
    -------
    dict
        ``key``, ``started`` (ISO), ``outcome`` as `leukbench.trials.worker.Worker.run` gives it, and
        ``files``: the bytes of what the trial left, by name. This never raises for what a trial does.
    """
    worker = get_worker()
    key = task["job"]["key"]
    started = datetime.now(UTC).isoformat()
    worker.log_event(task["run"], {"event": "start", "key": key, "worker": worker.address})
    files: dict[str, bytes] = {}
    try:
        outcome = _carry_out(task, worker, files)
    except Exception as error:
        outcome = _failed(f"{type(error).__name__}: {error}", traceback.format_exc())
    outcome = outcome.model_copy(
        update={"machine": machine_id(), "threads": task["job"]["threads"]}
    )
    return {"key": key, "started": started, "outcome": outcome.model_dump(), "files": files}


def _carry_out(task: Mapping[str, Any], worker: DaskWorker, files: dict[str, bytes]) -> Outcome:
    if task["version"] != __version__:
        return _failed(
            f"the Dask worker {worker.address} has leukbench {__version__}, the run is of "
            f"{task['version']}: install the same version there"
        )
    here = _enter(task["run"], task["job"]["threads"])
    if here is None:
        return _failed("cancelled")
    images, fold_file = (here.locate(task[name], worker) for name in ("images", "fold_file"))
    with tempfile.TemporaryDirectory(prefix="trial-", dir=worker.local_directory) as folder:
        workdir = Path(folder)
        paths = {"images": images, "fold_file": fold_file, "workdir": workdir}
        job = Job.model_validate(task["job"]).model_copy(update=paths)
        if task["weights"] is not None:
            weights = {"weights": str(here.locate(task["weights"], worker))}
            job = job.model_copy(update={"parameters": job.parameters | weights})

        def tell(epoch: Epoch) -> None:
            message = epoch.model_dump() | {"event": "epoch", "key": job.key}
            worker.log_event(task["run"], message)

        _lift_trimming()
        outcome = here.pool.run(
            task["kind"],
            job,
            timeout=task["timeout"],
            memory_mb=task["memory_mb"],
            on_event=tell,
            cancelled=here.cancelled,
        )
        files |= {
            path.relative_to(workdir).as_posix(): path.read_bytes()
            for path in sorted(workdir.rglob("*"))
            if path.is_file()
        }
    return outcome


def _failed(reason: str, trace: str = "") -> Outcome:
    return Outcome(status="failed", reason=reason.splitlines()[0][:500], traceback=trace)


def _enter(run: str, threads: int) -> _RunHere | None:
    """This process's part in a run; None where the run was ended."""
    with _lock:
        if run in _ended:
            return None
        if run not in _runs:
            _runs[run] = _RunHere(run, threads)
        return _runs[run]


@cache
def _lift_trimming() -> None:
    """Give children glibc's own way with freed memory.

    Dask sets ``MALLOC_TRIM_THRESHOLD_`` for its workers, which is read when a process starts: under it
    every large array of a training step is asked from the system again.
    """
    os.environ.pop("MALLOC_TRIM_THRESHOLD_", None)


def end_run(run: str) -> None:
    """End this worker's part in a run: its children, and all trials of it that come later."""
    with _lock:
        _ended.add(run)
        here = _runs.pop(run, None)
    if here is not None:
        here.cancelled.set()
        here.pool.close()


def receive(name: str, offset: int, data: bytes, size: int, dask_worker: DaskWorker) -> None:
    """Take a piece of a file into the worker's own folder; the last one gives it its name."""
    target = Path(dask_worker.local_directory) / name
    part = target.with_suffix(".part")
    with part.open("r+b" if offset else "wb") as stream:
        stream.seek(offset)
        stream.write(data)
    if offset + len(data) == size:
        part.replace(target)


def refuse(name: str, reason: str) -> None:
    """Tell whoever waits for a file that it does not come."""
    _refused[name] = reason


class Undisturbed(WorkerPlugin):  # type: ignore[misc]
    """Leaves an interrupt, which a terminal sends to all processes, to the parent that ends them."""

    name = "leukbench-undisturbed"

    def setup(self, worker: DaskWorker) -> None:
        """Called in every worker process as it starts."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def introduce() -> str:
    """The version of leukbench that a worker has."""
    return __version__
