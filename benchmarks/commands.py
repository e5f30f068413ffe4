"""Commands as a person waits for them, from typing to prompt: nothing to do, report, gate, compare."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from benchmarks.process import Settings, run
from benchmarks.result import TARGETS, Line, Outcome
from benchmarks.run_folders import copy_run

LEUKBENCH = [sys.executable, "-m", "leukbench"]


def measure(settings: Settings) -> Outcome:
    """Whole processes, interpreter and imports included.

    ``report``, ``gate`` and ``compare`` get a folder of ten models and five seeds; a model with fewer
    trials in the committed run has one repeated.
    """
    folder = copy_run(settings.fresh("folder") / "run", models=10, seeds=5)
    baseline = folder.parent / "baseline"
    run([*LEUKBENCH, "report", str(folder)])
    shutil.copytree(folder, baseline)
    lines = [_nothing_to_do(settings)]
    commands = {
        "report": ["report", str(folder)],
        "gate": ["gate", str(folder), "--baseline", str(baseline)],
        "compare": ["compare", str(folder)],
    }
    for name, arguments in commands.items():
        seconds = [
            run([*LEUKBENCH, *arguments], cache=settings.cache)[1] for _ in range(settings.repeats)
        ]
        lines.append(Line(f"leukbench {name}", tuple(seconds), "s", TARGETS[name]))
    bare = tuple(run([*LEUKBENCH, "--version"])[1] for _ in range(settings.repeats))
    lines.append(Line("leukbench --version, for comparison", bare, "s"))
    return Outcome(lines, ["The files were in the page cache after a first call."])


def _nothing_to_do(settings: Settings) -> Line:
    out: Path = settings.fresh("idle") / "run"
    command = [*LEUKBENCH, "run-all", "--data", str(settings.images), "--out", str(out)]
    command += ["--protocol", "paper", "--models", "naive_bayes,decision_tree"]
    run(command, cache=settings.cache)
    seconds = tuple(run(command, cache=settings.cache)[1] for _ in range(settings.repeats))
    images = sum(1 for path in settings.images.rglob("*") if path.is_file())
    return Line(
        f"run-all with nothing to do, {images} images", seconds, "s", TARGETS["nothing to do"]
    )
