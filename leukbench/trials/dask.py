"""All trials of a run on a Dask cluster, through joblib; this process alone writes the run folder."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from distributed import Client
from distributed.scheduler import KilledWorker
from joblib import Parallel, delayed, parallel_config
from joblib._dask import DaskDistributedBackend

from leukbench._version import __version__
from leukbench.errors import UsageError
from leukbench.records import Epoch, Outcome, TrialRecord
from leukbench.trials import remote
from leukbench.trials.cluster import WORKER_SECONDS, open_cluster
from leukbench.trials.limits import Limits
from leukbench.trials.local import Inputs, Reporter
from leukbench.trials.plan import TrialPlan, job_of
from leukbench.trials.store import RunStore

ROUNDS = 3
"""How often a trial is handed to Dask that Dask gave up, each time after several lost workers."""
STARTS = 4
"""A trial that was begun so often, and lost its worker each time, is not begun again."""
PIECE = 32 * 2**20
"""Bytes of a file that travel at a time: the memory of no process grows with the file."""
_SENDERS = 4
_COLLECT_SECONDS = 0.01


def run_trials_on_dask(
    plans: Sequence[TrialPlan],
    store: RunStore,
    inputs: Inputs,
    limits: Limits,
    reporter: Reporter,
    *,
    save_models: bool = False,
    scheduler: str | None = None,
) -> None:
    """Carry out trials on Dask workers and store each as it ends.

    A worker that is lost costs its trials a new start on another one. A trial that loses its worker
    again and again is stored as failed, and the others go on. An interrupt, or a store that cannot be
    written, ends the children on all workers; what was finished is kept.

    Parameters
    ----------
    plans, store, inputs, limits, reporter, save_models
        As for `leukbench.trials.local.run_trials`; every child keeps ``limits.threads`` cores busy.
    scheduler : str or None
        Address of a Dask scheduler; None starts ``limits.jobs`` workers on this machine.

    Raises
    ------
    UsageError
        Where the scheduler cannot be used, or is lost.
    """
    paths = {*inputs.images.values(), *inputs.folds.values()}
    paths |= {path for plan in plans if (path := _weights(plan)) is not None}
    files = {path: remote.describe_file(path.absolute()) for path in paths}
    waiting = {plan.key: plan for plan in plans}
    listener = _Listener(waiting, reporter)
    run = f"leukbench-{uuid4().hex}"

    def task_of(plan: TrialPlan) -> dict[str, Any]:
        images, fold_file = inputs.images_for(plan), inputs.folds[plan.fold]
        job = job_of(
            plan,
            images=images,
            fold_file=fold_file,
            workdir=Path(),
            threads=limits.threads,
            save_model=save_models,
        )
        return {
            "run": run,
            "version": __version__,
            "job": job.model_dump(mode="json"),
            "kind": plan.kind,
            "images": files[images],
            "fold_file": files[fold_file],
            "weights": files[weights] if (weights := _weights(plan)) is not None else None,
            "timeout": limits.timeout,
            "memory_mb": limits.memory_mb,
        }

    def keep(plan: TrialPlan, answer: Mapping[str, Any]) -> None:
        workdir = store.work(plan.key)
        for name, data in answer["files"].items():
            path = workdir / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        started = datetime.fromisoformat(answer["started"])
        listener.ended(
            plan, store.keep(plan, Outcome.model_validate(answer["outcome"]), workdir, started)
        )
        del waiting[plan.key]

    with (
        open_cluster(scheduler, limits.jobs) as client,
        _followed(client, run, listener, list(files.values())),
    ):
        for last in (False,) * (ROUNDS - 1) + (True,):
            for answer in _spread(client, [task_of(plan) for plan in waiting.values()]):
                plan = waiting[answer["key"]]
                if "outcome" in answer:
                    keep(plan, answer)
                elif last or answer["final"] or listener.starts[plan.key] >= STARTS:
                    keep(plan, _gave_up(answer, listener.starts[plan.key]))
            if not waiting:
                break


def _weights(plan: TrialPlan) -> Path | None:
    """The file that a network starts from; None where it starts from none, or from published ones."""
    path = Path(plan.parameters.get("weights", ""))
    return path if path.is_absolute() else None


def _spread(client: Client, tasks: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Answers of all tasks, each as it comes; what Dask gave up has ``error`` for an ``outcome``."""
    backend = DaskBackend(client=client, wait_for_workers_timeout=WORKER_SECONDS)
    with parallel_config(backend=backend):
        parallel = Parallel(
            n_jobs=-1, batch_size=1, pre_dispatch="all", return_as="generator_unordered"
        )
        try:
            answers = parallel(delayed(remote.carry_out)(task) for task in tasks)
        except TimeoutError as error:
            raise UsageError(
                "--backend dask has no worker left: start some, and run again."
            ) from error
        try:
            for answer in answers:
                if answer is None:
                    raise UsageError(
                        "--backend dask lost its scheduler: start it, and run the same command again; "
                        "what was finished is kept."
                    )
                yield answer
        finally:
            with warnings.catch_warnings():  # that tasks are left is no news to who leaves them
                warnings.simplefilter("ignore")
                answers.close()


