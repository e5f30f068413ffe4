"""Trials on the workers of a Dask cluster: on this machine, or wherever a scheduler has some.

The parent checks the cluster, submits one task a trial, sends files to workers that do not see them, and
alone writes the run folder.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from leukbench._version import __version__
from leukbench.errors import UsageError, did_you_mean
from leukbench.records import Epoch, Outcome, TrialRecord, file_sha256
from leukbench.trials.limits import Limits
from leukbench.trials.local import Inputs, Reporter
from leukbench.trials.plan import TrialPlan, job_of
from leukbench.trials.store import RunStore

if find_spec("distributed"):
    import dask
    from distributed import Client, KilledWorker, LocalCluster, Security, as_completed, rpc

    from leukbench.trials.dask_worker import (
        RunOnWorker,
        SharedFile,
        TrialResult,
        TrialTask,
        carry_out,
        take,
        worker_version,
    )

BACKENDS = ("local", "dask")
CONNECT_SECONDS = 10.0
WORKER_SECONDS = 30.0
PIECE = 32 * 2**20  # bytes that are sent at a time: no process holds a whole file in memory
SENDERS = 4  # files that are sent at the same time
RETRIES = 2  # of a trial that a worker could not start, as for a file that did not arrive
STARTS = 4  # of a trial that loses its worker each time


def check_backend(backend: str, scheduler: str | None) -> None:
    """Refuse a backend that cannot be used, before anything is read.

    Raises
    ------
    UsageError
        Where the name is unknown, Dask is not installed, or the scheduler cannot be reached, has no
        worker, or one with another version of leukbench.
    """
    if backend not in BACKENDS:
        near = did_you_mean(backend, BACKENDS)
        raise UsageError(f"`backend={backend}` is not known{near}: take local or dask.")
    if backend == "local":
        if scheduler is not None:
            raise UsageError(f"`scheduler={scheduler}` is for Dask alone: add `backend=dask`.")
    elif find_spec("distributed") is None:
        raise UsageError(
            "`backend=dask` needs the package distributed, which is not installed: "
            "pip install 'leukbench[dask]'."
        )
    elif scheduler is not None:
        with _connect(scheduler):
            pass


@contextmanager
def open_cluster(scheduler: str | None, jobs: int) -> Iterator[Client]:
    """Give a client of a scheduler, as in ``tcp://host:8786``, or of `jobs` new workers here.

    Raises
    ------
    UsageError
        Where the scheduler cannot be reached, has no worker, or one with another version.
    """
    if scheduler is not None:
        with _connect(scheduler) as client:
            yield client
        return
    settings = {
        # these variables help Dask's own tasks only, and would stay in this process
        "distributed.nanny.pre-spawn-environ": {},
        # trials are long: none waits on a busy worker while another worker is idle
        "distributed.scheduler.worker-saturation": 1.0,
        # a lost worker is started again, however long that takes on a busy machine
        "distributed.deploy.lost-worker-timeout": "1 day",
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            memory_limit=0,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _connect(scheduler: str) -> Iterator[Client]:
    try:
        with ThreadPoolExecutor(
            1
        ) as pool:  # a notebook has an event loop of its own in this thread
            pool.submit(asyncio.run, asyncio.wait_for(_greet(scheduler), CONNECT_SECONDS)).result()
    except Exception as error:  # anything may listen at that address, and answer anything
        raise UsageError(
            f"`scheduler={scheduler}` cannot be reached, or is no Dask scheduler: start one with "
            "'dask scheduler', and name the address that it prints, as in tcp://host:8786."
        ) from error
    logger = logging.getLogger("distributed.client")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # the user gets one sentence instead of Dask's tracebacks
    try:
        with Client(scheduler, set_as_default=False) as client:
            _require_workers(client, scheduler)
            yield client
    finally:
        logger.setLevel(level)


async def _greet(scheduler: str) -> None:
    """Get an answer from a scheduler; `Client` may wait for ever for one that does not speak."""
    security = Security().get_connection_args("client")
    async with rpc(scheduler, connection_args=security) as remote:
        await remote.identity()


def _require_workers(client: Client, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError as error:
        raise UsageError(
            f"`scheduler={scheduler}` has no worker after {WORKER_SECONDS:.0f} s: start some with "
            f"'dask worker {scheduler} --nthreads 1'."
        ) from error
    for worker, version in client.run(worker_version, on_error="return").items():
        if version != __version__:
            has = version if isinstance(version, str) else f"none ({version})"
            raise UsageError(
                f"The worker {worker} of `scheduler={scheduler}` has leukbench {has}, this is "
                f"{__version__}: install the same version there."
            )


def send_file(client: Client, file: SharedFile, run: str, worker: str) -> None:
    """Send a file to the worker with this address, in pieces, the last of which is empty."""

    def send(piece: bytes | str) -> None:
        client.run(take, run, file.sha256, piece, workers=[worker])

    try:
        with file.path.open("rb") as stream:
            while piece := stream.read(PIECE):
                send(piece)
        send(b"")
    except OSError as error:
        with suppress(OSError):  # a lost worker waits for nothing
            send(f"{file.path.name} did not reach the worker ({error})")


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

    As `leukbench.trials.local.run_trials`, but on the workers of `scheduler`; without one, on
    ``limits.jobs`` new workers of this machine. The trials of a lost worker are started again elsewhere;
    one that loses its worker again and again is stored as failed.

    Raises
    ------
    UsageError
        Where the scheduler cannot be used, or is lost.
    """
    run = RunOnWorker(
        name=f"leukbench-{uuid4().hex}",
        version=__version__,
        threads=limits.threads,
        timeout=limits.timeout,
        memory_mb=limits.memory_mb,
        ignore_interrupt=scheduler is None,
    )
    tasks = _tasks(plans, inputs, limits.threads, save_models=save_models)
    conditions = {"threads": limits.threads, "jobs": limits.jobs if scheduler is None else None}
    progress = _Progress(plans, reporter)
    with (
        open_cluster(scheduler, limits.jobs) as client,
        _on_workers(client, run, tasks, progress),
        closing(_results(client, run.name, tasks, progress)) as results,
    ):
        for key, result in results:
            workdir = store.work(key)
            for name, data in result.files.items():
                path = workdir / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            outcome = result.outcome.model_copy(update=conditions)
            plan = progress.plans[key]
            progress.ended(plan, store.keep(plan, outcome, workdir, result.started))


