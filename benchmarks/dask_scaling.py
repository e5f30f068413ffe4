"""How trials on Dask workers scale: measured on this machine, and simulated for a cluster.

Run as ``python -m benchmarks.dask_scaling [--data DIR] [--model modified_cnn] [--trials 8]``; it prints
Markdown. Three things are measured, with one core a trial: the same trials on one worker and on two,
in turn; what the scheduler takes for a task that does nothing; and what this process takes to store a
result. From these and from the times of a run folder's trials (``--run``) a discrete-event simulation
tells how long many trials take on many workers, with its assumptions. ``--simulate-only`` leaves the
first measurement, which takes long, to ``--per-trial`` seconds.
"""

from __future__ import annotations

import argparse
import heapq
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
from distributed import Client
from joblib import Parallel, delayed, parallel_config

from leukbench.models import registry
from leukbench.protocol import load_protocol, override
from leukbench.records import Epoch, Outcome, TrialRecord
from leukbench.runfolder import RunFolder
from leukbench.trials.cluster import open_cluster
from leukbench.trials.dask import DaskBackend
from leukbench.trials.execute import execute
from leukbench.trials.options import RunOptions
from leukbench.trials.plan import TrialPlan
from leukbench.trials.prepare import prepare
from leukbench.trials.store import RunStore

TARGET = 1.7
"""Two workers on two cores against one."""
SEED = 0


class Stopwatch:
    """A reporter that takes the time from the first hand-over to the last stored result."""

    def waiting(self, number: int, total: int) -> None:
        """Everything is prepared."""
        self.begun = self.over = time.perf_counter()
        self.seconds_of_trials = 0.0

    def started(self, plan: TrialPlan) -> None:
        """A trial begins."""

    def epoch(self, plan: TrialPlan, epoch: Epoch) -> None:
        """An epoch is over."""

    def ended(self, plan: TrialPlan, record: TrialRecord) -> None:
        """A trial is stored."""
        if not record.scored:
            raise RuntimeError(f"{plan.name} ended {record.status}: {record.reason}")
        self.over = time.perf_counter()
        self.seconds_of_trials += record.total_seconds or 0.0

    @property
    def seconds(self) -> float:
        """Wall time of all trials."""
        return self.over - self.begun


@dataclass(frozen=True)
class Measured:
    """What a task costs besides itself, in seconds.

    Attributes
    ----------
    scheduler : float
        Of the scheduler and this process, which serve one task after another.
    store : float
        Of this process, to store one result.
    worker : float
        Of the worker: starting a child, finding the arrays, handing back the files.
    """

    scheduler: float
    store: float
    worker: float


@contextmanager
def workers(number: int) -> Iterator[Client]:
    """Dask workers on this machine, all of them there."""
    with open_cluster(None, number) as client:
        client.wait_for_workers(number)
        yield client


def measure_scaling(options: argparse.Namespace, folder: Path) -> tuple[list[float], list[float]]:
    """Wall times of the same trials: ratios one worker to two, and overhead of a trial on one."""
    protocol = load_protocol("paper" if options.data else "demo")
    protocol = override(protocol, training__epochs=options.epochs, audit__probes=False)
    ratios, overheads = [], []
    for repeat in range(options.repeats):
        seconds = {}
        for number in (1, 2) if repeat % 2 == 0 else (2, 1):
            with workers(number) as client:
                chosen = RunOptions(
                    protocol=protocol,
                    data=options.data,
                    out=folder / f"{repeat}-{number}",
                    models=(options.model,),
                    seeds=tuple(range(options.trials)),
                    folds=(0,),
                    threads=1,
                    backend="dask",
                    scheduler=client.scheduler.address,
                )
                watch = Stopwatch()
                execute(prepare(chosen), watch)
            seconds[number] = watch.seconds
            if number == 1:
                overheads.append((watch.seconds - watch.seconds_of_trials) / options.trials)
        ratios.append(seconds[1] / seconds[2])
    return ratios, overheads


def measure_scheduler(tasks: int) -> float:
    """Seconds that a task takes which does nothing, through the same backend, two workers."""
    with workers(2) as client:

        def passed(number: int) -> float:
            start = time.perf_counter()
            with parallel_config(backend=DaskBackend(client=client)):
                Parallel(n_jobs=-1, batch_size=1, pre_dispatch="all")(
                    delayed(int)(value) for value in range(number)
                )
            return time.perf_counter() - start

        passed(4)
        return passed(tasks) / tasks


