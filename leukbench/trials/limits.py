"""What trials may use, and what they may cost: side by side or one after another, and for how long.

How long a model takes is not known before its first trial has finished, so the choice goes by families:
networks take longest, then ensembles, other classifiers, controls and probes. For the paper's ten models
on two cores this ends between 4 % sooner and 1 % later than a choice from measured times of every model.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pandas as pd

from leukbench.errors import DataError
from leukbench.machine import available_cores, machine_id, total_memory_mb
from leukbench.records import TrialRecord, read_record
from leukbench.trials.options import RunOptions
from leukbench.trials.plan import TrialPlan

MEMORY_SHARE = 0.75
"""Of this machine's memory that trials side by side may be expected to take."""
IDLE_SHARE = 0.2
"""Of the cores that may have nothing to do in the last round of the longest trials."""
START_SECONDS = 8.0
"""From the start of a child process to the first step of training."""
NETWORK_MB = 1750.0
"""Upper figure of a network's memory at batches of 64 images of 50 by 50 pixels."""
OTHERS_MB = 1000.0
FROZEN_MB = 2500.0
NATIVE_SIZE = 224


@dataclass(frozen=True)
class Limits:
    """What trials may use: so many side by side, and for each cores, seconds and MiB.

    `reason` says why so many side by side, where the user did not say.
    """

    jobs: int
    threads: int
    timeout: float | None
    memory_mb: float | None
    reason: str = ""


def choose_limits(options: RunOptions, plans: Sequence[TrialPlan], out: Path) -> Limits:
    """What the trials of a run may use: as the user says, else so that the run ends soon.

    The choice depends on all trials of the run, finished or not, so that a run that was cut off goes on
    as it began. Trials that are added to a run folder get as many cores as those that are there, since
    the last digits of a network's weights depend on their number. A limit of time is that of a trial with
    all cores: with one, trials go one after another, and so they do on a GPU.
    """
    jobs, threads, reason = options.jobs, options.threads, ""
    if jobs is None and options.scheduler is not None:
        jobs = 1
    elif jobs is None and options.timeout is not None:
        jobs, reason = 1, "as a time limit is for a trial that has all cores"
    elif jobs is None and any(plan.device for plan in plans):
        jobs, reason = 1, "as a GPU has one trial at a time"
        threads = threads or (None if options.fresh else _threads_before(out))
    elif jobs is None:
        reason = "which is likely to end soonest"
        if threads is None and not options.fresh:
            threads = _threads_before(out)
            reason = reason if threads is None else "as in this run folder before"
        jobs = choose_jobs(plans, options, available_cores(), threads)
    return Limits(
        jobs=jobs,
        threads=threads or max(1, available_cores() // jobs),
        timeout=options.timeout,
        memory_mb=options.memory_mb,
        reason=reason,
    )


def choose_jobs(
    plans: Sequence[TrialPlan], options: RunOptions, cores: int, threads: int | None = None
) -> int:
    """The largest number of trials side by side that fits in memory and leaves few cores idle.

    Trials of the longest family decide. Where each trial has a settled number of `threads`, more side by
    side are never slower. Else each gets fewer cores the more there are, so they must be of one model
    (and so last equally long) or at least two for each job: a long one must not be left alone.
    """
    memories = sorted((_memory_mb(plan, options) for plan in plans), reverse=True)
    first = min(map(_family_order, plans), default=0)
    longest = [plan for plan in plans if _family_order(plan) == first]
    for jobs in range(min(cores // (threads or 1), len(plans)), 1, -1):
        if sum(memories[:jobs]) > MEMORY_SHARE * total_memory_mb():
            continue
        alike = len(longest) >= jobs and len({plan.model for plan in longest}) == 1
        idle = 1 - len(longest) / (jobs * -(-len(longest) // jobs))
        if threads or ((alike or len(longest) >= 2 * jobs) and idle <= IDLE_SHARE):
            return jobs
    return 1


def longest_first(plans: Sequence[TrialPlan], out: Path) -> list[TrialPlan]:
    """Trials in the order in which several workers end soonest; those of one model stay together.

    Longest family first, and within it by the times that the run folder holds; unknown ones first.
    """
    seconds = {record.model: record.total_seconds or 0.0 for record in stored_records(out)}
    unknown = float("inf")
    return sorted(plans, key=lambda p: (_family_order(p), -seconds.get(p.model, unknown)))


def estimates(
    plans: Sequence[TrialPlan], split: pd.DataFrame, out: Path
) -> list[tuple[TrialPlan, str, float | None]]:
    """State and likely duration of every trial of a run.

    A finished trial gives its own time. Others are estimated from finished trials of the same model in
    the run folder that ran on the same device, scaled by images and epochs.

    Returns
    -------
    list of (TrialPlan, str, float or None)
        The state is ``"finished"``, ``"estimate"`` or ``"unknown"``, without seconds.
    """
    images = split[split["part"] == "train"].groupby("fold").size().to_dict()
    finished: dict[str, float] = {}
    rates: dict[tuple[str, str], list[float]] = defaultdict(list)
    for record in stored_records(out):
        if record.scored:
            finished[record.key] = record.total_seconds or 0.0
            work = record.n_train * max(record.epochs_run or 1, 1)
            rates[record.model, record.device].append((record.fit_seconds or 0.0) / work)
    rows: list[tuple[TrialPlan, str, float | None]] = []
    for plan in plans:
        if plan.key in finished:
            rows.append((plan, "finished", finished[plan.key]))
        elif (plan.model, plan.device) in rates:
            work = images[plan.fold] * int(plan.parameters.get("epochs", 1))
            rate = median(rates[plan.model, plan.device])
            rows.append((plan, "estimate", START_SECONDS + rate * work))
        else:
            rows.append((plan, "unknown", None))
    return rows


def last_end(seconds: Iterable[float], jobs: int) -> float:
    """Seconds that so many workers take for trials of known duration, the longest first.

    >>> last_end([3, 2, 2, 1], jobs=2)
    4.0
    """
    ends = [0.0] * jobs
    for duration in sorted(seconds, reverse=True):
        heapq.heapreplace(ends, ends[0] + duration)
    return max(ends)


def stored_records(out: Path) -> Iterator[TrialRecord]:
    """Records of a run folder, one after another; what cannot be read is passed over."""
    for path in sorted((out / "trials").glob("*/record.json")):
        with suppress(DataError):
            yield read_record(path)


def _family_order(plan: TrialPlan) -> int:
    """Longest first: networks, ensembles, other classifiers, controls, probes."""
    if plan.spec.framework == "keras":
        return 0
    return {"ensemble": 1, "control": 3, "probe": 4}.get(plan.spec.family, 2)


def _memory_mb(plan: TrialPlan, options: RunOptions) -> float:
    """Upper figure of the memory that a trial takes, MiB."""
    needed = OTHERS_MB
    if plan.spec.frozen:
        needed = FROZEN_MB
    if plan.spec.framework == "keras":
        side = NATIVE_SIZE if plan.spec.native else options.protocol.preprocessing.size
        needed = 250.0 + NETWORK_MB * (side / 50) ** 2 * plan.parameters["batch_size"] / 64
    return min(needed, options.memory_mb or needed)


def _threads_before(out: Path) -> int | None:
    """Cores of the trials that a run folder holds from such a machine as this one."""
    for record in stored_records(out):
        if record.machine == machine_id() and record.family != "probe" and record.threads:
            return record.threads
    return None