def _tasks(
    plans: Sequence[TrialPlan], inputs: Inputs, threads: int, *, save_models: bool
) -> list[TrialTask]:
    described = cache(lambda path: SharedFile(path.absolute(), file_sha256(path)))
    tasks = []
    for plan in plans:
        job = job_of(
            plan,
            images=inputs.images_for(plan),
            fold_file=inputs.folds[plan.fold],
            workdir=Path(),
            threads=threads,
            save_model=save_models,
        )
        files = {"images": described(job.images), "fold_file": described(job.fold_file)}
        weights = Path(job.parameters.get("weights", ""))
        if weights.is_absolute():  # else the network starts at random, or from published weights
            files["weights"] = described(weights)
        tasks.append(TrialTask(job, plan.kind, files))
    return tasks


@contextmanager
def _on_workers(
    client: Client, run: RunOnWorker, tasks: Sequence[TrialTask], progress: _Progress
) -> Iterator[None]:
    """Begin a run on all workers, pass on what they say and send what they want; end it there."""
    files = {file.sha256: file for task in tasks for file in task.files.values()}
    senders = ThreadPoolExecutor(SENDERS)

    def hear(event: tuple[float, Mapping[str, Any]]) -> None:
        _, message = event
        if message["event"] == "wants":
            file = files[message["sha256"]]
            senders.submit(send_file, client, file, run.name, message["worker"])
        else:
            progress.hear(**message)

    client.subscribe_topic(run.name, hear)
    with suppress(OSError):  # of a worker that is lost at this moment
        client.register_plugin(run)
    try:
        yield
    finally:
        senders.shutdown(wait=False, cancel_futures=True)
        if client.status == "running":
            client.unsubscribe_topic(run.name)
            with suppress(OSError, KeyError):  # of a worker that is lost, or comes, at this moment
                client.unregister_worker_plugin(run.name)


def _results(
    client: Client, run: str, tasks: Sequence[TrialTask], progress: _Progress
) -> Generator[tuple[str, TrialResult]]:
    """Each trial's key and result as it ends; one whose worker was lost is submitted again."""
    keys = [(run, task.job.key) for task in tasks]
    futures = client.map(carry_out, tasks, run=run, key=keys, retries=RETRIES)
    try:
        completed = as_completed(futures, loop=client.loop, with_results=True, raise_errors=False)
        for future, result in completed:
            _, key = future.key
            if future.cancelled():
                raise UsageError(
                    "`backend=dask` lost its scheduler: start it, and run the same command again; "
                    "what was finished is kept."
                )
            if future.status == "error":
                _, error, trace = result
                if isinstance(error, KilledWorker) and progress.may_start_again(key):
                    future.retry()
                    completed.add(future)
                    continue
                result = _failed(error, trace)
            future.release()  # else Dask computes it again where the worker is lost that holds it
            yield key, result
    finally:
        for future in futures:
            future.release()


def _failed(error: BaseException, trace: TracebackType) -> TrialResult:
    if isinstance(error, KilledWorker):
        reason = "its Dask worker was lost each time that it was started"
    else:
        words = traceback.format_exception_only(error)[-1].splitlines()[0]
        reason = f"Dask could not run it: {words}"[:500]
    lines = traceback.format_exception(type(error), error, trace)
    outcome = Outcome(status="failed", reason=reason, traceback="".join(lines))
    return TrialResult(outcome, datetime.now(UTC), {})


class _Progress:
    """Tells a reporter what workers say: each trial starts before it ends, and ends once."""

    def __init__(self, plans: Sequence[TrialPlan], reporter: Reporter) -> None:
        self.plans = {plan.key: plan for plan in plans}
        self._reporter = reporter
        self._starts: Counter[str] = Counter()
        self._running: set[str] = set()
        self._ended: set[str] = set()
        self._lock = threading.Lock()

    def hear(self, event: str, key: str, **values: Any) -> None:
        with self._lock:
            if key in self._ended:
                return
            if event == "start":
                self._starts[key] += 1
                self._running.add(key)
                self._reporter.started(self.plans[key])
            elif key in self._running:
                self._reporter.epoch(self.plans[key], Epoch.model_validate(values))

    def may_start_again(self, key: str) -> bool:
        """Whether a trial that Dask gave up may be submitted again, which counts as a start too."""
        self._starts[key] += 1
        return self._starts[key] <= STARTS

    def ended(self, plan: TrialPlan, record: TrialRecord) -> None:
        with self._lock:
            if plan.key not in self._running:
                self._reporter.started(plan)
            self._ended.add(plan.key)
            self._reporter.ended(plan, record)
