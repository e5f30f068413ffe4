"""Peak memory of the parent process of a run, at a few thousand images and at many."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.clock import Clock
from benchmarks.process import Settings, call
from benchmarks.result import TARGETS, Line, Outcome
from benchmarks.small_images import write_small

T = TypeVar("T")


def measure(settings: Settings) -> Outcome:
    """All stages of a run in a process that then ends; the trial itself is in its child."""
    cases = [("images of the comparison", settings.images)]
    small = settings.fresh("many") / "small"
    cases.append(("SYNTHETIC images of 32x32 pixels", write_small(small, settings.many)))
    lines = []
    for title, data in cases:
        found = call(
            "benchmarks.memory:run_peaks",
            cache=settings.fresh("cache"),
            data=str(data),
            out=str(settings.fresh("run") / "run"),
        )
        stages = "; ".join(
            f"{name} {values['peak_mb']:.0f} MiB in {values['seconds']:.1f} s"
            for name, values in found["stages"].items()
        )
        lines.append(
            Line(
                f"parent's peak, {found['images']} {title}",
                (found["peak_mb"],),
                "MiB",
                TARGETS["parent memory"],
                f"peak in each stage: {stages}",
            )
        )
    return Outcome(
        lines,
        [
            "Resident memory, with pages of the mapped image array that the system may drop at any "
            "time; cache and index were empty.",
        ],
    )


def run_peaks(data: str, out: str) -> dict[str, Any]:
    """Carry out a run of the paper's protocol stage by stage, with one quick model.

    Returns
    -------
    dict
        ``images``, ``peak_mb`` of all, and of each stage its seconds and its own peak.
    """
    stages = Stages()
    stages.time("imports", import_module, "leukbench.trials.execute")
    from leukbench.data.folder import load_folder
    from leukbench.protocol import load_protocol
    from leukbench.trials.execute import execute
    from leukbench.trials.options import RunOptions
    from leukbench.trials.prepare import prepare

    options = RunOptions(
        protocol=load_protocol("paper"), data=Path(data), out=Path(out), models=("naive_bayes",)
    )
    stages.time("reading", load_folder, Path(data))
    prepared = stages.time("audit, split, plans", prepare, options)
    stages.time("preprocessing, trials, tables, page", execute, prepared, Clock())
    return {
        "images": len(prepared.dataset),
        "peak_mb": max(values["peak_mb"] for values in stages.found.values()),
        "stages": stages.found,
    }


class Stages:
    """Seconds and peak memory of one piece of work after another.

    Attributes
    ----------
    found : dict
        By name of the stage ``seconds``, ``peak_mb``, and ``growth_mb``: by how much the peak is above
        the size of the process before its first stage, 0.1 at least.
    """

    def __init__(self) -> None:
        reset_peak()
        self._before = peak_mb()
        self.found: dict[str, dict[str, float]] = {}

    def time(self, name: str, action: Callable[..., T], *arguments: Any) -> T:
        """Carry out a stage."""
        reset_peak()
        begun = time.perf_counter()
        result = action(*arguments)
        seconds = time.perf_counter() - begun
        peak = peak_mb()
        growth = max(peak - self._before, 0.1)
        self.found[name] = {"seconds": seconds, "peak_mb": peak, "growth_mb": growth}
        return result


def reset_peak() -> None:
    """Begin a new measurement of the peak (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_mb() -> float:
    """Largest resident set since `reset_peak`, MiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("the system does not tell a process's peak memory")
