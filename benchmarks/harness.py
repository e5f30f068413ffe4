"""What leukbench adds to the time of ``fit`` and ``predict`` of a trial."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from benchmarks.clock import run_in_child
from benchmarks.process import Settings, call
from benchmarks.result import TARGETS, Line, Outcome

MODEL = "modified_cnn"


def measure(settings: Settings) -> Outcome:
    """Several trials of one network in one run.

    Counted is the time from giving a trial out to its record on disk, less ``fit`` and ``predict``:
    writing the job, reading arrays and split, cutting the parts, predictions and curve, hashes,
    renaming. The child starts and imports TensorFlow in the first trial of a model alone, so that the
    first trial has a row of its own, beside rows for the start and the import alone.
    """
    epochs = 4 if settings.quick else 45
    seeds = list(range(settings.repeats + 1))
    answer = run_in_child(
        settings, settings.cache, models=[MODEL], seeds=seeds, epochs=epochs, probes=False, jobs=1
    )
    trials = sorted(answer["records"], key=lambda record: record["seed"])
    overheads = [record["trial_seconds"] - _own(record) for record in trials]
    shares = [100 * more / _own(record) for more, record in zip(overheads, trials, strict=True)]
    start = [
        call("benchmarks.harness:start_child", cache=settings.cache)
        for _ in range(settings.repeats)
    ]
    return Outcome(
        [
            Line(
                f"{MODEL}, trial of {median(_own(r) for r in trials[1:]):.0f} s, after the first",
                tuple(shares[1:]),
                "%",
                TARGETS["harness"],
                f"{median(overheads[1:]):.2f} s beside fit and predict",
            ),
            Line(
                f"{MODEL}, first trial of {_own(trials[0]):.0f} s",
                (shares[0],),
                "%",
                None,
                f"{overheads[0]:.2f} s, with the start of the child and the import of TensorFlow",
            ),
            Line("start of a child, to its first answer", _column(start, "start"), "s"),
            Line("import of TensorFlow and Keras", _column(start, "import"), "s"),
        ],
        [
            f"{epochs} epochs a trial. Not counted: what a run does once (reading, audit, split, "
            "preprocessing, tables, figures, page).",
        ],
    )


def start_child() -> dict[str, Any]:
    """Seconds until a child answers, and of importing TensorFlow and Keras in this process."""
    from leukbench.machine import available_cores
    from leukbench.trials.worker import Worker

    begun = time.perf_counter()
    with Worker(available_cores()) as worker:
        if not worker.ping():
            raise RuntimeError("the child did not answer")
        started = time.perf_counter()
    importing = time.perf_counter()
    import keras  # noqa: F401
    import tensorflow  # noqa: F401

    return {"start": started - begun, "import": time.perf_counter() - importing}


def _own(record: dict[str, Any]) -> float:
    return float(record["fit_seconds"] + record["predict_seconds"])


def _column(rows: list[dict[str, Any]], name: str) -> tuple[float, ...]:
    return tuple(row[name] for row in rows)
