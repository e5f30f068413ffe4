"""How both sides of a benchmark are run: fresh processes with a cache of their own, taken in turn."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from leukbench.files import write_text

ROOT = Path(__file__).resolve().parents[1]

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class Settings:
    """What the command line asked for.

    Attributes
    ----------
    data : Path
        Folder of images, one sub-folder a class; all of them.
    images : Path
        The images that most benchmarks use: `data`, or fewer of them.
    workspace : Path
        Empty folder for everything that is written.
    quick : bool
        Small settings: the shape of the table, not its figures.
    repeats : int
        How often each side is measured.
    epochs : int
        Of every network in the comparison with the plain script.
    sizes : tuple of int
        Numbers of images at which growth is measured.
    many : int
        Number of images at which the parent's memory is measured too.
    torch_python : Path or None
        A Python that has PyTorch.
    models : tuple of str
        Restricts the models of every benchmark that measures several; empty for all of them.
    fewer : int or None
        Number of images that was asked for; None for each benchmark's own.
    seeds_from : Path or None
        Run folder whose seeds the plain script's accuracies are held against.
    sides : Path or None
        Folder for sides that take long, until their benchmark is complete; see `measure_or_read`.
    """

    data: Path
    images: Path
    workspace: Path
    quick: bool
    repeats: int
    epochs: int
    sizes: tuple[int, ...]
    many: int
    torch_python: Path | None = None
    models: tuple[str, ...] = ()
    fewer: int | None = None
    seeds_from: Path | None = None
    sides: Path | None = None

    @property
    def cache(self) -> Path:
        """leukbench's cache for all benchmarks that do not measure the filling of one."""
        return self.workspace / "cache"

    def chosen(self, names: Sequence[str]) -> list[str]:
        """Those of `names` that are to be measured."""
        return [name for name in names if not self.models or name in self.models]

    def fresh(self, name: str) -> Path:
        """A new empty folder in the workspace."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.workspace))

    def measure_or_read(self, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Measure a side and store it at once, or take it from an earlier call that was cut off.

        A side is taken again only for the same images, models and epochs; ``measured`` says when
        its measurement began.
        """
        if self.sides is None:
            return measure()
        about = {"images": str(self.images), "models": list(self.models), "epochs": self.epochs}
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
        path = self.sides / f"{name}-{digest[:12]}.json"
        if path.is_file():
            side: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return side
        begun = datetime.now(UTC).isoformat(timespec="minutes")
        side = {"measured": begun} | measure()
        write_text(path, json.dumps(side, indent=2) + "\n")
        return side


class ChildFailed(Exception):
    """A measured process ended badly; the message holds the end of what it printed."""


def call(
    function: str,
    *,
    python: Path | None = None,
    cache: Path | None = None,
    environment: Mapping[str, str] | None = None,
    **arguments: Any,
) -> dict[str, Any]:
    """Call ``module:function`` in a fresh process.

    Parameters
    ----------
    function : str
        A function that takes and returns JSON values; it returns an object.
    python : Path, optional
        Another interpreter than this one.
    cache : Path, optional
        Folder that the process uses as leukbench's cache.
    environment : mapping, optional
        Further environment variables.
    **arguments
        Passed on by name.

    Returns
    -------
    dict
        What the function returned, and ``wall_seconds`` of the whole process.
    """
    command = [str(python or sys.executable), "-m", "benchmarks.child"]
    command += [function, json.dumps(arguments)]
    output, seconds = run(command, cache=cache, environment=environment)
    answer: dict[str, Any] = json.loads(output.splitlines()[-1])
    return answer | {"wall_seconds": seconds}


def run(
    command: Sequence[str],
    *,
    cache: Path | None = None,
    environment: Mapping[str, str] | None = None,
    codes: Sequence[int] = (0,),
) -> tuple[str, float]:
    """Run a command and give its standard output and its seconds from start to end.

    Raises
    ------
    ChildFailed
        Where its exit code is none of `codes`.
    """
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    variables = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    if cache is not None:
        variables["LEUKBENCH_CACHE"] = str(cache)
    started = time.perf_counter()
    done = subprocess.run(
        command,
        env=variables | dict(environment or {}),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode not in codes:
        last = " | ".join(done.stderr.strip().splitlines()[-3:])
        raise ChildFailed(
            f"{' '.join(command[1:4])} ended with exit code {done.returncode}: {last}"
        )
    return done.stdout, seconds


def alternate(
    first: Callable[[], A], second: Callable[[], B], repeats: int
) -> tuple[list[A], list[B]]:
    """Measure two sides in turn, so that other load of the machine falls on both."""
    left, right = [], []
    for _ in range(repeats):
        left.append(first())
        right.append(second())
    return left, right
