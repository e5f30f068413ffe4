"""How trials share the cores of this machine: one after another, or side by side with fewer each."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pandas as pd

from leukbench.machine import available_cores, machine_id, total_memory_mb
from leukbench.trials.estimate import CORES, Cost, reference_costs, stored_records
from leukbench.trials.plan import TrialPlan

if TYPE_CHECKING:
    from leukbench.trials.options import RunOptions

MEMORY_SHARE = 0.75
"""Of this machine's memory that trials side by side may be expected to take."""


@dataclass(frozen=True)
class Limits:
    """What trials may use.

    Attributes
    ----------
    jobs : int
        Trials side by side.
    threads : int
        Cores of each.
    timeout : float or None
        Seconds of each.
    memory_mb : float or None
        Resident memory of each, MiB.
    reason : str
        Why so many side by side, where the user did not say.
    """

    jobs: int
    threads: int
    timeout: float | None
    memory_mb: float | None
    reason: str = ""


def choose_limits(
    options: RunOptions, plans: Sequence[TrialPlan], split: pd.DataFrame, out: Path
) -> Limits:
    """What the trials of a run may use, as the user says or as the run ends soonest.

    The choice depends on all trials of the run, finished or not, so that a run that was cut off goes on
    as it began. Trials that are added to a run folder get as many cores as those that are there, since
    the last digits of a network's weights depend on their number. A limit of time is that of a trial with
    all cores: with one, trials go one after another.
    """
    jobs, threads, reason = options.jobs, options.threads, ""
    if jobs is None:
        jobs, threads, reason = _share(options, plans, split, out)
    return Limits(
        jobs=jobs,
        threads=threads or max(1, available_cores() // jobs),
        timeout=options.timeout,
        memory_mb=options.memory_mb,
        reason=reason,
    )


def _share(
    options: RunOptions, plans: Sequence[TrialPlan], split: pd.DataFrame, out: Path
) -> tuple[int, int | None, str]:
    """Trials side by side, cores of each where that is settled, and why."""
    if options.scheduler is not None:
        return 1, options.threads, ""
    if options.timeout is not None:
        return 1, options.threads, "because of --timeout"
    threads, reason = options.threads, "which ends soonest"
    if threads is None and not options.fresh:
        threads = _threads_before(out)
        reason = reason if threads is None else "as in this run folder before"
    costs = reference_costs(plans, split, options)
    memory = MEMORY_SHARE * total_memory_mb()
    jobs = choose_jobs(costs, available_cores(), memory, threads=threads, most_mb=options.memory_mb)
    return jobs, threads, reason


def choose_jobs(
    costs: Sequence[Cost],
    cores: int,
    memory_mb: float,
    *,
    threads: int | None = None,
    most_mb: float | None = None,
) -> int:
    """The number of trials side by side with which all of them end soonest; the least of equals.

    Parameters
    ----------
    costs : sequence of Cost
        Of all trials.
    cores : int
        To be shared.
    memory_mb : float
        That the trials under way may take together, MiB.
    threads : int, optional
        Cores of each, where that is settled; else they are shared equally.
    most_mb : float, optional
        What no trial can take more of, MiB.
    """
    memories = sorted(
        (min(cost.memory_mb, most_mb or cost.memory_mb) for cost in costs), reverse=True
    )
    best, soonest = 1, float("inf")
    for jobs in range(1, min(cores // (threads or 1), len(costs)) + 1):
        if jobs > 1 and sum(memories[:jobs]) > memory_mb:
            break
        seconds = makespan(costs, jobs, threads or cores // jobs)
        if seconds < soonest:
            best, soonest = jobs, seconds
    return best


def makespan(costs: Sequence[Cost], jobs: int, threads: int) -> float:
    """Seconds from the first beginning to the last end, with the longest trials first.

    A trial of which nothing is known counts as the median of the others, or as one second.

    >>> costs = [Cost(seconds=10.0, serial_share=0.0, memory_mb=100.0)] * 2
    >>> makespan(costs, jobs=1, threads=2), makespan(costs, jobs=2, threads=1)
    (20.0, 20.0)
    """
    unknown = _usual_seconds(costs)
    return last_end([cost.seconds_on(threads, unknown) for cost in costs], jobs)


def last_end(seconds: Iterable[float], jobs: int) -> float:
    """Seconds that so many workers take for trials of known duration, the longest first.

    >>> last_end([3, 2, 2, 1], jobs=2)
    4.0
    """
    ends = [0.0] * jobs
    for duration in sorted(seconds, reverse=True):
        heapq.heapreplace(ends, ends[0] + duration)
    return max(ends)


def longest_first(
    plans: Sequence[TrialPlan], split: pd.DataFrame, options: RunOptions
) -> list[TrialPlan]:
    """Trials in the order in which several workers end soonest; those of one model stay together."""
    costs = reference_costs(plans, split, options)
    unknown = _usual_seconds(costs)
    longest: dict[str, float] = {}
    for plan, cost in zip(plans, costs, strict=True):
        seconds = cost.seconds_on(CORES, unknown)
        longest[plan.kind] = max(seconds, longest.get(plan.kind, 0.0))
    return sorted(plans, key=lambda plan: -longest[plan.kind])


def _usual_seconds(costs: Sequence[Cost]) -> float:
    """What a trial of which nothing is known is taken to last."""
    known = [cost.seconds for cost in costs if cost.seconds is not None]
    return median(known) if known else 1.0


def _threads_before(out: Path) -> int | None:
    """Cores of the trials that a run folder holds from such a machine as this one."""
    for record in stored_records(out):
        if record.machine == machine_id() and record.family != "probe" and record.threads:
            return record.threads
    return None