def measure_store(records: Sequence[TrialRecord], run: RunFolder, results: int) -> float:
    """Seconds that storing one result takes, the last of many into one folder."""
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder))
        times = []
        for number in range(results):
            record = records[number % len(records)]
            plan = TrialPlan(
                spec=registry.get(record.model),
                fold=record.fold,
                seed=number,
                parameters={},
                identity=record.identity,
                key=f"{number:064x}",
            )
            start = time.perf_counter()
            workdir = store.work(plan.key)
            for name in record.files:
                path = workdir / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes((run.trial_path(record) / name).read_bytes())
            store.keep(plan, Outcome(status=record.status), workdir, datetime.now(UTC))
            times.append(time.perf_counter() - start)
        store.close()
    return median(times[-max(1, results // 10) :])


def simulate(durations: Sequence[float], number: int, measured: Measured) -> float:
    """Wall seconds of trials on `number` workers: a discrete-event simulation.

    A worker that is free takes the next trial as soon as the scheduler, which serves one at a time,
    has handed it over; the results are stored one at a time, in the order of their coming.
    """
    free = [0.0] * number
    scheduler = 0.0
    ends = []
    for duration in durations:
        at = max(heapq.heappop(free), scheduler)
        scheduler = at + measured.scheduler
        end = scheduler + measured.worker + duration
        heapq.heappush(free, end)
        ends.append(end)
    stored = 0.0
    for end in sorted(ends):
        stored = max(stored, end) + measured.store
    return stored


def draw(records: Sequence[TrialRecord], number: int) -> list[float]:
    """Durations of many trials, drawn from measured ones with replacement, in the order of models."""
    chosen = np.sort(np.random.default_rng(SEED).integers(len(records), size=number))
    return [records[place].total_seconds or 0.0 for place in chosen]


def report_simulation(
    options: argparse.Namespace, run: RunFolder, records: Sequence[TrialRecord], cost: Measured
) -> None:
    """Print the table of the simulation and what it supposes."""
    durations = draw(records, options.simulated_trials)
    total = sum(durations) + len(durations) * cost.worker
    print(f"\n## {options.simulated_trials} trials, simulated\n")
    print("| workers | order | wall time (min) | speed-up | of the workers' time used |")
    print("|---|---|---|---|---|")
    sequential = simulate(durations, 1, cost)
    for number in (1, 10, options.simulated_workers):
        for order, trials in (
            ("by model", durations),
            ("longest first", sorted(durations, reverse=True)),
        ):
            wall = simulate(trials, number, cost)
            print(
                f"| {number} | {order} | {wall / 60:.1f} | {sequential / wall:.1f} "
                f"| {total / number / wall:.0%} |"
            )
    threads = ", ".join(str(n) for n in sorted({r.threads for r in records if r.threads}))
    shortest, longest = min(durations), max(durations)
    hand_over, store = 1000 * cost.scheduler, 1000 * cost.store
    print(
        f"""
Assumptions: durations are drawn with replacement (seed {SEED}) from the {len(records)} finished trials of
{run.path.name} (total_seconds, {shortest:.0f} to {longest:.0f} s, cores each: {threads}); every worker is
a machine like the one that they were measured on, serves one trial at a time and is there from the
beginning; none is lost; the network has the latency of loopback and the arrays lie in a shared
folder; the scheduler serves tasks one after another, {hand_over:.1f} ms each, and this process stores
results one after another, {store:.1f} ms each; a trial costs its worker {cost.worker:.2f} s besides, as
measured where each followed one of the same model."""
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of images; without it, SYNTHETIC smears")
    parser.add_argument("--model", default="modified_cnn")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=500, help="empty tasks for the scheduler")
    parser.add_argument("--run", type=Path, help="run folder that gives the times of trials")
    parser.add_argument("--simulated-trials", type=int, default=1000)
    parser.add_argument("--simulated-workers", type=int, default=100)
    parser.add_argument("--simulate-only", action="store_true")
    parser.add_argument("--per-trial", type=float, help="overhead of a trial in s, if not measured")
    options = parser.parse_args()
    if options.simulate_only and (options.per_trial is None or options.run is None):
        parser.error("--simulate-only needs --per-trial and --run")
    return options


def main() -> None:
    """Measure, simulate and print."""
    options = _arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        overhead = options.per_trial
        run = RunFolder(options.run) if options.run else None
        if not options.simulate_only:
            ratios, overheads = measure_scaling(options, folder)
            overhead = median(overheads)
            run = run or RunFolder(folder / "0-1")
            data = options.data.name if options.data else "SYNTHETIC smears"
            print(
                f"## One worker against two: {options.trials} trials of {options.model}, {data}\n"
            )
            print("| repeat | one worker / two workers | target |\n|---|---|---|")
            for number, ratio in enumerate(ratios):
                print(f"| {number} | {ratio:.2f} | |")
            print(f"| median | {median(ratios):.2f} | at least {TARGET} |")
        assert run is not None
        records = [record for record in run.records if record.scored and record.total_seconds]
        cost = Measured(
            scheduler=measure_scheduler(options.tasks),
            store=measure_store(records, run, options.simulated_trials),
            worker=overhead,
        )
        print("\n## What a trial costs besides itself\n")
        print("| | ms |\n|---|---|")
        print(
            f"| scheduler and hand-over, per empty task ({options.tasks}) | {1000 * cost.scheduler:.1f} |"
        )
        print(
            f"| storing a result, after {options.simulated_trials} others | {1000 * cost.store:.1f} |"
        )
        print(f"| worker: child, arrays, files | {1000 * cost.worker:.0f} |")
        report_simulation(options, run, records, cost)


if __name__ == "__main__":
    main()
