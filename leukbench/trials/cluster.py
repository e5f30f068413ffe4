"""Where trials run: on this machine, or on the workers of a Dask scheduler that can be reached."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from leukbench._version import __version__
from leukbench.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from distributed import Client

    from leukbench.trials.options import RunOptions

BACKENDS = ("local", "dask")
CONNECT_SECONDS = 10.0
WORKER_SECONDS = 30.0


def check_backend(options: RunOptions) -> None:
    """Refuse a backend that cannot be used, before anything is read.

    Raises
    ------
    UsageError
        Where the name is unknown, Dask is not installed, or the scheduler cannot be reached.
    """
    if options.backend not in BACKENDS:
        raise UsageError(
            f"--backend {options.backend} is not known"
            f"{did_you_mean(options.backend, BACKENDS)}: take local or dask."
        )
    if options.backend == "local":
        if options.scheduler is not None:
            raise UsageError(
                f"--scheduler {options.scheduler} is for Dask alone: add --backend dask."
            )
        return
    distributed = _require_dask()
    if options.scheduler is not None:
        _greet(distributed, options.scheduler)


@contextmanager
def open_cluster(address: str | None, jobs: int) -> Iterator[Client]:
    """Give a client of a scheduler with at least one worker, all of this version of leukbench.

    Parameters
    ----------
    address : str or None
        Scheduler, as in ``tcp://host:8786``; None starts one with workers on this machine.
    jobs : int
        Worker processes on this machine, one trial each; not used with an `address`.

    Raises
    ------
    UsageError
        Where the scheduler cannot be reached, has no worker, or one of another version.
    """
    distributed = _require_dask()
    if address is not None:
        _greet(distributed, address)
        with _quiet(), distributed.Client(address, set_as_default=False) as client:
            _wait_for_worker(client, address)
            _refuse_strangers(client, address)
            yield client
        return
    import dask

    settings = {
        # the variables are of use to Dask's own tasks alone, and would stay in this process
        "distributed.nanny.pre-spawn-environ": {},
        # a trial is long: none waits behind another while a worker has nothing to do
        "distributed.scheduler.worker-saturation": 1.0,
        # a worker that died is started again, however long that takes on a busy machine
        "distributed.deploy.lost-worker-timeout": "1 day",
    }
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=True,
            memory_limit=0,
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        from leukbench.trials.remote import Undisturbed

        client.register_plugin(Undisturbed())
        yield client


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's tracebacks from who sees a sentence in their place."""
    logger = logging.getLogger("distributed.client")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _require_dask() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise UsageError(
            "--backend dask needs the package distributed, which is not installed: "
            "pip install 'leukbench[dask]'."
        ) from error
    return distributed


def _greet(distributed: Any, address: str) -> None:
    """See that a Dask scheduler answers, in a time that holds whoever listens there."""

    async def greet() -> None:
        secrets = distributed.Security().get_connection_args("client")
        async with distributed.rpc(address, connection_args=secrets) as scheduler:
            await scheduler.identity()

    try:
        with ThreadPoolExecutor(1) as pool:  # a notebook has a loop of its own in this thread
            pool.submit(asyncio.run, asyncio.wait_for(greet(), CONNECT_SECONDS)).result()
    except Exception as error:  # whatever answers there may speak anything
        raise UsageError(
            f"--scheduler {address} cannot be reached, or is no Dask scheduler: start one with 'dask "
            "scheduler', and name the address that it prints, as in tcp://host:8786."
        ) from error


def _wait_for_worker(client: Client, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError as error:
        raise UsageError(
            f"--scheduler {address} has no worker after {WORKER_SECONDS:.0f} s: start some with "
            f"'dask worker {address} --nthreads 1'."
        ) from error


def _refuse_strangers(client: Client, address: str) -> None:
    """Refuse a cluster with a worker that has no leukbench, or another version of it."""
    from leukbench.trials.remote import introduce

    try:
        versions: Mapping[str, object] = client.run(introduce, on_error="return")
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"--scheduler {address} has a worker without leukbench {__version__} ({error}): install "
            "leukbench[dask] of this version on every worker."
        ) from error
    for worker, version in versions.items():
        if version != __version__:
            what = f"leukbench {version}" if isinstance(version, str) else f"not ({version})"
            raise UsageError(
                f"The worker {worker} of --scheduler {address} has {what}, this is {__version__}: "
                "install the same version on every worker."
            )
