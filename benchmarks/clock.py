"""A run through leukbench with the time of every trial and epoch noted as it happens."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.process import Settings, call
from leukbench.protocol import load_protocol

if TYPE_CHECKING:
    from leukbench.records import Epoch, TrialRecord
    from leukbench.trials.plan import TrialPlan

MODELS = load_protocol("paper").models
NETWORKS = MODELS[:6]


class Clock:
    """A reporter that notes when each trial began and ended, and when each of its epochs did."""

    def __init__(self) -> None:
        self.begun: dict[str, float] = {}
        self.ends: dict[str, float] = {}
        self.epochs: dict[str, list[float]] = {}

    def waiting(self, number: int, total: int) -> None:
        """Nothing is noted."""

    def started(self, plan: TrialPlan) -> None:
        """Note the beginning."""
        self.begun[plan.key] = time.perf_counter()
        self.epochs[plan.key] = []

    def epoch(self, plan: TrialPlan, epoch: Epoch) -> None:
        """Note the end of an epoch."""
        self.epochs[plan.key].append(time.perf_counter())

    def ended(self, plan: TrialPlan, record: TrialRecord) -> None:
        """Note the end, after the trial was stored."""
        self.ends[plan.key] = time.perf_counter()

    def __getattr__(self, name: str) -> Any:
        """Whatever else a reporter is told is not noted."""
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments, **options: None


def timed_run(data: str, out: str, protocol: str = "paper", **options: Any) -> dict[str, Any]:
    """What ``leukbench run-all`` does, with its stages and trials timed.

    Parameters
    ----------
    data, out : str
        Folder of images, run folder.
    protocol : str
        Name of the protocol.
    **options
        ``epochs``, ``precision``, ``probes`` change the protocol; ``models``, ``seeds``, ``jobs`` and
        ``threads`` are those of ``run-all``.

    Returns
    -------
    dict
        Seconds of the stages ``prepare`` (reading, audit, split), ``trials`` (first beginning to last
        end), ``rest`` (preprocessing, tables, figures, page), and ``records``: one a trial.
    """
    from leukbench.protocol import load_protocol, override
    from leukbench.trials.execute import execute
    from leukbench.trials.options import RunOptions
    from leukbench.trials.prepare import prepare

    chosen = load_protocol(protocol)
    if not options.pop("probes", True):
        chosen = override(chosen, audit__probes=False)
    begun = time.perf_counter()
    given = RunOptions(protocol=chosen, data=Path(data), out=Path(out), **options)
    prepared = prepare(given)
    ready = time.perf_counter()
    clock = Clock()
    folder = execute(prepared, clock)
    done = time.perf_counter()
    trials = max(clock.ends.values()) - min(clock.begun.values()) if clock.ends else 0.0
    records = []
    for record in folder.records:
        if record.key not in clock.ends:
            continue
        frame = folder.predictions(record) if record.scored else None
        marks = clock.epochs[record.key]
        records.append(
            {
                "model": record.model,
                "family": record.family,
                "seed": record.seed,
                "status": record.status,
                "reason": record.reason,
                "precision": record.precision,
                "threads": record.threads,
                "jobs": record.jobs,
                "accuracy": None
                if frame is None
                else float((frame["y_true"] == frame["y_pred"]).mean()),
                "fit_seconds": record.fit_seconds,
                "predict_seconds": record.predict_seconds,
                "job_seconds": record.total_seconds,
                "trial_seconds": clock.ends[record.key] - clock.begun[record.key],
                "epoch_seconds": [b - a for a, b in pairwise(marks)],
                "predictions": record.files.get("predictions.parquet", ""),
            }
        )
    return {
        "prepare": ready - begun,
        "trials": trials,
        "rest": done - ready - trials,
        "records": records,
    }


def run_in_child(
    settings: Settings, cache: Path, *, data: Path | None = None, **options: Any
) -> dict[str, Any]:
    """`timed_run` in a fresh process with the given cache and a fresh run folder."""
    answer = call(
        "benchmarks.clock:timed_run",
        cache=cache,
        data=str(data or settings.images),
        out=str(settings.fresh("run") / "run"),
        **options,
    )
    failed = [r for r in answer["records"] if r["status"] not in ("ok", "degenerate")]
    if failed:
        raise RuntimeError(f"{failed[0]['model']} did not end well: {failed[0]['reason']}")
    return answer
