"""All trials of a run on this machine: one after another, or side by side."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from joblib import Parallel, delayed

from leukbench.records import Epoch, TrialRecord
from leukbench.trials.limits import Limits
from leukbench.trials.plan import TrialPlan, job_of
from leukbench.trials.store import RunStore
from leukbench.trials.worker import WorkerPool


class Reporter(Protocol):
    """Who is told how the trials go; called from several threads."""

    def waiting(self, number: int, total: int) -> None:
        """So many of all trials are to be run."""

    def started(self, plan: TrialPlan) -> None:
        """A trial begins."""

    def epoch(self, plan: TrialPlan, epoch: Epoch) -> None:
        """A network finished an epoch."""

    def ended(self, plan: TrialPlan, record: TrialRecord) -> None:
        """A trial is stored."""


class _Silent:
    """Tells nobody."""

    def waiting(self, number: int, total: int) -> None:
        """Say nothing."""

    def started(self, plan: TrialPlan) -> None:
        """Say nothing."""

    def epoch(self, plan: TrialPlan, epoch: Epoch) -> None:
        """Say nothing."""

    def ended(self, plan: TrialPlan, record: TrialRecord) -> None:
        """Say nothing."""


SILENT = _Silent()


@dataclass(frozen=True)
class Inputs:
    """Files that the children read: arrays by what a `ModelSpec` ``reads``, and each fold's indices."""

    images: Mapping[str, Path]
    folds: Mapping[int, Path]

    def images_for(self, plan: TrialPlan) -> Path:
        """The array that a trial reads."""
        return self.images[plan.spec.reads]

    def fold_for(self, plan: TrialPlan) -> Path:
        """The indices that a trial reads."""
        return self.folds[plan.fold]


def run_trials(
    plans: Sequence[TrialPlan],
    store: RunStore,
    inputs: Inputs,
    limits: Limits,
    reporter: Reporter,
    *,
    save_models: bool = False,
) -> None:
    """Carry out trials in child processes and store each as it ends.

    A trial that fails is stored as failed, and the others go on. A GPU has one trial at a time. An
    interrupt, or a store that cannot be written, ends all children; what was finished is kept.
    """
    cancelled = threading.Event()
    pool = WorkerPool(limits.threads)
    gpu = threading.Lock()

    def run_one(plan: TrialPlan) -> None:
        with gpu if plan.device else nullcontext():
            if cancelled.is_set():
                return
            job = job_of(
                plan,
                images=inputs.images_for(plan),
                fold_file=inputs.fold_for(plan),
                workdir=store.work(plan.key),
                threads=limits.threads,
                save_model=save_models,
            )
            started = datetime.now(UTC)
            reporter.started(plan)
            outcome = pool.run(
                plan.kind,
                job,
                timeout=limits.timeout,
                memory_mb=limits.memory_mb,
                on_event=lambda epoch: reporter.epoch(plan, epoch),
                cancelled=cancelled,
            )
            if cancelled.is_set():
                return
            shared = {"threads": limits.threads, "jobs": limits.jobs, "device": plan.device}
            record = store.keep(plan, outcome.model_copy(update=shared), job.workdir, started)
            reporter.ended(plan, record)

    try:
        if limits.jobs == 1:
            for plan in plans:
                run_one(plan)
        else:
            Parallel(n_jobs=limits.jobs, backend="threading", batch_size=1)(
                delayed(run_one)(plan) for plan in plans
            )
    except BaseException:
        cancelled.set()
        raise
    finally:
        pool.close()