@contextmanager
def _followed(
    client: Client, run: str, listener: _Listener, files: Sequence[Mapping[str, Any]]
) -> Iterator[None]:
    """Hear what the workers of a run say, send them what they ask for, and end their part at the end."""
    paths = {file["sha256"]: Path(file["path"]) for file in files}
    senders = ThreadPoolExecutor(_SENDERS)

    def hear(event: tuple[float, Mapping[str, Any]]) -> None:
        _, message = event
        if message["event"] == "wants":
            path = paths[message["sha256"]]
            senders.submit(send_file, client, path, message["name"], message["worker"])
        else:
            listener.hear(message)

    client.subscribe_topic(run, hear)
    try:
        yield
    finally:
        senders.shutdown(wait=False, cancel_futures=True)
        if client.status == "running":
            client.unsubscribe_topic(run)
            client.run(remote.end_run, run, on_error="ignore")


def send_file(client: Client, path: Path, name: str, worker: str) -> None:
    """Send a file to one worker that asked for it, piece by piece.

    Parameters
    ----------
    client : distributed.Client
        Connected to the scheduler.
    path : Path
        The file here.
    name : str
        What it is called in the worker's own folder.
    worker : str
        Address of the worker.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            for offset in range(0, size, PIECE):
                piece = stream.read(PIECE)
                client.run(remote.receive, name, offset, piece, size, workers=[worker])
    except OSError as error:
        reason = f"{path.name} did not reach the worker ({error})"
        with suppress(OSError):  # a worker that is lost waits for nothing
            client.run(remote.refuse, name, reason, workers=[worker])


def _gave_up(answer: Mapping[str, Any], starts: int) -> dict[str, Any]:
    """The answer in place of one that Dask gave up."""
    if answer["final"]:
        reason = f"Dask could not run it: {answer['error'].splitlines()[0]}"
    else:
        reason = f"its Dask worker was lost each time that it was begun ({starts} times)"
    outcome = {"status": "failed", "reason": reason[:500], "traceback": answer["error"]}
    return {"outcome": outcome, "files": {}, "started": datetime.now(UTC).isoformat()}


class DaskBackend(DaskDistributedBackend):  # type: ignore[misc]
    """joblib's Dask backend, for tasks whose workers may die.

    joblib waits for ever for a task that Dask gives up, since its callback is then not called; it runs
    tasks in this process where the cluster has one slot; and it holds on to the last result, which
    Dask then computes again where the worker dies that had it. Here such a task is answered, every
    task goes to the cluster, and a result that has come is let go.
    """

    def submit(self, func: Any, callback: Callable[[Any], None]) -> Future[Any]:
        """Hand over one batch; `callback` is called however it ends."""
        future: Future[Any] = super().submit(func, callback)
        ((_, (task,), _),) = func.items

        def answer(done: Future[Any]) -> None:
            error = done.exception()
            if error is not None:
                given_up = {"key": task["job"]["key"], "error": str(error)}
                callback([given_up | {"final": not isinstance(error, KilledWorker)}])

        future.add_done_callback(answer)
        return future

    async def _collect(self) -> None:
        while self._continue:
            async for future, result in self.waiting_futures:
                done, callback = self._results.pop(future), self._callbacks.pop(future)
                if future.status == "error":
                    done.set_exception(result[1])
                else:
                    done.set_result(result)
                    callback(result)
                del future
            await asyncio.sleep(_COLLECT_SECONDS)

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Slots of the cluster, and never the one that joblib takes for no cluster at all."""
        return max(2, int(super().effective_n_jobs(n_jobs)))

    def retrieve_result_callback(self, out: Any) -> Any:
        """The batch's answers; None for a task that was cancelled with its scheduler."""
        return [None] if isinstance(out, BaseException) else super().retrieve_result_callback(out)


class _Listener:
    """Tells a reporter what the workers say: each trial begins before it ends, and ends once."""

    def __init__(self, plans: Mapping[str, TrialPlan], reporter: Reporter) -> None:
        self.starts: Counter[str] = Counter()
        self._plans = dict(plans)
        self._reporter = reporter
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def hear(self, event: Mapping[str, Any]) -> None:
        """Pass on that a trial was begun, or an epoch finished."""
        values = dict(event)
        kind, key = values.pop("event"), values.pop("key")
        with self._lock:
            if key not in self._plans:
                return
            if kind == "start":
                self.starts[key] += 1
                self._running.add(key)
                self._reporter.started(self._plans[key])
            elif key in self._running:
                self._reporter.epoch(self._plans[key], Epoch.model_validate(values))

    def ended(self, plan: TrialPlan, record: TrialRecord) -> None:
        """Pass on that a trial is stored; what is said of it later is not passed on."""
        with self._lock:
            if plan.key not in self._running:
                self._reporter.started(plan)
            del self._plans[plan.key]
            self._reporter.ended(plan, record)
