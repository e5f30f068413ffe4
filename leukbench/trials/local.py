"""All trials of a run on this machine: one after another, or side by side."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from joblib import Parallel, delayed

from leukbench.records import TrialRecord
from leukbench.trials.limits import Limits
from leukbench.trials.plan import TrialPlan, job_of
from leukbench.trials.pool import ChildPool
from leukbench.trials.store import RunStore


class Reporter(Protocol):
    """Who is told how the trials go; called from several threads."""

    def waiting(self, number: int, total: int) -> None:
        """So many of all trials are to be run."""

    def started(self, plan: TrialPlan) -> None:
        """A trial begins."""

    def epoch(self, plan: TrialPlan, values: Mapping[str, Any]) -> None:
        """A network finished an epoch: epoch, epochs, loss, accuracy."""

    def ended(self, plan: TrialPlan, record: TrialRecord) -> None:
        """A trial is stored."""


@dataclass(frozen=True)
class Inputs:
    """Files that the children read.

    Attributes
    ----------
    images : mapping of str to Path
        Array of each probe by name, and of all models under the name ``""``.
    folds : mapping of int to Path
        Indices and labels of each fold.
    """

    images: Mapping[str, Path]
    folds: Mapping[int, Path]

    def images_for(self, plan: TrialPlan) -> Path:
        """The array that a trial reads."""
        return self.images.get(plan.model, self.images[""])


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

    A trial that fails is stored as failed, and the others go on. An interrupt, or a store that cannot
    be written, ends all children; what was finished is kept.
    """
    cancelled = threading.Event()
    pool = ChildPool(limits.threads)

    def one(plan: TrialPlan) -> None:
        if cancelled.is_set():
            return
        workdir = store.work(plan.key)
        job = job_of(
            plan,
            images=inputs.images_for(plan),
            fold_file=inputs.folds[plan.fold],
            workdir=workdir,
            threads=limits.threads,
            save_model=save_models,
        )
        job_file = workdir / "job.json"
        job_file.write_text(json.dumps(job), encoding="utf-8")
        started = datetime.now(UTC)
        reporter.started(plan)
        worker = pool.acquire(plan.kind)
        try:
            outcome = worker.run(
                job_file,
                timeout=limits.timeout,
                memory_mb=limits.memory_mb,
                on_event=lambda values: reporter.epoch(plan, values),
                cancelled=cancelled,
            )
        except BaseException:
            worker.close()
            raise
        pool.release(plan.kind, worker)
        if cancelled.is_set():
            return
        outcome = dict(outcome) | {"threads": limits.threads, "jobs": limits.jobs}
        record = store.keep(plan, outcome, workdir, started)
        reporter.ended(plan, record)

    try:
        if limits.jobs == 1:
            for plan in plans:
                one(plan)
        else:
            Parallel(n_jobs=limits.jobs, backend="threading", batch_size=1)(
                delayed(one)(plan) for plan in plans
            )
    except BaseException:
        cancelled.set()
        raise
    finally:
        pool.close()
