"""All benchmarks: their names, what they take, and how they are carried out one after another."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.process import ChildFailed, Settings
from benchmarks.result import Outcome, Skipped
from leukbench.files import write_text

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes
    ----------
    name : str
        On the command line.
    title : str
        In the table.
    target : str
        ``module:function``, called with the settings.
    minutes : tuple of float
        Rough duration on two idle cores: quick, and with the defaults at 3256 images.
    """

    name: str
    title: str
    target: str
    minutes: tuple[float, float]

    def measure(self, settings: Settings) -> Outcome:
        """Carry it out."""
        module, _, function = self.target.partition(":")
        measure: Callable[[Settings], Outcome] = getattr(import_module(module), function)
        return measure(settings)


BENCHMARKS = (
    Benchmark("preprocessing", "Preprocessing", "benchmarks.preprocessing:measure", (0.3, 1)),
    Benchmark("commands", "Commands", "benchmarks.commands:measure", (1, 2)),
    Benchmark(
        "throughput", "VGG against the matrix product", "benchmarks.throughput:measure", (1, 15)
    ),
    Benchmark("torch", "Networks against PyTorch", "benchmarks.against_torch:measure", (2, 40)),
    Benchmark("paper", "The paper's protocol", "benchmarks.paper:measure", (3, 75)),
    Benchmark("harness", "What the harness adds", "benchmarks.harness:measure", (0.5, 5)),
    Benchmark("memory", "Memory of the parent process", "benchmarks.memory:measure", (0.5, 15)),
    Benchmark("choices", "Choices", "benchmarks.choices:measure", (4, 60)),
    Benchmark("scaling", "Growth", "benchmarks.scaling:measure", (1, 15)),
)


def measure(
    chosen: Iterable[Benchmark],
    settings: Settings,
    out: Path,
    *,
    described: Mapping[str, Any],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Carry out benchmarks one after another, and write the results after each.

    Results of other benchmarks in `out` stay, so that a long one can be measured alone.

    Parameters
    ----------
    chosen : iterable of Benchmark
        What to measure.
    settings : Settings
        How.
    out : Path
        JSON file of results.
    described : mapping
        The settings, as each row repeats them.
    say : callable
        Called with each line of progress.

    Returns
    -------
    dict
        What `out` holds at the end.
    """
    from leukbench.machine import describe_environment

    results = read_results(out) if out.is_file() else {"rows": {}}
    environment = describe_environment().model_dump(mode="json")
    before = results.get("environment", environment)
    if before["machine"] != environment["machine"]:
        raise ValueError(f"{out} holds figures of another machine: name another file with --out")
    results |= {"schema_version": SCHEMA_VERSION, "environment": environment}
    for benchmark in chosen:
        say(f"{benchmark.name} ...")
        begun = time.perf_counter()
        row: dict[str, Any] = {
            "title": benchmark.title,
            "settings": dict(described),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": environment["git_commit"],
            "load": round(os.getloadavg()[0], 2),
            "status": "ok",
            "reason": "",
        }
        sides = settings.sides and settings.sides / benchmark.name
        try:
            row |= benchmark.measure(replace(settings, sides=sides)).as_json()
        except Skipped as error:
            row |= {"status": "skipped", "reason": str(error), "lines": [], "notes": []}
        except (ChildFailed, RuntimeError, ValueError) as error:
            row |= {"status": "failed", "reason": str(error), "lines": [], "notes": []}
        row["seconds"] = time.perf_counter() - begun
        results["rows"][benchmark.name] = row
        write_results(out, results)
        if row["status"] == "ok" and sides:
            shutil.rmtree(sides, ignore_errors=True)
        say(f"{benchmark.name}: {row['status']} in {row['seconds']:.0f} s {row['reason']}".rstrip())
    return results


def read_results(path: Path) -> dict[str, Any]:
    """Read a file of results.

    Raises
    ------
    ValueError
        Where it is none, or of another version.
    """
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if results.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"{path} holds no results of this version of the benchmarks")
    return results


def write_results(path: Path, results: Mapping[str, Any]) -> None:
    """Write a file of results whole or not at all."""
    write_text(path, json.dumps(results, indent=2) + "\n")


def report_progress(text: str) -> None:
    """Print one line of progress on standard error; standard output is for the table."""
    print(text, file=sys.stderr, flush=True)
